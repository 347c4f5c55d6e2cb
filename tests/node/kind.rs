//! A cluster of kind in the life of a person: two nodes as the file wants them, changed, stopped by hand, forgotten, and runs
//! that are killed while they make one.

use std::net::TcpListener;
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
fn two_nodes_are_made_changed_stopped_and_found_again() {
    let Some(cluster) = node::cluster() else { return };
    let owner = Owner::begin(cluster, "life");
    std::fs::create_dir_all(owner.sandbox.project().join("data")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nodes = |pool: &str, mount: &str| {
        format!(
            "  ports: ['{port}:30080']\n  nodes:\n    - {{labels: {{pool: {pool}}}, taints: ['dedicated=a:NoSchedule'], mounts: ['../../data:{mount}:ro']}}\n"
        )
    };
    owner.target(&nodes("a", "/data"));
    ends_with(&owner.run(&["-i"]), 0, &["created"]);
    ends_with(&owner.plan(), 0, &["nothing to do"]);
    let before = owner.containers();
    assert_eq!(before.len(), 2);
    let worker = format!("{}-worker", owner.cluster);
    let ask = |path: &str| owner.sandbox.kubectl(["get", "node", &worker, "-o", path]);
    assert_eq!(ask("jsonpath={.metadata.labels.pool}"), "a");
    assert_eq!(ask("jsonpath={.spec.taints[?(@.key=='dedicated')].value}"), "a");

    owner.target(&nodes("b", "/data"));
    ends_with(&owner.run(&["-i"]), 0, &["labels"]);
    assert_eq!(ask("jsonpath={.metadata.labels.pool}"), "b");
    owner.target(&nodes("b", "/elsewhere"));
    let blocked = owner.run(&["plan"]);
    assert_ne!(blocked.code, Some(0), "{blocked:?}");
    ends_with(&blocked, blocked.code.unwrap(), &["cannot change in place", "mounts"]);
    owner.target(&nodes("b", "/data"));
    assert_eq!(owner.containers(), before, "it is the same cluster");

    ends_with(&owner.run(&["status"]), 0, &["the cluster is running"]);
    let words = ["kind has no way to stop", "docker stop", "datamill start", "datamill uninstall"];
    ends_with(&owner.run(&["stop"]), 10, &words);
    let all: Vec<_> = ["stop"].into_iter().chain(before.iter().map(String::as_str)).collect();
    owner.docker(&all);
    ends_with(&owner.run(&["status"]), 0, &["stopped"]);
    ends_with(&owner.run(&["-s"]), 0, &[]);
    within(Duration::from_mins(5), "the cluster is well again", || {
        let status = owner.run(&["status"]);
        status.code == Some(0) && status.stdout.contains("the cluster is running")
    });

    std::fs::remove_dir_all(owner.own("")).unwrap();
    ends_with(&owner.plan(), 0, &["nothing to do"]);
    assert!(owner.own("cluster.json").exists(), "it is found again");
    owner.destroy();
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
