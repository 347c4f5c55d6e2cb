//! Which cluster a run is about: the provider by hand or by `auto`, the wanted cluster, and what the target is called.

use std::path::PathBuf;

use crate::config::{LocalProvider, Project, Target};
use crate::model::{
    ClusterFacts, ClusterSpec, Failure, FailureKind, Known, NodeSpec, Resource, Spec,
};
use crate::provider::local;

/// The wanted cluster, and why it is this one when nobody said so.
pub(super) struct Choice {
    pub(super) cluster: Resource,
    /// A sentence for the screen; nothing when the file or a flag decided.
    pub(super) because: Option<String>,
}

/// Chooses the cluster of a project.
pub(super) fn choose(project: &Project) -> Result<Choice, Failure> {
    match &project.target {
        Target::Local { provider, nodes, .. } => match provider {
            LocalProvider::Kwok => Ok(Choice { cluster: kwok(project, nodes.clone()), because: None }),
            // With what is built so far, nothing else can be chosen.
            LocalProvider::Auto => Ok(Choice {
                cluster: kwok(project, nodes.clone()),
                because: Some(
                    "provider `auto` chose kwok: a simulated cluster, since it needs no container engine"
                        .to_owned(),
                ),
            }),
            LocalProvider::Kind | LocalProvider::Minikube | LocalProvider::Microk8s => {
                Err(not_built(provider.word()))
            }
        },
        Target::Hybrid { kubeconfig, context, .. } => Ok(Choice {
            cluster: existing(project, kubeconfig.clone(), context.clone()),
            because: None,
        }),
        Target::Remote { provider, .. } => Err(not_built(provider.word())),
    }
}

fn not_built(provider: &str) -> Failure {
    Failure::new(
        FailureKind::Preflight,
        format!("provider `{provider}` is not built into this version yet"),
    )
    .because("this version creates kwok clusters and uses existing ones")
    .hint("simulate the platform:\n    datamill plan -l --provider kwok")
    .hint("use a cluster that is there:\n    datamill plan -k --context NAME")
}

fn kwok(project: &Project, nodes: Vec<NodeSpec>) -> Resource {
    let spec = Spec::Cluster(ClusterSpec::Kwok { name: project.cluster_name(), nodes });
    Resource::new(project.cluster_id(), spec)
}

fn existing(project: &Project, kubeconfig: Option<PathBuf>, context: Option<String>) -> Resource {
    let spec = Spec::Cluster(ClusterSpec::Existing { kubeconfig, context });
    Resource::new(project.cluster_id(), spec)
}

/// What the target is called in marks: never a file name.
pub(super) fn target_name(cluster: &Resource, known: &Known) -> String {
    match &cluster.spec {
        Spec::Cluster(ClusterSpec::Kwok { name, .. }) => format!("local-kwok-{name}"),
        Spec::Cluster(ClusterSpec::Existing { .. }) => {
            let uid: String = known
                .text(&cluster.id, "uid")
                .unwrap_or_default()
                .chars()
                .filter(char::is_ascii_hexdigit)
                .take(10)
                .collect();
            format!("hybrid-{uid}")
        }
        Spec::Kubernetes(_) | Spec::Cloud(_) => "unknown".to_owned(),
    }
}

/// What is known of a cluster that does not run: what its target declares.
pub(super) fn declared(project: &Project) -> ClusterFacts {
    let location = project.target.location().word().to_owned();
    match &project.target {
        Target::Local { provider: LocalProvider::Auto | LocalProvider::Kwok, .. } => {
            local::declared()
        }
        // No other provider is built in yet; what the embedded control plane serves stands for what any cluster does.
        Target::Local { .. } | Target::Remote { .. } | Target::Hybrid { .. } => ClusterFacts {
            provider: project.target.provider().to_owned(),
            location,
            simulated: false,
            ..local::declared()
        },
    }
}
