//! Whose a change is: yours, somebody's, or both; what is left to others by design; and what losing the memory costs: words.

use serde_json::Value as Json;

use super::*;

const NOTE: &str = "flavours/note.yaml";
const COMPONENT: &str = "schema: component/v1
name: note
title: Note
summary: A map of texts
categories: [demo]
license: Apache-2.0
status: active
all: false
params:
  mine: {type: string, default: one, doc: a text}
  both: {type: string, default: one, doc: a text}
steps:
  - id: note
    kind: objects
    objects:
      - apiVersion: v1
        kind: ConfigMap
        metadata: {name: note}
        data: {mine: \"${param.mine}\", theirs: one, both: \"${param.both}\"}
      - apiVersion: v1
        kind: Secret
        metadata: {name: note}
        stringData: {key: canary-hunter2}
";

fn note(section: &str) -> String {
    format!(
        "project: {{name: note, k8s_namespace: note, flavour: [note]}}\nlocal: {{provider: kwok}}\n{section}"
    )
}

fn noted() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    sandbox.write("components/note/component.yaml", COMPONENT);
    sandbox.write(NOTE, &note(""));
    succeeds(&sandbox.datamill(["-l", "-i", "-f", NOTE]));
    sandbox
}

fn planned(sandbox: &Sandbox, flavour: &str) -> Json {
    let run = sandbox.datamill(["plan", "-l", "-f", flavour, "--output", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// Path, origin and writer of each change.
fn changes(plan: &Json) -> Vec<(String, String, Option<String>)> {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    let steps = plan["steps"].as_array().unwrap();
    let changes = steps.iter().flat_map(|step| step["changes"].as_array().unwrap());
    let mut all: Vec<_> = changes
        .map(|c| {
            let by = text(&c["by"]["manager"]);
            (text(&c["path"]).unwrap(), text(&c["origin"]).unwrap(), by)
        })
        .collect();
    all.sort();
    all
}

/// The Secrets that hold what was applied.
fn memory(sandbox: &Sandbox) -> String {
    sandbox.kubectl([
        "get",
        "secrets",
        "-n",
        "kube-system",
        "-l",
        "datamill.dev/memory",
        "-o",
        "name",
    ])
}

fn of(path: &str, origin: &str, by: Option<&str>) -> (String, String, Option<String>) {
    (path.to_owned(), origin.to_owned(), by.map(str::to_owned))
}

#[test]
fn each_change_of_our_objects_has_its_own_origin_and_losing_the_memory_costs_only_words() {
    let sandbox = noted();
    assert!(memory(&sandbox).lines().count() >= 2, "{}", memory(&sandbox));
    let stored = sandbox.kubectl(["get", "secrets", "-n", "kube-system", "-o", "json"]);
    let unpacked = unpacked(&stored);
    assert!(unpacked.contains("\"note/") || unpacked.contains("note/objects/note"), "{unpacked}");
    for canary in ["canary-hunter2", "Y2FuYXJ5LWh1bnRlcjI"] {
        assert!(!unpacked.contains(canary), "a secret value is remembered");
    }

    let patch = r#"{"data":{"theirs":"two","both":"two"}}"#;
    sandbox.kubectl(["patch", "configmap", "note", "-n", "note", "-p", patch]);
    let drift = planned(&sandbox, NOTE);
    assert_eq!(steps(&drift, "repair"), ["note/objects/note"]);
    let by = Some("kubectl-patch");
    assert_eq!(
        changes(&drift),
        [of("/data/both", "somebody", by), of("/data/theirs", "somebody", by)]
    );

    sandbox.write(NOTE, &note("note: {mine: three, both: three}\n"));
    let plan = planned(&sandbox, NOTE);
    assert_eq!(
        changes(&plan),
        [
            of("/data/both", "both", by),
            of("/data/mine", "you", None),
            of("/data/theirs", "somebody", by)
        ]
    );
    let text = sandbox.datamill(["plan", "-l", "-f", NOTE]).stdout;
    assert!(text.contains("over a change by kubectl-patch"), "{text}");
    assert!(text.contains(" ago"), "{text}");

    sandbox.kubectl(["delete", "secrets", "-n", "kube-system", "-l", "datamill.dev/memory"]);
    let lost = planned(&sandbox, NOTE);
    assert_eq!(lost["counts"], plan["counts"]);
    let origins: Vec<_> =
        changes(&lost).into_iter().map(|(path, origin, _)| (path, origin)).collect();
    let unknown = |path: &str| (path.to_owned(), "unknown".to_owned());
    assert_eq!(origins, [unknown("/data/both"), unknown("/data/mine"), unknown("/data/theirs")]);

    succeeds(&sandbox.datamill(["apply", "-l", "-f", NOTE, "--yes"]));
    ends_with(&sandbox.datamill(["-l", "-i", "-f", NOTE]), 0, &["nothing to do"]);
    assert!(!memory(&sandbox).is_empty(), "what was written is remembered again");

    // It goes with what it is about.
    let before = memory(&sandbox).lines().count();
    succeeds(&sandbox.datamill(["uninstall", "-l", "-f", NOTE, "--yes"]));
    assert_eq!(memory(&sandbox).lines().count(), before - 1, "{}", memory(&sandbox));
}

/// All snapshots as text.
fn unpacked(list: &str) -> String {
    use std::io::Read as _;
    let list: Json = serde_json::from_str(list).unwrap();
    let mut all = String::new();
    for item in list["items"].as_array().unwrap() {
        let Some(data) = item["data"]["snapshot"].as_str() else { continue };
        let bytes = data_encoding::BASE64.decode(data.as_bytes()).unwrap();
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut all).unwrap();
    }
    all
}

#[test]
fn a_release_remembers_by_its_own_manifest_and_accepting_names_the_value() {
    let sandbox = installed();
    sandbox.kubectl(["scale", "deploy", "demo-api", "-n", "data-mill", "--replicas=3"]);
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    let edited = flavour.replace("Hello from the demo", "Good morning");
    sandbox.write(DEMO, &edited);
    let plan = planned(&sandbox, DEMO);
    let found = changes(&plan);
    assert!(found.contains(&of("/spec/replicas", "somebody", Some("kubectl"))), "{found:?}");
    assert!(
        found.iter().any(|(path, origin, _)| path.contains("/env/") && origin == "you"),
        "{found:?}"
    );

    let accept = sandbox.datamill(["plan", "-l", "-f", DEMO, "--accept"]);
    ends_with(&accept, 0, &["demo-api:\n  values:\n    replicas: 3\n"]);
    sandbox.write(DEMO, &edited.replace("demo-api:\n", "demo-api:\n  values:\n    replicas: 3\n"));
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    let replicas =
        ["get", "deploy", "demo-api", "-n", "data-mill", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(sandbox.kubectl(replicas), "3");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
}

#[test]
fn what_an_autoscaler_sets_neither_drifts_nor_is_reset_by_an_upgrade() {
    let sandbox = installed();
    let api = ["deploy", "demo-api", "-n", "data-mill"];
    let kubectl = |words: &[&str]| sandbox.kubectl(words.iter().copied().chain(api));
    kubectl(&["autoscale", "--min=2", "--max=5", "--cpu-percent=50"]);
    kubectl(&["scale", "--replicas=4"]);
    let plan = sandbox.datamill(["plan", "-l", "-f", DEMO]);
    ends_with(&plan, 0, &["nothing to do", "an autoscaler sets it"]);
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    sandbox.write(DEMO, &flavour.replace("Hello from the demo", "Good morning"));
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    assert_eq!(kubectl(&["get", "-o", "jsonpath={.spec.replicas}"]), "4");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);

    // Drift beside it is mended and leaves it alone.
    kubectl(&["scale", "--replicas=5"]);
    sandbox.kubectl([
        "label",
        "deploy",
        "demo-api",
        "-n",
        "data-mill",
        "app.kubernetes.io/name=other",
        "--overwrite",
    ]);
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    assert_eq!(kubectl(&["get", "-o", "jsonpath={.spec.replicas}"]), "5");
}

#[test]
fn an_ignored_field_is_left_and_named_with_its_reason() {
    let sandbox = installed();
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    let rule = "demo-api:\n  ignore:\n    - {path: 'Deployment/demo-api:/spec/replicas', reason: the night shift scales it}\n";
    sandbox.write(DEMO, &flavour.replace("demo-api:\n", rule));
    let scale = |count: &str| {
        let count = format!("--replicas={count}");
        sandbox.kubectl(["scale", "deploy", "demo-api", "-n", "data-mill", &count])
    };
    scale("3");
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    scale("4");
    let plan = sandbox.datamill(["plan", "-l", "-f", DEMO]);
    ends_with(&plan, 0, &["nothing to do", "the night shift scales"]);
    let replicas =
        ["get", "deploy", "demo-api", "-n", "data-mill", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(sandbox.kubectl(replicas), "4");
}

#[test]
fn what_somebody_changed_on_data_is_overwritten_only_when_that_is_said() {
    let sandbox = installed();
    let label = "datamill.dev/project";
    let claim = ["pvc", "-n", "data-mill", "-l", "datamill.dev/instance=demo-store"];
    let change = format!("{label}=other");
    sandbox.kubectl(["label"].into_iter().chain(claim).chain([change.as_str(), "--overwrite"]));
    let plan = sandbox.datamill(["plan", "-l", "-f", DEMO]);
    ends_with(&plan, 0, &["Data that somebody changed", "--overwrite-data"]);
    succeeds(&sandbox.datamill(["apply", "-l", "-f", DEMO, "--yes"]));
    let read = || {
        let path = "jsonpath={.items[0].metadata.labels.datamill\\.dev/project}";
        sandbox.kubectl(["get"].into_iter().chain(claim).chain(["-o", path]))
    };
    assert_eq!(read(), "other");
    succeeds(&sandbox.datamill(["apply", "-l", "-f", DEMO, "--yes", "--overwrite-data"]));
    assert_eq!(read(), "demo");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
}
