//! What is wrong with a container, from its status and what was said about it.

use serde_json::Value as Json;

use super::{Evidence, Link, image, is_about, text, when};
use crate::model::{Object, ObjectRef};

/// A container's log that tells more.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Log {
    /// The pod.
    pub pod: ObjectRef,
    /// The container.
    pub container: String,
    /// Whether it is told by the container before this one: it ended, and was started again since.
    pub previous: bool,
    /// The Secrets that the pod uses, by name: what they hold must not be shown.
    pub secrets: Vec<String>,
}

/// A container of a pod under examination.
struct Look<'a> {
    pod: &'a Object,
    evidence: &'a Evidence,
    status: &'a Json,
    init: bool,
}

/// The trouble of the first container that has any: init containers come first, as they run first.
pub(super) fn trouble(pod: &Object, evidence: &Evidence) -> Option<Link> {
    let list = |key: &str| {
        let statuses = pod.0.pointer(&format!("/status/{key}")).and_then(Json::as_array);
        statuses.into_iter().flatten()
    };
    let init = list("initContainerStatuses").map(|status| (status, true));
    let mut all = init.chain(list("containerStatuses").map(|status| (status, false)));
    all.find_map(|(status, init)| Look { pod, evidence, status, init }.trouble())
}

impl Look<'_> {
    fn field(&self, pointer: &str) -> &str {
        self.status.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
    }

    fn number(&self, pointer: &str) -> Option<u64> {
        self.status.pointer(pointer).and_then(Json::as_u64)
    }

    /// `container x`, `init container x`.
    fn name(&self) -> String {
        let word = if self.init { "init container" } else { "container" };
        format!("{word} {}", self.field("/name"))
    }

    fn link(&self, says: impl Into<String>) -> Link {
        Link::of(self.pod, says)
    }

    /// Its part of the pod's specification.
    fn spec(&self) -> Option<&Json> {
        let at = if self.init { "/spec/initContainers" } else { "/spec/containers" };
        let all = self.pod.0.pointer(at)?.as_array()?;
        all.iter().find(|one| one.get("name").and_then(Json::as_str) == Some(self.field("/name")))
    }

    fn trouble(&self) -> Option<Link> {
        let reason = self.field("/state/waiting/reason");
        let message = self.field("/state/waiting/message");
        if image::REASONS.contains(&reason) {
            let said = self.pull_failure().unwrap_or(message);
            let (says, remedy) = image::explain(self.field("/image"), reason, said);
            return Some(self.link(says).remedy(remedy));
        }
        match reason {
            "CreateContainerConfigError" => {
                let says = format!("{} cannot start: {message}", self.name());
                let remedy =
                    "create the Secret, ConfigMap or key that it names, or correct the name";
                return Some(self.link(says).remedy(remedy));
            }
            "CreateContainerError" | "RunContainerError" | "PostStartHookError" | "StartError" => {
                let said = if message.is_empty() { reason } else { message };
                let remedy = "check its command, its mounts and its user";
                return Some(
                    self.link(format!("{} cannot start: {said}", self.name())).remedy(remedy),
                );
            }
            "CrashLoopBackOff" => return Some(self.ended("/lastState/terminated", false)),
            _ => {}
        }
        if self.number("/state/terminated/exitCode").is_some_and(|code| code != 0) {
            return Some(self.ended("/state/terminated", false));
        }
        let ready = self.status.get("ready") == Some(&Json::Bool(true));
        if self.init || ready || self.status.pointer("/state/running").is_none() {
            return None;
        }
        let crashed = self.number("/lastState/terminated/exitCode").is_some_and(|code| code != 0);
        match (self.probe(), crashed) {
            (Some(link), false) => Some(link),
            (_, true) => Some(self.ended("/lastState/terminated", true)),
            (None, false) => None,
        }
    }

    /// The runtime's words; while the kubelet backs off, the status says only that it does.
    fn pull_failure(&self) -> Option<&str> {
        let failed = self.evidence.warnings.iter().filter(|event| {
            is_about(event, self.pod)
                && self.is_meant(event)
                && text(event, "/reason") == "Failed"
                && text(event, "/message").starts_with("Failed to pull image")
        });
        Some(text(failed.max_by_key(|event| when(event))?, "/message"))
    }

    fn is_meant(&self, event: &Object) -> bool {
        let path = text(event, "/involvedObject/fieldPath");
        path.is_empty() || path.ends_with(&format!("{{{}}}", self.field("/name")))
    }

    /// It ended with an error; `anew` when it was started again since.
    fn ended(&self, at: &str, anew: bool) -> Link {
        let field = |key: &str| self.field(&format!("{at}/{key}"));
        let restarts = self.number("/restartCount").unwrap_or_default();
        // The first end is no restart.
        let ends = if anew { restarts } else { restarts + 1 };
        let times = if ends > 1 { format!(" {ends} times") } else { String::new() };
        let name = self.name();
        let (says, remedy) = if field("reason") == "OOMKilled" {
            let limit =
                self.spec().and_then(|spec| spec.pointer("/resources/limits/memory")?.as_str());
            let most = limit.map_or(String::new(), |limit| format!(", which is {limit}"));
            (
                format!(
                    "{name} was killed{times}: it took more memory than its limit{most} (OOMKilled)"
                ),
                Some(format!("raise resources.limits.memory of {name}, or let it need less")),
            )
        } else {
            let code = self.number(&format!("{at}/exitCode"));
            let last = if ends > 1 { ", at last" } else { "" };
            let code = code.map_or(String::new(), |code| format!("{last} with exit code {code}"));
            let message = match (field("message"), field("reason")) {
                ("", "" | "Error") => String::new(),
                ("", reason) => format!(": {reason}"),
                (message, _) => format!(": {}", message.trim()),
            };
            (format!("{name} ended{times}{code}{message}"), self.killed_by_probe())
        };
        let link = self.link(says).log(self.log(anew));
        match remedy {
            Some(remedy) => link.remedy(remedy),
            None => link,
        }
    }

    /// A container that is ended by its own probe ends with the code of a signal.
    fn killed_by_probe(&self) -> Option<String> {
        let says = self.evidence.warned(self.pod, &["Unhealthy"])?;
        let kind = ["Liveness", "Startup"].into_iter().find(|kind| says.starts_with(kind))?;
        Some(format!(
            "its {} probe ended it ({says}): mend what it asks, or give it more time",
            kind.to_lowercase()
        ))
    }

    /// It runs, and a probe does not pass.
    fn probe(&self) -> Option<Link> {
        let about = |event: &&Object| {
            is_about(event, self.pod)
                && text(event, "/reason") == "Unhealthy"
                && self.is_meant(event)
        };
        let newest = self.evidence.warnings.iter().filter(about).max_by_key(|event| when(event));
        let says = newest.map(|event| text(event, "/message"));
        let started = self.status.get("started") != Some(&Json::Bool(false));
        let key = if started { "readinessProbe" } else { "startupProbe" };
        let probe = self.spec()?.get(key)?;
        let word = if started { "readiness" } else { "startup" };
        let said = match says {
            Some(says) => says.trim(),
            None => "it has not passed yet",
        };
        let says = format!(
            "{} runs, and its {word} probe ({}) does not pass: {said}",
            self.name(),
            asks(probe)
        );
        let remedy = format!(
            "see why {} does not answer its {word} probe, or correct the probe",
            self.name()
        );
        Some(self.link(says).remedy(remedy).log(self.log(false)))
    }

    fn log(&self, previous: bool) -> Log {
        let pod = self.pod.reference().unwrap_or_else(|| ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: None,
            name: String::new(),
        });
        Log { pod, container: self.field("/name").to_owned(), previous, secrets: secrets(self.pod) }
    }
}

/// What a probe does: `GET /ready on port 8080 every 10 s`.
fn asks(probe: &Json) -> String {
    let field = |pointer: &str| match probe.pointer(pointer) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        Some(Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_)) | None => String::new(),
    };
    let what = if probe.get("httpGet").is_some() {
        format!("GET {} on port {}", field("/httpGet/path"), field("/httpGet/port"))
    } else if probe.get("tcpSocket").is_some() {
        format!("TCP port {}", field("/tcpSocket/port"))
    } else if probe.get("grpc").is_some() {
        format!("gRPC port {}", field("/grpc/port"))
    } else {
        let words = probe.pointer("/exec/command").and_then(Json::as_array);
        let words: Vec<&str> = words.into_iter().flatten().filter_map(Json::as_str).collect();
        format!("command {}", words.join(" "))
    };
    match field("/periodSeconds").as_str() {
        "" => what,
        period => format!("{what} every {period} s"),
    }
}

/// The Secrets of a pod's namespace that its containers see.
fn secrets(pod: &Object) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    let lists = ["/spec/containers", "/spec/initContainers", "/spec/volumes"];
    let all = lists.iter().filter_map(|at| pod.0.pointer(at)?.as_array()).flatten();
    for one in all {
        named(one, &mut found);
    }
    found.into_iter().collect()
}

/// Everything that names a Secret, however deep: `secretKeyRef`, `secretRef`, `secret` of a volume or projection.
fn named(json: &Json, found: &mut std::collections::BTreeSet<String>) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                if matches!(key.as_str(), "secretKeyRef" | "secretRef" | "secret") {
                    let name = value.get("name").or(value.get("secretName"));
                    found.extend(name.and_then(Json::as_str).map(str::to_owned));
                }
                named(value, found);
            }
        }
        Json::Array(list) => list.iter().for_each(|one| named(one, found)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}
