//! kind behind programs that behave as badly as the real ones: slow, half done, ending well without having done anything, with
//! sentences where answers should be. No container runs here; `docker` and `kind` are scripts that keep their state in files.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::*;
use crate::support::sandbox::finish;

/// A `docker` whose containers are files, and which says what a file tells it to say.
const DOCKER: &str = r#"#!/bin/sh
echo "docker $*" >> "$STATE/calls"
if [ -f "$STATE/down" ]; then
  cat "$STATE/down" >&2
  [ "$1" = info ] && { echo '{"ServerErrors":["'"$(head -c 300 "$STATE/down" | tr -d '\n')"'"]}'; exit 0; }
  exit 1
fi
case "$1 $2" in
  "info "*) echo '{"ServerVersion":"28.0","CgroupVersion":"2"}';;
  "ps "*) for one in "$STATE"/containers/*; do [ -e "$one" ] && basename "$one"; done; exit 0;;
  "container inspect") shift 2; sep='['; for id; do printf '%s' "$sep"; cat "$STATE/containers/$id"; sep=,; done; echo ']';;
  "image inspect") [ -f "$STATE/image" ] || { echo "Error: No such image: $5" >&2; exit 1; };;
  "pull "*) cat "$STATE/pull" >&2 2>/dev/null && exit 1; touch "$STATE/image";;
  "rm "*) rm -f "$STATE"/containers/*;;
  "logs "*) cat "$STATE/log" 2>/dev/null; exit 0;;
  "exec "*) exit 1;;
  *) exit 1;;
esac
"#;

/// A `kind` that makes one container, then does what a file says.
const KIND: &str = r#"#!/bin/sh
echo "kind $*" >> "$STATE/calls"
[ "$1" = version ] && { echo "kind v0.33.0 go1.26.8 linux/amd64"; exit 0; }
while [ $# -gt 0 ]; do [ "$1" = --config ] && cp "$2" "$STATE/config"; shift; done
echo 'Creating cluster "datamill-one" ...' >&2
bind=$(sed -n 's/.*"containerPath": "\(\/etc[^"]*\)".*/\1/p' "$STATE/config" | head -1)
cat > "$STATE/containers/c1" <<END
{"Id":"c1","Name":"/datamill-one-control-plane","State":{"Status":"running"},"Config":{"Image":"node:v1.35.4","Labels":{"io.x-k8s.kind.cluster":"datamill-one","io.x-k8s.kind.role":"control-plane"}},"HostConfig":{"Binds":["/dev/null:$bind:ro"],"PortBindings":{"6443/tcp":[{"HostIp":"127.0.0.1","HostPort":"1"}]}}}
END
echo ' • Preparing nodes 📦  ...' >&2
. "$STATE/kind"
"#;

/// A container of a kind cluster that somebody made by hand.
const THEIRS: &str = r#"{"Id":"t1","Name":"/datamill-one-control-plane","State":{"Status":"STATE"},"Config":{"Image":"node:v1.35.4","Labels":{"io.x-k8s.kind.cluster":"datamill-one","io.x-k8s.kind.role":"control-plane"}},"HostConfig":{"Binds":["BIND"],"PortBindings":{}}}"#;

struct Stage(Sandbox);

impl Stage {
    /// A project on kind; `kind` ends as the lines say.
    fn new(kind: &str) -> Self {
        let mut sandbox = project();
        for (name, script) in [("docker", DOCKER), ("kind", KIND)] {
            let path = sandbox.write(&format!("bin/{name}"), script);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let helm = sandbox.write("bin/helm", "#!/bin/sh\necho v4.3.1\n");
        std::fs::set_permissions(&helm, std::fs::Permissions::from_mode(0o755)).unwrap();
        let bin = helm.parent().unwrap().to_owned();
        let state = sandbox.project().join("state");
        std::fs::create_dir_all(state.join("containers")).unwrap();
        sandbox.set("STATE", &state);
        sandbox.set("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        let made = Self(sandbox);
        made.state("kind", kind);
        made.state("image", "");
        made
    }

    fn state(&self, file: &str, text: &str) {
        self.0.write(&format!("state/{file}"), text);
    }

    fn theirs(&self, state: &str, bind: &str) {
        let text = THEIRS.replace("STATE", state).replace("BIND", bind);
        self.state("containers/t1", &text);
    }

    fn run(&self, command: &str) -> Run {
        let words = ["-l", "-f", "flavours/one.yaml", "--provider", "kind"];
        self.0.datamill(command.split(' ').chain(words))
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.0.project().join("state/calls")).unwrap_or_default()
    }

    fn containers(&self) -> usize {
        std::fs::read_dir(self.0.project().join("state/containers")).unwrap().count()
    }

    /// The cluster's folder, wherever data is kept.
    fn folder_is_there(&self) -> bool {
        self.0.home().join(".local/share/datamill/clusters/datamill-one").exists()
    }
}

#[test]
fn an_engine_that_cannot_be_used_is_never_an_absent_cluster() {
    let stage = Stage::new("exit 0");
    for (says, words) in [
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            ["does not run", "systemctl start docker"],
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket",
            ["no permission", "usermod -aG docker"],
        ),
    ] {
        stage.state("down", says);
        for command in ["plan", "start", "destroy", "status"] {
            ends_with(&stage.run(command), 8, &words);
        }
    }
    assert!(!stage.calls().contains("kind create"));
}

#[test]
fn a_cluster_of_that_name_that_is_not_ours_is_left_alone() {
    let stage = Stage::new("exit 0");
    stage.theirs("running", "/lib/modules:/lib/modules:ro");
    for command in ["plan", "start", "destroy", "stop", "uninstall"] {
        ends_with(&stage.run(command), 11, &["datamill did not make it", "kind delete cluster"]);
    }
    stage.theirs("exited", "/dev/null:/etc/datamill.dev/other/bcd:ro");
    ends_with(&stage.run("start"), 11, &["belongs to project other"]);
    assert_eq!(stage.containers(), 1);
    assert!(!stage.calls().contains("docker rm"));
}

#[test]
fn a_known_failure_says_what_to_do_and_leaves_nothing() {
    for (kind, log, words) in [
        (
            "echo 'ERROR: failed to create cluster: docker run error: Bind for 127.0.0.1:80 failed: port is already allocated' >&2; exit 1",
            "",
            ["is taken", "ports:"],
        ),
        (
            "echo 'ERROR: failed to create cluster: could not find a log line that matches' >&2; exit 1",
            "Failed to create inotify object: Too many open files",
            ["inotify", "sysctl"],
        ),
        (
            "echo 'ERROR: failed to init node with kubeadm' >&2; exit 1",
            "kubelet is configured to not run on a host using cgroup v1",
            ["cgroup v1", "cgroup v2"],
        ),
        ("echo 'write: no space left on device' >&2; exit 1", "", ["is full", "docker system"]),
        // The image was there; these words are the kubelet's, of its own parts.
        (
            "echo 'ERROR: failed to init node with kubeadm' >&2; exit 1",
            "dial tcp 127.0.0.1:10248: connect: connection refused\nlookup node: no such host\nUnauthorized: operation not permitted",
            ["did not come up in a node", "docker info"],
        ),
        ("exit 0", "", ["kind ended well and left no cluster", "cannot create"]),
    ] {
        let stage = Stage::new(kind);
        stage.state("log", log);
        ends_with(&stage.run("start"), 8, &words);
        if kind != "exit 0" {
            assert_eq!((stage.containers(), stage.folder_is_there()), (0, false), "{kind}");
        }
        ends_with(&stage.run("destroy"), 0, &[]);
        assert_eq!((stage.containers(), stage.folder_is_there()), (0, false), "{kind}");
    }
}

#[test]
fn a_node_image_that_cannot_be_pulled_is_named_before_kind_is_asked() {
    let stage = Stage::new("exit 0");
    std::fs::remove_file(stage.0.project().join("state/image")).unwrap();
    stage.state(
        "pull",
        "Error response from daemon: manifest for node:v9 not found: manifest unknown",
    );
    ends_with(&stage.run("start"), 8, &["no such node image", "pulling the node image"]);
    assert!(!stage.calls().contains("kind create"));
}

#[test]
fn what_a_killed_run_left_is_mended_by_the_next_and_taken_away_by_destroy() {
    let stage = Stage::new("sleep 1; exit 1");
    let words = ["start", "-l", "-f", "flavours/one.yaml", "--provider", "kind"];
    let mut child = stage.0.start(words);
    let begun = Instant::now();
    while stage.containers() == 0 {
        assert!(begun.elapsed() < Duration::from_mins(1), "kind was never asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    drop(finish(child));
    assert_eq!((stage.containers(), stage.folder_is_there()), (1, true));
    stage.state("kind", "echo 'ERROR: no space left on device' >&2; exit 1");
    ends_with(&stage.run("start"), 8, &["removing what an earlier try left", "is full"]);
    assert!(stage.calls().contains("docker rm --force --volumes c1"));
    assert_eq!(stage.containers(), 0);
}

#[test]
fn a_stopped_cluster_is_there_and_stop_says_what_there_is() {
    let stage = Stage::new("exit 0");
    stage.theirs("exited", "/dev/null:/etc/datamill.dev/one/bcd:ro");
    ends_with(&stage.run("status"), 0, &["stopped"]);
    ends_with(&stage.run("stop"), 0, &["stopped already"]);
    stage.theirs("running", "/dev/null:/etc/datamill.dev/one/bcd:ro");
    ends_with(&stage.run("status"), 8, &["its containers run", "kind delete cluster"]);
}

#[test]
fn auto_takes_kind_where_an_engine_runs_and_says_why_not_elsewhere() {
    let stage = Stage::new("exit 0");
    let auto = |command: &str| {
        let words = ["-l", "-f", "flavours/one.yaml", "--provider", "auto"];
        stage.0.datamill(command.split(' ').chain(words))
    };
    ends_with(&auto("status"), 0, &["chose kind", "a container engine runs"]);
    stage.state("down", "Cannot connect to the Docker daemon at unix:///x.");
    ends_with(&auto("status"), 0, &["chose kwok", "Cannot connect"]);
}
