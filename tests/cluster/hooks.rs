//! Hooks of charts: they run with an install and an upgrade, never with a repair, and one that hangs ends with its cause.

use super::kit::*;
use super::*;

const HOOK: &str =
    "helm.sh/hook: \"post-install,post-upgrade\", helm.sh/hook-delete-policy: before-hook-creation";

fn project(job: &str, section: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools();
    let rest = format!(
        "params:\n  text: {{type: string, default: hello}}\n{}",
        helm_step("{text: \"${param.text}\"}")
    );
    component(&sandbox, "thing", &rest);
    chart(&sandbox, "thing", "text: none\n", &[MAP, job]);
    flavour(&sandbox, "thing", section);
    sandbox
}

fn hook(sandbox: &Sandbox) -> serde_json::Value {
    let jobs = list(sandbox, "jobs", "kit");
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs[0].clone()
}

#[test]
fn hooks_run_with_an_upgrade_and_never_with_a_repair() {
    let sandbox = project(&quick_job("thing-hook", HOOK), "");
    succeeds(&on(&sandbox, &["-i"]));
    let first = hook(&sandbox);
    assert_eq!(first["status"]["succeeded"], 1, "{first}");
    assert_eq!(first["metadata"]["labels"]["datamill.dev/instance"], "thing");
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);

    // What somebody deleted is put back, and no hook runs for that.
    sandbox.kubectl(["delete", "configmap", "thing", "-n", "kit"]);
    ends_with(&on(&sandbox, &["-i"]), 0, &["repair"]);
    assert_eq!(hook(&sandbox)["metadata"]["uid"], first["metadata"]["uid"]);
    // A hook that somebody deleted is not missed.
    sandbox.kubectl(["delete", "job", "thing-hook", "-n", "kit"]);
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    assert!(list(&sandbox, "jobs", "kit").is_empty());

    flavour(&sandbox, "thing", "thing: {text: changed}\n");
    succeeds(&on(&sandbox, &["-i"]));
    assert_eq!(hook(&sandbox)["status"]["succeeded"], 1);
    succeeds(&on(&sandbox, &["-u", "--yes"]));
    assert!(list(&sandbox, "jobs", "kit").is_empty(), "hooks go with their release");
    destroy(&sandbox);
}

#[test]
fn hooks_that_are_left_out_never_run_neither_with_an_upgrade_nor_with_the_end() {
    let going = HOOK.replace("post-upgrade", "pre-delete");
    let sandbox = project(&stuck_job("thing-hook", &going), "");
    let without = |text: &str| {
        let step = helm_step(&format!("{{text: {text}}}"));
        component(&sandbox, "thing", &format!("{step}    hooks: false\n"));
    };
    without("hello");
    succeeds(&on(&sandbox, &["-i"]));
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    without("changed");
    succeeds(&on(&sandbox, &["-i"]));
    // What is taken away needs no files: the release itself says that its hooks do not run.
    component(&sandbox, "thing", &helm_step("{text: changed}"));
    succeeds(&on(&sandbox, &["-u", "--yes"]));
    assert!(list(&sandbox, "jobs", "kit").is_empty());
    destroy(&sandbox);
}

#[test]
fn a_hook_that_never_ends_is_named_with_its_cause() {
    let sandbox = project(&stuck_job("thing-hook", HOOK), "thing: {setup_timeout: 8}\n");
    let run = on(&sandbox, &["-i", "--skip-preflight", "capacity"]);
    ends_with(&run, 7, &["thing-hook", "post-install", "cpu"]);
    // The release is there, and failed: the next run says so and tries again.
    assert!(sandbox.helm(["ls", "-A"]).contains("failed"));
    ends_with(&on(&sandbox, &["plan", "--skip-preflight", "capacity"]), 0, &["revision 1 failed"]);
    chart(&sandbox, "thing", "text: none\n", &[MAP, &quick_job("thing-hook", HOOK)]);
    succeeds(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]));
    ends_with(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}
