//! The simulated cluster: a real control plane as processes on the loopback, driven through `kwokctl --runtime binary`, with a
//! folder of its own. Stopping and deleting is done by process id, so that it works without any tool.

mod config;
mod folder;
mod live;
mod node;
mod process;
mod says;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};

use self::config::Ports;
use self::live::Live;
use super::folder::{Folder, Marker};
use super::{LocalSettings, RunContext, Says, fields, output, user};
use crate::adapter::kube::KubeError;
use crate::adapter::lock::Lock;
use crate::adapter::{files, port};
use crate::model::{
    Cause, Digest, Failure, FailureKind, Found, Health, NodeSpec, Object, Observed, Outputs, Owner,
    Power, Progress, Version,
};
use crate::toolchain::{KUBERNETES, Tool, ToolSet};

/// How long a server may take to answer when it is looked at.
const ANSWER: Duration = Duration::from_secs(5);
/// How often a cluster is made in all, when others take its ports before it does.
const TRIES: usize = 3;
/// What a program says whose port is taken.
const TAKEN: &str = "address already in use";
/// How long until a started cluster takes pods.
const USABLE: Duration = Duration::from_mins(2);

/// The names of the clusters in a folder, half-made ones included.
pub(super) fn names(clusters: &Path) -> Result<Vec<String>, Failure> {
    let entries = match files::list(clusters) {
        Ok(entries) => entries,
        Err(error) if error.is_missing() => Vec::new(),
        Err(error) => {
            return Err(Failure::new(FailureKind::Preflight, "cannot list the local clusters")
                .caused_by(&error));
        }
    };
    let name = |path: &std::path::PathBuf| path.file_name()?.to_str().map(str::to_owned);
    Ok(entries.iter().filter(|path| path.is_dir()).filter_map(name).collect())
}

/// One simulated cluster.
pub(super) struct Kwok {
    name: String,
    folder: Folder,
    settings: Arc<LocalSettings>,
}

impl Kwok {
    pub(super) fn new(name: &str, settings: &Arc<LocalSettings>) -> Self {
        let folder = Folder::new(&settings.clusters, name);
        Self { name: name.to_owned(), folder, settings: Arc::clone(settings) }
    }

    /// Looks: by its markers, its processes, its server, its nodes.
    pub(super) async fn observe(&self, wanted: &[NodeSpec], project: &str) -> Observed {
        let Some(marker) = self.folder.marker() else { return Observed::Absent };
        let owner = if marker.project == project {
            Owner::Ours
        } else {
            Owner::Other(format!("project {}", marker.project))
        };
        let mut found = Found { owner, outputs: self.known(&marker), ..Found::ours() };
        found.version = self.version(&marker);
        let missing = self.missing().await;
        if !missing.is_empty() {
            found.power = Power::Off;
            found.fields = fields(&self.name, wanted);
            let says = format!("not running: {}", missing.join(", "));
            found.health = if missing.len() == process::PROGRAMS.len() {
                Health::Settling(Progress { mark: Digest::of(&says), waits_for: says })
            } else {
                // Nobody stopped it: a part of it died.
                Health::Failed(vec![Cause { object: None, says }])
            };
            return Observed::Present(Box::new(found));
        }
        let looked = tokio::time::timeout(ANSWER, self.ask()).await;
        let (nodes, uid) = match looked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Observed::Unreachable { because: error.to_string() },
            Err(_) => {
                let seconds = ANSWER.as_secs();
                let because = format!("its API server runs and did not answer within {seconds} s");
                return Observed::Unreachable { because };
            }
        };
        found.outputs.insert(output::UID.to_owned(), json!(uid));
        found.health = readiness(&nodes);
        found.fields = self.fields(&nodes, wanted, &marker);
        Observed::Present(Box::new(found))
    }

    /// The programs that run of a cluster which was begun for a project and never came to its end; nothing where there is none.
    pub(super) async fn half_made(&self, project: &str) -> Result<Option<Vec<String>>, String> {
        let begun = self.folder.begun().filter(|marker| marker.project == project);
        if self.folder.marker().is_some() || begun.is_none() {
            return Ok(None);
        }
        // It outlives whoever called it, runs from elsewhere, and is about to start the others. Looked at first: once it has let
        // go, all that it started is there to be seen.
        let locked = self.folder.is_locked(&self.settings.locks);
        let locked = locked.map_err(|error| error.to_string())?;
        let mut names = self.running_names().await;
        names.extend(locked.then(|| "kwokctl".to_owned()));
        Ok(Some(names))
    }

    async fn ask(&self) -> Result<(Vec<Object>, Option<String>), KubeError> {
        let live = self.live().await?;
        Ok((live.nodes().await?, live.cluster().uid().await?))
    }

    async fn live(&self) -> Result<Live, KubeError> {
        Live::connect(&self.folder.kubeconfig(), &self.name).await
    }

    /// The fields as they are, comparable with the wanted ones. A context that is missing in the user's kubeconfig shows as
    /// another name, so that `apply` mends it.
    fn fields(&self, nodes: &[Object], wanted: &[NodeSpec], marker: &Marker) -> Json {
        let found = node::in_order(nodes.iter().filter_map(node::spec).collect(), wanted);
        let same = |name: &str| wanted.iter().find(|spec| spec.name == name);
        let nodes: Vec<_> = found.iter().map(|n| node::fields(n, same(&n.name))).collect();
        let lacks = match self.folder.entry(marker) {
            Ok(entry) => user::lacks(&self.settings, &entry),
            Err(error) => Some(error.to_string()),
        };
        let name = user::shown_name(&self.name, lacks);
        json!({"Kwok": {"name": name, "nodes": nodes}})
    }

    /// Makes it, from whatever was left of an earlier try. The last marker is written last.
    pub(super) async fn create(
        &self,
        nodes: &[NodeSpec],
        run: &RunContext,
    ) -> Result<Outputs, Failure> {
        // Better now than when all is made.
        user::check(&self.settings)?;
        let tools = self.tools().await?;
        let lock = self.lock(&run.progress).await?;
        if let Some(marker) = self.folder.marker() {
            drop(lock);
            return self.take_over(&marker, nodes, run).await;
        }
        if self.folder.root().exists() {
            (run.progress)("removing what an earlier try left".to_owned());
            self.clear().await?;
        }
        let mut tries = 1;
        let (marker, entry) = loop {
            let why = match self.bring_up(&tools, &lock, run).await {
                Ok(made) => {
                    self.furnish(nodes, &run.progress).await?;
                    let missing = self.missing().await;
                    if missing.is_empty() {
                        break made;
                    }
                    // `kwokctl` waits for the API server alone.
                    let says = format!("these ended at once: {}", missing.join(", "));
                    self.failure("create").because(says)
                }
                Err(failure) if failure.causes.iter().any(|c| c.contains(TAKEN)) => failure,
                Err(failure) => return Err(failure),
            };
            if tries == TRIES {
                return Err(why);
            }
            tries += 1;
            // Somebody took a port in between; other ones will do.
            (run.progress)("its ports were taken by others; trying other ones".to_owned());
            self.clear().await?;
        };
        user::merge(&self.settings, &entry).await?;
        let written = self.folder.complete(&marker);
        written.map_err(|error| self.failure("create").caused_by(&error))?;
        self.outputs().await
    }

    /// Another run of the same project made it meanwhile.
    async fn take_over(
        &self,
        marker: &Marker,
        nodes: &[NodeSpec],
        run: &RunContext,
    ) -> Result<Outputs, Failure> {
        if marker.project != run.identity.project {
            let what = format!("cluster `{}` belongs to project `{}`", self.name, marker.project);
            return Err(Failure::new(FailureKind::Foreign, what));
        }
        self.start(&run.progress).await?;
        self.update(nodes, run).await
    }

    /// Marker, configuration, processes, private kubeconfig.
    async fn bring_up(
        &self,
        tools: &ToolSet,
        lock: &Lock,
        run: &RunContext,
    ) -> Result<(Marker, crate::adapter::kubeconfig::Entry), Failure> {
        let failed = |error: files::FileError| self.failure("create").caused_by(&error);
        let ports = Ports::new(&port::free(6)).ok_or_else(|| {
            self.failure("create").because("there are no six free ports on the loopback")
        })?;
        let marker = Marker {
            project: run.identity.project.clone(),
            owner: run.identity.owner.clone(),
            version: KUBERNETES.to_string(),
            port: ports.server,
            provider: "kwok".to_owned(),
            kind: None,
        };
        self.folder.begin(&marker).map_err(failed)?;
        self.folder.make_private();
        files::write(&self.folder.config(), config::text(ports)).map_err(failed)?;
        self.kwokctl_create(tools, lock, run).await?;
        let exposed = self.exposed().await;
        if !exposed.is_empty() {
            self.clear().await?;
            let what = format!("these would listen beyond the loopback: {}", exposed.join(", "));
            return Err(self.failure("create").because(what));
        }
        let entry = self.folder.entry(&marker).map_err(failed)?;
        files::write_private(&self.folder.kubeconfig(), entry.alone()).map_err(failed)?;
        Ok((marker, entry))
    }

    /// What lives in it from the beginning.
    async fn furnish(&self, nodes: &[NodeSpec], says: &Says) -> Result<(), Failure> {
        let failed = |error: KubeError| self.failure("set up").caused_by(&error);
        let live = self.live().await.map_err(failed)?;
        says("waiting for the default ServiceAccount".to_owned());
        live.until_usable(USABLE).await.map_err(failed)?;
        live.put_storage_class().await.map_err(failed)?;
        says(format!("adding {} node(s)", nodes.len()));
        live.put_nodes(nodes).await.map_err(failed)
    }

    /// Changes the nodes, and mends the user's kubeconfig.
    pub(super) async fn update(
        &self,
        nodes: &[NodeSpec],
        run: &RunContext,
    ) -> Result<Outputs, Failure> {
        let _lock = self.lock(&run.progress).await?;
        self.furnish(nodes, &run.progress).await?;
        self.mend_kubeconfigs().await?;
        self.outputs().await
    }

    /// Starts what does not run.
    pub(super) async fn start(&self, says: &Says) -> Result<Outputs, Failure> {
        let lock = self.lock(says).await?;
        if self.folder.marker().is_none() {
            let what = format!("cluster `{}` is not there, or only half-made", self.name);
            return Err(Failure::new(FailureKind::Preflight, what)
                .hint("to make it, run:\n    datamill apply"));
        }
        if !self.missing().await.is_empty() {
            let tools = self.tools().await?;
            self.kwokctl_start(&tools, &lock, says).await?;
        }
        let failed = |error: KubeError| self.failure("start").caused_by(&error);
        let live = self.live().await.map_err(failed)?;
        live.until_usable(USABLE).await.map_err(failed)?;
        self.mend_kubeconfigs().await?;
        self.outputs().await
    }

    /// Ends its processes; its content stays.
    pub(super) async fn stop(&self, says: &Says) -> Result<(), Failure> {
        let _lock = self.lock(says).await?;
        says("ending its processes".to_owned());
        self.end_gently().await
    }

    /// Removes it: processes, folder, context. Safe to repeat.
    pub(super) async fn delete(&self, says: &Says) -> Result<(), Failure> {
        let _lock = self.lock(says).await?;
        // First what may fail: a kubeconfig that cannot be read leaves the cluster as it is.
        user::remove(&self.settings, &self.name).await?;
        says("ending its processes".to_owned());
        self.clear().await?;
        // Folders that hold nothing any more go too; others stay, which is no failure.
        std::fs::remove_dir(&self.settings.clusters).ok();
        Ok(())
    }

    /// Says so when the cluster is not the one that a plan was made for.
    pub(super) fn expect(&self, uid: Option<&str>) -> Result<(), Failure> {
        let now = self.folder.marker().and_then(|marker| self.version(&marker).uid);
        match (uid, now) {
            (Some(planned), Some(now)) if planned != now => {
                let what = format!("cluster `{}` was made anew since the plan", self.name);
                Err(Failure::new(FailureKind::Stale, what).hint("plan again"))
            }
            _ => Ok(()),
        }
    }

    async fn clear(&self) -> Result<(), Failure> {
        self.end_at_once().await?;
        let removed = files::remove_folder(self.folder.root());
        removed.map_err(|error| self.failure("delete").caused_by(&error))
    }

    async fn mend_kubeconfigs(&self) -> Result<(), Failure> {
        let Some(marker) = self.folder.marker() else { return Ok(()) };
        let failed = |error: files::FileError| self.failure("open").caused_by(&error);
        let entry = self.folder.entry(&marker).map_err(failed)?;
        files::write_private(&self.folder.kubeconfig(), entry.alone()).map_err(failed)?;
        user::merge(&self.settings, &entry).await
    }

    /// How it is.
    pub(super) async fn health(&self) -> Health {
        if self.folder.marker().is_none() {
            let says = format!("cluster `{}` is not there", self.name);
            return Health::Failed(vec![Cause { object: None, says }]);
        }
        let settling =
            |says: String| Health::Settling(Progress { mark: Digest::of(&says), waits_for: says });
        let missing = self.missing().await;
        if !missing.is_empty() {
            return settling(format!("not running: {}", missing.join(", ")));
        }
        match tokio::time::timeout(ANSWER, self.ask()).await {
            Ok(Ok((nodes, _))) => readiness(&nodes),
            Ok(Err(error)) => settling(error.to_string()),
            Err(_) => settling("its API server does not answer".to_owned()),
        }
    }

    /// What it tells others.
    pub(super) async fn outputs(&self) -> Result<Outputs, Failure> {
        let marker = self
            .folder
            .marker()
            .ok_or_else(|| self.failure("open").because("it is not there, or only half-made"))?;
        let mut outputs = self.known(&marker);
        let asked = tokio::time::timeout(ANSWER, self.ask()).await;
        if let Ok(Ok((_, uid))) = asked {
            outputs.insert(output::UID.to_owned(), json!(uid));
        }
        Ok(outputs)
    }

    /// What it tells others without being asked.
    fn known(&self, marker: &Marker) -> Outputs {
        [
            (output::KUBECONFIG, json!(self.folder.kubeconfig())),
            (output::CONTEXT, json!(self.name)),
            (output::SIMULATED, json!(true)),
            (output::VERSION, json!(marker.version)),
            (output::PROVIDER, json!("kwok")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// A cluster made anew has another port and other keys, hence another version.
    fn version(&self, marker: &Marker) -> Version {
        let begun = format!("{}:{}:{}", self.name, marker.owner, marker.port);
        Version { uid: Some(begun), fields: None }
    }

    async fn tools(&self) -> Result<ToolSet, Failure> {
        let on_tool = &self.settings.on_tool;
        self.settings.toolchain.ensure(&Tool::CONTROL_PLANE, &|event| on_tool(event)).await
    }

    /// One run at a time works on a cluster.
    async fn lock(&self, says: &Says) -> Result<Lock, Failure> {
        let locked = self.folder.lock(&self.settings.locks, says).await;
        locked.map_err(|error| self.failure("lock").caused_by(&error))
    }

    fn failure(&self, verb: &str) -> Failure {
        Failure::new(FailureKind::Preflight, format!("cannot {verb} cluster `{}`", self.name))
    }
}

/// Ready when every node is.
fn readiness(nodes: &[Object]) -> Health {
    let unready: Vec<_> = nodes.iter().filter(|node| !node::is_ready(node)).collect();
    let Some(first) = unready.first().and_then(|node| node.reference()) else {
        return Health::Ready;
    };
    let says =
        format!("{first} is not ready ({} of {} are)", nodes.len() - unready.len(), nodes.len());
    Health::Settling(Progress { mark: Digest::of(&says), waits_for: says })
}
