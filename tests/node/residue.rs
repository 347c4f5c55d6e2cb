//! Nothing is left of a run, however it ends; and the next run is not in its way.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cluster::kit::within;
use crate::support::node::{self, Mark, leftovers};

/// What a run of its own does in a process that this file starts.
#[test]
#[ignore = "a part of the tests below, which start it in a process of its own"]
fn a_run_of_its_own() {
    let cluster = node::cluster().expect("the process that started this one has a cluster");
    let space = cluster.namespace();
    let nodes = space.kubectl(&["get", "nodes", "-o", "name"]);
    assert_eq!(nodes.trim(), format!("node/{}", cluster.node()));
}

/// The same, ended by a test that panics.
#[test]
#[ignore = "a part of the tests below, which start it in a process of its own"]
fn a_run_that_panics() {
    let cluster = node::cluster().expect("the process that started this one has a cluster");
    let _space = cluster.namespace();
    panic!("as it should");
}

fn start(test: &str) -> Child {
    command(&format!("residue::{test}")).stdout(Stdio::null()).spawn().unwrap()
}

/// One ignored test of this tier in a process of its own.
fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("node::{test}"), "--ignored"]);
    command.env("DATAMILL_NODE_TESTS", "required").env(node::PART, "1");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// Waits until nothing of a run is there: its keeper may be at it.
fn expect_nothing_left(mark: &Mark) {
    let mut left = Vec::new();
    for _ in 0..3000 {
        left = leftovers(mark);
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("left of {}: {left:#?}", mark.name());
}

/// Waits until the engine of a run answers and its cluster is being made: its node's container is there.
fn wait_for_the_middle(run: &mut Child) -> Mark {
    let mark = Mark::of(run.id()).unwrap();
    let socket = mark.folder().join("docker.sock");
    let label = format!("label=io.x-k8s.kind.cluster={}", mark.name());
    within(Duration::from_mins(10), "a run makes its cluster", || {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it made a cluster");
        let mut docker = Command::new("docker");
        docker.args(["ps", "--quiet", "--filter", &label]).stdin(Stdio::null());
        if socket.exists() {
            docker.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        }
        docker.output().is_ok_and(|output| !output.stdout.trim_ascii().is_empty())
    });
    mark
}

/// What the tier said of this run.
fn note() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_TARGET_TMPDIR")).join("node-tier.txt")).unwrap()
}

fn end(process: u32) {
    kill(Pid::from_raw(i32::try_from(process).unwrap()), Signal::SIGKILL).unwrap();
}

#[test]
fn a_run_that_panicked_leaves_nothing() {
    let Some(_) = node::cluster() else { return };
    let noted = note();
    let mut child = start("a_run_that_panics");
    let mark = Mark::of(child.id()).unwrap();
    // The harness's own code: the test ran, and failed.
    assert_eq!(child.wait().unwrap().code(), Some(101));
    expect_nothing_left(&mark);
    assert_eq!(note(), noted, "a run inside a test says nothing of the tier");
}

#[test]
fn runs_that_were_killed_leave_nothing_and_the_next_one_goes_well() {
    let Some(_) = node::cluster() else { return };
    let mut child = start("a_run_of_its_own");
    let mark = wait_for_the_middle(&mut child);
    end(child.id());
    assert!(!child.wait().unwrap().success());
    expect_nothing_left(&mark);

    // With its keeper dead as well, the next run sweeps up.
    let mut child = start("a_run_of_its_own");
    let mark = wait_for_the_middle(&mut child);
    end(mark.keeper().expect("a run has a keeper"));
    end(child.id());
    assert!(!child.wait().unwrap().success());
    assert!(mark.folder().exists());
    // A node that goes away would take the other tests' pods with it, so it is tried where there are none.
    let mut next = command("failures::away::a_node_that_goes_away_is_named_and_waited_for");
    let next = next.stdout(Stdio::piped()).spawn().unwrap();
    let its_own = Mark::of(next.id()).unwrap();
    let output = next.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    expect_nothing_left(&mark);
    expect_nothing_left(&its_own);
}
