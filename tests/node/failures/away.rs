//! A node that stops answering while something is installed on it.

use std::process::Stdio;

use super::*;
use crate::cluster::kit::within;
use crate::support::sandbox::{BINARY, finish};

#[test]
#[ignore = "a part of `residue::runs_that_were_killed_leave_nothing_and_the_next_one_goes_well`, which starts it on a cluster of its own"]
fn a_node_that_goes_away_is_named_and_waited_for() {
    let case =
        Case::open("away", &["late"]).expect("the process that started this one has a cluster");
    let late = answer("{name: READY_AFTER, value: 60s}");
    // Much longer than the 50 s that the control plane waits before it believes that a node is gone.
    case.chart("late", Duration::from_mins(2), &[&deployment(&late, "")]);
    let mut command = case.sandbox.command(BINARY);
    command.args(["-k", "-i", "-f", FLAVOUR]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = command.spawn().unwrap();
    let phase = ["get", "pods", "-n", "away", "-o", "jsonpath={.items[*].status.phase}"];
    within(Duration::from_mins(5), "the pod runs", || case.cluster.kubectl(&phase) == "Running");
    case.cluster.on_node(&["systemctl", "stop", "kubelet"]).unwrap();
    let run = finish(run);
    case.cluster.on_node(&["systemctl", "start", "kubelet"]).unwrap();
    ends_with(&run, 7, &[]);
    let node = case.cluster.node();
    let words = [
        "its node is not ready",
        &format!("Node {node}: not ready since"),
        "Kubelet stopped posting node status",
        &format!("kubectl describe node {node}"),
    ];
    says(&run, "late/release/chart", &words);
    // It is back: the same command goes on.
    case.converges();
}
