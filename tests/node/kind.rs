//! A cluster of kind that a person makes: a run that is killed while it does so, and the next one.

use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::kit::{FLAVOUR, component, within};
use crate::cluster::{ends_with, succeeds};
use crate::support::node::{self, Cluster};
use crate::support::sandbox::{Run, Sandbox, finish};

/// A project with one ConfigMap, whose cluster datamill makes.
struct Owner {
    sandbox: Sandbox,
    project: String,
    cluster: String,
}

impl Owner {
    fn begin(on: &'static Cluster, word: &str) -> Self {
        let sandbox = on.machine();
        let (project, cluster) = on.project(word);
        let steps = "steps:\n  - id: map\n    kind: objects\n    objects:\n      - {apiVersion: v1, kind: ConfigMap, metadata: {name: thing}, data: {a: b}}\n";
        component(&sandbox, "thing", steps);
        let flavour =
            format!("project: {{name: {project}, k8s_namespace: life, flavour: thing}}\n");
        sandbox.write(FLAVOUR, &flavour);
        let owner = Self { sandbox, project, cluster };
        owner.target("");
        owner
    }

    /// What the target's file says beside the node image.
    fn target(&self, more: &str) {
        let text = format!(
            "local:\n  provider: kind\n  node_image: \"${{env.DATAMILL_NODE_IMAGE:-}}\"\n{more}"
        );
        self.sandbox.write("k8s/configs/kind.yaml", &text);
    }

    const TARGET: [&str; 5] = ["-l", "-f", FLAVOUR, "-t", "kind"];

    fn run(&self, words: &[&str]) -> Run {
        self.sandbox.datamill(words.iter().chain(&Self::TARGET).copied())
    }

    fn plan(&self) -> Run {
        self.run(&["plan", "--detailed-exitcode"])
    }

    fn docker(&self, args: &[&str]) -> String {
        let run = self.sandbox.run("docker", args);
        succeeds(&run);
        run.stdout
    }

    /// Its containers, running or not.
    fn containers(&self) -> Vec<String> {
        let label = format!("label=io.x-k8s.kind.cluster={}", self.cluster);
        let listed = self.docker(&["ps", "--all", "--quiet", "--filter", &label]);
        listed.lines().map(str::to_owned).collect()
    }

    /// A file of datamill's own folder of the cluster.
    fn own(&self, file: &str) -> PathBuf {
        let folder = self.sandbox.home().join(".local/share/datamill/clusters");
        folder.join(&self.cluster).join(file)
    }

    fn destroy(&self) {
        let all = ["-x", "--yes", "--include-data", "--confirm-project", &self.project];
        succeeds(&self.run(&all));
        assert_eq!(self.containers(), Vec::<String>::new());
    }

    /// Starts making the cluster and is killed once something is so; `kind` itself lives on.
    fn is_killed_once(&self, what: &str, so: impl FnMut() -> bool) {
        let mut child = self.sandbox.start(["-s"].into_iter().chain(Self::TARGET));
        within(Duration::from_mins(10), what, so);
        child.kill().unwrap();
        drop(finish(child));
        assert!(!self.own("cluster.json").exists(), "it was killed too late: {what}");
    }

    fn goes_on(&self, words: &[&str]) {
        ends_with(&self.run(&["-i"]), 0, words);
        ends_with(&self.plan(), 0, &["nothing to do"]);
        assert_eq!(self.containers().len(), 1);
    }
}

#[test]
fn a_run_that_was_killed_while_kind_worked_is_made_good_by_the_next() {
    let Some(cluster) = node::cluster() else { return };
    let owner = Owner::begin(cluster, "killed");
    owner.is_killed_once("a container is there", || !owner.containers().is_empty());
    owner.goes_on(&["created"]);
    owner.destroy();
}

#[test]
fn a_run_that_was_killed_after_kind_had_worked_goes_on_with_its_cluster() {
    let Some(cluster) = node::cluster() else { return };
    let owner = Owner::begin(cluster, "later");
    let written = owner.own("kind.kubeconfig");
    owner.is_killed_once("kind has written its kubeconfig", || written.exists());
    let made = owner.containers();
    owner.goes_on(&[]);
    assert_eq!(owner.containers(), made, "nothing was made twice");
    owner.destroy();
}
