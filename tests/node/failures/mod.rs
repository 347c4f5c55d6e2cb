//! Failures that only real nodes show: what the user reads, and that the mended component converges.

mod away;
mod claims;
mod containers;
mod endings;
mod images;
mod scheduling;
mod webhooks;

use std::time::Duration;

use crate::cluster::kit::{FLAVOUR, chart, component};
use crate::cluster::{ends_with, succeeds};
use crate::support::node::{self, Cluster, Image};
use crate::support::sandbox::{Run, Sandbox};

/// The image that misbehaves as told, in every node once a case is opened.
const ANSWER: &str = "datamill.test/answer:1";

/// A project on the shared cluster, in a namespace of its own.
struct Case {
    cluster: &'static Cluster,
    sandbox: Sandbox,
    name: &'static str,
}

impl Case {
    /// A project of that name with some components; nothing where there is no cluster.
    fn open(name: &'static str, components: &[&str]) -> Option<Self> {
        let cluster = node::cluster()?;
        cluster.load(&Image::answer().unwrap());
        let case = Self { cluster, sandbox: cluster.sandbox(), name };
        case.flavour(components, "");
        Some(case)
    }

    fn flavour(&self, components: &[&str], more: &str) {
        let names = components.join(" ");
        let head =
            format!("project: {{name: {0}, k8s_namespace: {0}, flavour: '{names}'}}\n", self.name);
        self.sandbox.write(FLAVOUR, &format!("{head}{more}"));
    }

    /// A component with a chart of these templates, which stands still for at most a few seconds.
    fn chart(&self, component_name: &str, stall: Duration, templates: &[&str]) {
        let steps = format!(
            "steps:\n  - id: chart\n    kind: helm\n    release: \"${{self.release}}\"\n    chart: {{path: chart}}\n    stall: {}s\n",
            stall.as_secs()
        );
        component(&self.sandbox, component_name, &steps);
        // What an earlier chart had is gone.
        let folder = self.sandbox.project().join(format!("components/{component_name}/chart"));
        std::fs::remove_dir_all(folder).ok();
        chart(&self.sandbox, component_name, "{}\n", templates);
    }

    /// The component with its cause taken away; it may take its time now.
    fn mend(&self, component_name: &str, templates: &[&str]) {
        self.chart(component_name, Duration::from_mins(5), templates);
    }

    fn run(&self, words: &[&str]) -> Run {
        self.sandbox.datamill(words.iter().copied().chain(["-f", FLAVOUR]))
    }

    fn install(&self) -> Run {
        self.run(&["-k", "-i"])
    }

    /// What was mended is installed, and there is nothing to do after it.
    fn converges(&self) {
        succeeds(&self.install());
        ends_with(&self.install(), 0, &["nothing to do"]);
    }

    fn kubectl(&self, words: &[&str]) -> String {
        self.cluster.kubectl(&[&["-n", self.name], words].concat())
    }
}

impl Drop for Case {
    #[expect(clippy::print_stderr, reason = "what went on is for whoever reads why a test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.cluster.story(self.name));
        }
        let name = self.name;
        let delete = ["delete", "namespace", name, "--wait=false", "--ignore-not-found"];
        self.cluster.kubectl_command().args(delete).output().ok();
    }
}

/// A Deployment of one pod: what stands in its container, and in its pod.
fn deployment(container: &str, pod: &str) -> String {
    format!(
        r"apiVersion: apps/v1
kind: Deployment
metadata: {{name: {{{{ .Release.Name }}}}}}
spec:
  selector: {{matchLabels: {{app: {{{{ .Release.Name }}}}}}}}
  template:
    metadata: {{labels: {{app: {{{{ .Release.Name }}}}}}}}
    spec:
      terminationGracePeriodSeconds: 1
{}
      containers:
        - name: main
{}
",
        indented(pod, 6),
        indented(container, 10),
    )
}

fn indented(text: &str, by: usize) -> String {
    let lines = text.trim_matches('\n').lines();
    lines.map(|line| format!("{}{line}", " ".repeat(by))).collect::<Vec<_>>().join("\n")
}

/// The container that answers, with some environment.
fn answer(env: &str) -> String {
    format!(
        "image: {ANSWER}\nimagePullPolicy: IfNotPresent\nenv: [{env}]\nreadinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 1}}"
    )
}

/// The part of a report that is about one instance: from its line to the next.
fn about<'a>(run: &'a Run, id: &str) -> String {
    let all: &'a str = &run.stdout;
    let from = all.find("\nFailed:").map_or("", |at| &all[at..]);
    let begin = from.find(&format!("\n{id}: ")).unwrap_or_else(|| panic!("no {id} in:\n{all}"));
    let rest = &from[begin + 1..];
    let end = rest.match_indices('\n').find(|(at, _)| {
        let next = &rest[at + 1..];
        !next.starts_with(' ') && !next.starts_with('\n') && !next.starts_with("hint")
    });
    let part = end.map_or(rest, |(at, _)| &rest[..at]);
    part.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Expects words about one instance in a report.
fn says(run: &Run, id: &str, words: &[&str]) {
    let part = about(run, id);
    for word in words {
        assert!(part.contains(word), "`{word}` is not in:\n{part}\n\nof {}", run.stdout);
    }
}
