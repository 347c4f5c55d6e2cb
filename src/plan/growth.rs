//! Volumes that cannot hold as much as is asked for: what the server's refusal means for a person.

use serde_json::Value as Json;

use crate::model::{Found, Object, ObjectRef, Resource};

/// The server's refusal to change the size of a claim, in words; nothing when it refuses something else.
pub(super) fn refusal(
    wanted: &Resource,
    found: &Found,
    object: &ObjectRef,
    says: &str,
) -> Option<String> {
    if object.kind != "PersistentVolumeClaim" {
        return None;
    }
    let live = found.objects.iter().find(|seen| seen.object == *object)?.live.as_ref()?;
    let drawn = wanted.rendered.iter().flat_map(|rendered| &rendered.objects);
    let drawn = drawn.into_iter().find(|drawn| drawn.reference().as_ref() == Some(object))?;
    let (from, to) = (asked(live)?, asked(drawn)?);
    if says.contains("can not be less than") {
        return Some(format!(
            "{object} holds {from} and cannot shrink to {to}: a volume never does; ask for {from}, or copy \
             the data into a smaller one under another name"
        ));
    }
    if says.contains("must support resize") || says.contains("can be resized") {
        let class = live.0.pointer("/spec/storageClassName").and_then(Json::as_str);
        let class = class.filter(|class| !class.is_empty());
        let because = class.map_or("it has no storage class".to_owned(), |class| {
            format!("its storage class `{class}` does not let volumes grow (allowVolumeExpansion)")
        });
        return Some(format!("{object} cannot grow from {from} to {to}: {because}"));
    }
    None
}

fn asked(claim: &Object) -> Option<&str> {
    claim.0.pointer("/spec/resources/requests/storage")?.as_str()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::model::{
        AfterApply, Class, Digest, KubernetesSpec, ObjectFound, Owner, Rendered, ResourceId,
        ResourceKind, Spec, Version,
    };

    fn claim(size: &str) -> Object {
        Object(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "n"},
            "spec": {"storageClassName": "slow", "resources": {"requests": {"storage": size}}},
        }))
    }

    #[test]
    fn a_size_that_cannot_be_had_is_said_with_both_sizes() {
        let id = ResourceId::target(ResourceKind::Claim, "c");
        let mut wanted = Resource::new(id, Spec::kubernetes(KubernetesSpec::Installation));
        wanted.rendered = Some(Rendered {
            objects: vec![claim("1Gi")],
            hooks: Vec::new(),
            ignored: Vec::new(),
            inputs: Digest::of(""),
            unknown: BTreeSet::new(),
            unstable: BTreeSet::new(),
            chart: None,
            findings: Vec::new(),
            warnings: Vec::new(),
        });
        let object = claim("4Gi").reference().unwrap();
        let found = Found {
            objects: vec![ObjectFound {
                object: object.clone(),
                wanted: true,
                live: Some(claim("4Gi")),
                after: AfterApply::Unwanted,
                owner: Owner::Ours,
                class: Class::Data,
                version: Version::default(),
            }],
            ..Found::ours()
        };
        let says = |says: &str| refusal(&wanted, &found, &object, says);
        let shrink = says("Forbidden: field can not be less than status.capacity").unwrap();
        assert!(shrink.contains("holds 4Gi and cannot shrink to 1Gi"), "{shrink}");
        let grow = says("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize").unwrap();
        assert!(grow.contains("`slow`"), "{grow}");
        assert_eq!(says("exceeded quota"), None);
    }
}
