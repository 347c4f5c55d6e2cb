//! Real input: the workshop's own files on the components made for them, and outputs that are fields of live objects.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::*;
use crate::support::sandbox::finish;

const SEED: &str = "flavours/seed.yaml";

/// The workshop's flavour and values file as they stand.
fn seed() -> Sandbox {
    let sandbox = Sandbox::with_tools();
    for name in ["seed.yaml", "my-values.yaml"] {
        let text = std::fs::read_to_string(repository().join("tests/fixtures/seed").join(name));
        sandbox.write(&format!("flavours/{name}"), &text.unwrap());
    }
    sandbox
}

fn run(sandbox: &Sandbox, words: &[&str]) -> Run {
    sandbox.datamill(words.iter().copied().chain(["-l", "-f", SEED]))
}

/// Changes words of a file of the project.
fn edit(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(sandbox.project().join(file)).unwrap();
    assert!(text.contains(from), "{from} is not in {file}");
    sandbox.write(file, &text.replace(from, to));
}

fn json(sandbox: &Sandbox, what: &[&str]) -> Json {
    let words = ["get"].into_iter().chain(what.iter().copied()).chain(["-o", "json"]);
    serde_json::from_str(&sandbox.kubectl(words)).unwrap()
}

/// Tries until something is so, for at most a minute.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_mins(1), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn jobs(sandbox: &Sandbox) -> Vec<Json> {
    json(sandbox, &["jobs", "-n", "default"])["items"].as_array().unwrap().clone()
}

fn said(run: &Run) -> String {
    format!("{}\n{}", run.stdout, run.stderr)
}

#[test]
fn the_seeds_values_file_works_as_it_stands() {
    let sandbox = seed();
    let planned = run(&sandbox, &["plan"]);
    succeeds(&planned);
    assert!(!said(&planned).contains("does not know"), "{}", said(&planned));
    // A login in plain text is a warning that names key and place, and is shown nowhere.
    ends_with(&planned, 0, &["dataLoader.settings.imagenetApiKey", "my-values.yaml"]);
    let first = run(&sandbox, &["-i"]);
    succeeds(&first);

    volume_and_claim_name_each_other(&sandbox);
    the_login_is_in_a_secret_alone(&sandbox, &[&planned, &first]);
    let all = jobs(&sandbox);
    assert_eq!(all.len(), 1);
    let job = all[0].clone();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["args"], serde_json::json!(["/download.sh"]));
    assert_eq!(container["image"], "<username>/<name>:<version>");
    ends_with(&run(&sandbox, &["-i"]), 0, &["nothing to do"]);

    an_upgrade_runs_no_job_again(&sandbox, &job);
    a_finished_job_that_is_missing_is_a_line_of_its_own(&sandbox);

    let removed = run(&sandbox, &["-u", "--yes"]);
    let kept = ["efs/claim/tensorflow-fs", "it holds data"];
    ends_with(&removed, 0, &kept);
    assert!(!said(&removed).contains("DATA IS LOST"), "{}", said(&removed));
    volume_and_claim_name_each_other(&sandbox);
    assert!(jobs(&sandbox).is_empty());
    // What was kept is taken in again.
    succeeds(&run(&sandbox, &["-i"]));
    succeeds(&run(&sandbox, &["destroy"]));
}

fn volume_and_claim_name_each_other(sandbox: &Sandbox) {
    let claim = json(sandbox, &["pvc", "tensorflow-fs", "-n", "default"]);
    assert_eq!(claim["status"]["phase"], "Bound");
    assert_eq!(claim["spec"]["volumeName"], "tensorflow-fs");
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "750Gi");
    let volume = json(sandbox, &["pv", "tensorflow-fs"]);
    assert_eq!(volume["status"]["phase"], "Bound");
    assert_eq!(volume["spec"]["claimRef"]["uid"], claim["metadata"]["uid"]);
    // The seed names an EFS file system.
    assert_eq!(volume["spec"]["nfs"]["server"], "<yourETSID>.efs.us-east-1.amazonaws.com");
}

fn the_login_is_in_a_secret_alone(sandbox: &Sandbox, runs: &[&Run]) {
    for release in ["efs", "dataloader"] {
        let stored = sandbox.helm(["get", "all", release, "-n", "default"]);
        let values = sandbox.helm(["get", "values", release, "-n", "default"]);
        for key in ["imagenetUsername", "imagenetApiKey"] {
            assert!(!values.contains(key), "{values}");
        }
        for value in ["\"foo\"", ": foo", ": bar", "Zm9v", "YmFy"] {
            assert!(!stored.contains(value), "{release} shows `{value}`:\n{stored}");
        }
    }
    for value in [" foo", " bar\n", "Zm9v", "YmFy"] {
        for run in runs {
            assert!(!said(run).contains(value), "`{value}` is shown:\n{}", said(run));
        }
    }
    let secret = json(sandbox, &["secret", "dataloader-login", "-n", "default"]);
    assert_eq!(secret["data"], serde_json::json!({"username": "Zm9v", "accessKey": "YmFy"}));
}

fn an_upgrade_runs_no_job_again(sandbox: &Sandbox, before: &Json) {
    const VALUES: &str = "flavours/my-values.yaml";
    let count = || sandbox.helm(["history", "dataloader", "-n", "default"]).lines().count();
    let revisions = count();
    // A key that no template of the dataloader reads: a new revision, the same Job.
    edit(sandbox, VALUES, "capacity: \"900Gi\"", "capacity: \"901Gi\"");
    succeeds(&run(sandbox, &["-i"]));
    assert_eq!(count(), revisions + 1);
    let all = jobs(sandbox);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["metadata"]["uid"], before["metadata"]["uid"]);
    // Another dataset is another Job.
    edit(sandbox, VALUES, "dataset: flowers", "dataset: imagenet");
    succeeds(&run(sandbox, &["-i"]));
    let all = jobs(sandbox);
    assert_eq!(all.len(), 1);
    assert_ne!(all[0]["metadata"]["name"], before["metadata"]["name"]);
    // A command as a list is the same command.
    edit(sandbox, VALUES, "'[ \"/download.sh\" ]'", "[/download.sh]");
    succeeds(&run(sandbox, &["-i"]));
    assert_eq!(jobs(sandbox)[0]["metadata"]["uid"], all[0]["metadata"]["uid"]);
}

fn a_finished_job_that_is_missing_is_a_line_of_its_own(sandbox: &Sandbox) {
    let name = jobs(sandbox)[0]["metadata"]["name"].as_str().unwrap().to_owned();
    sandbox.kubectl(["delete", "job", &name, "-n", "default"]);
    let line = format!("Job default/{name} is missing: it runs again");
    ends_with(&run(sandbox, &["plan"]), 0, &[&line]);
    assert!(jobs(sandbox).is_empty());
    ends_with(&run(sandbox, &["-i"]), 0, &[&line]);
    assert_eq!(jobs(sandbox).len(), 1);
}

#[test]
fn a_typo_in_a_shared_file_is_a_finding_and_with_strict_an_error() {
    let sandbox = seed();
    edit(
        &sandbox,
        "flavours/my-values.yaml",
        "storage:\n",
        "storrage: {}\ntensorbord: {}\nstorage:\n",
    );
    let planned = run(&sandbox, &["plan"]);
    ends_with(&planned, 0, &["`storrage`", "`tensorbord`", "did you mean `storage`"]);
    assert!(!said(&planned).contains("`dataLoader`"), "{}", said(&planned));
    let strict = run(&sandbox, &["plan", "--strict"]);
    let names = ["efs/release/volume", "dataloader/release/job", "`storrage`", "`tensorbord`"];
    ends_with(&strict, 10, &names);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn each_backend_is_a_volume_of_its_own_kind() {
    let render = |values: &str| -> String {
        let sandbox = Sandbox::with_tools();
        sandbox.copy("components");
        let values = sandbox.write("values.yaml", values);
        let run = sandbox.run(
            "helm",
            ["template", "efs", "components/efs/chart", "-n", "n", "-f", values.to_str().unwrap()],
        );
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stdout
    };
    let cases = [
        (
            "global: {services: {aws: {efs: {id: fs-1}}}}",
            "server: \"fs-1.efs.us-east-1.amazonaws.com\"",
        ),
        ("storage: {nfs: {server: nfs.example.org, path: /data}}", "server: \"nfs.example.org\""),
        ("storage: {hostPath: {path: /srv/data}}", "path: \"/srv/data\""),
    ];
    for (values, wanted) in cases {
        let rendered = render(values);
        for word in [wanted, "claimRef:", "volumeName: \"tensorflow-fs\"", "storageClassName: \"\""]
        {
            assert!(rendered.contains(word), "`{word}` is not in:\n{rendered}");
        }
    }
}

/// Ends and goes on with the program that plays the nodes, so that a test can play them itself.
fn signal_nodes(sandbox: &Sandbox, signal: nix::sys::signal::Signal) {
    let mut seen = 0;
    for process in sandbox.processes() {
        let (pid, line) = process.split_once(' ').unwrap();
        if line.split(' ').next().unwrap().ends_with("kwok-controller") {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), signal)
                .unwrap();
            seen += 1;
        }
    }
    assert_eq!(seen, 1, "{:?}", sandbox.processes());
}

#[test]
fn an_apply_ends_while_the_job_runs() {
    use nix::sys::signal::Signal;
    let sandbox = seed();
    succeeds(&run(&sandbox, &["-s"]));
    signal_nodes(&sandbox, Signal::SIGSTOP);
    let started = sandbox.start(["-l", "-i", "-f", SEED]);
    let mut pod = None;
    eventually("the pod of the job is placed", || {
        let all = sandbox.kubectl(["get", "pods", "-n", "default", "-o", "json"]);
        let all: Json = serde_json::from_str(&all).unwrap();
        let placed = |pod: &&Json| pod["spec"]["nodeName"].is_string();
        pod = all["items"].as_array().unwrap().iter().find(placed).cloned();
        pod.is_some()
    });
    let name = pod.unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let status =
        r#"{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}"#;
    sandbox.kubectl([
        "patch",
        "pod",
        &name,
        "-n",
        "default",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ]);
    let first = finish(started);
    succeeds(&first);
    let job = jobs(&sandbox)[0].clone();
    assert_eq!(job["status"]["active"], 1, "{job}");
    // It is listed as running, and is no change.
    ends_with(&run(&sandbox, &["status"]), 0, &["running", "dataloader"]);
    ends_with(&run(&sandbox, &["-i"]), 0, &["nothing to do"]);
    signal_nodes(&sandbox, Signal::SIGCONT);
    eventually("the job completes", || jobs(&sandbox)[0]["status"]["succeeded"] == 1);
    assert_eq!(jobs(&sandbox)[0]["metadata"]["uid"], job["metadata"]["uid"]);
    ends_with(&run(&sandbox, &["-i"]), 0, &["nothing to do"]);
    succeeds(&run(&sandbox, &["destroy"]));
}

#[test]
fn on_an_existing_cluster_volumes_stay_until_they_are_named() {
    let sandbox = with_demo();
    let host = "project: {name: host, k8s_namespace: host, flavour: demo-store}\nlocal: {provider: kwok}\n";
    sandbox.write("host/flavours/host.yaml", host);
    succeeds(&sandbox.datamill(["-l", "-s", "-f", "host/flavours/host.yaml"]));
    let context = sandbox.context();
    let target = ["-k", "--context", &context, "-f", "flavours/inception-ingest.yaml"];
    let on = |first: &[&'static str]| sandbox.datamill(first.iter().copied().chain(target));
    succeeds(&on(&["-i"]));
    let volumes = || sandbox.kubectl(["get", "pvc,pv", "-n", "data-mill", "-o", "name"]);
    let before = volumes();
    assert_eq!(before.lines().count(), 2, "{before}");
    succeeds(&on(&["-x", "--yes", "--confirm-project", "inception"]));
    assert_eq!(volumes(), before);
    let all = ["-x", "--yes", "--include-data", "--confirm-project", "inception"];
    ends_with(&on(&all), 0, &["DATA IS LOST"]);
    eventually("the volumes are gone", || volumes().is_empty());
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", "host/flavours/host.yaml"]));
}

#[test]
fn the_ingest_flavour_installs_with_tensorboard() {
    let sandbox = with_demo();
    let ingest = ["-l", "-f", "flavours/inception-ingest.yaml"];
    let run = |words: &[&'static str]| sandbox.datamill(words.iter().copied().chain(ingest));
    let first = run(&["-i"]);
    succeeds(&first);
    assert!(!said(&first).contains("does not know"), "{}", said(&first));
    ends_with(&run(&["-i"]), 0, &["nothing to do"]);
    ends_with(&run(&["status"]), 0, &["tensorboard", "ready"]);
    succeeds(&run(&["destroy"]));
}

const GIVER: &str = r#"schema: component/v1
name: giver
title: Gives a field
license: Apache-2.0
status: active
params:
  word: {type: string, default: hello}
steps:
  - id: map
    kind: helm
    release: "${self.release}"
    chart: {path: chart}
    values: {word: "${param.word}"}
outputs:
  word: {field: {ref: "v1/ConfigMap/${self.release}", path: data.word}}
  late: {field: {ref: "v1/ConfigMap/${self.release}", path: data.late}}
"#;

const TAKER: &str = r#"schema: component/v1
name: taker
title: Takes a field
license: Apache-2.0
status: active
uses:
  - {as: giver, component: giver}
steps:
  - id: map
    kind: helm
    release: "${self.release}"
    chart: {path: chart}
    values: {word: "${use.giver.word}", late: "${use.giver.late}"}
"#;

#[test]
fn a_field_of_a_live_object_is_read_when_it_is_there() {
    let sandbox = Sandbox::with_tools();
    for (name, text) in [("giver", GIVER), ("taker", TAKER)] {
        sandbox.write(&format!("components/{name}/component.yaml"), text);
        let chart = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        sandbox.write(&format!("components/{name}/chart/Chart.yaml"), &chart);
        sandbox.write(&format!("components/{name}/chart/values.yaml"), "word: none\nlate: none\n");
        let late = if name == "taker" { ", late: {{ .Values.late | quote }}" } else { "" };
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}}}\ndata: {{word: {{{{ .Values.word | quote }}}}{late}}}\n"
        );
        sandbox.write(&format!("components/{name}/chart/templates/map.yaml"), &map);
    }
    let flavour = "project: {name: fields, k8s_namespace: fields, flavour: 'giver taker'}\nlocal: {provider: kwok}\n";
    sandbox.write(SEED, flavour);
    ends_with(&run(&sandbox, &["plan"]), 0, &["known after giver/health/installed"]);
    // What nothing sets where no container runs is a placeholder, and listed as assumed.
    ends_with(&run(&sandbox, &["-i"]), 0, &["/data/late", "placeholder"]);
    let taken = || json(&sandbox, &["configmap", "taker", "-n", "fields"])["data"].clone();
    assert_eq!(taken(), serde_json::json!({"word": "hello", "late": "assumed-by-datamill"}));
    ends_with(&run(&sandbox, &["-i"]), 0, &["nothing to do"]);
    // Once it is set, the one who uses it follows.
    let patch = r#"{"data":{"late":"now"}}"#;
    sandbox.kubectl(["patch", "configmap", "giver", "-n", "fields", "--type=merge", "-p", patch]);
    succeeds(&run(&sandbox, &["-i"]));
    assert_eq!(taken(), serde_json::json!({"word": "hello", "late": "now"}));
    ends_with(&run(&sandbox, &["-i"]), 0, &["nothing to do"]);
    succeeds(&run(&sandbox, &["destroy"]));
}
