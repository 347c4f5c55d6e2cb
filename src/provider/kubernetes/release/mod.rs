//! Helm releases.

use std::collections::BTreeMap;

use super::session::Session;
use crate::model::{
    ChartSource, ClusterFacts, Discovery, Failure, FailureKind, Identity, Known, Object, ObjectRef,
    Observed, Outputs, ReleaseSpec, Rendered, Resource, ResourceId,
};
use crate::plan::Step;
use crate::provider::{ProviderError, RunContext};

/// How Helm is driven.
#[derive(Debug, Clone, Default)]
pub struct HelmSettings {}

/// What a release is rendered for.
pub struct RenderContext<'a> {
    /// How Helm is driven.
    pub helm: &'a HelmSettings,
    /// Who acts.
    pub identity: &'a Identity,
    /// The cluster as declared or found.
    pub facts: &'a ClusterFacts,
    /// Outputs known so far.
    pub known: &'a Known,
    /// The cluster, when it answers: charts that look things up see them.
    pub session: Option<&'a Session>,
}

/// Draws a release as it will be.
pub async fn render(
    context: &RenderContext<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
) -> Result<Rendered, Failure> {
    let _ = (context, resource, spec);
    Err(Failure::new(FailureKind::Bug, "releases are not there yet"))
}

/// The objects of the `crds/` folder and the CRD templates of a chart, for a step `crds`.
pub async fn chart_crds(
    context: &RenderContext<'_>,
    chart: &ChartSource,
) -> Result<Vec<Object>, Failure> {
    let _ = (context, chart);
    Err(Failure::new(FailureKind::Bug, "releases are not there yet"))
}

/// Looks at wanted releases.
pub async fn observe(
    session: &Session,
    helm: &HelmSettings,
    wanted: &[(&Resource, &ReleaseSpec)],
) -> BTreeMap<ResourceId, Observed> {
    let _ = (session, helm);
    wanted.iter().map(|(resource, _)| (resource.id.clone(), Observed::Absent)).collect()
}

/// All releases of this installation. `objects` are the live objects (metadata only) that bear a release's id.
pub async fn discover(
    session: &Session,
    helm: &HelmSettings,
    objects: &BTreeMap<ResourceId, Vec<Object>>,
) -> Discovery {
    let _ = (session, helm, objects);
    Discovery::default()
}

/// Installs, upgrades, repairs or uninstalls a release.
pub async fn apply(
    session: &Session,
    helm: &HelmSettings,
    step: &Step,
    run: &RunContext,
) -> Result<Outputs, ProviderError> {
    let _ = (session, helm, step, run);
    Ok(Outputs::new())
}

/// The objects whose readiness counts for a release.
pub fn health_objects(resource: &Resource, spec: &ReleaseSpec) -> Vec<ObjectRef> {
    let _ = (resource, spec);
    Vec::new()
}
