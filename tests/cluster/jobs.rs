//! Work that takes long: what only needs to be started, who waits for its result, and a Job inside a release.

use super::kit::*;
use super::*;
use crate::support::sandbox::finish;

const LOADER: &str = "steps:
  - id: load
    kind: job
    image: load
    command: [load]
    ready: started
    timeout: none
    resources: {requests: {cpu: \"1000\"}}
";
const USER: &str = "uses:
  - {as: data, component: loader}
steps:
  - id: map
    kind: objects
    objects:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: trained}, data: {a: b}}
";

fn maps(sandbox: &Sandbox) -> usize {
    let maps = list(sandbox, "configmaps", "kit");
    maps.iter().filter(|map| map["metadata"]["name"] == "trained").count()
}

#[test]
fn what_uses_the_result_of_a_long_job_waits_for_it() {
    let sandbox = Sandbox::with_tools();
    let context = host(&sandbox);
    component(&sandbox, "loader", LOADER);
    component(&sandbox, "trainer", USER);
    flavour(&sandbox, "loader trainer", "");
    let target = ["-k", "--context", &context, "-f", FLAVOUR];
    let words = |first: &[&'static str]| -> Vec<String> {
        first.iter().copied().chain(target).map(str::to_owned).collect()
    };
    let run = |first: &[&'static str]| {
        sandbox.datamill(words(first).iter().map(String::as_str).collect::<Vec<_>>())
    };
    let start = |first: &[&'static str]| {
        sandbox.start(words(first).iter().map(String::as_str).collect::<Vec<_>>())
    };

    let first = start(&["-i", "--skip-preflight", "capacity"]);
    let pod = pod(&sandbox, "kit", "loader");
    set_phase(&sandbox, "kit", &pod, "Running");
    let first = finish(first);
    ends_with(&first, 0, &["trainer", "waiting for loader/job/load"]);
    assert_eq!(maps(&sandbox), 0);
    // It is no change, and is said every time.
    ends_with(
        &run(&["plan", "--detailed-exitcode", "--skip-preflight", "capacity"]),
        0,
        &["waiting for loader/job/load"],
    );
    ends_with(&run(&["status"]), 0, &["running", "loader"]);
    ends_with(
        &run(&["-i", "--skip-preflight", "capacity"]),
        0,
        &["nothing to do", "waiting for loader/job/load"],
    );

    // With `--wait-jobs` the run ends with the job.
    let mut waiting = start(&["-i", "--wait-jobs", "--skip-preflight", "capacity"]);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert!(waiting.try_wait().unwrap().is_none(), "it waits for the job");
    assert_eq!(maps(&sandbox), 0);
    set_phase(&sandbox, "kit", &pod, "Succeeded");
    succeeds(&finish(waiting));
    assert_eq!(maps(&sandbox), 1);
    ends_with(&run(&["-i", "--skip-preflight", "capacity"]), 0, &["nothing to do"]);
    succeeds(&run(&["-x", "--yes", "--confirm-project", "kit"]));
    end_host(&sandbox);
}

#[test]
fn a_job_that_runs_once_stays_as_it_ran() {
    let sandbox = Sandbox::with_tools();
    let job = |argument: &str| {
        let text = format!(
            "steps:\n  - {{id: load, kind: job, image: load, command: [load, {argument}], rerun: once, name: load}}\n"
        );
        component(&sandbox, "loader", &text);
    };
    let uid = || {
        let jobs = list(&sandbox, "jobs", "kit");
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        assert_eq!(jobs[0]["metadata"]["name"], "load");
        jobs[0]["metadata"]["uid"].clone()
    };
    job("first");
    flavour(&sandbox, "loader", "");
    succeeds(&on(&sandbox, &["-i"]));
    let first = uid();
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    job("second");
    let note = "it runs once, and ran with other inputs: delete the Job to run it again";
    ends_with(&on(&sandbox, &["plan"]), 0, &["loader/job/load", note]);
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do", note]);
    assert_eq!(uid(), first);
    // Another name for the instance is no reason to run it again, and is said.
    job("first");
    flavour(&sandbox, "filler", "filler: {component: loader, moved: loader}\n");
    ends_with(&on(&sandbox, &["plan"]), 0, &["filler/job/load", "renamed from `loader`"]);
    succeeds(&on(&sandbox, &["-i"]));
    assert_eq!(uid(), first);
    job("second");
    sandbox.kubectl(["delete", "job", "load", "-n", "kit"]);
    succeeds(&on(&sandbox, &["-i"]));
    assert_ne!(uid(), first);
    destroy(&sandbox);
}

#[test]
fn a_job_inside_a_release_is_waited_for_and_waited_for_again() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP, &stuck_job("work", "")]);
    flavour(&sandbox, "thing", "thing: {setup_timeout: 6}\n");
    ends_with(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]), 7, &["Job", "work", "cpu"]);
    // Nothing is to be changed, and all the same it does not work: everybody says so.
    let planned = on(&sandbox, &["plan", "--skip-preflight", "capacity"]);
    ends_with(&planned, 0, &["nothing to do", "not ready", "thing/release/chart", "Job kit/work"]);
    ends_with(&on(&sandbox, &["status"]), 0, &["settling", "work"]);
    ends_with(
        &on(&sandbox, &["-i", "--skip-preflight", "capacity"]),
        7,
        &["thing/release/chart", "Job", "work"],
    );
    // A run that waits sees its end.
    let waiting = sandbox.start(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    let pod = pod(&sandbox, "kit", "work");
    set_phase(&sandbox, "kit", &pod, "Succeeded");
    succeeds(&finish(waiting));
    let planned = on(&sandbox, &["plan", "--skip-preflight", "capacity"]);
    ends_with(&planned, 0, &["nothing to do"]);
    assert!(!planned.stdout.contains("not ready"), "{}", planned.stdout);
    destroy(&sandbox);
}
