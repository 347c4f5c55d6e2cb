//! What instances become, on components shaped like the catalogue's.

use serde_json::json;

use crate::catalogue::Wire;
use crate::catalogue::fixture::{
    KAFKA, MINIO, MLFLOW, component, errors, expanded, expanded_on, facts, id, messages, name,
    needs, platform, release, resource, values, well,
};
use crate::model::{
    ChartSource, Class, ConditionTest, CrdPolicy, KubernetesSpec, LoginPart, Manifests, SecretRef,
    SecretRule,
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
    assert_eq!(
        expansion.wiring,
        [Wire {
            user: name("mlflow"),
            alias: "store".into(),
            provider: "minio".into(),
            capability: Some("s3".into()),
            soft: false
        }]
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
    ceiling: none"#,
    );
    let expansion = well(&[&text], &["loader {command: '[ \"/x\", 1 ]'}"]);
    let job = resource(&expansion, "loader/job/load");
    assert_eq!(job.patience.ceiling, None);
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
        ("claims: [{id: a, kind: bucket, from: store}]", "not built yet: claims of kind bucket"),
        ("secrets: [{id: a, keys: {k: {generate: tls}}}]", "not built yet: `generate: tls`"),
        ("images: {a: {context: .}}", "not built yet: `images` of a component"),
        ("delete: {waitGone: [{ref: x}]}", "not built yet: `delete.waitGone`"),
        ("delete: {pvcs: {keep: x=y}}", "not built yet: a selector in `delete`"),
        (
            "steps: [{id: a, kind: helm, chart: {path: x}, hooks: false}]",
            "not built yet: a release without hooks",
        ),
        (
            "health: [{field: {ref: v1/Pod/x, path: a, matches: b}}]",
            "not built yet: `matches` of a field condition",
        ),
    ];
    for (rest, message) in table {
        assert_eq!(errors(&[&component("x", rest)], &["x"]), [message], "{rest}");
    }
    let unused = "steps: [{id: a, kind: call, service: x, path: /, when: false}]\nruns: {r: {job: {}}}\nverify: [{job: {}}]\nconnect: {psql: hello}";
    well(&[&component("x", unused)], &["x"]);
}

#[test]
fn two_expansions_of_one_platform_are_equal() {
    let lines = ["mlflow", "minio", "kafka"];
    assert_eq!(well(&[MINIO, MLFLOW, KAFKA], &lines), well(&[KAFKA, MLFLOW, MINIO], &lines));
}
