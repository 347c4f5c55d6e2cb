//! Wanted objects against live ones: what is there, whose it is, and what a write would make of it (a server-side dry run).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::failure::{foreign, provider_error, stale};
use super::normal::{compared, normal};
use super::owner::{class_of, owner_of};
use super::session::Session;
use super::several::several;
use crate::adapter::kube::{Cluster, KubeError, Listing, Only, Propagation, Write};
use crate::model::ignore;
use crate::model::{
    AfterApply, Digest, Object, ObjectFound, ObjectRef, Owner, ResourceId, Version,
};
use crate::provider::ProviderError;

/// Requests of one comparison at a time.
const AT_A_TIME: usize = 16;
/// From this many objects of a kind and namespace on, one list replaces a request for each.
const LIST_FROM: usize = 4;

/// Live objects by reference; what is not there has no entry.
pub type Live = BTreeMap<ObjectRef, Object>;

/// The release that holds objects, as Helm writes it on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelmOwnership<'a> {
    /// The release's name.
    pub release: &'a str,
    /// The release's namespace.
    pub namespace: &'a str,
}

/// Reads objects as they are: one list per kind and namespace where many are asked for. Kinds and namespaces that are not
/// there hold nothing.
pub async fn read_live(
    cluster: &Cluster,
    wanted: impl IntoIterator<Item = ObjectRef>,
) -> Result<Live, KubeError> {
    let mut groups: BTreeMap<(String, String, Option<String>), BTreeSet<ObjectRef>> =
        BTreeMap::new();
    for object in wanted {
        let key = (object.api_version.clone(), object.kind.clone(), object.namespace.clone());
        groups.entry(key).or_default().insert(object);
    }
    let mut lists = Vec::new();
    let mut singles = Vec::new();
    for ((api_version, kind, namespace), objects) in groups {
        if objects.len() >= LIST_FROM {
            let listing = Listing { namespace, ..Listing::of(api_version, kind) };
            lists.push((listing, objects));
        } else {
            singles.extend(objects);
        }
    }
    let list = |(listing, objects): (Listing, BTreeSet<ObjectRef>)| async move {
        let found = absent_is(cluster.list(&listing).await, Vec::new())?;
        let named = found.into_iter().filter_map(|object| Some((object.reference()?, object)));
        Ok(named.filter(|(name, _)| objects.contains(name)).collect::<Vec<_>>())
    };
    let get = |name: ObjectRef| async move {
        let found = absent_is(cluster.get(&name).await, None)?;
        Ok(found.map(|object| (name, object)))
    };
    let (listed, got) = futures::join!(
        several(lists.into_iter().map(list).collect(), AT_A_TIME),
        several(singles.into_iter().map(get).collect(), AT_A_TIME),
    );
    let listed: Vec<Vec<_>> = listed.into_iter().collect::<Result<_, KubeError>>()?;
    let got: Vec<Option<_>> = got.into_iter().collect::<Result<_, KubeError>>()?;
    Ok(listed.into_iter().flatten().chain(got.into_iter().flatten()).collect())
}

pub(super) fn absent_is<T>(answer: Result<T, KubeError>, otherwise: T) -> Result<T, KubeError> {
    match answer {
        Err(error) if error.means_absent() => Ok(otherwise),
        other => other,
    }
}

/// Each wanted object as it is and as it would be after a write by `manager`. `id` is the resource that wants them. With
/// `helm`, the comparison is made as Helm makes its writes; an object that Helm holds for that very release counts as ours.
pub async fn observe_objects(
    session: &Session,
    id: &ResourceId,
    wanted: &[Object],
    manager: &str,
    helm: Option<HelmOwnership<'_>>,
) -> Result<Vec<ObjectFound>, KubeError> {
    let live = read_live(&session.cluster, wanted.iter().filter_map(Object::reference)).await?;
    observe_with(session, id, wanted, manager, helm, &live).await
}

/// The same with live objects that were read before.
pub async fn observe_with(
    session: &Session,
    id: &ResourceId,
    wanted: &[Object],
    manager: &str,
    helm: Option<HelmOwnership<'_>>,
    live: &Live,
) -> Result<Vec<ObjectFound>, KubeError> {
    let write = Write::by(manager).forced().dry();
    let write = &write;
    let look = |wanted: &Object| {
        let name = wanted.reference()?;
        let live = live.get(&name);
        let sent = with_ownership(wanted, helm);
        let class = class_of(wanted);
        Some(async move {
            let after = dry_run(session, &sent, write).await?;
            Ok(ObjectFound {
                wanted: true,
                owner: live.map_or(Owner::Ours, |live| owner(session, id, live, helm)),
                class,
                version: version(live, &sent),
                live: live.map(normal),
                after,
                object: name,
            })
        })
    };
    several(wanted.iter().filter_map(look).collect(), AT_A_TIME).await.into_iter().collect()
}

fn owner(
    session: &Session,
    id: &ResourceId,
    live: &Object,
    helm: Option<HelmOwnership<'_>>,
) -> Owner {
    let owner = owner_of(live, &session.identity, Some(id));
    let by_release = helm.is_some_and(|release| {
        live.annotation("meta.helm.sh/release-name") == Some(release.release)
            && live.annotation("meta.helm.sh/release-namespace") == Some(release.namespace)
    });
    match &owner {
        // Somebody upgraded our release by hand, without the post-renderer.
        Owner::Unmarked { .. } if by_release => Owner::Ours,
        Owner::Ours | Owner::Other(_) | Owner::Unmarked { .. } => owner,
    }
}

fn version(live: Option<&Object>, wanted: &Object) -> Version {
    live.map_or_else(Version::default, |live| Version {
        uid: live.uid().map(str::to_owned),
        fields: Some(compared(live, wanted)),
    })
}

/// The object with the label and annotations that Helm adds to what it writes.
pub fn with_ownership(object: &Object, helm: Option<HelmOwnership<'_>>) -> Object {
    let mut object = object.clone();
    if let Some(helm) = helm {
        merge(
            &mut object.0,
            &json!({"metadata": {
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {
                    "meta.helm.sh/release-name": helm.release,
                    "meta.helm.sh/release-namespace": helm.namespace,
                },
            }}),
        );
    }
    object
}

/// Lays `over` over `base`, map by map.
pub fn merge(base: &mut serde_json::Value, over: &serde_json::Value) {
    match (base, over) {
        (serde_json::Value::Object(base), serde_json::Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(serde_json::Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

async fn dry_run(
    session: &Session,
    wanted: &Object,
    write: &Write,
) -> Result<AfterApply, KubeError> {
    match session.cluster.apply(wanted, write).await {
        Ok(after) => Ok(AfterApply::Would(normal(&after))),
        Err(error) if error.means_absent() => Ok(AfterApply::NotChecked(normal(wanted))),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => Ok(AfterApply::Rejected(session.redactor.redact(&error.to_string()))),
    }
}

/// What must still be so of several objects together: the digest of their digests, in order of their names.
pub fn version_of(objects: &[ObjectFound]) -> Version {
    let parts: BTreeMap<String, &str> = objects
        .iter()
        .filter_map(|o| Some((o.object.to_string(), o.version.fields.as_ref()?.as_str())))
        .collect();
    let text = parts.iter().flat_map(|(name, digest)| [name.as_str(), digest]);
    Version { uid: None, fields: (!parts.is_empty()).then(|| Digest::of_parts(text)) }
}

/// Writes an object after a look at whose it is: what is not ours stays as it is, and so do the places in `left`.
pub async fn write_object(
    session: &Session,
    id: &ResourceId,
    object: &Object,
    write: &Write,
    helm: Option<HelmOwnership<'_>>,
    left: &[String],
) -> Result<Object, ProviderError> {
    let Some(name) = object.reference() else {
        return Err(stale("an object has no apiVersion, kind or name", "it cannot be written"));
    };
    let failed = |error: KubeError| {
        provider_error(format!("cannot write {name}"), &error, &session.redactor)
    };
    let live = absent_is(session.cluster.get(&name).await, None).map_err(failed)?;
    if let Some(live) = &live {
        may_touch(&name, &owner(session, id, live, helm))?;
    }
    let mut object = with_ownership(object, helm);
    if let Some(live) = &live {
        object = ignore::with_live(&object, live, left.iter().map(String::as_str));
    }
    session.cluster.apply(&object, write).await.map_err(failed)
}

/// Deletes an object after a look at whose it is, and only if it still has the uid when one is given. `false` when it was
/// not there.
pub async fn delete_object(
    session: &Session,
    id: &ResourceId,
    name: &ObjectRef,
    uid: Option<&str>,
) -> Result<bool, ProviderError> {
    let failed = |error: KubeError| {
        provider_error(format!("cannot delete {name}"), &error, &session.redactor)
    };
    let live = absent_is(session.cluster.get(name).await, None).map_err(failed)?;
    let Some(live) = live else { return Ok(false) };
    may_touch(name, &owner_of(&live, &session.identity, Some(id)))?;
    let found = live.uid().unwrap_or_default();
    if let Some(uid) = uid.filter(|uid| *uid != found) {
        let why = format!("its uid was {uid} and is {found}: somebody made it anew");
        return Err(stale(format!("{name} is not the one that was seen"), why));
    }
    let only = Only { uid: Some(found), version: None };
    session.cluster.delete(name, only, Propagation::Background).await.map_err(failed)
}

pub(super) fn may_touch(name: &ObjectRef, owner: &Owner) -> Result<(), ProviderError> {
    match owner {
        Owner::Ours => Ok(()),
        Owner::Other(whose) => Err(foreign(name, whose)),
        Owner::Unmarked { manager, .. } => {
            Err(foreign(name, manager.as_deref().unwrap_or("somebody who left no mark")))
        }
    }
}
