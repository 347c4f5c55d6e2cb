//! Nothing is left of a run, however it ends; and the next run is not in its way.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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

fn start() -> Child {
    command("node::residue::a_run_of_its_own").stdout(Stdio::null()).spawn().unwrap()
}

/// One ignored test in a process of its own.
fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored"]);
    command.env("DATAMILL_NODE_TESTS", "required");
    command.stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// Waits until nothing of a run is there: its keeper may be at it.
fn expect_nothing_left(mark: &Mark) {
    let mut left = Vec::new();
    for _ in 0..600 {
        left = leftovers(mark);
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("left of {}: {left:#?}", mark.name());
}

#[test]
fn a_run_that_ended_leaves_nothing() {
    let Some(_) = node::cluster() else { return };
    // A node that goes away would take the other tests' pods with it, so it is tried where there are none.
    let mut part = command("node::failures::away::a_node_that_goes_away_is_named_and_waited_for");
    let child = part.stdout(Stdio::piped()).spawn().unwrap();
    let mark = Mark::of(child.id()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    expect_nothing_left(&mark);
}

#[test]
fn a_run_that_was_killed_leaves_nothing_and_the_next_one_goes_well() {
    let Some(_) = node::cluster() else { return };
    let mut child = start();
    let mark = Mark::of(child.id()).unwrap();
    // In the middle: its engine answers, its cluster is being made.
    let config = mark.folder().join("kind.yaml");
    while !config.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(3));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    assert!(!child.wait().unwrap().success());
    expect_nothing_left(&mark);
    assert!(start().wait().unwrap().success());
}
