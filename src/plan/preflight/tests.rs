//! Plans and facts as tables: what is found, and what is not.

use std::sync::Arc;

use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};

use super::*;
use crate::model::{
    Digest, KubernetesSpec, Manifests, ObjectRef, ObjectsSpec, Rendered, Resource, Spec,
};
use crate::plan::{Change, Effect, Origin, Precondition, Shown};

fn objects(list: &Json) -> Vec<Object> {
    list.as_array().unwrap().iter().cloned().map(Object).collect()
}

fn id(name: &str) -> ResourceId {
    format!("thing/objects/{name}").parse().unwrap()
}

/// A step that creates objects, behind others.
fn step(name: &str, wanted: &Json, after: &[&str]) -> Step {
    let from = Manifests::Inline(Vec::new());
    let spec = ObjectsSpec { namespace: "team".to_owned(), from, labels: BTreeMap::new() };
    let mut resource = Resource::new(id(name), Spec::kubernetes(KubernetesSpec::Objects(spec)));
    resource.rendered = Some(Rendered {
        objects: objects(wanted),
        hooks: Vec::new(),
        ignored: Vec::new(),
        inputs: Digest::of("x"),
        unknown: BTreeSet::new(),
        unstable: BTreeSet::new(),
        chart: None,
        findings: Vec::new(),
        warnings: Vec::new(),
    });
    Step {
        id: id(name),
        action: Action::Create,
        wanted: Some(Arc::new(resource)),
        found: None,
        after: after.iter().map(|name| id(name)).collect(),
        precondition: Precondition::Absent,
        changes: Vec::new(),
        notes: Vec::new(),
        readers: Vec::new(),
    }
}

fn plan(wanted: &Json) -> Plan {
    Plan { steps: vec![step("all", wanted, &[])], notes: Vec::new() }
}

fn facts() -> Facts {
    let kinds = [
        ("v1", "Pod", "", "pods"),
        ("v1", "ConfigMap", "", "configmaps"),
        ("v1", "Service", "", "services"),
        ("v1", "PersistentVolumeClaim", "", "persistentvolumeclaims"),
        ("apps/v1", "Deployment", "apps", "deployments"),
        ("apps/v1", "StatefulSet", "apps", "statefulsets"),
    ];
    let served = |(version, kind, group, plural): (&str, &str, &str, &str)| {
        let served = Served {
            group: group.to_owned(),
            plural: plural.to_owned(),
            namespaced: true,
            sought: true,
        };
        ((version.to_owned(), kind.to_owned()), served)
    };
    Facts {
        version: "1.35.4".to_owned(),
        served: Some(kinds.into_iter().map(served).collect()),
        pods: Some(Vec::new()),
        ..Facts::default()
    }
}

fn node(name: &str, cpu: &str, memory: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}}})
}

fn deployment(name: &str, replicas: u64, spec: &Json) -> Json {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "team"},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": name}}, "spec": spec}}})
}

fn asking(cpu: &str, memory: &str) -> Json {
    json!({"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]})
}

/// All that is found, as severity and words.
fn found(plan: &Plan, facts: &Facts) -> Vec<(Severity, String)> {
    judge(plan, facts, &Rules::default())
        .into_iter()
        .map(|finding| {
            let words = std::iter::once(finding.what).chain(finding.why);
            (finding.severity, words.collect::<Vec<_>>().join(" | "))
        })
        .collect()
}

fn only(plan: &Plan, facts: &Facts) -> (Severity, String) {
    let mut all = found(plan, facts);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn pods_are_packed_on_the_nodes_there_are() {
    let nodes = |list: Json| Facts { nodes: Some(objects(&list)), ..facts() };
    let two = nodes(json!([node("a", "4", "16Gi"), node("b", "4", "16Gi")]));
    assert_eq!(found(&plan(&json!([deployment("x", 4, &asking("2", "8Gi"))])), &two), []);
    let (severity, words) = only(&plan(&json!([deployment("x", 5, &asking("2", "8Gi"))])), &two);
    assert_eq!(severity, Severity::Warning);
    assert!(
        words.starts_with("1 pod does not fit: largest free 0 of cpu, largest free 0 MiB"),
        "{words}"
    );
    assert!(words.contains("1 of 5: Deployment team/x asks for cpu 2, memory 8 GiB"), "{words}");
    let (_, words) = only(
        &plan(&json!([deployment("x", 6, &asking("1", "5Gi"))])),
        &nodes(json!([node("a", "9", "16Gi"), node("b", "9", "11500Mi")])),
    );
    assert!(words.starts_with("1 pod does not fit: largest free 1.2 GiB"), "{words}");
    let (severity, words) = only(&plan(&json!([deployment("x", 1, &asking("2", "17Gi"))])), &two);
    assert_eq!(severity, Severity::Blocking);
    assert!(words.contains("1 pod fits on no node, even an empty one"), "{words}");
    assert!(words.contains("a and 1 more (memory: 16 GiB free)"), "{words}");
    let grows = Facts { autoscaler: true, ..two };
    assert_eq!(
        only(&plan(&json!([deployment("x", 1, &asking("2", "17Gi"))])), &grows).0,
        Severity::Warning
    );
}

#[test]
fn what_runs_takes_room_unless_it_is_replaced() {
    let pod = |name: &str, maker: &str| {
        json!({"metadata": {"name": name, "namespace": "team", "ownerReferences": [{"kind": "StatefulSet", "name": maker, "controller": true}]},
            "spec": {"nodeName": "a", "containers": [{"resources": {"requests": {"memory": "10Gi"}}}]}, "status": {"phase": "Running"}})
    };
    let set = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "x", "namespace": "team"},
        "spec": {"template": {"spec": asking("1", "10Gi")}}}]);
    let with = |pods: Json| Facts {
        nodes: Some(objects(&json!([node("a", "4", "16Gi")]))),
        pods: Some(objects(&pods)),
        ..facts()
    };
    assert_eq!(found(&plan(&set), &with(json!([pod("x-0", "x")]))), []);
    let (_, words) = only(&plan(&set), &with(json!([pod("y-0", "y")])));
    assert!(words.contains("largest free 6 GiB"), "{words}");
    let mut over = pod("y-0", "y");
    over["status"]["phase"] = json!("Succeeded");
    assert_eq!(found(&plan(&set), &with(json!([over]))), []);
}

#[test]
fn selectors_taints_devices_and_neighbours_count() {
    let mut gpu = node("gpu", "8", "32Gi");
    gpu["metadata"]["labels"] = json!({"pool": "gpu"});
    gpu["spec"] = json!({"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]});
    gpu["status"]["allocatable"]["nvidia.com/gpu"] = json!("1");
    let all = Facts { nodes: Some(objects(&json!([node("a", "8", "32Gi"), gpu]))), ..facts() };
    let tolerant = json!({"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]});
    assert_eq!(found(&plan(&json!([deployment("x", 1, &tolerant)])), &all), []);
    let (_, words) = only(&plan(&json!([deployment("x", 2, &tolerant)])), &all);
    assert!(words.contains("1 of 2") && words.contains("nvidia.com/gpu"), "{words}");
    let shy = json!({"containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]});
    let (severity, words) = only(&plan(&json!([deployment("x", 1, &shy)])), &all);
    assert_eq!(severity, Severity::Blocking);
    assert!(
        words.contains("gpu (taint nvidia.com/gpu)")
            && words.contains("a (nvidia.com/gpu: 0 free)"),
        "{words}"
    );
    let apart = json!({"containers": [{}], "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}]}}});
    let (_, words) = only(&plan(&json!([deployment("x", 2, &apart)])), &all);
    assert!(words.contains("another pod of its kind"), "{words}");
}

#[test]
fn claims_need_a_class_that_is_there() {
    let claim = |spec: Json| json!([{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c", "namespace": "team"}, "spec": spec}]);
    let class = |name: &str, default: &str| json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name, "annotations": {"storageclass.kubernetes.io/is-default-class": default}}});
    let with = |classes: Json| Facts { storage_classes: Some(objects(&classes)), ..facts() };
    let cases = [
        (json!({}), json!([class("a", "true")]), None),
        (
            json!({}),
            json!([class("a", "false")]),
            Some((Severity::Blocking, "no default storage class")),
        ),
        (
            json!({}),
            json!([class("a", "true"), class("b", "true")]),
            Some((Severity::Warning, "several storage classes are the default: a, b")),
        ),
        (json!({"storageClassName": ""}), json!([]), None),
        (json!({"volumeName": "v"}), json!([]), None),
        (json!({"storageClassName": "a"}), json!([class("a", "false")]), None),
        (
            json!({"storageClassName": "z"}),
            json!([class("a", "true")]),
            Some((Severity::Blocking, "there is no storage class `z`")),
        ),
    ];
    for (spec, classes, wanted) in cases {
        let all = found(&plan(&claim(spec.clone())), &with(classes));
        match wanted {
            None => assert_eq!(all, [], "{spec}"),
            Some((severity, words)) => {
                assert_eq!(all.len(), 1, "{spec}");
                assert!(all[0].0 == severity && all[0].1.contains(words), "{spec}: {all:?}");
            }
        }
    }
    let set = json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "x", "namespace": "team"},
        "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "z"}}]}}]);
    assert!(only(&plan(&set), &with(json!([]))).1.contains("StatefulSet team/x (data)"));
    // A class of the plan itself will do.
    let mut own = set.as_array().unwrap().clone();
    own.push(class("z", "false"));
    assert_eq!(found(&plan(&json!(own)), &with(json!([]))), []);
}

fn webhook(more: &Json) -> Object {
    let mut hook = json!({"name": "check.example.org", "clientConfig": {"service": {"namespace": "ops", "name": "checker"}},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}]});
    for (key, value) in more.as_object().unwrap() {
        hook[key] = value.clone();
    }
    Object(
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "checker"}, "webhooks": [hook]}),
    )
}

fn config(labels: &Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "team", "labels": labels}})
}

#[test]
fn a_webhook_that_nobody_serves_stops_what_it_would_be_asked_about() {
    let with = |hook: Json, state: Backend| Facts {
        webhooks: Some(vec![webhook(&hook)]),
        backends: BTreeMap::from([(("ops".to_owned(), "checker".to_owned()), state)]),
        namespaces: Some(objects(
            &json!([{"metadata": {"name": "team", "labels": {"checked": "no"}}}]),
        )),
        ..facts()
    };
    let plan = plan(&json!([config(&json!({"app": "x"}))]));
    let rule = |rule: Json| json!({"rules": [rule]});
    let cases = [
        (json!({}), Backend::Missing, Some(Severity::Blocking)),
        (json!({}), Backend::Silent, Some(Severity::Blocking)),
        (json!({}), Backend::Ready, None),
        (json!({"failurePolicy": "Ignore"}), Backend::Missing, None),
        (json!({"clientConfig": {"url": "https://x"}}), Backend::Missing, None),
        (
            json!({"matchConditions": [{"name": "a", "expression": "true"}]}),
            Backend::Missing,
            Some(Severity::Warning),
        ),
        (json!({"objectSelector": {"matchLabels": {"app": "y"}}}), Backend::Missing, None),
        (json!({"namespaceSelector": {"matchLabels": {"checked": "yes"}}}), Backend::Missing, None),
        (
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team"}}}),
            Backend::Missing,
            Some(Severity::Blocking),
        ),
        (
            rule(
                json!({"operations": ["UPDATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}),
            ),
            Backend::Missing,
            None,
        ),
        (
            rule(
                json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}),
            ),
            Backend::Missing,
            Some(Severity::Blocking),
        ),
        (
            rule(
                json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "scope": "Cluster"}),
            ),
            Backend::Missing,
            None,
        ),
        (
            rule(
                json!({"operations": ["*"], "apiGroups": ["apps"], "apiVersions": ["*"], "resources": ["*"]}),
            ),
            Backend::Missing,
            None,
        ),
    ];
    for (hook, state, wanted) in cases {
        let severities: Vec<_> =
            found(&plan, &with(hook.clone(), state)).into_iter().map(|f| f.0).collect();
        assert_eq!(severities, wanted.into_iter().collect::<Vec<_>>(), "{hook} {state:?}");
    }
}

/// A step that takes an object away.
fn removal(name: &str, object: &str, kind: &str, after: &[&str]) -> Step {
    let object = ObjectRef {
        api_version: if kind == "Deployment" {
            "apps/v1"
        } else {
            "admissionregistration.k8s.io/v1"
        }
        .to_owned(),
        kind: kind.to_owned(),
        namespace: (kind == "Deployment").then(|| "team".to_owned()),
        name: object.to_owned(),
    };
    let change = Change {
        object: Some(object),
        path: String::new(),
        from: Shown::Text("present".to_owned()),
        to: Shown::Absent,
        effect: Effect::InPlace,
        origin: Origin::You,
        by: None,
    };
    Step {
        action: Action::Delete,
        wanted: None,
        changes: vec![change],
        ..step(name, &json!([]), after)
    }
}

#[test]
fn a_webhook_that_nobody_serves_stops_a_deletion_unless_it_goes_before() {
    let facts = Facts {
        webhooks: Some(vec![webhook(&json!({"rules": [{"operations": ["DELETE"],
            "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}]}))]),
        backends: [(("ops".to_owned(), "checker".to_owned()), Backend::Missing)].into(),
        ..facts()
    };
    let kind = "ValidatingWebhookConfiguration";
    let plan = |steps: Vec<Step>| Plan { steps, notes: Vec::new() };
    let blocked = |plan: &Plan| {
        let found = judge(plan, &facts, &Rules::default());
        found.iter().any(|finding| finding.severity == Severity::Blocking)
    };
    assert!(blocked(&plan(vec![removal("web", "web", "Deployment", &[])])));
    let with_it =
        vec![removal("hook", "checker", kind, &[]), removal("web", "web", "Deployment", &["hook"])];
    assert!(!blocked(&plan(with_it)));
    let too_late =
        vec![removal("web", "web", "Deployment", &[]), removal("hook", "checker", kind, &["web"])];
    assert!(blocked(&plan(too_late)));
    // What goes with its host is deleted by nobody.
    let mut along = removal("web", "web", "Deployment", &[]);
    along.action = Action::GoesWith { host: id("host") };
    assert!(!blocked(&plan(vec![along])));
}

#[test]
fn a_webhook_that_the_plan_itself_brings_back_stops_only_what_comes_before() {
    let service = json!([{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "checker", "namespace": "ops"}}]);
    let maps = json!([config(&json!({}))]);
    let facts = Facts {
        webhooks: Some(vec![webhook(&json!({}))]),
        backends: BTreeMap::from([(("ops".to_owned(), "checker".to_owned()), Backend::Missing)]),
        ..facts()
    };
    let of = |after: &[&str]| Plan {
        steps: vec![
            step("operator", &service, &[]),
            step("between", &json!([]), &["operator"]),
            step("maps", &maps, after),
        ],
        notes: Vec::new(),
    };
    assert_eq!(found(&of(&["between"]), &facts), []);
    assert_eq!(found(&of(&[]), &facts).len(), 1);
}

#[test]
fn a_group_that_does_not_answer_is_a_warning_until_it_is_needed() {
    let group = json!([{"metadata": {"name": "v1.metrics.example.org"}, "spec": {"group": "metrics.example.org", "version": "v1",
        "service": {"namespace": "ops", "name": "metrics"}}, "status": {"conditions": [{"type": "Available", "status": "False", "message": "no endpoints"}]}}]);
    let facts = Facts { api_services: Some(objects(&group)), ..facts() };
    let (severity, words) = only(&plan(&json!([config(&json!({}))])), &facts);
    assert_eq!(severity, Severity::Warning);
    assert!(words.contains("v1.metrics.example.org") && words.contains("no endpoints"), "{words}");
    let needs = json!([{"apiVersion": "metrics.example.org/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "team"}}]);
    assert_eq!(only(&plan(&needs), &facts).0, Severity::Blocking);
}

#[test]
fn api_versions_that_are_gone_are_named_with_what_replaces_them() {
    let cron = json!([{"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "c", "namespace": "team"}}]);
    let (severity, words) = only(&plan(&cron), &facts());
    assert_eq!(severity, Severity::Blocking);
    assert!(words.contains("batch/v1beta1") && words.contains("it is now batch/v1"), "{words}");
    let older = Facts { version: "1.24.9".to_owned(), ..facts() };
    let (severity, words) = only(&plan(&cron), &older);
    assert!(severity == Severity::Warning && words.contains("1.25 will no longer"), "{words}");
    // A CRD of somebody else may bear such a name.
    let mut served = facts();
    let key = ("batch/v1beta1".to_owned(), "CronJob".to_owned());
    let one = Served {
        group: "batch".to_owned(),
        plural: "cronjobs".to_owned(),
        namespaced: true,
        sought: true,
    };
    served.served.as_mut().unwrap().insert(key, one);
    assert_eq!(found(&plan(&cron), &served), []);
}

#[test]
fn quotas_are_compared_with_what_comes() {
    let quota = |hard: Json, used: Json| {
        objects(
            &json!([{"metadata": {"name": "q", "namespace": "team"}, "status": {"hard": hard, "used": used}}]),
        )
    };
    let three = plan(&json!([deployment("x", 3, &asking("1", "1Gi"))]));
    let cases = [
        (json!({"requests.cpu": "3"}), json!({}), None),
        (
            json!({"requests.cpu": "3"}),
            json!({"requests.cpu": "1"}),
            Some("leaves 2 of requests.cpu, and the plan asks for 3"),
        ),
        (
            json!({"memory": "2Gi"}),
            json!({}),
            Some("leaves 2 GiB of memory, and the plan asks for 3 GiB"),
        ),
        (json!({"pods": "2"}), json!({}), Some("leaves 2 of pods")),
        (
            json!({"count/deployments.apps": "1"}),
            json!({"count/deployments.apps": "1"}),
            Some("count/deployments.apps"),
        ),
        (json!({"limits.cpu": "9"}), json!({}), Some("wants limits.cpu of every container")),
        (json!({"services": "0"}), json!({}), None),
    ];
    for (hard, used, wanted) in cases {
        let all = found(&three, &Facts { quotas: Some(quota(hard.clone(), used)), ..facts() });
        match wanted {
            None => assert_eq!(all, [], "{hard}"),
            Some(words) => assert!(all.len() == 1 && all[0].1.contains(words), "{hard}: {all:?}"),
        }
    }
    let elsewhere = Facts {
        quotas: Some(objects(
            &json!([{"metadata": {"name": "q", "namespace": "other"}, "status": {"hard": {"pods": "0"}}}]),
        )),
        ..facts()
    };
    assert_eq!(found(&three, &elsewhere), []);
}

#[test]
fn a_limit_range_refuses_what_lies_outside() {
    let range = |limit: Json| Facts {
        limit_ranges: Some(objects(
            &json!([{"metadata": {"name": "r", "namespace": "team"}, "spec": {"limits": [limit]}}]),
        )),
        ..facts()
    };
    let one = plan(&json!([deployment("x", 1, &asking("1", "1Gi"))]));
    let (_, words) = only(&one, &range(json!({"type": "Container", "max": {"cpu": "500m"}})));
    assert!(
        words.contains("allows at most cpu 0.5 a container")
            && words.contains("container main has cpu 1"),
        "{words}"
    );
    let (_, words) = only(&one, &range(json!({"type": "Pod", "min": {"memory": "2Gi"}})));
    assert!(words.contains("at least memory 2 GiB"), "{words}");
    assert_eq!(found(&one, &range(json!({"type": "Container", "max": {"cpu": "1"}}))), []);
}

#[test]
fn a_namespace_on_its_way_out_names_what_holds_it() {
    let going = json!([{"metadata": {"name": "team", "deletionTimestamp": "x"},
        "status": {"conditions": [{"type": "NamespaceContentRemaining", "status": "True", "message": "configmaps. has 1 resource instances"}]}}]);
    let facts = Facts {
        namespaces: Some(objects(&going)),
        held: BTreeMap::from([(
            "team".to_owned(),
            vec!["ConfigMap team/held is held by finalizer a/b".to_owned()],
        )]),
        ..facts()
    };
    let (severity, words) = only(&plan(&json!([config(&json!({}))])), &facts);
    assert_eq!(severity, Severity::Blocking);
    assert!(words.contains("finalizer a/b") && words.contains("has 1 resource"), "{words}");
    let other = json!([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "other"}}]);
    assert_eq!(found(&plan(&other), &facts), []);
}

#[test]
fn findings_stand_on_their_steps_and_the_plan_stays_whole() {
    let facts = Facts { nodes: Some(objects(&json!([node("a", "1", "1Gi")]))), ..facts() };
    let mut drawn = Plan {
        steps: vec![
            step("all", &json!([deployment("x", 1, &asking("2", "1Gi"))]), &[]),
            step("rest", &json!([config(&json!({}))]), &[]),
        ],
        notes: Vec::new(),
    };
    let findings = judge(&drawn, &facts, &Rules::default());
    attach(&mut drawn, &findings);
    assert!(matches!(drawn.steps[0].action.block(), Some(Block::Preflight { .. })));
    assert_eq!(drawn.steps[1].action, Action::Create);
    let failure = failure(&findings).unwrap();
    assert_eq!(failure.kind, FailureKind::Preflight);
    assert!(failure.hints.iter().any(|hint| hint.contains("--skip-preflight capacity")));
    // A check that is left out finds nothing.
    let skip = Rules { skip: [Check::Capacity].into(), strict: true };
    assert_eq!(judge(&drawn, &facts, &skip), []);
}

#[test]
fn strict_makes_warnings_stop_the_run_and_what_is_unknown_is_a_note() {
    let facts = Facts {
        nodes: Some(objects(&json!([node("a", "1", "1Gi")]))),
        unasked: BTreeMap::from([(Check::Webhooks, "forbidden".to_owned())]),
        ..facts()
    };
    let mut drawn = plan(&json!([deployment("x", 2, &asking("1", "1Gi"))]));
    let rules = Rules { strict: true, ..Rules::default() };
    let severities: Vec<_> = judge(&drawn, &facts, &rules).iter().map(|f| f.severity).collect();
    assert_eq!(severities, [Severity::Blocking, Severity::Note]);
    let findings = judge(&drawn, &facts, &Rules::default());
    assert_eq!(failure(&findings), None);
    attach(&mut drawn, &findings);
    assert_eq!(drawn.notes.len(), 2, "{:?}", drawn.notes);
}

#[test]
fn a_plan_without_changes_is_not_looked_into() {
    let mut nothing = plan(&json!([config(&json!({}))]));
    assert!(concerns(&nothing));
    nothing.steps[0].action = Action::Keep;
    assert!(!concerns(&nothing));
    nothing.steps[0].action =
        Action::Blocked { by: Block::Unreachable { because: "forbidden".to_owned() } };
    assert!(concerns(&nothing), "what could not be looked at may be a matter of rights");
}

#[test]
fn each_check_has_a_word_of_its_own() {
    for check in Check::ALL {
        assert_eq!(Check::from_word(check.word()), Some([check].into()));
    }
    assert_eq!(Check::from_word("all").unwrap().len(), Check::ALL.len());
    assert_eq!(Check::from_word("none"), None);
}

#[test]
fn rights_are_asked_for_what_is_written_and_no_more() {
    let drawn = plan(&json!([deployment("x", 1, &asking("1", "1Gi"))]));
    let facts = facts();
    let all = needed(&Wishes::of(&drawn), facts.served.as_ref().unwrap());
    let words = |namespace: &str| -> Vec<String> {
        let there = all.keys().filter(|access| access.namespace.as_deref() == Some(namespace));
        there.map(|a| format!("{} {}.{}", a.verb, a.resource, a.group)).collect()
    };
    assert_eq!(
        words("team"),
        [
            "create deployments.apps",
            "get deployments.apps",
            "list deployments.apps",
            "patch deployments.apps"
        ]
    );
    // The lock of the target, and what the run writes down.
    assert_eq!(
        words("kube-system"),
        [
            "create configmaps.",
            "get configmaps.",
            "patch configmaps.",
            "create leases.coordination.k8s.io",
            "delete leases.coordination.k8s.io",
            "get leases.coordination.k8s.io",
            "patch leases.coordination.k8s.io"
        ]
    );
    assert_eq!(all.len(), 11);
}

proptest! {
    #[test]
    fn capacity_says_the_same_twice_and_never_less_for_more(
        sizes in prop::collection::vec((1..4_u64, 1..4_u64, 1..6_u64), 1..5),
        nodes in prop::collection::vec((1..8_u64, 1..8_u64), 1..4),
    ) {
        let nodes: Vec<Json> = nodes.iter().enumerate()
            .map(|(at, (cpu, memory))| node(&format!("n{at}"), &cpu.to_string(), &format!("{memory}Gi"))).collect();
        let facts = Facts { nodes: Some(objects(&json!(nodes))), ..facts() };
        let wanted: Vec<Json> = sizes.iter().enumerate()
            .map(|(at, (replicas, cpu, memory))| deployment(&format!("d{at}"), *replicas, &asking(&cpu.to_string(), &format!("{memory}Gi")))).collect();
        let drawn = plan(&json!(wanted));
        let all = found(&drawn, &facts);
        prop_assert_eq!(&all, &found(&drawn, &facts));
        // More is asked for than all nodes have together: that is never called well.
        let sum = |at: usize| sizes.iter().map(|(n, c, m)| n * [*c, *m][at]).sum::<u64>();
        let room = |pointer: &str| nodes.iter().map(|n| {
            n.pointer(pointer).unwrap().as_str().unwrap().trim_end_matches("Gi").parse::<u64>().unwrap()
        }).sum::<u64>();
        if sum(0) > room("/status/allocatable/cpu") || sum(1) > room("/status/allocatable/memory") {
            prop_assert!(!all.is_empty());
        }
    }
}
