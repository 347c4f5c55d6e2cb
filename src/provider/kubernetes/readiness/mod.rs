//! Whether an object is ready, from nothing but the object itself and a little of what surrounds it. Pure.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::model::{Cause, Digest, Health, JobReady, Object, ObjectRef, Progress, annotation};

/// What readiness needs to know beside the object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Storage classes that bind a claim only when a pod uses it.
    pub late_binding: BTreeSet<String>,
    /// The class of claims that name none.
    pub default_class: Option<String>,
    /// Claims that a pod uses, as (namespace, name).
    pub claims_in_use: BTreeSet<(String, String)>,
    /// Whether no container runs there, hence no operator either.
    pub simulated: bool,
}

/// What is said of a claim that somebody deleted and that is still used. A deletion cannot be taken back.
pub const LEAVING_DATA: &str = "DATA GOES: somebody deleted it, and it goes as soon as no pod uses it; its bytes stay only \
     where the reclaim policy of its volume is Retain. Save them before its pods restart";

/// How an object is. Jobs count by `jobs`; all others do not look at it.
pub fn readiness(object: &Object, around: &Surroundings, jobs: JobReady) -> Health {
    let look = Look { object, status: object.0.get("status").unwrap_or(&Json::Null) };
    if object.0.pointer("/metadata/deletionTimestamp").is_some() {
        return look.settling(match (object.kind(), around.simulated) {
            ("PersistentVolumeClaim", false) => LEAVING_DATA,
            _ => "is being deleted",
        });
    }
    let group = look.group();
    match (group, object.kind()) {
        ("apps", "Deployment") => deployment(&look),
        ("apps", "StatefulSet") => stateful_set(&look),
        ("apps", "DaemonSet") => daemon_set(&look),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => replica_set(&look),
        ("batch", "Job") => job(&look, if is_long(object) { JobReady::Started } else { jobs }),
        ("", "Pod") => pod(&look),
        ("", "PersistentVolumeClaim") => claim(&look, around),
        ("", "Namespace") => phase(&look, &["Active", ""]),
        ("", "PersistentVolume") => phase(&look, &["Available", "Bound", "Released", ""]),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => crd(&look),
        ("apiregistration.k8s.io", "APIService") => look.needs_condition("Available"),
        _ if is_built_in(group) => Health::Ready,
        _ => custom(&look, around.simulated),
    }
}

/// Whether a Job says of itself that it is ready as soon as it runs.
fn is_long(job: &Object) -> bool {
    job.annotation(annotation::READY) == Some("started")
}

/// Whether a Deployment has not come further for as long as it allows itself. Its controller goes on all the same, as soon as
/// the image is pulled or what it lacks is there; for how long that is waited for, others say.
fn is_late(look: &Look<'_>) -> bool {
    let reason = look.condition("Progressing").and_then(|one| one.get("reason"));
    reason.and_then(Json::as_str) == Some("ProgressDeadlineExceeded")
}

/// Groups that the API server itself brings: what has no rule above there has nothing to wait for. A Service of type
/// LoadBalancer without an address blocks only what reads the address.
pub fn is_built_in(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io") && !is_extension(group)
}

/// The API group of a custom resource; nothing for what the API server itself brings.
pub fn custom_group(object: &Object) -> Option<&str> {
    let version = object.0.get("apiVersion").and_then(Json::as_str)?;
    let (group, _) = version.split_once('/')?;
    (!is_built_in(group)).then_some(group)
}

/// Groups under the name of Kubernetes that come as CRDs.
fn is_extension(group: &str) -> bool {
    const COME_AS_CRDS: [&str; 6] = [
        "gateway.networking.k8s.io",
        "snapshot.storage.k8s.io",
        "metrics.k8s.io",
        "cluster.x-k8s.io",
        "kwok.x-k8s.io",
        "leaderworkerset.x-k8s.io",
    ];
    COME_AS_CRDS.contains(&group) || group.ends_with(".x-k8s.io")
}

/// An object under examination.
struct Look<'a> {
    object: &'a Object,
    status: &'a Json,
}

impl Look<'_> {
    fn group(&self) -> &str {
        let version = self.object.0.get("apiVersion").and_then(Json::as_str).unwrap_or_default();
        version.split_once('/').map_or("", |(group, _)| group)
    }

    fn name(&self) -> String {
        self.object.reference().map_or_else(|| "an object".to_owned(), |name| name.to_string())
    }

    fn count(&self, key: &str) -> u64 {
        self.status.get(key).and_then(Json::as_u64).unwrap_or_default()
    }

    fn spec(&self, pointer: &str) -> Option<&Json> {
        self.object.0.get("spec")?.pointer(pointer)
    }

    fn replicas(&self) -> u64 {
        self.spec("/replicas").and_then(Json::as_u64).unwrap_or(1)
    }

    /// Whether the controller has seen the newest spec.
    fn is_seen(&self) -> bool {
        let generation = self.object.0.pointer("/metadata/generation").and_then(Json::as_u64);
        let seen = self.status.get("observedGeneration").and_then(Json::as_u64);
        match (generation, seen) {
            (Some(generation), Some(seen)) => seen >= generation,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    fn condition(&self, kind: &str) -> Option<&Json> {
        let conditions = self.status.get("conditions")?.as_array()?;
        conditions.iter().find(|one| one.get("type").and_then(Json::as_str) == Some(kind))
    }

    fn condition_is(&self, kind: &str, status: &str) -> bool {
        let found = self.condition(kind).and_then(|one| one.get("status")).and_then(Json::as_str);
        found == Some(status)
    }

    /// What a condition says: its message, else its reason.
    fn words_of(&self, kind: &str) -> String {
        let text = |key: &str| {
            let text = self.condition(kind)?.get(key)?.as_str()?;
            (!text.is_empty()).then_some(text)
        };
        text("message").or_else(|| text("reason")).unwrap_or_default().to_owned()
    }

    fn settling(&self, says: &str) -> Health {
        let name = self.name();
        let parts = [name.as_str(), says, &lasting(self.status).to_string()];
        let mark = Digest::of_parts(parts);
        Health::Settling(Progress { waits_for: format!("{name}: {says}"), mark })
    }

    fn failed(&self, says: &str) -> Health {
        Health::Failed(vec![Cause { object: self.object.reference(), says: says.to_owned() }])
    }

    fn counts(&self, have: u64, want: u64, what: &str) -> Health {
        if have >= want {
            Health::Ready
        } else {
            self.settling(&format!("{have} of {want} {what}"))
        }
    }

    fn needs_condition(&self, kind: &str) -> Health {
        if self.condition_is(kind, "True") {
            return Health::Ready;
        }
        let words = self.words_of(kind);
        let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
        self.settling(&format!("not {}{words}", kind.to_lowercase()))
    }
}

/// A status without what moves though nothing gets anywhere: times, and how often something was tried.
fn lasting(status: &Json) -> Json {
    match status {
        Json::Object(map) => {
            let stays = map.iter().filter(|(key, _)| {
                !key.ends_with("Time")
                    && !matches!(
                        key.as_str(),
                        "startedAt"
                            | "finishedAt"
                            | "restartCount"
                            | "containerID"
                            | "lastState"
                            | "waiting"
                    )
            });
            Json::Object(stays.map(|(key, value)| (key.clone(), lasting(value))).collect())
        }
        Json::Array(list) => Json::Array(list.iter().map(lasting).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => status.clone(),
    }
}

fn deployment(look: &Look<'_>) -> Health {
    let want = look.replicas();
    if !look.is_seen() {
        return look.settling("its change is not seen yet");
    }
    if look.condition_is("Progressing", "False") && !is_late(look) {
        return look.failed(&look.words_of("Progressing"));
    }
    if look.count("updatedReplicas") < want {
        return look.counts(look.count("updatedReplicas"), want, "updated");
    }
    if look.count("replicas") > look.count("updatedReplicas") {
        return look.settling("old pods still end");
    }
    look.counts(look.count("availableReplicas"), want, "ready")
}

fn stateful_set(look: &Look<'_>) -> Health {
    let want = look.replicas();
    let strategy = look.spec("/updateStrategy/type").and_then(Json::as_str).unwrap_or_default();
    if !look.is_seen() {
        return look.settling("its change is not seen yet");
    }
    if strategy != "OnDelete" {
        let kept = look.spec("/updateStrategy/rollingUpdate/partition").and_then(Json::as_u64);
        let update = want.saturating_sub(kept.unwrap_or_default());
        let revision = |key: &str| look.status.get(key).and_then(Json::as_str);
        let same = revision("currentRevision") == revision("updateRevision");
        if !same && look.count("updatedReplicas") < update {
            return look.counts(look.count("updatedReplicas"), update, "updated");
        }
    }
    look.counts(look.count("readyReplicas"), want, "ready")
}

fn daemon_set(look: &Look<'_>) -> Health {
    if !look.is_seen() {
        return look.settling("its change is not seen yet");
    }
    let want = look.count("desiredNumberScheduled");
    let strategy = look.spec("/updateStrategy/type").and_then(Json::as_str).unwrap_or_default();
    if strategy != "OnDelete" && look.count("updatedNumberScheduled") < want {
        return look.counts(look.count("updatedNumberScheduled"), want, "updated");
    }
    look.counts(look.count("numberReady"), want, "ready")
}

fn replica_set(look: &Look<'_>) -> Health {
    if !look.is_seen() {
        return look.settling("its change is not seen yet");
    }
    look.counts(look.count("readyReplicas"), look.replicas(), "ready")
}

fn job(look: &Look<'_>, ready: JobReady) -> Health {
    if look.condition_is("Complete", "True") || look.condition_is("SuccessCriteriaMet", "True") {
        return Health::Ready;
    }
    if look.condition_is("Failed", "True") {
        return look.failed(&look.words_of("Failed"));
    }
    if look.spec("/suspend").and_then(Json::as_bool) == Some(true) {
        return Health::Ready;
    }
    let want = look.spec("/completions").and_then(Json::as_u64).unwrap_or(1);
    match ready {
        JobReady::Started if look.count("ready") + look.count("succeeded") > 0 => Health::Started,
        JobReady::Started => look.settling("its pod does not run yet"),
        JobReady::Complete => look.counts(look.count("succeeded"), want, "complete"),
    }
}

fn pod(look: &Look<'_>) -> Health {
    match look.status.get("phase").and_then(Json::as_str).unwrap_or_default() {
        "Succeeded" => Health::Ready,
        "Failed" => {
            let says = look.status.get("message").or_else(|| look.status.get("reason"));
            look.failed(says.and_then(Json::as_str).unwrap_or("it failed"))
        }
        _ => look.needs_condition("Ready"),
    }
}

fn claim(look: &Look<'_>, around: &Surroundings) -> Health {
    let phase = look.status.get("phase").and_then(Json::as_str).unwrap_or("Pending");
    match phase {
        "Bound" => {
            if look.condition_is("FileSystemResizePending", "True") {
                // The file system grows when a pod mounts it next.
                return Health::Ready;
            }
            if look.condition_is("Resizing", "True") {
                return look.settling("it is growing");
            }
            Health::Ready
        }
        "Lost" => look.failed("its volume is gone"),
        _ => {
            let named = look.spec("/storageClassName").and_then(Json::as_str);
            let class = named.or(around.default_class.as_deref());
            let late = class.is_some_and(|class| around.late_binding.contains(class));
            let used = look.object.reference().is_some_and(|name| {
                let key = (name.namespace.unwrap_or_default(), name.name);
                around.claims_in_use.contains(&key)
            });
            match (late && !used, class) {
                (true, _) => Health::Ready,
                (false, Some(class)) => look.settling(&format!("no volume yet (class {class})")),
                (false, None) => {
                    look.settling("no volume yet: it names no class and the cluster has no default")
                }
            }
        }
    }
}

fn phase(look: &Look<'_>, fine: &[&str]) -> Health {
    let phase = look.status.get("phase").and_then(Json::as_str).unwrap_or_default();
    if fine.contains(&phase) { Health::Ready } else { look.settling(&format!("it is {phase}")) }
}

fn crd(look: &Look<'_>) -> Health {
    if look.condition_is("NamesAccepted", "False") {
        return look.failed(&look.words_of("NamesAccepted"));
    }
    look.needs_condition("Established")
}

/// Conditions that stand for "done", the most telling first.
const GOOD: [&str; 8] = [
    "Ready",
    "Available",
    "Succeeded",
    "Healthy",
    "Established",
    "Accepted",
    "Programmed",
    "Synced",
];
/// Conditions that stand for "cannot go on".
const BAD: [&str; 3] = ["Stalled", "Failed", "Degraded"];

fn custom(look: &Look<'_>, simulated: bool) -> Health {
    let has = |key: &str| look.status.get(key).is_some();
    let known = GOOD.into_iter().find(|kind| look.condition(kind).is_some());
    if known.is_none() && simulated {
        return Health::Assumed(vec![format!(
            "{} is taken to be ready: its operator does not run here",
            look.name()
        )]);
    }
    if has("observedGeneration") && !look.is_seen() {
        return look.settling("its change is not seen yet");
    }
    if let Some(bad) = BAD.into_iter().find(|kind| look.condition_is(kind, "True")) {
        return look.failed(&look.words_of(bad));
    }
    let Some(good) = known else { return Health::Ready };
    let generation = look.object.0.pointer("/metadata/generation").and_then(Json::as_u64);
    let seen = look.condition(good).and_then(|one| one.get("observedGeneration"));
    if let (Some(generation), Some(seen)) = (generation, seen.and_then(Json::as_u64))
        && seen < generation
    {
        return look.settling("its change is not seen yet");
    }
    look.needs_condition(good)
}

/// The health of several things together: the worst counts, and progress is progress of any of them.
pub fn together(healths: impl IntoIterator<Item = Health>) -> Health {
    let mut assumed = Vec::new();
    let mut causes = Vec::new();
    let mut waits: Vec<Progress> = Vec::new();
    let mut started = false;
    for health in healths {
        match health {
            Health::Ready => {}
            Health::Assumed(what) => assumed.extend(what),
            Health::Started => started = true,
            Health::Settling(progress) => waits.push(progress),
            Health::Failed(why) => causes.extend(why),
        }
    }
    if !causes.is_empty() {
        Health::Failed(causes)
    } else if let Some(first) = waits.first() {
        let more = waits.len() - 1;
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        let mark = Digest::of_parts(waits.iter().map(|progress| progress.mark.as_str()));
        Health::Settling(Progress { waits_for: format!("{}{more}", first.waits_for), mark })
    } else if started {
        Health::Started
    } else if assumed.is_empty() {
        Health::Ready
    } else {
        Health::Assumed(assumed)
    }
}

/// The health of something that is not there.
pub fn missing(object: &ObjectRef) -> Health {
    let says = format!("{object}: not there yet");
    Health::Settling(Progress { mark: Digest::of(&says), waits_for: says })
}
