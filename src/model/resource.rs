//! A resource: anything we manage, with its wanted shape, and the set of all that is wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kubernetes::{
    ClaimSpec, CrdsSpec, JobSpec, NamespaceSpec, ObjectsSpec, ReleaseSpec, SecretSpec, WaitSpec,
};
use super::{
    ClusterSpec, Condition, Digest, Ignore, Ignored, Leaf, Object, RemovalSpec, ResourceId, Value,
};

/// What happens to a thing when it leaves the file.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Retained.
    Data,
    /// Deleted; protected in production.
    Stateful,
    /// Deleted.
    Stateless,
}

impl Class {
    /// The word used in marks and plans.
    pub fn word(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Stateful => "stateful",
            Self::Stateless => "stateless",
        }
    }

    /// Reads the word back.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Data, Self::Stateful, Self::Stateless].into_iter().find(|c| c.word() == word)
    }
}

/// A resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Its id.
    pub id: ResourceId,
    /// Its wanted shape.
    pub spec: Spec,
    /// What it lives inside; if that is made anew, so is this.
    pub host: Option<ResourceId>,
    /// What must be ready first.
    pub needs: BTreeSet<ResourceId>,
    /// What happens when it leaves the file.
    pub class: Class,
    /// Whether it stays when it leaves the file, whatever its class (`onDelete: keep`).
    pub keep: bool,
    /// Whether it was asked for by name (`-c`) outside the flavour.
    pub extra: bool,
    /// Fields that are left to others.
    pub ignore: Vec<Ignore>,
    /// How long to wait for it.
    pub patience: Patience,
    /// What ends the wait for it at once, with the cause.
    pub fails: Vec<Condition>,
    /// What it will be in its cluster, once rendered.
    pub rendered: Option<Rendered>,
}

/// How long to wait for a resource to become ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Without progress for this long, it has stalled.
    pub stall: Duration,
    /// It may not take longer than this; none for jobs that take days.
    pub ceiling: Option<Duration>,
    /// How often it is tried in all when its errors may pass; as often as any other when absent.
    pub tries: Option<usize>,
}

impl Default for Patience {
    /// 5 minutes without progress, 30 minutes in all (`peers.md` D.4).
    fn default() -> Self {
        Self {
            stall: super::kubernetes::STALL,
            ceiling: Some(Duration::from_mins(30)),
            tries: None,
        }
    }
}

/// A wanted shape: one family per world.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A cluster.
    Cluster(ClusterSpec),
    /// What lives in one.
    Kubernetes(Box<KubernetesSpec>),
    /// What a cloud's API makes.
    Cloud(CloudSpec),
}

/// A thing that a cloud's API makes: its fields, places for outputs of others included.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudSpec {
    /// The wanted fields.
    pub fields: BTreeMap<String, Value>,
    /// Fields that cannot change in place: a difference there is a replacement.
    pub immutable: BTreeSet<String>,
}

/// What lives in a cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum KubernetesSpec {
    /// The record of the installation.
    Installation,
    /// A namespace.
    Namespace(NamespaceSpec),
    /// Custom resource definitions.
    Crds(CrdsSpec),
    /// A Secret.
    Secret(SecretSpec),
    /// A volume claim.
    Claim(ClaimSpec),
    /// A Helm release.
    Release(ReleaseSpec),
    /// Objects.
    Objects(ObjectsSpec),
    /// A Job.
    Job(JobSpec),
    /// Rules by which something of an instance goes.
    Removal(RemovalSpec),
    /// Conditions.
    Wait(WaitSpec),
}

/// What a resource will be in its cluster: the picture that a plan shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The objects, marks included, namespaces filled in.
    pub objects: Vec<Object>,
    /// Hooks of a chart: they are run, not kept.
    pub hooks: Vec<Object>,
    /// Fields that were drawn and are left to others.
    pub ignored: Vec<Ignored>,
    /// The digest of the inputs: chart, values with secrets as keyed hashes, post-render rules. It decides whether something changed.
    pub inputs: Digest,
    /// Outputs that are not known yet and stand in the objects as [`Leaf::shown`].
    pub unknown: BTreeSet<Leaf>,
    /// What makes two renderings of the same inputs differ (`lookup`, `randAlphaNum`, `.Release.Revision` …).
    pub unstable: BTreeSet<String>,
    /// The chart's digest, for the lock file.
    pub chart: Option<Digest>,
    /// Values keys that the chart does not know, a line each: warnings, with `--strict` errors.
    pub findings: Vec<String>,
    /// What else a person should know, a line each.
    pub warnings: Vec<String>,
}

impl Resource {
    /// A resource without needs, hosted by nothing, of class stateless.
    pub fn new(id: ResourceId, spec: Spec) -> Self {
        Self {
            id,
            spec,
            host: None,
            needs: BTreeSet::new(),
            class: Class::Stateless,
            keep: false,
            extra: false,
            ignore: Vec::new(),
            patience: Patience::default(),
            fails: Vec::new(),
            rendered: None,
        }
    }

    /// The Kubernetes spec, if it is one.
    pub fn kubernetes(&self) -> Option<&KubernetesSpec> {
        match &self.spec {
            Spec::Kubernetes(spec) => Some(spec),
            Spec::Cluster(_) | Spec::Cloud(_) => None,
        }
    }
}

impl Spec {
    /// Wraps a Kubernetes spec.
    pub fn kubernetes(spec: KubernetesSpec) -> Self {
        Self::Kubernetes(Box::new(spec))
    }
}

/// All that is wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    /// By id.
    pub resources: BTreeMap<ResourceId, Resource>,
}

impl Desired {
    /// Adds a resource; the one that had its id before is returned.
    pub fn insert(&mut self, resource: Resource) -> Option<Resource> {
        self.resources.insert(resource.id.clone(), resource)
    }

    /// The resource of an id.
    pub fn get(&self, id: &ResourceId) -> Option<&Resource> {
        self.resources.get(id)
    }
}
