//! What each kind of object is like when it is ready, when it waits and when it failed.

use super::*;
use serde_json::json;

/// `r` ready, `a` assumed, `s` started, `w` waiting, `f` failed.
fn letter(health: &Health) -> char {
    match health {
        Health::Ready => 'r',
        Health::Assumed(_) => 'a',
        Health::Started => 's',
        Health::Settling(_) => 'w',
        Health::Failed(_) => 'f',
    }
}

fn of(version: &str, kind: &str, generation: u64, spec: &Json, status: &Json) -> Object {
    Object(json!({"apiVersion": version, "kind": kind, "spec": spec, "status": status,
        "metadata": {"name": "x", "namespace": "n", "generation": generation}}))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_kind_is_ready_by_its_own_rule() {
    let condition = |kind: &str, status: &str| json!({"observedGeneration": 1, "conditions": [{"type": kind, "status": status, "message": "m"}]});
    let table = [
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 1}),
            json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}),
            'r',
        ),
        (
            "apps/v1",
            "Deployment",
            json!({"replicas": 1}),
            json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}),
            'w',
        ),
        ("apps/v1", "Deployment", json!({"replicas": 0}), json!({"observedGeneration": 1}), 'r'),
        (
            "apps/v1",
            "Deployment",
            json!({}),
            json!({"observedGeneration": 0, "availableReplicas": 1}),
            'w',
        ),
        ("apps/v1", "Deployment", json!({}), condition("Progressing", "False"), 'f'),
        (
            "apps/v1",
            "Deployment",
            json!({}),
            json!({"observedGeneration": 1, "updatedReplicas": 1, "conditions": [
                {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}),
            'w',
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"replicas": 2}),
            json!({"observedGeneration": 1, "readyReplicas": 2}),
            'r',
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"replicas": 2}),
            json!({"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}),
            'w',
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}}),
            json!({"observedGeneration": 1, "readyReplicas": 2, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}),
            'r',
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({}),
            json!({"observedGeneration": 1, "desiredNumberScheduled": 0}),
            'r',
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({}),
            json!({"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 1}),
            'w',
        ),
        (
            "apps/v1",
            "ReplicaSet",
            json!({"replicas": 1}),
            json!({"observedGeneration": 1, "readyReplicas": 1}),
            'r',
        ),
        ("batch/v1", "Job", json!({}), condition("Complete", "True"), 'r'),
        ("batch/v1", "Job", json!({}), condition("Failed", "True"), 'f'),
        ("batch/v1", "Job", json!({}), json!({"active": 1, "ready": 1}), 'w'),
        ("v1", "Pod", json!({}), json!({"phase": "Succeeded"}), 'r'),
        (
            "v1",
            "Pod",
            json!({}),
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
            'r',
        ),
        ("v1", "Pod", json!({}), json!({"phase": "Pending"}), 'w'),
        ("v1", "Pod", json!({}), json!({"phase": "Failed", "reason": "Evicted"}), 'f'),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Bound"}), 'r'),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({"storageClassName": "late"}),
            json!({"phase": "Pending"}),
            'r',
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            json!({"storageClassName": "soon"}),
            json!({"phase": "Pending"}),
            'w',
        ),
        ("v1", "PersistentVolumeClaim", json!({}), json!({"phase": "Lost"}), 'f'),
        ("v1", "Service", json!({"type": "LoadBalancer"}), json!({"loadBalancer": {}}), 'r'),
        ("v1", "Namespace", json!({}), json!({"phase": "Terminating"}), 'w'),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({}),
            condition("Established", "True"),
            'r',
        ),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({}), json!({}), 'w'),
        (
            "apiregistration.k8s.io/v1",
            "APIService",
            json!({}),
            condition("Available", "False"),
            'w',
        ),
        ("kafka.strimzi.io/v1", "Kafka", json!({}), condition("Ready", "True"), 'r'),
        ("kafka.strimzi.io/v1", "Kafka", json!({}), condition("Ready", "False"), 'w'),
        ("kafka.strimzi.io/v1", "Kafka", json!({}), condition("Stalled", "True"), 'f'),
        ("kafka.strimzi.io/v1", "Kafka", json!({}), json!({"observedGeneration": 0}), 'w'),
        ("kafka.strimzi.io/v1", "Kafka", json!({}), json!({"observedGeneration": 1}), 'r'),
        ("rbac.authorization.k8s.io/v1", "Role", json!({}), json!(null), 'r'),
    ];
    let around = Surroundings {
        late_binding: BTreeSet::from(["late".to_owned()]),
        ..Surroundings::default()
    };
    for (version, kind, spec, status, wanted) in table {
        let object = of(version, kind, 1, &spec, &status);
        let health = readiness(&object, &around, JobReady::Complete);
        assert_eq!(letter(&health), wanted, "{kind} {spec} {status}: {health:?}");
    }
}

#[test]
fn a_long_job_counts_as_soon_as_its_pod_runs() {
    let around = Surroundings::default();
    let job = |status: &Json| {
        let object = of("batch/v1", "Job", 1, &json!({}), status);
        letter(&readiness(&object, &around, JobReady::Started))
    };
    assert_eq!(job(&json!({"active": 1})), 'w');
    assert_eq!(job(&json!({"active": 1, "ready": 1})), 's');
    assert_eq!(job(&json!({"conditions": [{"type": "Complete", "status": "True"}]})), 'r');
}

#[test]
fn a_job_of_a_chart_says_itself_that_it_is_long() {
    let status = json!({"active": 1, "ready": 1});
    let mut object = of("batch/v1", "Job", 1, &json!({}), &status);
    let around = Surroundings::default();
    assert_eq!(letter(&readiness(&object, &around, JobReady::Complete)), 'w');
    object.0["metadata"]["annotations"] = json!({"datamill.dev/ready": "started"});
    assert_eq!(letter(&readiness(&object, &around, JobReady::Complete)), 's');
}

#[test]
fn a_used_claim_of_a_late_class_is_waited_for() {
    let object = of("v1", "PersistentVolumeClaim", 1, &json!({}), &json!({"phase": "Pending"}));
    let mut around = Surroundings {
        late_binding: BTreeSet::from(["late".to_owned()]),
        default_class: Some("late".to_owned()),
        ..Surroundings::default()
    };
    assert_eq!(letter(&readiness(&object, &around, JobReady::Complete)), 'r');
    around.claims_in_use.insert(("n".to_owned(), "x".to_owned()));
    assert_eq!(letter(&readiness(&object, &around, JobReady::Complete)), 'w');
}

#[test]
fn without_its_operator_a_custom_resource_is_assumed() {
    let around = Surroundings { simulated: true, ..Surroundings::default() };
    let object = of("kafka.strimzi.io/v1", "Kafka", 1, &json!({}), &json!(null));
    assert_eq!(letter(&readiness(&object, &around, JobReady::Complete)), 'a');
}

#[test]
fn the_worst_counts_and_any_progress_is_progress() {
    let wait = |mark: &str| {
        Health::Settling(Progress { waits_for: "x".to_owned(), mark: Digest::of(mark) })
    };
    assert_eq!(together([]), Health::Ready);
    assert_eq!(letter(&together([Health::Ready, Health::Started])), 's');
    assert_eq!(letter(&together([Health::Assumed(vec![]), wait("1")])), 'w');
    assert_eq!(
        letter(&together([
            wait("1"),
            Health::Failed(vec![Cause { object: None, says: String::new() }])
        ])),
        'f'
    );
    assert_ne!(together([wait("1"), wait("2")]), together([wait("1"), wait("3")]));
}

#[test]
fn a_claim_that_goes_says_what_goes_with_it_where_there_is_data() {
    let claim = Object(json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "n", "deletionTimestamp": "t"},
    }));
    let says = |simulated: bool| {
        let around = Surroundings { simulated, ..Surroundings::default() };
        match readiness(&claim, &around, JobReady::Complete) {
            Health::Settling(progress) => progress.waits_for,
            other @ (Health::Ready | Health::Assumed(_) | Health::Started | Health::Failed(_)) => {
                panic!("{other:?}")
            }
        }
    };
    assert!(says(false).contains("DATA GOES"), "{}", says(false));
    assert!(!says(true).contains("DATA"), "{}", says(true));
}
