//! Volume claims: ours, and those that a StatefulSet or an operator of ours makes. All are data. Claims that others made for
//! us get our marks as soon as something is written, and count as ours before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::discover::{Marked, id_of};
use super::session::Session;
use crate::adapter::kube::{KubeError, Listing};
use crate::model::{Class, Marks, Object, ObjectRef, ResourceId, ResourceKind, annotation, label};

/// How much a claim holds, as the cluster says it, else as it asks for.
pub(super) fn size_of(claim: &Object) -> Option<String> {
    let capacity = claim.0.pointer("/status/capacity/storage");
    let asked = || claim.0.pointer("/spec/resources/requests/storage");
    capacity.or_else(asked)?.as_str().map(str::to_owned)
}

/// The class of a claim that says nothing of it: what holds the data of an instance outlives it.
fn id_for(instance: &str, claim: &ObjectRef) -> Option<ResourceId> {
    let instance = instance.parse().ok()?;
    Some(ResourceId::instance(&instance, ResourceKind::Claim, claim.name.clone()))
}

/// The id under which an object is found. A claim inside a release or a set of objects is data of its own: it outlives them.
pub(super) fn home(id: ResourceId, object: &Object) -> ResourceId {
    let is_claim = object.kind() == "PersistentVolumeClaim" && id.kind != ResourceKind::Claim;
    match (id.instance_name(), object.reference()) {
        (Some(instance), Some(name)) if is_claim => {
            ResourceId::instance(instance, ResourceKind::Claim, name.name)
        }
        _ => id,
    }
}

/// The StatefulSet's claims have names that tell: `<template>-<set>-<number>`.
fn is_made_by_set(claim: &str, set: &str, templates: &[String]) -> bool {
    templates.iter().any(|template| {
        claim
            .strip_prefix(template.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_prefix(set))
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// What of ours an object descends from: it, or what owns it, up to four levels.
pub(super) async fn ancestor(
    session: &Session,
    object: &Object,
    by_uid: &BTreeMap<&str, &Object>,
) -> Result<Option<String>, KubeError> {
    let mut object = object.clone();
    for _ in 0..4 {
        if let Some(instance) = object.label(label::INSTANCE)
            && object.label(label::OWNER).is_some()
        {
            return Ok(Some(session.identity.renames.now(instance).to_owned()));
        }
        let Some(owner) = object.0.pointer("/metadata/ownerReferences/0").cloned() else {
            return Ok(None);
        };
        let text = |key: &str| owner.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        if let Some(ours) = by_uid.get(text("uid").as_str()) {
            let instance = ours.label(label::INSTANCE);
            return Ok(instance.map(|name| session.identity.renames.now(name).to_owned()));
        }
        let name = ObjectRef {
            api_version: text("apiVersion"),
            kind: text("kind"),
            namespace: object.reference().and_then(|name| name.namespace),
            name: text("name"),
        };
        match super::compare::absent_is(session.cluster.get(&name).await, None)? {
            Some(next) => object = next,
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// Claims that bear no mark of anybody: what we make may have made some of them.
pub(super) async fn without_marks(session: &Session) -> Result<Vec<Object>, KubeError> {
    let nobodys = format!("!{}", label::OWNER);
    let listing = Listing::of("v1", "PersistentVolumeClaim").labels(nobodys);
    session.cluster.list(&listing).await
}

/// Those of the claims without marks that things of ours made, under the id they will have, marks included.
pub(super) async fn made(
    session: &Session,
    marked: &Marked,
    claims: Vec<Object>,
) -> Result<Vec<(ResourceId, Object)>, KubeError> {
    let ours: Vec<&Object> = marked.objects.values().flatten().collect();
    let makers =
        ours.iter().filter(|object| !matches!(object.kind(), "Namespace" | "Secret" | "ConfigMap"));
    let namespaces: BTreeSet<String> =
        makers.filter_map(|object| object.reference()?.namespace).collect();
    let by_uid: BTreeMap<&str, &Object> =
        ours.iter().filter_map(|object| Some((object.uid()?, *object))).collect();
    let mut by_namespace: BTreeMap<String, Vec<Object>> = BTreeMap::new();
    for claim in claims {
        let namespace = claim.reference().and_then(|name| name.namespace);
        if let Some(namespace) = namespace.filter(|name| namespaces.contains(name)) {
            by_namespace.entry(namespace).or_default().push(claim);
        }
    }
    let mut found = Vec::new();
    for (namespace, claims) in by_namespace {
        let sets = sets_of_ours(session, &namespace, &by_uid).await?;
        let pods = session.cluster.list(&Listing::of("v1", "Pod").namespace(&namespace)).await?;
        for claim in claims {
            let Some(name) = claim.reference() else { continue };
            let set =
                sets.iter().find(|(set, templates, _)| is_made_by_set(&name.name, set, templates));
            let instance = match set {
                Some((_, _, instance)) => Some(instance.clone()),
                None => match ancestor(session, &claim, &by_uid).await? {
                    Some(instance) => Some(instance),
                    None => maker_of_user(session, &name.name, &pods, &by_uid).await?,
                },
            };
            if let Some(id) = instance.and_then(|instance| id_for(&instance, &name)) {
                let claim = with_marks(session, &id, claim);
                found.push((id, claim));
            }
        }
    }
    Ok(found)
}

type Set = (String, Vec<String>, String);

async fn sets_of_ours(
    session: &Session,
    namespace: &str,
    by_uid: &BTreeMap<&str, &Object>,
) -> Result<Vec<Set>, KubeError> {
    let listing = Listing::of("apps/v1", "StatefulSet").namespace(namespace);
    let sets = session.cluster.list(&listing).await?;
    Ok(sets
        .iter()
        .filter_map(|set| {
            let ours = by_uid.get(set.uid()?)?;
            let templates = set.0.pointer("/spec/volumeClaimTemplates")?.as_array()?;
            let names = templates.iter().filter_map(|t| t.pointer("/metadata/name")?.as_str());
            let instance = session.identity.renames.now(ours.label(label::INSTANCE)?).to_owned();
            Some((set.reference()?.name, names.map(str::to_owned).collect(), instance))
        })
        .collect())
}

/// The instance of what made the pod that uses a claim: only a pod that an operator or controller made tells, since a pod
/// that uses somebody's claim does not make it ours. So the claim must be called after the pod or its owner.
async fn maker_of_user(
    session: &Session,
    claim: &str,
    pods: &[Object],
    by_uid: &BTreeMap<&str, &Object>,
) -> Result<Option<String>, KubeError> {
    for pod in pods {
        let Some(name) = pod.reference().map(|name| name.name) else { continue };
        let volumes = pod.0.pointer("/spec/volumes").and_then(Json::as_array);
        let uses = volumes.into_iter().flatten().any(|volume| {
            volume.pointer("/persistentVolumeClaim/claimName").and_then(Json::as_str) == Some(claim)
        });
        if uses && claim.contains(&name) {
            return ancestor(session, pod, by_uid).await;
        }
    }
    Ok(None)
}

fn with_marks(session: &Session, id: &ResourceId, mut claim: Object) -> Object {
    super::compare::merge(&mut claim.0, &json!({"metadata": marks(session, id)}));
    claim
}

fn marks(session: &Session, id: &ResourceId) -> Json {
    let marks = Marks::new(&session.identity, id, Class::Data, []);
    json!({"labels": marks.labels, "annotations": marks.annotations})
}

/// Writes our marks on claims that things of ours made.
pub(super) async fn mark_made(
    session: &Session,
    marked: &Marked,
    claims: Vec<Object>,
    manager: &str,
) -> Result<(), KubeError> {
    for (id, claim) in made(session, marked, claims).await? {
        let Some(name) = claim.reference() else { continue };
        let mut metadata = marks(session, &id);
        // Nobody else's claim of the same name gets our marks.
        super::compare::merge(&mut metadata, &json!({"uid": claim.uid()}));
        session.cluster.merge(&name, &json!({"metadata": metadata}), manager).await?;
    }
    Ok(())
}

/// Whether an object is a claim that bears its own id.
pub(super) fn is_made(object: &Object) -> bool {
    object.kind() == "PersistentVolumeClaim"
        && object.annotation(annotation::NODE).is_some()
        && id_of(object).is_some_and(|id| id.kind == ResourceKind::Claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_of_a_set_are_told_by_their_names() {
        let templates = ["data".to_owned(), "log".to_owned()];
        for (claim, made) in [
            ("data-db-0", true),
            ("log-db-12", true),
            ("data-db-", false),
            ("data-db-x", false),
            ("data-other-0", false),
            ("more-data-db-0", false),
        ] {
            assert_eq!(is_made_by_set(claim, "db", &templates), made, "{claim}");
        }
    }

    #[test]
    fn a_claim_in_a_release_is_data_of_its_own() {
        let object = |kind: &str| {
            Object(
                json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "data-db-0", "namespace": "n"}}),
            )
        };
        let release: ResourceId = "db/release/db".parse().unwrap();
        let claim = home(release.clone(), &object("PersistentVolumeClaim"));
        assert_eq!(claim.to_string(), "db/claim/data-db-0");
        assert_eq!(home(release.clone(), &object("Service")), release);
    }

    #[test]
    fn a_bound_claim_is_as_big_as_its_volume() {
        let claim = |status: Json| {
            Object(
                json!({"spec": {"resources": {"requests": {"storage": "5Gi"}}}, "status": status}),
            )
        };
        assert_eq!(size_of(&claim(json!({}))), Some("5Gi".to_owned()));
        assert_eq!(
            size_of(&claim(json!({"capacity": {"storage": "8Gi"}}))),
            Some("8Gi".to_owned())
        );
    }
}
