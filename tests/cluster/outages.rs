//! Clusters that stop answering in the middle of the work, and folders that cannot be written.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use super::kit::*;
use super::*;
use crate::support::sandbox::finish;

fn server(sandbox: &Sandbox) -> nix::unistd::Pid {
    process(sandbox, &["kube-apiserver"]).unwrap()
}

/// Installs the demo while the API server stands still for so many seconds.
fn through_a_pause(sandbox: &Sandbox, seconds: u64) -> Run {
    succeeds(&sandbox.datamill(["-l", "-s", "-f", DEMO]));
    let run = sandbox.start(["-l", "-i", "-f", DEMO]);
    // Helm gives up by itself after 32 s, which is another story.
    let all = [server(sandbox), running_helm(sandbox, "upgrade")];
    for one in all {
        kill(one, Signal::SIGSTOP).unwrap();
    }
    std::thread::sleep(Duration::from_secs(seconds));
    for one in all {
        kill(one, Signal::SIGCONT).unwrap();
    }
    finish(run)
}

/// The same command goes on, and ends where an undisturbed run ends.
fn converges(sandbox: &Sandbox) {
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    let releases = sandbox.helm(["ls", "-A", "-o", "json"]);
    assert!(!releases.contains("pending") && !releases.contains("failed"), "{releases}");
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn an_api_server_that_stands_still_in_mid_apply_loses_nothing() {
    let sandbox = with_demo();
    let run = through_a_pause(&sandbox, 20);
    // It may go well, since what passes is tried again; if not, the error says what did not answer.
    if run.code != Some(0) {
        assert!([6, 7, 8].contains(&run.code.unwrap()), "{run:?}");
        assert!(run.stderr.contains("did not answer") || run.stderr.contains("time"), "{run:?}");
    }
    assert!(!run.stderr.contains("lock of this target was lost"), "so long it is held: {run:?}");
    converges(&sandbox);
}

#[test]
fn an_api_server_that_stands_still_for_a_minute_costs_the_lock_and_nothing_else() {
    let sandbox = with_demo();
    let run = through_a_pause(&sandbox, 60);
    ends_with(&run, 6, &["lock of this target was lost", "not renewed for 45 s", "left to do"]);
    converges(&sandbox);
}

#[test]
fn an_api_server_that_dies_in_mid_apply_is_named_and_the_rerun_converges() {
    let sandbox = with_demo();
    succeeds(&sandbox.datamill(["-l", "-s", "-f", DEMO]));
    let run = sandbox.start(["-l", "-i", "-f", DEMO]);
    running_helm(&sandbox, "upgrade");
    kill(server(&sandbox), Signal::SIGKILL).unwrap();
    let run = finish(run);
    let code = run.code.unwrap();
    assert!([6, 8].contains(&code), "{run:?}");
    ends_with(&run, code, &["cluster", "refused"]);
    // The next run mends the cluster, and goes on.
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    let releases = sandbox.helm(["ls", "-A", "-o", "json"]);
    assert!(!releases.contains("pending") && !releases.contains("failed"), "{releases}");
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn status_says_what_died_and_names_no_address_of_what_is_gone() {
    let sandbox = installed();
    let status = || sandbox.datamill(["status", "-l", "-f", DEMO]);
    let address = "/visits";
    ends_with(&status(), 0, &[address]);
    succeeds(&sandbox.datamill(["-l", "-u", "-f", DEMO, "--yes"]));
    let after = status();
    ends_with(&after, 0, &["incomplete", "demo-store/claim/data"]);
    assert!(!after.stdout.contains(address), "{after:?}");
    kill(server(&sandbox), Signal::SIGKILL).unwrap();
    eventually("the server is gone", || process(&sandbox, &["kube-apiserver"]).is_none());
    let broken = status();
    ends_with(&broken, 0, &["broken", "not running: kube-apiserver"]);
    assert!(!broken.stdout.contains("stopped"), "{broken:?}");
    ends_with(&sandbox.datamill(["-l", "-a", "-f", DEMO]), 0, &["stopped the cluster"]);
    assert!(process(&sandbox, &["etcd"]).is_none());
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

/// A small disk in place of a folder, as long as it lives.
struct Disk(std::path::PathBuf);

impl Disk {
    #[expect(clippy::print_stderr, reason = "a test that is left out says why")]
    fn new(folder: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&folder).unwrap();
        let disk = Self(folder);
        if disk.mount("size=256m") {
            return Some(disk);
        }
        eprintln!("skipped: a disk of one's own takes root");
        None
    }

    fn mount(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&self.0);
        cfg!(target_os = "linux") && mount.output().is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).output().ok();
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let sandbox = with_demo();
    let Some(disk) = Disk::new(sandbox.home().join(".cache/datamill")) else { return };
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    assert!(disk.mount("remount,ro"));
    // Reading needs no writing.
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    sandbox.write(DEMO, &flavour.replace("Hello from the demo", "Good morning"));
    let run = sandbox.datamill(["-l", "-i", "-f", DEMO]);
    ends_with(&run, 8, &[".cache/datamill", "ead-only"]);
    assert!(disk.mount("remount,rw"));
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", DEMO]));
}

#[test]
fn a_kubeconfig_that_cannot_be_read_stops_a_destroy_before_anything_goes() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    succeeds(&on(&sandbox, &["start"]));
    let path = sandbox.home().join(".kube/config");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, "{{{").unwrap();
    ends_with(&on(&sandbox, &["destroy"]), 8, &[".kube/config"]);
    assert_ne!(sandbox.processes(), Vec::<String>::new());
    std::fs::write(&path, whole).unwrap();
    destroy(&sandbox);
    let left = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(!left.contains("datamill-kit"), "{left}");
}

#[test]
fn nodes_that_were_silent_for_a_while_are_well_again_and_take_pods_at_once() {
    let sandbox = installed();
    succeeds(&sandbox.datamill(["stop", "-l", "-f", DEMO]));
    succeeds(&sandbox.datamill(["start", "-l", "-f", DEMO]));
    // A new pod runs without waiting until what the dead kwok held has expired.
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    sandbox.write(DEMO, &flavour.replace("Hello from the demo", "Good morning"));
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["1 updated"]);

    // What the node controller does to the pods of a node that it does not hear of.
    let not_ready = r#"{"status":{"conditions":[{"type":"Ready","status":"False"}]}}"#;
    let words = ["patch", "pod", "demo-store-0", "-n", "data-mill", "--subresource=status"];
    sandbox.kubectl(words.into_iter().chain(["--type=strategic", "-p", not_ready]));
    eventually("the pod is ready again", || {
        let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        sandbox.kubectl(["get", "pod", "demo-store-0", "-n", "data-mill", "-o", ready]) == "True"
    });
}
