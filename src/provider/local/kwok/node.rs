//! Simulated nodes as objects, and objects as wanted nodes. The size stands in annotations, from where a stage takes it. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::model::{Digest, NodeSpec, Object, Taint};

/// The wanted node as it was written.
const SPEC: &str = "datamill.dev/spec";
/// Its capacity as JSON.
const CAPACITY: &str = "datamill.dev/capacity";
/// The digest of its capacity.
const SIZE: &str = "datamill.dev/size";
/// Its address.
const ADDRESS: &str = "datamill.dev/address";
/// Taints that Kubernetes itself sets and takes away.
const PASSING: &str = "node.kubernetes.io/";

/// The object of a wanted node.
pub(super) fn object(node: &NodeSpec) -> Object {
    let mut capacity = node.capacity.clone();
    capacity.entry("pods".to_owned()).or_insert_with(|| "110".to_owned());
    let capacity = json!(capacity).to_string();
    let labels = node.all_labels();
    let taints: Vec<_> = node.taints.iter().map(taint_json).collect();
    Object(json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "labels": labels,
            "annotations": {
                "kwok.x-k8s.io/node": "fake",
                "node.alpha.kubernetes.io/ttl": "0",
                SPEC: json!(node).to_string(),
                CAPACITY: capacity,
                SIZE: Digest::of(&capacity).short(32),
                ADDRESS: address(&node.name),
            },
        },
        "spec": {"taints": taints},
    }))
}

/// The node that was wanted when the object was written, with labels and taints as they are now; nothing for nodes of others.
pub(super) fn spec(object: &Object) -> Option<NodeSpec> {
    let mut node: NodeSpec = serde_json::from_str(object.annotation(SPEC)?).ok()?;
    node.labels = node
        .labels
        .into_keys()
        .filter_map(|key| object.label(&key).map(str::to_owned).map(|value| (key, value)))
        .collect();
    let live = object.0.pointer("/spec/taints").and_then(Json::as_array);
    node.taints = live.into_iter().flatten().filter_map(taint).collect();
    Some(node)
}

/// Whether a node is ready.
pub(super) fn is_ready(object: &Object) -> bool {
    let conditions = object.0.pointer("/status/conditions").and_then(Json::as_array);
    conditions.into_iter().flatten().any(|c| {
        c.get("type").is_some_and(|t| t == "Ready") && c.get("status").is_some_and(|s| s == "True")
    })
}

/// Found nodes in the order of the wanted ones, others behind.
pub(super) fn in_order(mut found: Vec<NodeSpec>, wanted: &[NodeSpec]) -> Vec<NodeSpec> {
    let place =
        |node: &NodeSpec| wanted.iter().position(|w| w.name == node.name).unwrap_or(wanted.len());
    found.sort_by_key(|node| (place(node), node.name.clone()));
    found
}

/// The fields of a found node, comparable with a wanted one. A plan looks at wanted keys alone, so a map that has more than
/// is wanted is shown as text: then the two differ.
pub(super) fn fields(found: &NodeSpec, wanted: Option<&NodeSpec>) -> Json {
    let map = |found: &BTreeMap<String, String>, wanted: Option<&BTreeMap<String, String>>| {
        let more = wanted.is_some_and(|wanted| found.keys().any(|key| !wanted.contains_key(key)));
        if more { Json::String(json!(found).to_string()) } else { json!(found) }
    };
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(found.name));
    fields.insert("capacity".to_owned(), map(&found.capacity, wanted.map(|w| &w.capacity)));
    fields.insert("labels".to_owned(), map(&found.labels, wanted.map(|w| &w.labels)));
    fields.insert("taints".to_owned(), json!(found.taints));
    Json::Object(fields)
}

fn taint_json(taint: &Taint) -> Json {
    let mut json = json!({"key": taint.key, "effect": taint.effect});
    if !taint.value.is_empty()
        && let Json::Object(map) = &mut json
    {
        map.insert("value".to_owned(), json!(taint.value));
    }
    json
}

fn taint(json: &Json) -> Option<Taint> {
    let taint: Taint = serde_json::from_value(json.clone()).ok()?;
    (!taint.key.starts_with(PASSING)).then_some(taint)
}

/// An address of the range that is kept for measurements (RFC 2544), made from the name.
fn address(name: &str) -> String {
    let digest = Digest::of(name);
    let byte = |at: usize| {
        let hex = digest.as_str().get(at..at + 2).unwrap_or("00");
        u8::from_str_radix(hex, 16).unwrap_or_default().clamp(1, 254)
    };
    format!("198.19.{}.{}", byte(0), byte(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeSpec {
        NodeSpec {
            name: "gpu-0".to_owned(),
            capacity: [("cpu", "8"), ("nvidia.com/gpu", "2")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            labels: [("pool".to_owned(), "gpu".to_owned())].into(),
            taints: vec![Taint {
                key: "gpu".to_owned(),
                value: String::new(),
                effect: "NoSchedule".to_owned(),
            }],
        }
    }

    #[test]
    fn a_node_reads_back_as_it_was_wanted() {
        let object = object(&node());
        assert_eq!(spec(&object), Some(node()));
        assert_eq!(fields(&node(), Some(&node())), json!(node()));
        assert_eq!(spec(&Object(json!({"metadata": {"name": "theirs"}}))), None);
    }

    #[test]
    fn what_somebody_changed_by_hand_shows() {
        let mut object = object(&node());
        object.0["metadata"]["labels"]["pool"] = json!("cpu");
        object.0["spec"]["taints"] =
            json!([{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]);
        let found = spec(&object).unwrap();
        assert_eq!(found.labels["pool"], "cpu");
        assert!(found.taints.is_empty());
    }

    #[test]
    fn a_label_that_is_wanted_no_more_is_a_difference() {
        let mut wanted = node();
        wanted.labels.clear();
        assert_ne!(fields(&node(), Some(&wanted))["labels"], json!({}));
        assert!(fields(&node(), Some(&wanted))["labels"].is_string());
    }

    #[test]
    fn found_nodes_stand_in_the_wanted_order() {
        let called = |name: &str| NodeSpec { name: name.to_owned(), ..node() };
        let order =
            in_order(vec![called("a"), called("x"), called("b")], &[called("b"), called("a")]);
        let names: Vec<_> = order.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "x"]);
    }
}
