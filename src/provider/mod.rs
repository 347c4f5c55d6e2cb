//! The only hands: the trait every provider implements, one folder per world.

pub mod kubernetes;
pub mod local;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::model::{
    Census, ClusterFacts, Discovery, Failure, Family, Health, Identity, Known, ObjectRef, Observed,
    Outputs, Redactor, Rendered, Resource, ResourceId, Why,
};
use crate::plan::Step;

/// Drives the kinds of one family. `observe`, `discover` and `health` never change anything.
pub trait Provider: Send + Sync {
    /// All that bears the marks of this installation, wanted or not; names what it could not list.
    fn discover<'a>(&'a self, who: &'a Identity, known: &'a Known) -> BoxFuture<'a, Discovery>;

    /// What is not ours in what may go: inside hosts (namespaces), and among the objects of a release or a set. What cannot be
    /// looked into is in the answer with the reason.
    fn strangers<'a>(
        &'a self,
        _hosts: &'a [ResourceId],
        _who: &'a Identity,
        _known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Result<Vec<ObjectRef>, String>>> {
        Box::pin(std::future::ready(BTreeMap::new()))
    }

    /// How much data is in resources that may go, where the provider can tell more than was seen of them: objects, bytes, the
    /// last write. Those it cannot look into are in the answer with the reason.
    fn census<'a>(
        &'a self,
        _of: &'a [ResourceId],
        _who: &'a Identity,
        _known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Result<Census, String>>> {
        Box::pin(std::future::ready(BTreeMap::new()))
    }

    /// Looks at wanted resources, in one batch. Each of them has an entry in the answer.
    fn observe<'a>(
        &'a self,
        wanted: &'a [&'a Resource],
        who: &'a Identity,
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Observed>>;

    /// Does what the step says and nothing else. Safe to repeat. Does not wait for readiness: the engine does, by `health`.
    fn apply<'a>(
        &'a self,
        step: &'a Step,
        run: &'a RunContext,
    ) -> BoxFuture<'a, Result<Outputs, ProviderError>>;

    /// How resources are now.
    fn health<'a>(
        &'a self,
        of: &'a [&'a Resource],
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Health>>;

    /// Why a resource is not ready, as far as it can be found out now: asked when nobody waits for it any longer, so it may cost
    /// more than a look. Nothing where nobody knows more than `health` tells.
    fn why<'a>(&'a self, _of: &'a Resource, _known: &'a Known) -> BoxFuture<'a, Why> {
        Box::pin(std::future::ready(Why::default()))
    }
}

/// Draws the picture of what resources will be in their cluster. An effect (charts are fetched, Helm is called), cached.
pub trait Renderer: Send + Sync {
    /// Renders resources that live in a cluster, each on its own; `facts` are declared as long as the cluster does not exist.
    /// Resources that only look are not in the answer.
    fn render<'a>(
        &'a self,
        resources: &'a [&'a Resource],
        who: &'a Identity,
        facts: &'a ClusterFacts,
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Result<Rendered, Failure>>>;
}

/// What a provider is told beside the step.
#[derive(Clone)]
pub struct RunContext {
    /// Who acts.
    pub identity: Identity,
    /// Outputs of what is ready: kubeconfig and context of the host among them.
    pub known: Known,
    /// Says in words what is going on; shown beside the running step.
    pub progress: Arc<dyn Fn(String) + Send + Sync>,
    /// True from the second interrupt on: stop at once.
    pub stop: watch::Receiver<bool>,
    /// Masks secret values.
    pub redactor: Redactor,
}

/// Why a provider could not do a step.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// May go well on another try; the engine tries again with back-off.
    #[error("{failure}")]
    Transient {
        /// What, why and what to do.
        failure: Failure,
        /// Not before this has passed.
        after: Option<Duration>,
    },
    /// Will not go well without a change.
    #[error("{failure}")]
    Permanent {
        /// What, why and what to do.
        failure: Failure,
    },
}

impl ProviderError {
    /// A permanent one.
    pub fn permanent(failure: Failure) -> Self {
        Self::Permanent { failure }
    }

    /// A transient one.
    pub fn transient(failure: Failure) -> Self {
        Self::Transient { failure, after: None }
    }

    /// What, why and what to do.
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Transient { failure, .. } | Self::Permanent { failure } => failure,
        }
    }
}

/// The providers of a run, one per family.
#[derive(Clone)]
pub struct Providers(BTreeMap<Family, Arc<dyn Provider>>);

impl Providers {
    /// Puts providers together.
    pub fn new(providers: impl IntoIterator<Item = (Family, Arc<dyn Provider>)>) -> Self {
        Self(providers.into_iter().collect())
    }

    /// The provider of a family, if the run has one.
    pub fn of(&self, family: Family) -> Option<&Arc<dyn Provider>> {
        self.0.get(&family)
    }
}
