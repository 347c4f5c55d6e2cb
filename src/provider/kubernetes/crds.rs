//! Custom resource definitions: whether those of somebody else do what we need, and what their kinds are. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;

use crate::adapter::kube::{Cluster, KubeError, Listing};
use crate::model::{Digest, Health, Object, Progress};

/// How often the cluster is asked at once whether it serves a definition.
const LOOKS: usize = 10;
/// How long between two of these.
const BETWEEN: Duration = Duration::from_millis(40);

fn served(definition: &Object) -> BTreeSet<&str> {
    let versions = definition.0.pointer("/spec/versions").and_then(Json::as_array);
    versions
        .into_iter()
        .flatten()
        .filter(|version| version.get("served").and_then(Json::as_bool) == Some(true))
        .filter_map(|version| version.get("name")?.as_str())
        .collect()
}

/// Whether a definition that is there serves every version that the wanted one serves.
pub(super) fn suffices(live: &Object, wanted: &Object) -> bool {
    served(live).is_superset(&served(wanted))
}

/// `group/Kind` of a definition, when its objects lie in no namespace.
pub(super) fn cluster_wide(definition: &Object) -> Option<String> {
    let text = |pointer: &str| definition.0.pointer(pointer).and_then(Json::as_str);
    (text("/spec/scope") == Some("Cluster"))
        .then(|| Some(format!("{}/{}", text("/spec/group")?, text("/spec/names/kind")?)))
        .flatten()
}

/// What of established definitions the cluster does not name among the kinds it serves: it takes a moment, and what is
/// written before that is refused. Asked a few times, so that it is seldom told to those who come back later.
pub(super) async fn unserved<'a>(
    cluster: &Cluster,
    definitions: impl Iterator<Item = &'a Object> + Clone,
) -> Result<Option<Health>, KubeError> {
    for look in 0..LOOKS {
        let kinds = cluster.kinds().await?;
        let missing = definitions
            .clone()
            .flat_map(defined)
            .find(|(api_version, kind)| kinds.of(api_version, kind).is_none());
        let Some((api_version, kind)) = missing else { return Ok(None) };
        cluster.refresh_kinds();
        if look + 1 == LOOKS {
            let waits_for = format!("{kind} of {api_version} to be served");
            let mark = Digest::of(&waits_for);
            return Ok(Some(Health::Settling(Progress { waits_for, mark })));
        }
        tokio::time::sleep(BETWEEN).await;
    }
    Ok(None)
}

/// API versions and kind that a definition has the cluster serve.
fn defined(definition: &Object) -> Vec<(String, String)> {
    let text = |pointer: &str| definition.0.pointer(pointer).and_then(Json::as_str);
    let (Some(group), Some(kind)) = (text("/spec/group"), text("/spec/names/kind")) else {
        return Vec::new();
    };
    served(definition).into_iter().map(|v| (format!("{group}/{v}"), kind.to_owned())).collect()
}

/// A list of the objects of a definition, in one version that is served.
pub(super) fn instances(definition: &Object) -> Option<Listing> {
    let text = |pointer: &str| definition.0.pointer(pointer).and_then(Json::as_str);
    let version = served(definition).into_iter().next()?;
    let api_version = format!("{}/{version}", text("/spec/group")?);
    Some(Listing::of(api_version, text("/spec/names/kind")?).metadata_only())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(versions: &[(&str, bool)]) -> Object {
        let versions: Vec<_> =
            versions.iter().map(|(name, served)| json!({"name": name, "served": served})).collect();
        Object(
            json!({"spec": {"group": "a.b", "scope": "Cluster", "names": {"kind": "X"}, "versions": versions}}),
        )
    }

    #[test]
    fn a_foreign_definition_suffices_when_it_serves_what_is_needed() {
        let wanted = definition(&[("v1", true), ("v1beta1", false)]);
        assert!(suffices(&definition(&[("v1", true), ("v2", true)]), &wanted));
        assert!(!suffices(&definition(&[("v1", false), ("v2", true)]), &wanted));
    }

    #[test]
    fn a_definition_tells_the_kind_of_its_objects() {
        let crd = definition(&[("v1", true)]);
        assert_eq!(cluster_wide(&crd).unwrap(), "a.b/X");
        assert_eq!(defined(&crd), [("a.b/v1".to_owned(), "X".to_owned())]);
        assert_eq!(instances(&crd).unwrap().api_version, "a.b/v1");
    }
}
