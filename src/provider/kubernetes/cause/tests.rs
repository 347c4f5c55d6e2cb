//! Each failure of a pod has words and a remedy; the chain leads to what is at fault.

use super::*;
use serde_json::json;

fn object(kind: &str, name: &str, owner: &str, extra: &Json) -> Object {
    let mut json = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "n", "uid": name}});
    if !owner.is_empty() {
        super::super::compare::merge(
            &mut json,
            &json!({"metadata": {"ownerReferences": [{"uid": owner}]}}),
        );
    }
    super::super::compare::merge(&mut json, extra);
    Object(json)
}

fn names(links: &[Link]) -> Vec<String> {
    links.iter().map(|l| l.cause.object.as_ref().unwrap().name.clone()).collect()
}

#[test]
fn the_chain_leads_from_the_deployment_to_the_missing_storage_class() {
    let deployment = object("Deployment", "d", "", &json!({}));
    let evidence = Evidence {
        objects: vec![
            object("ReplicaSet", "rs", "d", &json!({"spec": {"replicas": 1}})),
            object("ReplicaSet", "old", "d", &json!({"spec": {"replicas": 0}})),
            object(
                "Pod",
                "p",
                "rs",
                &json!({
                "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "c"}}]},
                "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                    "message": "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims"}]}}),
            ),
            object(
                "PersistentVolumeClaim",
                "c",
                "",
                &json!({"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}}),
            ),
        ],
        warnings: vec![object(
            "Event",
            "e",
            "",
            &json!({"reason": "ProvisioningFailed", "message": "storageclass \"fast\" not found",
            "involvedObject": {"kind": "PersistentVolumeClaim", "name": "c"}}),
        )],
        classes: Some(vec!["standard".to_owned()]),
        ..Evidence::default()
    };
    let causes = chain(&deployment, &evidence);
    assert_eq!(names(&causes), ["rs", "p", "c", "fast"]);
    assert!(in_words(&causes).contains("this cluster has standard"), "{causes:?}");
}

#[test]
fn a_pod_that_is_not_there_is_explained_by_what_should_make_it() {
    let set = object("StatefulSet", "s", "", &json!({}));
    let quota = object(
        "Event",
        "e",
        "",
        &json!({"reason": "FailedCreate", "message": "pods \"s-0\" is forbidden: exceeded quota: q",
        "involvedObject": {"kind": "StatefulSet", "name": "s"}}),
    );
    let evidence = Evidence { warnings: vec![quota], ..Evidence::default() };
    let causes = chain(&set, &evidence);
    assert!(
        causes.len() == 1 && causes[0].remedy.as_ref().unwrap().contains("raise the ResourceQuota"),
        "{causes:?}"
    );
}

fn pod(spec: &Json, status: &Json) -> Object {
    object("Pod", "p", "", &json!({"spec": spec, "status": status}))
}

fn event(reason: &str, container: &str, at: &str, message: &str) -> Object {
    object(
        "Event",
        "e",
        "",
        &json!({"reason": reason, "message": message, "lastTimestamp": at,
        "involvedObject": {"kind": "Pod", "name": "p", "uid": "p", "fieldPath": format!("spec.containers{{{container}}}")}}),
    )
}

/// The last link of a pod's chain: what it says, what to do, whose log tells more.
fn last(pod: &Object, evidence: &Evidence) -> (String, String, Option<Log>) {
    let link = chain(pod, evidence).pop().unwrap();
    (link.cause.says, link.remedy.unwrap_or_default(), link.log)
}

fn container(state: &Json, last_state: &Json, restarts: u64) -> Json {
    json!({"containerStatuses": [{"name": "c", "image": "x:1", "ready": false, "started": true,
        "restartCount": restarts, "state": state, "lastState": last_state}]})
}

#[test]
fn a_container_that_does_not_start_says_why() {
    let waiting = |reason: &str, message: &str| {
        let state = json!({"waiting": {"reason": reason, "message": message}});
        pod(&json!({}), &container(&state, &json!({}), 0))
    };
    let table = [
        ("ImagePullBackOff", "x", "image x:1 cannot be pulled: x", "check its name"),
        (
            "CreateContainerConfigError",
            "secret \"s\" not found",
            "container c cannot start: secret \"s\" not found",
            "Secret",
        ),
        ("RunContainerError", "no such file", "container c cannot start: no such file", "command"),
    ];
    for (reason, message, says, todo) in table {
        let found = last(&waiting(reason, message), &Evidence::default());
        assert!(found.0.contains(says) && found.1.contains(todo) && found.2.is_none(), "{found:?}");
    }
    // While the kubelet backs off, only the event knows what the registry said.
    let failed = event("Failed", "c", "1", "Failed to pull image \"x:1\": x:1: not found");
    let evidence = Evidence { warnings: vec![failed], ..Evidence::default() };
    let found = last(&waiting("ImagePullBackOff", "Back-off pulling image"), &evidence);
    assert!(found.0.contains("does not have it"), "{found:?}");
}

#[test]
fn a_container_that_ended_says_how_often_and_with_what() {
    let ended =
        |reason: &str, code: u64| json!({"terminated": {"exitCode": code, "reason": reason}});
    let back_off = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
    let limited = json!({"containers": [{"name": "c", "resources": {"limits": {"memory": "32Mi"}},
        "envFrom": [{"secretRef": {"name": "login"}}]}],
        "volumes": [{"secret": {"secretName": "tls"}}]});
    let crashed =
        last(&pod(&limited, &container(&back_off, &ended("Error", 2), 3)), &Evidence::default());
    assert_eq!(crashed.0, "container c ended 4 times, at last with exit code 2");
    let log = crashed.2.unwrap();
    assert!(!log.previous && log.container == "c" && log.secrets == ["login", "tls"], "{log:?}");
    let killed = last(
        &pod(&limited, &container(&back_off, &ended("OOMKilled", 137), 0)),
        &Evidence::default(),
    );
    assert_eq!(
        killed.0,
        "container c was killed: it took more memory than its limit, which is 32Mi (OOMKilled)"
    );
    assert!(killed.1.contains("raise resources.limits.memory"), "{killed:?}");
    // Started anew and not ready yet: the one before has the words.
    let anew = container(&json!({"running": {}}), &ended("Error", 1), 1);
    let again = last(&pod(&limited, &anew), &Evidence::default());
    assert!(again.0.contains("ended with exit code 1") && again.2.unwrap().previous);
    let init = json!({"initContainerStatuses": [{"name": "first", "restartCount": 1, "state": back_off, "lastState": ended("Error", 1)}],
        "containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "PodInitializing"}}}]});
    let init = last(&pod(&json!({}), &init), &Evidence::default());
    assert!(init.0.starts_with("init container first ended 2 times"), "{init:?}");
    let probed = event("Unhealthy", "c", "1", "Liveness probe failed: connection refused");
    let evidence = Evidence { warnings: vec![probed], ..Evidence::default() };
    let probed = last(&pod(&limited, &container(&back_off, &ended("Error", 137), 3)), &evidence);
    assert!(probed.1.starts_with("its liveness probe ended it"), "{probed:?}");
}

#[test]
fn a_probe_that_does_not_pass_is_named_with_its_last_message() {
    let spec = json!({"containers": [{"name": "c", "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 5}}]});
    let running = pod(&spec, &container(&json!({"running": {}}), &json!({}), 0));
    let says = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    let evidence =
        Evidence { warnings: vec![event("Unhealthy", "c", "1", says)], ..Evidence::default() };
    let found = last(&running, &evidence);
    assert_eq!(
        found.0,
        format!(
            "container c runs, and its readiness probe (GET /ready on port 8080 every 5 s) does not pass: {says}"
        )
    );
    assert!(found.2.is_some(), "its log may say why");
}

#[test]
fn a_pod_that_no_node_takes_says_so_in_numbers() {
    let pending = |message: &str| {
        let spec = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "64"}}}]});
        pod(
            &spec,
            &json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": message}]}),
        )
    };
    let node = Object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"},
        "status": {"allocatable": {"cpu": "2", "pods": "10"}}}));
    let evidence = Evidence { nodes: Some(vec![node]), ..Evidence::default() };
    let says = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
    let found = last(&pending(says), &evidence);
    assert_eq!(
        found.0,
        "no node takes it: 0/1 nodes are available: 1 Insufficient cpu; it asks for cpu 64; one (cpu: 2 free)"
    );
    let table = [
        ("1 node(s) had untolerated taint {gpu: }", "toleration"),
        ("1 node(s) were unschedulable", "uncordon"),
        ("1 node(s) didn't match Pod's node affinity/selector", "label"),
        (
            "1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }",
            "bring the node back",
        ),
    ];
    for (says, todo) in table {
        let found = last(&pending(says), &Evidence::default());
        assert!(found.1.contains(todo), "{found:?}");
    }
}

#[test]
fn a_pod_of_a_node_that_went_away_says_which() {
    let away = Object(
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}, "status": {"conditions": [
        {"type": "Ready", "status": "Unknown", "lastTransitionTime": "T", "message": "Kubelet stopped posting node status."}]}}),
    );
    let evidence = Evidence { nodes: Some(vec![away]), ..Evidence::default() };
    let pod = pod(&json!({"nodeName": "one"}), &json!({"phase": "Running"}));
    let links = chain(&pod, &evidence);
    assert_eq!(links[1].cause.says, "not ready since T: Kubelet stopped posting node status");
    assert!(links[1].remedy.as_ref().unwrap().contains("kubectl describe node one"));
}

#[test]
fn an_image_is_being_pulled_until_something_else_is_said_of_it() {
    let making = container(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}), 0);
    let pod = pod(&json!({}), &making);
    let pulling = || event("Pulling", "c", "2026-01-01T00:00:05Z", "Pulling image \"x:1\"");
    let about = |pulls: Vec<Object>, warnings: Vec<Object>| Evidence {
        warnings,
        pulls,
        ..Evidence::default()
    };
    let now = about(vec![pulling()], vec![]);
    assert!(may_pull(&pod) && pulls(&[&pod], &now));
    assert_eq!(last(&pod, &now).0, "pulls image x:1");
    let ended = event("Pulled", "c", "2026-01-01T00:00:09Z", "");
    let failed = event("Failed", "c", "2026-01-01T00:00:05Z", "Failed to pull image");
    let other = event("Pulled", "d", "2026-01-01T00:00:09Z", "");
    let earlier = event("Failed", "c", "2026-01-01T00:00:01Z", "Failed to pull image");
    assert!(!pulls(&[&pod], &about(vec![pulling(), ended], vec![])));
    assert!(!pulls(&[&pod], &about(vec![pulling()], vec![failed])));
    assert!(pulls(&[&pod], &about(vec![pulling(), other], vec![earlier])));
}

#[test]
fn what_others_in_the_namespace_do_is_no_progress() {
    let deployment = object("Deployment", "d", "", &json!({}));
    let mine = |phase: &str| object("Pod", "p", "rs", &json!({"status": {"phase": phase}}));
    let other = |phase: &str| object("Pod", "q", "else", &json!({"status": {"phase": phase}}));
    let mark = |mine: Object, other: Object| {
        let evidence = Evidence {
            objects: vec![object("ReplicaSet", "rs", "d", &json!({})), mine, other],
            ..Evidence::default()
        };
        progress(&below(&[&deployment], &evidence))
    };
    let first = mark(mine("Pending"), other("Pending"));
    assert_eq!(first, mark(mine("Pending"), other("Running")));
    assert_ne!(first, mark(mine("Running"), other("Pending")));
}
