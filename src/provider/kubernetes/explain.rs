//! Finds out why something is not ready: in passing while it is waited for, and thoroughly, with nodes and logs, once nobody
//! waits any longer.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::cause::{
    Evidence, Link as Found, Log, below, chain, in_words, may_pull, progress, pulls,
};
use super::compare::{Live, absent_is, read_live};
use super::health::{counted, job_ready};
use super::readiness::{Surroundings, custom_group, readiness};
use super::session::Link;
use super::wait;
use super::words::{Withheld, last_words};
use crate::adapter::kube::{Cluster, KubeError, Listing};
use crate::model::{
    Cause, Digest, Health, JobReady, KubernetesSpec, Object, ObjectRef, Progress, Resource, Why,
};

/// So many looks at a pull count as a step of it: what is looked at meanwhile is looked at less often.
const LOOKS_A_STEP: u64 = 4;

/// What a look has read already.
pub(super) struct Around<'a> {
    /// The cluster.
    pub link: &'a Link,
    /// Live objects.
    pub live: &'a Live,
    /// The number of the look: no two have the same.
    pub look: u64,
}

/// Adds the chain of causes to what lasts.
pub(super) async fn explain(
    around: &Around<'_>,
    objects: &[ObjectRef],
    gathered: &mut BTreeMap<String, Evidence>,
    health: &mut Health,
) -> Result<(), KubeError> {
    let mut found: Vec<Found> = Vec::new();
    let mut marks: Vec<Digest> = Vec::new();
    let mut pulled = false;
    for name in objects {
        let (Some(object), Some(namespace)) = (around.live.get(name), &name.namespace) else {
            continue;
        };
        let surroundings =
            Surroundings { simulated: around.link.simulated, ..Surroundings::default() };
        if readiness(object, &surroundings, JobReady::Started).lets_go_on() {
            continue;
        }
        let group = custom_group(object);
        let place = format!("{namespace} {}", group.unwrap_or_default());
        if !gathered.contains_key(&place) {
            let new = Box::pin(evidence(&around.link.cluster, namespace, group)).await?;
            gathered.insert(place.clone(), new);
        }
        let Some(evidence) = gathered.get(&place) else { continue };
        let this = [object];
        let below = below(&this, evidence);
        marks.push(progress(&below));
        pulled |= pulls(&below, evidence);
        if found.is_empty() {
            found = chain(object, evidence);
        }
    }
    let words = around.link.redactor.redact(&in_words(&found));
    match health {
        Health::Failed(causes) => causes.extend(found.into_iter().map(|link| link.cause)),
        Health::Settling(Progress { waits_for, mark }) => {
            waits_for.push_str(&words);
            // How far a pull is cannot be seen, so every few looks at one count as a step of it; the runtime ends one that gets
            // nothing for minutes.
            let step = if pulled { around.look / LOOKS_A_STEP + 1 } else { 0 };
            let look = Digest::of(step.to_string());
            let parts = marks.iter().chain([&look]).map(Digest::as_str);
            *mark = Digest::of_parts(std::iter::once(mark.as_str()).chain(parts));
        }
        Health::Ready | Health::Assumed(_) | Health::Started => {}
    }
    Ok(())
}

/// Kinds that an operator makes for a custom resource.
const MADE: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// What lies around in a namespace; for a custom resource also workloads, and custom resources of its group. What may not be
/// looked at is left out.
async fn evidence(
    cluster: &Cluster,
    namespace: &str,
    group: Option<&str>,
) -> Result<Evidence, KubeError> {
    let list = async |version: &str, kind: &str| {
        let listing = Listing::of(version, kind).namespace(namespace);
        allowed(absent_is(cluster.list(&listing).await, Vec::new())).map(Option::unwrap_or_default)
    };
    let events = async |selector: String| {
        let listing = Listing::of("v1", "Event").namespace(namespace).fields(selector);
        allowed(cluster.list(&listing).await).map(Option::unwrap_or_default)
    };
    let classes = Listing::of("storage.k8s.io/v1", "StorageClass").metadata_only();
    let mut below: Vec<(String, String)> = Vec::new();
    if let Some(group) = group {
        below.extend(MADE.map(|kind| ("apps/v1".to_owned(), kind.to_owned())));
        let kinds = cluster.kinds().await?;
        let same = kinds
            .preferred()
            .iter()
            .filter(|kind| kind.group() == group && kind.namespaced && kind.can("list"));
        below.extend(same.map(|kind| (kind.api_version.clone(), kind.kind.clone())));
    }
    let (sets, pods, claims, jobs, warnings, classes, made) = futures::try_join!(
        list("apps/v1", "ReplicaSet"),
        list("v1", "Pod"),
        list("v1", "PersistentVolumeClaim"),
        list("batch/v1", "Job"),
        events("type=Warning".to_owned()),
        async { allowed(cluster.list(&classes).await) },
        futures::future::try_join_all(below.iter().map(|(version, kind)| list(version, kind))),
    )?;
    let mut said = Vec::new();
    if pods.iter().any(may_pull) {
        let pod = |reason: &str| format!("involvedObject.kind=Pod,reason={reason}");
        let (begun, ended) = futures::try_join!(events(pod("Pulling")), events(pod("Pulled")))?;
        said = [begun, ended].concat();
    }
    let names =
        |classes: Vec<Object>| classes.iter().filter_map(|c| Some(c.reference()?.name)).collect();
    Ok(Evidence {
        objects: [sets, pods, claims, jobs].into_iter().chain(made).flatten().collect(),
        warnings,
        pulls: said,
        classes: classes.map(names),
        nodes: None,
        everywhere: Vec::new(),
    })
}

/// Nothing where we may not look.
fn allowed<T>(answer: Result<T, KubeError>) -> Result<Option<T>, KubeError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(KubeError::Forbidden(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The objects that a resource waits for.
fn awaited(resource: &Resource) -> Vec<ObjectRef> {
    let mut objects = counted(resource);
    if let Some(KubernetesSpec::Wait(spec)) = resource.kubernetes() {
        let about = spec.until.iter().filter_map(|condition| wait::about(&condition.test));
        objects.extend(about.filter(|object| object.name != "*"));
    }
    objects
}

/// Why a resource is not ready: the chain of the first object that has one, with the last lines of the log at its end.
pub(super) async fn why(link: &Link, resource: &Resource) -> Result<Why, KubeError> {
    let objects = awaited(resource);
    let live = read_live(&link.cluster, objects.iter().cloned()).await?;
    let surroundings = Surroundings { simulated: link.simulated, ..Surroundings::default() };
    let mut chains: Vec<Vec<Found>> = Vec::new();
    let mut nodes = None;
    for name in &objects {
        let (Some(object), Some(namespace)) = (live.get(name), &name.namespace) else { continue };
        let health = readiness(object, &surroundings, job_ready(resource));
        if health.lets_go_on() {
            continue;
        }
        if nodes.is_none() {
            nodes = Some(Box::pin(seen_nodes(&link.cluster)).await);
        }
        let group = custom_group(object);
        let mut evidence = Box::pin(evidence(&link.cluster, namespace, group)).await?;
        if let Some((nodes, pods)) = nodes.clone().flatten() {
            evidence.nodes = Some(nodes);
            evidence.everywhere = pods;
        }
        let mut links = vec![Found::of_health(object, &health)];
        links.extend(chain(object, &evidence));
        chains.push(links);
    }
    // The longest chain leads farthest.
    let Some(deepest) = (0..chains.len()).rev().max_by_key(|at| chains.get(*at).map(Vec::len))
    else {
        return Ok(Why::default());
    };
    let others = chains.len() - 1;
    let mut why = Why::default();
    for found in chains.swap_remove(deepest) {
        why.causes.push(found.cause);
        why.hints.extend(found.remedy);
        if let Some(log) = &found.log {
            add_words(link, log, &mut why).await;
        }
    }
    if others > 0 {
        let more = if others == 1 {
            "1 more object is".to_owned()
        } else {
            format!("{others} more objects are")
        };
        why.causes.push(Cause { object: None, says: format!("{more} not ready") });
    }
    for cause in &mut why.causes {
        cause.says = link.redactor.redact(&cause.says);
    }
    Ok(why)
}

/// The nodes and all pods, if we may see them.
async fn seen_nodes(cluster: &Cluster) -> Option<(Vec<Object>, Vec<Object>)> {
    let (nodes, pods) = (Listing::of("v1", "Node"), Listing::of("v1", "Pod"));
    futures::try_join!(cluster.list(&nodes), cluster.list(&pods)).ok()
}

/// Adds the last lines of a container's log, and how to read the rest.
async fn add_words(link: &Link, log: &Log, why: &mut Why) {
    let (lines, previous) = match last_words(&link.cluster, log, &link.redactor).await {
        Ok((lines, previous)) => (lines, previous),
        Err(Withheld(because)) => {
            why.causes
                .push(Cause { object: None, says: format!("its log is not shown: {because}") });
            (Vec::new(), log.previous)
        }
    };
    why.log = lines;
    let namespace = log.pod.namespace.as_deref().unwrap_or("default");
    let previous = if previous { " --previous" } else { "" };
    why.hints.push(format!(
        "read its whole log:\n    kubectl logs -n {namespace} {} -c {}{previous}",
        log.pod.name, log.container
    ));
}

impl Found {
    /// The first link: what is waited for itself.
    fn of_health(object: &Object, health: &Health) -> Self {
        let says = match health {
            Health::Settling(progress) => {
                let name = object.reference().map(|name| format!("{name}: ")).unwrap_or_default();
                let says = &progress.waits_for;
                says.strip_prefix(&name).unwrap_or(says).to_owned()
            }
            Health::Failed(causes) => {
                causes.first().map(|cause| cause.says.clone()).unwrap_or_default()
            }
            Health::Ready | Health::Assumed(_) | Health::Started => String::new(),
        };
        Self { cause: Cause { object: object.reference(), says }, remedy: None, log: None }
    }
}

/// Values of a Secret that a container sees.
pub(super) fn values(secret: &Object) -> impl Iterator<Item = &str> {
    let data = secret.0.get("data").and_then(Json::as_object);
    data.into_iter().flatten().filter_map(|(_, value)| value.as_str())
}
