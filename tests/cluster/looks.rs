//! Who only looks writes nothing: no object of the cluster, no file but caches, no process (`peers.md` D.13 f).

use std::collections::BTreeMap;
use std::path::Path;

use super::kit::*;
use super::*;

/// Every command that reads, with the exit codes that it may end with.
const LOOKS: [(&[&str], &[i32]); 18] = [
    (&["validate"], &[0]),
    (&["plan"], &[0]),
    (&["plan", "--output", "json"], &[0]),
    (&["plan", "--output", "yaml"], &[0]),
    (&["plan", "--output", "markdown"], &[0]),
    (&["plan", "--output", "svg"], &[0]),
    (&["plan", "--detailed-exitcode"], &[0, 2]),
    (&["plan", "--refresh-only"], &[0, 3]),
    (&["plan", "--refresh-only", "--accept"], &[0, 3]),
    (&["plan", "--uninstall"], &[0]),
    (&["plan", "--destroy"], &[0]),
    (&["plan", "--destroy", "--include-data"], &[0]),
    (&["plan", "-c", "thing"], &[0]),
    (&["plan", "--out", "kept.plan"], &[0]),
    (&["status"], &[0, 7, 8]),
    (&["status", "--output", "json"], &[0, 7, 8]),
    (&["lock", "list"], &[0, 10]),
    (&["components", "list"], &[0, 10]),
];

/// Objects that the cluster itself writes all the time.
const RESTLESS: [&str; 3] = ["Event", "Lease", "Node"];

/// Every object of the cluster with its version.
fn versions(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let kinds = sandbox.kubectl(["api-resources", "--verbs=list", "-o", "name"]);
    let kinds: Vec<_> = kinds.split_whitespace().collect();
    let text = sandbox.kubectl(["get", &kinds.join(","), "-A", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut versions = BTreeMap::new();
    for object in json["items"].as_array().unwrap() {
        let text = |at: &str| object.pointer(at).and_then(|t| t.as_str()).unwrap_or_default();
        let ours = text("/metadata/name").starts_with("datamill");
        if !RESTLESS.contains(&text("/kind")) || (ours && text("/kind") == "Lease") {
            let name = format!(
                "{} {}/{}",
                text("/kind"),
                text("/metadata/namespace"),
                text("/metadata/name")
            );
            versions.insert(name, text("/metadata/resourceVersion").to_owned());
        }
    }
    assert!(versions.len() > 20, "{versions:?}");
    versions
}

/// Files that are the user's or a memory of runs, with what is in them.
fn files(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    walk(&sandbox.project(), &mut all);
    for folder in [".kube", ".local/share/datamill/runs", ".config"] {
        walk(&sandbox.home().join(folder), &mut all);
    }
    all.retain(|path, _| !path.ends_with("kept.plan") && !path.contains("/.kube/cache"));
    all
}

fn walk(folder: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            walk(&entry.path(), all);
        } else {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            all.insert(entry.path().display().to_string(), bytes);
        }
    }
}

/// Gives every command that reads, and expects that only `kept.plan` came of it.
fn look_at_everything(sandbox: &Sandbox, runs: bool) {
    let cluster = || if runs { versions(sandbox) } else { BTreeMap::new() };
    let (objects, before) = (cluster(), files(sandbox));
    let processes = sandbox.processes().len();
    for (words, codes) in LOOKS {
        let run = if matches!(words[0], "lock" | "components") {
            sandbox.datamill(words.iter().copied())
        } else {
            on(sandbox, words)
        };
        assert!(run.code.is_some_and(|code| codes.contains(&code)), "{words:?}: {run:?}");
        let now = files(sandbox);
        let changed: Vec<_> =
            now.iter().filter(|(path, is)| before.get(*path) != Some(*is)).collect();
        assert!(changed.is_empty(), "{words:?} wrote {:?}", changed.first().map(|(path, _)| path));
        assert_eq!(now.len(), before.len(), "{words:?} took a file away");
        assert_eq!(sandbox.processes().len(), processes, "{words:?} left a process");
    }
    assert_eq!(cluster(), objects);
}

#[test]
fn every_command_that_looks_leaves_all_as_it_is() {
    let sandbox = Sandbox::with_tools();
    let rest = "secrets:\n  - id: auth\n    name: thing-auth\n    keys: {password: {generate: alnum, length: 24}}\nclaims:\n  - {id: data, kind: volume, name: thing-data, size: 1Gi, accessMode: ReadWriteOnce}\n";
    component(&sandbox, "thing", &format!("{rest}{}", helm_step("{}")));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    component(&sandbox, "other", &helm_step("{}"));
    chart(&sandbox, "other", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    // No cluster, and none comes of it.
    look_at_everything(&sandbox, false);
    assert!(!sandbox.home().join(".kube/config").exists());
    // Installed; then the files want more, somebody changed one thing and took away another.
    succeeds(&on(&sandbox, &["-i"]));
    look_at_everything(&sandbox, true);
    flavour(&sandbox, "thing other", "thing: {values: {text: changed}}\n");
    sandbox.kubectl(["annotate", "cm", "thing", "-n", "kit", "somebody=here"]);
    let patch = r#"{"data":{"text":"theirs"}}"#;
    sandbox.kubectl(["patch", "cm", "thing", "-n", "kit", "--type=merge", "-p", patch]);
    look_at_everything(&sandbox, true);
    // Stopped: it stays so.
    succeeds(&sandbox.datamill(["stop", "-l", "-f", FLAVOUR]));
    look_at_everything(&sandbox, false);
    destroy(&sandbox);
}
