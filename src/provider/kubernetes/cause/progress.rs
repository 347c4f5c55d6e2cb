//! Whether pods get anywhere, and whether an image is being pulled for one, which nobody can see from outside.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Evidence, is_about, text, when};
use crate::model::{Digest, Object};

/// Kinds that own the pods they wait for; what other kinds wait for may be anywhere in their namespace.
const OWN_PODS: [&str; 5] = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"];

/// What is gathered around objects only: their descendants, if all of them are of kinds that own what they wait for.
pub(in super::super) fn below<'a>(of: &'a [&Object], evidence: &'a Evidence) -> Vec<&'a Object> {
    if of.iter().any(|object| !OWN_PODS.contains(&object.kind()) && object.kind() != "Pod") {
        return evidence.objects.iter().collect();
    }
    let mut found: Vec<&Object> = of.to_vec();
    let mut at = 0;
    while let Some(object) = found.get(at).copied() {
        let new: Vec<&Object> = evidence
            .children(object)
            .filter(|child| !found.iter().any(|known| known.uid() == child.uid()))
            .collect();
        found.extend(new);
        at += 1;
    }
    found
}

/// Changes whenever pods get anywhere; a container that ends again and again gets nowhere.
pub(in super::super) fn progress(objects: &[&Object]) -> Digest {
    let conditions = |pod: &Object| -> Vec<String> {
        let list =
            |pointer: &str| pod.0.pointer(pointer).and_then(Json::as_array).into_iter().flatten();
        let met = list("/status/conditions").map(|one| format!("{}{}", one["type"], one["status"]));
        let ready = ["/status/initContainerStatuses", "/status/containerStatuses"];
        let ready = ready.iter().flat_map(|at| list(at)).map(|one| one["ready"].to_string());
        met.chain(ready).collect()
    };
    let parts: BTreeSet<String> = objects
        .iter()
        .filter_map(|object| {
            let name = object.reference()?.to_string();
            Some(format!("{name} {} {:?}", text(object, "/status/phase"), conditions(object)))
        })
        .collect();
    Digest::of_parts(parts.iter().map(String::as_str))
}

/// Whether a container of a pod may be waiting for its image.
pub(in super::super) fn may_pull(pod: &Object) -> bool {
    pod.kind() == "Pod" && waiting(pod).next().is_some()
}

/// Containers that are being made, by name.
fn waiting(pod: &Object) -> impl Iterator<Item = &str> {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let all = lists.into_iter().filter_map(|at| pod.0.pointer(at)?.as_array()).flatten();
    all.filter_map(|status| {
        let reason = status.pointer("/state/waiting/reason")?.as_str()?;
        let making = matches!(reason, "ContainerCreating" | "PodInitializing");
        making.then(|| status.get("name").and_then(Json::as_str)).flatten()
    })
}

/// Whether an image is pulled for any of these at this moment.
pub(in super::super) fn pulls(objects: &[&Object], evidence: &Evidence) -> bool {
    objects.iter().any(|object| !pulled(object, evidence).is_empty())
}

/// The images that are pulled for a pod at this moment: the last that was said of the container's image is that it is pulled.
pub(super) fn pulled(pod: &Object, evidence: &Evidence) -> Vec<String> {
    let image = |container: &str| {
        let path = format!("{{{container}}}");
        let about = |event: &&Object| {
            is_about(event, pod) && text(event, "/involvedObject/fieldPath").ends_with(&path)
        };
        let begun = evidence.pulls.iter().filter(about);
        let begun =
            begun.filter(|event| text(event, "/reason") == "Pulling").max_by_key(|e| when(e))?;
        let ended = evidence.pulls.iter().chain(&evidence.warnings).filter(about);
        let ended = ended.filter(|event| text(event, "/reason") != "Pulling");
        // Times are whole seconds: an end in the same second is an end.
        if ended.map(when).max().is_some_and(|ended| ended >= when(begun)) {
            return None;
        }
        text(begun, "/message").split('"').nth(1).map(str::to_owned)
    };
    waiting(pod).filter_map(image).collect()
}
