//! What an instance keeps under its old name when the flavour renames it: what cannot be renamed must not be made twice.

use super::Block;
use crate::model::{Found, KubernetesSpec, Name, Resource};

/// Why a renamed resource cannot follow its instance: it would be made anew under another name, and the old one left behind.
pub(super) fn left_behind(wanted: &Resource, found: Option<&Found>) -> Option<Block> {
    let found = found?;
    let old = found.moved_from.as_ref()?;
    let why = match wanted.kubernetes()? {
        KubernetesSpec::Release(spec) => {
            let told = |key: &str| found.outputs.get(key).and_then(serde_json::Value::as_str);
            let (release, namespace) = (told("release")?, told("namespace")?);
            if release == spec.release && namespace == spec.namespace {
                return None;
            }
            format!(
                "it was `{old}`, whose Helm release is `{release}` in namespace `{namespace}`, and Helm renames none: \
                 write `release: {release}` and `namespace: {namespace}` in the section of the instance"
            )
        }
        KubernetesSpec::Claim(spec) => {
            let (kind, name, other) =
                elsewhere(found, "PersistentVolumeClaim", &spec.namespace, &spec.name)?;
            not_renamed(old, kind, &name, &other)
        }
        KubernetesSpec::Secret(spec) => {
            let (kind, name, other) = elsewhere(found, "Secret", &spec.namespace, &spec.name)?;
            not_renamed(old, kind, &name, &other)
        }
        KubernetesSpec::Installation
        | KubernetesSpec::Namespace(_)
        | KubernetesSpec::Crds(_)
        | KubernetesSpec::Objects(_)
        | KubernetesSpec::Job(_)
        | KubernetesSpec::Removal(_)
        | KubernetesSpec::Wait(_) => return None,
    };
    Some(Block::Preflight { why })
}

/// The object that holds what the resource holds, when it has another name or lies elsewhere.
fn elsewhere(
    found: &Found,
    kind: &'static str,
    namespace: &str,
    name: &str,
) -> Option<(&'static str, String, String)> {
    let live = found.objects.iter().filter(|o| o.live.is_some() && o.object.kind == kind);
    let mut others = live.map(|object| {
        let at = object.object.namespace.as_deref().unwrap_or_default();
        (at.to_owned(), object.object.name.clone())
    });
    let (at, other) =
        others.find(|(at, other)| (at.as_str(), other.as_str()) != (namespace, name))?;
    Some((kind, format!("{at}/{other}"), format!("{namespace}/{name}")))
}

fn not_renamed(old: &Name, kind: &str, name: &str, other: &str) -> String {
    format!(
        "it was `{old}`, whose {kind} {name} cannot be renamed to {other}: keep `release` and `namespace` as they were"
    )
}

/// What a plan says of a resource that gets the marks of its instance's new name.
pub(super) fn note(found: &Found) -> Option<String> {
    let old = found.moved_from.as_ref()?;
    Some(format!("renamed from `{old}`"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{
        AfterApply, ClaimSpec, Class, Object, ObjectFound, Outputs, Owner, ResourceId, Spec,
        Version,
    };

    fn claim(name: &str) -> Resource {
        let spec = ClaimSpec {
            namespace: "n".to_owned(),
            name: name.to_owned(),
            size: "1Gi".to_owned(),
            storage_class: None,
            access_modes: Vec::new(),
            labels: BTreeMap::new(),
        };
        let id: ResourceId = "queue/claim/data".parse().unwrap();
        Resource::new(id, Spec::kubernetes(KubernetesSpec::Claim(spec)))
    }

    fn found(moved: bool, name: &str) -> Found {
        let object =
            Object(serde_json::json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "n"}}));
        Found {
            objects: vec![ObjectFound {
                object: object.reference().unwrap(),
                wanted: false,
                live: Some(object),
                after: AfterApply::Unwanted,
                owner: Owner::Ours,
                class: Class::Data,
                version: Version::default(),
            }],
            outputs: Outputs::new(),
            moved_from: moved.then(|| "kafka".parse().unwrap()),
            ..Found::ours()
        }
    }

    #[test]
    fn a_claim_that_would_get_another_name_stops_the_rename() {
        let block = left_behind(&claim("queue-data"), Some(&found(true, "kafka-data"))).unwrap();
        let says = block.says();
        assert!(says.contains("n/kafka-data cannot be renamed to n/queue-data"), "{says}");
        assert_eq!(left_behind(&claim("kafka-data"), Some(&found(true, "kafka-data"))), None);
        assert_eq!(left_behind(&claim("queue-data"), Some(&found(false, "kafka-data"))), None);
        assert_eq!(left_behind(&claim("queue-data"), None), None);
    }
}
