//! What is wrong with a pod: where it may run, its claims, its containers, its node.

use serde_json::Value as Json;

use super::{Evidence, Link, claim, container, text};
use crate::model::{Object, ObjectRef};
use crate::plan::preflight::no_node;

/// Whether something is a pod that is not ready; all that is no pod may be in trouble.
pub(in super::super) fn is_in_trouble(pod: &Object) -> bool {
    if pod.kind() != "Pod" {
        return true;
    }
    let ready = condition(pod, "Ready").is_some_and(|one| status(one) == "True");
    !ready && text(pod, "/status/phase") != "Succeeded"
}

fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a Json> {
    let conditions = object.0.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find(|one| one.get("type").and_then(Json::as_str) == Some(kind))
}

fn status(condition: &Json) -> &str {
    condition.get("status").and_then(Json::as_str).unwrap_or_default()
}

fn message(condition: &Json) -> &str {
    condition.get("message").and_then(Json::as_str).unwrap_or_default()
}

/// The links from a pod on.
pub(super) fn pod(pod: &Object, evidence: &Evidence, links: &mut Vec<Link>) {
    let scheduled = condition(pod, "PodScheduled").filter(|one| status(one) == "False");
    if let Some(condition) = scheduled {
        links.push(unschedulable(pod, message(condition), evidence));
        if is_about_volumes(message(condition)) {
            claims(pod, evidence, links);
        }
        return;
    }
    if let Some(link) = node(pod, evidence) {
        links.push(Link::of(pod, "its node is not ready"));
        links.push(link);
        return;
    }
    if let Some(since) = pod.0.pointer("/metadata/deletionTimestamp").and_then(Json::as_str) {
        links.push(Link::of(pod, format!("it was told to end, at the latest at {since}")));
    } else if let Some(link) = container::trouble(pod, evidence) {
        links.push(link);
    } else if let Some(says) = evidence.warned(pod, &["FailedMount", "FailedAttachVolume"]) {
        let link = Link::of(pod, format!("a volume cannot be mounted: {says}"));
        links.push(link.remedy(
            "create the Secret, ConfigMap or claim that the volume names, or see to its driver",
        ));
    } else if let Some(says) = evidence.warned(pod, &["FailedCreatePodSandBox"]) {
        links.push(Link::of(pod, format!("its sandbox cannot be made: {says}")));
    } else if let Some(image) = super::progress::pulled(pod, evidence).first() {
        links.push(Link::of(pod, format!("pulls image {image}")));
    } else if let Some(says) = evidence.warned(pod, &["Unhealthy"]) {
        links.push(Link::of(pod, format!("it runs but is not ready: {says}")));
    } else if let Some(says) = evidence.warned(pod, &[]) {
        links.push(Link::of(pod, says.to_owned()));
    } else {
        let phase = text(pod, "/status/phase");
        links.push(Link::of(pod, format!("it is {} and not ready", phase.to_lowercase())));
    }
}

fn is_about_volumes(says: &str) -> bool {
    let says = says.to_lowercase();
    ["persistentvolumeclaim", "persistent volume", "volume node affinity", "volume zone"]
        .iter()
        .any(|words| says.contains(words))
}

fn unschedulable(pod: &Object, says: &str, evidence: &Evidence) -> Link {
    let says_or = if says.is_empty() { "nobody says why" } else { says };
    // What comes after it tells of a way out that the scheduler tried too.
    let (core, _) = says_or.split_once(" no new claims to deallocate").unwrap_or((says_or, ""));
    let (core, _) = core.split_once(" preemption: ").unwrap_or((core, ""));
    let nodes = evidence.nodes.as_deref().unwrap_or_default();
    let numbers = no_node(pod, nodes, &evidence.everywhere);
    let numbers = numbers.map_or(String::new(), |numbers| format!("; {numbers}"));
    let core = core.trim_end_matches(['.', ',', ' ']);
    let core = core.strip_suffix(". not found").unwrap_or(core);
    let says = format!("no node takes it: {core}{numbers}");
    let remedy = if core.contains("Insufficient") {
        "ask for less, or give the cluster more or larger nodes"
    } else if core.contains("node.kubernetes.io/unreachable")
        || core.contains("node.kubernetes.io/not-ready")
    {
        "bring the node back: kubectl get nodes"
    } else if core.contains("taint") {
        "give the pod a toleration, or take the taint off a node"
    } else if core.contains("unschedulable") {
        "uncordon a node: kubectl uncordon NODE"
    } else if core.contains("affinity/selector") || core.contains("node selector") {
        "no node has the labels it asks for: label a node, or change the selector"
    } else if core.contains("volume node affinity") || core.contains("volume zone") {
        "its volume lies where no node can reach it: see its claim"
    } else {
        return Link::of(pod, says);
    };
    Link::of(pod, says).remedy(remedy)
}

/// The claims of a pod, as far as they have no volume.
fn claims(pod: &Object, evidence: &Evidence, links: &mut Vec<Link>) {
    let volumes = pod.0.pointer("/spec/volumes").and_then(Json::as_array);
    for volume in volumes.into_iter().flatten() {
        let name = volume.pointer("/persistentVolumeClaim/claimName");
        let Some(name) = name.and_then(Json::as_str) else { continue };
        if let Some(found) = evidence.find("PersistentVolumeClaim", name) {
            claim(found, evidence, links);
            continue;
        }
        let object = ObjectRef {
            api_version: "v1".to_owned(),
            kind: "PersistentVolumeClaim".to_owned(),
            namespace: pod.reference().and_then(|name| name.namespace),
            name: name.to_owned(),
        };
        let link = Link::at(Some(object), "it is not there");
        links.push(link.remedy(format!("create the claim {name}, or name one that is there")));
    }
}

/// What is wrong with the node that a pod runs on.
fn node(pod: &Object, evidence: &Evidence) -> Option<Link> {
    let name = text(pod, "/spec/nodeName");
    let nodes = evidence.nodes.as_deref()?;
    let is_it = |node: &&Object| node.reference().is_some_and(|found| found.name == name);
    let Some(node) = nodes.iter().find(is_it) else {
        let gone = format!("its node {name} is no longer there");
        return (!name.is_empty()).then(|| Link::at(None, gone));
    };
    let ready = condition(node, "Ready").filter(|one| status(one) != "True")?;
    let since = ready.get("lastTransitionTime").and_then(Json::as_str).unwrap_or_default();
    let says = format!("not ready since {since}: {}", message(ready).trim_end_matches('.'));
    Some(Link::of(node, says).remedy(format!(
        "bring node {name} back (its machine, its kubelet); see:\n    kubectl describe node {name}"
    )))
}
