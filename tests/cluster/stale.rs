//! What somebody changes while a run is at work is seen directly before the write, and is not written over.

use serde_json::Value as Json;

use super::kit::*;
use super::*;
use crate::support::sandbox::finish;

const PARAM: &str = "params:\n  text: {type: string, default: one}\n";
const USES: &str = "uses:\n  - {as: first, component: first}\n";
const TEXT: &str = "{text: \"${param.text}\"}";

/// A component of one `ConfigMap` of plain objects.
fn map(name: &str, more: &str) -> String {
    format!(
        "steps:\n  - id: map\n    kind: objects\n    objects:\n      - {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}{more}}}, data: {TEXT}}}\n"
    )
}

fn get(sandbox: &Sandbox, name: &str) -> Json {
    let words = ["get", "configmap", name, "-n", "kit", "-o", "json"];
    serde_json::from_str(&sandbox.kubectl(words)).unwrap()
}

fn patch(sandbox: &Sandbox, name: &str, patch: &str) {
    sandbox.kubectl(["patch", "configmap", name, "-n", "kit", "--type=merge", "-p", patch]);
}

#[test]
fn what_somebody_changes_during_a_run_is_seen_before_the_write_and_kept() {
    let sandbox = Sandbox::with_tools();
    // The hook of `first` ends when the test says so, and the others wait for it.
    let hook = stuck_job("gate", "helm.sh/hook: post-upgrade");
    component(&sandbox, "first", &format!("{PARAM}{}", helm_step(TEXT)));
    chart(&sandbox, "first", "text: none\n", &[MAP, &hook]);
    component(&sandbox, "released", &format!("{PARAM}{USES}{}", helm_step(TEXT)));
    chart(&sandbox, "released", "text: none\n", &[MAP]);
    component(&sandbox, "plain", &format!("{PARAM}{USES}{}", map("plain", "")));
    component(&sandbox, "still", &format!("{PARAM}{USES}{}", map("still", "")));
    let names = ["first", "released", "plain", "still"];
    let all = names.join(" ");
    flavour(&sandbox, &all, "");
    succeeds(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]));

    let sections = names.map(|name| format!("{name}: {{text: two}}\n")).concat();
    flavour(&sandbox, &all, &sections);
    let run = sandbox.start(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    let gate = pod(&sandbox, "kit", "gate");
    for name in ["released", "plain"] {
        patch(&sandbox, name, r#"{"data":{"text":"by hand"}}"#);
    }
    set_phase(&sandbox, "kit", &gate, "Succeeded");
    let run = finish(run);
    let words = [
        "released/release/chart",
        "somebody changed ConfigMap kit/released",
        "plain/objects/map",
        "somebody changed ConfigMap kit/plain",
    ];
    ends_with(&run, 4, &words);
    let text = |name: &str| get(&sandbox, name)["data"]["text"].clone();
    assert_eq!([text("released"), text("plain")], ["by hand", "by hand"]);
    assert_eq!([text("first"), text("still")], ["two", "two"], "the rest is done");
    destroy(&sandbox);
}

#[test]
fn what_was_made_anew_during_a_run_is_not_deleted() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "first", &format!("{PARAM}{}", map("first", "")));
    let held = map("later", ", finalizers: [example.org/held]");
    component(&sandbox, "later", &format!("{PARAM}{USES}{held}"));
    flavour(&sandbox, "first later", "");
    succeeds(&on(&sandbox, &["-i"]));

    // `later` goes before what it needs, and is held by its finalizer.
    let run = sandbox.start(["uninstall", "--yes", "-l", "-f", FLAVOUR]);
    eventually("`later` is going", || {
        !get(&sandbox, "later")["metadata"]["deletionTimestamp"].is_null()
    });
    let mut anew = get(&sandbox, "first");
    let seen = anew["metadata"]["uid"].clone();
    for field in ["uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        anew["metadata"].as_object_mut().unwrap().remove(field);
    }
    let file = sandbox.write("anew.json", &anew.to_string());
    sandbox.kubectl(["replace", "--force", "-f", file.to_str().unwrap()]);
    let made = get(&sandbox, "first")["metadata"]["uid"].clone();
    assert_ne!(made, seen);
    patch(&sandbox, "later", r#"{"metadata":{"finalizers":null}}"#);
    let words = ["first/objects/map", "ConfigMap kit/first is not the one that was seen"];
    ends_with(&finish(run), 4, &words);
    assert_eq!(get(&sandbox, "first")["metadata"]["uid"], made, "it is still there");
    destroy(&sandbox);
}
