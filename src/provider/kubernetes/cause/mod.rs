//! Why something does not become ready: the chain release ← Deployment ← ReplicaSet ← Pod ← claim ← storage class, from statuses
//! and events, with what can be done about it. Pure.

mod container;
mod image;
mod pod;
mod progress;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use super::readiness::custom_group;
use crate::model::{Cause, Object, ObjectRef};

pub(super) use container::Log;
pub(super) use pod::is_in_trouble;
pub(super) use progress::{below, may_pull, progress, pulls};

/// What was gathered around something that does not become ready.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Evidence {
    /// `ReplicaSet`s, pods, Jobs and claims of the namespace; around a custom resource also workloads and what is of its group.
    pub objects: Vec<Object>,
    /// Events of type Warning of the namespace.
    pub warnings: Vec<Object>,
    /// Events of the namespace that say that an image is, or was, pulled; read only when a container waits for one.
    pub pulls: Vec<Object>,
    /// Names of the storage classes there are; nothing when they could not be listed.
    pub classes: Option<Vec<String>>,
    /// The nodes; nothing when they were not looked at.
    pub nodes: Option<Vec<Object>>,
    /// Pods of all namespaces, looked at together with the nodes.
    pub everywhere: Vec<Object>,
}

/// A link of a chain: what is wrong, what can be done, and whose log tells more.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    /// What is wrong.
    pub cause: Cause,
    /// What to do.
    pub remedy: Option<String>,
    /// The log that tells more.
    pub log: Option<Log>,
}

impl Link {
    fn of(object: &Object, says: impl Into<String>) -> Self {
        Self::at(object.reference(), says)
    }

    fn at(object: Option<ObjectRef>, says: impl Into<String>) -> Self {
        Self { cause: Cause { object, says: says.into() }, remedy: None, log: None }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    fn log(self, log: Log) -> Self {
        Self { log: Some(log), ..self }
    }
}

/// The chain below an object, from the nearest link to the farthest; the object itself is not in it.
pub(super) fn chain(of: &Object, evidence: &Evidence) -> Vec<Link> {
    let mut links = Vec::new();
    match of.kind() {
        "PersistentVolumeClaim" => claim(of, evidence, &mut links),
        "Pod" => pod::pod(of, evidence, &mut links),
        _ => owner(of, evidence, &mut links, 6),
    }
    links
}

fn text<'a>(object: &'a Object, pointer: &str) -> &'a str {
    object.0.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// The part of an event that tells when it was seen last.
fn when(event: &Object) -> &str {
    let last = text(event, "/lastTimestamp");
    if last.is_empty() { text(event, "/eventTime") } else { last }
}

impl Evidence {
    fn children<'a>(&'a self, of: &'a Object) -> impl Iterator<Item = &'a Object> {
        let uid = of.uid().unwrap_or_default();
        self.objects.iter().filter(move |object| {
            let owners = object.0.pointer("/metadata/ownerReferences").and_then(Json::as_array);
            owners.into_iter().flatten().any(|owner| {
                owner.get("uid").and_then(Json::as_str).is_some_and(|found| found == uid)
            })
        })
    }

    /// The newest warning about an object with one of some reasons; any reason when none is given.
    fn warning(&self, about: &Object, reasons: &[&str]) -> Option<&Object> {
        let matching = self.warnings.iter().filter(|event| {
            is_about(event, about)
                && (reasons.is_empty() || reasons.contains(&text(event, "/reason")))
        });
        matching.max_by_key(|event| when(event))
    }

    /// What the newest of some warnings says.
    fn warned(&self, about: &Object, reasons: &[&str]) -> Option<&str> {
        Some(text(self.warning(about, reasons)?, "/message"))
    }

    fn find(&self, kind: &str, name: &str) -> Option<&Object> {
        self.objects.iter().find(|object| {
            object.kind() == kind && object.reference().is_some_and(|found| found.name == name)
        })
    }
}

/// Whether an event is about this very object; one of an earlier object of that name is not.
fn is_about(event: &Object, about: &Object) -> bool {
    let Some(name) = about.reference() else { return false };
    let uid = text(event, "/involvedObject/uid");
    text(event, "/involvedObject/kind") == name.kind
        && text(event, "/involvedObject/name") == name.name
        && (uid.is_empty() || about.uid().is_none_or(|about| about == uid))
}

/// What owns something: a custom resource what an operator made for it, all else pods.
fn owner(of: &Object, evidence: &Evidence, links: &mut Vec<Link>, depth: usize) {
    if custom_group(of).is_none() {
        return workload(of, evidence, links, depth);
    }
    if depth == 0 {
        return;
    }
    let children = evidence.children(of).map(|child| branch(child, evidence, depth - 1));
    // The longest branch leads farthest.
    links.extend(children.max_by_key(Vec::len).unwrap_or_default());
}

/// A child of a custom resource and what is below it; nothing when nothing is wrong there.
fn branch(child: &Object, evidence: &Evidence, depth: usize) -> Vec<Link> {
    let mut links = Vec::new();
    match child.kind() {
        "PersistentVolumeClaim" => claim(child, evidence, &mut links),
        "Pod" if is_in_trouble(child) => pod::pod(child, evidence, &mut links),
        "Pod" => {}
        _ => {
            owner(child, evidence, &mut links, depth);
            let custom = custom_group(child).is_some();
            let says = if custom { conditions(child) } else { Some(counts(child)) };
            let own = links.first().is_some_and(|link| link.cause.object == child.reference());
            match says {
                Some(says) if !own && (custom || !links.is_empty()) => {
                    links.insert(0, Link::of(child, says));
                }
                None if !own && !links.is_empty() => {
                    links.insert(0, Link::of(child, "is not ready"));
                }
                Some(_) | None => {}
            }
        }
    }
    links
}

/// What a custom resource says of itself: its conditions that are not met.
fn conditions(object: &Object) -> Option<String> {
    let list = object.0.pointer("/status/conditions").and_then(Json::as_array);
    let word =
        |one: &Json, key: &str| one.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let open: Vec<String> = list
        .into_iter()
        .flatten()
        .filter(|one| word(one, "status") != "True")
        .map(|one| {
            let (kind, reason, message) =
                (word(one, "type"), word(one, "reason"), word(one, "message"));
            let said = [reason, message].into_iter().filter(|part| !part.is_empty());
            let said = said.collect::<Vec<_>>().join(": ");
            format!(
                "{kind} is {}{}{said}",
                word(one, "status"),
                if said.is_empty() { "" } else { ": " }
            )
        })
        .collect();
    (!open.is_empty()).then(|| open.join("; "))
}

/// What owns pods: looks at what stops it from making them, then at the worst of its children.
fn workload(of: &Object, evidence: &Evidence, links: &mut Vec<Link>, depth: usize) {
    let newest = evidence
        .children(of)
        .filter(|child| child.kind() != "ReplicaSet" || wants_pods(child))
        .max_by_key(|child| (is_in_trouble(child), text(child, "/metadata/creationTimestamp")));
    match newest {
        Some(child) if child.kind() == "Pod" => {
            if is_in_trouble(child) {
                pod::pod(child, evidence, links);
            }
        }
        Some(child) if depth > 0 => {
            let before = links.len();
            workload(child, evidence, links, depth - 1);
            let own = links.get(before).is_some_and(|link| link.cause.object == child.reference());
            if links.len() > before && !own {
                links.insert(before, Link::of(child, counts(child)));
            }
        }
        Some(_) | None => {
            if let Some(says) = evidence.warned(of, &["FailedCreate", "ReplicaSetCreateError"]) {
                let link = Link::of(of, format!("its pods cannot be made: {says}"));
                links.push(match refused(says) {
                    Some(remedy) => link.remedy(remedy),
                    None => link,
                });
            }
        }
    }
}

fn wants_pods(set: &Object) -> bool {
    set.0.pointer("/spec/replicas").and_then(Json::as_u64) != Some(0)
}

fn counts(object: &Object) -> String {
    let number = |pointer: &str| object.0.pointer(pointer).and_then(Json::as_u64);
    let ready = number("/status/readyReplicas").unwrap_or(0);
    let wanted = number("/spec/replicas").or(number("/spec/completions")).unwrap_or(1);
    format!("{ready} of {wanted} ready")
}

/// What can be done about what the API server said when a pod was to be made.
fn refused(says: &str) -> Option<&'static str> {
    Some(if says.contains("exceeded quota") {
        "raise the ResourceQuota of the namespace or ask for less"
    } else if says.contains("violates PodSecurity") {
        "give the namespace the label pod-security.kubernetes.io/enforce that this pod needs"
    } else if says.contains("failed calling webhook") {
        "the webhook does not answer: mend what it runs in, or delete its configuration"
    } else if says.contains("serviceaccount") && says.contains("not found") {
        "the ServiceAccount is missing: create it, or name another one"
    } else if says.contains("admission webhook") || says.contains("ValidatingAdmissionPolicy") {
        "a policy of this cluster refuses it: change what it objects to, or ask whoever runs the cluster"
    } else {
        return None;
    })
}

fn claim(claim: &Object, evidence: &Evidence, links: &mut Vec<Link>) {
    if text(claim, "/status/phase") == "Bound" {
        return;
    }
    let class = text(claim, "/spec/storageClassName");
    let warning = evidence.warned(claim, &["ProvisioningFailed", "FailedBinding"]);
    let says = warning.map_or_else(|| format!("no volume yet (class {class})"), str::to_owned);
    let name = claim.reference();
    let place = name.as_ref().and_then(|name| name.namespace.as_deref()).unwrap_or("default");
    let name = name.as_ref().map(|name| name.name.as_str()).unwrap_or_default();
    let see = format!(
        "see whether what provisions class {class} runs:\n    kubectl describe pvc -n {place} {name}"
    );
    links.push(Link::of(claim, says).remedy(see));
    let Some(classes) = &evidence.classes else { return };
    if !class.is_empty() && !classes.iter().any(|known| known == class) {
        let known = if classes.is_empty() { "none".to_owned() } else { classes.join(", ") };
        let object = ObjectRef {
            api_version: "storage.k8s.io/v1".to_owned(),
            kind: "StorageClass".to_owned(),
            namespace: None,
            name: class.to_owned(),
        };
        let link = Link::at(Some(object), format!("it is not there; this cluster has {known}"));
        links.push(link.remedy("name a class that the cluster has; a claim keeps the one it was made with, so delete the claim that waits"));
    }
}

/// The chain in one line, as it follows what is waited for.
pub(super) fn in_words(links: &[Link]) -> String {
    let link = |link: &Link| match &link.cause.object {
        Some(object) => format!("{object}: {}", link.cause.says),
        None => link.cause.says.clone(),
    };
    let links: Vec<String> = links.iter().map(link).collect();
    if links.is_empty() { String::new() } else { format!(" ← {}", links.join(" ← ")) }
}
