//! Another machine: the files and a kubeconfig, and nothing else of what the first one knew.

use serde_json::Value as Json;

use super::kit::*;
use super::*;

/// The second machine: an empty HOME, no lock file, and the kubeconfig.
fn second(sandbox: &Sandbox) -> (Sandbox, String) {
    let there = sandbox.elsewhere();
    std::fs::remove_file(there.project().join("datamill.lock")).ok();
    (there, sandbox.home().join(".kube/config").display().to_string())
}

fn document(run: &Run) -> Json {
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn the_last_twenty_runs_are_remembered_for_every_machine() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    let context = host(&sandbox);
    let on = |sandbox: &Sandbox, words: &[&str]| {
        let place = ["-k", "--context", &context, "-f", FLAVOUR];
        sandbox.datamill(words.iter().copied().chain(place))
    };
    succeeds(&on(&sandbox, &["-i", "--yes"]));
    for number in 0..20 {
        let word = if number % 2 == 0 { "on" } else { "off" };
        succeeds(&on(&sandbox, &["protect", word, "thing/release/chart", "--yes"]));
    }
    let (there, config) = second(&sandbox);
    let status = on(&there, &["status", "--kubeconfig", &config, "--output", "json"]);
    let status = document(&status);
    let runs = status["runs"].as_array().unwrap();
    // Of 21 the first went.
    let commands: Vec<_> = runs.iter().map(|run| run["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["protect"; 20]);
    assert!(runs.iter().all(|run| run["result"] == "done"), "{runs:?}");
    assert_eq!(runs[0], status["lastRun"], "the newest is the first");
    let begun: Vec<_> = runs.iter().map(|run| run["begun"].as_str().unwrap()).collect();
    assert!(begun.is_sorted_by(|one, next| one >= next), "{begun:?}");
    let words = on(&there, &["status", "--kubeconfig", &config]);
    ends_with(&words, 0, &["last run: `protect`", "19 runs before that"]);
    end_host(&sandbox);
}

#[test]
fn a_second_machine_with_the_files_finds_everything_and_takes_it_away() {
    let sandbox = with_demo();
    let context = host(&sandbox);
    // The demo asks its pods over HTTP, which only a simulated cluster takes as answered.
    sandbox.kubectl(["delete", "node", "metal"]);
    let on = |sandbox: &Sandbox, words: &[&str]| {
        let place = ["-k", "--context", &context, "-f", DEMO];
        sandbox.datamill(words.iter().copied().chain(place))
    };
    succeeds(&on(&sandbox, &["-i", "--yes"]));
    let (there, config) = second(&sandbox);
    let on = |words: &[&str]| on(&there, &[words, &["--kubeconfig", &config]].concat());
    let status = document(&on(&["status", "--output", "json"]));
    let instances = status["instances"].as_array().unwrap();
    assert!(!instances.is_empty());
    for instance in instances {
        let state = instance["state"].as_str().unwrap();
        assert!(["ready", "assumed"].contains(&state), "{instance}");
    }
    assert_eq!(status["data"][0]["id"], "demo-store/claim/data", "{status}");
    assert_eq!(status["lastRun"]["command"], "apply", "{status}");
    ends_with(&on(&["plan", "--detailed-exitcode"]), 0, &["nothing to do"]);
    let gone = on(&["destroy", "--yes", "--confirm-project", "demo"]);
    ends_with(&gone, 0, &["demo-store/claim/data", "demo-store/secret/auth"]);
    // What is left is the data, what opens it, where it lies, and what is remembered of these.
    let kinds = "all,pvc,cm,secret,lease,sa,role,rolebinding,ns,crd,clusterrole,clusterrolebinding";
    let ours = ["get", kinds, "-A", "-o", "name", "-l", "datamill.dev/project=demo"];
    let left = sandbox.kubectl(ours);
    let memory = |name: &&str| {
        name.starts_with("secret/datamill-applied-") || *name == "configmap/datamill-demo"
    };
    let left: Vec<_> = left.lines().filter(|name| !memory(name)).collect();
    let kept =
        ["persistentvolumeclaim/demo-store-data", "secret/demo-store-auth", "namespace/data-mill"];
    assert_eq!(left, kept);
    succeeds(&on(&["destroy", "--yes", "--include-data", "--confirm-project", "demo"]));
    assert_eq!(sandbox.kubectl(ours), "", "nothing of it is left");
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "");
    end_host(&sandbox);
}
