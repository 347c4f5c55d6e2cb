//! The binary against kwok: a real API server, real Helm, own charts.

mod canaries;
mod catalogue;
mod causes;
mod claims;
mod credentials;
mod deferred;
mod drift;
mod elsewhere;
mod endurance;
mod faults;
mod flavours;
mod hooks;
mod hybrid;
mod interrupts;
mod jobs;
mod kill;
pub(crate) mod kit;
mod lock;
mod looks;
mod machines;
mod main_job;
mod moved;
mod origin;
mod outages;
mod ownership;
mod preflight;
mod protection;
mod readiness;
mod removal;
mod residue;
mod saved;
mod seeds;
mod sources;
mod stale;
mod targets;
mod traps;
mod webhooks;

use crate::support::sandbox::{Run, Sandbox, repository};

/// The newcomer's flavour.
pub(crate) const DEMO: &str = "flavours/demo.yaml";

/// A sandbox with a copy of what the repository ships.
pub(crate) fn with_demo() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    for folder in ["flavours", "components", "k8s"] {
        sandbox.copy(folder);
    }
    sandbox
}

/// A sandbox in which the demo is installed.
pub(crate) fn installed() -> Sandbox {
    let sandbox = with_demo();
    succeeds(&sandbox.datamill(["-l", "-i", "-f", DEMO]));
    sandbox
}

/// Expects exit 0.
pub(crate) fn succeeds(run: &Run) {
    assert_eq!(run.code, Some(0), "{}\n{}", run.stdout, run.stderr);
}

/// Expects an exit code and words on either stream, wherever lines are broken.
pub(crate) fn ends_with(run: &Run, code: i32, words: &[&str]) {
    let all = format!("{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.code, Some(code), "{all}");
    let flowing = all.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(all.contains(word) || flowing.contains(word), "`{word}` is not in:\n{all}");
    }
}

/// The plan as JSON.
pub(crate) fn plan(sandbox: &Sandbox) -> serde_json::Value {
    let run = sandbox.datamill(["plan", "-l", "-f", DEMO, "--output", "json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// The ids of a plan's steps with an action.
pub(crate) fn steps(plan: &serde_json::Value, action: &str) -> Vec<String> {
    plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| step["action"] == action)
        .map(|step| step["id"].as_str().unwrap().to_owned())
        .collect()
}
