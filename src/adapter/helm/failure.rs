//! What Helm says when it fails, turned into what could not be done, why, and what to do.

use crate::adapter::process::ProcessError;
use crate::model::{Failure, FailureKind};

/// A failure of Helm, and whether another try may go well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelmFailure {
    /// What, why and what to do.
    pub failure: Failure,
    /// Whether another try may go well.
    pub transient: bool,
}

/// Words of trouble that passes.
const PASSING: [&str; 13] = [
    "connection refused",
    "connection reset",
    "i/o timeout",
    "TLS handshake timeout",
    "http2: client connection lost",
    "unexpected EOF",
    "etcdserver:",
    "too many requests",
    "the server is currently unable to handle the request",
    "Internal error occurred: failed calling webhook",
    "cluster reachability check failed",
    "Kubernetes cluster unreachable",
    "the object has been modified",
];

/// Explains why Helm failed at `what`.
pub fn explain(what: &str, error: &ProcessError) -> HelmFailure {
    let permanent = |failure| HelmFailure { failure, transient: false };
    match error {
        ProcessError::Status { says, .. } => {
            let said = said(says);
            let transient = PASSING.iter().any(|words| said.contains(words));
            HelmFailure { failure: failure(what, &said, transient), transient }
        }
        ProcessError::Start { .. } => {
            let failure = Failure::new(FailureKind::Preflight, what).caused_by(error);
            permanent(failure.hint("get helm 4 with:\n    datamill tools install"))
        }
        ProcessError::Deadline { .. } => {
            permanent(Failure::new(FailureKind::NotReady, what).caused_by(error))
        }
        ProcessError::Stopped { .. } => {
            permanent(Failure::new(FailureKind::Interrupted, what).caused_by(error))
        }
    }
}

/// Helm's error without warnings and log lines before it, and without its prefixes.
fn said(says: &str) -> String {
    let from = says.rfind("\nError: ").map_or(0, |at| at + 1);
    let mut text = says.get(from..).unwrap_or(says).trim();
    text = text.strip_prefix("Error: ").unwrap_or(text);
    for prefix in ["INSTALLATION FAILED: ", "UPGRADE FAILED: "] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.replace("\n\nUse --debug flag to render out invalid YAML", "").trim().to_owned()
}

fn failure(what: &str, said: &str, transient: bool) -> Failure {
    let rules: [fn(&str, &str) -> Option<Failure>; 9] = [
        schema,
        template,
        kube_version,
        missing_dependency,
        terminating,
        conflict,
        foreign,
        hook,
        rejected,
    ];
    rules.iter().find_map(|rule| rule(what, said)).unwrap_or_else(|| {
        let kind = if transient { FailureKind::Preflight } else { FailureKind::Partial };
        let failure = Failure::new(kind, what).because(said);
        if said.contains("failed calling webhook") {
            let hint =
                "that webhook does not answer: mend what it runs in, or delete its configuration";
            return failure.hint(hint);
        }
        failure
    })
}

/// The text between two others.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(inner, _)| inner)
}

/// `values don't meet the specifications of the schema(s) …: - at '/replicas': got string, want integer`.
fn schema(what: &str, said: &str) -> Option<Failure> {
    said.contains("values don't meet the specifications of the schema").then(|| {
        let mut failure = Failure::new(FailureKind::Usage, what);
        for line in said.lines().filter(|line| line.trim_start().starts_with("- at ")) {
            let line = line.trim_start().trim_start_matches("- at ");
            let (key, reason) = line.split_once(": ").unwrap_or((line, ""));
            let key = key.trim_matches('\'').trim_start_matches('/').replace('/', ".");
            let key = if key.is_empty() { "the values".to_owned() } else { format!("`{key}`") };
            failure = failure.because(format!("{key}: {reason}"));
        }
        if failure.causes.is_empty() {
            failure = failure.because(said);
        }
        failure.hint("the chart's own schema refuses these values")
    })
}

/// `template: chart/templates/x.yaml:3:5: executing …`, `execution error at (chart/templates/x.yaml:3:5): …`,
/// `YAML parse error on chart/templates/x.yaml: …`, `parse error at (…)`.
fn template(what: &str, said: &str) -> Option<Failure> {
    let usage = |place: &str, says: &str| {
        Failure::new(FailureKind::Usage, what).because(format!("`{place}`: {says}"))
    };
    if let Some((_, rest)) = said.split_once("YAML parse error on ") {
        let (place, says) = rest.split_once(": ").unwrap_or((rest, "not YAML"));
        return Some(usage(place, says));
    }
    for words in ["execution error at (", "parse error at ("] {
        if let Some((_, rest)) = said.split_once(words) {
            let (place, says) = rest.split_once("): ").unwrap_or((rest, ""));
            return Some(usage(place, says.trim()));
        }
    }
    if let Some((_, rest)) = said.split_once("template: ") {
        let (place, says) = rest.split_once(": ").unwrap_or((rest, ""));
        if place.contains('/') && !place.contains(' ') {
            return Some(usage(place, says.trim()));
        }
    }
    // `chart/templates/x.yaml:4:20`, then lines of what was executed; of nested templates the last is where it happened.
    let lines: Vec<_> = said.lines().map(str::trim).collect();
    let first = lines.first().filter(|line| line.contains("/templates/") && !line.contains(' '))?;
    let last = lines.last().filter(|_| said.contains("executing ")).copied().unwrap_or_default();
    let at = lines.iter().rev().find_map(|line| between(line, " at <", ">"));
    let at = at.map_or(String::new(), |at| format!("at `{at}`: "));
    Some(usage(first, &format!("{at}{last}")))
}

fn kube_version(what: &str, said: &str) -> Option<Failure> {
    let wants = between(said, "chart requires kubeVersion: ", " which is incompatible with ")?;
    let has = said.rsplit(' ').next().unwrap_or_default();
    let cause = format!("the chart wants Kubernetes `{wants}`, and the cluster has `{has}`");
    Some(Failure::new(FailureKind::Preflight, what).because(cause))
}

fn missing_dependency(what: &str, said: &str) -> Option<Failure> {
    let names = between(said, "found in Chart.yaml, but missing in charts/ directory: ", "\n")
        .or_else(|| said.split_once("missing in charts/ directory: ").map(|(_, names)| names))?;
    let cause = format!("its folder `charts/` lacks `{}`", names.trim());
    let hint = "get them with:\n    helm dependency build CHART";
    Some(Failure::new(FailureKind::Usage, what).because(cause).hint(hint))
}

fn terminating(what: &str, said: &str) -> Option<Failure> {
    let (before, _) = said.split_once(" is being terminated")?;
    let before = before.strip_suffix(" because it").unwrap_or(before);
    let (_, name) = before.rsplit_once("namespace ")?;
    let cause = format!("namespace `{name}` is being deleted");
    let hint = format!("see what holds it up:\n    kubectl describe namespace {name}");
    Some(Failure::new(FailureKind::Preflight, what).because(cause).hint(hint))
}

/// `conflict occurred while applying object ns/name apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with "x" …`.
fn conflict(what: &str, said: &str) -> Option<Failure> {
    if !said.contains("Apply failed with ") {
        return None;
    }
    let object = between(said, "while applying object ", ": ").unwrap_or("an object");
    let managers: Vec<_> = said
        .split("conflict with \"")
        .chain(said.split("conflicts with \""))
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(name, _)| name))
        .filter(|name| !name.contains('\n') && !name.contains(' '))
        .collect();
    let fields: Vec<_> = said
        .split_whitespace()
        .filter(|word| word.starts_with('.'))
        .map(|word| word.trim_end_matches([',', ':']))
        .collect();
    let cause = format!("{object}: fields {} are held by {}", list(&fields), list(&managers));
    let hint = "look again, and approve that they are taken back:\n    datamill plan";
    Some(Failure::new(FailureKind::Stale, what).because(cause).hint(hint))
}

fn list(words: &[&str]) -> String {
    let mut words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.sort();
    words.dedup();
    if words.is_empty() { "(unnamed)".to_owned() } else { words.join(", ") }
}

/// `X "name" in namespace "ns" exists and cannot be imported into the current release: invalid ownership metadata; …`.
fn foreign(what: &str, said: &str) -> Option<Failure> {
    let (object, _) = said.split_once(" exists and cannot be imported into the current release")?;
    let object = object.rsplit(": ").next().unwrap_or(object);
    let owner = between(said, "current value is \"", "\"");
    let owner = owner.map_or(String::new(), |owner| format!(" and belongs to release `{owner}`"));
    let cause = format!("{object} is there already{owner}");
    Some(Failure::new(FailureKind::Foreign, what).because(cause))
}

/// `failed pre-install: …: resource Job/ns/name not ready. status: InProgress, …: context deadline exceeded`, or `… Job Failed`.
fn hook(what: &str, said: &str) -> Option<Failure> {
    const EVENTS: [&str; 6] =
        ["pre-install", "post-install", "pre-upgrade", "post-upgrade", "pre-delete", "post-delete"];
    let event = EVENTS.into_iter().find(|event| {
        said.contains(&format!("failed {event}")) || said.contains(&format!("{event} hooks failed"))
    })?;
    let job = between(said, "resource ", " not ready").or_else(|| {
        let at = said.find("Job/")?;
        said.get(at..)?.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':')).next()
    });
    let late = said.contains("deadline exceeded") || said.contains("timed out");
    let kind = if late { FailureKind::NotReady } else { FailureKind::Partial };
    let (name, how) =
        (job.unwrap_or("a hook"), if late { "did not end in time" } else { "failed" });
    let mut failure =
        Failure::new(kind, what).because(format!("{name} of the chart's {event} hooks {how}"));
    failure = failure.because(said);
    Some(match job.and_then(|job| job.strip_prefix("Job/")).and_then(|job| job.split_once('/')) {
        Some((namespace, name)) => {
            failure.hint(format!("see why:\n    kubectl logs -n {namespace} job/{name}"))
        }
        None => failure,
    })
}

/// `X "name" is invalid: spec.x: Invalid value: …`, `… field is immutable`, `no matches for kind`, `denied the request`.
fn rejected(what: &str, said: &str) -> Option<Failure> {
    let preflight = |cause: &str| Failure::new(FailureKind::Preflight, what).because(cause);
    if said.contains("unable to decode") || said.contains("cannot unmarshal") {
        let failure = Failure::new(FailureKind::Usage, what);
        return Some(failure.because(format!("the chart renders what is no object: {said}")));
    }
    if let Some(name) = between(said, "namespaces \"", "\" not found") {
        return Some(preflight(&format!("namespace `{name}` is not there")));
    }
    if let Some(kind) = between(said, "no matches for kind \"", "\"") {
        let version = between(said, "in version \"", "\"").unwrap_or_default();
        let cause = format!("the cluster does not know `{kind}` of `{version}`");
        return Some(
            preflight(&cause).hint("its CRDs are missing, or the chart is for another version"),
        );
    }
    if said.contains("field is immutable")
        || said.contains("may not change once set")
        || said.contains("updates to statefulset spec")
    {
        return Some(preflight(said).hint(
            "the field cannot change in place: uninstall the instance and install it anew (its data stays)",
        ));
    }
    if said.contains("denied the request") {
        return Some(preflight(&format!("the API server refuses it: {said}")).hint(
            "a policy of this cluster refuses it: change what it objects to, or ask whoever runs the cluster",
        ));
    }
    let refused = [
        " is invalid: ",
        " is forbidden: ",
        "failed to create typed patch object",
        "field not declared in schema",
        "strict decoding error",
        "the server rejected",
        "in version \"v",
    ];
    refused
        .iter()
        .any(|words| said.contains(words))
        .then(|| preflight(&format!("the API server refuses it: {said}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(says: &str) -> HelmFailure {
        let error = ProcessError::Status {
            program: "helm upgrade".to_owned(),
            status: "exit status: 1".to_owned(),
            code: Some(1),
            says: says.to_owned(),
        };
        explain("cannot install release `r`", &error)
    }

    #[test]
    fn what_helm_says_becomes_a_cause_and_a_kind() {
        let cases = [
            (
                "Error: INSTALLATION FAILED: template: c/templates/x.yaml:3:5: executing \"c/templates/x.yaml\" at <.a>: nil pointer",
                FailureKind::Usage,
                "`c/templates/x.yaml:3:5`",
            ),
            (
                "level=ERROR msg=x\nError: execution error at (c/templates/x.yaml:1:4): need a name",
                FailureKind::Usage,
                "need a name",
            ),
            (
                "Error: YAML parse error on c/templates/x.yaml: error converting YAML to JSON: yaml: line 2: bad",
                FailureKind::Usage,
                "line 2",
            ),
            (
                "Error: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n- at '/a/replicas': got string, want integer",
                FailureKind::Usage,
                "`a.replicas`: got string",
            ),
            (
                "Error: chart requires kubeVersion: >=1.99.0 which is incompatible with Kubernetes v1.35.4",
                FailureKind::Preflight,
                ">=1.99.0",
            ),
            (
                "Error: UPGRADE FAILED: conflict occurred while applying object ns/d apps/v1, Kind=Deployment: Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas",
                FailureKind::Stale,
                "`.spec.replicas` are held by `kubectl`",
            ),
            (
                "Error: unable to continue with install: ConfigMap \"x\" in namespace \"n\" exists and cannot be imported into the current release: invalid ownership metadata; annotation validation error: key \"meta.helm.sh/release-name\" must equal \"a\": current value is \"b\"",
                FailureKind::Foreign,
                "belongs to release `b`",
            ),
            (
                "Error: configmaps \"x\" is forbidden: unable to create new content in namespace n because it is being terminated: namespace n is being terminated",
                FailureKind::Preflight,
                "namespace `n` is being deleted",
            ),
            (
                "Error: Deployment.apps \"x\" is invalid: spec.selector: Invalid value: ...: field is immutable",
                FailureKind::Preflight,
                "immutable",
            ),
            (
                "Error: unable to build kubernetes objects from release manifest: resource mapping not found for name: \"x\" namespace: \"\" from \"\": no matches for kind \"Kafka\" in version \"k/v1\"",
                FailureKind::Preflight,
                "does not know `Kafka`",
            ),
        ];
        for (says, kind, part) in cases {
            let explained = explained(says);
            assert_eq!(explained.failure.kind, kind, "{says}");
            assert!(explained.failure.causes.join("\n").contains(part), "{:?}", explained.failure);
            assert!(!explained.transient, "{says}");
        }
    }

    #[test]
    fn trouble_that_passes_is_transient() {
        assert!(
            explained("Error: Kubernetes cluster unreachable: dial tcp: connection refused")
                .transient
        );
        assert!(!explained("Error: something else").transient);
    }
}
