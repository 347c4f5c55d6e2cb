//! Changing what is written on live objects and nothing else: taking over, letting go, protecting. Each object is looked at
//! directly before, and written only if it is still the one that was seen.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::compare::{HelmOwnership, merge, read_live, with_ownership};
use super::failure::{foreign, provider_error};
use super::owner::owner_of;
use super::session::Session;
use super::{installation, manager, snapshot};
use crate::adapter::kube::{KubeError, Listing};
use crate::model::{
    Failure, FailureKind, KubernetesSpec, Marks, Object, ObjectRef, Owner, Protection, ResourceId,
    ResourceKind, annotation, label, label_value,
};
use crate::plan::{Action, Marking, Step};
use crate::provider::ProviderError;

/// What all our labels and annotations begin with.
const OURS: &str = "datamill.dev/";

/// Changes the marks of what a step found; only steps that take over or mark come here.
pub(super) async fn carry_out(session: &Session, step: &Step) -> Result<(), ProviderError> {
    if let Action::Mark { how } = &step.action {
        match how {
            Marking::Orphan => orphan(session, step).await,
            Marking::Protect { said } => protect(session, step, said).await,
            // It stands on the volume, and was written there.
            Marking::Volume => Ok(()),
        }
    } else {
        adopt(session, step).await
    }
}

/// The live objects of a step, each the one that was seen; what went meanwhile has no entry.
async fn live(session: &Session, step: &Step) -> Result<Vec<(ObjectRef, Object)>, ProviderError> {
    let found = step.found.iter().flat_map(|found| &found.objects);
    let uids: BTreeMap<ObjectRef, Option<String>> = found
        .filter(|object| object.live.is_some())
        .map(|object| (object.object.clone(), object.version.uid.clone()))
        .collect();
    let live = read_live(&session.cluster, uids.keys().cloned())
        .await
        .map_err(|error| failed(session, step, &error))?;
    let same = |name: &ObjectRef, object: &Object| {
        let uid = uids.get(name).and_then(Option::as_deref);
        uid.is_none() || uid == object.uid()
    };
    Ok(live.into_iter().filter(|(name, object)| same(name, object)).collect())
}

fn failed(session: &Session, step: &Step, error: &KubeError) -> ProviderError {
    provider_error(format!("cannot change the marks of `{}`", step.id), error, &session.redactor)
}

/// Refuses what does not count as ours, in this run.
fn may_mark(
    session: &Session,
    id: Option<&ResourceId>,
    name: &ObjectRef,
    object: &Object,
) -> Result<(), ProviderError> {
    match owner_of(object, &session.identity, id) {
        Owner::Ours => Ok(()),
        Owner::Other(whose) => Err(foreign(name, &whose)),
        Owner::Unmarked { manager, .. } => {
            Err(foreign(name, manager.as_deref().unwrap_or("somebody who left no mark")))
        }
    }
}

async fn write(
    session: &Session,
    step: &Step,
    (name, object): (&ObjectRef, &Object),
    metadata: Json,
) -> Result<(), ProviderError> {
    let mut metadata = metadata;
    // Nobody else's object of the same name gets our marks, or loses its own.
    merge(&mut metadata, &json!({"uid": object.uid()}));
    let manager = manager(&session.identity, &step.id);
    let patch = json!({"metadata": metadata});
    match session.cluster.merge(name, &patch, &manager).await {
        Ok(_) => Ok(()),
        Err(error) if error.means_absent() => Ok(()),
        Err(error) => Err(failed(session, step, &error)),
    }
}

/// The stored revisions of a step's release.
async fn stored(session: &Session, step: &Step) -> Result<Vec<(ObjectRef, Object)>, ProviderError> {
    let found = step.found.as_deref();
    let told = |key: &str| {
        let outputs = found.map(|found| &found.outputs)?;
        outputs.get(key)?.as_str().map(str::to_owned)
    };
    let wanted = step.wanted.as_ref().and_then(|wanted| match wanted.kubernetes() {
        Some(KubernetesSpec::Release(spec)) => Some((spec.release.clone(), spec.namespace.clone())),
        _ => None,
    });
    let is_release = step.id.kind == ResourceKind::Release;
    let place = told("release").zip(told("namespace")).or(wanted).filter(|_| is_release);
    let Some((release, namespace)) = place else { return Ok(Vec::new()) };
    let selector = format!("owner=helm,name={release}");
    let listing = Listing::of("v1", "Secret").namespace(namespace).labels(selector);
    let all = session.cluster.list(&listing.metadata_only()).await;
    let all = all.map_err(|error| failed(session, step, &error))?;
    Ok(all.into_iter().filter_map(|object| Some((object.reference()?, object))).collect())
}

/// Writes our marks; on what only changes its flavour, that alone. The storage of a release comes last: with it the release is
/// ours.
async fn adopt(session: &Session, step: &Step) -> Result<(), ProviderError> {
    let id = Some(&step.id);
    let ownership = step.wanted.as_ref().and_then(|wanted| match wanted.kubernetes() {
        Some(KubernetesSpec::Release(spec)) => {
            Some(HelmOwnership { release: &spec.release, namespace: &spec.namespace })
        }
        _ => None,
    });
    for (name, object) in live(session, step).await? {
        may_mark(session, id, &name, &object)?;
        let mut metadata = marks(session, step, &object);
        if let Some(helm) = ownership.filter(|_| !is_claim(&name)) {
            let empty = with_ownership(&Object(json!({"metadata": {}})), Some(helm));
            merge(&mut metadata, empty.0.get("metadata").unwrap_or(&Json::Null));
        }
        write(session, step, (&name, &object), metadata).await?;
    }
    for (name, object) in stored(session, step).await? {
        may_mark(session, id, &name, &object)?;
        let marks = marks(session, step, &object);
        let labels = marks.get("labels").cloned().unwrap_or_default();
        write(session, step, (&name, &object), json!({"labels": labels})).await?;
    }
    Ok(())
}

fn is_claim(name: &ObjectRef) -> bool {
    name.kind == "PersistentVolumeClaim"
}

/// The marks that an object lacks to be ours.
fn marks(session: &Session, step: &Step, object: &Object) -> Json {
    let who = &session.identity;
    if object.label(label::OWNER) == Some(label_value(&who.owner.0).as_str()) {
        return json!({"labels": {label::FLAVOUR: label_value(&who.flavour)}});
    }
    let mut marks = if let Some(wanted) = step.wanted.as_deref() {
        Marks::of(who, wanted)
    } else {
        let class = step.found.as_ref().map_or(crate::model::Class::Data, |found| found.class);
        Marks::new(who, &step.id, class, [])
    };
    if object.kind() == "PersistentVolumeClaim" {
        let data = crate::model::Class::Data.word();
        marks.labels.insert(label::CLASS.to_owned(), data.to_owned());
    }
    json!({"labels": marks.labels, "annotations": marks.annotations})
}

/// Takes our marks off, and nothing else. The storage of a release comes last: as long as it bears them, the next run finds
/// what is left to do.
async fn orphan(session: &Session, step: &Step) -> Result<(), ProviderError> {
    let of_objects = live(session, step).await?;
    let of_storage = stored(session, step).await?;
    for (name, object) in of_objects.iter().chain(&of_storage) {
        let without = without_marks(object);
        if without.as_object().is_some_and(Map::is_empty) {
            continue;
        }
        if object.label(label::OWNER).is_some() {
            may_mark(session, None, name, object)?;
        }
        write(session, step, (name, object), without).await?;
    }
    snapshot::forget(session, &step.id).await;
    Ok(())
}

/// A patch that takes every mark of ours off.
fn without_marks(object: &Object) -> Json {
    let nulls = |pointer: &str| {
        let map = object.0.pointer(pointer).and_then(Json::as_object);
        let keys = map.into_iter().flat_map(Map::keys).filter(|key| key.starts_with(OURS));
        keys.map(|key| (key.clone(), Json::Null)).collect::<Map<_, _>>()
    };
    let (labels, annotations) = (nulls("/metadata/labels"), nulls("/metadata/annotations"));
    let mut patch = Map::new();
    if !labels.is_empty() {
        patch.insert("labels".to_owned(), labels.into());
    }
    if !annotations.is_empty() {
        patch.insert("annotations".to_owned(), annotations.into());
    }
    Json::Object(patch)
}

/// Writes what a person says about whether it may go.
async fn protect(session: &Session, step: &Step, said: &Protection) -> Result<(), ProviderError> {
    if step.id.kind == ResourceKind::Installation {
        return installation::protect(session, said, &manager(&session.identity, &step.id)).await;
    }
    let all = live(session, step).await?;
    if all.is_empty() {
        let what = format!("`{}` has no object to write on", step.id);
        return Err(ProviderError::permanent(Failure::new(FailureKind::Stale, what)));
    }
    for (name, object) in all {
        may_mark(session, None, &name, &object)?;
        let metadata = json!({"annotations": {annotation::PROTECT: said.written()}});
        write(session, step, (&name, &object), metadata).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_marks_come_off() {
        let object = Object(json!({"kind": "ConfigMap", "metadata": {
            "labels": {"app": "x", label::OWNER: "me", label::CLASS: "data"},
            "annotations": {annotation::NODE: "a/objects/x", "helm.sh/resource-policy": "keep"},
        }}));
        assert_eq!(
            without_marks(&object),
            json!({
                "labels": {label::OWNER: null, label::CLASS: null},
                "annotations": {annotation::NODE: null},
            })
        );
        assert_eq!(without_marks(&Object(json!({"metadata": {"labels": {"a": "b"}}}))), json!({}));
    }
}
