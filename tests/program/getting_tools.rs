//! Tools: found, or told how to get; nothing half written is ever used.

use super::*;

#[test]
fn tools_lists_what_is_wanted_and_how_it_would_be_got() {
    let sandbox = Sandbox::bare();
    let run = sandbox.datamill(["tools", "--output", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let listed: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let names: Vec<_> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    for name in ["helm", "kwokctl", "kwok", "kubectl", "etcd", "kube-apiserver"] {
        assert!(names.contains(&name), "{names:?}");
    }
}

#[test]
fn without_network_and_go_the_error_names_the_tool_and_the_remedy() {
    let mut sandbox = project();
    // A proxy on a port where nobody listens: no download goes through.
    for key in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
        sandbox.set(key, "http://127.0.0.1:9");
    }
    sandbox.set("PATH", "/nowhere");
    let run = sandbox.datamill(["-l", "-i", "-f", "flavours/one.yaml"]);
    ends_with(&run, 8, &["helm", "go"]);
    let mut left = Vec::new();
    files(&sandbox.home(), &mut left);
    left.retain(|path| !path.ends_with("lock"));
    assert_eq!(left.iter().filter(|path| path.contains("/tools/")).count(), 0, "{left:?}");
}

fn files(folder: &std::path::Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), into);
        } else {
            into.push(entry.path().to_string_lossy().into_owned());
        }
    }
}
