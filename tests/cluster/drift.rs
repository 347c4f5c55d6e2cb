//! What somebody changed by hand is shown, mended, and nothing else is touched.

use super::*;

fn revision(sandbox: &Sandbox, release: &str) -> String {
    let history = sandbox.helm(["history", release, "-n", "data-mill", "-o", "json"]);
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    history.as_array().unwrap().last().unwrap()["revision"].to_string()
}

#[test]
fn a_deployment_deleted_by_hand_is_repaired_without_a_new_revision() {
    let sandbox = installed();
    let before = revision(&sandbox, "demo-api");
    let other = sandbox.kubectl([
        "get",
        "deploy",
        "demo-ui",
        "-n",
        "data-mill",
        "-o",
        "jsonpath={.metadata.resourceVersion}{.metadata.generation}",
    ]);
    sandbox.kubectl(["delete", "deploy", "demo-api", "-n", "data-mill"]);

    let plan = plan(&sandbox);
    assert_eq!(steps(&plan, "repair"), ["demo-api/release/server"]);
    assert_eq!(steps(&plan, "update"), Vec::<String>::new());
    succeeds(&sandbox.datamill(["apply", "-l", "-f", DEMO, "--yes"]));

    sandbox.kubectl(["get", "deploy", "demo-api", "-n", "data-mill"]);
    assert_eq!(revision(&sandbox, "demo-api"), before);
    let generation = |text: &str| text.chars().last();
    let after = sandbox.kubectl([
        "get",
        "deploy",
        "demo-ui",
        "-n",
        "data-mill",
        "-o",
        "jsonpath={.metadata.resourceVersion}{.metadata.generation}",
    ]);
    assert_eq!(generation(&after), generation(&other));
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
}

#[test]
fn a_scaled_deployment_is_drift_and_an_added_field_is_not() {
    let sandbox = installed();
    let before = revision(&sandbox, "demo-api");
    sandbox.kubectl(["scale", "deploy", "demo-api", "-n", "data-mill", "--replicas=3"]);
    sandbox.kubectl(["annotate", "deploy", "demo-ui", "-n", "data-mill", "somebody=was-here"]);

    let plan = plan(&sandbox);
    assert_eq!(steps(&plan, "repair"), ["demo-api/release/server"]);
    let text = plan.to_string();
    assert!(text.contains("/spec/replicas") && text.contains("somebody"), "{text}");
    succeeds(&sandbox.datamill(["apply", "-l", "-f", DEMO, "--yes"]));

    let replicas = sandbox.kubectl([
        "get",
        "deploy",
        "demo-api",
        "-n",
        "data-mill",
        "-o",
        "jsonpath={.spec.replicas}",
    ]);
    assert_eq!(replicas, "1");
    let note = sandbox.kubectl([
        "get",
        "deploy",
        "demo-ui",
        "-n",
        "data-mill",
        "-o",
        "jsonpath={.metadata.annotations.somebody}",
    ]);
    assert_eq!(note, "was-here");
    assert_eq!(revision(&sandbox, "demo-api"), before);
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
}

#[test]
fn an_edit_after_a_scale_takes_the_field_back_and_leaves_no_failed_revision() {
    let sandbox = installed();
    sandbox.kubectl(["scale", "deploy", "demo-api", "-n", "data-mill", "--replicas=3"]);
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    sandbox.write(DEMO, &flavour.replace("Hello from the demo", "Good morning"));
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    let history = sandbox.helm(["history", "demo-api", "-n", "data-mill"]);
    assert!(!history.contains("failed"), "{history}");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
}

#[test]
fn a_drawn_secret_that_was_deleted_is_drawn_and_copied_in_one_run() {
    let sandbox = installed();
    // A release that was compared before is known by the names of its objects only: what reads the Secret is found all the same.
    succeeds(&sandbox.datamill(["plan", "-l", "-f", DEMO]));
    sandbox.kubectl(["delete", "secret", "demo-store-auth", "-n", "data-mill"]);

    let shown = sandbox.datamill(["plan", "-l", "-f", DEMO]);
    let restart = "kubectl rollout restart -n data-mill deployment/demo-api";
    ends_with(
        &shown,
        0,
        &[
            "demo-store/secret/auth",
            "demo-api/secret/store",
            "known after demo-store/secret/auth",
            restart,
        ],
    );
    let run = sandbox.datamill(["apply", "-l", "-f", DEMO, "--yes"]);
    ends_with(&run, 0, &["Secrets that were drawn anew:", restart]);
    let report = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(report.contains(restart), "the report says it, too: {report}");

    let value = |name: &str| {
        let path = "jsonpath={.data.password}";
        sandbox.kubectl(["get", "secret", name, "-n", "data-mill", "-o", path])
    };
    assert!(!value("demo-store-auth").is_empty());
    assert_eq!(value("demo-api-store"), value("demo-store-auth"));
    ends_with(&sandbox.datamill(["plan", "-l", "-f", DEMO, "--detailed-exitcode"]), 0, &[]);
}

#[test]
fn a_claim_that_somebody_deleted_is_named_while_it_goes_and_once_it_is_gone() {
    let sandbox = installed();
    let claim = ["pvc", "demo-store-data", "-n", "data-mill"];
    sandbox.kubectl(["delete"].into_iter().chain(claim).chain(["--wait=false"]));
    let going = "PersistentVolumeClaim data-mill/demo-store-data: is being deleted";
    for command in ["plan", "status"] {
        ends_with(&sandbox.datamill([command, "-l", "-f", DEMO]), 0, &[going]);
    }
    let none = r#"{"metadata":{"finalizers":null}}"#;
    sandbox.kubectl(["patch"].into_iter().chain(claim).chain(["--type=merge", "-p", none]));
    let gone = ["demo-store/claim/data", "it was there and is gone"];
    ends_with(&sandbox.datamill(["plan", "-l", "-f", DEMO]), 0, &gone);
    ends_with(&sandbox.datamill(["plan", "-l", "-f", DEMO, "--refresh-only"]), 3, &gone);
    succeeds(&sandbox.datamill(["apply", "-l", "-f", DEMO, "--yes"]));
    ends_with(&sandbox.datamill(["plan", "-l", "-f", DEMO]), 0, &["nothing to do"]);
}
