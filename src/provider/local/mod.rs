//! Clusters on this machine, and existing ones: the simulated cluster of kwok and the containers of kind, which are ours from end
//! to end, and clusters behind a kubeconfig, which are used and never changed.

mod existing;
mod facts;
mod folder;
mod kind;
mod kwok;
mod usable;
mod user;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};

use self::folder::Folder;
use super::{Provider, ProviderError, RunContext};
use crate::adapter::engine::{Engine, EngineError, EngineInfo};
use crate::model::{
    ClusterSpec, Discovery, Failure, FailureKind, Found, Health, Identity, KindSpec, Known,
    NodeSpec, Observed, Outputs, Redactor, Resource, ResourceId, ResourceKind, Spec,
};
use crate::plan::{Action, Precondition, Step};
use crate::toolchain::{ToolEvent, Toolchain};

pub use existing::contexts;
pub use facts::{declared, facts};
pub use folder::Marker;

/// Names of the outputs of a cluster.
pub mod output {
    /// The path of a kubeconfig that has the cluster.
    pub const KUBECONFIG: &str = "kubeconfig";
    /// The context in it.
    pub const CONTEXT: &str = "context";
    /// Whether no container runs there.
    pub const SIMULATED: &str = "simulated";
    /// Kubernetes version without `v`.
    pub const VERSION: &str = "version";
    /// `kwok`, `kind` or `existing`.
    pub const PROVIDER: &str = "provider";
    /// The UID of namespace `kube-system`: the cluster's fingerprint.
    pub const UID: &str = "uid";
    /// The address of an existing cluster's API server.
    pub const SERVER: &str = "server";
}

/// Is told what happens while tools are got.
pub type OnTool = Arc<dyn Fn(ToolEvent) + Send + Sync>;
/// Is told in words what is going on.
pub type Says = Arc<dyn Fn(String) + Send + Sync>;

/// How local clusters are kept.
#[derive(Clone)]
pub struct LocalSettings {
    /// Gets the programs.
    pub toolchain: Arc<Toolchain>,
    /// The folder for clusters' own files, one folder each.
    pub clusters: PathBuf,
    /// The folder for locks between runs; it may stay when a cluster is gone.
    pub locks: PathBuf,
    /// The kubeconfig that a cluster's context is merged into.
    pub user_kubeconfig: PathBuf,
    /// Whether the context becomes the current one.
    pub use_context: bool,
    /// The environment, read once.
    pub environment: BTreeMap<String, String>,
    /// The user's home.
    pub home: PathBuf,
    /// Masks secrets in what programs say.
    pub redactor: Redactor,
    /// Is told about tools that are got on the way.
    pub on_tool: OnTool,
}

/// The kubeconfig that programs of the user read: the first of `KUBECONFIG`, else `~/.kube/config`.
pub fn usual_kubeconfig(environment: &BTreeMap<String, String>, home: &Path) -> PathBuf {
    let list = environment.get("KUBECONFIG").map(String::as_str).unwrap_or_default();
    let first = std::env::split_paths(list).find(|path| !path.as_os_str().is_empty());
    first.unwrap_or_else(|| home.join(".kube/config"))
}

/// Drives clusters on this machine, and looks at existing ones.
#[derive(Clone)]
pub struct Local {
    settings: Arc<LocalSettings>,
}

impl Local {
    /// Sets up; nothing is looked at yet.
    pub fn new(settings: LocalSettings) -> Self {
        Self { settings: Arc::new(settings) }
    }

    /// What is written in the folder of a cluster of ours, whole or only begun.
    pub fn marker(&self, name: &str) -> Option<Marker> {
        let folder = Folder::new(&self.settings.clusters, name);
        folder.marker().or_else(|| folder.begun())
    }

    /// The names of the clusters in our folder, half-made ones included.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        kwok::names(&self.settings.clusters)
    }

    /// The failure of a run that meets a kind cluster which is not its own.
    pub fn foreign(name: &str, owner: Option<&str>) -> Failure {
        kind::foreign(name, owner)
    }

    /// Whether a program stands on the user's `PATH`.
    pub fn has_program(&self, name: &str) -> bool {
        let path = self.settings.environment.get("PATH").map(String::as_str).unwrap_or_default();
        std::env::split_paths(path).any(|folder| folder.join(name).is_file())
    }

    /// What the container engine says about itself, or why it cannot be used.
    pub async fn engine(&self) -> Result<EngineInfo, EngineError> {
        Engine::of(&self.settings.environment)?.info().await
    }

    /// Whether the container engine has a kind cluster of this name that a project of ours made.
    pub async fn has_kind(&self, name: &str, project: &str) -> Result<bool, EngineError> {
        self.kind(name).is_there(project).await
    }

    /// Removes what an interrupted run left of a cluster that is not there, and what a cluster left that somebody removed by hand.
    /// Says whether there was anything.
    pub async fn clear_remains(
        &self,
        spec: &ClusterSpec,
        project: &str,
        says: &Says,
    ) -> Result<bool, Failure> {
        let Some(name) = spec.name() else { return Ok(false) };
        if self.marker(name).is_none_or(|marker| marker.project != project) {
            return Ok(false);
        }
        match spec {
            ClusterSpec::Kwok { .. } => self.kwok(name).delete(says).await?,
            ClusterSpec::Kind(_) => self.kind(name).delete(project, says).await?,
            ClusterSpec::Existing { .. } => return Ok(false),
        }
        Ok(true)
    }

    /// What runs of a cluster that a run began to make and did not finish; nothing where none was begun.
    pub async fn half_made(
        &self,
        spec: &ClusterSpec,
        project: &str,
    ) -> Result<Option<Vec<String>>, String> {
        match spec {
            ClusterSpec::Kwok { name, .. } => self.kwok(name).half_made(project).await,
            ClusterSpec::Kind(spec) => self.kind(&spec.name).half_made(project).await,
            ClusterSpec::Existing { .. } => Ok(None),
        }
    }

    /// Stops a kwok cluster; its content stays.
    pub async fn stop(&self, name: &str, says: &Says) -> Result<(), Failure> {
        self.kwok(name).stop(says).await
    }

    /// Looks at one cluster.
    pub async fn look(&self, spec: &ClusterSpec, project: &str) -> Observed {
        match spec {
            ClusterSpec::Kwok { name, nodes } => self.kwok(name).observe(nodes, project).await,
            ClusterSpec::Kind(spec) => self.kind(&spec.name).observe(Some(spec), project).await,
            ClusterSpec::Existing { kubeconfig, context } => {
                existing::observe(&self.settings, kubeconfig.as_deref(), context.as_deref()).await
            }
        }
    }

    fn kwok(&self, name: &str) -> kwok::Kwok {
        kwok::Kwok::new(name, &self.settings)
    }

    fn kind(&self, name: &str) -> kind::Kind {
        kind::Kind::new(name, &self.settings)
    }

    async fn carry_out(&self, step: &Step, run: &RunContext) -> Result<Outputs, Failure> {
        let uid = match &step.precondition {
            Precondition::Unchanged { uids, .. } => uids.get("").map(String::as_str),
            Precondition::Absent | Precondition::Nothing => None,
        };
        let wanted = step.wanted.as_ref().map(|resource| &resource.spec);
        match wanted {
            Some(Spec::Cluster(ClusterSpec::Existing { kubeconfig, context })) => {
                let (file, name) = (kubeconfig.as_deref(), context.as_deref());
                if !matches!(step.action, Action::Keep | Action::Use) {
                    return Err(never(step));
                }
                existing::outputs(&self.settings, file, name).await
            }
            Some(Spec::Cluster(ClusterSpec::Kwok { nodes, .. })) => {
                self.carry_out_kwok(step, uid, nodes, run).await
            }
            Some(Spec::Cluster(ClusterSpec::Kind(spec))) => {
                self.carry_out_kind(step, uid, Some(spec), run).await
            }
            // What is to go is wanted by nobody; it says itself who made it.
            None if self.is_kind(step) => self.carry_out_kind(step, uid, None, run).await,
            None | Some(Spec::Kubernetes(_) | Spec::Cloud(_)) => {
                self.carry_out_kwok(step, uid, &[], run).await
            }
        }
    }

    fn is_kind(&self, step: &Step) -> bool {
        let found = step.found.as_ref().and_then(|found| found.outputs.get(output::PROVIDER));
        match found.and_then(|provider| provider.as_str()) {
            Some(provider) => provider == "kind",
            None => self.marker(&step.id.name).is_some_and(|marker| marker.provider == "kind"),
        }
    }

    async fn carry_out_kwok(
        &self,
        step: &Step,
        uid: Option<&str>,
        nodes: &[NodeSpec],
        run: &RunContext,
    ) -> Result<Outputs, Failure> {
        let kwok = self.kwok(&step.id.name);
        kwok.expect(uid)?;
        match &step.action {
            Action::Create | Action::Adopt => kwok.create(nodes, run).await,
            Action::Replace => {
                kwok.delete(&run.progress).await?;
                kwok.create(nodes, run).await
            }
            Action::Update | Action::Repair => kwok.update(nodes, run).await,
            Action::Start => kwok.start(&run.progress).await,
            Action::Delete => {
                kwok.delete(&run.progress).await?;
                Ok(Outputs::new())
            }
            Action::Keep | Action::Use => kwok.outputs().await,
            Action::Mark { .. }
            | Action::Retain { .. }
            | Action::GoesWith { .. }
            | Action::Deferred { .. }
            | Action::Waiting { .. }
            | Action::Blocked { .. } => Err(never(step)),
        }
    }

    async fn carry_out_kind(
        &self,
        step: &Step,
        uid: Option<&str>,
        spec: Option<&KindSpec>,
        run: &RunContext,
    ) -> Result<Outputs, Failure> {
        let kind = self.kind(&step.id.name);
        kind.expect(uid).await?;
        let project = &run.identity.project;
        match (&step.action, spec) {
            (Action::Create | Action::Adopt, Some(spec)) => kind.create(spec, run).await,
            (Action::Replace, Some(spec)) => {
                kind.delete(project, &run.progress).await?;
                kind.create(spec, run).await
            }
            (Action::Update | Action::Repair, Some(spec)) => kind.update(spec, &run.progress).await,
            (Action::Start, _) => kind.start(&run.progress).await,
            (Action::Delete, _) => {
                kind.delete(project, &run.progress).await?;
                Ok(Outputs::new())
            }
            (Action::Keep | Action::Use, _) => kind.outputs().await,
            (_, _) => Err(never(step)),
        }
    }
}

fn never(step: &Step) -> Failure {
    let what = format!("cannot {} `{}`", step.action.verb(), step.id);
    Failure::new(FailureKind::Bug, what).because("this is never done to a cluster of this kind")
}

impl Provider for Local {
    fn discover<'a>(&'a self, who: &'a Identity, _known: &'a Known) -> BoxFuture<'a, Discovery> {
        Box::pin(async move {
            let mut discovery = Discovery::default();
            let names = match self.names() {
                Ok(names) => names,
                Err(failure) => {
                    discovery.unlisted.push(failure.causes.join(": "));
                    return discovery;
                }
            };
            for name in names {
                let Some(marker) = self.marker(&name).filter(|m| m.project == who.project) else {
                    continue;
                };
                let id = ResourceId::target(ResourceKind::Cluster, &name);
                let seen = if marker.provider == "kind" {
                    self.kind(&name).observe(None, &who.project).await
                } else {
                    self.kwok(&name).observe(&[], &who.project).await
                };
                match seen {
                    Observed::Present(found) => {
                        discovery.found.insert(id, *found);
                    }
                    // Half-made, or it does not answer: it is ours and can go.
                    Observed::Absent | Observed::Unreachable { .. } => {
                        discovery.found.insert(id, Found::ours());
                    }
                }
            }
            discovery
        })
    }

    fn observe<'a>(
        &'a self,
        wanted: &'a [&'a Resource],
        who: &'a Identity,
        _known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Observed>> {
        Box::pin(async move {
            let looks = wanted.iter().map(|resource| async move {
                let observed = match &resource.spec {
                    Spec::Cluster(spec) => self.look(spec, &who.project).await,
                    Spec::Kubernetes(_) | Spec::Cloud(_) => {
                        Observed::Unreachable { because: "it is no cluster".to_owned() }
                    }
                };
                (resource.id.clone(), observed)
            });
            join_all(looks).await.into_iter().collect()
        })
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        run: &'a RunContext,
    ) -> BoxFuture<'a, Result<Outputs, ProviderError>> {
        Box::pin(async move { self.carry_out(step, run).await.map_err(ProviderError::permanent) })
    }

    fn health<'a>(
        &'a self,
        of: &'a [&'a Resource],
        _known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Health>> {
        Box::pin(async move {
            let looks = of.iter().map(|resource| async move {
                let health = match &resource.spec {
                    Spec::Cluster(ClusterSpec::Kwok { name, .. }) => self.kwok(name).health().await,
                    Spec::Cluster(ClusterSpec::Kind(spec)) => self.kind(&spec.name).health().await,
                    Spec::Cluster(ClusterSpec::Existing { kubeconfig, context }) => {
                        let (file, name) = (kubeconfig.as_deref(), context.as_deref());
                        existing::health(&self.settings, file, name).await
                    }
                    Spec::Kubernetes(_) | Spec::Cloud(_) => Health::Failed(Vec::new()),
                };
                (resource.id.clone(), health)
            });
            join_all(looks).await.into_iter().collect()
        })
    }
}

/// Fields as a plan compares them.
fn fields(name: &str, nodes: &[NodeSpec]) -> serde_json::Value {
    let spec = ClusterSpec::Kwok { name: name.to_owned(), nodes: nodes.to_vec() };
    // Plain data always becomes JSON; nothing at all would be a difference in every field.
    serde_json::to_value(spec).unwrap_or_default()
}
