//! Finds every release of this installation, wanted or not, and what releases that are gone have left.

use std::collections::BTreeMap;

use super::super::discover::{moved_from, needs_of, protection_of};
use super::super::owner::{class_of, owner_of};
use super::super::session::Session;
use super::stored::{self, Head};
use super::{HelmSettings, lock, outputs};
use crate::model::{
    AfterApply, Class, Discovery, Found, Object, ObjectFound, POLICY, Patience, ReleaseFound,
    ResourceId, ResourceKind, Scope, Version, annotation, label, label_value,
};

/// Kinds that stay whatever becomes of their release.
const KEPT: [&str; 4] =
    ["PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition", "Namespace"];

/// All releases of this installation. `objects` are the live objects (metadata only) that bear a release's id.
pub async fn discover(
    session: &Session,
    helm: &HelmSettings,
    objects: &BTreeMap<ResourceId, Vec<Object>>,
) -> Discovery {
    let mut discovery = Discovery::default();
    let owner = label_value(&session.identity.owner.0);
    let selector = format!("owner=helm,{}={owner}", label::OWNER);
    let heads = match stored::heads(session, None, &selector).await {
        Ok(heads) => heads,
        Err(error) => {
            discovery.unlisted.push(format!("Helm releases: {error}"));
            return discovery;
        }
    };
    for head in heads.values() {
        let Some(id) = id_of(session, head, objects) else { continue };
        let mut found = found(session, objects.get(&id).map(Vec::as_slice).unwrap_or_default());
        found.host = Some(ResourceId::target(ResourceKind::Namespace, &head.namespace));
        found.applied = head.applied();
        found.class = class_of(&head.secret);
        found.flavour = head.secret.label(label::FLAVOUR).map(str::to_owned);
        found.extra = head.secret.label(label::EXTRA).is_some();
        found.outputs = outputs(&head.name, &head.namespace, head.revision);
        found.release = Some(ReleaseFound {
            revision: head.revision,
            status: head.status,
            held: lock::held(session, helm, head, Patience::default().ceiling).await,
        });
        found.moved_from = moved_from(session, &head.secret).or(found.moved_from);
        found.version.uid = head.secret.uid().map(str::to_owned);
        discovery.found.insert(id, found);
    }
    for (id, left) in objects.iter().filter(|(id, _)| id.kind == ResourceKind::Release) {
        if !discovery.found.contains_key(id) && !left.is_empty() {
            discovery.found.insert(id.clone(), remains(session, left));
        }
    }
    discovery
}

/// What is left of a release that is gone.
fn remains(session: &Session, left: &[Object]) -> Found {
    let mut found = found(session, left);
    if left.iter().all(|object| class_of(object) == Class::Data || is_claim(object)) {
        found.class = Class::Data;
    }
    let kept = |object: &Object| object.annotation(POLICY) == Some("keep");
    found.keep = left.iter().all(|object| KEPT.contains(&object.kind()) || kept(object));
    let first = left.first();
    found.flavour = first.and_then(|o| o.label(label::FLAVOUR)).map(str::to_owned);
    found.extra = first.is_some_and(|object| object.label(label::EXTRA).is_some());
    let namespace = first.and_then(Object::reference).and_then(|name| name.namespace);
    found.host = namespace.map(|name| ResourceId::target(ResourceKind::Namespace, name));
    found
}

/// Whether it is a volume or a claim of one: what is in it is data.
fn is_claim(object: &Object) -> bool {
    matches!(object.kind(), "PersistentVolumeClaim" | "PersistentVolume")
}

fn found(session: &Session, objects: &[Object]) -> Found {
    let needs = objects.iter().filter_map(|object| object.annotation(annotation::NEEDS));
    let needs = needs_of(session, needs);
    let moved = objects.iter().find_map(|object| moved_from(session, object));
    let protection = protection_of(objects);
    let found = objects.iter().filter_map(|live| {
        Some(ObjectFound {
            object: live.reference()?,
            wanted: false,
            owner: owner_of(live, &session.identity, None),
            class: if is_claim(live) { Class::Data } else { class_of(live) },
            version: Version { uid: live.uid().map(str::to_owned), fields: None },
            live: Some(live.clone()),
            after: AfterApply::Unwanted,
        })
    });
    let objects = found.collect();
    Found { objects, needs, moved_from: moved, protection, ..Found::ours() }
}

/// The id of a release: the one written on its objects, which is whole; else the one its labels tell.
fn id_of(
    session: &Session,
    head: &Head,
    objects: &BTreeMap<ResourceId, Vec<Object>>,
) -> Option<ResourceId> {
    let (instance, node) = (head.secret.label(label::INSTANCE)?, head.secret.label(label::NODE)?);
    let instance = session.identity.renames.now(instance);
    let written = objects.keys().find(|id| {
        id.kind == ResourceKind::Release
            && id.instance_name().is_some_and(|name| label_value(name.as_str()) == instance)
            && label_value(&format!("{}.{}", id.kind.word(), id.name)) == node
    });
    written.cloned().or_else(|| {
        let name = node.strip_prefix(ResourceKind::Release.word())?.strip_prefix('.')?;
        Some(ResourceId {
            scope: Scope::Instance(instance.parse().ok()?),
            kind: ResourceKind::Release,
            name: name.to_owned(),
        })
    })
}
