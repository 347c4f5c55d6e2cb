//! Projects whose components stand in the test, and what a test does to their cluster by hand.

use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;

use super::*;
use crate::support::sandbox::BINARY;

/// The flavour that tests write.
pub(crate) const FLAVOUR: &str = "flavours/one.yaml";

/// Writes a component: its steps and whatever else stands below the head.
pub(crate) fn component(sandbox: &Sandbox, name: &str, rest: &str) {
    let head = format!(
        "schema: component/v1\nname: {name}\ntitle: {name}\nlicense: Apache-2.0\nstatus: active\n"
    );
    sandbox.write(&format!("components/{name}/component.yaml"), &format!("{head}{rest}"));
}

/// Writes a chart into the folder of a component.
pub(crate) fn chart(sandbox: &Sandbox, component: &str, values: &str, templates: &[&str]) {
    let folder = format!("components/{component}/chart");
    let about = format!("apiVersion: v2\nname: {component}\nversion: 1.0.0\n");
    sandbox.write(&format!("{folder}/Chart.yaml"), &about);
    sandbox.write(&format!("{folder}/values.yaml"), values);
    for (number, text) in templates.iter().enumerate() {
        sandbox.write(&format!("{folder}/templates/{number}.yaml"), text);
    }
}

/// The step that installs the chart of a component.
pub(crate) fn helm_step(values: &str) -> String {
    format!(
        "steps:\n  - id: chart\n    kind: helm\n    release: \"${{self.release}}\"\n    chart: {{path: chart}}\n    values: {values}\n"
    )
}

/// Writes the flavour of a project called `kit`, in the namespace of that name.
pub(crate) fn flavour(sandbox: &Sandbox, names: &str, rest: &str) {
    let text = format!(
        "project: {{name: kit, k8s_namespace: kit, flavour: '{names}'}}\nlocal: {{provider: kwok}}\n{rest}"
    );
    sandbox.write(FLAVOUR, &text);
}

/// A command on the local target of the flavour.
pub(crate) fn on(sandbox: &Sandbox, words: &[&str]) -> Run {
    sandbox.datamill(words.iter().copied().chain(["-l", "-f", FLAVOUR]))
}

/// Takes all away, and expects that nothing is left.
pub(crate) fn destroy(sandbox: &Sandbox) {
    succeeds(&on(sandbox, &["destroy"]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

/// Tries until something is so, for at most a minute.
pub(crate) fn eventually(what: &str, so: impl FnMut() -> bool) {
    within(Duration::from_mins(1), what, so);
}

/// Waits until something is so, and fails the test when it takes longer than that.
pub(crate) fn within(most: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < most, "not within {} s: {what}", most.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Objects of a kind in a namespace.
pub(crate) fn list(sandbox: &Sandbox, kind: &str, namespace: &str) -> Vec<Json> {
    let text = sandbox.kubectl(["get", kind, "-n", namespace, "-o", "json"]);
    let json: Json = serde_json::from_str(&text).unwrap();
    json["items"].as_array().unwrap().clone()
}

/// The pod whose name begins so, once it is there.
pub(crate) fn pod(sandbox: &Sandbox, namespace: &str, beginning: &str) -> String {
    let mut found = None;
    eventually(&format!("a pod {beginning}"), || {
        let pods = list(sandbox, "pods", namespace);
        let mut names = pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap());
        found = names.find(|name| name.starts_with(beginning)).map(str::to_owned);
        found.is_some()
    });
    found.unwrap()
}

/// Plays the node of a pod that fits on none.
pub(crate) fn set_phase(sandbox: &Sandbox, namespace: &str, pod: &str, phase: &str) {
    let ready = if phase == "Running" { "True" } else { "False" };
    let status = format!(
        r#"{{"status":{{"phase":"{phase}","conditions":[{{"type":"Ready","status":"{ready}"}}]}}}}"#
    );
    let words = ["patch", "pod", pod, "-n", namespace, "--subresource=status", "--type=merge"];
    sandbox.kubectl(words.into_iter().chain(["-p", &status]));
}

/// A process of the sandbox whose command line holds all words.
pub(crate) fn process(sandbox: &Sandbox, words: &[&str]) -> Option<Pid> {
    let all = sandbox.processes();
    let found = all.iter().find(|line| words.iter().all(|word| line.contains(word)))?;
    Some(Pid::from_raw(found.split(' ').next().unwrap().parse().unwrap()))
}

/// The helm that writes a release, once it runs.
pub(crate) fn running_helm(sandbox: &Sandbox, verb: &str) -> Pid {
    let mut found = None;
    eventually("helm runs", || {
        found = process(sandbox, &["helm ", &format!(" {verb} ")])
            .or_else(|| process(sandbox, &["/helm", &format!(" {verb} ")]));
        found.is_some()
    });
    found.unwrap()
}

/// Whether a process is there and no zombie.
pub(crate) fn lives(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

/// Sends a signal to a started command.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// A Job as a chart's template; its pod fits nowhere, so that the test says when it ends.
pub(crate) fn stuck_job(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations: {{{annotations}}}\nspec:\n  backoffLimit: 0\n  template:\n    spec:\n      restartPolicy: Never\n      containers: [{{name: work, image: work, resources: {{requests: {{cpu: \"1000\"}}}}}}]\n"
    )
}

/// A Job whose pod runs and ends by itself.
pub(crate) fn quick_job(name: &str, annotations: &str) -> String {
    stuck_job(name, annotations).replace("\"1000\"", "10m")
}

/// A `ConfigMap` named like the release, which holds `.Values.text`.
pub(crate) const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {text: {{ .Values.text | quote }}}\n";

/// A kwok cluster with a node that nobody simulates: to a second project it is an existing cluster, and not a simulated one.
pub(crate) fn host(sandbox: &Sandbox) -> String {
    sandbox.copy("components");
    let host = "project: {name: host, k8s_namespace: host, flavour: demo-store}\nlocal: {provider: kwok}\n";
    sandbox.write("host/flavours/host.yaml", host);
    succeeds(&sandbox.datamill(["-l", "-s", "-f", "host/flavours/host.yaml"]));
    let node = sandbox.write(
        "node.json",
        r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"metal"},"spec":{"unschedulable":true}}"#,
    );
    sandbox.kubectl(["apply", "-f", node.to_str().unwrap()]);
    sandbox.context()
}

/// Ends the host.
pub(crate) fn end_host(sandbox: &Sandbox) {
    let all = ["destroy", "-l", "--all-flavours", "-f", "host/flavours/host.yaml"];
    succeeds(&sandbox.datamill(all));
}

/// Starts datamill on a pseudo-terminal of its own; what is written to its input is typed there.
#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
pub(crate) fn at_a_terminal(sandbox: &Sandbox, words: &[&str]) -> Option<Child> {
    if cfg!(not(target_os = "linux")) || which::which("script").is_err() {
        eprintln!("skipped: it takes script(1) of util-linux to make a terminal");
        return None;
    }
    let line = format!("'{BINARY}' {}", words.join(" "));
    let log = sandbox.project().join("typescript");
    let mut command = sandbox.command("script");
    command.args(["--quiet", "--return", "--flush", "--command", &line]).arg(log);
    command.env("TERM", "xterm").stdin(Stdio::piped());
    Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Answers each question of a run at a terminal, and gives all that it printed.
pub(crate) fn answered(mut run: Child, answer: impl Fn(&str) -> &'static str) -> (String, bool) {
    let (mut input, mut output) = (run.stdin.take().unwrap(), run.stdout.take().unwrap());
    let mut printed = Vec::new();
    let mut seen = 0;
    let mut byte = [0];
    while output.read(&mut byte).unwrap() == 1 {
        printed.push(byte[0]);
        if printed.ends_with(b"] ") {
            let since = String::from_utf8_lossy(&printed[seen..]).into_owned();
            if since.contains("[y/N") {
                let question = since.lines().last().unwrap_or_default();
                input.write_all(answer(question).as_bytes()).unwrap();
                input.write_all(b"\n").unwrap();
                seen = printed.len();
            }
        }
    }
    let well = run.wait().unwrap().success();
    (String::from_utf8_lossy(&printed).into_owned(), well)
}
