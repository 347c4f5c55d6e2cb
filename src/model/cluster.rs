//! Clusters: what is wanted of one, and what is known of the one that is there or declared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A wanted cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterSpec {
    /// A simulated one: a real control plane as local processes, nodes that run no containers.
    Kwok {
        /// `datamill-<project>`; the context is called the same.
        name: String,
        /// The simulated nodes.
        nodes: Vec<NodeSpec>,
    },
    /// One whose nodes are containers of this machine's container engine, made by kind.
    Kind(KindSpec),
    /// An existing one: never created, stopped or deleted.
    Existing {
        /// The kubeconfig; absent for the usual ones.
        kubeconfig: Option<PathBuf>,
        /// The context; absent for the current one.
        context: Option<String>,
    },
}

impl ClusterSpec {
    /// What it is called here; an existing one has no name of ours.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Kwok { name, .. } | Self::Kind(KindSpec { name, .. }) => Some(name),
            Self::Existing { .. } => None,
        }
    }
}

/// A wanted cluster of kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindSpec {
    /// `datamill-<project>`; the context is called the same.
    pub name: String,
    /// The image of its nodes, which decides the version of Kubernetes.
    pub image: String,
    /// Its nodes: control planes first.
    pub nodes: Vec<KindNode>,
    /// Patches of what kind writes for kubeadm, YAML each.
    pub kubeadm_patches: Vec<String>,
    /// Patches of containerd's configuration, TOML each.
    pub containerd_patches: Vec<String>,
    /// Images that its nodes get from this machine.
    #[serde(default)]
    pub load: Vec<NodeImage>,
}

/// An image that nodes get from this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NodeImage {
    /// One that the container engine has, by name.
    OfEngine(String),
    /// A file as `docker save` writes it.
    Archive(PathBuf),
}

impl KindSpec {
    /// Fields that can only change by making the cluster anew.
    pub const IMMUTABLE: [&str; 3] = ["image", "kubeadm_patches", "containerd_patches"];
    /// Fields of a node that can only change by making the cluster anew.
    pub const IMMUTABLE_OF_NODES: [&str; 3] = ["role", "mounts", "ports"];
}

/// A node of a kind cluster: a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindNode {
    /// What it does.
    pub role: KindRole,
    /// Labels of the Kubernetes node.
    pub labels: BTreeMap<String, String>,
    /// Taints of the Kubernetes node, beside those that Kubernetes sets itself.
    pub taints: Vec<Taint>,
    /// Folders of this machine in the node.
    pub mounts: Vec<Mount>,
    /// Ports of this machine that lead to the node.
    pub ports: Vec<Port>,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KindRole {
    /// It runs the control plane; alone, it runs everything.
    ControlPlane,
    /// It runs pods.
    Worker,
}

impl KindRole {
    /// Its word in kind's configuration and in the names of containers.
    pub fn word(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        }
    }
}

/// A folder of this machine in a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mount {
    /// The folder of this machine.
    pub host: String,
    /// Where it lies in the node.
    pub node: String,
    /// Whether nothing there may write into it.
    pub read_only: bool,
}

/// A port of this machine that leads to a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// The address of this machine that listens.
    pub address: String,
    /// The port of this machine.
    pub host: u16,
    /// The port of the node.
    pub node: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// A simulated node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Capacity by resource name, as Kubernetes quantities: `cpu`, `memory`, `ephemeral-storage`, `nvidia.com/gpu`.
    pub capacity: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
}

impl NodeSpec {
    /// The labels that it will bear: those that every node has, under its own.
    pub fn all_labels(&self) -> BTreeMap<String, String> {
        let architecture = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
        let mut labels = BTreeMap::from([
            ("kubernetes.io/hostname".to_owned(), self.name.clone()),
            ("kubernetes.io/os".to_owned(), "linux".to_owned()),
            ("kubernetes.io/arch".to_owned(), architecture.to_owned()),
        ]);
        labels.extend(self.labels.clone());
        labels
    }
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value, often empty.
    #[serde(default)]
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// What a cluster has to offer; nothing where it could not be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Whether no container runs there.
    pub simulated: bool,
    /// Its nodes.
    pub nodes: Option<Vec<NodeFound>>,
    /// Its storage classes.
    pub classes: Option<Vec<StorageFound>>,
}

/// A node that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFound {
    /// `amd64`, `arm64`, as far as its labels tell.
    pub arch: Option<String>,
    /// What pods may take of it, by resource name, as Kubernetes quantities.
    pub capacity: BTreeMap<String, String>,
}

/// A storage class that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageFound {
    /// Its name.
    pub name: String,
    /// Whether claims that name none get it.
    pub is_default: bool,
    /// What makes its volumes.
    pub provisioner: String,
}

/// What is known of a cluster: declared by the target as long as it does not exist, read from it afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// `kwok`, `existing`, `kind`, `aws` and so on.
    pub provider: String,
    /// `local`, `remote` or `hybrid`.
    pub location: String,
    /// Kubernetes version without `v`, such as `1.35.4`.
    pub version: String,
    /// Served APIs: `group/version`, and `group/version/Kind` where known.
    pub apis: BTreeSet<String>,
    /// Whether no container runs there.
    pub simulated: bool,
}
