//! Saved plans with the real binary: `plan --out`, and `apply FILE` here, elsewhere, and after somebody changed something.

use std::io::Read as _;
use std::path::Path;

use super::*;
use crate::support::charts::{Chart, Repository};
use crate::support::schema::violations;

const PLAN: &str = "demo.plan";

/// The document inside a plan file.
fn document(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    text
}

fn edit(sandbox: &Sandbox, from: &str, to: &str) {
    let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
    assert!(flavour.contains(from), "{flavour}");
    sandbox.write(DEMO, &flavour.replace(from, to));
}

fn save(sandbox: &Sandbox) {
    succeeds(&sandbox.datamill(["plan", "-l", "-f", DEMO, "--out", PLAN]));
    is_as_published(sandbox, &sandbox.project().join(PLAN));
}

/// Expects that a plan file is as `datamill schema plan` says, and that the schema would notice if it were not.
fn is_as_published(sandbox: &Sandbox, file: &Path) -> serde_json::Value {
    let run = sandbox.datamill(["schema", "plan"]);
    succeeds(&run);
    let schema: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let written: serde_json::Value = serde_json::from_str(&document(file)).unwrap();
    assert_eq!(violations(&schema, &written), Vec::<String>::new());
    let steps = written["steps"].as_array().unwrap().len();
    assert!(steps > 0, "{written}");
    for place in [String::new(), "/request".to_owned(), format!("/steps/{}", steps - 1)] {
        let mut more = written.clone();
        more.pointer_mut(&place).unwrap()["surprise"] = true.into();
        assert_eq!(violations(&schema, &more), [format!("{place}/surprise: no such key")]);
    }
    for key in ["goal", "steps", "request", "expires"] {
        let mut less = written.clone();
        less.as_object_mut().unwrap().remove(key);
        assert!(!violations(&schema, &less).is_empty(), "{key}");
    }
    let mut other = written.clone();
    other["steps"][0]["reliesOn"] = "luck".into();
    assert!(!violations(&schema, &other).is_empty());
    written
}

#[test]
fn what_changed_since_the_plan_stops_alone_and_nothing_else_is_done() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = installed();
    edit(&sandbox, "Hello from the demo", "Good morning");
    edit(&sandbox, "My first platform", "My second platform");
    edit(&sandbox, "size: 2Gi", "size: 2Gi\n  max_memory: 96mb");
    save(&sandbox);
    let file = sandbox.project().join(PLAN);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // A file that changes makes the whole plan old; so does another target.
    edit(&sandbox, "Good morning", "Good evening");
    ends_with(&sandbox.datamill(["apply", PLAN]), 4, &["`flavours/demo.yaml` changed"]);
    edit(&sandbox, "Good evening", "Good morning");

    // The store is before what is changed by hand, the page behind it.
    sandbox.kubectl(["scale", "deploy", "demo-api", "-n", "data-mill", "--replicas=3"]);
    let run = sandbox.datamill(["apply", PLAN]);
    ends_with(
        &run,
        4,
        &[
            "demo-api/release/server",
            "Deployment data-mill/demo-api",
            "/spec/replicas",
            "update: needs demo-api/release/server, which is out of date",
            "part of the plan is out of date: 1 done, 2 not done",
            "not done either, since `demo-api/release/server` was not: `demo-ui/release/page`",
        ],
    );
    // One command goes on, whole, below the report and below the failure.
    let anew = "datamill plan -l -f flavours/demo.yaml --out demo.plan";
    assert!(run.stdout.contains(anew) && run.stderr.contains(anew), "{run:?}");
    assert!(!format!("{}{}", run.stdout, run.stderr).contains("datamill apply"), "{run:?}");
    let replicas = sandbox.kubectl([
        "get",
        "deploy",
        "demo-api",
        "-n",
        "data-mill",
        "-o",
        "jsonpath={.spec.replicas}",
    ]);
    assert_eq!(replicas, "3", "what changed since was left alone");
    let left = plan(&sandbox);
    let not_done = ["demo-api/release/server", "demo-ui/release/page"];
    assert_eq!(steps(&left, "update"), not_done, "the rest was done: {left}");

    // Put back as it was, the same plan does the rest, unasked; once more, and nothing is left.
    sandbox.kubectl(["scale", "deploy", "demo-api", "-n", "data-mill", "--replicas=1"]);
    succeeds(&sandbox.datamill(["apply", PLAN]));
    assert!(!plan(&sandbox)["hasChanges"].as_bool().unwrap());
    ends_with(&sandbox.datamill(["apply", PLAN]), 0, &["nothing to do"]);

    // The end can be planned, too; drift has a plan and an exit code of its own.
    ends_with(&sandbox.datamill(["plan", "-l", "-f", DEMO, "--refresh-only"]), 0, &["nothing"]);
    sandbox.kubectl(["scale", "deploy", "demo-ui", "-n", "data-mill", "--replicas=2"]);
    edit(&sandbox, "Good morning", "Good night");
    let run = sandbox.datamill(["plan", "-l", "-f", DEMO, "--refresh-only", "--output", "json"]);
    assert_eq!(run.code, Some(3), "{run:?}");
    let drift: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(steps(&drift, "repair"), ["demo-ui/release/page"], "{drift}");
    succeeds(&sandbox.datamill(["plan", "-l", "-f", DEMO, "--destroy", "--out", PLAN]));
    is_as_published(&sandbox, &file);
    succeeds(&sandbox.datamill(["apply", PLAN]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
    ends_with(&sandbox.datamill(["apply", PLAN]), 0, &["nothing to destroy"]);
}

const TEMPLATE: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData: {token: {{ .Values.token | quote }}}\n";

/// A project whose chart comes from a repository and holds a secret of the environment.
fn with_secret(repository: &Repository) -> Sandbox {
    let sandbox = Sandbox::with_tools();
    let component = format!(
        "schema: component/v1\nname: thing\ntitle: A thing\nlicense: Apache-2.0\nstatus: active\n\
         params:\n  token: {{type: string, secret: true, required: true}}\n\
         secrets:\n  - id: auth\n    name: thing-auth\n    keys: {{token: {{param: token}}}}\n\
         steps:\n  - id: chart\n    kind: helm\n    release: \"${{self.release}}\"\n    chart: {{repo: \"{}\", name: thing}}\n    version: 1.0.0\n    exposesSecret: the chart of this test wants it so\n\
         \x20   values: {{token: \"${{secret.auth.token.value}}\"}}\n",
        repository.url()
    );
    sandbox.write("components/thing/component.yaml", &component);
    sandbox.write(
        "flavours/one.yaml",
        "project: {name: saved, k8s_namespace: saved, flavour: thing}\nlocal: {provider: kwok}\nthing:\n  token: {env: TOKEN}\n",
    );
    sandbox
}

const CANARY: &str = "canary-hunter2-hunter2";

#[test]
fn a_plan_made_on_one_machine_is_applied_on_another_and_holds_no_secret() {
    let repository = Repository::start();
    repository.serve(&[Chart::new("thing", "1.0.0")
        .file("values.yaml", "token: none\n")
        .file("templates/secret.yaml", TEMPLATE)]);
    let flavour = "flavours/one.yaml";
    let mut here = with_secret(&repository);
    here.set("TOKEN", CANARY);
    let run = here.datamill(["plan", "-l", "-f", flavour, "--out", "x.plan"]);
    succeeds(&run);
    assert!(!here.project().join("datamill.lock").exists(), "a plan changes nothing");
    let file = here.project().join("x.plan");
    is_as_published(&here, &file);
    let text = document(&file);
    for secret in [CANARY.to_owned(), data_encoding::BASE64.encode(CANARY.as_bytes())] {
        assert!(!text.contains(&secret), "{text}");
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(&secret));
    }
    assert!(text.contains("thing@1.0.0") && text.contains("TOKEN"), "{text}");

    let mut there = here.elsewhere();
    there.set("TOKEN", "another-value-of-it");
    ends_with(&there.datamill(["apply", "x.plan"]), 4, &["`TOKEN` has another value"]);
    there.set("TOKEN", CANARY);
    succeeds(&there.datamill(["apply", "x.plan"]));
    let lock = std::fs::read_to_string(there.project().join("datamill.lock")).unwrap();
    assert!(lock.contains("thing@1.0.0") && lock.contains("version: 1.0.0"), "{lock}");
    let run = there.datamill(["plan", "-l", "-f", flavour, "--detailed-exitcode"]);
    ends_with(&run, 0, &["nothing to do"]);

    // A newer catalogue is a line of the plan; the pinned version stays until it is moved.
    repository.serve(&[
        Chart::new("thing", "1.0.0")
            .file("values.yaml", "token: none\n")
            .file("templates/secret.yaml", TEMPLATE),
        Chart::new("thing", "2.0.0")
            .file("values.yaml", "token: none\n")
            .file("templates/secret.yaml", TEMPLATE),
    ]);
    let component = there.project().join("components/thing/component.yaml");
    let newer = std::fs::read_to_string(&component).unwrap().replace("1.0.0", "2.0.0");
    std::fs::write(&component, newer).unwrap();
    let run = there.datamill(["plan", "-l", "-f", flavour, "--detailed-exitcode"]);
    ends_with(&run, 0, &["nothing to do"]);
    let folded = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(folded.contains("the catalogue has 2.0.0: datamill lock update thing"), "{folded}");
    let run = there.datamill(["lock", "update", "thing", "-f", flavour]);
    ends_with(&run, 0, &["1.0.0", "2.0.0", "jumps from 1.0.0 to 2.0.0"]);
    let run = there.datamill(["plan", "-l", "-f", flavour, "--detailed-exitcode"]);
    ends_with(&run, 2, &["thing/release/chart"]);
    succeeds(&there.datamill(["destroy", "-l", "-f", flavour]));
}

#[test]
fn a_plan_is_a_picture_and_a_comment() {
    let sandbox = with_demo();
    let run = sandbox.datamill(["plan", "-l", "-f", DEMO, "--output", "markdown"]);
    ends_with(&run, 0, &["### Plan for `demo`", "<details>", "demo-api/release/server"]);
    assert!(run.stdout.starts_with("### "), "{}", run.stdout);
    let run = sandbox.datamill(["plan", "-l", "-f", DEMO, "--output", "svg"]);
    ends_with(&run, 0, &["</svg>", "demo-store/release/server"]);
    assert!(run.stdout.starts_with("<svg "), "{}", run.stdout);
}

#[test]
fn what_a_stopped_cluster_left_undecided_is_changed_only_when_somebody_says_so() {
    let sandbox = installed();
    edit(&sandbox, "Hello from the demo", "Good morning");
    succeeds(&sandbox.datamill(["stop", "-l", "-f", DEMO]));
    save(&sandbox);
    let text = || {
        let env = "jsonpath={.spec.template.spec.containers[0].env[3].value}";
        sandbox.kubectl(["get", "deploy", "demo-api", "-n", "data-mill", "-o", env])
    };

    // Nobody can be asked here: the question names the flag that answers it, and nothing is changed.
    let asked = sandbox.datamill(["apply", PLAN, "--approve-deferred", "ask", "--yes"]);
    ends_with(&asked, 10, &["could not be decided before", "--approve-deferred any"]);
    // Without a word only what is not there yet would be made.
    let careful = sandbox.datamill(["apply", PLAN, "--yes"]);
    ends_with(&careful, 4, &["demo-api/release/server"]);
    assert_eq!(text(), "Hello from the demo");
    let whole = sandbox.datamill(["apply", PLAN, "--yes", "--approve-deferred", "any"]);
    ends_with(&whole, 0, &["1 updated"]);
    assert_eq!(text(), "Good morning");
    ends_with(&sandbox.datamill(["-l", "-i", "-f", DEMO]), 0, &["nothing to do"]);
}
