//! Clusters on this machine, and existing ones: the simulated cluster of kwok, which is ours from end to end, and clusters behind
//! a kubeconfig, which are used and never changed.

mod existing;
mod facts;
mod kwok;
mod user;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};

use super::{Provider, ProviderError, RunContext};
use crate::model::{
    ClusterSpec, Discovery, Failure, FailureKind, Found, Health, Identity, Known, NodeSpec,
    Observed, Outputs, Redactor, Resource, ResourceId, ResourceKind, Spec,
};
use crate::plan::{Action, Precondition, Step};
use crate::toolchain::{ToolEvent, Toolchain};

pub use existing::contexts;
pub use facts::{declared, facts};
pub use kwok::Marker;

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
    /// `kwok` or `existing`.
    pub const PROVIDER: &str = "provider";
    /// The UID of namespace `kube-system`: the cluster's fingerprint.
    pub const UID: &str = "uid";
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

    /// What is written on a kwok cluster of ours, if it is there: its project and its installation id.
    pub fn marker(&self, name: &str) -> Option<Marker> {
        self.kwok(name).marker()
    }

    /// The names of the kwok clusters in our folder, half-made ones included.
    pub fn names(&self) -> Result<Vec<String>, Failure> {
        kwok::names(&self.settings.clusters)
    }

    /// Starts a kwok cluster that is stopped or lost its processes. Gives its outputs.
    pub async fn start(&self, name: &str, says: &Says) -> Result<Outputs, Failure> {
        self.kwok(name).start(says).await
    }

    /// Stops a kwok cluster; its content stays.
    pub async fn stop(&self, name: &str, says: &Says) -> Result<(), Failure> {
        self.kwok(name).stop(says).await
    }

    /// Looks at one cluster.
    pub async fn look(&self, spec: &ClusterSpec, project: &str) -> Observed {
        match spec {
            ClusterSpec::Kwok { name, nodes } => self.kwok(name).observe(nodes, project).await,
            ClusterSpec::Existing { kubeconfig, context } => {
                existing::observe(&self.settings, kubeconfig.as_deref(), context.as_deref()).await
            }
        }
    }

    fn kwok(&self, name: &str) -> kwok::Kwok {
        kwok::Kwok::new(name, &self.settings)
    }

    async fn carry_out(&self, step: &Step, run: &RunContext) -> Result<Outputs, Failure> {
        if let Precondition::Unchanged { uids, .. } = &step.precondition {
            self.kwok(&step.id.name).expect(uids.get("").map(String::as_str))?;
        }
        let wanted = step.wanted.as_ref().map(|resource| &resource.spec);
        match (&step.action, wanted) {
            (
                Action::Create | Action::Adopt,
                Some(Spec::Cluster(ClusterSpec::Kwok { name, nodes })),
            ) => self.kwok(name).create(nodes, run).await,
            (Action::Replace, Some(Spec::Cluster(ClusterSpec::Kwok { name, nodes }))) => {
                self.kwok(name).delete(&run.progress).await?;
                self.kwok(name).create(nodes, run).await
            }
            (
                Action::Update | Action::Repair,
                Some(Spec::Cluster(ClusterSpec::Kwok { name, nodes })),
            ) => self.kwok(name).update(nodes, run).await,
            (Action::Start, _) => self.start(&step.id.name, &run.progress).await,
            (Action::Delete, None | Some(Spec::Cluster(ClusterSpec::Kwok { .. }))) => {
                self.kwok(&step.id.name).delete(&run.progress).await?;
                Ok(Outputs::new())
            }
            (
                Action::Keep | Action::Use,
                Some(Spec::Cluster(ClusterSpec::Existing { kubeconfig, context })),
            ) => {
                let (file, name) = (kubeconfig.as_deref(), context.as_deref());
                existing::outputs(&self.settings, file, name).await
            }
            (Action::Keep | Action::Use, _) => self.kwok(&step.id.name).outputs().await,
            (action, _) => {
                let what = format!("cannot {} `{}`", action.verb(), step.id);
                Err(Failure::new(FailureKind::Bug, what)
                    .because("this is never done to a cluster of this kind"))
            }
        }
    }
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
                let kwok = self.kwok(&name);
                if kwok.begun().is_none_or(|marker| marker.project != who.project) {
                    continue;
                }
                let id = ResourceId::target(ResourceKind::Cluster, &name);
                match kwok.observe(&[], &who.project).await {
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
