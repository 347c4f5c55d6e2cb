//! Names and logical ids. An id is ours and never a cloud's: it stays when the thing behind it is made anew.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name of ours: an RFC 1123 label of at most 63 characters, so that it can be part of any Kubernetes name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Says why a text is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a name is at least one character long")]
    Empty,
    /// The text has more than 63 characters.
    #[error("`{0}` is longer than 63 characters")]
    TooLong(String),
    /// The text has a character other than `a-z`, `0-9` and `-`, or begins or ends with `-`.
    #[error(
        "`{0}` may hold lower-case letters, digits and `-`, and begins and ends with a letter or digit"
    )]
    Characters(String),
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if text.is_empty() {
            Err(NameError::Empty)
        } else if text.len() > 63 {
            Err(NameError::TooLong(text.to_owned()))
        } else if !text.chars().all(|c| plain(c) || c == '-')
            || !text.starts_with(plain)
            || !text.ends_with(plain)
        {
            Err(NameError::Characters(text.to_owned()))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a resource belongs to: the target as a whole, or one instance of a component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Cluster, network, storage, namespaces: shared by the flavours of a project on a target.
    Target,
    /// One installation of a component under a name.
    Instance(Name),
}

/// The family of a resource: which provider drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Clusters on this machine, and existing ones.
    Local,
    /// What lives inside a cluster.
    Kubernetes,
    /// What a cloud's API makes.
    Cloud,
}

/// Every kind of thing that can be left behind, hence planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// A cluster: simulated, local, remote or existing.
    Cluster,
    /// A virtual network of a cloud.
    Network,
    /// A shared file system of a cloud.
    FileSystem,
    /// The door of a file system in a network.
    MountTarget,
    /// A bucket of an object store.
    Bucket,
    /// The record of an installation in its cluster (ConfigMap `kube-system/datamill`).
    Installation,
    /// A namespace.
    Namespace,
    /// Custom resource definitions.
    Crds,
    /// A generated or copied Secret.
    Secret,
    /// A claim: something a component asks of the cluster or of a provider.
    Claim,
    /// A Helm release.
    Release,
    /// Objects given inline or as manifests.
    Objects,
    /// A Job of ours.
    Job,
    /// What must be so, and what is done, before something of an instance goes.
    Removal,
    /// Conditions that must hold before what needs them goes on.
    Wait,
    /// The conditions under which an instance counts as installed.
    Health,
}

impl ResourceKind {
    /// All kinds, in the order of their names' first use in a plan.
    pub const ALL: [Self; 16] = [
        Self::Cluster,
        Self::Network,
        Self::FileSystem,
        Self::MountTarget,
        Self::Bucket,
        Self::Installation,
        Self::Namespace,
        Self::Crds,
        Self::Secret,
        Self::Claim,
        Self::Release,
        Self::Objects,
        Self::Job,
        Self::Removal,
        Self::Wait,
        Self::Health,
    ];

    /// The word used in ids, plans and marks.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Network => "network",
            Self::FileSystem => "file-system",
            Self::MountTarget => "mount-target",
            Self::Bucket => "bucket",
            Self::Installation => "installation",
            Self::Namespace => "namespace",
            Self::Crds => "crds",
            Self::Secret => "secret",
            Self::Claim => "claim",
            Self::Release => "release",
            Self::Objects => "objects",
            Self::Job => "job",
            Self::Removal => "removal",
            Self::Wait => "wait",
            Self::Health => "health",
        }
    }

    /// The family that drives this kind.
    pub fn family(self) -> Family {
        match self {
            Self::Cluster => Family::Local,
            Self::Network | Self::FileSystem | Self::MountTarget | Self::Bucket => Family::Cloud,
            Self::Installation
            | Self::Namespace
            | Self::Crds
            | Self::Secret
            | Self::Claim
            | Self::Release
            | Self::Objects
            | Self::Job
            | Self::Removal
            | Self::Wait
            | Self::Health => Family::Kubernetes,
        }
    }

    /// Whether nothing is left behind by it: it only looks, and is never created or deleted.
    pub fn only_looks(self) -> bool {
        matches!(self, Self::Wait | Self::Health)
    }
}

/// The logical id of a resource. Shown as `kafka/release/strimzi`, `target/cluster/datamill-demo`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceId {
    /// What it belongs to.
    pub scope: Scope,
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name among those of its kind and scope.
    pub name: String,
}

/// A text that is no resource id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form `<instance or target>/<kind>/<name>`")]
pub struct ResourceIdError(pub String);

impl ResourceId {
    /// An id in the scope of the target.
    pub fn target(kind: ResourceKind, name: impl Into<String>) -> Self {
        Self { scope: Scope::Target, kind, name: name.into() }
    }

    /// An id in the scope of an instance.
    pub fn instance(instance: &Name, kind: ResourceKind, name: impl Into<String>) -> Self {
        Self { scope: Scope::Instance(instance.clone()), kind, name: name.into() }
    }

    /// The instance it belongs to, if any.
    pub fn instance_name(&self) -> Option<&Name> {
        match &self.scope {
            Scope::Target => None,
            Scope::Instance(name) => Some(name),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scope {
            Scope::Target => write!(f, "target/{}/{}", self.kind.word(), self.name),
            Scope::Instance(name) => write!(f, "{name}/{}/{}", self.kind.word(), self.name),
        }
    }
}

impl FromStr for ResourceId {
    type Err = ResourceIdError;

    fn from_str(text: &str) -> Result<Self, ResourceIdError> {
        let wrong = || ResourceIdError(text.to_owned());
        let mut parts = text.splitn(3, '/');
        let (scope, word, name) = match (parts.next(), parts.next(), parts.next()) {
            (Some(scope), Some(word), Some(name)) if !name.is_empty() => (scope, word, name),
            _ => return Err(wrong()),
        };
        let kind = ResourceKind::ALL.into_iter().find(|k| k.word() == word).ok_or_else(wrong)?;
        let scope = match scope {
            "target" => Scope::Target,
            other => Scope::Instance(other.parse().ok().ok_or_else(wrong)?),
        };
        Ok(Self { scope, kind, name: name.to_owned() })
    }
}

impl TryFrom<String> for ResourceId {
    type Error = ResourceIdError;

    fn try_from(text: String) -> Result<Self, ResourceIdError> {
        text.parse()
    }
}

impl From<ResourceId> for String {
    fn from(id: ResourceId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        for text in ["target/cluster/datamill-demo", "kafka/release/strimzi", "a/objects/x/y"] {
            assert_eq!(text.parse::<ResourceId>().unwrap().to_string(), text);
        }
        for text in ["", "kafka", "kafka/release", "kafka/release/", "kafka/thing/x", "Kafka/job/x"]
        {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_a_dns_label() {
        assert!("minio-datalake".parse::<Name>().is_ok());
        for text in ["", "-a", "a-", "A", "a_b", "a.b", &"a".repeat(64)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
