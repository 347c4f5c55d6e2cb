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
    ends_with(&on(&sandbox, &["plan", "--skip-preflight", "capacity"]), 0, &["4 to create"]);
}

/// Runs on the sandbox's own cluster as if somebody else had made it.
fn hybrid(sandbox: &Sandbox, args: &[&str]) -> Run {
    let context = sandbox.context();
    sandbox.datamill(args.iter().copied().chain(["-k", "--context", &context, "-f", FLAVOUR]))
}

fn put(sandbox: &Sandbox, text: &str) {
    let file = sandbox.write("put.yaml", text);
    sandbox.kubectl(["apply", "-f", file.to_str().unwrap()]);
}

#[test]
fn too_little_room_is_a_warning_and_an_error_when_strict() {
    let small = ", nodes: [{name: a, cpus: 4, memory: 12288}]";
    let sandbox = project(&deployment("many", 3, "{cpu: 1, memory: 5Gi}"), small);
    let plan = on(&sandbox, &["plan"]);
    ends_with(&plan, 0, &["1 pod does not fit: largest free 2 GiB", "1 of 3"]);
    ends_with(&on(&sandbox, &["plan", "--strict"]), 8, &["1 pod does not fit"]);
}

/// Everything may be read.
const READER: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: ['*'], resources: ['*'], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, namespace: team, name: robot}]
";

/// A kubeconfig for a second user of the sandbox's cluster, who may do nothing yet.
fn second_user(sandbox: &Sandbox) -> String {
    sandbox.kubectl(["create", "namespace", "team"]);
    sandbox.kubectl(["create", "serviceaccount", "robot", "-n", "team"]);
    let token = sandbox.kubectl(["create", "token", "robot", "-n", "team"]);
    let server = sandbox.kubectl([
        "config",
        "view",
        "--minify",
        "-o",
        "jsonpath={.clusters[0].cluster.server}",
    ]);
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: '{server}', insecure-skip-tls-verify: true}}}}]\n\
         users: [{{name: robot, user: {{token: {}}}}}]\ncontexts: [{{name: robot, context: {{cluster: c, user: robot}}}}]\n",
        token.trim()
    );
    sandbox.write("robot.yaml", &text).to_str().unwrap().to_owned()
}

/// The manifests in a hint: from the first separator to the next hint, without the indent.
fn manifests(text: &str) -> String {
    let from = text.find("---").unwrap();
    let indent = from - text[..from].rfind('\n').unwrap() - 1;
    let text = &text[from - indent..];
    let end = text.find("\nhint:").unwrap();
    text[..end]
        .lines()
        .map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n")
        .collect()
}

#[test]
fn a_user_with_fewer_rights_reads_which_are_missing_and_a_role_that_suffices() {
    let steps = format!("{CONFIG}{}", deployment("web", 1, "{cpu: 1}"));
    let sandbox = project(&steps, "");
    succeeds(&on(&sandbox, &["-s"]));
    let file = second_user(&sandbox);
    let as_robot = |args: &[&str]| {
        let place = ["-k", "--kubeconfig", &file, "--context", "robot", "-f", FLAVOUR];
        sandbox.datamill(args.iter().copied().chain(place))
    };
    // Who may read nothing cannot even tell which cluster it is.
    ends_with(&as_robot(&["plan"]), 8, &["cannot tell which cluster this is", "kind: Role"]);
    put(&sandbox, READER);
    let denied = as_robot(&["apply", "--yes"]);
    let words = [
        "system:serviceaccount:team:robot may not do all that this plan does",
        "kube-system  configmaps                  create, patch",
        "team         deployments.apps            create, patch",
        "Deployment web",
    ];
    ends_with(&denied, 8, &words);
    assert_eq!(sandbox.kubectl(["get", "deployments", "-n", "team", "-o", "name"]), "");
    // The role that it prints is all that is needed.
    put(&sandbox, &manifests(&denied.stderr));
    succeeds(&as_robot(&["apply", "--yes"]));
    ends_with(&as_robot(&["apply", "--yes"]), 0, &["nothing to do"]);
    // Who may make things may not take them away yet: that is known before the first one goes.
    let there = || sandbox.kubectl(["get", "deployments,configmaps", "-n", "team", "-o", "name"]);
    let before = there();
    let destroy = ["destroy", "--yes", "--confirm-project", "pre"];
    let denied = as_robot(&destroy);
    let words = [
        "system:serviceaccount:team:robot may not do all that this plan does",
        "deployments.apps  delete",
        "--skip-preflight permissions",
    ];
    ends_with(&denied, 8, &words);
    ends_with(&as_robot(&["plan", "--destroy"]), 8, &words);
    ends_with(&as_robot(&["uninstall", "--yes"]), 8, &words);
    // Nor does a plan that somebody else approved allow it.
    succeeds(&hybrid(&sandbox, &["plan", "--destroy", "--out", "end.plan"]));
    let place = ["--kubeconfig", &file, "--context", "robot"];
    ends_with(&sandbox.datamill(["apply", "end.plan"].into_iter().chain(place)), 8, &words);
    assert_eq!(there(), before);
    put(&sandbox, &manifests(&denied.stderr));
    succeeds(&as_robot(&destroy));
    assert!(!there().contains("deployment"), "{}", there());
}

/// Everything may be done to the kinds that are used, and nothing be seen of the rest.
const NARROW: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: narrow}
rules:
- {apiGroups: [''], resources: [namespaces, configmaps, secrets, pods, services, serviceaccounts, persistentvolumeclaims, persistentvolumes, nodes, events, resourcequotas, limitranges], verbs: ['*']}
- {apiGroups: [apps, batch, storage.k8s.io, coordination.k8s.io, discovery.k8s.io, apiextensions.k8s.io], resources: ['*'], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: narrow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: narrow}
subjects: [{kind: ServiceAccount, namespace: team, name: robot}]
";

#[test]
fn what_may_not_be_listed_keeps_everything_and_says_so_with_exit_6() {
    let sandbox = project(CONFIG, "");
    succeeds(&on(&sandbox, &["-s"]));
    let file = second_user(&sandbox);
    put(&sandbox, NARROW);
    let as_robot = |args: &[&str]| {
        let place = ["-k", "--kubeconfig", &file, "--context", "robot", "-f", FLAVOUR];
        sandbox.datamill(args.iter().copied().chain(place))
    };
    let there = || sandbox.kubectl(["get", "configmaps", "-n", "team", "-o", "name"]);
    // Where nothing is to go, it is a note.
    ends_with(&as_robot(&["apply", "--yes"]), 0, &["could not list podtemplates", "forbidden"]);
    ends_with(&as_robot(&["apply", "--yes"]), 0, &["nothing to do"]);
    let words = [
        "not everything could be listed, so nothing was pruned",
        "podtemplates",
        "may not list all that could be ours",
        "kind: ClusterRole",
    ];
    let kept = as_robot(&["uninstall", "--yes"]);
    ends_with(&kept, 6, &words);
    ends_with(&as_robot(&["destroy", "--yes", "--confirm-project", "pre"]), 6, &words);
    succeeds(&as_robot(&["plan", "--uninstall", "--out", "end.plan"]));
    let place = ["--kubeconfig", &file, "--context", "robot"];
    let saved = sandbox.datamill(["apply", "end.plan"].into_iter().chain(place));
    ends_with(&saved, 6, &words[..2]);
    // So it is where an apply was to take something away.
    let text = std::fs::read_to_string(sandbox.project().join(FLAVOUR)).unwrap();
    let other = std::fs::read_to_string(sandbox.project().join("components/thing/component.yaml"));
    let other = other.unwrap().replace("name: thing", "name: other");
    sandbox.write("components/other/component.yaml", &other);
    sandbox.write(FLAVOUR, &text.replace("flavour: thing", "flavour: other"));
    ends_with(&as_robot(&["apply", "--yes"]), 6, &words[..2]);
    assert!(there().contains("configmap/thing") && there().contains("configmap/other"));
    sandbox.write(FLAVOUR, &text);
    // The role that it prints is all that is needed.
    put(&sandbox, &manifests(&kept.stderr));
    ends_with(&as_robot(&["uninstall", "--yes"]), 0, &["thing/objects/all"]);
    assert!(!there().contains("configmap/thing"), "{}", there());
}

#[test]
fn claims_without_a_class_to_serve_them_are_refused() {
    let claim = "      - apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: disk}
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";
    let sandbox = project(claim, "");
    succeeds(&on(&sandbox, &["-s"]));
    sandbox.kubectl(["annotate", "storageclass", "standard", "--overwrite", DEFAULT_IS_NOT]);
    let words = ["no default storage class", "disk", "kubectl annotate storageclass standard"];
    ends_with(&hybrid(&sandbox, &["plan"]), 8, &words);
    component(&sandbox, &claim.replace("spec: {", "spec: {storageClassName: fast, "));
    ends_with(&hybrid(&sandbox, &["plan"]), 8, &["no storage class `fast`", "standard"]);
    component(&sandbox, &claim.replace("spec: {", "spec: {storageClassName: standard, "));
    ends_with(&hybrid(&sandbox, &["plan"]), 0, &["to create"]);
}

const DEFAULT_IS_NOT: &str = "storageclass.kubernetes.io/is-default-class=false";

#[test]
fn a_namespace_that_cannot_go_names_what_holds_it() {
    let sandbox = project(CONFIG, "");
    succeeds(&on(&sandbox, &["-s"]));
    sandbox.kubectl(["create", "namespace", "team"]);
    put(
        &sandbox,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: team, finalizers: [example.org/held]}\n",
    );
    sandbox.kubectl(["delete", "namespace", "team", "--wait=false"]);
    sandbox.kubectl([
        "wait",
        "namespace/team",
        "--for=condition=NamespaceFinalizersRemaining",
        "--timeout=30s",
    ]);
    let words = ["namespace team is being deleted", "ConfigMap team/held", "example.org/held"];
    ends_with(&hybrid(&sandbox, &["plan"]), 8, &words);
    sandbox.kubectl([
        "patch",
        "configmap",
        "held",
        "-n",
        "team",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
}

#[test]
fn a_group_that_does_not_answer_is_named_with_the_remedy() {
    let sandbox = project(CONFIG, "");
    succeeds(&on(&sandbox, &["-s"]));
    put(
        &sandbox,
        "apiVersion: apiregistration.k8s.io/v1\nkind: APIService\nmetadata: {name: v1.gone.example.org}\n\
         spec: {group: gone.example.org, version: v1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: {namespace: default, name: gone}}\n",
    );
    sandbox.kubectl([
        "wait",
        "apiservice/v1.gone.example.org",
        "--for=condition=Available=False",
        "--timeout=30s",
    ]);
    let words = ["API service v1.gone.example.org does not answer", "to create"];
    ends_with(&hybrid(&sandbox, &["plan"]), 0, &words);
    let words = ["kubectl delete apiservice v1.gone.example.org", "--skip-preflight api-services"];
    ends_with(&hybrid(&sandbox, &["plan", "--strict"]), 8, &words);
}

/// A cluster that somebody else made, where webhooks are called.
fn with_webhooks(sandbox: &mut Sandbox) {
    let folder = sandbox.home().join("kwok");
    sandbox.set("KWOK_WORKDIR", folder);
    sandbox.set("KWOK_KUBE_VERSION", "v1.35.4");
    let config = sandbox.write(
        "kwok.yaml",
        "apiVersion: config.kwok.x-k8s.io/v1alpha1\nkind: KwokctlConfiguration\noptions:\n  bindAddress: 127.0.0.1\n",
    );
    let which = |tool: &str| sandbox.run("which", [tool]).stdout.trim().to_owned();
    let mut args: Vec<String> =
        ["create", "cluster", "--name", "hooks", "--runtime", "binary"].map(str::to_owned).into();
    args.extend(["--wait".to_owned(), "60s".to_owned()]);
    args.extend(["--config".to_owned(), config.display().to_string()]);
    for tool in ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        args.extend([format!("--{tool}-binary"), which(tool)]);
    }
    args.extend(["--kwok-controller-binary".to_owned(), which("kwok")]);
    let kubectl = which("kubectl");
    sandbox.set("KWOK_KUBECTL_BINARY", kubectl);
    succeeds(&sandbox.run("kwokctl", args));
}

#[test]
fn a_webhook_that_nobody_serves_stops_the_run_and_not_the_objects() {
    let mut sandbox = project(&deployment("web", 1, "{cpu: 1}"), "");
    with_webhooks(&mut sandbox);
    let kubectl = |args: &[&str]| {
        sandbox.run("kubectl", ["--context", "kwok-hooks"].iter().chain(args).copied())
    };
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: a, annotations: {kwok.x-k8s.io/node: fake}}\n\
                status: {allocatable: {cpu: 4, memory: 8Gi, pods: 10}, capacity: {cpu: 4, memory: 8Gi, pods: 10}}\n";
    let hook = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: checker}\n\
                webhooks: [{name: check.example.org, admissionReviewVersions: [v1], sideEffects: None, clientConfig: {service: {namespace: default, name: checker}},\n\
                \x20 rules: [{operations: ['*'], apiGroups: [apps], apiVersions: ['*'], resources: [deployments]}]}]\n";
    let file = sandbox.write("put.yaml", &format!("{node}---\n{hook}"));
    succeeds(&kubectl(&["apply", "-f", file.to_str().unwrap()]));
    let apply = |more: &[&str]| {
        let args = ["apply", "--yes", "-k", "--context", "kwok-hooks", "-f", FLAVOUR];
        sandbox.datamill(args.iter().chain(more).copied())
    };
    let words = [
        "webhook check.example.org (ValidatingWebhookConfiguration checker)",
        "Service default/checker does not exist",
        "kubectl delete validatingwebhookconfiguration checker",
    ];
    ends_with(&apply(&[]), 8, &words);
    assert!(!kubectl(&["get", "namespace", "team"]).stdout.contains("team"));
    // It was right: the server refuses.
    let run = apply(&["--skip-preflight", "webhooks"]);
    assert_ne!(run.code, Some(0));
    ends_with(&run, run.code.unwrap(), &["check.example.org"]);
    // A namespace that is there makes no difference.
    ends_with(&apply(&[]), 8, &words);
    succeeds(&kubectl(&["delete", "validatingwebhookconfiguration", "checker"]));
    succeeds(&apply(&[]));
}
