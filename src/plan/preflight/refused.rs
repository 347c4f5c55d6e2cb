//! Why a pod that is there finds no node, in numbers.

use serde_json::Value as Json;

use super::capacity::each_node;
use super::node::{self, lacks};
use super::pod::{Defaults, shape};
use super::quantity::shown;
use crate::model::Object;

/// What a pod asks for and why each node refuses it: `asks for cpu 8; node-1 (cpu: 3.2 free)`. Nothing when some node would take
/// it, or when there are none to ask.
pub fn no_node(pod: &Object, nodes: &[Object], pods: &[Object]) -> Option<String> {
    let shape = shape(&pod.0, &Defaults::default(), &[]);
    let nodes = node::nodes(nodes, pods, |_, _| true);
    let why = |node: &node::Node| {
        node.refuses(&shape)
            .or_else(|| node.rests(&shape))
            .or_else(|| lacks(&node.free, &shape.asks))
    };
    if nodes.iter().any(|node| why(node).is_none()) {
        return None;
    }
    let refused = each_node(&nodes, why);
    let asked: Vec<String> = shape
        .asks
        .iter()
        .filter(|(resource, _)| *resource != "pods")
        .map(|(resource, amount)| format!("{resource} {}", shown(resource, *amount)))
        .collect();
    let short = pod_asks(&pod.0) && !asked.is_empty();
    let asked = if short { format!("it asks for {}; ", asked.join(", ")) } else { String::new() };
    (!refused.is_empty()).then(|| format!("{asked}{refused}"))
}

/// Whether any container asks for something.
fn pod_asks(pod: &Json) -> bool {
    let containers = ["/spec/containers", "/spec/initContainers"];
    let all = containers.iter().filter_map(|at| pod.pointer(at)?.as_array()).flatten();
    all.filter_map(|container| container.get("resources"))
        .any(|resources| resources.get("requests").is_some() || resources.get("limits").is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, cpu: &str, taints: &Json) -> Object {
        Object(
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": taints},
            "status": {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "10"}}}),
        )
    }

    fn pod(cpu: &str) -> Object {
        Object(
            json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}}),
        )
    }

    #[test]
    fn each_node_says_why_it_refuses() {
        let nodes = [
            node("a", "2", &json!([])),
            node("b", "9", &json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])),
        ];
        let busy = Object(json!({"metadata": {"name": "q"}, "spec": {"nodeName": "a",
            "containers": [{"name": "c", "resources": {"requests": {"cpu": "500m"}}}]}}));
        let says = no_node(&pod("4"), &nodes, &[busy]).unwrap();
        assert_eq!(says, "it asks for cpu 4; a (cpu: 1.5 free), b (taint gpu=yes)");
        assert_eq!(no_node(&pod("1"), &nodes, &[]), None, "it fits on a");
        assert_eq!(no_node(&pod("1"), &[], &[]), None, "nothing is known of nodes");
    }
}
