//! Looks at wanted releases: Helm's storage first, then the objects, each compared with what a write by Helm would make of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::super::compare::{observe_objects, read_live, version_of};
use super::super::discover::{Marked, moved_from, protection_of};
use super::super::history::is_other;
use super::super::namespace;
use super::super::owner::{class_of, owner_of};
use super::super::session::Session;
use super::super::several::several;
use super::compared::{self, Compared, Listed};
use super::scope::Scopes;
use super::stored::{Head, Heads, PayloadError};
use super::{HelmSettings, MANAGER, crds, lock, outputs, ownership, short_inputs, stored, values};
use crate::adapter::helm::StoredRelease;
use crate::adapter::kube::KubeError;
use crate::model::{
    AfterApply, Found, LastApplied, Leaf, Object, ObjectFound, ObjectRef, Observed, Owner, POLICY,
    ReleaseFound, ReleaseSpec, ReleaseStatus, Resource, ResourceId, Version, label,
};

/// Releases looked at at a time.
const AT_A_TIME: usize = 16;

/// Looks at wanted releases. `marked` is what bears our marks, listed just now: a release that was not written since it was
/// compared last is not compared again.
pub async fn observe(
    session: &Session,
    helm: &HelmSettings,
    wanted: &[(&Resource, &ReleaseSpec)],
    marked: &Marked,
) -> BTreeMap<ResourceId, Observed> {
    let namespaces: BTreeSet<_> = wanted.iter().map(|(_, spec)| spec.namespace.clone()).collect();
    let list = |namespace: String| async move {
        let place = Place::look(session, &namespace).await;
        (namespace, place)
    };
    let places = several(namespaces.into_iter().map(list).collect(), AT_A_TIME).await;
    let places: BTreeMap<String, Result<Place, KubeError>> = places.into_iter().collect();
    let compared = Compared::load(session, helm);
    let listed = Listed::new(marked);
    let view = View { session, helm, listed: &listed, compared: &compared };
    let look = |resource: &Resource, spec: &ReleaseSpec| {
        let (resource, spec) = (resource.clone(), spec.clone());
        let place = places.get(&spec.namespace);
        async move {
            let seen = match place {
                Some(Ok(place)) => {
                    let name = (spec.namespace.clone(), spec.release.clone());
                    match place.heads.get(&name) {
                        Some(head) => view.one(&resource, &spec, head).await,
                        None => not_stored(session, &resource, &spec, place.is_there).await,
                    }
                }
                Some(Err(error)) => Err(error.clone().into()),
                None => Ok(Observed::Absent),
            };
            let seen = seen.unwrap_or_else(|error| Observed::Unreachable {
                because: session.redactor.redact(&error.to_string()),
            });
            (resource.id, seen)
        }
    };
    let looks = wanted.iter().map(|(resource, spec)| look(resource, spec)).collect();
    let all = several(looks, AT_A_TIME).await.into_iter().collect();
    compared.save();
    all
}

/// A namespace and the releases that are stored in it.
struct Place {
    heads: Heads,
    is_there: bool,
}

impl Place {
    async fn look(session: &Session, namespace: &str) -> Result<Self, KubeError> {
        let heads = stored::heads(session, Some(namespace), "owner=helm").await?;
        let name = namespace::reference(namespace);
        let is_there = !heads.is_empty() || session.cluster.get(&name).await?.is_some();
        Ok(Self { heads, is_there })
    }
}

/// What a look at one release needs.
#[derive(Clone, Copy)]
struct View<'a> {
    session: &'a Session,
    helm: &'a HelmSettings,
    listed: &'a Listed<'a>,
    compared: &'a Compared,
}

impl View<'_> {
    async fn one(
        self,
        resource: &Resource,
        spec: &ReleaseSpec,
        head: &Head,
    ) -> Result<Observed, PayloadError> {
        let (session, helm) = (self.session, self.helm);
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
        found.moved_from = moved_from(session, &head.secret);
        let live = self.listed.objects(&resource.id);
        found.protection = protection_of(live);
        if found.owner == Owner::Ours {
            self.learn_secrets(spec, head).await;
            found.objects = self.objects(resource, spec, head).await?;
            found.last = last_applied(session, resource, spec, head, &found.objects).await?;
        }
        found.version = Version { uid: None, ..version_of(&found.objects) };
        Ok(Observed::Present(Box::new(found)))
    }

    /// The values of secrets that the stored revision was made with are never shown, though they may have changed since.
    async fn learn_secrets(self, spec: &ReleaseSpec, head: &Head) {
        if !spec.values.leaves().iter().any(|leaf| matches!(leaf, Leaf::Secret(_))) {
            return;
        }
        // One that cannot be read is said where its objects are needed.
        if let Ok(release) = head.payload(self.session).await {
            let secrets = values::held(&spec.values, release.config());
            for secret in &secrets {
                self.session.redactor.learn(secret);
            }
        }
    }

    async fn objects(
        self,
        resource: &Resource,
        spec: &ReleaseSpec,
        head: &Head,
    ) -> Result<Vec<ObjectFound>, PayloadError> {
        let key = compared::key(resource, head, self.listed);
        let recalled =
            key.as_ref().and_then(|key| self.compared.recall(key, resource, self.listed));
        if let Some(objects) = recalled {
            return Ok(objects);
        }
        let wanted = wanted_objects(self.session, resource, spec, head).await?;
        let objects = look(self.session, resource, spec, &wanted).await?;
        if let Some(key) = key {
            self.compared.learn(key, resource, &objects);
        }
        Ok(objects)
    }
}

/// A release without storage is absent, unless objects in its place live already (those of others block; those of ours, kept
/// volumes or remains of a failed removal, are taken in), or the server refuses one.
async fn not_stored(
    session: &Session,
    resource: &Resource,
    spec: &ReleaseSpec,
    is_there: bool,
) -> Result<Observed, PayloadError> {
    let rendered: Vec<Object> =
        resource.rendered.iter().flat_map(|rendered| rendered.objects.clone()).collect();
    let own: Vec<_> = rendered.into_iter().filter(|o| !crds::is_ours_to_apply(o)).collect();
    // Without the namespace only what lies elsewhere can be there, and nothing can be asked of what would lie in it.
    let asked: Vec<_> = if is_there {
        own
    } else {
        let elsewhere = |name: &ObjectRef| name.namespace.as_deref() != Some(&spec.namespace);
        let names = own.iter().filter_map(Object::reference).filter(elsewhere);
        let live = read_live(&session.cluster, names).await?;
        let lives = |o: &Object| o.reference().is_some_and(|name| live.contains_key(&name));
        own.into_iter().filter(lives).collect()
    };
    let helm = Some(ownership(spec));
    let mut objects = observe_objects(session, &resource.id, &asked, MANAGER, helm).await?;
    objects.iter_mut().for_each(only_invalid_counts);
    let refused = |object: &ObjectFound| matches!(object.after, AfterApply::Rejected(_));
    if !objects.iter().any(|object| object.live.is_some() || refused(object)) {
        return Ok(Observed::Absent);
    }
    let mut found = Found::ours();
    found.objects = objects;
    found.class = resource.class;
    found.host.clone_from(&resource.host);
    found.version = version_of(&found.objects);
    Ok(Observed::Present(Box::new(found)))
}

/// Before a release is installed a refusal may come from what it brings itself (a service account, a quota); only a field that
/// is wrong in itself stays wrong.
fn only_invalid_counts(object: &mut ObjectFound) {
    if object.live.is_some() {
        return;
    }
    if let AfterApply::Rejected(says) = &object.after
        && !says.contains(" is invalid: ")
    {
        let reference = &object.object;
        object.after = AfterApply::NotChecked(Object(serde_json::json!({
            "apiVersion": reference.api_version,
            "kind": reference.kind,
            "metadata": {"name": reference.name, "namespace": reference.namespace},
        })));
    }
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
        object.annotation(POLICY) != Some("keep")
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
    placed(session, spec, stored).await
}

/// Stored objects, each in its namespace.
async fn placed(
    session: &Session,
    spec: &ReleaseSpec,
    stored: Vec<Json>,
) -> Result<Vec<Object>, PayloadError> {
    let kinds = session.cluster.kinds().await?;
    let scopes = Scopes::new(Some(&kinds), &stored);
    Ok(stored.iter().map(|object| scopes.placed(object.clone(), &spec.namespace)).collect())
}

/// The objects as the last upgrade of ours made them: Helm's own manifest of that revision, and of what differs now, what the
/// server would make of it. Nothing where the inputs are still the same (then all that differs is somebody's), or where that
/// revision did not end well.
async fn last_applied(
    session: &Session,
    resource: &Resource,
    spec: &ReleaseSpec,
    head: &Head,
    objects: &[ObjectFound],
) -> Result<Option<LastApplied>, PayloadError> {
    let other: BTreeSet<&ObjectRef> =
        objects.iter().filter(|object| is_other(object)).map(|object| &object.object).collect();
    if other.is_empty() || (is_same(resource, head) && head.status == ReleaseStatus::Deployed) {
        return Ok(None);
    }
    let Some(revision) = head.made_by_us() else { return Ok(None) };
    let release = if revision == head.revision {
        Some(head.payload(session).await?)
    } else {
        head.earlier(session, revision).await?
    };
    let went_well = |release: &StoredRelease| matches!(release.status(), "deployed" | "superseded");
    let Some(release) = release.filter(went_well) else { return Ok(None) };
    let stored = placed(session, spec, release.objects()?).await?;
    let asked: Vec<Object> = stored
        .iter()
        .filter(|object| object.reference().is_some_and(|name| other.contains(&name)))
        .cloned()
        .collect();
    let helm = Some(ownership(spec));
    let seen = observe_objects(session, &resource.id, &asked, MANAGER, helm).await?;
    let named = stored.iter().filter_map(Object::reference);
    let mut last: LastApplied = named.map(|name| (name, None)).collect();
    for object in seen {
        if let AfterApply::Would(then) = object.after {
            last.insert(object.object, Some(then));
        }
    }
    Ok(Some(last))
}

/// Whether a revision was made from the inputs that are wanted now.
fn is_same(resource: &Resource, head: &Head) -> bool {
    match (&resource.rendered, head.applied()) {
        (Some(rendered), Some(applied)) => applied.inputs.as_str() == short_inputs(rendered),
        (Some(_) | None, _) => false,
    }
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
