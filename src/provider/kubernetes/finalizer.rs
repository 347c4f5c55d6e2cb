//! Finalizers of what is being deleted: named with what keeps them, and stripped only from the object that a person named.

use serde_json::json;

use super::discover::texts;
use super::owner::manager_of;
use super::session::Session;
use crate::adapter::kube::KubeError;
use crate::model::{Object, ObjectRef, label};

/// The manager under which finalizers are stripped.
const MANAGER: &str = "datamill-strip";

/// What keeps an object that is being deleted, in words; nothing when no finalizer does.
pub(super) fn keeps(object: &Object) -> Option<String> {
    let finalizers = texts(object, "/metadata/finalizers");
    if finalizers.is_empty() {
        return None;
    }
    let whose = object
        .label(label::INSTANCE)
        .map(|instance| format!("instance `{instance}`"))
        .or_else(|| manager_of(object));
    let whose = whose.map(|whose| format!("; the object is of {whose}")).unwrap_or_default();
    Some(format!("its finalizers {}{whose}", finalizers.join(", ")))
}

/// How a person names an object on the command line: `Kind/namespace/name`, or `Kind/name`.
pub(super) fn name_of(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{}/{namespace}/{}", object.kind, object.name),
        None => format!("{}/{}", object.kind, object.name),
    }
}

/// What to do about an object that does not go.
pub(super) fn remedy(object: &ObjectRef) -> String {
    format!(
        "if what handles its finalizers is gone for good, let it go without, by adding:\n    --strip-finalizers {}",
        name_of(object)
    )
}

/// Whether a word of the command line means an object.
fn means(word: &str, object: &ObjectRef) -> bool {
    word.eq_ignore_ascii_case(&name_of(object))
}

/// Strips the finalizers of an object that is being deleted, if a person asked for that; whether it did.
pub(super) async fn strip_if_asked(session: &Session, object: &Object) -> Result<bool, KubeError> {
    let Some(name) = object.reference() else { return Ok(false) };
    let leaves = object.0.pointer("/metadata/deletionTimestamp").is_some();
    let kept = !texts(object, "/metadata/finalizers").is_empty();
    if !leaves || !kept || !session.strip.iter().any(|word| means(word, &name)) {
        return Ok(false);
    }
    // Nobody else's object of the same name loses its finalizers.
    let patch = json!({"metadata": {"uid": object.uid(), "finalizers": null}});
    match session.cluster.merge(&name, &patch, MANAGER).await {
        Ok(_) => Ok(true),
        Err(error) if error.means_absent() => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_an_object_is_named_with_whose_it_is() {
        let object = Object(json!({"kind": "Kafka", "metadata": {
            "name": "k", "finalizers": ["strimzi.io/x"], "labels": {label::INSTANCE: "kafka"},
        }}));
        assert_eq!(
            keeps(&object).unwrap(),
            "its finalizers strimzi.io/x; the object is of instance `kafka`"
        );
        assert_eq!(keeps(&Object(json!({"kind": "Pod", "metadata": {"name": "p"}}))), None);
    }

    #[test]
    fn a_word_means_one_object_and_no_other() {
        let object = |kind: &str, namespace: Option<&str>| ObjectRef {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: "x".to_owned(),
        };
        assert!(means("pod/n/x", &object("Pod", Some("n"))));
        assert!(means("Namespace/x", &object("Namespace", None)));
        for word in ["Pod/x", "Pod/m/x", "Job/n/x", "x", "", "Pod/n/y"] {
            assert!(!means(word, &object("Pod", Some("n"))), "{word}");
        }
    }
}
