//! Flags, streams and exit codes.

use super::*;

#[test]
fn usage_errors_exit_with_10_and_help_with_0() {
    let sandbox = project();
    ends_with(&sandbox.datamill(["--version"]), 0, &["datamill"]);
    ends_with(&sandbox.datamill(["--help"]), 0, &["apply", "-k"]);
    for command in [
        "validate",
        "plan",
        "apply",
        "uninstall",
        "destroy",
        "start",
        "stop",
        "status",
        "tools",
        "schema",
    ] {
        let run = sandbox.datamill([command, "--help"]);
        ends_with(&run, 0, &["datamill "]);
        assert!(run.stderr.is_empty(), "{}", run.stderr);
    }
    ends_with(&sandbox.datamill(["aply"]), 10, &["apply"]);
    ends_with(&sandbox.datamill(["--no-such-flag"]), 10, &["--no-such-flag"]);
    ends_with(&sandbox.datamill(["-l", "-i", "-x"]), 10, &["-x"]);
}

#[test]
fn schemas_are_json() {
    let sandbox = Sandbox::bare();
    for kind in ["flavour", "target", "settings", "component"] {
        let run = sandbox.datamill(["schema", kind]);
        assert_eq!(run.code, Some(0), "{run:?}");
        let schema: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert!(schema["properties"].is_object(), "{kind}: {schema}");
    }
}

#[test]
fn catalogue_and_flavours_can_be_listed_anywhere() {
    let sandbox = Sandbox::bare();
    ends_with(&sandbox.datamill(["components", "list"]), 0, &["demo-store", "efs"]);
    ends_with(&sandbox.datamill(["components", "show", "demo-store"]), 0, &["size", "redis"]);
    ends_with(&sandbox.datamill(["components", "show", "demo-stor"]), 10, &["demo-store"]);
    ends_with(&sandbox.datamill(["flavours", "list"]), 0, &["demo"]);
}

#[test]
fn a_provider_of_a_later_version_is_refused_before_anything_happens() {
    let sandbox = project();
    let run = sandbox.datamill(["plan", "-l", "--provider", "minikube", "-f", "flavours/one.yaml"]);
    ends_with(&run, 8, &["minikube"]);
    let run = sandbox.datamill(["plan", "-l", "--provider", "minicube", "-f", "flavours/one.yaml"]);
    ends_with(&run, 10, &["minikube"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    use std::process::Stdio;
    let sandbox = Sandbox::bare();
    let mut child = sandbox
        .command(crate::support::sandbox::BINARY)
        .args(["schema", "component"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panick"), "{said}");
}
