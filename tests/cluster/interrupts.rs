//! Ctrl-C at a real terminal: once, what runs comes to its end; twice, all stops at once.

use std::io::Write as _;
use std::process::Child;
use std::time::Duration;

use super::kit::*;
use super::*;
use crate::support::sandbox::finish;

const INSTALL: [&str; 6] = ["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"];

/// `thing` has a hook that ends when the test says so, and `later` needs `thing`.
fn project() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    let hook = stuck_job("gate", "helm.sh/hook: post-install");
    chart(&sandbox, "thing", "text: hello\n", &[MAP, &hook]);
    let uses = "uses:\n  - {as: thing, component: thing}\n";
    component(&sandbox, "later", &format!("{uses}{}", helm_step("{}")));
    chart(&sandbox, "later", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing later", "");
    succeeds(&on(&sandbox, &["-s"]));
    sandbox
}

fn ctrl_c(child: &mut Child) {
    child.stdin.as_mut().unwrap().write_all(&[3]).unwrap();
}

#[test]
fn once_lets_helm_come_to_its_end() {
    let sandbox = project();
    let Some(mut run) = at_a_terminal(&sandbox, &INSTALL) else { return };
    let helm = running_helm(&sandbox, "upgrade");
    let gate = pod(&sandbox, "kit", "gate");
    ctrl_c(&mut run);
    std::thread::sleep(Duration::from_secs(3));
    assert!(lives(helm), "the first does not reach helm");
    assert!(run.try_wait().unwrap().is_none(), "what runs comes to its end");
    set_phase(&sandbox, "kit", &gate, "Succeeded");
    let run = finish(run);
    ends_with(&run, 130, &["interrupted", "later/release/chart"]);
    let releases = sandbox.helm(["ls", "-A", "-o", "json"]);
    assert!(releases.contains("deployed") && !releases.contains("later"), "{releases}");
    succeeds(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]));
    ends_with(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}

#[test]
fn twice_stops_at_once_and_a_rerun_goes_on() {
    let sandbox = project();
    let Some(mut run) = at_a_terminal(&sandbox, &INSTALL) else { return };
    let helm = running_helm(&sandbox, "upgrade");
    let gate = pod(&sandbox, "kit", "gate");
    ctrl_c(&mut run);
    std::thread::sleep(Duration::from_millis(500));
    ctrl_c(&mut run);
    eventually("the run ends", || run.try_wait().unwrap().is_some());
    ends_with(&finish(run), 130, &["interrupted"]);
    assert!(!lives(helm));
    // The hook that was left is made anew by the next run, and ends this time.
    sandbox.kubectl(["delete", "job", "gate", "-n", "kit", "--wait=true"]);
    let hook = quick_job("gate", "helm.sh/hook: \"post-install,post-upgrade\"");
    chart(&sandbox, "thing", "text: hello\n", &[MAP, &hook]);
    succeeds(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]));
    assert_ne!(pod(&sandbox, "kit", "gate"), gate);
    ends_with(&on(&sandbox, &["-i", "--skip-preflight", "capacity"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}
