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
    /// An existing one: never created, stopped or deleted.
    Existing {
        /// The kubeconfig; absent for the usual ones.
        kubeconfig: Option<PathBuf>,
        /// The context; absent for the current one.
        context: Option<String>,
    },
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
