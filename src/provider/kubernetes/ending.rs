//! Pods that end: what ran them is gone at once, and they take the time they were given. Who uninstalls waits for them, since
//! volumes and names are theirs until then.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::Instant;

use super::cause::{Evidence, below};
use super::compare::{absent_is, read_live};
use super::failure::provider_error;
use super::session::Session;
use crate::adapter::kube::{Cluster, KubeError, Listing};
use crate::model::{Failure, FailureKind, Object, ObjectRef};
use crate::provider::ProviderError;

/// Kinds that run pods.
const RUN_PODS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "Pod"];
/// How long a pod may take beyond the time that it was given.
const MARGIN: Duration = Duration::from_mins(1);
/// How long between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// The pods that run for some objects now. What may not be seen is not waited for, and where no container runs nothing ends.
pub(super) async fn pods_of(
    session: &Session,
    objects: impl Iterator<Item = ObjectRef>,
) -> Result<Vec<Object>, KubeError> {
    let objects: Vec<ObjectRef> =
        objects.filter(|object| RUN_PODS.contains(&object.kind.as_str())).collect();
    if objects.is_empty() || session.simulated {
        return Ok(Vec::new());
    }
    let namespaces: BTreeSet<&String> =
        objects.iter().filter_map(|object| object.namespace.as_ref()).collect();
    let mut evidence = Evidence::default();
    for namespace in namespaces {
        for (version, kind) in [("apps/v1", "ReplicaSet"), ("v1", "Pod")] {
            evidence.objects.extend(listed(&session.cluster, version, kind, namespace).await?);
        }
    }
    let live = read_live(&session.cluster, objects.iter().cloned()).await?;
    let live: Vec<&Object> = live.values().collect();
    let all = below(&live, &evidence).into_iter();
    Ok(all.filter(|object| object.kind() == "Pod" && !is_over(object)).cloned().collect())
}

async fn listed(
    cluster: &Cluster,
    version: &str,
    kind: &str,
    namespace: &str,
) -> Result<Vec<Object>, KubeError> {
    let listing = Listing::of(version, kind).namespace(namespace);
    match absent_is(cluster.list(&listing).await, Vec::new()) {
        Err(KubeError::Forbidden(_)) => Ok(Vec::new()),
        other => other,
    }
}

/// Whether none of its containers runs any more, though it is still listed.
fn is_over(pod: &Object) -> bool {
    let phase = pod.0.pointer("/status/phase").and_then(Json::as_str);
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Waits until pods are gone, and says which one is waited for and how long it may take.
pub(super) async fn until_ended(
    session: &Session,
    pods: &[Object],
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let uids: BTreeSet<&str> = pods.iter().filter_map(Object::uid).collect();
    let namespaces: BTreeSet<String> =
        pods.iter().filter_map(|pod| pod.reference()?.namespace).collect();
    let mut said = String::new();
    let mut moved = Instant::now();
    let mut before = usize::MAX;
    loop {
        let mut left = Vec::new();
        for namespace in &namespaces {
            let found =
                listed(&session.cluster, "v1", "Pod", namespace).await.map_err(|error| {
                    provider_error("cannot see whether pods have ended", &error, &session.redactor)
                })?;
            let theirs = |pod: &Object| pod.uid().is_some_and(|uid| uids.contains(uid));
            left.extend(found.into_iter().filter(theirs));
        }
        let Some(longest) = left.iter().max_by_key(|pod| given(pod)) else { return Ok(()) };
        if left.len() < before {
            (before, moved) = (left.len(), Instant::now());
        }
        if moved.elapsed() > given(longest) + MARGIN {
            return Err(stuck(longest));
        }
        let says = waits_for(longest, left.len() - 1);
        if says != said {
            progress(says.clone());
            said = says;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The time that a pod was given to end.
fn given(pod: &Object) -> Duration {
    let told = pod.0.pointer("/metadata/deletionGracePeriodSeconds");
    let told = told.or(pod.0.pointer("/spec/terminationGracePeriodSeconds"));
    Duration::from_secs(told.and_then(Json::as_u64).unwrap_or(30))
}

fn waits_for(pod: &Object, others: usize) -> String {
    let name = pod.reference().map(|name| name.to_string()).unwrap_or_default();
    let more = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    let why = match pod.0.pointer("/metadata/deletionTimestamp").and_then(Json::as_str) {
        Some(until) => {
            let given = given(pod).as_secs();
            format!("it was told to end and has {given} s for it, until {until}")
        }
        None => "it is not told to end yet".to_owned(),
    };
    format!("waits until {name} is gone{more}: {why}")
}

/// A pod that is there long after its time: nobody on its node ends it.
fn stuck(pod: &Object) -> ProviderError {
    let name = pod.reference().map(|name| name.to_string()).unwrap_or_default();
    let node = pod.0.pointer("/spec/nodeName").and_then(Json::as_str).unwrap_or("its node");
    ProviderError::permanent(
        Failure::new(FailureKind::Partial, format!("{name} does not end"))
            .because(format!(
                "it had {} s for it, and {node} does not say that it ended",
                given(pod).as_secs()
            ))
            .hint(format!(
                "see whether the node runs, and bring it back:\n    kubectl describe node {node}"
            ))
            .hint("then run the same command again"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_that_ends_says_how_long_it_may_take() {
        let mut pod = Object(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
            "spec": {"terminationGracePeriodSeconds": 600, "nodeName": "one"}}),
        );
        assert_eq!(waits_for(&pod, 0), "waits until Pod n/p is gone: it is not told to end yet");
        pod.0["metadata"]["deletionTimestamp"] = json!("T");
        pod.0["metadata"]["deletionGracePeriodSeconds"] = json!(15);
        let says = waits_for(&pod, 2);
        assert_eq!(
            says,
            "waits until Pod n/p is gone (and 2 more): it was told to end and has 15 s for it, until T"
        );
        assert_eq!(given(&pod), Duration::from_secs(15));
        let ProviderError::Permanent { failure } = stuck(&pod) else { panic!() };
        assert!(failure.hints[0].contains("kubectl describe node one"), "{failure:?}");
    }
}
