//! Helm releases: drawn by the real Helm, marked by the post-renderer, looked at in Helm's own storage, written under a lock
//! that lives as long as Helm does.

mod apply;
mod cache;
mod claims;
mod compared;
mod crds;
mod deferred;
mod delete;
mod discover;
mod lock;
mod observe;
mod precondition;
mod random;
mod recreate;
mod render;
mod repair;
mod scope;
mod stored;
mod strangers;
mod upgrade;
mod values;
mod watch;

use std::collections::BTreeMap;

use super::compare::HelmOwnership;
use super::session::Session;
use crate::adapter::helm::{ClusterAccess, Rules};
use crate::model::{
    Class, ClusterFacts, HelmWait, Identity, Known, Marks, ObjectRef, Outputs, ReleaseSpec,
    Rendered, Resource, ResourceId,
};

pub use crate::adapter::helm::HelmSettings;
pub use apply::apply;
pub use claims::mark_claims;
pub use crds::{chart_crds, chart_crds_below};
pub use discover::discover;
pub use observe::observe;
pub use render::render;
pub use strangers::strangers;

/// The field manager under which Helm writes.
const MANAGER: &str = "helm";
/// How much of the inputs' digest the label on a release's storage holds.
const HASH_LENGTH: usize = 40;
/// A field manager's name may not be longer.
const LONGEST_MANAGER: usize = 128;

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

/// The objects whose readiness counts for a release, as far as it was rendered.
pub fn health_objects(resource: &Resource, spec: &ReleaseSpec) -> Vec<ObjectRef> {
    match spec.wait {
        HelmWait::Ready => {
            let objects = resource.rendered.iter().flat_map(|rendered| &rendered.objects);
            objects.filter_map(crate::model::Object::reference).collect()
        }
        HelmWait::Hooks | HelmWait::Nothing => Vec::new(),
    }
}

/// What the post-renderer changes for a release.
fn rules(identity: &Identity, resource: &Resource, simulated: bool) -> Rules {
    let marks = Marks::of(identity, resource);
    Rules {
        labels: marks.labels,
        annotations: marks.annotations,
        ignore: resource.ignore.iter().map(|rule| rule.path.clone()).collect(),
        live: BTreeMap::new(),
        data: match resource.class {
            Class::Data => ["*/*".to_owned()].into(),
            Class::Stateful | Class::Stateless => std::collections::BTreeSet::new(),
        },
        simulated,
    }
}

/// What a release tells others.
fn outputs(spec_release: &str, namespace: &str, revision: u64) -> Outputs {
    BTreeMap::from([
        ("release".to_owned(), spec_release.into()),
        ("namespace".to_owned(), namespace.into()),
        ("revision".to_owned(), revision.into()),
    ])
}

fn access(session: &Session) -> ClusterAccess {
    ClusterAccess {
        kubeconfig: session.kubeconfig.clone(),
        context: Some(session.context.clone()).filter(|context| !context.is_empty()),
    }
}

fn ownership(spec: &ReleaseSpec) -> HelmOwnership<'_> {
    HelmOwnership { release: &spec.release, namespace: &spec.namespace }
}

/// The field manager of what datamill itself writes for an instance.
fn own_manager(identity: &Identity, id: &ResourceId) -> String {
    let scope = id.instance_name().map_or("target", |name| name.as_str());
    let name = format!("datamill/{}/{scope}", identity.owner);
    name.chars().take(LONGEST_MANAGER).collect()
}

/// The beginning of the inputs' digest, as the storage's label holds it.
fn short_inputs(rendered: &Rendered) -> &str {
    rendered.inputs.short(HASH_LENGTH)
}
