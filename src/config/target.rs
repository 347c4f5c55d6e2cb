//! Where the cluster is, as resolved from the files: plain data.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::model::{KindNode, NodeImage, NodeSpec};
use crate::yaml::{Located, Problems, Span};

use super::request::Location;

/// The selected target.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// A cluster on this machine.
    Local {
        /// Which program makes it.
        provider: LocalProvider,
        /// Simulated nodes, for `kwok`.
        nodes: Vec<NodeSpec>,
        /// What else the section says.
        settings: Box<LocalSettings>,
    },
    /// A cluster in a cloud.
    Remote {
        /// Which cloud.
        provider: RemoteProvider,
        /// What else the section says.
        settings: Box<RemoteSettings>,
    },
    /// An existing cluster.
    Hybrid {
        /// Its kubeconfig; the usual ones without.
        kubeconfig: Option<PathBuf>,
        /// Its context; the current one without.
        context: Option<String>,
        /// What else the section says.
        settings: HybridSettings,
    },
}

impl Target {
    /// The section it was taken from.
    pub fn location(&self) -> Location {
        match self {
            Self::Local { .. } => Location::Local,
            Self::Remote { .. } => Location::Remote,
            Self::Hybrid { .. } => Location::Hybrid,
        }
    }

    /// The profile that it activates, if any.
    pub fn profile(&self) -> Option<&'static str> {
        match self {
            Self::Local { .. } => Some("local"),
            Self::Remote { .. } => Some("cloud"),
            Self::Hybrid { .. } => None,
        }
    }

    /// The provider's word.
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Local { provider, .. } => provider.word(),
            Self::Remote { provider, .. } => provider.word(),
            Self::Hybrid { .. } => "existing",
        }
    }
}

/// Who makes a local cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LocalProvider {
    /// What is there decides.
    Auto,
    /// minikube.
    Minikube,
    /// microk8s, with or without multipass.
    Microk8s,
    /// kind.
    Kind,
    /// The simulated one.
    Kwok,
}

impl LocalProvider {
    /// All of them with their words.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("auto", Self::Auto),
        ("minikube", Self::Minikube),
        ("microk8s", Self::Microk8s),
        ("kind", Self::Kind),
        ("kwok", Self::Kwok),
    ];

    /// Its word in files and flags.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Minikube => "minikube",
            Self::Microk8s => "microk8s",
            Self::Kind => "kind",
            Self::Kwok => "kwok",
        }
    }
}

/// Which cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemoteProvider {
    /// EKS.
    Aws,
    /// GKE.
    Gcp,
}

impl RemoteProvider {
    /// All words; `gke` is another one for `gcp`.
    pub const WORDS: [(&'static str, Self); 3] =
        [("aws", Self::Aws), ("gcp", Self::Gcp), ("gke", Self::Gcp)];

    /// Its word in files and flags.
    pub fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
        }
    }
}

/// Whether a local cluster gets the machine's graphics processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gpu {
    /// No.
    #[default]
    Off,
    /// When there are some.
    Auto,
    /// It stops without any.
    Required,
}

/// The section `local:` beside provider and nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalSettings {
    /// Processors of the cluster.
    pub cpus: Option<u64>,
    /// Memory of the cluster in MiB.
    pub memory_mib: Option<u64>,
    /// Disk of the cluster in MiB.
    pub storage_mib: Option<u64>,
    /// Graphics processors.
    pub gpu: Gpu,
    /// minikube: flannel as the network.
    pub use_overlay: bool,
    /// Adds the component `istio`.
    pub istio_support: bool,
    /// minikube's driver.
    pub vm_driver: Option<String>,
    /// microk8s in a virtual machine of multipass; what fits the machine without.
    pub use_multipass: Option<bool>,
    /// The wanted version of Kubernetes, without `v`.
    pub kubernetes_version: Option<String>,
    /// What the section means on kind.
    pub kind: KindSettings,
    /// With provider `auto`: what is to be said of the section once a provider is chosen.
    pub once_chosen: BTreeMap<LocalProvider, Problems>,
}

/// What the section `local:` means on kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KindSettings {
    /// The image of the nodes; none when the wanted version has no known one.
    pub image: Option<String>,
    /// The nodes, control planes first.
    pub nodes: Vec<KindNode>,
    /// Patches of what kind writes for kubeadm.
    pub kubeadm_patches: Vec<String>,
    /// Patches of containerd's configuration.
    pub containerd_patches: Vec<String>,
    /// Images that its nodes get from this machine.
    pub load: Vec<NodeImage>,
}

/// The section `remote:` beside the provider.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RemoteSettings {
    /// The cluster's name.
    pub cluster_name: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The zones.
    pub zones: Vec<String>,
    /// Nodes of the first group.
    pub no_nodes: Option<u64>,
    /// The machine type of the first group.
    pub node_size: Option<String>,
    /// The name of the lake bucket.
    pub bucket_name: Option<String>,
    /// Google's project.
    pub project: Option<String>,
    /// AWS' profile of credentials.
    pub profile: Option<String>,
    /// The wanted version of Kubernetes, without `v`.
    pub kubernetes_version: Option<String>,
    /// Further node groups, as written.
    pub node_groups: Option<Located>,
    /// Where the section stands.
    pub at: Option<Span>,
}

/// The section `hybrid:` beside kubeconfig and context.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HybridSettings {
    /// Adds the component `gpu`; false deletes nothing.
    pub gpu_support: bool,
}
