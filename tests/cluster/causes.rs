//! What keeps a release from getting ready, as one chain from the release to the thing that is wrong, with what can be done.

use super::kit::*;
use super::*;

const SERVER: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: server}
spec:
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      nodeSelector: {{ .Values.where | toJson }}
      containers: [{name: a, image: a}]
      {{- if .Values.claim }}
      volumes: [{name: data, persistentVolumeClaim: {claimName: {{ .Values.claim }}}}]
      {{- end }}
";
const CLAIM: &str = "{{ if .Values.claim }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: {{ .Values.claim }}}
spec: {storageClassName: turbo, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
{{ end }}
";
/// Preflight sees all of this coming; what waiting says is told to those who leave it out.
const SKIP: [&str; 3] = ["-i", "--skip-preflight", "all"];

fn project(values: &str) -> Sandbox {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step(values));
    chart(&sandbox, "thing", "where: {}\nclaim: ''\n", &[SERVER, CLAIM]);
    flavour(&sandbox, "thing", "thing: {setup_timeout: 8}\n");
    succeeds(&on(&sandbox, &["-s"]));
    sandbox
}

/// Expects the links of a chain in their order.
fn chain(run: &Run, links: &[&str]) {
    ends_with(run, 7, links);
    let flowing = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let cause = flowing.rfind(links[0]).unwrap();
    let mut rest = &flowing[cause..];
    for link in links {
        let at = rest.find(link).unwrap_or_else(|| panic!("`{link}` is not next in: {flowing}"));
        rest = &rest[at + link.len()..];
    }
}

#[test]
fn a_quota_that_is_used_up_is_at_the_end_of_the_chain() {
    let sandbox = project("{}");
    sandbox.kubectl(["create", "namespace", "kit"]);
    sandbox.kubectl(["create", "quota", "small", "-n", "kit", "--hard=pods=0"]);
    let run = on(&sandbox, &SKIP);
    chain(
        &run,
        &[
            "Deployment kit/server",
            "ReplicaSet kit/server",
            "exceeded quota",
            "raise the ResourceQuota",
        ],
    );
    sandbox.kubectl(["delete", "quota", "small", "-n", "kit"]);
    succeeds(&on(&sandbox, &SKIP));
    destroy(&sandbox);
}

#[test]
fn a_storage_class_that_is_not_there_is_at_the_end_of_the_chain() {
    let sandbox = project("{claim: files}");
    let run = on(&sandbox, &SKIP);
    chain(
        &run,
        &[
            "PersistentVolumeClaim kit/files",
            "StorageClass turbo",
            "it is not there",
            "has standard",
        ],
    );
    destroy(&sandbox);
}

#[test]
fn nodes_that_do_not_suit_are_at_the_end_of_the_chain() {
    let sandbox = project("{where: {disk: fast}}");
    let run = on(&sandbox, &SKIP);
    chain(&run, &["Deployment kit/server", "Pod kit/server", "node"]);
    destroy(&sandbox);
}

#[test]
fn what_the_cluster_says_is_shown_while_it_is_waited_for() {
    for (values, quota, said) in
        [("{}", true, "exceeded quota"), ("{where: {disk: fast}}", false, "node affinity")]
    {
        let sandbox = project(values);
        flavour(&sandbox, "thing", "thing: {setup_timeout: 25}\n");
        sandbox.kubectl(["create", "namespace", "kit"]);
        if quota {
            sandbox.kubectl(["create", "quota", "small", "-n", "kit", "--hard=pods=0"]);
        }
        let run = on(&sandbox, &SKIP);
        ends_with(&run, 7, &[said]);
        let flowing = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let waiting = flowing.split("thing/release/chart: failed").next().unwrap();
        assert!(waiting.len() < flowing.len(), "{flowing}");
        assert!(waiting.contains(said), "{flowing}");
        destroy(&sandbox);
    }
}

const WIDGETS: &str = "apiVersion: apiextensions.k8s.io/v1
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
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

#[test]
fn the_chain_goes_on_below_a_custom_resource() {
    let steps = "steps:
  - {id: definitions, kind: crds, from: {files: [crd.yaml]}}
  - id: widget
    kind: objects
    objects:
      - {apiVersion: example.org/v1, kind: Widget, metadata: {name: one}, spec: {size: 1}}
";
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", steps);
    sandbox.write("components/thing/crd.yaml", WIDGETS);
    flavour(&sandbox, "thing", "thing: {setup_timeout: 8}\n");
    succeeds(&on(&sandbox, &["-i"]));

    // The operator, which does not run here, is played by hand.
    let get = ["get", "widget", "one", "-n", "kit", "-o", "jsonpath={.metadata.uid}"];
    let uid = sandbox.kubectl(get);
    let set = format!(
        "apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: one
  namespace: kit
  ownerReferences: [{{apiVersion: example.org/v1, kind: Widget, name: one, uid: {uid}}}]
spec:
  serviceName: one
  selector: {{matchLabels: {{app: one}}}}
  template:
    metadata: {{labels: {{app: one}}}}
    spec: {{containers: [{{name: a, image: a, volumeMounts: [{{name: data, mountPath: /data}}]}}]}}
  volumeClaimTemplates:
    - metadata: {{name: data}}
      spec: {{storageClassName: turbo, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"
    );
    let file = sandbox.write("set.yaml", &set);
    sandbox.kubectl(["apply", "-f", &file.to_string_lossy()]);
    let status = r#"{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Waits","message":"for its members"}]}}"#;
    sandbox.kubectl(["patch", "widget", "one", "-n", "kit", "--type=merge", "-p", status]);
    pod(&sandbox, "kit", "one-0");

    let run = on(&sandbox, &["-i", "--skip-preflight", "all"]);
    chain(
        &run,
        &[
            "Widget kit/one",
            "for its members",
            "StatefulSet kit/one",
            "Pod kit/one-0",
            "PersistentVolumeClaim kit/data-one-0",
            "StorageClass turbo",
            "it is not there",
        ],
    );
    destroy(&sandbox);
}
