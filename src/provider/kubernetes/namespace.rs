//! Namespaces: used when somebody else made them, deleted only when ours and nothing that is not ours or kept lies inside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;

use super::discover::texts;
use super::failure::provider_error;
use super::owner::{class_of, owner_of};
use super::session::Session;
use super::several::several;
use crate::adapter::kube::{KubeError, Listing, ServedKind};
use crate::model::{Class, Failure, FailureKind, Object, ObjectRef, Owner, POLICY};
use crate::provider::ProviderError;

/// Lists at a time.
const AT_A_TIME: usize = 24;
/// How long a namespace that is on its way out is waited for before something new is made under its name.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(300);

/// The reference of a namespace.
pub(super) fn reference(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// What a namespace that is being deleted waits for, in words; nothing when it is not being deleted.
pub(super) fn terminating(namespace: &Object) -> Option<String> {
    namespace.0.pointer("/metadata/deletionTimestamp")?;
    let conditions = namespace.0.pointer("/status/conditions").and_then(Json::as_array);
    let waits: Vec<&str> = conditions
        .into_iter()
        .flatten()
        .filter(|one| one.get("status").and_then(Json::as_str) == Some("True"))
        .filter_map(|one| one.get("message")?.as_str())
        .collect();
    let finalizers = texts(namespace, "/metadata/finalizers");
    Some(if !waits.is_empty() {
        waits.join("; ")
    } else if !finalizers.is_empty() {
        format!("it is kept by {}", finalizers.join(", "))
    } else {
        "its content is being deleted".to_owned()
    })
}

/// What is in a namespace, sorted by whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// What is not ours.
    pub foreign: Vec<ObjectRef>,
    /// What is ours and stays.
    pub kept: Vec<ObjectRef>,
    /// What is ours and goes, or goes by itself.
    pub rest: usize,
}

/// Lists what is in a namespace.
pub(super) async fn content(session: &Session, name: &str) -> Result<Content, KubeError> {
    let objects = inside(session, Some(name)).await?;
    Ok(sort(&objects, |object| owner_of(object, &session.identity, None)))
}

/// The namespaces that hold something that is not ours, without those of Kubernetes itself.
pub(super) async fn foreign(session: &Session) -> Result<Vec<ObjectRef>, KubeError> {
    let objects = inside(session, None).await?;
    let content = sort(&objects, |object| owner_of(object, &session.identity, None));
    let names: BTreeSet<String> =
        content.foreign.into_iter().filter_map(|object| object.namespace).collect();
    let own = |name: &String| name.starts_with("kube-") || name == LOCAL_STORAGE;
    Ok(names.into_iter().filter(|name| !own(name)).map(|name| reference(&name)).collect())
}

/// The namespace of the storage that kind puts into its clusters.
const LOCAL_STORAGE: &str = "local-path-storage";

/// Lists what is in a namespace, or in all of them.
async fn inside(session: &Session, name: Option<&str>) -> Result<Vec<Object>, KubeError> {
    let kinds = session.cluster.kinds().await?;
    let listable = kinds
        .preferred()
        .iter()
        .filter(|kind| kind.namespaced && kind.can("list") && kind.can("delete"));
    let list = |kind: &ServedKind| {
        let listing = Listing {
            namespace: name.map(str::to_owned),
            ..Listing::of(&kind.api_version, &kind.kind).metadata_only()
        };
        async move { session.cluster.list(&listing).await }
    };
    let lists = several(listable.map(list).collect(), AT_A_TIME).await;
    let mut objects = Vec::new();
    for list in lists {
        match list {
            Ok(list) => objects.extend(list),
            Err(error) if error.means_absent() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(objects)
}

/// Kinds that come and go by themselves.
const PASSING: [&str; 5] = ["Event", "EndpointSlice", "Endpoints", "Lease", "PodMetrics"];

fn is_furniture(object: &Object, name: &str) -> bool {
    PASSING.contains(&object.kind())
        || matches!(
            (object.kind(), name),
            ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default")
        )
        || (object.kind(), name) == ("Service", "kubernetes")
            && object.label("provider") == Some("kubernetes")
}

fn sort(objects: &[Object], owner: impl Fn(&Object) -> Owner) -> Content {
    let by_uid: BTreeMap<&str, &Object> =
        objects.iter().filter_map(|object| Some((object.uid()?, object))).collect();
    let mut content = Content::default();
    for object in objects {
        let Some(name) = object.reference() else { continue };
        let root = root_of(object, &by_uid);
        let going = object.0.pointer("/metadata/deletionTimestamp").is_some();
        // The owner of what is left behind is gone: the garbage collector takes it.
        let orphan = root.is_none();
        let ours = root.is_some_and(|root| match owner(root) {
            Owner::Ours => true,
            Owner::Other(_) => {
                root.label(crate::model::label::OWNER) == object.label(crate::model::label::OWNER)
                    && owner(object) == Owner::Ours
            }
            Owner::Unmarked { .. } => false,
        });
        let made = super::claim::is_made(object);
        if is_furniture(object, &name.name) || going || orphan {
            content.rest += 1;
        } else if ours || made {
            let stays =
                class_of(object) == Class::Data || object.annotation(POLICY) == Some("keep");
            if stays { content.kept.push(name) } else { content.rest += 1 }
        } else {
            content.foreign.push(name);
        }
    }
    content.foreign.sort();
    content.kept.sort();
    content
}

/// What an object descends from, itself included; nothing when its owner is gone.
fn root_of<'a>(object: &'a Object, by_uid: &BTreeMap<&str, &'a Object>) -> Option<&'a Object> {
    let mut object = object;
    let mut seen = BTreeSet::new();
    while let Some(owner) = object.0.pointer("/metadata/ownerReferences/0") {
        let uid = owner.get("uid").and_then(Json::as_str).unwrap_or_default();
        let kind = owner.get("kind").and_then(Json::as_str).unwrap_or_default();
        if !seen.insert(uid) || kind == "Node" {
            return Some(object);
        }
        object = by_uid.get(uid)?;
    }
    Some(object)
}

/// Waits until a namespace that is on its way out is gone; says what it waits for when that takes too long.
pub(super) async fn until_free(
    session: &Session,
    name: &str,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let failed = |error: KubeError| {
        provider_error(format!("cannot look at namespace {name}"), &error, &session.redactor)
    };
    let started = tokio::time::Instant::now();
    loop {
        let live = session.cluster.get(&reference(name)).await.map_err(failed)?;
        let Some(waits) = live.as_ref().and_then(terminating) else { return Ok(()) };
        if started.elapsed() > PATIENCE {
            return Err(ProviderError::permanent(being_deleted(name, &waits)));
        }
        progress(format!("waits for the old namespace {name} to go: {waits}"));
        tokio::time::sleep(POLL).await;
    }
}

/// The failure for a namespace that is on its way out.
pub(super) fn being_deleted(name: &str, waits: &str) -> Failure {
    Failure::new(FailureKind::Preflight, format!("namespace {name} is being deleted"))
        .because(waits.to_owned())
        .hint(format!("see what is left in it:\n\n    kubectl get namespace {name} -o yaml"))
}

/// Refuses when a namespace holds what is not ours or is kept.
pub(super) async fn refuse_unless_free(session: &Session, name: &str) -> Result<(), ProviderError> {
    let content = content(session, name).await.map_err(|error| {
        provider_error(format!("cannot look into namespace {name}"), &error, &session.redactor)
    })?;
    let listed = |objects: &[ObjectRef]| {
        let names: Vec<String> = objects.iter().take(10).map(ToString::to_string).collect();
        names.join(", ")
    };
    if !content.foreign.is_empty() {
        return Err(ProviderError::permanent(
            Failure::new(FailureKind::Foreign, format!("namespace {name} holds what is not ours"))
                .because(listed(&content.foreign))
                .hint("move or delete it, then run this again; the namespace stays until then"),
        ));
    }
    if !content.kept.is_empty() {
        return Err(ProviderError::permanent(
            Failure::new(FailureKind::Protected, format!("namespace {name} holds what is kept"))
                .because(listed(&content.kept)),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::label;
    use serde_json::json;

    fn object(kind: &str, name: &str, extra: &Json) -> Object {
        let mut json = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n", "uid": name}});
        super::super::compare::merge(&mut json, &json!({"metadata": extra}));
        Object(json)
    }

    #[test]
    fn only_what_descends_from_ours_is_ours() {
        let ours = json!({"labels": {label::OWNER: "me"}});
        let child_of =
            |by: &str| json!({"ownerReferences": [{"kind": "X", "name": by, "uid": by}]});
        let objects = [
            object("Deployment", "ours", &ours),
            object("ReplicaSet", "rs", &child_of("ours")),
            object("Pod", "pod", &child_of("rs")),
            object("Pod", "left", &child_of("gone")),
            object("Deployment", "theirs", &json!({})),
            object("ReplicaSet", "their-rs", &child_of("theirs")),
            object("ConfigMap", "kube-root-ca.crt", &json!({})),
            object("ServiceAccount", "default", &json!({})),
            object("Event", "e", &json!({})),
            object(
                "Secret",
                "kept",
                &json!({"labels": {label::OWNER: "me"}, "annotations": {POLICY: "keep"}}),
            ),
            object(
                "PersistentVolumeClaim",
                "pvc",
                &json!({"labels": {label::OWNER: "me", label::CLASS: "data"}}),
            ),
        ];
        let owner = |object: &Object| match object.label(label::OWNER) {
            Some("me") => Owner::Ours,
            _ => Owner::Unmarked { manager: None, suitable: false },
        };
        let content = sort(&objects, owner);
        let names = |list: &[ObjectRef]| list.iter().map(|o| o.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&content.foreign), ["theirs", "their-rs"]);
        assert_eq!(names(&content.kept), ["pvc", "kept"]);
    }

    #[test]
    fn a_namespace_on_its_way_out_says_what_it_waits_for() {
        assert_eq!(terminating(&object("Namespace", "a", &json!({}))), None);
        let going = Object(
            json!({"metadata": {"deletionTimestamp": "x"}, "status": {"conditions": [
            {"type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: pods. has 1"},
            {"type": "Other", "status": "False", "message": "fine"}]}}),
        );
        assert_eq!(terminating(&going).unwrap(), "Some resources are remaining: pods. has 1");
    }
}
