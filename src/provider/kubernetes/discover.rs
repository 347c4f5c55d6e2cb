//! All that bears our marks in a cluster: one list by label for every kind that can be listed, metadata only.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::claim;
use super::compare::version_of;
use super::installation::NAMESPACE;
use super::normal::normal;
use super::owner::class_of;
use super::readiness::{Surroundings, readiness};
use super::secret::ASSUMED;
use super::session::Session;
use super::several::several;
use super::snapshot;
use crate::adapter::kube::{Cluster, KubeError, Listing, ServedKind};
use crate::model::{
    AfterApply, Applied, CLAIM, Class, Digest, Discovery, Found, Health, JobReady, Name, Object,
    ObjectFound, ObjectRef, Outputs, Owner, POLICY, Protection, Renames, ResourceId, ResourceKind,
    RunId, Version, annotation, label, label_value,
};

/// Lists at a time.
const AT_A_TIME: usize = 24;
/// Kinds that others derive from what we make, labels copied; they come and go with it.
const DERIVED: [&str; 7] = [
    "ControllerRevision",
    "EndpointSlice",
    "Endpoints",
    "Event",
    "Lease",
    "PodMetrics",
    "ReplicaSet",
];

/// What bears the marks of an installation, as listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Marked {
    /// By id, in order of their references. Claims are whole, the rest is metadata only.
    pub objects: BTreeMap<ResourceId, Vec<Object>>,
    /// What bears the installation's mark and names no resource.
    pub strays: Vec<ObjectRef>,
    /// What could not be listed, and why.
    pub unlisted: Vec<String>,
}

/// Lists all that bears the marks of this installation. Storage of Helm releases is left out: it is no object of a release.
pub async fn marked(session: &Session) -> Result<Marked, KubeError> {
    let kinds = session.cluster.kinds().await?;
    let selector = format!("{}={}", label::OWNER, label_value(&session.identity.owner.0));
    let mut marked = Marked {
        unlisted: kinds
            .stale
            .iter()
            .map(|version| format!("{version}: it does not answer"))
            .collect(),
        ..Marked::default()
    };
    let listable: Vec<&ServedKind> =
        kinds.preferred().iter().filter(|kind| can_bear_marks(kind)).collect();
    let list = |kind: &ServedKind| {
        let listing = Listing {
            metadata_only: kind.kind != CLAIM,
            ..Listing::of(&kind.api_version, &kind.kind).labels(&selector)
        };
        async move { session.cluster.list(&listing).await }
    };
    let renames = &session.identity.renames;
    let lists = several(listable.iter().map(|kind| list(kind)).collect(), AT_A_TIME).await;
    for (kind, list) in listable.into_iter().zip(lists) {
        match list {
            Ok(objects) => objects.into_iter().for_each(|object| marked.add(object, renames)),
            Err(error) if error.means_absent() => {}
            Err(error @ (KubeError::Unreachable(_) | KubeError::Timeout { .. })) => {
                return Err(error);
            }
            Err(error) => marked.unlisted.push(format!("{}: {error}", kind.plural)),
        }
    }
    let claims = claim::without_marks(session).await?;
    for (id, object) in claim::made(session, &marked, claims).await? {
        marked.objects.entry(id).or_default().push(object);
    }
    Ok(marked)
}

/// The installations whose marks for a project and target stand on anything in the cluster.
pub(super) async fn owners(
    cluster: &Cluster,
    project: &str,
    target: &str,
) -> Result<BTreeMap<String, ObjectRef>, KubeError> {
    let selector = format!(
        "{}={},{}={},{}",
        label::PROJECT,
        label_value(project),
        label::TARGET,
        label_value(target),
        label::OWNER
    );
    let mut owners = BTreeMap::new();
    for object in labelled(cluster, &selector).await? {
        if let (Some(owner), Some(name)) = (object.label(label::OWNER), object.reference()) {
            owners.entry(owner.to_owned()).or_insert(name);
        }
    }
    Ok(owners)
}

/// The objects of every kind that a selector of labels finds, metadata only. A kind that may not be listed is left out.
pub(super) async fn labelled(cluster: &Cluster, selector: &str) -> Result<Vec<Object>, KubeError> {
    let kinds = cluster.kinds().await?;
    let listable = kinds.preferred().iter().filter(|kind| can_bear_marks(kind));
    let list = |kind: &ServedKind| {
        let listing = Listing::of(&kind.api_version, &kind.kind).labels(selector).metadata_only();
        async move { cluster.list(&listing).await }
    };
    let lists = several(listable.map(list).collect(), AT_A_TIME).await;
    let mut found = Vec::new();
    for list in lists {
        match list {
            Ok(objects) => found.extend(objects),
            Err(error @ (KubeError::Unreachable(_) | KubeError::Timeout { .. })) => {
                return Err(error);
            }
            // Who may not look there wrote nothing there; discovery lists the same and names it.
            Err(_) => {}
        }
    }
    Ok(found)
}

pub(super) fn can_bear_marks(kind: &ServedKind) -> bool {
    kind.can("list") && kind.can("delete") && !DERIVED.contains(&kind.kind.as_str())
}

impl Marked {
    fn add(&mut self, object: Object, renames: &Renames) {
        let storage = object.label("owner") == Some("helm")
            && object.reference().is_some_and(|name| name.name.starts_with("sh.helm.release."));
        if storage {
            return;
        }
        if let Some(id) = id_of(&object).map(|id| claim::home(renames.id(id), &object)) {
            self.objects.entry(id).or_default().push(object);
        } else if !is_memory(&object) && object.kind() != "Node" {
            // A node is its cluster's part, whose provider marked it.
            self.strays.extend(object.reference());
        }
    }

    /// Everything by its uid.
    pub(super) fn by_uid(&self) -> BTreeMap<&str, &Object> {
        self.objects.values().flatten().filter_map(|object| Some((object.uid()?, object))).collect()
    }

    /// The claim that a resource is, as it was listed: the wanted one where one is wanted.
    pub(super) fn claim_of(&self, found: &Found) -> Option<&Object> {
        let claims = || found.objects.iter().filter(|one| one.object.kind == CLAIM);
        let wanted = claims().any(|claim| claim.wanted);
        let own = claims().find(|claim| claim.live.is_some() && claim.wanted == wanted)?;
        let uid = own.version.uid.as_deref()?;
        self.objects.values().flatten().find(|object| object.uid() == Some(uid))
    }

    /// The uids of everything.
    pub fn uids(&self) -> BTreeSet<&str> {
        self.objects.values().flatten().filter_map(Object::uid).collect()
    }
}

/// Whether an object is what an installation remembers: it goes with the last of what it is about, and is no trace.
fn is_memory(object: &Object) -> bool {
    let name = object.reference().filter(|name| name.namespace.as_deref() == Some(NAMESPACE));
    object.label(snapshot::MEMORY).is_some()
        || name.is_some_and(|name| name.name.starts_with("datamill-"))
}

/// The id written on an object; rebuilt from its labels where the annotation is gone.
pub fn id_of(object: &Object) -> Option<ResourceId> {
    if let Some(text) = object.annotation(annotation::NODE) {
        return text.parse().ok();
    }
    let (kind, name) = object.label(label::NODE)?.split_once('.')?;
    let scope = object.label(label::INSTANCE).unwrap_or("target");
    format!("{scope}/{kind}/{name}").parse().ok()
}

/// What was found of one resource, from the objects that bear its id.
pub fn found_of(session: &Session, id: &ResourceId, objects: &[Object]) -> Found {
    let objects_found: Vec<ObjectFound> = objects.iter().filter_map(unwanted).collect();
    let first = objects.iter().find(|object| object.annotation(annotation::NODE).is_some());
    let own = |object: &&Object| !matches!(object.kind(), CLAIM | "PersistentVolume");
    let class = objects.iter().find(own).or(objects.first()).map_or(Class::Stateless, class_of);
    let needs = objects.iter().filter_map(|object| object.annotation(annotation::NEEDS));
    Found {
        owner: Owner::Ours,
        version: version_of(&objects_found),
        applied: applied_of(objects.iter()),
        needs: needs_of(session, needs),
        host: Some(host_of(session, id, objects)),
        class,
        keep: objects.iter().any(|object| object.annotation(POLICY) == Some("keep"))
            && id.kind != ResourceKind::Release,
        size: (id.kind == ResourceKind::Claim)
            .then(|| objects.first().and_then(claim::size_of))
            .flatten(),
        flavour: first.and_then(|object| object.label(label::FLAVOUR)).map(str::to_owned),
        extra: first.is_some_and(|object| object.label(label::EXTRA).is_some()),
        moved_from: objects.iter().find_map(|object| moved_from(session, object)),
        protection: protection_of(objects),
        outputs: outputs_of(id, objects),
        objects: objects_found,
        health: leaving(session, objects).unwrap_or(Health::Ready),
        ..Found::ours()
    }
}

/// How a claim is that somebody deleted and that is still used.
fn leaving(session: &Session, objects: &[Object]) -> Option<Health> {
    let claims = objects.iter().filter(|object| object.kind() == CLAIM);
    let around = Surroundings { simulated: session.simulated, ..Surroundings::default() };
    let goes = |claim: &&Object| claim.0.pointer("/metadata/deletionTimestamp").is_some();
    claims.filter(goes).map(|claim| readiness(claim, &around, JobReady::Complete)).next()
}

/// The needs written on objects, under the names that instances have now.
pub(super) fn needs_of<'a>(
    session: &Session,
    written: impl Iterator<Item = &'a str>,
) -> BTreeSet<ResourceId> {
    let ids = written.flat_map(str::split_whitespace).filter_map(|id| id.parse().ok());
    ids.map(|id| session.identity.renames.id(id)).collect()
}

/// The old name that an object bears, when the flavour renames its instance.
pub(super) fn moved_from(session: &Session, object: &Object) -> Option<Name> {
    let marked = object.label(label::INSTANCE)?;
    if session.identity.renames.now(marked) == marked { None } else { marked.parse().ok() }
}

/// What a person said about whether something may go: that it may not, if that stands on any of its objects.
pub(super) fn protection_of<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
) -> Option<Protection> {
    let said = objects.into_iter().filter_map(|o| o.annotation(annotation::PROTECT));
    said.map(Protection::read).max_by_key(|said| said.on)
}

/// What a resource tells others, as far as the object it is tells it.
fn outputs_of(id: &ResourceId, objects: &[Object]) -> Outputs {
    const TELL: [(ResourceKind, &str); 4] = [
        (ResourceKind::Namespace, "Namespace"),
        (ResourceKind::Secret, "Secret"),
        (ResourceKind::Claim, CLAIM),
        (ResourceKind::Job, "Job"),
    ];
    let Some((_, kind)) = TELL.iter().find(|(tells, _)| *tells == id.kind) else {
        return Outputs::new();
    };
    let own = |object: &&Object| object.kind() == *kind && object.annotation(ASSUMED).is_none();
    // An older Job may still be there beside the one that counts.
    let newest = objects.iter().filter(own).max_by_key(|object| {
        object.0.pointer("/metadata/creationTimestamp").and_then(Json::as_str).unwrap_or_default()
    });
    let name = newest.and_then(Object::reference).map(|name| name.name);
    name.map(|name| Outputs::from([("name".to_owned(), name.into())])).unwrap_or_default()
}

/// An object of ours that goes with the next change.
pub(super) fn unwanted(object: &Object) -> Option<ObjectFound> {
    Some(ObjectFound {
        object: object.reference()?,
        wanted: false,
        live: Some(normal(object)),
        after: AfterApply::Unwanted,
        owner: Owner::Ours,
        class: class_of(object),
        version: Version { uid: object.uid().map(str::to_owned), fields: None },
    })
}

/// What is noted on objects about the last write. Where objects differ, the answer is nobody's hash: something is half done.
pub fn applied_of<'a>(objects: impl Iterator<Item = &'a Object>) -> Option<Applied> {
    let mut notes: Vec<(&str, Option<&str>)> = objects
        .filter_map(|o| Some((o.annotation(annotation::SPEC_HASH)?, o.annotation(annotation::RUN))))
        .collect();
    notes.sort_unstable();
    let (hash, run) = notes.first()?;
    let same = notes.iter().all(|(other, _)| other == hash);
    Some(Applied {
        inputs: Digest::recorded(if same { *hash } else { "several" }),
        run: run.map(|run| RunId(run.to_owned())),
    })
}

fn host_of(session: &Session, id: &ResourceId, objects: &[Object]) -> ResourceId {
    const IN_THE_CLUSTER: [ResourceKind; 3] =
        [ResourceKind::Namespace, ResourceKind::Crds, ResourceKind::Installation];
    let namespace = objects.iter().find_map(|object| object.reference()?.namespace);
    match namespace.filter(|_| !IN_THE_CLUSTER.contains(&id.kind)) {
        Some(name) => ResourceId::target(ResourceKind::Namespace, name),
        None => session.host.clone(),
    }
}

/// Turns what was listed into a discovery, one entry per resource but for releases, which know more about themselves.
pub fn discovery(session: &Session, marked: &Marked) -> Discovery {
    let mut found = BTreeMap::new();
    for (id, objects) in marked.objects.iter().filter(|(id, _)| id.kind != ResourceKind::Release) {
        if objects.len() < 2 || !(id.lasts() && objects.iter().all(Object::lasts)) {
            found.insert(id.clone(), found_of(session, id, objects));
            continue;
        }
        // Each of them holds something of its own, whatever id it shares.
        for object in objects {
            let Some(name) = object.reference() else { continue };
            let one = found_of(session, id, std::slice::from_ref(object));
            found.insert(id.by_place(&name), Found { bears: Some(id.clone()), ..one });
        }
    }
    let (strays, unlisted) = (marked.strays.clone(), marked.unlisted.clone());
    Discovery { found, strays, unlisted, ..Discovery::default() }
}

/// Whether a text of JSON is there and true-ish: used for finalizers and the like.
pub(super) fn texts(object: &Object, pointer: &str) -> Vec<String> {
    let list = object.0.pointer(pointer).and_then(Json::as_array);
    list.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_id_is_the_annotation_or_what_the_labels_say() {
        let of =
            |metadata: Json| id_of(&Object(json!({"metadata": metadata}))).map(|id| id.to_string());
        assert_eq!(
            of(json!({"annotations": {annotation::NODE: "a/objects/b"}})),
            Some("a/objects/b".to_owned())
        );
        assert_eq!(
            of(json!({"labels": {label::NODE: "release.kafka", label::INSTANCE: "k"}})),
            Some("k/release/kafka".to_owned())
        );
        assert_eq!(
            of(json!({"labels": {label::NODE: "namespace.x"}})),
            Some("target/namespace/x".to_owned())
        );
        assert_eq!(of(json!({})), None);
    }

    #[test]
    fn half_written_objects_have_no_hash_in_common() {
        let of = |hash: &str| {
            Object(json!({"metadata": {"annotations": {annotation::SPEC_HASH: hash}}}))
        };
        let (one, two) = (of("a"), of("b"));
        assert_eq!(applied_of([&one, &one].into_iter()).unwrap().inputs.as_str(), "a");
        assert_eq!(applied_of([&one, &two].into_iter()).unwrap().inputs.as_str(), "several");
        assert_eq!(applied_of([].into_iter()), None);
    }
}
