//! Preflight: what would make a run fail is found before anything is written, and says what to do.

use super::*;

const FLAVOUR: &str = "flavours/one.yaml";

/// A project with one component, `thing`, in namespace `team`.
fn project(steps: &str, local: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, steps);
    let flavour = format!(
        "project: {{name: pre, k8s_namespace: team, flavour: thing}}\nlocal: {{provider: kwok{local}}}\n"
    );
    sandbox.write(FLAVOUR, &flavour);
    sandbox
}

fn component(sandbox: &Sandbox, steps: &str) {
    let component = format!(
        "schema: component/v1\nname: thing\ntitle: A thing\nlicense: Apache-2.0\nstatus: active\nsteps:\n  - id: all\n    kind: objects\n    objects:\n{steps}"
    );
    sandbox.write("components/thing/component.yaml", &component);
}

fn on(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.datamill(args.iter().copied().chain(["-l", "-f", FLAVOUR]))
}

/// A Deployment whose pods ask for something.
fn deployment(name: &str, replicas: u8, requests: &str) -> String {
    format!(
        "      - apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: {name}}}
        spec:
          replicas: {replicas}
          selector: {{matchLabels: {{app: {name}}}}}
          template:
            metadata: {{labels: {{app: {name}}}}}
            spec: {{containers: [{{name: main, image: x, resources: {{requests: {requests}}}}}]}}
"
    )
}

const CONFIG: &str =
    "      - {apiVersion: v1, kind: ConfigMap, metadata: {name: thing}, data: {a: b}}\n";

#[test]
fn a_pod_that_no_node_can_take_is_found_before_there_is_a_cluster() {
    let small = ", nodes: [{name: a, cpus: 4, memory: 12288, count: 2}]";
    let sandbox = project(&deployment("big", 1, "{cpu: 1, memory: 14Gi}"), small);
    let words = ["1 pod fits on no node", "Deployment team/big", "14 GiB", "12 GiB free"];
    ends_with(&on(&sandbox, &["-i"]), 8, &words);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
    // The rest of the plan is shown all the same.
    let plan = on(&sandbox, &["plan"]);
    ends_with(&plan, 8, &["target/namespace/team", "--skip-preflight capacity"]);
    // Who knows better goes on.
    ends_with(&on(&sandbox, &["plan", "--skip-preflight", "capacity"]), 0, &["1 to create"]);
}
