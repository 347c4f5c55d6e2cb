//! What a component says of secrets that are pairs, of failures, and of its end.

use super::*;

const FLAVOUR: &str = "flavours/one.yaml";

const CRD: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things, singular: thing}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

const COMPONENT: &str = r#"
schema: component/v1
name: thing
title: A thing
license: Apache-2.0
status: active
secrets:
  - id: web
    type: kubernetes.io/tls
    keys: {tls: {generate: tls, names: [thing.example.org]}}
  - id: login
    keys:
      signing: {generate: rsa}
      password: {generate: alnum}
      auth: {generate: htpasswd, user: ada}
steps:
  - {id: definitions, kind: crds, from: {files: [crd.yaml]}}
  - id: operator
    kind: objects
    objects:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: operator}}
  - id: things
    kind: objects
    objects:
      - {apiVersion: example.org/v1, kind: Thing, metadata: {name: one, finalizers: [example.org/held]}}
delete:
  timeout: 3s
  before: [{deleteSelected: {kind: Pod, selector: made-by=thing}}]
  guards: [{gone: v1/ConfigMap/in-use, because: somebody works with it}]
  waitGone: [{ref: "example.org/v1/Thing/*", before: operator, timeout: 3s}]
"#;

fn project(component: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools();
    sandbox.write("components/thing/component.yaml", component);
    sandbox.write("components/thing/crd.yaml", CRD);
    sandbox.write(
        FLAVOUR,
        "project: {name: ends, k8s_namespace: ends, flavour: thing}\nlocal: {provider: kwok}\n",
    );
    sandbox
}

fn apply(sandbox: &Sandbox, text: &str) {
    let file = sandbox.write("by-hand.yaml", text);
    sandbox.kubectl(["apply", "-f", file.to_str().unwrap()]);
}

fn thing(name: &str) -> String {
    format!(
        "apiVersion: example.org/v1\nkind: Thing\nmetadata: {{name: {name}, namespace: ends}}\n"
    )
}

fn uninstall(sandbox: &Sandbox) -> Run {
    sandbox.datamill(["-l", "-u", "-f", FLAVOUR, "--yes"])
}

fn names(sandbox: &Sandbox, kind: &str) -> String {
    sandbox.kubectl(["get", kind, "-n", "ends", "-o", "jsonpath={.items[*].metadata.name}"])
}

#[test]
fn an_instance_goes_in_order_and_only_when_its_guards_let_it() {
    let sandbox = project(COMPONENT);
    succeeds(&sandbox.datamill(["-l", "-i", "-f", FLAVOUR]));
    let secrets =
        || sandbox.kubectl(["get", "secrets", "-n", "ends", "-o", "jsonpath={.items[*].data}"]);
    let drawn = secrets();
    for key in ["tls.crt", "tls.key", "ca.crt", "signing", "signing.pub", "auth", "password"] {
        assert!(drawn.contains(&format!("\"{key}\":\"")), "{key}");
    }
    // Drawn once: the second run finds nothing to do and draws nothing.
    ends_with(&sandbox.datamill(["-l", "-i", "-f", FLAVOUR]), 0, &["nothing to do"]);
    assert_eq!(secrets(), drawn);

    // A guard that does not hold blocks the whole plan, with its reason.
    let in_use = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in-use, namespace: ends}\n";
    apply(&sandbox, in_use);
    ends_with(&uninstall(&sandbox), 8, &["thing/removal/guard", "somebody works with it"]);
    assert!(names(&sandbox, "configmaps").contains("operator"));
    sandbox.kubectl(["delete", "configmap", "in-use", "-n", "ends"]);

    // What the operator that goes would leave behind is somebody's: nothing goes.
    apply(&sandbox, &thing("theirs"));
    ends_with(&uninstall(&sandbox), 11, &["thing/removal/operator", "theirs"]);
    assert_eq!(names(&sandbox, "things"), "one theirs");
    sandbox.kubectl(["delete", "thing", "theirs", "-n", "ends"]);

    // Its own things go before their operator; what keeps them is named, and the operator stays meanwhile.
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: user, namespace: ends, labels: {made-by: thing}}\nspec: {containers: [{name: a, image: a}]}\n";
    apply(&sandbox, pod);
    let plan = sandbox.datamill(["-l", "-u", "-f", FLAVOUR, "--yes"]);
    ends_with(&plan, 6, &["Pod", "user", "example.org/held", "Thing"]);
    assert_eq!(names(&sandbox, "pods"), "");
    assert!(names(&sandbox, "configmaps").contains("operator"));
    let free = r#"{"metadata":{"finalizers":null}}"#;
    sandbox.kubectl(["patch", "thing", "one", "-n", "ends", "--type=merge", "-p", free]);
    succeeds(&uninstall(&sandbox));
    assert!(!names(&sandbox, "configmaps").contains("thing-removal"));
    assert!(!names(&sandbox, "configmaps").contains("operator"));
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", FLAVOUR]));
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

/// A `StatefulSet` whose two claims differ by a label.
const KEEPER: &str = r"
steps:
  - id: keeper
    kind: objects
    objects:
      - apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: keeper}
        spec:
          serviceName: keeper
          selector: {matchLabels: {app: keeper}}
          template:
            metadata: {labels: {app: keeper}}
            spec: {containers: [{name: keeper, image: keeper}]}
          volumeClaimTemplates:
            - metadata: {name: cache, labels: {part: cache}}
              spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
            - metadata: {name: data, labels: {part: data}}
              spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

#[test]
fn a_selector_says_which_claims_go_with_an_instance() {
    let head = COMPONENT.split("secrets:").next().unwrap();
    let both = "cache-keeper-0 data-keeper-0";
    let sandbox = project(&format!("{head}{KEEPER}"));
    for (rule, stays) in [
        ("pvcs: {remove: part=cache}", "data-keeper-0"),
        ("pvcs: {keep: part=cache}", "cache-keeper-0"),
        ("pvcs: keep", both),
    ] {
        let text = format!("{head}{KEEPER}delete: {{{rule}}}\n");
        sandbox.write("components/thing/component.yaml", &text);
        succeeds(&sandbox.datamill(["-l", "-i", "-f", FLAVOUR]));
        assert_eq!(names(&sandbox, "pvc"), both, "{rule}");
        succeeds(&uninstall(&sandbox));
        sandbox.kubectl(["wait", "--for=delete", "statefulset/keeper", "-n", "ends"]);
        assert_eq!(names(&sandbox, "pvc"), stays, "{rule}");
    }
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", FLAVOUR]));
}

#[test]
fn a_helm_that_a_component_cannot_use_is_said_before_anything_is_made() {
    let head = COMPONENT.split("secrets:").next().unwrap();
    let steps = "steps:\n  - {id: map, kind: objects, objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: map}}]}\n";
    let sandbox = project(&format!("{head}requires: {{helm: \">=99\"}}\n{steps}"));
    let found = sandbox.run("helm", ["version", "--template", "{{.Version}}"]).stdout;
    let says =
        format!("`thing`: Helm >=99 is needed, and {} is used", found.trim_start_matches('v'));
    for command in [&["plan", "-l"][..], &["-l", "-i"]] {
        let run = sandbox.datamill(command.iter().copied().chain(["-f", FLAVOUR]));
        ends_with(&run, 8, &[&says, "component.yaml, line 7"]);
    }
    assert_eq!(sandbox.processes(), Vec::<String>::new());
}

#[test]
fn a_failure_that_a_step_names_ends_its_wait_at_once() {
    let steps = r#"
steps:
  - id: big
    kind: objects
    fails: [{exists: v1/ConfigMap/broken}]
    objects:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: broken}}
      - apiVersion: apps/v1
        kind: Deployment
        metadata: {name: big}
        spec:
          selector: {matchLabels: {app: big}}
          template:
            metadata: {labels: {app: big}}
            spec: {containers: [{name: big, image: big, resources: {requests: {cpu: "1000"}}}]}
"#;
    let head = COMPONENT.split("secrets:").next().unwrap();
    let sandbox = project(&format!("{head}{steps}"));
    // Nothing is made where the target cannot do it.
    let wish = "requires: {nodes: {cpu: 5000}, storage: {accessMode: ReadWriteOnce}}\n";
    sandbox.write("components/thing/component.yaml", &format!("{head}{wish}{steps}"));
    let refused = sandbox.datamill(["-l", "-i", "-f", FLAVOUR]);
    ends_with(&refused, 8, &["thing", "5000 of cpu", "component.yaml, line 7"]);
    assert_eq!(sandbox.processes(), Vec::<String>::new());
    sandbox.write("components/thing/component.yaml", &format!("{head}{steps}"));

    let begun = std::time::Instant::now();
    let run = sandbox.datamill(["-l", "-i", "-f", FLAVOUR, "--skip-preflight", "capacity"]);
    ends_with(&run, 7, &["thing/objects/big", "this must not be so", "broken"]);
    // The stall that would end it otherwise takes five minutes.
    assert!(begun.elapsed() < std::time::Duration::from_mins(4));
    succeeds(&sandbox.datamill(["destroy", "-l", "-f", FLAVOUR]));
}
