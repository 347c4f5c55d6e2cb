//! What is claimed of a provider becomes resources of the one that asks.

use serde_json::json;

use crate::catalogue::fixture::{
    KAFKA, MINIO, chart, component, errors, expanded, external, load, messages, needs, platform,
    resource, tree, values, well,
};
use crate::model::{Class, KubernetesSpec, SecretRef, SecretRule};

const ASKS: &str = r#"
uses: [{as: store, capability: s3}]
claims: [{id: artifacts, kind: bucket, from: store, name: "${self.release}-artifacts", versioning: true}]
secrets:
  - id: login
    keys: {AWS_ACCESS_KEY_ID: {copy: "${claim.artifacts.accessKey.ref}"}}
"#;

fn asks() -> String {
    chart(
        "asks",
        ASKS,
        r#"{bucket: "${claim.artifacts.name}", secret: "${claim.artifacts.accessKey.ref.name}"}"#,
    )
}

fn job(expansion: &crate::catalogue::Expansion, id: &str) -> serde_json::Value {
    match resource(expansion, id).kubernetes() {
        Some(KubernetesSpec::Job(spec)) => spec.template.shown(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_claim_is_granted_by_whoever_keeps_the_contract() {
    let expansion = well(&[MINIO, &asks()], &["minio", "asks"]);
    let made = job(&expansion, "asks/job/artifacts-make");
    assert_eq!(made["metadata"]["name"], json!("asks-artifacts-make"));
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["make", "asks-artifacts", "--versioning", "true"]));
    assert_eq!(
        container["env"],
        json!([
            {"name": "URL", "value": "http://minio.data-mill.svc:9000"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "asks-artifacts-keys", "key": "accessKey"}}}
        ])
    );
    assert_eq!(
        values(&expansion, "asks/release/server"),
        json!({"bucket": "asks-artifacts", "secret": "asks-artifacts-keys"})
    );
}

#[test]
fn what_grants_a_claim_comes_after_the_provider_and_before_the_one_that_asks() {
    let expansion = well(&[MINIO, &asks()], &["minio", "asks"]);
    assert_eq!(needs(&expansion, "asks/secret/artifacts-keys"), ["minio/health/installed"]);
    let make = needs(&expansion, "asks/job/artifacts-make");
    assert_eq!(make, ["asks/secret/artifacts-keys", "minio/health/installed"]);
    assert_eq!(
        needs(&expansion, "asks/secret/login"),
        ["asks/secret/artifacts-keys", "minio/health/installed"]
    );
    let release = needs(&expansion, "asks/release/server");
    for need in ["asks/job/artifacts-make", "asks/secret/login", "minio/health/installed"] {
        assert!(release.iter().any(|id| id == need), "{need} in {release:?}");
    }
}

#[test]
fn what_opens_something_granted_stays() {
    let expansion = well(&[MINIO, &asks()], &["minio", "asks"]);
    assert!(resource(&expansion, "asks/secret/artifacts-keys").keep);
    assert!(!resource(&expansion, "asks/secret/login").keep);
}

#[test]
fn what_is_outside_grants_by_the_contract_as_well() {
    let mut platform = platform(&["asks"]);
    let outside = external("s3", "{url: 'https://s3.example.org'}", Some("elsewhere/keys"));
    platform.external.insert("store".to_owned(), outside);
    let expansion = expanded(&[&asks()], &platform)
        .unwrap_or_else(|problems| panic!("{}", messages(&problems).join("\n")));
    let made = job(&expansion, "asks/job/artifacts-make");
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["env"][0]["value"], json!("https://s3.example.org"));
    let Some(KubernetesSpec::Secret(keys)) =
        resource(&expansion, "asks/secret/artifacts-keys").kubernetes()
    else {
        panic!()
    };
    let key =
        SecretRef { namespace: "elsewhere".into(), name: "keys".into(), key: "accessKey".into() };
    assert_eq!(keys.keys["accessKey"].rule, SecretRule::Copy(key));
}

/// A provider that grants topics its own way, with its own settings in sight.
fn broker() -> String {
    component(
        "broker",
        r#"
provides: [{capability: kafka}]
params: {brand: {type: string, default: strimzi}}
outputs: {bootstrap: {value: "broker:9092"}}
grants:
  topic:
    steps:
      - id: topic
        kind: objects
        namespace: "${self.namespace}"
        objects:
          - apiVersion: kafka.example.org/v1
            kind: Topic
            class: data
            metadata: {name: "${asked.name}", labels: {cluster: "${self.release}", brand: "${param.brand}"}}
            spec: {partitions: "${asked.partitions}", for: "${asked.instance} at ${from.bootstrap}"}
"#,
    )
}

#[test]
fn a_provider_may_grant_its_own_way() {
    let asks = component(
        "asks",
        "uses: [{as: bus, capability: kafka}]\nclaims: [{id: events, kind: topic, from: bus, partitions: 3}]",
    );
    let expansion = well(&[&broker(), &asks], &["broker {namespace: bus}", "asks"]);
    let topic = resource(&expansion, "asks/objects/events-topic");
    assert_eq!(topic.class, Class::Data);
    assert_eq!(topic.host.as_ref().map(ToString::to_string), Some("target/namespace/bus".into()));
    let Some(KubernetesSpec::Objects(spec)) = topic.kubernetes() else { panic!() };
    let crate::model::Manifests::Inline(objects) = &spec.from else { panic!() };
    let object = objects[0].shown();
    assert_eq!(object["metadata"]["name"], json!("asks-events"));
    assert_eq!(object["metadata"]["labels"], json!({"cluster": "broker", "brand": "strimzi"}));
    assert_eq!(object["spec"], json!({"partitions": 3, "for": "asks at broker:9092"}));
}

#[test]
fn without_a_provider_an_optional_claim_is_left_out() {
    let optional =
        ASKS.replace("capability: s3", "capability: s3, optional: true").replace(".ref}", ".ref?}");
    let asks = chart("asks", &optional, r#"{bucket: "${claim.artifacts.name?}"}"#);
    let expansion = well(&[&asks], &["asks"]);
    assert_eq!(values(&expansion, "asks/release/server"), json!({}));
    assert!(!expansion.desired.resources.keys().any(|id| id.to_string().contains("artifacts")));
}

#[test]
fn a_provider_that_grants_nothing_of_the_kind_is_named() {
    let asks = component(
        "asks",
        "uses: [{as: bus, capability: kafka}]\nclaims: [{id: events, kind: topic, from: bus, partitions: 3}]",
    );
    assert_eq!(
        errors(&[KAFKA, &asks], &["kafka", "asks"]),
        ["`kafka` grants no topic | take another provider of `kafka`, one that does"]
    );
}

#[test]
fn claims_that_no_contract_knows_are_found_with_the_files() {
    let asks = |claim: &str| {
        component(
            "asks",
            &format!(
                "uses: [{{as: store, capability: s3}}, {{as: bus, capability: kafka}}, {{as: soft, capability: s3, soft: true}}]\nclaims: [{claim}]"
            ),
        )
    };
    let table = [
        ("{id: a, kind: bucket, from: stor}", "there is no use `stor` | did you mean `store`?"),
        ("{id: a, kind: topic, from: store}", "nobody who provides `s3` grants a topic"),
        (
            "{id: a, kind: bucket, from: store, partitions: 3}",
            "a bucket of `s3` has no `partitions`",
        ),
        ("{id: a, kind: topic, from: bus}", "claim `a` lacks `partitions` | how many"),
        (
            "{id: a, kind: topic, from: bus, partitions: many}",
            "`partitions` is a whole number, and here stands `many`",
        ),
        (
            "{id: a, kind: bucket, from: soft}",
            "`soft` is a soft use, which nobody waits for | what is claimed must be there first: take `soft` away",
        ),
    ];
    for (claim, message) in table {
        let (_, problems) = load(&[&asks(claim)]);
        let found = messages(&problems);
        assert!(found.iter().any(|found| found.starts_with(message)), "{claim}: {found:?}");
    }
}

#[test]
fn a_grant_gives_what_the_contract_promises_and_mentions_what_is_in_sight() {
    let grant = |grant: &str| {
        component(
            "store",
            &format!(
                "provides: [{{capability: s3}}]\noutputs: {{endpoint: {{value: a}}, url: {{value: a}}, tls: {{value: false}}, accessKey: {{secretKey: {{name: a, key: b}}}}, secretKey: {{secretKey: {{name: a, key: b}}}}}}\ngrants: {grant}"
            ),
        )
    };
    let table = [
        ("{bucket: {}}", "whoever claims a bucket gets `accessKey`, which this grant lacks"),
        (
            "{bucket: {outputs: {accessKey: {value: 1}}}}",
            "`accessKey` of a granted bucket is not what the contract wants: ref",
        ),
        ("{topic: {}}", "`store` grants a topic, and nothing that it provides has such claims"),
        ("{buckets: {}}", "nobody claims a `buckets` of a provider | did you mean `bucket`?"),
        (
            "{bucket: {steps: [{id: a, kind: helm, chart: {path: chart}}], outputs: {accessKey: {secretKey: {name: a, key: b}}}}}",
            "step `a` is of a kind that no grant has | the steps of a grant are of the kinds objects, job and wait",
        ),
    ];
    for (text, message) in table {
        let (_, problems) = load(&[&grant(text)]);
        let found = messages(&problems);
        assert!(found.iter().any(|found| found.starts_with(message)), "{text}: {found:?}");
    }
    let out_of_sight = broker().replace("${asked.instance} at", "${use.other.url} at");
    let asks = component(
        "asks",
        "uses: [{as: bus, capability: kafka}]\nclaims: [{id: events, kind: topic, from: bus, partitions: 3}]",
    );
    let found = errors(&[&out_of_sight, &asks], &["broker", "asks"]);
    assert_eq!(
        found,
        [
            "`use.other.url` is not in sight of a grant | known here: asked, cluster, from, item, project, secret"
        ]
    );
}

#[test]
fn a_flavour_claims_in_the_name_of_the_provider() {
    let mut platform = platform(&["minio"]);
    platform.claims = Some(tree("examples: {kind: bucket, from: minio, versioning: true}"));
    let expansion = expanded(&[MINIO], &platform)
        .unwrap_or_else(|problems| panic!("{}", messages(&problems).join("\n")));
    let made = job(&expansion, "minio/job/examples-make");
    let command = &made["spec"]["template"]["spec"]["containers"][0]["command"];
    assert_eq!(*command, json!(["make", "examples", "--versioning", "true"]));
    let needed = needs(&expansion, "minio/job/examples-make");
    assert!(needed.contains(&"minio/health/installed".to_owned()), "{needed:?}");
    let health = needs(&expansion, "minio/health/installed");
    assert!(!health.iter().any(|id| id.contains("examples")), "{health:?}");
}

#[test]
fn what_a_flavour_claims_wrongly_is_said_where_it_stands() {
    let table = [
        (
            "a: {kind: bucket, from: mini}",
            "nothing in the flavour is called `mini` | did you mean `minio`?",
        ),
        ("a: {kind: topic, from: minio}", "`minio` grants no topic"),
        (
            "a: {kind: volume, size: 1Gi}",
            "a flavour claims what a provider grants, and a volume is granted by nobody",
        ),
        ("[{kind: bucket}]", "`claims` is a map by name, and here stands a list"),
        ("a: {kind: bucket, from: minio, partitions: 3}", "a bucket of `s3` has no `partitions`"),
        ("a: {kind: bucket, from: minio, versioning: maybe}", "`versioning` is"),
        ("My_Bucket: {kind: bucket, from: minio}", "`My_Bucket` may hold lower-case letters"),
    ];
    for (claims, message) in table {
        let mut platform = platform(&["minio"]);
        platform.claims = Some(tree(claims));
        let found = messages(&expanded(&[MINIO], &platform).unwrap_err());
        assert!(found.iter().any(|found| found.starts_with(message)), "{claims}: {found:?}");
    }
}

#[test]
fn a_database_is_one_claims_alone() {
    let postgres =
        component("postgres", "provides: [{capability: postgres}]\noutputs: {host: {value: db}}");
    let asks = component(
        "asks",
        "uses: [{as: db, capability: postgres}]\nclaims: [{id: runs, kind: database, from: db, name: runs}]",
    );
    assert_eq!(
        errors(&[&postgres, &asks], &["postgres", "asks", "more=asks"]),
        [
            "`asks.runs` and `more.runs` claim the same database `runs` of `postgres` | give one of the two instances another name for it, in its section",
            "`asks.runs` and `more.runs` claim the same owner `runs` of `postgres` | give one of the two instances another name for it, in its section",
        ]
    );
}

#[test]
fn parts_that_would_hide_one_another_are_told() {
    let hidden = ASKS.replace("id: login", "id: artifacts-keys");
    let found = errors(&[MINIO, &chart("asks", &hidden, "{}")], &["minio", "asks"]);
    assert!(
        found
            .iter()
            .any(|one| one
                .starts_with("two parts of `asks` are called `asks/secret/artifacts-keys`")),
        "{found:?}"
    );
}
