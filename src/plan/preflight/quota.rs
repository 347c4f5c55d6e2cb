//! Quotas and limits of namespaces against what a plan brings into them.

use std::collections::BTreeMap;

use super::pod::{Count, Workload, workloads};
use super::quantity::{Amounts, add, amounts, of_json, parse, shown};
use super::read::{list, name, namespace, text};
use super::wish::{Fate, Wishes, Written};
use super::{Check, Facts, Finding, Severity};
use crate::model::{Object, ResourceId};

/// Judges quotas and limit ranges.
pub(super) fn findings(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let ranges = facts.limit_ranges.as_deref().unwrap_or_default();
    let workloads = workloads(wishes, ranges, &facts.runtime_classes);
    let mut found = Vec::new();
    for quota in facts.quotas.iter().flatten() {
        // Quotas of a scope count some pods only, and which ones Kubernetes decides.
        let scoped = quota.0.pointer("/spec/scopeSelector").is_some()
            || !list(&quota.0, "/spec/scopes").is_empty();
        if !scoped {
            found.extend(exceeded(wishes, &workloads, facts, quota));
        }
    }
    for range in ranges {
        found.extend(limited(&workloads, range));
    }
    found
}

/// The pods that come beside those there are: a workload that changes replaces its own.
fn pods_that_come(workload: &Workload<'_>, wishes: &Wishes<'_>) -> i128 {
    let comes = wishes
        .written
        .iter()
        .any(|written| written.name == workload.name && written.fate == Fate::Comes);
    match workload.count {
        Count::Of(pods) if comes && workload.name.kind != "CronJob" => {
            i128::try_from(pods).unwrap_or(i128::MAX)
        }
        Count::Of(_) | Count::EachNode => 0,
    }
}

fn exceeded(
    wishes: &Wishes<'_>,
    workloads: &[Workload<'_>],
    facts: &Facts,
    quota: &Object,
) -> Vec<Finding> {
    let here = namespace(quota);
    let hard = amounts(quota.0.pointer("/status/hard").or(quota.0.pointer("/spec/hard")));
    let used = amounts(quota.0.pointer("/status/used"));
    let inside: Vec<&Workload<'_>> = workloads
        .iter()
        .filter(|workload| workload.name.namespace.as_deref() == Some(here))
        .collect();
    let mut asked = Amounts::new();
    for workload in &inside {
        let pods = pods_that_come(workload, wishes);
        for (resource, amount) in &workload.shape.asks {
            let amount = amount.saturating_mul(pods);
            let key =
                if resource == "pods" { resource.clone() } else { format!("requests.{resource}") };
            *asked.entry(key).or_default() += amount;
            if matches!(resource.as_str(), "cpu" | "memory" | "ephemeral-storage") {
                *asked.entry(resource.clone()).or_default() += amount;
            }
        }
        for (resource, amount) in &workload.shape.limits {
            *asked.entry(format!("limits.{resource}")).or_default() += amount.saturating_mul(pods);
        }
    }
    let comes = |written: &&Written<'_>| {
        written.fate == Fate::Comes
            && written.name.namespace.as_deref() == Some(here)
            && !written.hook
    };
    for written in wishes.written.iter().filter(comes) {
        add(&mut asked, &counted(written, facts));
    }
    let mut found = Vec::new();
    for (resource, most) in &hard {
        let wants = asked.get(resource).copied().unwrap_or_default();
        let left = (most - used.get(resource).copied().unwrap_or_default()).max(0);
        if wants > left {
            let what = format!(
                "quota {here}/{} leaves {} of {resource}, and the plan asks for {}",
                name(quota),
                shown(resource, left),
                shown(resource, wants)
            );
            found.push(
                Finding::new(Check::Quotas, Severity::Blocking, what)
                    .about(steps_in(wishes, here))
                    .because(format!("it allows {} in all", shown(resource, *most)))
                    .todo("raise the quota, or let the components ask for less"),
            );
        }
        found.extend(silent(&inside, quota, resource));
    }
    found
}

fn steps_in<'a>(wishes: &Wishes<'a>, namespace: &str) -> Vec<&'a ResourceId> {
    let inside = wishes.moving().filter(|w| w.name.namespace.as_deref() == Some(namespace));
    inside.map(|written| written.step).collect()
}

/// A quota of requests or limits refuses pods that do not say what they ask for.
fn silent(workloads: &[&Workload<'_>], quota: &Object, resource: &str) -> Option<Finding> {
    let key = match resource {
        "cpu" | "memory" => format!("requests.{resource}"),
        other => other.to_owned(),
    };
    let names = |workload: &&&Workload<'_>| {
        workload.shape.silent.contains_key(&key)
            && workload.shape.spec.pointer("/resources").is_none()
    };
    let mute: Vec<_> = workloads.iter().filter(names).collect();
    let first = mute.first()?;
    let containers = first.shape.silent.get(&key)?.join(", ");
    let what = format!(
        "quota {}/{} wants {key} of every container, and some say nothing",
        namespace(quota),
        name(quota)
    );
    let more =
        if mute.len() > 1 { format!("; and {} more", mute.len() - 1) } else { String::new() };
    Some(
        Finding::new(Check::Quotas, Severity::Blocking, what)
            .about(mute.iter().map(|workload| workload.step))
            .because(format!("{}: {containers}{more}", first.name))
            .todo("set resources for them, or add a LimitRange with defaults to the namespace"),
    )
}

/// What a new object counts for in quotas of objects and storage.
fn counted(written: &Written<'_>, facts: &Facts) -> Amounts {
    let json = &written.object.0;
    let mut counts = Amounts::new();
    let mut one = |key: String, amount: i128| *counts.entry(key).or_default() += amount;
    let key = (written.name.api_version.clone(), written.name.kind.clone());
    if let Some(served) = facts.served.as_ref().and_then(|served| served.get(&key)) {
        if served.group.is_empty() {
            one(served.plural.clone(), 1_000);
            one(format!("count/{}", served.plural), 1_000);
        } else {
            one(format!("count/{}.{}", served.plural, served.group), 1_000);
        }
    }
    let storage = |claim: &serde_json::Value| {
        claim.pointer("/spec/resources/requests/storage").and_then(of_json).unwrap_or_default()
    };
    match written.name.kind.as_str() {
        // Pods are counted with those that workloads bring.
        "Pod" => drop(counts.remove("pods")),
        "Service" => match text(json, "/spec/type") {
            "LoadBalancer" => {
                one("services.loadbalancers".to_owned(), 1_000);
                one("services.nodeports".to_owned(), 1_000);
            }
            "NodePort" => one("services.nodeports".to_owned(), 1_000),
            _ => {}
        },
        "PersistentVolumeClaim" => one("requests.storage".to_owned(), storage(json)),
        "StatefulSet" => {
            let replicas = super::read::number(json, "/spec/replicas").unwrap_or(1);
            for template in list(json, "/spec/volumeClaimTemplates") {
                one("persistentvolumeclaims".to_owned(), i128::from(replicas) * 1_000);
                one("requests.storage".to_owned(), i128::from(replicas) * storage(template));
            }
        }
        _ => {}
    }
    counts
}

/// Pods and containers that a `LimitRange` refuses.
fn limited(workloads: &[Workload<'_>], range: &Object) -> Vec<Finding> {
    let here = namespace(range);
    let mut found = Vec::new();
    let inside = workloads.iter().filter(|w| w.name.namespace.as_deref() == Some(here));
    for workload in inside {
        let shape = &workload.shape;
        for limit in list(&range.0, "/spec/limits") {
            let kind = text(limit, "/type");
            let (most, least) = (bounds(limit, "max"), bounds(limit, "min"));
            let asked: Vec<(String, &Amounts, &Amounts)> = match kind {
                "Container" => shape
                    .containers
                    .iter()
                    .map(|(name, asks, limits)| (format!("container {name}"), asks, limits))
                    .collect(),
                "Pod" => vec![("the pod".to_owned(), &shape.asks, &shape.limits)],
                _ => Vec::new(),
            };
            for (who, asks, limits) in asked {
                let over = most.iter().find(|(resource, most)| {
                    let asked = limits.get(*resource).or(asks.get(*resource));
                    asked.is_some_and(|asked| asked > *most)
                });
                let under = least.iter().find(|(resource, least)| {
                    asks.get(*resource).is_some_and(|asked| asked < *least)
                });
                for ((resource, bound), word) in
                    over.map(|b| (b, "at most")).into_iter().chain(under.map(|b| (b, "at least")))
                {
                    let what = format!(
                        "LimitRange {here}/{} allows {word} {resource} {} a {}",
                        name(range),
                        shown(resource, *bound),
                        kind.to_lowercase()
                    );
                    let asked = limits.get(resource).or(asks.get(resource)).copied();
                    let asked = shown(resource, asked.unwrap_or_default());
                    found.push(
                        Finding::new(Check::Quotas, Severity::Blocking, what)
                            .about([workload.step])
                            .because(format!("{}: {who} has {resource} {asked}", workload.name))
                            .todo("let the component ask for what is allowed, or change the LimitRange"),
                    );
                }
            }
        }
    }
    found
}

fn bounds(limit: &serde_json::Value, key: &str) -> BTreeMap<String, i128> {
    super::read::map(limit, &format!("/{key}"))
        .into_iter()
        .filter_map(|(name, text)| Some((name, parse(&text)?)))
        .collect()
}
