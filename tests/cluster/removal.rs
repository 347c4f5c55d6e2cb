//! Runs that take something away leave everything else as it is, and touch nothing before somebody agrees.

use super::kit::*;
use super::*;

const OTHER: &str = "flavours/two.yaml";

/// A project with a claim and a chart, installed from one flavour; a second flavour lives in another namespace and is not.
fn two_flavours() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    let other = "project: {name: kit, k8s_namespace: b, flavour: more}\nlocal: {provider: kwok}\nmore: {component: thing}\n";
    sandbox.write(OTHER, other);
    succeeds(&on(&sandbox, &["-i"]));
    sandbox
}

/// What a removal must leave as it is.
fn shared(sandbox: &Sandbox) -> String {
    sandbox.kubectl(["get", "nodes,namespaces", "-o", "name"])
}

#[test]
fn a_removal_makes_nothing_and_changes_nothing_that_stays() {
    let sandbox = two_flavours();
    let before = shared(&sandbox);
    assert!(before.contains("node/"), "{before}");
    // Nobody installed a flavour of that name.
    let typed = |name: &str| {
        let place = ["-l", "--project", "kit", "--flavour-name", name];
        let destroy = sandbox.datamill(["destroy", "--yes"].into_iter().chain(place));
        let plan = sandbox.datamill(["plan", "--destroy"].into_iter().chain(place));
        (destroy, plan)
    };
    let (destroyed, planned) = typed("onne");
    for run in [&destroyed, &planned] {
        ends_with(run, 10, &["no flavour `onne`", "installed here: one", "did you mean `one`?"]);
    }
    assert_eq!(shared(&sandbox), before);
    // Nor this one, whose namespace is not there.
    let other =
        |words: &[&'static str]| sandbox.datamill(words.iter().copied().chain(["-l", "-f", OTHER]));
    ends_with(&other(&["-x"]), 0, &["nothing to do"]);
    ends_with(&other(&["-u", "--yes"]), 0, &["nothing to do"]);
    assert_eq!(shared(&sandbox), before);
    // A namespace that cannot go is in nobody's way.
    sandbox.kubectl(["create", "namespace", "b"]);
    let held = r#"{"metadata":{"finalizers":["datamill.test/held"]}}"#;
    sandbox.kubectl(["patch", "namespace", "b", "--type=merge", "-p", held]);
    sandbox.kubectl(["delete", "namespace", "b", "--wait=false"]);
    ends_with(&other(&["-x"]), 0, &["nothing to do"]);
    ends_with(&other(&["-u", "--yes"]), 0, &["nothing to do"]);
    let free = r#"{"metadata":{"finalizers":null}}"#;
    sandbox.kubectl(["patch", "namespace", "b", "--type=merge", "-p", free]);
    // Another namespace in the file does not bring it about.
    let text = std::fs::read_to_string(sandbox.project().join(FLAVOUR)).unwrap();
    sandbox.write(FLAVOUR, &text.replace("k8s_namespace: kit", "k8s_namespace: zz"));
    ends_with(&on(&sandbox, &["uninstall", "--yes"]), 0, &["thing/release/chart"]);
    assert!(!shared(&sandbox).contains("namespace/zz"));
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "");
    destroy(&sandbox);
}

#[test]
fn a_stopped_cluster_stays_stopped_until_somebody_agrees() {
    let sandbox = two_flavours();
    succeeds(&on(&sandbox, &["stop"]));
    let commands: [&[&str]; 4] =
        [&["apply"], &["apply", "-c", "thing"], &["uninstall"], &["uninstall", "-c", "thing"]];
    for words in commands {
        ends_with(&on(&sandbox, words), 10, &["is stopped", "Start it?", "--yes"]);
        assert_eq!(sandbox.processes(), Vec::<String>::new(), "{words:?}");
    }
    let planned = on(&sandbox, &["plan", "--uninstall", "-c", "thing"]);
    ends_with(&planned, 0, &["target/cluster/datamill-kit", "is started"]);
    ends_with(&on(&sandbox, &["uninstall", "--yes"]), 0, &["thing/release/chart"]);
    destroy(&sandbox);
}

#[test]
fn where_no_data_is_neither_command_asks_for_the_projects_name() {
    let sandbox = with_demo();
    let production = "project: {name: kit, k8s_namespace: kit, environment: production, flavour: demo-store}\nlocal: {provider: kwok}\n";
    sandbox.write(FLAVOUR, production);
    for remove in [["uninstall", "--yes", "--include-data"], ["destroy", "--yes", "--include-data"]]
    {
        succeeds(&on(&sandbox, &["-i"]));
        succeeds(&on(&sandbox, &remove));
        if remove[0] == "uninstall" {
            assert_eq!(list(&sandbox, "pvc", "kit"), Vec::<serde_json::Value>::new());
        }
    }
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}
