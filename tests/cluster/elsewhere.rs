//! A flavour moves to another namespace: what is left in the old one is named, kept and counted.

use std::collections::BTreeSet;

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
    // What is made in the new place was never lost there.
    assert!(!plan.stdout.contains("somebody"), "{plan:?}");

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

/// Place and uid of the store's claims and kept Secrets.
fn lasting(sandbox: &Sandbox) -> BTreeSet<String> {
    let path = "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
    let all = sandbox.kubectl(["get", "pvc,secret", "-A", "-o", path]);
    let own = ["/demo-store-data ", "/demo-store-auth "];
    all.lines()
        .filter(|line| own.iter().any(|name| line.contains(name)))
        .map(str::to_owned)
        .collect()
}

#[test]
fn an_instance_that_is_renamed_after_it_moved_keeps_what_it_uses() {
    let sandbox = installed();
    moves_to(&sandbox, "other");
    succeeds(&on(&sandbox, &[&["apply", "--yes"], &ALLOW[..]].concat()));
    let before = lasting(&sandbox);
    assert_eq!(before.len(), 4, "{before:?}");
    let text = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    let section = "shop:\n  component: demo-store\n  moved: demo-store\n  release: demo-store\n";
    let renamed = text
        .replace("demo-api, demo-store", "demo-api, shop")
        .replace("\ndemo-store:\n", &format!("\n{section}"));
    sandbox.write(DEMO, &renamed);

    let plan = on(&sandbox, &["plan"]);
    let [claim, secret] =
        ["shop/claim/data-mill/demo-store-data", "shop/secret/data-mill/demo-store-auth"];
    ends_with(&plan, 0, &["~ shop/claim/data", &format!("= {claim}"), &format!("= {secret}")]);
    assert!(!plan.stdout.contains("shop/claim/other/"), "{plan:?}");
    succeeds(&on(&sandbox, &["apply", "--yes"]));
    assert_eq!(lasting(&sandbox), before);
    let done = on(&sandbox, &["plan"]);
    // What was left behind bears the old name for good; the rename is done all the same.
    ends_with(&done, 0, &["nothing to do", claim, "is renamed: in its section"]);

    ends_with(&on(&sandbox, &["apply", "--yes", "--include-data"]), 0, &["DATA IS LOST (2Gi)"]);
    let left = lasting(&sandbox);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(
        left.is_subset(&before) && left.iter().all(|one| one.starts_with("other/")),
        "{left:?}"
    );
    ends_with(&on(&sandbox, &["plan"]), 0, &["nothing to do"]);
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
    takes_alone(&sandbox, words[2]);
    succeeds(&on(&sandbox, &["destroy"]));
}

/// What needs the store uses its other claim, so that this one may go without them.
fn takes_alone(sandbox: &Sandbox, claim: &str) {
    let before = lasting(sandbox);
    assert_eq!(before.len(), 4, "{before:?}");
    let all = on(sandbox, &["plan", "--include-data"]);
    let secret = "- demo-store/secret/other/demo-store-auth";
    ends_with(&all, 0, &[&format!("- {claim} DATA IS LOST (2Gi)"), secret]);
    assert!(!all.stdout.contains("- demo-store/claim/data "), "{all:?}");
    succeeds(&on(sandbox, &["apply", "--yes", "--include-data", "--delete", claim]));
    let gone: Vec<_> = before.difference(&lasting(sandbox)).cloned().collect();
    assert!(matches!(&gone[..], [one] if one.starts_with("other/demo-store-data ")), "{gone:?}");
    ends_with(&on(sandbox, &["plan"]), 0, &["nothing to do"]);
}
