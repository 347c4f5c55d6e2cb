//! The right cluster: what a flavour was applied to is remembered beside the files, and another cluster is not taken for it.

use super::kit::*;
use super::*;

const FIRST: &str = "datamill-host";
const SECOND: &str = "datamill-second";

/// Two clusters that are existing ones to a third project.
fn two_clusters() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    assert_eq!(host(&sandbox), FIRST);
    let second = "project: {name: second, k8s_namespace: second, flavour: demo-store}\nlocal: {provider: kwok}\n";
    sandbox.write("second/flavours/second.yaml", second);
    succeeds(&sandbox.datamill(["-l", "-s", "-f", "second/flavours/second.yaml"]));
    sandbox
}

fn kubectl(sandbox: &Sandbox, words: &[&str]) -> String {
    let run = sandbox.run("kubectl", words);
    assert_eq!(run.code, Some(0), "{run:?}");
    run.stdout
}

fn switch(sandbox: &Sandbox, context: &str) {
    kubectl(sandbox, &["config", "use-context", context]);
}

fn namespaces(sandbox: &Sandbox, context: &str) -> String {
    kubectl(sandbox, &["--context", context, "get", "namespaces", "-o", "name"])
}

fn in_it(sandbox: &Sandbox, words: &[&str]) -> Run {
    sandbox.datamill(words.iter().copied().chain(["-k", "-f", FLAVOUR]))
}

#[test]
fn another_cluster_is_not_taken_for_the_one_the_flavour_was_applied_to() {
    let sandbox = two_clusters();
    switch(&sandbox, FIRST);
    succeeds(&in_it(&sandbox, &["-i", "--yes"]));
    succeeds(&in_it(&sandbox, &["plan", "--detailed-exitcode"]));
    // The current context changed behind the user's back.
    switch(&sandbox, SECOND);
    let both = ["applied to context `datamill-host` at https://", "`datamill-second` at https://"];
    let remedies = ["--context datamill-host", "--new-target"];
    let destroy = ["destroy", "--yes", "--confirm-project", "kit"];
    let commands: [&[&str]; 5] = [&["-i", "--yes"], &["plan"], &["-u", "--yes"], &destroy, &["-s"]];
    for words in commands {
        let run = in_it(&sandbox, words);
        ends_with(&run, 11, &both);
        ends_with(&run, 11, &remedies);
    }
    // Who only looks is told.
    ends_with(&in_it(&sandbox, &["status"]), 0, &["not the cluster that flavour `one`"]);
    assert!(!namespaces(&sandbox, SECOND).contains("kit"), "nothing was made there");
    assert!(namespaces(&sandbox, FIRST).contains("kit"), "nothing was taken away here");
    // Another cluster under the very name of the first.
    let words = ["config", "view", "--context", SECOND, "--minify", "--flatten"];
    let text = kubectl(&sandbox, &words.iter().copied().chain(["--raw"]).collect::<Vec<_>>());
    sandbox.write("swapped.yaml", &text.replace(SECOND, FIRST));
    let swapped = ["-i", "--yes", "--kubeconfig", "swapped.yaml", "--context", FIRST];
    ends_with(&in_it(&sandbox, &swapped), 11, &["led to another cluster before"]);
    // A checkout that was applied nowhere refuses nothing.
    let lock = sandbox.project().join("datamill.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    std::fs::remove_file(&lock).unwrap();
    ends_with(&in_it(&sandbox, &["plan", "--detailed-exitcode"]), 2, &["thing/release/chart"]);
    std::fs::write(&lock, text).unwrap();
    for name in ["host", "second"] {
        let file = format!("{name}/flavours/{name}.yaml");
        succeeds(&sandbox.datamill(["destroy", "-l", "-f", &file]));
    }
}

#[test]
fn a_flavour_may_have_several_clusters_and_then_the_context_is_named() {
    let sandbox = two_clusters();
    switch(&sandbox, FIRST);
    succeeds(&in_it(&sandbox, &["-i", "--yes"]));
    switch(&sandbox, SECOND);
    let lock = sandbox.project().join("datamill.lock");
    let before = std::fs::read_to_string(&lock).unwrap();
    ends_with(&in_it(&sandbox, &["plan", "--new-target", "--detailed-exitcode"]), 2, &[]);
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), before, "a plan changes nothing");
    succeeds(&in_it(&sandbox, &["-i", "--yes", "--new-target"]));
    // From a checkout with the lock file, each is reached by its name and none by chance.
    let there = sandbox.elsewhere();
    let config = sandbox.home().join(".kube/config").display().to_string();
    let in_there = |words: &[&str]| in_it(&there, &[words, &["--kubeconfig", &config]].concat());
    for context in [FIRST, SECOND] {
        succeeds(&in_there(&["plan", "--detailed-exitcode", "--context", context]));
    }
    let guess = in_there(&["-i", "--yes"]);
    ends_with(&guess, 11, &["several clusters", "--context datamill-host"]);
    ends_with(&guess, 11, &["--context datamill-second"]);
    // Where nothing is left of it, it is forgotten.
    let gone = ["destroy", "--yes", "--confirm-project", "kit", "--context", SECOND];
    succeeds(&in_it(&sandbox, &gone));
    switch(&sandbox, FIRST);
    succeeds(&in_it(&sandbox, &["plan", "--detailed-exitcode"]));
    for name in ["host", "second"] {
        let file = format!("{name}/flavours/{name}.yaml");
        succeeds(&sandbox.datamill(["destroy", "-l", "-f", &file]));
    }
}

/// A kubeconfig of somebody who works with another cluster.
const WORK: &str = "apiVersion: v1
kind: Config
current-context: work
clusters:
  - {name: work, cluster: {server: \"https://127.0.0.1:1\"}}
contexts:
  - {name: work, context: {cluster: work, user: work}}
users:
  - {name: work, user: {token: t}}
";

/// The contexts of a kubeconfig, and which one is the current one.
fn contexts(sandbox: &Sandbox, file: &std::path::Path) -> (Vec<String>, String) {
    let file = file.to_str().unwrap();
    let run = sandbox.run("kubectl", ["--kubeconfig", file, "config", "view", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let listed = json["contexts"].as_array().into_iter().flatten();
    let mut names: Vec<_> = listed.map(|c| c["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    (names, json["current-context"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn the_kubeconfig_and_its_current_context_are_the_users_to_choose() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", "steps: []\n");
    flavour(&sandbox, "thing", "");
    let with = |words: &[&str]| on(&sandbox, words);
    let usual = sandbox.home().join(".kube/config");
    std::fs::create_dir_all(usual.parent().unwrap()).unwrap();
    std::fs::write(&usual, WORK).unwrap();
    let pair = |names: &[&str], current: &str| {
        (names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), current.to_owned())
    };

    // In another file: the usual one is not touched, and the other goes with its context.
    let other = sandbox.project().join("other");
    succeeds(&with(&["-s", "--kubeconfig", "other"]));
    assert_eq!(std::fs::read_to_string(&usual).unwrap(), WORK);
    assert_eq!(contexts(&sandbox, &other).0, ["datamill-kit"]);
    let words = ["--kubeconfig", "other", "--context", "datamill-kit", "get", "--raw", "/readyz"];
    let asked = sandbox.run("kubectl", words);
    assert_eq!(asked.stdout, "ok", "{asked:?}");
    succeeds(&with(&["destroy", "--kubeconfig", "other"]));
    assert_eq!(std::fs::read_to_string(&usual).unwrap(), WORK);
    if other.exists() {
        assert_eq!(contexts(&sandbox, &other).0, Vec::<String>::new());
    }

    // In the usual file: beside what is there, and current only when that is asked for.
    succeeds(&with(&["-s"]));
    assert_eq!(contexts(&sandbox, &usual), pair(&["datamill-kit", "work"], "work"));
    succeeds(&with(&["-s", "--use-context"]));
    assert_eq!(contexts(&sandbox, &usual), pair(&["datamill-kit", "work"], "datamill-kit"));
    succeeds(&with(&["destroy"]));
    assert_eq!(contexts(&sandbox, &usual), pair(&["work"], ""));
}
