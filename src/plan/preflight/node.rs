//! Nodes: what is free on them, and why a pod may not run on one.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::pod::{Shape, maker};
use super::quantity::{Amounts, amounts, shown, take};
use super::read::{condition, list, map, meets, name, namespace, text};
use crate::model::Object;

/// Taints that Kubernetes sets and takes away by itself.
const PASSING: [&str; 2] = ["node.kubernetes.io/", "node.cloudprovider.kubernetes.io/"];

/// A node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    taints: Vec<Json>,
    /// What pods may take in all.
    pub(super) room: Amounts,
    /// What is left of it beside pods that stay.
    pub(super) free: Amounts,
    /// Why no pod may come now, though one may later.
    idle: Option<String>,
}

/// The nodes, and what is free on them beside pods that stay.
pub(super) fn nodes(
    nodes: &[Object],
    pods: &[Object],
    stays: impl Fn(&Object, Option<(String, String)>) -> bool,
) -> Vec<Node> {
    let mut all: BTreeMap<String, Node> =
        nodes.iter().map(|node| (name(node).to_owned(), node_of(node))).collect();
    for pod in pods {
        let over = matches!(text(&pod.0, "/status/phase"), "Succeeded" | "Failed");
        let Some(node) = all.get_mut(text(&pod.0, "/spec/nodeName")) else { continue };
        if over || !stays(pod, maker(pod)) {
            continue;
        }
        let spec = pod.0.get("spec").unwrap_or(&Json::Null);
        let (mut asks, _) = super::pod::asks(spec, &super::pod::Defaults::default());
        asks.insert("pods".to_owned(), 1_000);
        take(&mut node.free, &asks);
    }
    all.into_values().collect()
}

fn node_of(node: &Object) -> Node {
    let room = node.0.pointer("/status/allocatable").or(node.0.pointer("/status/capacity"));
    let room = amounts(room);
    let taints = list(&node.0, "/spec/taints").to_vec();
    let ready = condition(node, "Ready").is_none_or(|ready| text(ready, "/status") == "True");
    let cordoned = node.0.pointer("/spec/unschedulable") == Some(&Json::Bool(true));
    let idle = match (cordoned, ready) {
        (true, _) => Some("cordoned".to_owned()),
        (false, false) => Some("not ready".to_owned()),
        (false, true) => None,
    };
    let mut labels = map(&node.0, "/metadata/labels");
    labels.entry("kubernetes.io/hostname".to_owned()).or_insert_with(|| name(node).to_owned());
    Node { name: name(node).to_owned(), labels, taints, free: room.clone(), room, idle }
}

impl Node {
    /// Why a pod may not run there even if it were empty; nothing when it may.
    pub(super) fn refuses(&self, shape: &Shape) -> Option<String> {
        let spec = &shape.spec;
        let wanted = text(spec, "/nodeName");
        if !wanted.is_empty() && wanted != self.name {
            return Some(format!("the pod wants node {wanted}"));
        }
        let selector = map(spec, "/nodeSelector");
        if let Some((key, value)) =
            selector.iter().find(|(key, value)| self.labels.get(*key) != Some(value))
        {
            return Some(format!("lacks label {key}={value}"));
        }
        if !self.suits_affinity(spec) {
            return Some("does not meet the node affinity".to_owned());
        }
        let taint = self.taints.iter().find(|taint| {
            !is_passing(taint)
                && matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute")
                && !list(spec, "/tolerations").iter().any(|t| tolerates(t, taint))
        });
        taint.map(|taint| match text(taint, "/value") {
            "" => format!("taint {}", text(taint, "/key")),
            value => format!("taint {}={value}", text(taint, "/key")),
        })
    }

    /// Why no pod of a shape may come at this moment; nothing when one may.
    pub(super) fn rests(&self, shape: &Shape) -> Option<String> {
        if self.idle.as_deref() == Some("cordoned") {
            return self.idle.clone();
        }
        let taint = self.taints.iter().find(|taint| {
            is_passing(taint)
                && matches!(text(taint, "/effect"), "NoSchedule" | "NoExecute")
                && !list(&shape.spec, "/tolerations").iter().any(|t| tolerates(t, taint))
        });
        let key = taint.map(|taint| text(taint, "/key"));
        key.map(|key| key.rsplit('/').next().unwrap_or(key).to_owned()).or(self.idle.clone())
    }

    fn suits_affinity(&self, spec: &Json) -> bool {
        const TERMS: &str = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
        let terms = list(spec, TERMS);
        let fields = BTreeMap::from([("metadata.name".to_owned(), self.name.clone())]);
        let suits = |term: &Json| {
            let (by_label, by_field) =
                (list(term, "/matchExpressions"), list(term, "/matchFields"));
            // A term that says nothing takes no node.
            !(by_label.is_empty() && by_field.is_empty())
                && by_label.iter().all(|expression| meets(expression, &self.labels))
                && by_field.iter().all(|expression| meets(expression, &fields))
        };
        terms.is_empty() || terms.iter().any(suits)
    }
}

/// What a pod lacks in what there is, in words; nothing when it fits.
pub(super) fn lacks(there: &Amounts, asks: &Amounts) -> Option<String> {
    let short = asks.iter().filter_map(|(resource, asked)| {
        let there = there.get(resource).copied().unwrap_or_default();
        let fits = *asked <= 0 || *asked <= there;
        (!fits).then(|| match resource.as_str() {
            "pods" => "no room for another pod".to_owned(),
            _ => format!("{resource}: {} free", shown(resource, there.max(0))),
        })
    });
    let short: Vec<_> = short.collect();
    if short.is_empty() { None } else { Some(short.join(", ")) }
}

fn is_passing(taint: &Json) -> bool {
    PASSING.iter().any(|prefix| text(taint, "/key").starts_with(prefix))
}

fn tolerates(toleration: &Json, taint: &Json) -> bool {
    let effect = text(toleration, "/effect");
    let key = text(toleration, "/key");
    let exists = text(toleration, "/operator") == "Exists";
    (effect.is_empty() || effect == text(taint, "/effect"))
        && (key == text(taint, "/key") || key.is_empty() && exists)
        && (exists || text(toleration, "/value") == text(taint, "/value"))
}

/// Whether a pod belongs to a namespace and maker.
pub(super) fn is_of(
    pod: &Object,
    made: Option<&(String, String)>,
    of: &crate::model::ObjectRef,
) -> bool {
    let here = of.namespace.as_deref().unwrap_or_default() == namespace(pod);
    let by_maker = made.is_some_and(|(kind, maker)| *kind == of.kind && *maker == of.name);
    here && (by_maker || of.kind == "Pod" && name(pod) == of.name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(metadata: &Json, spec: &Json) -> Node {
        node_of(&Object(
            json!({"metadata": metadata, "spec": spec, "status": {"allocatable": {"cpu": "4"}}}),
        ))
    }

    fn shape(spec: Json) -> Shape {
        Shape {
            asks: Amounts::new(),
            limits: Amounts::new(),
            labels: BTreeMap::new(),
            spec,
            apart: Vec::new(),
            silent: BTreeMap::new(),
            containers: Vec::new(),
        }
    }

    #[test]
    fn a_node_says_why_it_takes_no_pod() {
        let labelled =
            node(&json!({"name": "a", "labels": {"pool": "gpu", "size": "4"}}), &json!({}));
        let affinity = |terms: Json| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}});
        let term = |key: &str, operator: &str, values: Json| json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}]);
        let cases = [
            (json!({}), None),
            (json!({"nodeSelector": {"pool": "gpu"}}), None),
            (json!({"nodeSelector": {"pool": "cpu"}}), Some("lacks label pool=cpu")),
            (json!({"nodeName": "b"}), Some("the pod wants node b")),
            (affinity(term("pool", "In", json!(["gpu"]))), None),
            (affinity(term("size", "Gt", json!(["4"]))), Some("does not meet the node affinity")),
            (affinity(json!([{}])), Some("does not meet the node affinity")),
            (
                affinity(
                    json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]),
                ),
                None,
            ),
        ];
        for (spec, why) in cases {
            assert_eq!(labelled.refuses(&shape(spec.clone())).as_deref(), why, "{spec}");
        }
    }

    #[test]
    fn a_taint_stops_those_who_do_not_tolerate_it() {
        let taints = json!({"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "soft", "effect": "PreferNoSchedule"}]});
        let tainted = node(&json!({"name": "a"}), &taints);
        let cases = [
            (json!([]), false),
            (json!([{"operator": "Exists"}]), true),
            (json!([{"key": "gpu", "operator": "Exists"}]), true),
            (json!([{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]), false),
            (json!([{"key": "gpu", "value": "yes"}]), true),
            (json!([{"key": "gpu", "value": "no"}]), false),
        ];
        for (tolerations, may) in cases {
            let shape = shape(json!({"tolerations": tolerations}));
            assert_eq!(tainted.refuses(&shape).is_none(), may, "{tolerations}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_no_refusal() {
        let taints =
            json!({"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]});
        let late = node(&json!({"name": "a"}), &taints);
        assert_eq!(late.refuses(&shape(json!({}))), None);
        assert_eq!(late.rests(&shape(json!({}))).as_deref(), Some("not-ready"));
        let cordoned = node(&json!({"name": "a"}), &json!({"unschedulable": true}));
        assert_eq!(cordoned.rests(&shape(json!({}))).as_deref(), Some("cordoned"));
        let well = node(&json!({"name": "a"}), &json!({}));
        assert_eq!(well.rests(&shape(json!({}))), None);
    }
}
