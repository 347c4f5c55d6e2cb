//! A flavour moves to another namespace: what is left in the old one is named, kept and counted.

use serde_json::Value as Json;

use super::*;

fn on(sandbox: &Sandbox, words: &[&str]) -> Run {
    sandbox.datamill(words.iter().copied().chain(["-l", "-f", DEMO]))
}

fn document(sandbox: &Sandbox, words: &[&str]) -> Json {
    serde_json::from_str(&on(sandbox, &[words, &["--output", "json"]].concat()).stdout).unwrap()
}

/// Says the namespace of the demo.
fn moves_to(sandbox: &Sandbox, namespace: &str) {
    let text = std::fs::read_to_string(repository().join(DEMO)).unwrap();
    let moved = text.replace("k8s_namespace: data-mill", &format!("k8s_namespace: {namespace}"));
    sandbox.write(DEMO, &moved);
}

/// The ids of a list in a document.
fn ids(list: &Json) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

const ALLOW: [&str; 6] =
    ["--allow", "Release/demo-api", "--allow", "Release/demo-store", "--allow", "Release/demo-ui"];
const OLD: &str = "demo-store/claim/data-mill/demo-store-data";

#[test]
fn data_left_in_another_namespace_is_listed_until_somebody_takes_it_away() {
    let sandbox = installed();
    moves_to(&sandbox, "other");
    // One command allows all that waits for a word, and the plan says what would stay.
    let command = format!("datamill apply {} -l", ALLOW.join(" "));
    let refused = on(&sandbox, &["plan"]);
    ends_with(&refused, 9, &[&command, OLD, "it holds data (2Gi) in namespace data-mill"]);
    assert_eq!(refused.stderr.matches("--allow Release/demo-ui").count(), 1, "{refused:?}");

    let plan = on(&sandbox, &[&["plan"], &ALLOW[..]].concat());
    let secret = "= demo-store/secret/data-mill/demo-store-auth";
    ends_with(&plan, 0, &["Kept (", OLD, secret, "± demo-store/release/", "goes: "]);
    let [destroyed, rest] = ["Will be destroyed", "Will be created"].map(|heading| {
        let from = plan.stdout.split_once(heading).unwrap().1;
        from.split("\n\n").next().unwrap().to_owned()
    });
    assert!(destroyed.contains("Secret data-mill/demo-api-store"), "{destroyed}");
    assert!(!rest.contains("goes: "), "{rest}");

    let applied = on(&sandbox, &[&["apply", "--yes"], &ALLOW[..]].concat());
    ends_with(&applied, 0, &["Stays:", &format!("{OLD} (2Gi)")]);
    let again = on(&sandbox, &["apply", "--yes"]);
    ends_with(&again, 0, &["nothing to do", &format!("{OLD} (2Gi)")]);
    ends_with(&on(&sandbox, &["plan"]), 0, &["nothing to do", OLD, "in namespace data-mill"]);
    ends_with(&on(&sandbox, &["status"]), 0, &["flavour does not name it:", OLD]);
    let status = document(&sandbox, &["status"]);
    assert_eq!(ids(&status["data"]), ["demo-store/claim/data"]);
    assert_eq!(status["data"][0]["namespace"], "other");
    let left = serde_json::json!([{"id": OLD, "size": "2Gi", "namespace": "data-mill"}]);
    assert_eq!(status["orphaned"], left);

    // Both go only with a word, each by its name.
    let kept = on(&sandbox, &["plan", "--uninstall"]);
    let new = "demo-store/claim/other/demo-store-data";
    ends_with(&kept, 0, &[&format!("= {OLD}"), &format!("= {new}")]);
    let gone = on(&sandbox, &["uninstall", "--yes", "--include-data"]);
    ends_with(&gone, 0, &[&format!("- {OLD} DATA IS LOST (2Gi)"), &format!("- {new} DATA")]);
    assert_eq!(gone.stderr.matches("DATA IS LOST (2Gi)").count(), 2, "{gone:?}");
    assert_eq!(sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]).trim(), "");
    succeeds(&on(&sandbox, &["destroy"]));
}

#[test]
fn a_flavour_that_comes_back_finds_its_data() {
    let sandbox = installed();
    let uid = |namespace: &str| {
        let words =
            ["get", "pvc", "demo-store-data", "-n", namespace, "-o", "jsonpath={.metadata.uid}"];
        sandbox.kubectl(words)
    };
    let before = uid("data-mill");
    moves_to(&sandbox, "other");
    succeeds(&on(&sandbox, &[&["apply", "--yes"], &ALLOW[..]].concat()));
    moves_to(&sandbox, "data-mill");
    let back = on(&sandbox, &[&["apply", "--yes"], &ALLOW[..]].concat());
    ends_with(&back, 0, &["demo-store/claim/other/demo-store-data (2Gi)"]);
    assert_eq!(uid("data-mill"), before);
    ends_with(&on(&sandbox, &["plan"]), 0, &["nothing to do"]);
    // What was left behind goes by itself, when it is named.
    let words = ["protect", "on", "demo-store/claim/other/demo-store-data", "--yes"];
    succeeds(&on(&sandbox, &words));
    ends_with(&on(&sandbox, &["uninstall", "--yes", "--include-data"]), 9, &["was protected by"]);
    succeeds(&on(&sandbox, &["protect", "off", words[2], "--yes"]));
    succeeds(&on(&sandbox, &["destroy"]));
}
