//! Looks at wanted releases: Helm's storage first, then the objects, each compared with what a write by Helm would make of it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::compare::{observe_objects, read_live, version_of};
use super::super::owner::{class_of, owner_of};
use super::super::session::Session;
use super::super::several::several;
use super::scope::Scopes;
use super::stored::{Head, Heads, PayloadError};
use super::{HelmSettings, MANAGER, crds, lock, outputs, ownership, short_inputs, stored};
use crate::adapter::kube::KubeError;
use crate::model::{
    AfterApply, Found, Object, ObjectFound, Observed, Owner, ReleaseFound, ReleaseSpec,
    ReleaseStatus, Resource, ResourceId, Version, label,
};

/// Releases looked at at a time.
const AT_A_TIME: usize = 16;

/// Looks at wanted releases.
pub async fn observe(
    session: &Session,
    helm: &HelmSettings,
    wanted: &[(&Resource, &ReleaseSpec)],
) -> BTreeMap<ResourceId, Observed> {
    let namespaces: BTreeSet<_> = wanted.iter().map(|(_, spec)| spec.namespace.as_str()).collect();
    let listing: Vec<_> = namespaces
        .into_iter()
        .map(|namespace| async move {
            (namespace, stored::heads(session, Some(namespace), "owner=helm").await)
        })
        .collect();
    let lists: BTreeMap<&str, Result<Heads, KubeError>> =
        several(listing, AT_A_TIME).await.into_iter().collect();
    let lists = &lists;
    let looking: Vec<_> = wanted
        .iter()
        .map(|(resource, spec)| async move {
            let seen = match lists.get(spec.namespace.as_str()) {
                Some(Ok(heads)) => {
                    let key = (spec.namespace.clone(), spec.release.clone());
                    one(session, helm, resource, spec, heads.get(&key)).await
                }
                Some(Err(error)) => Err(error.clone().into()),
                None => Ok(Observed::Absent),
            };
            let seen = seen.unwrap_or_else(|error| Observed::Unreachable {
                because: session.redactor.redact(&error.to_string()),
            });
            (resource.id.clone(), seen)
        })
        .collect();
    several(looking, AT_A_TIME).await.into_iter().collect()
}

async fn one(
    session: &Session,
    helm: &HelmSettings,
    resource: &Resource,
    spec: &ReleaseSpec,
    head: Option<&Head>,
) -> Result<Observed, PayloadError> {
    let Some(head) = head else { return not_stored(session, resource, spec).await };
    let mut found = Found::ours();
    found.owner = whose(session, resource, spec, head);
    found.flavour = head.secret.label(label::FLAVOUR).map(str::to_owned);
    found.extra = head.secret.label(label::EXTRA).is_some();
    found.class = class_of(&head.secret);
    found.host.clone_from(&resource.host);
    found.needs.clone_from(&resource.needs);
    found.outputs = outputs(&spec.release, &spec.namespace, head.revision);
    found.applied = head.applied();
    found.release = Some(ReleaseFound {
        revision: head.revision,
        status: head.status,
        held: lock::held(session, helm, head, resource.patience.ceiling).await,
    });
    if found.owner == Owner::Ours {
        let objects = wanted_objects(session, resource, spec, head).await?;
        found.objects = look(session, resource, spec, &objects).await?;
    }
    found.version = Version { uid: None, ..version_of(&found.objects) };
    Ok(Observed::Present(Box::new(found)))
}

/// A release without storage is absent, unless objects in its place live already: those of others block, those of ours (kept
/// volumes, remains of a failed removal) are taken in.
async fn not_stored(
    session: &Session,
    resource: &Resource,
    spec: &ReleaseSpec,
) -> Result<Observed, PayloadError> {
    let rendered: Vec<Object> =
        resource.rendered.iter().flat_map(|rendered| rendered.objects.clone()).collect();
    let own: Vec<_> = rendered.into_iter().filter(|o| !crds::is_ours_to_apply(o)).collect();
    let live = read_live(&session.cluster, own.iter().filter_map(Object::reference)).await?;
    if live.is_empty() {
        return Ok(Observed::Absent);
    }
    let mut found = Found::ours();
    found.objects =
        observe_objects(session, &resource.id, &own, MANAGER, Some(ownership(spec))).await?;
    found.class = resource.class;
    found.host.clone_from(&resource.host);
    found.version = version_of(&found.objects);
    Ok(Observed::Present(Box::new(found)))
}

fn whose(session: &Session, resource: &Resource, spec: &ReleaseSpec, head: &Head) -> Owner {
    match owner_of(&head.secret, &session.identity, Some(&resource.id)) {
        Owner::Unmarked { .. } => Owner::Unmarked {
            manager: Some(format!("Helm release {} in {}", spec.release, spec.namespace)),
            suitable: false,
        },
        known @ (Owner::Ours | Owner::Other(_)) => known,
    }
}

/// What the objects of a stored release are compared with.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Helm's.
    pub(super) objects: Vec<Object>,
    /// Definitions that datamill applies itself.
    pub(super) definitions: Vec<Object>,
    /// Stored, and no longer in the rendering: Helm takes them away.
    pub(super) surplus: Vec<Object>,
}

/// With the inputs of the stored revision the objects are those that Helm stored, whatever is random in the chart; otherwise
/// those of the rendering.
pub(super) async fn wanted_objects(
    session: &Session,
    resource: &Resource,
    spec: &ReleaseSpec,
    head: &Head,
) -> Result<Wanted, PayloadError> {
    let rendered = resource.rendered.as_ref();
    let (definitions, objects): (Vec<_>, Vec<_>) = rendered
        .into_iter()
        .flat_map(|rendered| rendered.objects.clone())
        .partition(crds::is_ours_to_apply);
    let stored = stored_objects(session, spec, head).await?;
    let same = head.status == ReleaseStatus::Deployed
        && match (rendered, head.applied()) {
            (Some(rendered), Some(applied)) => applied.inputs.as_str() == short_inputs(rendered),
            (Some(_) | None, _) => rendered.is_none(),
        };
    if same {
        return Ok(Wanted { objects: stored, definitions, surplus: Vec::new() });
    }
    let named: BTreeSet<_> = objects.iter().filter_map(Object::reference).collect();
    let surplus = stored.into_iter().filter(|object| {
        object.annotation("helm.sh/resource-policy") != Some("keep")
            && object.reference().is_some_and(|name| !named.contains(&name))
    });
    Ok(Wanted { surplus: surplus.collect(), objects, definitions })
}

/// The objects of a stored revision, each in its namespace.
pub(super) async fn stored_objects(
    session: &Session,
    spec: &ReleaseSpec,
    head: &Head,
) -> Result<Vec<Object>, PayloadError> {
    let stored = head.payload(session).await?.objects()?;
    let kinds = session.cluster.kinds().await?;
    let scopes = Scopes::new(Some(&kinds), &stored);
    Ok(stored.iter().map(|object| scopes.placed(object.clone(), &spec.namespace)).collect())
}

async fn look(
    session: &Session,
    resource: &Resource,
    spec: &ReleaseSpec,
    wanted: &Wanted,
) -> Result<Vec<ObjectFound>, PayloadError> {
    let helm = Some(ownership(spec));
    let (mut found, definitions, surplus) = futures::try_join!(
        observe_objects(session, &resource.id, &wanted.objects, MANAGER, helm),
        crds::observe(session, resource, &wanted.definitions),
        surplus(session, &wanted.surplus),
    )?;
    found.extend(definitions);
    found.extend(surplus);
    Ok(found)
}

async fn surplus(session: &Session, objects: &[Object]) -> Result<Vec<ObjectFound>, KubeError> {
    let live = read_live(&session.cluster, objects.iter().filter_map(Object::reference)).await?;
    let found = live.into_iter().map(|(object, live)| ObjectFound {
        wanted: false,
        owner: owner_of(&live, &session.identity, None),
        class: class_of(&live),
        version: Version { uid: live.uid().map(str::to_owned), fields: None },
        live: Some(live),
        after: AfterApply::Unwanted,
        object,
    });
    Ok(found.collect())
}
