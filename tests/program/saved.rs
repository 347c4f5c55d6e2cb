//! Saved plans that are refused before anything is looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use datamill::model::Digest;
use datamill::ops::{GOOD_FOR, SCHEMA, SavedGoal, SavedLock, SavedPlan, SavedRequest};

use super::*;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn plan() -> SavedPlan {
    SavedPlan {
        schema: SCHEMA,
        tool: "0.1.0".to_owned(),
        project: "one".to_owned(),
        flavour: "one".to_owned(),
        target: "local-kwok-datamill-one".to_owned(),
        fingerprint: None,
        installation: "bcdfghjklm".to_owned(),
        goal: SavedGoal::Install,
        request: SavedRequest {
            flavour: Some("flavours/one.yaml".to_owned()),
            location: Some("local".to_owned()),
            ..SavedRequest::default()
        },
        inputs: BTreeMap::new(),
        environment: BTreeMap::new(),
        lock: SavedLock::default(),
        created: now(),
        expires: now() + GOOD_FOR.as_secs(),
        number: "1".to_owned(),
        steps: Vec::new(),
        notes: Vec::new(),
        digest: Digest::of(""),
    }
    .sealed()
}

fn put(sandbox: &Sandbox, plan: &SavedPlan) -> PathBuf {
    let path = sandbox.project().join("x.plan");
    std::fs::write(&path, plan.encode().unwrap()).unwrap();
    path
}

#[test]
fn a_file_that_is_no_plan_or_was_changed_is_refused() {
    let sandbox = project();
    ends_with(&sandbox.datamill(["apply", "x.plan"]), 10, &["cannot read the plan", "x.plan"]);
    ends_with(
        &sandbox.datamill(["apply", "flavours/one.yaml"]),
        10,
        &["`flavours/one.yaml` is no saved plan", "datamill plan --out"],
    );
    put(&sandbox, &SavedPlan { goal: SavedGoal::Destroy, ..plan() });
    ends_with(&sandbox.datamill(["apply", "x.plan"]), 4, &["not as it was written"]);
    put(&sandbox, &SavedPlan { schema: SCHEMA + 1, ..plan() }.sealed());
    ends_with(&sandbox.datamill(["apply", "x.plan"]), 4, &["format 2; this one reads 1"]);
}

#[test]
fn an_expired_plan_and_one_of_another_project_are_refused() {
    let sandbox = project();
    let created = now() - 25 * 3600;
    let expired = SavedPlan { created, expires: created + GOOD_FOR.as_secs(), ..plan() };
    put(&sandbox, &expired.sealed());
    ends_with(&sandbox.datamill(["apply", "x.plan"]), 4, &["expired", "25 h ago"]);
    put(&sandbox, &SavedPlan { project: "two".to_owned(), ..plan() }.sealed());
    ends_with(&sandbox.datamill(["apply", "x.plan"]), 11, &["another project", "`two`", "`one`"]);
}

#[test]
fn an_approved_plan_is_not_widened() {
    let sandbox = project();
    put(&sandbox, &plan());
    for (option, words) in [
        (&["-c", "thing"][..], "`-c`"),
        (&["--wait-jobs"], "`--wait-jobs`"),
        (&["--include-data"], "`--include-data`"),
        (&["--set", "thing.size=9Gi"], "--set thing.size"),
        (&["--confirm-project", "two"], "does not name this project"),
    ] {
        let run = sandbox.datamill(["apply", "x.plan"].iter().chain(option).copied());
        ends_with(&run, 10, &[words]);
    }
    let run = sandbox.datamill(["apply", "--approve-deferred", "any", "-l"]);
    ends_with(&run, 10, &["--approve-deferred"]);
    let run = sandbox.datamill(["plan", "--destroy", "-c", "thing"]);
    ends_with(&run, 10, &["`plan --destroy` takes everything away"]);
    ends_with(&sandbox.datamill(["plan", "--cascade", "-l"]), 10, &["plan --uninstall"]);
    ends_with(&sandbox.datamill(["status", "--output", "svg", "-l"]), 10, &["only `plan`"]);
}

#[test]
fn the_schema_of_a_saved_plan_is_published() {
    let sandbox = Sandbox::bare();
    let run = sandbox.datamill(["schema", "plan"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let schema: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let document = serde_json::to_value(plan()).unwrap();
    for key in document.as_object().unwrap().keys() {
        assert!(schema["properties"].get(key).is_some(), "{key}");
    }
}

#[test]
fn pins_are_shown_without_a_cluster_or_a_tool() {
    let sandbox = project();
    ends_with(&sandbox.datamill(["lock", "-f", "flavours/one.yaml"]), 0, &["nothing to pin"]);
    ends_with(&sandbox.datamill(["lock", "update", "thin"]), 10, &["did you mean `thing`?"]);
}
