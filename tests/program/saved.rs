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
        installation: Some("bcdfghjklm".to_owned()),
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
    let run = sandbox.datamill(["apply", "thing"]);
    ends_with(&run, 10, &["cannot read the plan", "datamill apply -c thing"]);
    std::fs::write(sandbox.project().join("odd"), [0xff, 0xfe, 0x00, 0x9f]).unwrap();
    let run = sandbox.datamill(["apply", "odd"]);
    ends_with(&run, 10, &["`odd` is no saved plan"]);
    assert!(!format!("{run:?}").contains("-c odd"), "{run:?}");
    // A plan is written into a folder that is there, or not at all.
    let flavour = ["plan", "-l", "-f", "flavours/one.yaml", "--out"];
    let out = |file: &'static str| sandbox.datamill(flavour.into_iter().chain([file]));
    ends_with(&out("no/such/x.plan"), 10, &["cannot write the plan", "there is no folder"]);
    ends_with(&out("flavours"), 10, &["`flavours` is a folder"]);
    let before = std::fs::read(sandbox.project().join("flavours/one.yaml")).unwrap();
    ends_with(
        &out("flavours/one.yaml"),
        10,
        &["`flavours/one.yaml` is there and is no saved plan"],
    );
    assert_eq!(std::fs::read(sandbox.project().join("flavours/one.yaml")).unwrap(), before);
    std::os::unix::fs::symlink("flavours/one.yaml", sandbox.project().join("link")).unwrap();
    ends_with(&out("link"), 10, &["`link` is there and no plain file"]);
    ends_with(&out("/dev/full"), 10, &["no plain file"]);
    assert!(!sandbox.project().join("no").exists());
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
        (&["--profile", "small"], "`--profile`"),
        (&["--values", "thing=flavours/one.yaml"], "`--values`"),
        (&["--strict"], "`--strict`"),
        (&["--with-needs"], "`--with-needs`"),
        (&["--overwrite-data"], "`--overwrite-data`"),
        (&["--allow", "ConfigMap/thing"], "`--allow`"),
        (&["--strip-finalizers", "ConfigMap/one/thing"], "`--strip-finalizers`"),
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

/// Options of `apply` that change nothing of what a saved plan does: where its target is on this machine, who is asked, what is
/// shown, and how much goes on at a time.
const NO_MATTER: [&str; 19] = [
    "approve-deferred",
    "confirm-project",
    "context",
    "fail-fast",
    "flavour",
    "help",
    "hybrid",
    "kubeconfig",
    "local",
    "new-target",
    "output",
    "parallel",
    "parallel-others",
    "provider",
    "remote",
    "skip-preflight",
    "target",
    "use-context",
    "yes",
];
/// Options that are refused beside a saved plan unless it was made with them.
const REFUSED: [(&str, &[&str]); 12] = [
    ("component", &["--component", "thing"]),
    ("profile", &["--profile", "small"]),
    ("set", &["--set", "thing.size=9Gi"]),
    ("values", &["--values", "thing=flavours/one.yaml"]),
    ("strict", &["--strict"]),
    ("with-needs", &["--with-needs"]),
    ("wait-jobs", &["--wait-jobs"]),
    ("include-data", &["--include-data"]),
    ("overwrite-data", &["--overwrite-data"]),
    ("allow", &["--allow", "ConfigMap/thing"]),
    ("delete", &["--delete", "thing"]),
    ("strip-finalizers", &["--strip-finalizers", "ConfigMap/one/thing"]),
];

#[test]
fn each_option_of_apply_is_refused_beside_a_saved_plan_or_is_no_matter_to_it() {
    let sandbox = project();
    put(&sandbox, &plan());
    let help = sandbox.datamill(["apply", "--help"]).stdout;
    let option = |line: &str| {
        let line = line.trim_start();
        let long = if line.starts_with("--") { line } else { line.split_once(", ")?.1 };
        let name = line.starts_with('-').then(|| long.strip_prefix("--"))??;
        Some(name.split([' ', '.', '[']).next()?.to_owned())
    };
    let options: Vec<String> = help.lines().filter_map(option).collect();
    assert!(options.len() > 20, "{help}");
    for option in options {
        let refused = REFUSED.iter().find(|(name, _)| *name == option);
        if NO_MATTER.contains(&option.as_str()) {
            assert!(refused.is_none(), "{option}");
            continue;
        }
        let (_, words) = refused.unwrap_or_else(|| panic!("is `--{option}` saved or refused?"));
        let run = sandbox.datamill(["apply", "x.plan"].iter().chain(*words).copied());
        assert_eq!(run.code, Some(10), "{option}: {run:?}");
        assert!(
            run.stderr.contains("a saved plan does not take")
                || run.stderr.contains("was made without"),
            "{run:?}"
        );
    }
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
