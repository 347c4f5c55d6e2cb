//! Clusters and a cloud's things: their fields, compared with what is wanted.

use serde_json::{Map, Value as Json};

use super::decide::changes;
use super::decision::{Decision, Fill};
use super::{Action, Block, Change, Effect, Origin, Permits, Shown, diff};
use crate::model::{Class, CloudSpec, ClusterSpec, Found, KindSpec, Leaf, Resource};

/// A cluster of ours that runs. What nobody recorded about it is taken to be as wanted.
pub(super) fn cluster(spec: &ClusterSpec, found: &Found, permits: &Permits) -> Decision {
    // The variant's name stands around the fields; a provider may leave it out.
    let (variant, wanted) = match serde_json::to_value(spec) {
        Ok(Json::Object(map)) => map.into_iter().next().unwrap_or_default(),
        Ok(_) | Err(_) => <(String, Json)>::default(),
    };
    let recorded = found.fields.get(&variant).unwrap_or(&found.fields);
    let wanted = narrowed_to(recorded, wanted);
    let mut changes = changes(None, diff::fields(recorded, &wanted), Origin::You);
    let anew: Vec<_> = match spec {
        ClusterSpec::Kind(_) => {
            changes.iter_mut().filter(|change| makes_kind_anew(&change.path)).collect()
        }
        ClusterSpec::Kwok { .. } | ClusterSpec::Existing { .. } => Vec::new(),
    };
    if anew.is_empty() {
        let action = if changes.is_empty() { Action::Keep } else { Action::Update };
        return Decision { changes, ..Decision::plain(action) };
    }
    let paths: Vec<_> = anew.iter().map(|change| format!("`{}`", change.path)).collect();
    for change in anew {
        change.effect = Effect::LosesData;
    }
    let paths = paths.join(", ");
    if permits.include_data && !permits.production {
        let note =
            format!("{paths} cannot change in place: it is made anew, and what is in it goes");
        return Decision { changes, ..Decision::plain(Action::Replace) }.note(note);
    }
    let why = format!(
        "{paths} cannot change in place: it would be made anew, and all data in it would go"
    );
    Decision { changes, ..Decision::blocked(Block::Protected { why }) }
}

/// Whether a field of a kind cluster changes only by making it anew. Nodes that come or go do, too: kind cannot add one.
fn makes_kind_anew(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some("nodes"), Some(_), Some(field)) => KindSpec::IMMUTABLE_OF_NODES.contains(&field),
        (Some("nodes"), _, _) => true,
        (Some(field), _, _) => KindSpec::IMMUTABLE.contains(&field),
        (None, _, _) => false,
    }
}

/// The wanted fields that were recorded at all.
fn narrowed_to(recorded: &Json, wanted: Json) -> Json {
    match wanted {
        Json::Object(map) => {
            Json::Object(map.into_iter().filter(|(key, _)| recorded.get(key).is_some()).collect())
        }
        other @ (Json::Null
        | Json::Bool(_)
        | Json::Number(_)
        | Json::String(_)
        | Json::Array(_)) => other,
    }
}

/// A cloud's thing of ours. A changed field that cannot change in place means making it anew.
pub(super) fn cloud(
    wanted: &Resource,
    spec: &CloudSpec,
    found: &Found,
    permits: &Permits,
    fill: Fill<'_>,
) -> Decision {
    let mut resolve = |leaf: &Leaf| fill(leaf).unwrap_or_else(|| Json::String(leaf.shown()));
    let fields: Map<_, _> =
        spec.fields.iter().map(|(key, value)| (key.clone(), value.to_json(&mut resolve))).collect();
    let differences = diff::fields(&found.fields, &Json::Object(fields));
    let mut changes = changes(None, differences, origin(found));
    let rebuild = changes.iter().any(|change| is_immutable(spec, change));
    if changes.is_empty() {
        return Decision::plain(Action::Keep);
    }
    if !rebuild {
        return Decision { changes, ..Decision::plain(Action::Update) };
    }
    if wanted.class == Class::Data && !permits.include_data {
        let why = format!("it holds data and {} cannot change in place", named(spec, &changes));
        return Decision { changes, ..Decision::blocked(Block::Protected { why }) };
    }
    if permits.production && wanted.class != Class::Stateless {
        let why = format!("{} cannot change in place", named(spec, &changes));
        return Decision { changes, ..Decision::blocked(Block::Protected { why }) };
    }
    let effect = if wanted.class == Class::Data { Effect::LosesData } else { Effect::Recreate };
    for change in changes.iter_mut().filter(|change| is_immutable(spec, change)) {
        change.effect = effect;
    }
    Decision { changes, ..Decision::plain(Action::Replace) }
}

/// Without a record of the last apply nobody can tell who changed a field.
fn origin(found: &Found) -> Origin {
    if found.applied.is_some() { Origin::You } else { Origin::Unknown }
}

fn is_immutable(spec: &CloudSpec, change: &Change) -> bool {
    let field = change.path.split('/').nth(1).unwrap_or_default();
    spec.immutable.contains(field)
}

/// The immutable fields that changed, for a sentence.
fn named(spec: &CloudSpec, changes: &[Change]) -> String {
    let names: Vec<_> = changes
        .iter()
        .filter(|change| is_immutable(spec, change))
        .map(|change| match &change.to {
            Shown::Text(to) => format!("`{}` ({to})", change.path),
            Shown::Absent | Shown::Masked | Shown::Unknown => format!("`{}`", change.path),
        })
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::json;

    use super::*;
    use crate::model::{KindNode, KindRole, NodeSpec, ResourceId, ResourceKind, Spec, Value};

    #[test]
    fn a_cluster_changes_in_place_and_what_nobody_recorded_is_as_wanted() {
        let node = NodeSpec {
            name: "a".to_owned(),
            capacity: BTreeMap::from([("cpu".to_owned(), "4".to_owned())]),
            labels: BTreeMap::new(),
            taints: Vec::new(),
        };
        let spec = ClusterSpec::Kwok { name: "x".to_owned(), nodes: vec![node] };
        let decided =
            |fields| cluster(&spec, &Found { fields, ..Found::ours() }, &Permits::default());
        assert_eq!(decided(Json::Null).action, Action::Keep);
        assert_eq!(decided(json!({"Kwok": {"name": "x"}})).action, Action::Keep);
        assert_eq!(decided(serde_json::to_value(&spec).unwrap()).action, Action::Keep);
        let live =
            json!({"Kwok": {"name": "x", "nodes": [{"name": "a", "capacity": {"cpu": "8"}}]}});
        let decision = decided(live);
        assert_eq!(decision.action, Action::Update);
        assert_eq!(decision.changes[0].path, "/nodes/0/capacity/cpu");
    }

    #[test]
    fn what_a_kind_cluster_is_made_of_changes_only_when_data_may_go() {
        let node = |role| KindNode {
            role,
            labels: BTreeMap::new(),
            taints: Vec::new(),
            mounts: Vec::new(),
            ports: Vec::new(),
        };
        let kind = |image: &str, nodes| {
            ClusterSpec::Kind(KindSpec {
                name: "x".to_owned(),
                image: image.to_owned(),
                nodes,
                kubeadm_patches: Vec::new(),
                containerd_patches: Vec::new(),
                load: Vec::new(),
            })
        };
        let one = || vec![node(KindRole::ControlPlane)];
        let found =
            Found { fields: serde_json::to_value(kind("a", one())).unwrap(), ..Found::ours() };
        let decided = |spec, include_data| {
            cluster(&spec, &found, &Permits { include_data, ..Permits::default() })
        };
        assert_eq!(decided(kind("a", one()), false).action, Action::Keep);
        let mut labelled = one();
        labelled[0].labels.insert("a".to_owned(), "b".to_owned());
        assert_eq!(decided(kind("a", labelled), false).action, Action::Update);
        let mut two = one();
        two.push(node(KindRole::Worker));
        for spec in [kind("b", one()), kind("a", two)] {
            let blocked = decided(spec.clone(), false);
            assert!(matches!(blocked.action, Action::Blocked { by: Block::Protected { .. } }));
            let anew = decided(spec, true);
            assert_eq!(anew.action, Action::Replace);
            assert_eq!(anew.changes[0].effect, Effect::LosesData);
        }
    }

    #[test]
    fn an_immutable_field_is_a_rebuild_and_data_is_protected_from_it() {
        let spec = CloudSpec {
            fields: [("region", "b"), ("tags", "t")]
                .map(|(key, value)| (key.to_owned(), Value::text(value)))
                .into(),
            immutable: BTreeSet::from(["region".to_owned()]),
        };
        let id = ResourceId::target(ResourceKind::Bucket, "lake");
        let mut wanted = Resource::new(id, Spec::Cloud(spec.clone()));
        let decided = |wanted: &Resource, fields, include_data| {
            let found = Found { fields, ..Found::ours() };
            let permits = Permits { include_data, ..Permits::default() };
            cloud(wanted, &spec, &found, &permits, &|_| None)
        };
        let other_tags = json!({"region": "b", "tags": "u"});
        let other_region = || json!({"region": "a", "tags": "t"});
        assert_eq!(decided(&wanted, other_tags, false).action, Action::Update);
        assert_eq!(decided(&wanted, other_region(), false).action, Action::Replace);
        wanted.class = Class::Data;
        let blocked = decided(&wanted, other_region(), false);
        assert!(matches!(blocked.action, Action::Blocked { by: Block::Protected { .. } }));
        let lost = decided(&wanted, other_region(), true);
        assert_eq!((lost.action, lost.changes[0].effect), (Action::Replace, Effect::LosesData));
    }
}
