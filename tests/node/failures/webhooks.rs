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
    let hook = |name: &str, service: &str, path: &str| {
        format!(
            r"
  - name: {name}.example.org
    sideEffects: None
    admissionReviewVersions: [v1]
    timeoutSeconds: 1
    failurePolicy: Fail
    clientConfig: {{service: {{namespace: hooks, name: {service}, path: {path}}}, caBundle: {authority}}}
    rules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps, pods]}}]
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: hooks}}}}
    objectSelector: {{matchLabels: {{hook: {name}}}}}"
        )
    };
    format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {{name: hooks}}\nwebhooks:{}{}{}\n",
        hook("deny", "guard", "/deny"),
        hook("hang", "guard", "/hang"),
        hook("gone", "nobody", "/"),
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
    let stall = Duration::from_secs(6);
    case.chart("denied", stall, &[&map("deny")]);
    let pods = deployment(&answer(""), "").replace("labels: {app:", "labels: {hook: deny, app:");
    case.chart("pods", stall, &[&pods]);
    case.chart("silent", stall, &[&map("hang")]);
    case.chart("gone", stall, &[&map("gone")]);
    for name in names {
        eprintln!("=== {name}");
        let run = case.run(&["-k", "-i", "-c", name]);
        eprintln!("{:?}\n{}\n{}", run.code, run.stdout, run.stderr);
        let run = case.run(&["-k", "-i", "-c", name, "--skip-preflight", "webhooks"]);
        eprintln!("{:?}\n{}\n{}", run.code, run.stdout, run.stderr);
    }
    case.cluster.kubectl(&["delete", "validatingwebhookconfiguration", "hooks"]);
    case.converges();
    panic!("look");
}
