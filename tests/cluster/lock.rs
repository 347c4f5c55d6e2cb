//! The lock of a target and the journal: two runs at once, runs that died, clocks that lie, a cluster that falls silent.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value as Json, json};

use super::*;
use crate::support::sandbox::finish;

const APPLY: [&str; 4] = ["-l", "-i", "-f", DEMO];
const OTHER: &str = "elsewhere.1.2.x";

/// An object of `kube-system`, if it is there.
fn of_ours(sandbox: &Sandbox, kind: &str, name: &str) -> Option<Json> {
    let context = sandbox.context();
    let run = sandbox.run(
        "kubectl",
        ["--context", &context, "get", kind, name, "-n", "kube-system", "-o", "json"],
    );
    (run.code == Some(0)).then(|| serde_json::from_str(&run.stdout).unwrap())
}

fn lease(sandbox: &Sandbox) -> Option<Json> {
    of_ours(sandbox, "lease", "datamill-demo")
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "waited for: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A run of somebody on another machine holds the lock. `age` is that of its last sign of life, by its own clock; both are in
/// seconds.
fn held_elsewhere(sandbox: &Sandbox, term: u64, age: i64) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let at = jiff::Timestamp::from_second(i64::try_from(now).unwrap() - age).unwrap();
    let time = format!("{at:.6}");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "datamill-demo", "namespace": "kube-system"},
        "spec": {
            "holderIdentity": format!("bob@elsewhere {OTHER} apply"),
            "leaseDurationSeconds": term, "acquireTime": time, "renewTime": time,
        },
    });
    let file = sandbox.write("lease.json", &lease.to_string());
    sandbox.kubectl(["apply", "--server-side", "--force-conflicts", "-f", file.to_str().unwrap()]);
}

/// Gives the next apply something to do.
fn drift(sandbox: &Sandbox) {
    sandbox.kubectl(["delete", "service", "demo-api", "-n", "data-mill"]);
}

fn pid(child: &std::process::Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

fn said(run: &Run) -> String {
    format!("{}\n{}", run.stdout, run.stderr)
}

/// What datamill keeps in the user's data folder.
fn data(sandbox: &Sandbox) -> std::path::PathBuf {
    sandbox.home().join(".local/share/datamill")
}

fn status(sandbox: &Sandbox) -> Json {
    let run = sandbox.datamill(["status", "-l", "-f", DEMO, "--output", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

fn nothing_remains(folder: &Path) {
    assert!(!folder.exists(), "{:?}", std::fs::read_dir(folder).map(Iterator::count));
}

#[test]
fn of_two_applies_started_together_one_works_and_one_says_so() {
    let sandbox = with_demo();
    // Once before there is a cluster, once in it.
    for round in 0..2 {
        let both = [sandbox.start(APPLY), sandbox.start(APPLY)].map(finish);
        let mut codes = both.iter().map(|run| run.code).collect::<Vec<_>>();
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(5)], "{both:?}");
        let kept_out = both.iter().find(|run| run.code == Some(5)).unwrap();
        ends_with(kept_out, 5, &["another run works on this target", "apply", "wait until it has"]);
        assert!(lease(&sandbox).is_none(), "the lock is given back");
        ends_with(&sandbox.datamill(APPLY), 0, &["nothing to do"]);
        if round == 0 {
            // A repair is over before the other run has planned; installing anew is not.
            succeeds(&sandbox.datamill(["uninstall", "-l", "-f", DEMO, "--yes"]));
        }
    }
    let last = status(&sandbox)["lastRun"].clone();
    assert_eq!((last["result"].as_str(), last["command"].as_str()), (Some("done"), Some("apply")));
    let remembered = of_ours(&sandbox, "configmap", "datamill-demo").unwrap();
    assert!(remembered["binaryData"]["runs.json.gz"].is_string(), "{remembered}");
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
    nothing_remains(&data(&sandbox));
}

#[test]
fn a_run_that_was_killed_here_is_taken_over_at_once_and_told_of() {
    let sandbox = with_demo();
    let child = sandbox.start(APPLY);
    let held = until("the lock", || lease(&sandbox));
    // Let it begin something in the cluster.
    std::thread::sleep(Duration::from_millis(1500));
    kill(pid(&child), Signal::SIGKILL).unwrap();
    drop(finish(child));
    let holder = held["spec"]["holderIdentity"].as_str().unwrap().to_owned();
    assert!(lease(&sandbox).is_some(), "nobody gave it back");
    let seen = status(&sandbox);
    assert_eq!(seen["lastRun"]["result"], "died", "{seen}");
    assert_eq!(seen["lock"]["dead"], true, "{seen}");
    let shown = said(&sandbox.datamill(["status", "-l", "-f", DEMO]));
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("the next run takes the lock over"), "{shown}");
    assert!(!shown.contains("is at work since"), "{shown}");
    let run = seen["lastRun"]["run"].as_str().unwrap();
    assert!(holder.contains(run), "{holder}");
    let open: Vec<_> = seen["lastRun"]["open"].as_array().unwrap().clone();
    let planned = sandbox.datamill(["plan", "-l", "-f", DEMO]);
    ends_with(&planned, 0, &["ended without a word", run]);
    for begun in &open {
        ends_with(&planned, 0, &[begun["id"].as_str().unwrap()]);
    }
    let begun = Instant::now();
    let next = sandbox.datamill(APPLY);
    ends_with(&next, 0, &["took the lock over", "ended without a word", run]);
    assert!(begun.elapsed() < Duration::from_mins(1), "nobody was waited for");
    let settled = status(&sandbox);
    assert_eq!((settled["died"].as_array().unwrap().len(), &settled["lock"]), (0, &Json::Null));
    assert!(!said(&sandbox.datamill(APPLY)).contains("without a word"), "it is told once");
    // Without any memory nothing breaks.
    std::fs::remove_dir_all(data(&sandbox).join("runs")).unwrap();
    sandbox.kubectl(["delete", "configmap", "datamill-demo", "-n", "kube-system"]);
    ends_with(&sandbox.datamill(APPLY), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
    nothing_remains(&data(&sandbox));
}

#[test]
fn a_lock_from_elsewhere_is_judged_by_what_its_holder_does_and_not_by_its_clock() {
    let sandbox = installed();
    drift(&sandbox);
    // A sign of life a moment ago.
    held_elsewhere(&sandbox, 60, 0);
    let kept_out = sandbox.datamill(APPLY);
    ends_with(&kept_out, 5, &["bob@elsewhere", OTHER, "unlock", "since 20"]);
    assert_eq!(status(&sandbox)["lock"]["run"], OTHER);
    ends_with(&sandbox.datamill(["plan", "-l", "-f", DEMO]), 0, &["demo-api"]);
    // Whatever its clock says: as long as it renews, it lives.
    for age in [-86_400, 86_400] {
        held_elsewhere(&sandbox, 10, age);
        let mut child = sandbox.start(APPLY);
        let begun = Instant::now();
        let mut beat = 0;
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_mins(1));
            beat += 1;
            held_elsewhere(&sandbox, 10, age - beat);
        }
        ends_with(&finish(child), 5, &["bob@elsewhere"]);
    }
    // A holder that is silent is dead, whatever its clock said last.
    for age in [-86_400, 86_400] {
        held_elsewhere(&sandbox, 1, age);
        let next = sandbox.datamill(APPLY);
        ends_with(&next, 0, &["seems dead", "took the lock over", OTHER]);
        assert!(lease(&sandbox).is_none());
        drift(&sandbox);
    }
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

#[test]
fn unlock_removes_the_lock_of_the_run_that_is_named_and_of_no_other() {
    let sandbox = installed();
    let unlock = |run: &str, yes: bool| {
        let line = ["unlock", "-l", "-f", DEMO, "--run", run];
        sandbox.datamill(line.into_iter().chain(yes.then_some("--yes")))
    };
    ends_with(&unlock(OTHER, true), 0, &["nobody holds the lock"]);
    held_elsewhere(&sandbox, 60, 0);
    let run = format!("unlock --run {OTHER}");
    ends_with(&unlock("another.1.2.y", true), 10, &["does not hold", &run]);
    let bare = sandbox.datamill(["unlock", "-l", "-f", DEMO]);
    ends_with(&bare, 10, &["no run is named", "bob@elsewhere", &run]);
    ends_with(&unlock(OTHER, false), 10, &["--yes"]);
    assert!(lease(&sandbox).is_some());
    ends_with(&unlock(OTHER, true), 0, &["bob@elsewhere", "removed the lock"]);
    assert!(lease(&sandbox).is_none());
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

#[test]
fn a_lock_that_cannot_be_renewed_stops_the_run_with_6_and_a_rerun_goes_on() {
    let mut sandbox = with_demo();
    sandbox.set("DATAMILL_LOCK_TERM", "2");
    let child = sandbox.start(APPLY);
    until("the lock", || lease(&sandbox));
    let server =
        sandbox.processes().into_iter().find(|line| line.contains("kube-apiserver")).unwrap();
    let server = Pid::from_raw(server.split(' ').next().unwrap().parse().unwrap());
    kill(server, Signal::SIGSTOP).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    kill(server, Signal::SIGCONT).unwrap();
    let run = finish(child);
    ends_with(&run, 6, &["the lock is lost", "lock of this target was lost", "not renewed for"]);
    succeeds(&sandbox.datamill(APPLY));
    ends_with(&sandbox.datamill(APPLY), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

#[test]
fn a_lock_taken_away_in_mid_run_stops_it() {
    let mut sandbox = with_demo();
    sandbox.set("DATAMILL_LOCK_TERM", "2");
    let child = sandbox.start(APPLY);
    until("the lock", || lease(&sandbox));
    sandbox.kubectl(["delete", "lease", "datamill-demo", "-n", "kube-system"]);
    ends_with(&finish(child), 6, &["the lock is lost", "the lock was removed"]);
    succeeds(&sandbox.datamill(APPLY));
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

#[test]
fn an_interrupted_run_gives_its_lock_back_and_says_what_is_left() {
    let sandbox = with_demo();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let child = sandbox.start(APPLY);
        until("the lock", || lease(&sandbox));
        kill(pid(&child), signal).unwrap();
        let begun = Instant::now();
        ends_with(&finish(child), 130, &["interrupted", "left to do"]);
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert!(lease(&sandbox).is_none(), "the lock is given back");
        let last = status(&sandbox)["lastRun"].clone();
        assert_eq!(last["result"], "interrupted", "{last}");
        assert_eq!(last["open"], json!([]), "calls that ran came to their end");
        succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
        nothing_remains(&data(&sandbox));
    }
    // Twice: out within two seconds, whatever runs.
    let child = sandbox.start(APPLY);
    until("the lock", || lease(&sandbox));
    let begun = Instant::now();
    kill(pid(&child), Signal::SIGINT).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    kill(pid(&child), Signal::SIGINT).ok();
    ends_with(&finish(child), 130, &["interrupted"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    succeeds(&sandbox.datamill(APPLY));
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

#[test]
fn on_an_existing_cluster_destroy_leaves_neither_lock_nor_memory() {
    let sandbox = with_demo();
    sandbox.write(
        "host/flavours/host.yaml",
        "project: {name: host, k8s_namespace: host, flavour: demo-store}\nlocal: {provider: kwok}\n",
    );
    succeeds(&sandbox.datamill(["-l", "-s", "-f", "host/flavours/host.yaml"]));
    let context = sandbox.context();
    let on = |first: &[&'static str]| -> Run {
        sandbox.datamill(first.iter().copied().chain(["-k", "--context", &context, "-f", DEMO]))
    };
    succeeds(&on(&["-i"]));
    assert!(of_ours(&sandbox, "configmap", "datamill-demo").is_some());
    let all = ["-x", "--yes", "--include-data", "--confirm-project", "demo"];
    // Killed anywhere in it, the next one leaves nothing either.
    for moment in [1_500, 2_500] {
        let child =
            sandbox.start(all.iter().copied().chain(["-k", "--context", &context, "-f", DEMO]));
        std::thread::sleep(Duration::from_millis(moment));
        kill(pid(&child), Signal::SIGKILL).ok();
        drop(finish(child));
    }
    succeeds(&on(&all));
    for (kind, name) in
        [("lease", "datamill-demo"), ("configmap", "datamill-demo"), ("configmap", "datamill")]
    {
        assert!(of_ours(&sandbox, kind, name).is_none(), "{kind} {name}");
    }
    let journals: Vec<_> = std::fs::read_dir(data(&sandbox).join("runs")).unwrap().collect();
    assert_eq!(journals.len(), 1, "that of the host: {journals:?}");
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "host/flavours/host.yaml"]));
    nothing_remains(&data(&sandbox));
}
