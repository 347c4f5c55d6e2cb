//! Every way in which wiring goes right or wrong, with the message a user reads.

use std::collections::BTreeMap;

use crate::catalogue::fixture::{
    KAFKA, MINIO, MLFLOW, chart, component, errors, expanded, external, messages, needs, platform,
    values, well,
};

fn seaweed() -> String {
    MINIO.replace("name: minio\n", "name: seaweedfs\n")
}

fn user(name: &str, uses: &str, values: &str) -> String {
    chart(name, &format!("uses: [{uses}]"), values)
}

const PLAIN: &str = "steps: [{id: a, kind: helm, chart: {path: chart}}]";

#[test]
fn the_only_provider_is_taken_and_of_several_the_default() {
    let seaweed = seaweed();
    let endpoint = |lines: &[&str]| {
        let expansion = well(&[MINIO, &seaweed, MLFLOW], lines);
        values(&expansion, "mlflow/release/server")["artifacts"]["endpoint"].clone()
    };
    assert_eq!(endpoint(&["mlflow", "seaweedfs"]), "http://seaweedfs.data-mill.svc:9000");
    assert_eq!(endpoint(&["mlflow", "seaweedfs", "minio"]), "http://minio.data-mill.svc:9000");
    assert_eq!(
        endpoint(&["mlflow {bind: {store: seaweedfs}}", "seaweedfs", "minio"]),
        "http://seaweedfs.data-mill.svc:9000"
    );
    assert_eq!(
        endpoint(&["mlflow {bind: {store: two}}", "one=minio", "two=minio"]),
        "http://two.data-mill.svc:9000"
    );
}

#[test]
fn what_cannot_be_bound_says_what_to_write() {
    let seaweed = seaweed();
    let retired = MINIO.replace("name: minio\n", "name: ceph\nstatus: retired\n");
    let catalogue = [MINIO, &seaweed, &retired, MLFLOW, KAFKA];
    let table: [(&[&str], &str); 7] = [
        (
            &["mlflow"],
            "`mlflow` needs `s3`, and nothing in the flavour provides it | add one of: minio, seaweedfs",
        ),
        (
            &["mlflow", "one=minio", "two=minio"],
            "`mlflow` needs `s3`, and several provide it: one, two | write in section `mlflow`: bind: {store: one}",
        ),
        (
            &["mlflow {bind: {store: seaweedfs}}", "minio"],
            "`mlflow` binds `store` to `seaweedfs`, which the flavour does not contain | add `seaweedfs` to `project.flavour`",
        ),
        (
            &["mlflow {bind: {store: minoi}}", "minio"],
            "`mlflow` binds `store` to `minoi`, and nothing is called so | did you mean `minio`?",
        ),
        (
            &["mlflow {bind: {store: kafka}}", "minio", "kafka"],
            "`kafka` does not provide `s3`, which `mlflow` binds to it | known here: minio",
        ),
        (
            &["mlflow {bind: {stor: minio}}", "minio"],
            "`mlflow` uses nothing under the name `stor` | did you mean `store`?",
        ),
        (&["mlflo", "minio"], "there is no component `mlflo` | did you mean `mlflow`?"),
    ];
    for (lines, message) in table {
        assert_eq!(errors(&catalogue, lines), [message], "{lines:?}");
    }
    let alone = user("x", "{capability: object-store}", "{}");
    assert_eq!(
        errors(&[&alone], &["x"]),
        [
            "`x` needs `object-store`, and nothing in the flavour provides it | no component of the catalogue provides it; describe one under `external:` and bind `object-store` to it"
        ]
    );
    let of = user("x", "{as: api, component: kafka}", "{}");
    assert_eq!(
        errors(&[&of, KAFKA], &["x"]),
        ["`x` needs component `kafka`, and nothing in the flavour provides it | add one of: kafka"]
    );
}

#[test]
fn all_problems_come_at_once() {
    let found = errors(&[MINIO, MLFLOW, KAFKA], &["mlflow", "kafka {nodes: many, noddes: 1}"]);
    assert_eq!(
        found,
        [
            "`mlflow` needs `s3`, and nothing in the flavour provides it | add one of: minio",
            "`nodes` is a whole number, and here stands `many`",
            "`kafka` has no parameter `noddes` | did you mean `nodes`?",
        ]
    );
}

#[test]
fn an_output_that_does_not_exist_is_found_bound_or_not() {
    let table = [
        (
            "{as: store, capability: s3}",
            "`s3` has no output `bucket` | known here: accessKey, endpoint, namespace, secretKey, tls, url",
        ),
        (
            "{as: store, component: minio}",
            "`minio` has no output `bucket` | known here: accessKey, endpoint, secretKey, tls, url",
        ),
    ];
    for (uses, message) in table {
        let text = user("x", uses, "{bucket: \"${use.store.bucket}\"}");
        assert_eq!(errors(&[&text, MINIO], &["x", "minio"]), [message]);
    }
    let text =
        user("x", "{as: store, capability: s3, optional: true}", "{b: \"${use.store.bucket?}\"}");
    assert_eq!(errors(&[&text], &["x"]), [table[0].1]);
}

#[test]
fn an_optional_use_that_nothing_gives_leaves_its_keys_out() {
    let text = user(
        "x",
        "{as: store, capability: s3, optional: true, soft: true}",
        "{url: \"${use.store.url?}\", on: {$when: has(use.store), yes: true}, text: \"at ${use.store.url?}\"}",
    );
    assert_eq!(values(&well(&[&text], &["x"]), "x/release/server"), serde_json::json!({}));
    let with = well(&[&text, MINIO], &["x", "minio"]);
    assert_eq!(
        values(&with, "x/release/server"),
        serde_json::json!({"url": "http://minio.data-mill.svc:9000", "on": {"yes": true}, "text": "at http://minio.data-mill.svc:9000"})
    );
    assert_eq!(needs(&with, "x/release/server"), Vec::<String>::new());
    let none = well(&[&text, MINIO], &["x {bind: {store: none}}", "minio"]);
    assert_eq!(values(&none, "x/release/server"), serde_json::json!({}));
    let must =
        user("x", "{as: store, capability: s3, optional: true}", "{url: \"${use.store.url}\"}");
    assert_eq!(
        errors(&[&must], &["x"]),
        [
            "`use.store.url` is not there: nothing in the flavour provides `s3` | `${use.store.url?}` leaves the key out then"
        ]
    );
}

#[test]
fn instances_that_need_one_another_are_printed_as_a_chain() {
    let one = component("one", &format!("uses: [{{component: two}}]\n{PLAIN}"));
    let two = component("two", &format!("uses: [{{component: three}}]\n{PLAIN}"));
    let three = component("three", &format!("uses: [{{component: one}}]\n{PLAIN}"));
    assert_eq!(
        errors(&[&one, &two, &three], &["one", "two", "three"]),
        [
            "these instances need one another: one → two → three → one | bind one of them to another provider, or leave one out"
        ]
    );
    let soft = component("three", &format!("uses: [{{component: one, soft: true}}]\n{PLAIN}"));
    well(&[&one, &two, &soft], &["one", "two", "three"]);
}

#[test]
fn outputs_that_refer_to_themselves_are_found() {
    let text = component(
        "x",
        "outputs: {a: {value: \"${out.b}\"}, b: {value: \"${out.a}\"}}\nnotes: \"${out.a}\"",
    );
    assert_eq!(
        errors(&[&text], &["x"]),
        ["`out.a` leads back to itself: x:out.a → x:out.b → x:out.a"]
    );
}

#[test]
fn conflicts_and_what_a_cluster_takes_once_are_found() {
    let one = component("one", &format!("conflicts: [s3]\n{PLAIN}"));
    assert_eq!(
        errors(&[&one, MINIO], &["one", "minio"]),
        ["`one` and `minio` exclude one another | leave one of the two out of `project.flavour`"]
    );
    let single = component("once", &format!("scope: cluster\n{PLAIN}"));
    assert_eq!(
        errors(&[&single], &["a=once", "b=once"]),
        [
            "`a` and `b` are both `once`, and a cluster takes one of those | leave one of the two out of `project.flavour`"
        ]
    );
}

#[test]
fn variants_that_are_not_taken_do_not_count() {
    let gcs = component(
        "gcs",
        "provides: [{capability: object-store, dialect: gcs}]\noutputs: {url: {value: gs://x}}",
    );
    let s3 = component(
        "lake",
        "provides: [{capability: object-store}]\noutputs: {url: {value: s3://x}}",
    );
    let user_of_s3 = user(
        "x",
        "{as: store, capability: object-store, dialect: [s3]}",
        "{url: \"${use.store.url}\"}",
    );
    let expansion = well(&[&gcs, &s3, &user_of_s3], &["x", "gcs", "lake"]);
    assert_eq!(values(&expansion, "x/release/server")["url"], "s3://x");
    assert_eq!(
        errors(&[&gcs, &user_of_s3], &["x", "gcs"])[0].split(" | ").next(),
        Some("`x` needs `object-store`, and nothing in the flavour provides it")
    );
}

#[test]
fn what_exists_outside_stands_in_for_a_provider() {
    let mut wanted = platform(&["mlflow"]);
    let outputs = "{url: \"https://s3.example.org\", tls: true}";
    wanted.external =
        BTreeMap::from([("corp".to_owned(), external("s3", outputs, Some("vault/corp-keys")))]);
    let expansion = expanded(&[MINIO, MLFLOW], &wanted).unwrap();
    assert_eq!(
        values(&expansion, "mlflow/release/server")["artifacts"]["endpoint"],
        "https://s3.example.org"
    );
    assert_eq!(messages(&expansion.warnings), Vec::<String>::new());
    let spare = expanded(
        &[MINIO],
        &crate::catalogue::Platform { external: wanted.external.clone(), ..platform(&["minio"]) },
    );
    assert_eq!(
        messages(&spare.unwrap().warnings),
        [
            "`external.corp` is used by nobody | bind it in the section of what needs it: bind: {NAME: corp}"
        ]
    );
    let secret = expansion.desired.get(&"mlflow/secret/s3".parse().unwrap()).unwrap();
    assert!(format!("{secret:?}").contains("\"vault\""));
    let text = user("x", "{as: store, capability: s3}", "{e: \"${use.store.endpoint}\"}");
    wanted.instances = platform(&["x"]).instances;
    let problems = expanded(&[&text], &wanted).unwrap_err();
    assert_eq!(
        messages(&problems),
        [
            "`use.store.endpoint` is not there: `external.corp.outputs` does not give it | `${use.store.endpoint?}` leaves the key out then"
        ]
    );
}

#[test]
fn what_is_settled_before_uses_are_bound_cannot_ask_for_them() {
    let table = [
        "params: {p: {type: string, default: \"${use.store.url}\"}}\nuses: [{as: store, capability: s3}]",
        "namespace: \"${use.store.namespace}\"\nuses: [{as: store, capability: s3}]",
        "uses: [{as: store, capability: s3}, {as: q, capability: kafka, optional: true, when: has(use.store)}]",
    ];
    for rest in table {
        let found = errors(&[&component("x", rest), MINIO], &["x", "minio"]);
        assert!(found[0].starts_with("`use.store` cannot stand here"), "{rest}: {found:?}");
    }
}
