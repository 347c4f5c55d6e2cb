//! Webhooks that nobody answers, on a cluster that asks them: what the user reads, and that a rerun goes on.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use super::kit::*;
use super::*;

/// Starts the cluster's API server again with webhooks, which kwok clusters have switched off.
#[expect(
    clippy::zombie_processes,
    reason = "the cluster's own command ends it, and the sandbox at the latest"
)]
fn ask_webhooks(sandbox: &Sandbox) {
    let pid = process(sandbox, &["kube-apiserver"]).unwrap();
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let words: Vec<String> =
        String::from_utf8(line).unwrap().split('\0').map(str::to_owned).collect();
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    kill(pid, Signal::SIGKILL).unwrap();
    eventually("the API server is gone", || !lives(pid));
    let log = sandbox.home().join("kube-apiserver.log");
    let start = || {
        let args = words[1..]
            .iter()
            .filter(|word| !word.is_empty() && !word.starts_with("--disable-admission-plugins"));
        Command::new(&words[0])
            .args(args)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap()
    };
    // One that ends by itself, like one whose port is taken for a moment, is started again.
    let mut server = start();
    let context = sandbox.context();
    let begin = Instant::now();
    loop {
        let asked = sandbox.run("kubectl", ["--context", &context, "get", "--raw", "/readyz"]);
        if asked.code == Some(0) {
            return;
        }
        let said = || std::fs::read_to_string(&log).unwrap();
        assert!(begin.elapsed() < Duration::from_mins(5), "{}\n{}", asked.stderr, said());
        if server.try_wait().unwrap().is_some() {
            server = start();
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn webhook(kind: &str) -> String {
    format!(
        r#"{{"apiVersion":"admissionregistration.k8s.io/v1","kind":"{kind}","metadata":{{"name":"nobody"}},
        "webhooks":[{{"name":"nobody.example.org","sideEffects":"None","admissionReviewVersions":["v1"],"failurePolicy":"Fail","timeoutSeconds":2,
        "clientConfig":{{"service":{{"name":"nobody","namespace":"kube-system","path":"/x"}}}},
        "rules":[{{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE","UPDATE"],"resources":["configmaps"]}}],
        "namespaceSelector":{{"matchLabels":{{"kubernetes.io/metadata.name":"kit"}}}}}}]}}"#
    )
}

const BALANCER: &str = "apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-front}
spec: {type: LoadBalancer, selector: {app: x}, ports: [{port: 80}]}
";

#[test]
fn a_kwok_cluster_asks_no_webhook_and_gives_load_balancers_an_address() {
    let sandbox = Sandbox::with_tools();
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP, BALANCER]);
    flavour(&sandbox, "thing", "thing: {setup_timeout: 120}\n");
    succeeds(&on(&sandbox, &["-s"]));
    for kind in ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] {
        let file = sandbox.write("webhook.json", &webhook(kind));
        sandbox.kubectl(["apply", "-f", file.to_str().unwrap()]);
    }
    succeeds(&on(&sandbox, &["-i"]));
    assert!(list(&sandbox, "configmaps", "kit").iter().any(|m| m["data"]["text"] == "hello"));
    let services = list(&sandbox, "services", "kit");
    let address = services[0]["status"]["loadBalancer"]["ingress"][0]["ip"].as_str();
    let address = address.unwrap_or_else(|| panic!("no address: {services:?}"));
    assert!(address.parse::<std::net::IpAddr>().is_ok(), "{address}");
    ends_with(&on(&sandbox, &["-i"]), 0, &["nothing to do"]);
    destroy(&sandbox);
}

#[test]
fn a_webhook_that_nobody_answers_is_named_and_the_rerun_converges() {
    let sandbox = Sandbox::with_tools();
    let context = host(&sandbox);
    ask_webhooks(&sandbox);
    component(&sandbox, "thing", &helm_step("{}"));
    chart(&sandbox, "thing", "text: hello\n", &[MAP]);
    flavour(&sandbox, "thing", "");
    let target = ["-k", "--context", &context, "-f", FLAVOUR];
    let run = |first: &[&'static str]| sandbox.datamill(first.iter().copied().chain(target));
    for kind in ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] {
        let file = sandbox.write("webhook.json", &webhook(kind));
        sandbox.kubectl(["apply", "-f", file.to_str().unwrap()]);
        // The namespace is not there yet, so the plan cannot know; the install says who did not answer.
        let first = run(&["-i"]);
        ends_with(&first, 8, &["thing", "nobody.example.org", "webhook"]);
        // By now the plan knows.
        let second = run(&["plan"]);
        ends_with(&second, 8, &["nobody.example.org"]);
        sandbox.kubectl(["delete", kind, "nobody"]);
        succeeds(&run(&["-i"]));
        ends_with(&run(&["-i"]), 0, &["nothing to do"]);
        succeeds(&run(&["-x", "--yes", "--confirm-project", "kit"]));
    }
    end_host(&sandbox);
}
