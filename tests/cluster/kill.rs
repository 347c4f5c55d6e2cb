//! `kill -9` at any moment, then the same command: it takes over and converges.

use std::io::Read as _;
use std::time::Duration;

use data_encoding::BASE64;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;

use super::kit::*;
use super::*;
use crate::support::sandbox::finish;

/// Moments spread over an install, in milliseconds; other ones each day would make a failure hard to repeat.
const MOMENTS: [u64; 4] = [300, 2_500, 5_500, 7_500];

fn killed_after(sandbox: &Sandbox, moment: u64, signal: Signal) -> Run {
    cut_short(sandbox, &["-l", "-i", "-f", DEMO], moment, signal)
}

fn cut_short(sandbox: &Sandbox, words: &[&str], moment: u64, signal: Signal) -> Run {
    let child = sandbox.start(words.iter().copied());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    std::thread::sleep(Duration::from_millis(moment));
    kill(pid, signal).ok();
    finish(child)
}

#[test]
fn an_install_killed_at_any_moment_converges() {
    let sandbox = with_demo();
    for moment in MOMENTS {
        drop(killed_after(&sandbox, moment, Signal::SIGKILL));
        succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
        ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
        let listed = sandbox.helm(["ls", "-A", "-o", "json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        for release in listed.as_array().unwrap() {
            assert_eq!(release["status"], "deployed", "{listed}");
        }
        succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
        assert_eq!(sandbox.processes(), Vec::<String>::new());
    }
}

#[test]
fn a_cluster_that_is_half_made_is_seen_and_can_be_stopped_or_made_anew() {
    let sandbox = with_demo();
    let on = |command: &'static str| sandbox.datamill([command, "-l", "-f", DEMO]);
    // What was called by whoever died ends with it, and may take along what it started, or goes on by itself.
    for program in ["kwokctl", "bin/etcd"] {
        let child = sandbox.start(["-l", "-i", "-f", DEMO]);
        let begins = |line: &String| line.split(' ').nth(1).is_some_and(|p| p.ends_with(program));
        eventually(program, || sandbox.processes().iter().any(begins));
        signal(&child, Signal::SIGKILL);
        drop(finish(child));
        ends_with(&on("status"), 0, &["the cluster is half-made", "apply", "destroy"]);
        succeeds(&on("stop"));
        assert_eq!(sandbox.processes(), Vec::<String>::new());
    }
    ends_with(&on("status"), 0, &["the cluster is half-made", "nothing of it runs"]);
    ends_with(&on("stop"), 0, &["nothing to stop"]);
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    ends_with(&on("status"), 0, &["the cluster is running"]);
    succeeds(&on("destroy"));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn an_interrupted_install_ends_with_130_and_a_rerun_goes_on() {
    let sandbox = with_demo();
    let run = killed_after(&sandbox, 4_000, Signal::SIGTERM);
    ends_with(&run, 130, &["interrupted"]);
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
}

#[test]
fn an_uninstall_and_a_destroy_killed_at_any_moment_converge() {
    let sandbox = with_demo();
    let uninstall = ["-l", "-u", "-f", DEMO, "--yes"];
    let destroy = ["-l", "-x", "-f", DEMO, "--yes"];
    for moment in [300, 1_200, 2_500] {
        succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
        let claims = || sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]);
        let before = claims();
        drop(cut_short(&sandbox, &uninstall, moment, Signal::SIGKILL));
        succeeds(&sandbox.datamill(uninstall));
        assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "");
        assert_eq!(claims(), before);
        ends_with(&sandbox.datamill(uninstall), 0, &["nothing to do"]);
        succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
        drop(cut_short(&sandbox, &destroy, moment, Signal::SIGKILL));
        succeeds(&sandbox.datamill(destroy));
        assert_eq!(sandbox.processes(), Vec::<String>::new());
    }
}

#[test]
fn on_an_existing_cluster_a_destroy_killed_at_any_moment_converges_and_keeps_data() {
    let sandbox = with_demo();
    let context = host(&sandbox);
    // The demo asks its pods over HTTP, which only a simulated cluster takes as answered.
    sandbox.kubectl(["delete", "node", "metal"]);
    let on = |first: &[&'static str]| -> Vec<String> {
        let target = ["-k", "--context", &context, "-f", DEMO];
        first.iter().copied().chain(target).map(str::to_owned).collect()
    };
    let run = |words: &[String]| sandbox.datamill(words.iter().map(String::as_str));
    let destroy = on(&["-x", "--yes", "--confirm-project", "demo"]);
    for moment in [700, 2_000] {
        succeeds(&run(&on(&["-i"])));
        let before = sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]);
        let words: Vec<_> = destroy.iter().map(String::as_str).collect();
        drop(cut_short(&sandbox, &words, moment, Signal::SIGKILL));
        succeeds(&run(&destroy));
        assert_eq!(sandbox.helm(["ls", "-A", "--short"]).trim(), "");
        assert_eq!(sandbox.kubectl(["get", "pvc", "-A", "-o", "name"]), before);
    }
    end_host(&sandbox);
}

/// A project whose release has a hook that ends when the test says so.
fn with_open_hook() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    let hook = stuck_job("gate", "helm.sh/hook: post-install");
    chart(&sandbox, "thing", "text: hello\n", &[MAP, &hook]);
    flavour(&sandbox, "thing", "");
    succeeds(&on(&sandbox, &["-s"]));
    sandbox
}

fn revisions(sandbox: &Sandbox) -> usize {
    let history = sandbox.helm(["history", "thing", "-n", "kit", "-o", "json"]);
    serde_json::from_str::<Vec<serde_json::Value>>(&history).unwrap().len()
}

/// Applies, and lets every hook go on but the one of a dead run.
fn with_gates_open(sandbox: &Sandbox, but: &str) -> Run {
    let mut run = sandbox.start(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    eventually("the run ends", || {
        let pods = list(sandbox, "pods", "kit");
        for pod in pods.iter().filter(|pod| pod["status"]["phase"] == "Pending") {
            let name = pod["metadata"]["name"].as_str().unwrap();
            if name != but {
                set_phase(sandbox, "kit", name, "Succeeded");
            }
        }
        run.try_wait().unwrap().is_some()
    });
    finish(run)
}

/// The status of a revision's Secret.
fn stored(sandbox: &Sandbox, release: &str, revision: usize) -> Json {
    let name = format!("sh.helm.release.v1.{release}.v{revision}");
    let text = sandbox.kubectl(["get", "secret", &name, "-n", "kit", "-o", "json"]);
    serde_json::from_str(&text).unwrap()
}

/// Writes another status into a stored revision, in its label and in its payload.
fn set_status(sandbox: &Sandbox, release: &str, revision: usize, status: &str) {
    let mut secret = stored(sandbox, release, revision);
    let data = secret["data"]["release"].as_str().unwrap();
    let packed = BASE64.decode(&BASE64.decode(data.as_bytes()).unwrap()).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let mut payload: Json = serde_json::from_str(&text).unwrap();
    payload["info"]["status"] = status.into();
    let inner = BASE64.encode(payload.to_string().as_bytes());
    secret["data"]["release"] = BASE64.encode(inner.as_bytes()).into();
    secret["metadata"]["labels"]["status"] = status.into();
    let file = sandbox.write("secret.json", &secret.to_string());
    sandbox.kubectl(["replace", "-f", file.to_str().unwrap()]);
}

#[test]
fn a_release_left_in_the_middle_of_an_upgrade_or_of_a_rollback_is_taken_up() {
    let sandbox = Sandbox::with_tools();
    for name in ["thing", "plain"] {
        component(&sandbox, name, &helm_step("{}"));
    }
    let hook = stuck_job("gate", "helm.sh/hook: post-upgrade");
    chart(&sandbox, "thing", "text: one\n", &[MAP, &hook]);
    chart(&sandbox, "plain", "text: one\n", &[MAP]);
    flavour(&sandbox, "thing plain", "");
    let apply = ["-i", "--skip-preflight", "capacity"];
    succeeds(&on(&sandbox, &apply));
    // Its run and its helm die in the middle of an upgrade.
    chart(&sandbox, "thing", "text: two\n", &[MAP, &hook]);
    let first = sandbox.start(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    let helm = running_helm(&sandbox, "upgrade");
    let gate = pod(&sandbox, "kit", "gate");
    signal(&first, Signal::SIGKILL);
    kill(helm, Signal::SIGKILL).unwrap();
    drop(finish(first));
    assert_eq!(stored(&sandbox, "thing", 2)["metadata"]["labels"]["status"], "pending-upgrade");
    sandbox.kubectl(["delete", "job", "gate", "-n", "kit", "--wait=true"]);
    ends_with(&with_gates_open(&sandbox, &gate), 0, &["takes over revision 2"]);
    ends_with(&on(&sandbox, &apply), 0, &["nothing to do"]);
    // A rollback that was begun and not ended.
    set_status(&sandbox, "plain", 1, "pending-rollback");
    ends_with(&on(&sandbox, &apply), 0, &["takes over revision 1"]);
    ends_with(&on(&sandbox, &apply), 0, &["nothing to do"]);
    let releases = sandbox.helm(["ls", "-A", "-o", "json"]);
    assert!(!releases.contains("pending") && !releases.contains("failed"), "{releases}");
    for name in ["thing", "plain"] {
        let map = sandbox.kubectl(["get", "configmap", name, "-n", "kit", "-o", "json"]);
        let text: Json = serde_json::from_str(&map).unwrap();
        assert_eq!(text["data"]["text"], if name == "thing" { "two" } else { "one" });
    }
    destroy(&sandbox);
}

#[test]
fn helm_outlives_a_killed_run_and_the_next_one_waits_for_it() {
    let sandbox = with_open_hook();
    let first = sandbox.start(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    let helm = running_helm(&sandbox, "upgrade");
    let gate = pod(&sandbox, "kit", "gate");
    signal(&first, Signal::SIGKILL);
    drop(finish(first));
    std::thread::sleep(Duration::from_secs(1));
    assert!(lives(helm), "helm goes on");
    // The plan says who holds the release.
    ends_with(
        &on(&sandbox, &["plan", "--skip-preflight", "capacity"]),
        0,
        &["thing/release/chart", "waits for helm of run"],
    );
    let mut second = sandbox.start(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    std::thread::sleep(Duration::from_secs(4));
    assert!(second.try_wait().unwrap().is_none(), "it waits for helm");
    assert!(lives(helm));
    set_phase(&sandbox, "kit", &gate, "Succeeded");
    let second = finish(second);
    ends_with(&second, 0, &["waits for helm of run"]);
    assert_eq!(revisions(&sandbox), 1, "what helm made is what was wanted");
    ends_with(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}

#[test]
fn a_release_begun_on_another_machine_is_held_as_long_as_that_run_holds_the_lock() {
    let sandbox = with_open_hook();
    let first = sandbox.start(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    let helm = running_helm(&sandbox, "upgrade");
    let gate = pod(&sandbox, "kit", "gate");
    signal(&first, Signal::SIGKILL);
    kill(helm, Signal::SIGKILL).unwrap();
    drop(finish(first));
    let secret = "sh.helm.release.v1.thing.v1";
    let run = "datamill.dev/run=elsewhere-1700000000-abcdef";
    sandbox.kubectl(["label", "secret", secret, "-n", "kit", "--overwrite", run]);
    let holder = "somebody@elsewhere elsewhere-1700000000-abcdef apply";
    let patch = serde_json::json!({"spec": {"holderIdentity": holder}}).to_string();
    let lease = ["lease", "datamill-kit", "-n", "kube-system"];
    sandbox.kubectl(["patch"].into_iter().chain(lease).chain(["--type=merge", "-p", &patch]));
    let whose = ["elsewhere-1700000000-abcdef on another machine"];
    ends_with(&on(&sandbox, &["plan", "--skip-preflight", "capacity"]), 0, &whose);
    ends_with(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]), 5, &whose);
    ends_with(
        &on(&sandbox, &["-u", "--yes", "--skip-preflight", "capacity"]),
        5,
        &["elsewhere-1700000000-abcdef"],
    );
    // The lock is its own no more: what it began is taken over.
    sandbox.kubectl(["delete"].into_iter().chain(lease));
    sandbox.kubectl(["delete", "job", "gate", "-n", "kit", "--wait=true"]);
    ends_with(&with_gates_open(&sandbox, &gate), 0, &["takes over revision 1"]);
    ends_with(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}
