//! What kinds a cluster serves: by which path, whether namespaced, with which verbs.

use std::collections::{BTreeMap, BTreeSet};

use kube::client::APIGroupDiscoveryList;

/// One served kind in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedKind {
    /// `apps/v1`, `v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// `deployments`.
    pub plural: String,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
    /// `get`, `list`, `patch` and so on.
    pub verbs: BTreeSet<String>,
}

impl ServedKind {
    /// The API group; empty for the core.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Whether a verb is served.
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.contains(verb)
    }

    /// The path of the collection, within a namespace when one is given.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.api_version.contains('/') { "/apis" } else { "/api" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => {
                format!("{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural)
            }
            None => format!("{root}/{}/{}", self.api_version, self.plural),
        }
    }
}

/// All kinds a cluster serves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    /// By API version and kind.
    served: BTreeMap<(String, String), ServedKind>,
    /// One version of each kind: the preferred one.
    preferred: Vec<ServedKind>,
    /// Groups that did not answer.
    pub stale: Vec<String>,
}

impl Kinds {
    pub(super) fn read(lists: &[APIGroupDiscoveryList]) -> Self {
        let mut kinds = Self::default();
        for group in lists.iter().flat_map(|list| &list.items) {
            let name = group.metadata.as_ref().and_then(|m| m.name.clone()).unwrap_or_default();
            let mut seen = BTreeSet::new();
            for version in &group.versions {
                let number = version.version.clone().unwrap_or_default();
                let api_version = if name.is_empty() { number } else { format!("{name}/{number}") };
                if version.freshness.as_deref() == Some("Stale") {
                    kinds.stale.push(api_version.clone());
                }
                for resource in &version.resources {
                    let Some(kind) = resource.response_kind.as_ref().and_then(|k| k.kind.clone())
                    else {
                        continue;
                    };
                    let served = ServedKind {
                        api_version: api_version.clone(),
                        kind: kind.clone(),
                        plural: resource.resource.clone().unwrap_or_default(),
                        namespaced: resource.scope.as_deref() == Some("Namespaced"),
                        verbs: resource.verbs.iter().cloned().collect(),
                    };
                    if seen.insert(kind.clone()) {
                        kinds.preferred.push(served.clone());
                    }
                    kinds.served.entry((api_version.clone(), kind)).or_insert(served);
                }
            }
        }
        kinds
    }

    /// The served kind, if it is one.
    pub fn of(&self, api_version: &str, kind: &str) -> Option<&ServedKind> {
        self.served.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// Every kind in every version.
    pub fn all(&self) -> impl Iterator<Item = &ServedKind> {
        self.served.values()
    }

    /// Every kind once, in its preferred version.
    pub fn preferred(&self) -> &[ServedKind] {
        &self.preferred
    }

    /// `group/version` and `group/version/Kind` of all that is served, as charts ask for them.
    pub fn apis(&self) -> BTreeSet<String> {
        self.served
            .keys()
            .flat_map(|(version, kind)| [version.clone(), format!("{version}/{kind}")])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kind_knows_its_path_and_each_kind_is_preferred_once() {
        let list = |json| serde_json::from_value::<APIGroupDiscoveryList>(json).unwrap();
        let resource = |kind: &str, plural: &str, scope: &str| json!({"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["get", "list"]});
        let kinds = Kinds::read(&[
            list(json!({"items": [{"metadata": {}, "versions": [{"version": "v1", "resources": [
                resource("Secret", "secrets", "Namespaced"), resource("Namespace", "namespaces", "Cluster")]}]}]})),
            list(json!({"items": [{"metadata": {"name": "apps"}, "versions": [
                {"version": "v1", "resources": [resource("Deployment", "deployments", "Namespaced")]},
                {"version": "v1beta1", "freshness": "Stale", "resources": [resource("Deployment", "deployments", "Namespaced")]}]}]})),
        ]);
        let path = |version: &str, kind: &str| kinds.of(version, kind).unwrap().path(Some("a"));
        assert_eq!(path("v1", "Secret"), "/api/v1/namespaces/a/secrets");
        assert_eq!(path("v1", "Namespace"), "/api/v1/namespaces");
        assert_eq!(path("apps/v1", "Deployment"), "/apis/apps/v1/namespaces/a/deployments");
        assert_eq!(kinds.preferred().len(), 3);
        assert_eq!(kinds.stale, ["apps/v1beta1"]);
        assert!(kinds.apis().contains("apps/v1/Deployment"));
    }
}
