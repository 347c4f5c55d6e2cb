//! Waiting: what is not ready ends with its causes, CRDs come before what they define, what nobody can tell is assumed.

use super::*;

const FLAVOUR: &str = "flavours/one.yaml";

/// A project with one component, `thing`.
fn project(steps: &str, section: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools();
    let component = format!(
        "schema: component/v1\nname: thing\ntitle: A thing\nlicense: Apache-2.0\nstatus: active\nsteps:\n{steps}"
    );
    sandbox.write("components/thing/component.yaml", &component);
    let flavour = format!(
        "project: {{name: ready, k8s_namespace: ready, flavour: thing}}\nlocal: {{provider: kwok}}\n{section}"
    );
    sandbox.write(FLAVOUR, &flavour);
    sandbox
}

fn install(sandbox: &Sandbox) -> Run {
    sandbox.datamill(["-l", "-i", "-f", FLAVOUR])
}

fn destroy(sandbox: &Sandbox) {
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", FLAVOUR]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn a_pod_that_fits_nowhere_ends_with_its_causes() {
    let steps = r#"
  - id: big
    kind: objects
    objects:
      - apiVersion: apps/v1
        kind: Deployment
        metadata: {name: big}
        spec:
          selector: {matchLabels: {app: big}}
          template:
            metadata: {labels: {app: big}}
            spec: {containers: [{name: big, image: big, resources: {requests: {cpu: "1000"}}}]}
"#;
    let sandbox = project(steps, "thing: {setup_timeout: 6}\n");
    // Preflight sees it coming; what waiting says is told to those who leave that out.
    ends_with(&install(&sandbox), 8, &["Deployment", "big", "cpu"]);
    let run = sandbox.datamill(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    ends_with(&run, 7, &["Deployment", "big", "cpu"]);
    // The rerun with a smaller wish converges.
    sandbox.write(
        "components/thing/component.yaml",
        &std::fs::read_to_string(sandbox.project().join("components/thing/component.yaml"))
            .unwrap()
            .replace("\"1000\"", "\"1\""),
    );
    succeeds(&install(&sandbox));
    ends_with(&install(&sandbox), 0, &["nothing to do"]);
    destroy(&sandbox);
}

const CRD: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {size: {type: integer}}}
            status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

#[test]
fn definitions_come_first_are_upgraded_and_stay() {
    let steps = r#"
  - id: definitions
    kind: crds
    from: {files: [crd.yaml]}
  - id: widget
    kind: objects
    objects:
      - {apiVersion: example.org/v1, kind: Widget, metadata: {name: one}, spec: {size: 1}}
    wait:
      - condition: {ref: example.org/v1/Widget/one, type: Ready, status: "True"}
"#;
    let sandbox = project(steps, "");
    let definition = sandbox.write("components/thing/crd.yaml", CRD);
    let first = install(&sandbox);
    ends_with(&first, 0, &["Widget", "ssumed"]);
    // What is defined a moment ago is served by the time that it is used.
    assert!(!first.stderr.contains("tries again"), "{}", first.stderr);
    assert_eq!(
        sandbox.kubectl(["get", "widgets", "-n", "ready", "-o", "jsonpath={.items[*].spec.size}"]),
        "1"
    );
    ends_with(&install(&sandbox), 0, &["nothing to do"]);

    // A newer definition and an object that needs it, in one run.
    std::fs::write(
        &definition,
        CRD.replace("{size: {type: integer}}", "{size: {type: integer}, colour: {type: string}}"),
    )
    .unwrap();
    let component = sandbox.project().join("components/thing/component.yaml");
    let text =
        std::fs::read_to_string(&component).unwrap().replace("{size: 1}", "{size: 1, colour: red}");
    std::fs::write(&component, text).unwrap();
    succeeds(&install(&sandbox));
    assert_eq!(
        sandbox.kubectl([
            "get",
            "widgets",
            "-n",
            "ready",
            "-o",
            "jsonpath={.items[*].spec.colour}"
        ]),
        "red"
    );
    ends_with(&install(&sandbox), 0, &["nothing to do"]);

    succeeds(&sandbox.datamill(["-l", "-u", "-f", FLAVOUR, "--yes"]));
    sandbox.kubectl(["get", "crd", "widgets.example.org"]);
    assert_eq!(sandbox.kubectl(["get", "widgets", "-A", "-o", "name"]), "");
    destroy(&sandbox);
}

#[test]
fn destroy_works_without_readable_files() {
    let sandbox = installed();
    sandbox.write(DEMO, "project: [\n");
    ends_with(&sandbox.datamill(["-l", "-x", "-f", DEMO]), 10, &["demo.yaml"]);
    let by_name = ["destroy", "-l", "--project", "demo", "--flavour-name", "demo"];
    ends_with(&sandbox.datamill(by_name), 0, &["demo-store/claim/data"]);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}
