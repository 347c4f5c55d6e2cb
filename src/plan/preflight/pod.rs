//! The pods that a plan brings: how many, what each asks for, and where it may run.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::quantity::{Amounts, add, amounts, larger};
use super::read::{list, map, number, selects, text};
use super::wish::{Wishes, Written};
use crate::model::{Object, ObjectRef, ResourceId};

/// How many pods a workload has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// So many.
    Of(usize),
    /// One on each node that it may run on.
    EachNode,
}

/// What a pod asks for and where it may run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// Requests of the whole pod, `pods` included.
    pub(super) asks: Amounts,
    /// Limits of the whole pod.
    pub(super) limits: Amounts,
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
    /// Its specification, for selectors, affinity and tolerations.
    pub(super) spec: Json,
    /// Topology keys by which its pods keep apart from one another.
    pub(super) apart: Vec<String>,
    /// Containers that ask for nothing of a resource, by resource.
    pub(super) silent: BTreeMap<String, Vec<String>>,
    /// What each container asks for: name, requests, limits.
    pub(super) containers: Vec<(String, Amounts, Amounts)>,
}

/// Something of the plan that runs pods.
#[derive(Debug, Clone)]
pub(super) struct Workload<'a> {
    pub(super) step: &'a ResourceId,
    pub(super) name: ObjectRef,
    pub(super) count: Count,
    pub(super) shape: Shape,
    /// A hook or a CronJob: it runs at times, and not beside the rest.
    pub(super) passing: bool,
    /// Whether the run waits for it.
    pub(super) awaited: bool,
}

/// The pod or pod template of an object.
pub(super) fn template(object: &Json) -> Option<&Json> {
    let at = match (text(object, "/apiVersion"), text(object, "/kind")) {
        ("v1", "Pod") => "",
        ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("v1", "ReplicationController")
        | ("batch/v1", "Job") => "/spec/template",
        ("batch/v1", "CronJob") => "/spec/jobTemplate/spec/template",
        _ => return None,
    };
    object.pointer(at)
}

fn count(object: &Json) -> Count {
    let at = |pointer: &str, otherwise: u64| {
        let number = number(object, pointer).unwrap_or(otherwise);
        usize::try_from(number).unwrap_or(usize::MAX)
    };
    match text(object, "/kind") {
        "DaemonSet" => Count::EachNode,
        "Job" => {
            let most = at("/spec/completions", u64::MAX);
            Count::Of(at("/spec/parallelism", 1).min(most))
        }
        "Pod" | "CronJob" => Count::Of(1),
        _ => Count::Of(at("/spec/replicas", 1)),
    }
}

/// All that runs pods and comes or changes.
pub(super) fn workloads<'a>(
    wishes: &Wishes<'a>,
    limit_ranges: &[Object],
    runtime_classes: &[Object],
) -> Vec<Workload<'a>> {
    let one = |written: &Written<'a>| {
        let template = template(&written.object.0)?;
        let namespace = written.name.namespace.as_deref().unwrap_or_default();
        let defaults = Defaults::of(limit_ranges, namespace);
        let passing = written.hook || written.name.kind == "CronJob";
        Some(Workload {
            step: written.step,
            name: written.name.clone(),
            count: count(&written.object.0),
            shape: shape(template, &defaults, runtime_classes),
            passing,
            awaited: !matches!(written.name.kind.as_str(), "CronJob" | "DaemonSet"),
        })
    };
    wishes.moving().filter_map(one).collect()
}

/// What a `LimitRange` gives containers that ask for nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    requests: Amounts,
    limits: Amounts,
}

impl Defaults {
    fn of(limit_ranges: &[Object], namespace: &str) -> Self {
        let mut defaults = Self::default();
        let here = limit_ranges.iter().filter(|range| super::read::namespace(range) == namespace);
        for limit in here.flat_map(|range| list(&range.0, "/spec/limits")) {
            if text(limit, "/type") == "Container" {
                defaults.requests.extend(amounts(limit.get("defaultRequest")));
                defaults.limits.extend(amounts(limit.get("default")));
            }
        }
        defaults
    }
}

/// What a container asks for, defaults filled in as the API server does: a limit without a request is its request.
fn container(json: &Json, defaults: &Defaults) -> (Amounts, Amounts) {
    let mut limits = amounts(json.pointer("/resources/limits"));
    let mut requests = amounts(json.pointer("/resources/requests"));
    for (name, amount) in &limits {
        requests.entry(name.clone()).or_insert(*amount);
    }
    for (name, amount) in &defaults.requests {
        requests.entry(name.clone()).or_insert(*amount);
    }
    for (name, amount) in &defaults.limits {
        limits.entry(name.clone()).or_insert(*amount);
        requests.entry(name.clone()).or_insert(*amount);
    }
    (requests, limits)
}

/// What a pod asks for: its containers together, or the largest moment of its start, where init containers run one after the
/// other beside the sidecars begun before them; and what its runtime takes.
pub(super) fn asks(spec: &Json, defaults: &Defaults) -> (Amounts, Amounts) {
    let (mut asks, mut limits) = (Amounts::new(), Amounts::new());
    for json in list(spec, "/containers") {
        let (request, limit) = container(json, defaults);
        add(&mut asks, &request);
        add(&mut limits, &limit);
    }
    let (mut sidecars, mut sidecar_limits) = (Amounts::new(), Amounts::new());
    let (mut start, mut start_limits) = (Amounts::new(), Amounts::new());
    for json in list(spec, "/initContainers") {
        let (request, limit) = container(json, defaults);
        if text(json, "/restartPolicy") == "Always" {
            add(&mut sidecars, &request);
            add(&mut sidecar_limits, &limit);
            larger(&mut start, &sidecars);
            larger(&mut start_limits, &sidecar_limits);
        } else {
            let (mut moment, mut moment_limits) = (sidecars.clone(), sidecar_limits.clone());
            add(&mut moment, &request);
            add(&mut moment_limits, &limit);
            larger(&mut start, &moment);
            larger(&mut start_limits, &moment_limits);
        }
    }
    add(&mut asks, &sidecars);
    add(&mut limits, &sidecar_limits);
    larger(&mut asks, &start);
    larger(&mut limits, &start_limits);
    // Resources of the pod as a whole go before those of its containers.
    asks.extend(amounts(spec.pointer("/resources/requests")));
    limits.extend(amounts(spec.pointer("/resources/limits")));
    let overhead = amounts(spec.pointer("/overhead"));
    add(&mut asks, &overhead);
    (asks, limits)
}

pub(super) fn shape(template: &Json, defaults: &Defaults, runtime_classes: &[Object]) -> Shape {
    let empty = Json::Null;
    let spec = template.get("spec").unwrap_or(&empty);
    let (mut asks, limits) = asks(spec, defaults);
    let runtime = text(spec, "/runtimeClassName");
    if let Some(class) = runtime_classes.iter().find(|class| super::read::name(class) == runtime)
        && spec.get("overhead").is_none()
    {
        add(&mut asks, &amounts(class.0.pointer("/overhead/podFixed")));
    }
    asks.insert("pods".to_owned(), 1_000);
    let labels = map(template, "/metadata/labels");
    let mut silent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut containers = Vec::new();
    for json in list(spec, "/containers").iter().chain(list(spec, "/initContainers")) {
        let (requests, limits) = container(json, defaults);
        let name = text(json, "/name").to_owned();
        for (kind, has) in [("requests", &requests), ("limits", &limits)] {
            for resource in ["cpu", "memory"].into_iter().filter(|r| !has.contains_key(*r)) {
                silent.entry(format!("{kind}.{resource}")).or_default().push(name.clone());
            }
        }
        containers.push((name, requests, limits));
    }
    Shape {
        asks,
        limits,
        apart: apart(spec, &labels),
        labels,
        spec: spec.clone(),
        silent,
        containers,
    }
}

/// The topology keys of required anti-affinity with one's own kind.
fn apart(spec: &Json, labels: &BTreeMap<String, String>) -> Vec<String> {
    const TERMS: &str = "/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    let own = |term: &&Json| {
        term.get("labelSelector").is_some_and(|selector| selects(Some(selector), labels))
            && list(term, "/namespaces").is_empty()
            && term.get("namespaceSelector").is_none()
    };
    list(spec, TERMS).iter().filter(own).map(|t| text(t, "/topologyKey").to_owned()).collect()
}

/// What made a pod that runs: kind and name of the workload, as far as its first owner tells.
pub(super) fn maker(pod: &Object) -> Option<(String, String)> {
    let owners = list(&pod.0, "/metadata/ownerReferences");
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Json::Bool(true)))?;
    let (kind, name) = (text(owner, "/kind"), text(owner, "/name"));
    let hash = pod.label("pod-template-hash");
    match hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-')) {
        Some(deployment) if kind == "ReplicaSet" => {
            Some(("Deployment".to_owned(), deployment.to_owned()))
        }
        Some(_) | None => Some((kind.to_owned(), name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::quantity::parse;
    use super::*;

    fn cpu_of(spec: &Json) -> Option<i128> {
        asks(spec, &Defaults::default()).0.get("cpu").copied()
    }

    fn container_of(cpu: &str) -> Json {
        json!({"resources": {"requests": {"cpu": cpu}}})
    }

    fn sidecar(cpu: &str) -> Json {
        json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn a_pod_asks_for_its_largest_moment() {
        let cases = [
            (json!({"containers": [container_of("1"), container_of("2")]}), "3"),
            (
                json!({"containers": [container_of("1")], "initContainers": [container_of("5"), container_of("4")]}),
                "5",
            ),
            (
                json!({"containers": [container_of("1")], "initContainers": [sidecar("2"), container_of("3")]}),
                "5",
            ),
            (
                json!({"containers": [container_of("4")], "initContainers": [sidecar("2"), container_of("3")]}),
                "6",
            ),
            (
                json!({"containers": [container_of("1")], "initContainers": [container_of("3"), sidecar("1")]}),
                "3",
            ),
            (json!({"containers": [container_of("1")], "overhead": {"cpu": "250m"}}), "1250m"),
            (
                json!({"containers": [container_of("1")], "resources": {"requests": {"cpu": "7"}}}),
                "7",
            ),
            (json!({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}), "2"),
        ];
        for (spec, cpu) in cases {
            assert_eq!(cpu_of(&spec), parse(cpu), "{spec}");
        }
    }

    #[test]
    fn a_limit_range_speaks_for_those_who_say_nothing() {
        let range = Object(json!({"metadata": {"namespace": "a"}, "spec": {"limits": [
            {"type": "Container", "defaultRequest": {"cpu": "100m"}, "default": {"memory": "1Gi"}}]}}));
        let spec = json!({"containers": [{}, container_of("1")]});
        let (asked, _) = asks(&spec, &Defaults::of(std::slice::from_ref(&range), "a"));
        assert_eq!(asked.get("cpu").copied(), parse("1100m"));
        assert_eq!(asked.get("memory").copied(), parse("2Gi"));
        let (asked, _) = asks(&spec, &Defaults::of(&[range], "b"));
        assert_eq!(asked.get("memory"), None);
    }

    #[test]
    fn pods_are_counted_by_kind() {
        let cases = [
            (json!({"kind": "Deployment", "spec": {}}), Count::Of(1)),
            (json!({"kind": "StatefulSet", "spec": {"replicas": 3}}), Count::Of(3)),
            (json!({"kind": "Job", "spec": {"parallelism": 5, "completions": 2}}), Count::Of(2)),
            (json!({"kind": "CronJob"}), Count::Of(1)),
            (json!({"kind": "DaemonSet"}), Count::EachNode),
        ];
        for (object, wanted) in cases {
            assert_eq!(count(&object), wanted, "{object}");
        }
    }

    #[test]
    fn the_maker_of_a_pod_is_its_deployment() {
        let pod = |kind: &str, name: &str, labels: Json| {
            Object(json!({"metadata": {"labels": labels, "ownerReferences": [
                {"kind": kind, "name": name, "controller": true}]}}))
        };
        let made = |kind: &str, name: &str| Some((kind.to_owned(), name.to_owned()));
        let hashed = json!({"pod-template-hash": "abc"});
        assert_eq!(maker(&pod("ReplicaSet", "x-y-abc", hashed)), made("Deployment", "x-y"));
        assert_eq!(maker(&pod("StatefulSet", "x", json!({}))), made("StatefulSet", "x"));
        assert_eq!(maker(&Object(json!({}))), None);
    }
}
