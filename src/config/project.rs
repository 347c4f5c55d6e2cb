//! A project as loaded: what is wanted, where, and how it becomes resources.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::inputs::Inputs;
use super::request::{LoadRequest, Location};
use super::resolve::{Environment, LeftOut};
use super::target::{HybridSettings, LocalProvider, LocalSettings, RemoteProvider, Target};
use crate::catalogue::{Catalogue, Expansion, Platform, expand};
use crate::model::{ClusterFacts, Name, Renames, ResourceId, ResourceKind, Scope, Secret};
use crate::yaml::{Located, Problem, Problems};

/// A project with one of its flavours and its target.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// The folder above `flavours/`, else the lone file's folder; where the user stands for a flavour inside the binary.
    pub root: PathBuf,
    /// The flavour's name: the stem of its file.
    pub flavour: String,
    /// The namespace of components that name none.
    pub namespace: String,
    /// The port on which `proxy` listens.
    pub proxy_port: u16,
    /// The folder of the example data.
    pub data_folder: PathBuf,
    /// What the platform is for.
    pub environment: Environment,
    /// Where the cluster is.
    pub target: Target,
    /// Why no target is named, when none is: an error for commands that need a cluster.
    pub target_missing: Option<Problem>,
    /// Every component there is.
    pub catalogue: Catalogue,
    /// What is asked of them.
    pub platform: Platform,
    /// What is not installed, and why.
    pub left_out: Vec<LeftOut>,
    /// `storage:` as written.
    pub storage: Option<Located>,
    /// `images:` as written.
    pub images: Option<Located>,
    /// Hosts and what stands in for them.
    pub mirrors: BTreeMap<String, String>,
    /// What is worth knowing and no error.
    pub warnings: Problems,
    /// Digests of charts, beside the flavours.
    pub lock_file: PathBuf,
    /// The files and variables that it was made from.
    pub inputs: Inputs,
}

/// What `--provider` names.
fn named_provider(request: &LoadRequest) -> Option<LocalProvider> {
    let word = request.provider.as_deref()?;
    LocalProvider::WORDS.iter().find(|(known, _)| *known == word).map(|(_, provider)| *provider)
}

impl Project {
    /// A project known by name only, for a destroy that must work without readable files. Only what stands on the objects
    /// counts then: nothing is wanted.
    pub fn by_name(request: &LoadRequest, name: &Name, flavour: &str) -> Self {
        let target = match request.location {
            Some(Location::Hybrid) => Target::Hybrid {
                kubeconfig: request.kubeconfig.clone(),
                context: request.context.clone(),
                settings: HybridSettings::default(),
            },
            Some(Location::Remote) => {
                Target::Remote { provider: RemoteProvider::Aws, settings: Box::default() }
            }
            Some(Location::Local) | None => Target::Local {
                // Without a file the cluster that is there is meant.
                provider: named_provider(request).unwrap_or(LocalProvider::Auto),
                nodes: Vec::new(),
                settings: Box::new(LocalSettings::default()),
            },
        };
        let (catalogue, _) = Catalogue::load(Vec::new(), None);
        Self {
            name: name.as_str().to_owned(),
            root: request.folder.clone(),
            flavour: flavour.to_owned(),
            namespace: String::new(),
            proxy_port: 0,
            data_folder: PathBuf::new(),
            environment: Environment::Other(String::new()),
            target,
            target_missing: None,
            catalogue,
            platform: Platform { project: name.as_str().to_owned(), ..Platform::default() },
            left_out: Vec::new(),
            storage: None,
            images: None,
            mirrors: BTreeMap::new(),
            warnings: Problems::default(),
            lock_file: request.folder.join("datamill.lock"),
            inputs: Inputs::default(),
        }
    }

    /// The cluster's name: `datamill-<project>` on this machine, the target's in a cloud, `existing` for one that is not ours.
    pub fn cluster_name(&self) -> String {
        match &self.target {
            Target::Local { .. } => format!("datamill-{}", self.name),
            Target::Remote { settings, .. } => {
                settings.cluster_name.clone().unwrap_or_else(|| format!("datamill-{}", self.name))
            }
            Target::Hybrid { .. } => "existing".to_owned(),
        }
    }

    /// The id of the cluster.
    pub fn cluster_id(&self) -> ResourceId {
        target_id(ResourceKind::Cluster, self.cluster_name())
    }

    /// The id of the installation.
    pub fn installation_id(&self) -> ResourceId {
        target_id(ResourceKind::Installation, self.name.clone())
    }

    /// The platform as resources, for a cluster of which these facts are known or declared.
    pub fn expand(&self, facts: &ClusterFacts) -> Result<Expansion, Problems> {
        expand(&self.catalogue, &self.platform, facts, &self.cluster_id(), &self.installation_id())
    }

    /// Instances under other names than before (`moved:`).
    pub fn renames(&self) -> Renames {
        let instances = self.platform.instances.iter();
        Renames::new(instances.filter_map(|instance| {
            let (old, _) = instance.moved.as_ref()?;
            Some((old.clone(), instance.name.clone()))
        }))
    }

    /// The secret values that settings gave, for whoever masks what is shown.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.platform.instances.iter().flat_map(|instance| instance.secrets.values())
    }
}

fn target_id(kind: ResourceKind, name: String) -> ResourceId {
    ResourceId { scope: Scope::Target, kind, name }
}
