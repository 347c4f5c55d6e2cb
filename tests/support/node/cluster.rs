//! One cluster of one node, shared by the tests of a run. Each test has namespaces of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use datamill::adapter::kube;

use super::engine::Engine;
use super::run::said;
use super::{Image, build};
use crate::support::sandbox::{Sandbox, tools};

/// The image of busybox with its names, in every node.
pub(crate) const BUSYBOX: &str = "datamill.test/busybox:1";

/// A cluster that is ready: its class provisions, its names resolve.
pub(crate) struct Cluster {
    engine: Engine,
    kubeconfig: PathBuf,
    /// What its node is made of, unless kind chose.
    image: Option<String>,
    loaded: Mutex<BTreeSet<String>>,
}

impl Cluster {
    pub(super) fn create(engine: Engine) -> Result<Self, String> {
        build::warm_up(&engine)?;
        let image = if engine.is_own() {
            Some(build::node(&engine)?)
        } else {
            std::env::var("DATAMILL_NODE_IMAGE").ok().filter(|image| !image.is_empty())
        };
        let kubeconfig = engine.folder().join("kubeconfig");
        let config = engine.folder().join("kind.yaml");
        fs::write(&config, configuration()).map_err(|error| error.to_string())?;
        let cluster = Self { engine, kubeconfig, image, loaded: Mutex::default() };
        let mut create = cluster.kind();
        create.args(["create", "cluster", "--wait", "300s", "--name", &cluster.name()]);
        create.arg("--config").arg(config).arg("--kubeconfig").arg(&cluster.kubeconfig);
        if let Some(image) = &cluster.image {
            create.args(["--image", image]);
        }
        said(&mut create)?;
        cluster.bring_busybox()?;
        cluster.wait_for_names()?;
        Ok(cluster)
    }

    /// A node built by somebody else has no busybox of ours: the public one takes the name.
    fn bring_busybox(&self) -> Result<(), String> {
        if self.on_node(&["crictl", "inspecti", BUSYBOX]).is_ok()
            || self.on_node(&["ctr", "-n", "k8s.io", "images", "ls", "-q"])?.contains(BUSYBOX)
        {
            return Ok(());
        }
        let public = "docker.io/library/busybox:1.37";
        let was_there = said(self.engine.docker().args(["image", "inspect", public])).is_ok();
        let brought = self.bring_public(public);
        self.engine.forget(BUSYBOX);
        if !was_there {
            self.engine.forget(public);
        }
        brought
    }

    fn bring_public(&self, public: &str) -> Result<(), String> {
        said(self.engine.docker().args(["pull", "-q", public]))?;
        // Its files as an image of one platform: an engine may know of others, and then kind does not load it.
        let container = said(self.engine.docker().args(["create", public]))?;
        let files = self.engine.folder().join("busybox.tar");
        let export =
            said(self.engine.docker().args(["export", container.trim(), "-o"]).arg(&files));
        said(self.engine.docker().args(["rm", container.trim()]))?;
        export?;
        said(self.engine.docker().arg("import").arg(&files).arg(BUSYBOX))?;
        said(self.kind().args(["load", "docker-image", BUSYBOX, "--name", &self.name()])).map(drop)
    }

    /// `CoreDNS` answers some time after kind says that all is ready.
    fn wait_for_names(&self) -> Result<(), String> {
        let ask = "until nslookup kubernetes.default.svc.cluster.local; do sleep 0.2; done";
        let pod =
            ["run", "names", "--image", BUSYBOX, "--image-pull-policy=Never", "--restart=Never"];
        // The first Pod is forbidden until its ServiceAccount exists.
        self.try_kubectl(&["wait", "--for=create", "serviceaccount/default", "--timeout=300s"])?;
        let all: Vec<_> = pod.into_iter().chain(["--", "sh", "-c", ask]).collect();
        self.try_kubectl(&all)?;
        let until = "--for=jsonpath={.status.phase}=Succeeded";
        self.try_kubectl(&["wait", until, "pod/names", "--timeout=300s"])?;
        self.try_kubectl(&["delete", "pod", "names", "--now"]).map(drop)
    }

    /// The name that kind knows it by.
    pub(crate) fn name(&self) -> String {
        self.engine.name()
    }

    /// The name of a project whose kind cluster bears the mark of this run; and the name of that cluster.
    pub(crate) fn project(&self, word: &str) -> (String, String) {
        let cluster = format!("{}-{word}", self.name());
        (cluster.trim_start_matches("datamill-").to_owned(), cluster)
    }

    /// Its only node.
    pub(crate) fn node(&self) -> String {
        format!("{}-control-plane", self.name())
    }

    /// Where it lies, in words.
    pub(super) fn place(&self) -> &'static str {
        if self.engine.is_own() { "a dockerd of its own" } else { "the engine that runs" }
    }

    /// The engine below it.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn kind(&self) -> Command {
        self.engine.command(tools().join("kind"))
    }

    /// Runs a program on the node.
    pub(crate) fn on_node(&self, args: &[&str]) -> Result<String, String> {
        said(self.engine.docker().args(["exec", &self.node()]).args(args))
    }

    /// Puts an image into the node; once for each.
    pub(crate) fn load(&self, image: &Image) {
        let mut loaded = self.loaded.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let name = image.names.first().cloned().unwrap_or_default();
        if !loaded.insert(name) {
            return;
        }
        self.load_into(&self.name(), image);
    }

    /// Puts an image into the nodes of another cluster of the engine.
    pub(crate) fn load_into(&self, cluster: &str, image: &Image) {
        let archive = tempfile::NamedTempFile::new_in(self.engine.folder()).unwrap();
        image.save(archive.path()).unwrap();
        let mut call = self.kind();
        call.args(["load", "image-archive", "--name", cluster]).arg(archive.path());
        said(&mut call).unwrap();
    }

    /// A namespace of its own for a test; deleted when it is dropped.
    pub(crate) fn namespace(&self) -> Namespace<'_> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.kubectl(&["create", "namespace", &name]);
        let wait =
            ["wait", "--for=create", "serviceaccount/default", "--timeout=300s", "-n", &name];
        self.kubectl(&wait);
        Namespace { cluster: self, name }
    }

    /// kubectl, ready to run.
    pub(crate) fn kubectl_command(&self) -> Command {
        let mut command = self.engine.command(tools().join("kubectl"));
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command.arg("--cache-dir").arg(self.engine.folder().join("kubectl"));
        command
    }

    fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        said(self.kubectl_command().args(args))
    }

    /// Runs kubectl and expects it to go well.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap()
    }

    /// Does something with datamill's own door to the cluster, in the engine's network.
    pub(crate) fn inside<T: Send>(&self, work: impl AsyncFnOnce(kube::Cluster) -> T + Send) -> T {
        let run = || {
            self.engine.enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                work(kube::Cluster::connect(&self.kubeconfig, None).await.unwrap()).await
            })
        };
        let done = std::thread::scope(|scope| scope.spawn(run).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// What went on in a namespace, for whoever reads why a test failed.
    pub(crate) fn story(&self, namespace: &str) -> String {
        let ask = |args: &[&str]| {
            let output = self.kubectl_command().args(["-n", namespace]).args(args).output();
            output.map_or_else(
                |error| error.to_string(),
                |output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into(),
            )
        };
        let mut told = Vec::new();
        let mut tell = |title: &str, text: String| told.push(format!("--- {title}\n{text}"));
        tell("objects", ask(&["get", "all,pvc", "-o", "wide"]));
        tell("pods", ask(&["describe", "pods"]));
        tell("events", ask(&["get", "events", "--sort-by=.metadata.creationTimestamp"]));
        for pod in ask(&["get", "pods", "-o", "name"]).lines().filter(|l| l.starts_with("pod/")) {
            tell(&format!("logs of {pod}"), ask(&["logs", pod, "--all-containers", "--tail=30"]));
        }
        // The kubelet's and the runtime's own words, as far as they name the namespace.
        let journal =
            format!("journalctl -u kubelet -u containerd --no-pager | grep {namespace} | tail -60");
        tell("node", self.on_node(&["sh", "-c", &journal]).unwrap_or_else(|why| why));
        tell("load of the machine", fs::read_to_string("/proc/loadavg").unwrap_or_default());
        format!("namespace {namespace}:\n{}", told.join("\n"))
    }

    /// A sandbox whose programs reach the cluster, by a copy of its kubeconfig.
    pub(crate) fn sandbox(&self) -> Sandbox {
        let sandbox = self.machine();
        let copy = sandbox.home().join(".kube/config");
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&self.kubeconfig, copy).unwrap();
        sandbox
    }

    /// A sandbox whose programs reach the engine and its networks, with kind and kubectl on the `PATH`. It knows of no cluster,
    /// and kind makes its nodes of the image that this one is made of.
    pub(crate) fn machine(&self) -> Sandbox {
        let mut sandbox = Sandbox::with_tools();
        sandbox.start_by(self.engine.prefix());
        // docker may stand anywhere, and nsenter does.
        let folders = ["/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Path::new);
        let all = std::iter::once(tools()).chain(folders);
        sandbox.set("PATH", std::env::join_paths(all).unwrap());
        if let Some(host) = self.engine.host() {
            sandbox.set("DOCKER_HOST", host);
        }
        if let Some(image) = &self.image {
            sandbox.set("DATAMILL_NODE_IMAGE", image);
        }
        sandbox
    }
}

/// A namespace and what a test does in it.
pub(crate) struct Namespace<'a> {
    cluster: &'a Cluster,
    pub(crate) name: String,
}

impl Namespace<'_> {
    /// kubectl in it.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.cluster.kubectl(&[&["-n", &self.name], args].concat())
    }

    /// kubectl in it, however it ends.
    pub(crate) fn try_kubectl(&self, args: &[&str]) -> Output {
        self.cluster.kubectl_command().args(["-n", &self.name]).args(args).output().unwrap()
    }

    /// Applies what stands in a text.
    pub(crate) fn apply(&self, text: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        self.kubectl(&["apply", "-f", file.path().to_str().unwrap()]);
    }
}

impl Drop for Namespace<'_> {
    #[expect(clippy::print_stderr, reason = "what went on is for whoever reads why a test failed")]
    fn drop(&mut self) {
        let name = &self.name;
        if std::thread::panicking() {
            eprintln!("{}", self.cluster.story(name));
        }
        self.cluster.try_kubectl(&["delete", "namespace", name, "--wait=false"]).ok();
    }
}

/// What kind is told: more than its defaults only where cgroups are of the first version.
fn configuration() -> &'static str {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        return "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n";
    }
    r#"kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  failCgroupV1: false
  cgroupDriver: cgroupfs
containerdConfigPatches:
- |
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = false
"#
}
