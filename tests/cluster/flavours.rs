//! Several flavours of a project in one cluster, and what is installed outside of a flavour.

use serde_json::{Value as Json, json};

use super::*;

const SECOND: &str = "flavours/second.yaml";

fn with_second() -> Sandbox {
    let sandbox = with_demo();
    sandbox.write(
        SECOND,
        "project: {name: demo, k8s_namespace: other, flavour: second}\nlocal: {provider: kwok}\n\
         second: {component: demo-store, size: 3Gi}\n",
    );
    sandbox
}

fn status(sandbox: &Sandbox, flavour: &str) -> Json {
    let run = sandbox.datamill(["status", "-l", "-f", flavour, "--output", "json"]);
    succeeds(&run);
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn the_cluster_stays_while_another_flavour_lives_in_it() {
    let sandbox = with_second();
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    succeeds(&sandbox.datamill(["-l", "-i", "-f", SECOND]));
    // Neither sees the other's things as its own.
    let data = |flavour: &str| {
        let status = status(&sandbox, flavour);
        assert_eq!(status["orphaned"], json!([]), "{status}");
        status["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (data(DEMO), data(SECOND)),
        (vec![json!("demo-store/claim/data")], vec![json!("second/claim/data")])
    );
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    let first = sandbox.datamill(["-l", "-x", "-f", DEMO, "--yes"]);
    ends_with(&first, 0, &["second", "stays"]);
    assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "second");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", SECOND]), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", SECOND, "--all-flavours", "--yes"]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn what_was_installed_by_name_is_an_extra() {
    let sandbox = with_demo();
    sandbox.write(
        SECOND,
        "project: {name: demo, k8s_namespace: data-mill, flavour: demo-store}\nlocal: {provider: kwok}\n",
    );
    let second =
        |args: &[&'static str]| sandbox.datamill(args.iter().copied().chain(["-f", SECOND]));
    succeeds(&second(&["-l", "-s"]));
    // What it needs is not there yet, and is not installed unasked.
    ends_with(&second(&["-l", "-i", "-c", "demo-api"]), 10, &["demo-store", "--with-needs"]);
    succeeds(&second(&["-l", "-i", "-c", "demo-api", "--with-needs"]));
    ends_with(&second(&["-l", "-i"]), 0, &["demo-api", "left alone"]);
    let status = status(&sandbox, SECOND);
    let names: Vec<_> =
        status["instances"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["demo-api", "demo-store"], "{status}");
    assert_eq!(status["orphaned"], json!([]), "{status}");
    let releases = sandbox.helm(["ls", "-A", "--short"]);
    assert!(releases.contains("demo-api"), "{releases}");
    succeeds(&second(&["-l", "-u", "-c", "demo-api", "--yes"]));
    let releases = sandbox.helm(["ls", "-A", "--short"]);
    assert_eq!(releases.trim(), "demo-store");
    succeeds(&second(&["-l", "-x"]));
}
