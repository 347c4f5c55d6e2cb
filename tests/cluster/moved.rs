//! An instance renamed in the file keeps what it has.

use serde_json::Value as Json;

use super::kit::*;
use super::*;

const STORE: &str = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{ .Release.Name }}}
spec:
  serviceName: {{ .Release.Name }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: store, image: store}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

const NOTE: &str = "steps:
  - id: note
    kind: objects
    objects:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: note}, data: {text: one}}
";

fn json(sandbox: &Sandbox, words: &[&str]) -> Json {
    let words = words.iter().copied().chain(["-o", "json"]);
    serde_json::from_str(&sandbox.kubectl(words)).unwrap()
}

/// Uid by kind and name of what must stay itself.
fn uids(sandbox: &Sandbox) -> Vec<String> {
    let all = json(sandbox, &["get", "pvc,secret,statefulset,pod", "-n", "kit"]);
    let own = all["items"].as_array().unwrap().iter().filter(|item| {
        let name = item["metadata"]["name"].as_str().unwrap();
        !name.starts_with("sh.helm.release.")
    });
    let mut uids: Vec<String> = own
        .map(|item| {
            format!("{} {} {}", item["kind"], item["metadata"]["name"], item["metadata"]["uid"])
        })
        .collect();
    uids.sort();
    uids
}

/// The instances that marks name, of everything that bears a mark.
fn instances(sandbox: &Sandbox) -> std::collections::BTreeSet<String> {
    let all = json(
        sandbox,
        &["get", "pvc,secret,statefulset,configmap", "-n", "kit", "-l", "datamill.dev/instance"],
    );
    let newest = |item: &&Json| item["metadata"]["labels"]["status"] != "superseded";
    let items = all["items"].as_array().unwrap().iter().filter(newest);
    let name = |item: &Json| {
        item["metadata"]["labels"]["datamill.dev/instance"].as_str().unwrap().to_owned()
    };
    items.map(name).collect()
}

#[test]
fn a_renamed_instance_keeps_its_release_its_volumes_and_its_password() {
    let sandbox = Sandbox::with_tools();
    let rest = format!(
        "secrets:\n  - {{id: auth, name: \"${{self.release}}-auth\", keep: true, keys: {{password: {{generate: alnum, length: 24}}}}}}\nclaims:\n  - {{id: own, kind: volume, name: \"${{self.release}}-own\", size: 1Gi}}\n{}",
        helm_step("{own: \"${claim.own.name}\", auth: \"${secret.auth.name}\"}")
    );
    component(&sandbox, "store", &rest);
    chart(&sandbox, "store", "own: none\nauth: none\n", &[STORE]);
    flavour(&sandbox, "store", "");
    succeeds(&on(&sandbox, &["-i"]));
    let before = uids(&sandbox);
    assert!(before.len() >= 5, "{before:?}");

    // A name that nothing bears is an error where it stands, and nothing is touched.
    flavour(&sandbox, "shop", "shop: {component: store, moved: stroe}\n");
    ends_with(
        &on(&sandbox, &["-i"]),
        10,
        &["nothing here was ever called `stroe`", "did you mean `store`", "flavours/one.yaml:3"],
    );
    // Neither Helm nor a volume takes another name.
    flavour(&sandbox, "shop", "shop: {component: store, moved: store, release: shop}\n");
    ends_with(&on(&sandbox, &["-i"]), 8, &["Helm renames none", "release: store"]);
    assert_eq!(uids(&sandbox), before);

    // A rename that nobody says is no rename: the plan asks.
    flavour(&sandbox, "shop", "shop: {component: store}\n");
    let unsaid = on(&sandbox, &["plan"]);
    ends_with(&unsaid, 0, &["`shop` comes and `store`", "write `moved: store` in the section"]);
    component(&sandbox, "note", NOTE);
    flavour(&sandbox, "note", "");
    let other = on(&sandbox, &["plan"]);
    assert!(!other.stdout.contains("moved:"), "another component: {other:?}");

    flavour(&sandbox, "shop", "shop: {component: store, moved: store}\n");
    let plan = on(&sandbox, &["plan"]);
    ends_with(&plan, 0, &["renamed from `store`", "keeps its name", "shop/release/chart"]);
    assert!(!plan.stdout.contains("to destroy") && !plan.stdout.contains("to create"), "{plan:?}");
    succeeds(&on(&sandbox, &["-i"]));
    assert_eq!(uids(&sandbox), before, "all is what it was, and no pod restarted");
    assert_eq!(instances(&sandbox), std::collections::BTreeSet::from(["shop".to_owned()]));
    let again = on(&sandbox, &["-i"]);
    ends_with(&again, 0, &["nothing to do", "can become `release: store`"]);

    // Back again: without `moved` the plan says what to write, and that is enough.
    flavour(&sandbox, "store", "");
    let back = on(&sandbox, &["plan"]);
    let section = "`moved: shop` and `release: store`";
    ends_with(&back, 11, &["`store` comes and `shop`", section]);
    assert!(!back.stderr.contains("remove it yourself"), "{back:?}");
    flavour(&sandbox, "store", "store: {moved: shop, release: store}\n");
    succeeds(&on(&sandbox, &["-i"]));
    assert_eq!(uids(&sandbox), before);
    flavour(&sandbox, "shop", "shop: {component: store, moved: store}\n");
    succeeds(&on(&sandbox, &["-i"]));

    flavour(&sandbox, "shop", "shop: {component: store, release: store}\n");
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    // What leaves the flavour under its new name goes, and its data stays.
    flavour(&sandbox, "note", "");
    let gone = on(&sandbox, &["plan"]);
    ends_with(&gone, 0, &["- shop/release/chart", "= shop/claim/own", "= shop/claim/data-store-0"]);
    destroy(&sandbox);
}

#[test]
fn a_step_that_gets_another_name_keeps_its_objects() {
    let sandbox = Sandbox::with_tools();
    let steps = |step: &str, claim: &str| {
        let text = NOTE.replace("id: note", &format!("id: {step}"));
        format!("{text}claims:\n  - {{id: {claim}, kind: volume, name: own, size: 1Gi}}\n")
    };
    component(&sandbox, "note", &steps("note", "data"));
    flavour(&sandbox, "note", "");
    succeeds(&on(&sandbox, &["-i"]));
    let all = || {
        let path = "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
        sandbox.kubectl(["get", "configmap/note", "pvc/own", "-n", "kit", "-o", path])
    };
    let before = all();
    component(&sandbox, "note", &steps("remark", "volume"));
    let plan = on(&sandbox, &["plan"]);
    ends_with(&plan, 0, &["note/objects/remark"]);
    assert!(!plan.stdout.contains("to destroy") && !plan.stdout.contains(" kept"), "{plan:?}");
    succeeds(&on(&sandbox, &["apply", "--yes", "--include-data"]));
    assert_eq!(all(), before);
    ends_with(&on(&sandbox, &["plan"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}
