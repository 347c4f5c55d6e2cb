//! Admission webhooks that say no, say nothing, or are not there.

use super::*;

/// The webhook's server, with a certificate that datamill draws.
fn guard(case: &Case) {
    let steps = "secrets:\n  - id: tls\n    name: guard-tls\n    keys: {tls: {generate: tls, names: [guard.hooks.svc]}}\nsteps:\n  - id: chart\n    kind: helm\n    release: \"${self.release}\"\n    chart: {path: chart}\n";
    component(&case.sandbox, "guard", steps);
    let served = answer("{name: TLS, value: /tls}, {name: TEXT, value: only on Sundays}")
        .replace("port: 8080", "port: 8080, scheme: HTTPS")
        + "\nvolumeMounts: [{name: tls, mountPath: /tls}]";
    let volume = "volumes: [{name: tls, secret: {secretName: guard-tls}}]";
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: guard}\nspec: {selector: {app: guard}, ports: [{port: 443, targetPort: 8080}]}\n";
    chart(&case.sandbox, "guard", "{}\n", &[service, &deployment(&served, volume)]);
}

/// Three webhooks, asked about what bears their label in the case's namespace.
fn configuration(authority: &str) -> String {
    let hook = |name: &str, service: &str, path: &str, patience: u8| {
        format!(
            r"
  - name: {name}.example.org
    sideEffects: None
    admissionReviewVersions: [v1]
    timeoutSeconds: {patience}
    failurePolicy: Fail
    clientConfig: {{service: {{namespace: hooks, name: {service}, path: {path}}}, caBundle: {authority}}}
    rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps, pods]}}]
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: hooks}}}}
    objectSelector: {{matchLabels: {{hook: {name}}}}}"
        )
    };
    format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: hooks}}\nwebhooks:{}{}{}\n",
        // What answers may take its time on a machine under load.
        hook("deny", "guard", "/deny", 10),
        hook("hang", "guard", "/hang", 1),
        hook("gone", "nobody", "/", 10),
    )
}

fn map(hook: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}, labels: {{hook: {hook}}}}}\n"
    )
}

#[test]
fn webhooks_that_refuse_or_do_not_answer_are_named() {
    let Some(case) = Case::open("hooks", &["guard"]) else { return };
    guard(&case);
    succeeds(&case.install());
    let authority =
        case.kubectl(&["get", "secret", "guard-tls", "-o", r"jsonpath={.data.ca\.crt}"]);
    let file = case.sandbox.write("hooks.yaml", &configuration(&authority));
    case.cluster.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let names = ["guard", "denied", "pods", "silent", "gone"];
    case.flavour(&names, "");
    let stall = Duration::from_secs(10);
    case.chart("denied", stall, &[&map("deny")]);
    let pods = deployment(&answer(""), "").replace("labels: {app:", "labels: {hook: deny, app:");
    case.chart("pods", stall, &[&pods]);
    case.chart("silent", stall, &[&map("hang")]);
    case.chart("gone", stall, &[&map("gone")]);
    let only = |name: &str, more: &[&str]| case.run(&[&["-k", "-i", "-c", name], more].concat());
    // What is made by controllers is refused behind the user's back: the chain leads there.
    let run = only("pods", &[]);
    ends_with(&run, 7, &[]);
    let refused = [
        "did not become ready",
        "ReplicaSet hooks/pods-",
        "its pods cannot be made",
        "deny.example.org",
        "only on Sundays",
        "a policy of this cluster refuses it",
    ];
    says(&run, "pods/release/chart", &refused);
    // The cluster is asked before anything is written; whatever it is that stands in the way, it is named.
    let refused = ["deny.example.org", "only on Sundays", "change what it objects to"];
    ends_with(&only("denied", &[]), 8, &refused);
    let silent =
        ["nothing was changed", "hang.example.org", "deadline exceeded", "does not answer"];
    ends_with(&only("silent", &[]), 8, &silent);
    let gone = [
        "nothing was changed",
        "gone.example.org",
        "its Service hooks/nobody does not exist",
        "kubectl delete validatingwebhookconfiguration hooks",
    ];
    ends_with(&only("gone", &[]), 8, &gone);
    case.cluster.kubectl(&["delete", "validatingwebhookconfiguration", "hooks"]);
    // Its controller makes pods again when it likes; a change makes it try at once.
    case.mend("pods", &[&deployment(&answer(""), "")]);
    case.converges();
}
