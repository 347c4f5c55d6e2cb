//! Webhooks for which nobody answers, and API groups that do not answer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::read::{condition, list, map, name, namespace, selects, text, texts};
use super::wish::{Fate, Served, Wishes};
use super::{Backend, Check, Facts, Finding, Severity};
use crate::model::{Object, ObjectRef, ResourceId};

/// Services that webhooks and API services rely on: namespace and name.
pub fn services<'a>(objects: impl Iterator<Item = &'a Object>) -> BTreeSet<(String, String)> {
    let of = |json: &Json| {
        let named = (text(json, "/namespace").to_owned(), text(json, "/name").to_owned());
        (!named.1.is_empty()).then_some(named)
    };
    let mut all = BTreeSet::new();
    for object in objects {
        let hooks = list(&object.0, "/webhooks").iter();
        let hooks = hooks.filter(|hook| text(hook, "/failurePolicy") != "Ignore");
        all.extend(hooks.filter_map(|hook| of(hook.pointer("/clientConfig/service")?)));
        all.extend(object.0.pointer("/spec/service").and_then(of));
    }
    all
}

/// Names webhooks that would refuse objects of the plan.
pub(super) fn findings(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let (Some(webhooks), Some(served)) = (&facts.webhooks, &facts.served) else {
        return Vec::new();
    };
    let mut kinds = wishes.defined();
    kinds.extend(served.iter().map(|(key, served)| (key.clone(), served.clone())));
    let labels = namespace_labels(wishes, facts);
    let mut found = Vec::new();
    for configuration in webhooks {
        for hook in list(&configuration.0, "/webhooks") {
            if text(hook, "/failurePolicy") == "Ignore" {
                continue;
            }
            let Some(service) = hook.pointer("/clientConfig/service") else { continue };
            let backend =
                (text(service, "/namespace").to_owned(), text(service, "/name").to_owned());
            let state = match facts.backends.get(&backend) {
                Some(state @ (Backend::Silent | Backend::Missing)) => *state,
                Some(Backend::Ready) | None => continue,
            };
            let mut healed = healers(wishes, &backend);
            healed.extend(removers(wishes, configuration));
            let taken: Vec<Asked<'_>> = asked(wishes)
                .filter(|asked| {
                    let key = (asked.name.api_version.clone(), asked.name.kind.clone());
                    kinds.get(&key).is_some_and(|served| takes(hook, asked, served, &labels))
                        && !healed.iter().any(|step| wishes.before(asked.step).contains(step))
                })
                .collect();
            if !taken.is_empty() {
                found.push(told(configuration, hook, &backend, state, &taken));
            }
        }
    }
    found
}

/// What a webhook may be asked about.
struct Asked<'a> {
    step: &'a ResourceId,
    name: &'a ObjectRef,
    operation: &'static str,
    labels: BTreeMap<String, String>,
}

/// All that the plan asks of the server.
fn asked<'a>(wishes: &'a Wishes<'a>) -> impl Iterator<Item = Asked<'a>> {
    let labels = |object: &Object| map(&object.0, "/metadata/labels");
    let written = wishes.moving().map(move |written| Asked {
        step: written.step,
        name: &written.name,
        operation: if written.fate == Fate::Comes { "CREATE" } else { "UPDATE" },
        labels: labels(written.object),
    });
    let gone = wishes.gone.iter().map(move |gone| Asked {
        step: gone.step,
        name: &gone.name,
        operation: "DELETE",
        labels: gone.live.map(labels).unwrap_or_default(),
    });
    written.chain(gone)
}

/// The steps of the plan that take a webhook configuration away: what goes with it or after it is not asked about.
fn removers<'a>(wishes: &Wishes<'a>, configuration: &Object) -> Vec<&'a ResourceId> {
    let name = configuration.reference();
    let removes = wishes.gone.iter().filter(|gone| Some(&gone.name) == name.as_ref());
    removes.map(|gone| gone.step).collect()
}

/// The steps of the plan that bring the Service behind a webhook or an API group.
fn healers<'a>(wishes: &Wishes<'a>, service: &(String, String)) -> Vec<&'a ResourceId> {
    let brings = wishes.written.iter().filter(|written| {
        written.name.kind == "Service"
            && written.name.namespace.as_deref() == Some(&service.0)
            && written.name.name == service.1
    });
    brings.map(|written| written.step).collect()
}

fn namespace_labels(
    wishes: &Wishes<'_>,
    facts: &Facts,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let planned = wishes.written.iter().filter(|w| w.name.kind == "Namespace").map(|w| w.object);
    let live = facts.namespaces.iter().flatten();
    let mut all = BTreeMap::new();
    for object in planned.chain(live) {
        let mut labels = map(&object.0, "/metadata/labels");
        labels.insert("kubernetes.io/metadata.name".to_owned(), name(object).to_owned());
        all.insert(name(object).to_owned(), labels);
    }
    all
}

/// Whether a webhook is asked about an object.
fn takes(
    hook: &Json,
    asked: &Asked<'_>,
    served: &Served,
    namespaces: &BTreeMap<String, BTreeMap<String, String>>,
) -> bool {
    let version = asked.name.api_version.rsplit('/').next().unwrap_or_default();
    let scope = if served.namespaced { "Namespaced" } else { "Cluster" };
    let any = |rule: &Json, pointer: &str, one: &str| {
        texts(rule, pointer).any(|text| text == "*" || text == one)
    };
    let resource = |rule: &Json| {
        texts(rule, "/resources").any(|text| matches!(text, "*" | "*/*") || text == served.plural)
    };
    let ruled = list(hook, "/rules").iter().any(|rule| {
        any(rule, "/operations", asked.operation)
            && any(rule, "/apiGroups", &served.group)
            && any(rule, "/apiVersions", version)
            && resource(rule)
            && (matches!(text(rule, "/scope"), "" | "*") || text(rule, "/scope") == scope)
    });
    let own = BTreeMap::new();
    let of_namespace = match &asked.name.namespace {
        Some(namespace) => namespaces.get(namespace).unwrap_or(&own),
        // A namespace is selected by its own labels.
        None if asked.name.kind == "Namespace" => &asked.labels,
        None => return ruled && selects(hook.get("objectSelector"), &asked.labels),
    };
    ruled
        && selects(hook.get("namespaceSelector"), of_namespace)
        && selects(hook.get("objectSelector"), &asked.labels)
}

fn told(
    configuration: &Object,
    hook: &Json,
    backend: &(String, String),
    state: Backend,
    taken: &[Asked<'_>],
) -> Finding {
    // Conditions are written in a language that only the API server speaks.
    let certain = list(hook, "/matchConditions").is_empty();
    let severity = if certain { Severity::Blocking } else { Severity::Warning };
    let kind = configuration.kind();
    let called = name(configuration);
    let what = format!(
        "webhook {} ({kind} {called}) would refuse objects of the plan",
        text(hook, "/name")
    );
    let why = match state {
        Backend::Missing => format!("its Service {}/{} does not exist", backend.0, backend.1),
        Backend::Silent | Backend::Ready => {
            format!("nobody answers for its Service {}/{}", backend.0, backend.1)
        }
    };
    let names: Vec<_> = taken.iter().take(4).map(|asked| asked.name.to_string()).collect();
    let more =
        if taken.len() > 4 { format!(" and {} more", taken.len() - 4) } else { String::new() };
    Finding::new(Check::Webhooks, severity, what)
        .about(taken.iter().map(|asked| asked.step))
        .because(why)
        .because(format!("it is asked about {}{more}", names.join(", ")))
        .todo(format!(
            "bring back what answers for it; if its program is gone for good, remove what it left:\n    kubectl delete {} {called}",
            kind.to_lowercase()
        ))
}

/// Names API groups that do not answer: discovery is slow and incomplete, and no namespace can be deleted.
pub(super) fn api_services(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let broken = facts.api_services.iter().flatten().filter_map(|service| {
        let available = condition(service, "Available")?;
        (text(available, "/status") == "False").then_some((service, available))
    });
    broken.map(|(service, available)| broken_group(wishes, service, available)).collect()
}

fn broken_group(wishes: &Wishes<'_>, service: &Object, available: &Json) -> Finding {
    let (group, version) = (text(&service.0, "/spec/group"), text(&service.0, "/spec/version"));
    let at = service.0.pointer("/spec/service").unwrap_or(&Json::Null);
    let backend = (text(at, "/namespace").to_owned(), text(at, "/name").to_owned());
    let healed = healers(wishes, &backend);
    let api_version = format!("{group}/{version}");
    let mut steps: BTreeSet<&ResourceId> = wishes
        .written
        .iter()
        .filter(|written| written.name.api_version == api_version)
        .filter(|written| !healed.iter().any(|step| wishes.before(written.step).contains(step)))
        .map(|written| written.step)
        .collect();
    let gone = wishes.gone.iter().filter(|gone| gone.name.kind == "Namespace");
    if wishes.deletes_namespaces() && healed.is_empty() {
        steps.extend(gone.map(|gone| gone.step));
    }
    let severity = if steps.is_empty() { Severity::Warning } else { Severity::Blocking };
    let called = name(service);
    let says = text(available, "/message");
    Finding::new(
        Check::ApiServices,
        severity,
        format!("API service {called} does not answer; no namespace can be deleted until it does"),
    )
    .about(steps)
    .because(if says.is_empty() { text(available, "/reason") } else { says })
    .todo(format!(
        "bring back what serves it, or remove what it left:\n    kubectl delete apiservice {called}"
    ))
}

/// The state of a Service from its existence and its endpoint slices.
pub fn backend(exists: bool, slices: &[Object], service: &(String, String)) -> Backend {
    if !exists {
        return Backend::Missing;
    }
    let ready = slices
        .iter()
        .filter(|slice| namespace(slice) == service.0)
        .filter(|slice| slice.label("kubernetes.io/service-name") == Some(&service.1))
        .flat_map(|slice| list(&slice.0, "/endpoints"))
        .any(|endpoint| endpoint.pointer("/conditions/ready") != Some(&Json::Bool(false)));
    if ready { Backend::Ready } else { Backend::Silent }
}
