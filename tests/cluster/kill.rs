//! `kill -9` at any moment, then the same command: it takes over and converges.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::support::sandbox::finish;

/// Moments spread over an install, in milliseconds; other ones each day would make a failure hard to repeat.
const MOMENTS: [u64; 4] = [300, 2_500, 5_500, 7_500];

fn killed_after(sandbox: &Sandbox, moment: u64, signal: Signal) -> Run {
    let child = sandbox.start(["-l", "-i", "-f", DEMO]);
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
fn an_interrupted_install_ends_with_130_and_a_rerun_goes_on() {
    let sandbox = with_demo();
    let run = killed_after(&sandbox, 4_000, Signal::SIGTERM);
    ends_with(&run, 130, &["interrupted"]);
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
}
