//! Which kinds lie in namespaces, so that objects of a chart which name none get the release's.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::adapter::kube::Kinds;
use crate::model::{Object, is_cluster_wide};

/// Tells whether a kind lies in namespaces: what the cluster serves, what CRDs at hand say, what is known of Kubernetes.
#[derive(Debug, Default)]
pub(super) struct Scopes<'a> {
    kinds: Option<&'a Kinds>,
    /// By group and kind, from CRDs that are not served yet.
    defined: BTreeMap<(String, String), bool>,
}

impl<'a> Scopes<'a> {
    pub(super) fn new<'o>(
        kinds: Option<&'a Kinds>,
        objects: impl IntoIterator<Item = &'o Json>,
    ) -> Self {
        let mut scopes = Self { kinds, defined: BTreeMap::new() };
        for object in objects {
            let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str);
            if text("/kind") == Some("CustomResourceDefinition")
                && let (Some(group), Some(kind)) = (text("/spec/group"), text("/spec/names/kind"))
            {
                let namespaced = text("/spec/scope") != Some("Cluster");
                scopes.defined.insert((group.to_owned(), kind.to_owned()), namespaced);
            }
        }
        scopes
    }

    fn is_namespaced(&self, api_version: &str, kind: &str) -> bool {
        if let Some(served) = self.kinds.and_then(|kinds| kinds.of(api_version, kind)) {
            return served.namespaced;
        }
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        if let Some(namespaced) = self.defined.get(&(group.to_owned(), kind.to_owned())) {
            return *namespaced;
        }
        !is_cluster_wide(kind)
    }

    /// The object with the namespace that Helm would give it, and without one that its kind does not have.
    pub(super) fn placed(&self, mut object: Json, namespace: &str) -> Object {
        let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default();
        let namespaced = self.is_namespaced(text("apiVersion"), text("kind"));
        if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
            let empty = metadata.get("namespace").is_none_or(|n| n.is_null() || n == "");
            match (namespaced, empty) {
                (true, true) => {
                    metadata.insert("namespace".to_owned(), json!(namespace));
                }
                (false, _) => {
                    metadata.remove("namespace");
                }
                (true, false) => {}
            }
        }
        Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_get_the_namespace_their_kind_has() {
        let crd = json!({"kind": "CustomResourceDefinition", "spec": {"group": "k.io", "scope": "Cluster", "names": {"kind": "Pool"}}});
        let scopes = Scopes::new(None, [&crd]);
        let placed = |version: &str, kind: &str, metadata: Json| {
            let object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
            scopes.placed(object, "ns").reference().unwrap().namespace
        };
        let named = json!({"name": "x"});
        assert_eq!(placed("v1", "Service", named.clone()).as_deref(), Some("ns"));
        assert_eq!(
            placed("v1", "Service", json!({"name": "x", "namespace": "o"})).as_deref(),
            Some("o")
        );
        assert_eq!(placed("v1", "Namespace", named.clone()), None);
        assert_eq!(placed("k.io/v1", "Pool", json!({"name": "x", "namespace": "o"})), None);
        assert_eq!(placed("k.io/v1", "Kafka", named).as_deref(), Some("ns"));
    }
}
