//! The demo on a kind cluster that datamill makes itself: from nothing to installed and back.

use std::path::Path;

use crate::cluster::{DEMO, ends_with, succeeds};
use crate::support::node::{self, Cluster, Image};
use crate::support::sandbox::{Run, Sandbox};

/// A person's machine with the demo on kind.
struct Day {
    sandbox: Sandbox,
    project: String,
    cluster: String,
}

impl Day {
    fn begin(on: &'static Cluster) -> Self {
        let sandbox = on.machine();
        for folder in ["flavours", "components", "k8s"] {
            sandbox.copy(folder);
        }
        // In an engine that people use, theirs may be called `demo`.
        let (project, cluster) = on.project("demo");
        let flavour = std::fs::read_to_string(sandbox.project().join(DEMO)).unwrap();
        assert!(flavour.contains("name: demo\n"), "{flavour}");
        sandbox.write(DEMO, &flavour.replace("name: demo\n", &format!("name: {project}\n")));
        Self { sandbox, project, cluster }
    }

    /// A command on the demo.
    fn run(&self, words: &[&str]) -> Run {
        let target = ["-l", "-f", DEMO, "-t", "kind", "--provider", "kind"];
        self.sandbox.datamill(words.iter().chain(&target).copied())
    }

    fn docker(&self, args: &[&str]) -> String {
        let run = self.sandbox.run("docker", args);
        succeeds(&run);
        run.stdout
    }

    /// What of its cluster is in the engine: containers, running or not.
    fn containers(&self) -> String {
        let label = format!("label=io.x-k8s.kind.cluster={}", self.cluster);
        self.docker(&["ps", "--all", "--quiet", "--filter", &label])
    }

    /// Asks a path of the page through the API server.
    fn asks(&self, path: &str) -> String {
        let path = format!("/api/v1/namespaces/data-mill/services/demo-ui:80/proxy/{path}");
        self.sandbox.kubectl(["get", "--raw", &path])
    }
}

#[test]
fn the_demo_on_a_cluster_of_its_own_from_nothing_and_back() {
    let Some(cluster) = node::cluster() else { return };
    let day = Day::begin(cluster);
    if cluster.engine().is_own() {
        // No registry can be reached; elsewhere the node pulls them.
        let configs = day.sandbox.project().join("k8s/configs");
        Image::demo().unwrap().save(&configs.join("demo.tar")).unwrap();
        let target = std::fs::read_to_string(configs.join("kind.yaml")).unwrap();
        day.sandbox.write("k8s/configs/kind.yaml", &format!("{target}  load: [./demo.tar]\n"));
    }
    let installed = day.run(&["-i"]);
    ends_with(&installed, 0, &["demo-ui/release/page", "created"]);
    let said = format!("{}{}", installed.stdout, installed.stderr);
    assert!(!said.contains("simulated") && !said.contains("assumed"), "{said}");
    ends_with(&day.run(&["-i"]), 0, &["nothing to do"]);

    // It is no picture: the page answers, and the API counts in the store.
    assert!(day.asks("").contains("My first platform"));
    assert!(day.asks("api/visits").contains("\"visits\": 1"));

    uninstall_keeps_the_volume(&day);
    destroy_leaves_nothing(&day);
}

fn uninstall_keeps_the_volume(day: &Day) {
    ends_with(&day.run(&["-u", "--yes"]), 0, &["demo-store/claim/data", "it holds data"]);
    let claims = ["get", "pvc", "-n", "data-mill", "-o", "jsonpath={.items[*].status.phase}"];
    assert_eq!(day.sandbox.kubectl(claims), "Bound");
    // Each was waited for.
    let pods = day.sandbox.kubectl(["get", "pods", "-n", "data-mill", "-o", "name"]);
    assert_eq!(pods, "");
}

fn destroy_leaves_nothing(day: &Day) {
    let sandbox = &day.sandbox;
    let node = format!("{}-control-plane", day.cluster);
    let mounts = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}} {{end}}{{end}}";
    let volumes = day.docker(&["inspect", &node, "--format", mounts]);
    assert!(!volumes.trim().is_empty(), "kind gives a node a volume");

    // A yes is no yes to the loss of data: what holds it stays.
    ends_with(&day.run(&["-x", "--yes"]), 0, &["Stays:", "`demo-store/claim/data` in it is kept"]);
    assert_ne!(day.containers(), "");
    let all = ["-x", "--yes", "--include-data", "--confirm-project", &day.project];
    ends_with(&day.run(&all), 0, &["demo-store/claim/data"]);

    assert_eq!(day.containers(), "");
    let listed = sandbox.run("kind", ["get", "clusters"]);
    assert!(!listed.stdout.lines().any(|name| name == day.cluster), "{listed:?}");
    let there = day.docker(&["volume", "ls", "--quiet"]);
    for volume in volumes.split_whitespace() {
        assert!(!there.contains(volume), "{there}");
    }
    let kubeconfig = std::fs::read_to_string(sandbox.home().join(".kube/config"));
    let kubeconfig = kubeconfig.unwrap_or_default();
    assert!(!kubeconfig.contains("datamill-"), "{kubeconfig}");
    assert_eq!(files(&sandbox.home()), Vec::<String>::new());
    assert_eq!(sandbox.processes(), Vec::<String>::new());
    ends_with(&day.run(&["-x"]), 0, &["nothing to destroy"]);
}

/// Files below a HOME, but for what may stay: the cache, and a kubeconfig without us.
fn files(home: &Path) -> Vec<String> {
    let mut left = Vec::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                left.push(entry.path().display().to_string());
            }
        }
    }
    left.retain(|path| !path.contains("/.cache/datamill/") && !path.ends_with("/.kube/config"));
    left
}
