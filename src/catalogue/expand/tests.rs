//! What instances become, on components shaped like the catalogue's.

use serde_json::json;

use crate::catalogue::fixture::{
    KAFKA, MINIO, MLFLOW, component, errors, expanded, expanded_on, facts, id, messages, name,
    needs, platform, release, resource, values, well,
};
use crate::model::{
    ChartSource, Class, ConditionTest, CrdPolicy, KubernetesSpec, LoginPart, Manifests, SecretPart,
    SecretRef, SecretRule,
};

fn secret(name: &str, key: &str) -> SecretRef {
    SecretRef { namespace: "data-mill".into(), name: name.into(), key: key.into() }
}

#[test]
fn a_provider_becomes_secret_claim_release_and_health_in_order() {
    let expansion = well(&[MINIO], &["minio"]);
    let ids: Vec<_> = expansion.desired.resources.keys().map(ToString::to_string).collect();
    assert_eq!(
        ids,
        [
            "target/namespace/data-mill",
            "minio/secret/root",
            "minio/claim/data",
            "minio/release/server",
            "minio/health/installed"
        ]
    );
    assert_eq!(
        needs(&expansion, "minio/release/server"),
        ["minio/secret/root", "minio/claim/data"]
    );
    assert_eq!(needs(&expansion, "minio/secret/root"), Vec::<String>::new());
    assert_eq!(
        needs(&expansion, "minio/health/installed"),
        ["minio/secret/root", "minio/claim/data", "minio/release/server"]
    );
    let namespace = resource(&expansion, "target/namespace/data-mill");
    assert_eq!(namespace.host, Some(id("target/cluster/datamill-demo")));
    assert!(namespace.needs.contains(&id("target/installation/demo")));
    for text in ["minio/secret/root", "minio/claim/data", "minio/release/server"] {
        assert_eq!(resource(&expansion, text).host, Some(namespace.id.clone()), "{text}");
    }
    let claim = resource(&expansion, "minio/claim/data");
    assert_eq!(claim.class, Class::Data);
    let Some(KubernetesSpec::Claim(claim)) = claim.kubernetes() else { panic!() };
    assert_eq!((claim.name.as_str(), claim.size.as_str()), ("minio-data", "10Gi"));
    assert_eq!(claim.storage_class, None);
    let root = resource(&expansion, "minio/secret/root");
    assert!(root.keep);
    let Some(KubernetesSpec::Secret(root)) = root.kubernetes() else { panic!() };
    assert_eq!(root.keys["password"].rule, SecretRule::Alnum { length: 40 });
}

#[test]
fn whole_paths_keep_their_type_and_absent_ones_leave_their_key_out() {
    let expansion = well(&[MINIO], &["minio"]);
    assert_eq!(
        values(&expansion, "minio/release/server"),
        json!({
            "fullnameOverride": "minio", "mode": "standalone", "existingSecret": "minio-root", "users": [],
            "persistence": {"existingClaim": "minio-data", "size": "10Gi"}
        })
    );
    let spec = release(&expansion, "minio/release/server");
    assert_eq!(
        spec.chart,
        ChartSource::Repository {
            url: "https://charts.example.org".into(),
            name: "minio".into(),
            version: Some("5.4.0".into())
        }
    );
    let patience = resource(&expansion, "minio/release/server").patience;
    assert_eq!(patience.ceiling.map(|c| c.as_secs()), Some(600));
}

#[test]
fn profiles_set_parameters_and_the_user_wins() {
    let mut wanted = platform(&["minio {size: 20Gi}"]);
    wanted.profiles = vec!["gpu".into(), "cloud".into()];
    let expansion = expanded(&[MINIO], &wanted).unwrap();
    assert!(expansion.desired.get(&id("minio/claim/data")).is_none());
    assert_eq!(values(&expansion, "minio/release/server")["persistence"], json!({"size": "20Gi"}));
    assert_eq!(
        errors(&[MINIO], &["minio {profiles: [cluod]}"]),
        ["`minio` has no profile `cluod` | did you mean `cloud`?"]
    );
}

#[test]
fn a_user_of_a_capability_gets_its_outputs_and_waits_for_its_health() {
    let expansion = well(&[MINIO, MLFLOW], &["mlflow", "minio {release: minio-datalake}"]);
    assert_eq!(
        values(&expansion, "mlflow/release/server"),
        json!({"replicaCount": 1, "artifacts": {
            "endpoint": "http://minio-datalake.data-mill.svc:9000", "secret": "mlflow-s3"}})
    );
    let Some(KubernetesSpec::Secret(copy)) = resource(&expansion, "mlflow/secret/s3").kubernetes()
    else {
        panic!()
    };
    assert_eq!(
        copy.keys["AWS_ACCESS_KEY_ID"].rule,
        SecretRule::Copy(secret("minio-datalake-root", "user"))
    );
    assert_eq!(needs(&expansion, "mlflow/secret/s3"), ["minio/health/installed"]);
    assert_eq!(
        needs(&expansion, "mlflow/release/server"),
        ["minio/health/installed", "mlflow/secret/s3"]
    );
}

#[test]
fn crds_come_first_and_stay_and_data_objects_are_a_resource_of_their_own() {
    let expansion = well(&[KAFKA], &["kafka"]);
    let crds = resource(&expansion, "kafka/crds/crds");
    assert!(crds.keep);
    assert_eq!(crds.host, Some(id("target/cluster/datamill-demo")));
    let Some(KubernetesSpec::Crds(spec)) = crds.kubernetes() else { panic!() };
    assert_eq!(
        spec.from,
        Manifests::Chart(ChartSource::Oci {
            url: "oci://charts.example.org/strimzi".into(),
            version: Some("1.2.0".into())
        })
    );
    assert_eq!(release(&expansion, "kafka/release/operator").crds, CrdPolicy::Skip);
    assert_eq!(needs(&expansion, "kafka/release/operator"), ["kafka/crds/crds"]);
    assert_eq!(resource(&expansion, "kafka/objects/cluster-data").class, Class::Data);
    assert_eq!(resource(&expansion, "kafka/objects/cluster").class, Class::Stateless);
    assert_eq!(
        needs(&expansion, "kafka/objects/cluster-data"),
        ["kafka/crds/crds", "kafka/release/operator"]
    );
    assert_eq!(
        needs(&expansion, "kafka/wait/cluster"),
        ["kafka/crds/crds", "kafka/objects/cluster"]
    );
    let Some(KubernetesSpec::Objects(data)) =
        resource(&expansion, "kafka/objects/cluster-data").kubernetes()
    else {
        panic!()
    };
    let Manifests::Inline(objects) = &data.from else { panic!() };
    assert_eq!(
        objects[0].shown(),
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
            "metadata": {"name": "dual-role"}, "spec": {"replicas": 1}})
    );
    let Some(KubernetesSpec::Wait(wait)) = resource(&expansion, "kafka/wait/cluster").kubernetes()
    else {
        panic!()
    };
    let ConditionTest::Condition { of, condition, status } = &wait.until[0].test else { panic!() };
    assert_eq!(
        (of.to_string().as_str(), condition.as_str(), status.as_str()),
        ("Kafka data-mill/kafka", "Ready", "True")
    );
}

#[test]
fn switches_for_metrics_hold_where_the_api_is_served() {
    let mut with = facts();
    with.apis.insert("monitoring.coreos.com/v1".into());
    let wanted = platform(&["kafka"]);
    for (facts, on) in [(facts(), false), (with, true)] {
        let expansion = expanded_on(&[KAFKA], &wanted, &facts).unwrap();
        assert_eq!(
            values(&expansion, "kafka/release/operator"),
            json!({"dashboards": {"enabled": on}})
        );
    }
}

#[test]
fn an_old_cluster_is_named_with_what_is_needed() {
    let mut old = facts();
    old.version = "1.29.3".into();
    let problems = expanded_on(&[KAFKA], &platform(&["kafka"]), &old).unwrap_err();
    assert_eq!(
        messages(&problems),
        ["`kafka` needs Kubernetes >=1.30, and the cluster runs 1.29.3"]
    );
}

#[test]
fn endpoints_and_notes_are_resolved() {
    let expansion = well(&[MINIO], &["lake=minio"]);
    let endpoint = &expansion.endpoints[0];
    assert_eq!(
        (endpoint.service.as_str(), endpoint.port, endpoint.forward),
        ("lake-console", 9001, Some(9001))
    );
    let login = endpoint.login.clone().unwrap();
    assert_eq!(login.user, Some(LoginPart::Text("admin".into())));
    assert_eq!(login.password, Some(LoginPart::Secret(secret("lake-root", "password"))));
    assert_eq!(expansion.notes, [(name("lake"), "S3 at http://lake.data-mill.svc:9000".into())]);
}

#[test]
fn a_job_is_a_whole_kubernetes_job() {
    let text = component(
        "loader",
        r#"
params: {command: {type: list, default: [/download.sh]}, key: {type: string, secret: true, default: none}}
secrets: [{id: login, keys: {key: {param: key}}}]
claims: [{id: data, kind: volume, size: 1Gi}]
steps:
  - id: load
    kind: job
    image: docker.io/library/busybox:1.37
    command: "${param.command}"
    env: {DATASET: flowers, COUNT: 3, KEY: "${secret.login.key.ref}"}
    envFrom: ["${secret.login.name}"]
    mounts: [{path: /data, claim: "${claim.data.name}", readOnly: true}]
    resources: {requests: {memory: 64Mi}}
    ready: started
    ceiling: none
    stall: 90s"#,
    );
    let expansion = well(&[&text], &["loader {command: '[ \"/x\", 1 ]'}"]);
    let job = resource(&expansion, "loader/job/load");
    assert_eq!(job.patience.ceiling, None);
    assert_eq!(job.patience.stall.as_secs(), 90);
    let Some(KubernetesSpec::Job(spec)) = job.kubernetes() else { panic!() };
    assert_eq!(spec.ready, crate::model::JobReady::Started);
    let labels = json!({"app.kubernetes.io/name": "loader", "app.kubernetes.io/instance": "loader", "app.kubernetes.io/component": "load"});
    assert_eq!(
        spec.template.shown(),
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "loader-load", "namespace": "data-mill", "labels": labels},
            "spec": {"template": {"metadata": {"labels": labels}, "spec": {
                "restartPolicy": "OnFailure",
                "containers": [{
                    "name": "load", "image": "docker.io/library/busybox:1.37", "command": ["/x", "1"],
                    "env": [
                        {"name": "DATASET", "value": "flowers"},
                        {"name": "COUNT", "value": "3"},
                        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "loader-login", "key": "key"}}},
                    ],
                    "envFrom": [{"secretRef": {"name": "loader-login"}}],
                    "resources": {"requests": {"memory": "64Mi"}},
                    "volumeMounts": [{"name": "volume-0", "mountPath": "/data", "readOnly": true}],
                }],
                "volumes": [{"name": "volume-0", "persistentVolumeClaim": {"claimName": "loader-data"}}],
            }}},
        })
    );
}

#[test]
fn namespaces_carry_labels_and_steps_may_go_elsewhere() {
    let text = component(
        "metallb",
        r#"
namespace: {name: "${self.instance}-system", labels: {pod-security.kubernetes.io/enforce: privileged}}
delete: {namespace: keep}
steps:
  - {id: a, kind: helm, chart: {path: chart}}
  - {id: b, kind: helm, chart: {path: chart}, release: "${self.release}-b", namespace: other}"#,
    );
    let expansion = well(&[&text], &["metallb"]);
    let namespace = resource(&expansion, "target/namespace/metallb-system");
    assert!(namespace.keep);
    let Some(KubernetesSpec::Namespace(spec)) = namespace.kubernetes() else { panic!() };
    assert_eq!(spec.labels["pod-security.kubernetes.io/enforce"], "privileged");
    assert_eq!(resource(&expansion, "metallb/release/b").host, Some(id("target/namespace/other")));
    assert_eq!(release(&expansion, "metallb/release/b").namespace, "other");
    assert!(expansion.desired.get(&id("target/namespace/data-mill")).is_none());
}

#[test]
fn the_users_ceiling_version_and_namespace_hold() {
    let expansion = well(&[MINIO], &["minio {ceiling: 30s, version: 5.5.0, namespace: lake}"]);
    let server = resource(&expansion, "minio/release/server");
    assert_eq!(server.patience.ceiling.map(|c| c.as_secs()), Some(30));
    let spec = release(&expansion, "minio/release/server");
    assert_eq!(spec.namespace, "lake");
    let ChartSource::Repository { version, .. } = &spec.chart else { panic!() };
    assert_eq!(version.as_deref(), Some("5.5.0"));
}

#[test]
fn two_things_of_one_name_are_told_apart_or_refused() {
    assert!(expanded(&[MINIO], &platform(&["one=minio", "two=minio"])).is_ok());
    let found = errors(&[MINIO], &["one=minio {release: x}", "two=minio {release: x}"]);
    assert!(
        found.iter().any(|m| m.starts_with(
            "`one/release/server` and `two/release/server` are the same release `x` in namespace `data-mill`"
        )),
        "{found:?}"
    );
}

#[test]
fn what_is_not_built_yet_says_so_when_it_is_used() {
    let table = [
        ("steps: [{id: a, kind: kustomize, url: x}]", "not built yet: steps of kind kustomize"),
        (
            "steps: [{id: a, kind: patch, target: x, patch: {}}]",
            "not built yet: steps of kind patch",
        ),
        ("steps: [{id: a, kind: call, service: x, path: /}]", "not built yet: steps of kind call"),
        ("images: {a: {context: .}}", "not built yet: `images` of a component"),
        (
            "delete: {before: [{pipelines: delete}]}",
            "not built yet: `pipelines` in `delete.before`",
        ),
    ];
    for (rest, message) in table {
        assert_eq!(errors(&[&component("x", rest)], &["x"]), [message], "{rest}");
    }
    let unused = "steps: [{id: a, kind: call, service: x, path: /, when: false}]\nruns: {r: {job: {}}}\nverify: [{job: {}}]\nconnect: {psql: hello}";
    well(&[&component("x", unused)], &["x"]);
}

#[test]
fn a_pattern_is_a_regular_expression_and_stands_alone() {
    let table = [
        (
            "health: [{field: {ref: v1/Pod/x, path: a, matches: 'b('}}]",
            "`b(` is no regular expression: unclosed group",
        ),
        (
            "health: [{field: {ref: v1/Pod/x, path: a, matches: b, equals: b}}]",
            "`matches` stands alone, without `equals` and `oneOf`",
        ),
    ];
    for (rest, message) in table {
        let found = errors(&[&component("x", rest)], &["x"]);
        assert!(found.len() == 1 && found[0].starts_with(message), "{rest}: {found:?}");
    }
}

#[test]
fn what_is_drawn_together_is_several_keys_that_paths_know() {
    let text = component(
        "x",
        r#"
secrets:
  - id: web
    keys:
      tls: {generate: tls, names: ["${self.release}.example.org", 10.0.0.7], days: 30}
      signing.pem: {generate: rsa, length: 3072}
      password: {generate: alnum}
      auth: {generate: htpasswd, user: ada}
outputs:
  ca: {secretKey: {name: "${secret.web.ca.crt.ref.name}", key: "${secret.web.ca.crt.ref.key}"}}
"#,
    );
    let expansion = well(&[&text], &["x"]);
    let secret = expansion.desired.get(&"x/secret/web".parse().unwrap()).unwrap();
    let Some(KubernetesSpec::Secret(spec)) = secret.kubernetes() else { panic!("a secret") };
    let keys: Vec<&str> = spec.keys.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["auth", "ca.crt", "password", "signing.pem", "signing.pub", "tls.crt", "tls.key"]
    );
    let names = vec!["x.example.org".to_owned(), "10.0.0.7".to_owned()];
    assert_eq!(spec.keys["tls.crt"].rule, SecretRule::Tls { names, days: 30 });
    assert_eq!(spec.keys["signing.pem"].rule, SecretRule::Rsa { bits: 3072 });
    let part = SecretRule::Part { of: "tls.crt".to_owned(), part: SecretPart::TlsAuthority };
    assert_eq!(spec.keys["ca.crt"].rule, part);

    let wrong = [
        ("auth: {generate: htpasswd}", "there is no key `password` to take the password from"),
        ("a: {generate: tls}, a.key: {value: x}", "this secret has the key `a.key` already"),
        ("a: {generate: rsa, length: 1000}", "`length` is 2048, 3072 or 4096 for an RSA key"),
        ("a: {generate: alnum, days: 3}", "a key of a secret has no key `days`"),
    ];
    for (keys, message) in wrong {
        let text = component("x", &format!("secrets: [{{id: a, keys: {{{keys}}}}}]"));
        let found = messages(&crate::catalogue::fixture::load(&[&text]).1);
        assert!(found.iter().any(|m| m.starts_with(message)), "{keys}: {found:?}");
    }
}

#[test]
fn two_expansions_of_one_platform_are_equal() {
    let lines = ["mlflow", "minio", "kafka"];
    assert_eq!(well(&[MINIO, MLFLOW, KAFKA], &lines), well(&[KAFKA, MLFLOW, MINIO], &lines));
}

const OPERATED: &str = r#"
params: {cluster: {type: string, default: main}}
steps:
  - id: operator
    kind: helm
    chart: {path: chart}
    wait: [{rollout: deployment/operator}]
  - id: cluster
    kind: objects
    retry: 7
    fails: [{exists: v1/Pod/broken}]
    objects:
      - {apiVersion: example.org/v1, kind: Thing, metadata: {name: "${param.cluster}"}}
delete:
  pvcs: {remove: "app=cache"}
  timeout: 90s
  before: [{deleteSelected: {kind: Pod, selector: "made-by=${self.release}"}}]
  guards: [{gone: v1/PersistentVolumeClaim/*, because: volumes are in use}]
  waitGone:
    - {ref: "example.org/v1/Topic/*", selector: "of=${param.cluster}", before: cluster, timeout: 5m}
    - {ref: "example.org/v1/Thing/${param.cluster}", before: operator}
"#;

#[test]
fn the_end_of_an_instance_is_nodes_in_the_chain_of_its_needs() {
    let expansion = well(&[&component("x", OPERATED)], &["x"]);
    let needed = |id: &str, of: &str| needs(&expansion, id).iter().any(|need| need == of);
    // What comes after needs the node, so it goes before it; the node needs what goes after it.
    assert!(needed("x/removal/operator", "x/release/operator"));
    assert!(needed("x/objects/cluster", "x/removal/operator"));
    assert!(needed("x/removal/cluster", "x/objects/cluster"));
    for step in ["x/release/operator", "x/objects/cluster"] {
        assert!(needed(step, "x/removal/manner"), "{step}");
        assert!(needed("x/removal/guard", step), "{step}");
    }
    // A wait between two steps is never there to be found: what is behind it is named as well.
    assert!(needed("x/objects/cluster", "x/wait/operator"));
    assert!(needed("x/objects/cluster", "x/release/operator"));

    let rules = |name: &str| {
        let resource = resource(&expansion, &format!("x/removal/{name}"));
        let Some(KubernetesSpec::Removal(spec)) = resource.kubernetes() else { panic!("rules") };
        assert_eq!(spec.name, format!("x-removal-{name}"));
        serde_json::to_value(&spec.rules).unwrap()
    };
    let of = |api: &str, kind: &str, name: &str| json!({"api_version": api, "kind": kind, "namespace": "data-mill", "name": name});
    assert_eq!(
        rules("manner"),
        json!({"timeout": 90, "volumes": {"keep": false, "selector": "app=cache"}})
    );
    assert_eq!(
        rules("cluster"),
        json!({"gone": [{"of": of("example.org/v1", "Topic", "*"), "selector": "of=main", "timeout": 300}]})
    );
    assert_eq!(
        rules("guard"),
        json!({
            "guards": [{"test": {"Gone": of("v1", "PersistentVolumeClaim", "*")}, "because": "volumes are in use"}],
            "selected": [{"of": of("v1", "Pod", "*"), "selector": "made-by=x", "wait": true}],
        })
    );
    let cluster = resource(&expansion, "x/objects/cluster");
    assert_eq!(cluster.patience.tries, Some(7));
    assert_eq!(cluster.fails.len(), 1);
}

#[test]
fn what_is_wrong_with_an_end_is_said_with_its_place() {
    let steps = "steps: [{id: a, kind: wait, until: [{exists: v1/Pod/x}]}]\n";
    let table = [
        ("delete: {waitGone: [{ref: v1/Pod/x, before: b}]}", "`b` is no step of this component"),
        ("delete: {pvcs: {keep: a in (b)}}", "`a in (b)` is no part of a label selector"),
        ("delete: {pvcs: {}}", "`pvcs` says either `keep` or `remove`, and a selector"),
        ("delete: {secrets: {keep: a=b}}", "`secrets` takes no selector: only `pvcs` does"),
        ("delete: {before: [{wait: true}]}", "an entry of `before` does one of"),
        ("delete: {before: [{deleteSelected: {kind: Pod}}]}", "`deleteSelected` lacks `selector`"),
        (
            "delete: {before: [{deleteSelected: {kind: PersistentVolumeClaim, selector: a}}]}",
            "volumes are not deleted by a selector here",
        ),
        ("delete: {guards: [{gone: v1/Pod/*, exists: v1/Pod/x}]}", "a condition tests one thing"),
    ];
    for (delete, message) in table {
        let text = component("x", &format!("{steps}{delete}"));
        let (catalogue, problems) = crate::catalogue::fixture::load(&[&text]);
        let mut found = messages(&problems);
        if catalogue.component("x").is_some() && found.is_empty() {
            found = errors(&[&text], &["x"]);
        }
        assert!(found.iter().any(|m| m.starts_with(message)), "{delete}: {found:?}");
    }
}

#[test]
fn charts_have_mirrors_and_folders_and_instances_what_they_require() {
    let text = component(
        "x",
        r#"
params: {class: {type: string, default: fast}}
requires: {helm: ">=4", nodes: {cpu: 2, memory: 4Gi, gpu: 1, arch: [amd64]}, storage: {class: "${param.class}", accessMode: ReadWriteMany, size: 1Gi}}
steps:
  - {id: crds, kind: crds, from: {step: main, subpath: /files/crds/}}
  - id: main
    kind: helm
    chart: {url: "https://example.org/a/c-1.tgz", sha256: lock, mirrors: ["https://mirror.example.org/c.tgz", vendored, old/c.tgz]}
"#,
    );
    let expansion = well(&[&text], &["x"]);
    let chart = release(&expansion, "x/release/main").chart.clone();
    let ChartSource::Archive { mirrors, .. } = &chart else { panic!("an archive") };
    assert_eq!(mirrors[0], "https://mirror.example.org/c.tgz");
    assert!(
        mirrors[1].ends_with("/x/c-1.tgz") && mirrors[2].ends_with("/x/old/c.tgz"),
        "{mirrors:?}"
    );
    let Some(KubernetesSpec::Crds(crds)) = resource(&expansion, "x/crds/crds").kubernetes() else {
        panic!("definitions")
    };
    assert_eq!(crds.from, Manifests::ChartFolder(chart, "files/crds".to_owned()));
    let requirement = &expansion.requirements[0];
    assert_eq!(requirement.class.as_deref(), Some("fast"));
    assert_eq!(requirement.node.len(), 3);
    assert_eq!(requirement.helm.as_deref(), Some(">=4"));

    let wrong = [
        ("from: {url: \"https://x\", subpath: crds}", "`subpath` is a folder of a chart"),
        ("from: {chart: {path: c, mirrors: [x]}}", "`mirrors` are other places of an archive"),
    ];
    for (from, message) in wrong {
        let text = component("x", &format!("steps: [{{id: a, kind: crds, {from}}}]"));
        let found = messages(&crate::catalogue::fixture::load(&[&text]).1);
        assert!(found.iter().any(|m| m.starts_with(message)), "{from}: {found:?}");
    }
}
