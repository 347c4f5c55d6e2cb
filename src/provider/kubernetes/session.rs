//! An open cluster and who acts in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapter::kube::{Cluster, KubeError};
use crate::model::{Identity, Known, Redactor, ResourceId, ResourceKind};

/// A cluster that is there, as its provider's outputs describe it.
#[derive(Clone)]
pub struct Link {
    /// The door.
    pub cluster: Arc<Cluster>,
    /// The cluster's id.
    pub host: ResourceId,
    /// Whether no container runs there.
    pub simulated: bool,
    /// The kubeconfig, for programs.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// Kubernetes version without `v`.
    pub version: String,
    /// Masks secret values.
    pub redactor: Redactor,
    /// Whether datamill itself made it and simulates it: nothing in it calls a webhook.
    pub embedded: bool,
}

/// A cluster that is there, and who acts in it.
#[derive(Clone)]
pub struct Session {
    /// The door.
    pub cluster: Arc<Cluster>,
    /// The cluster's id.
    pub host: ResourceId,
    /// Who acts.
    pub identity: Identity,
    /// Whether no container runs there.
    pub simulated: bool,
    /// The kubeconfig, for programs.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// Kubernetes version without `v`.
    pub version: String,
    /// Masks secret values.
    pub redactor: Redactor,
    /// Objects that go without what handles their finalizers.
    pub strip: Arc<Vec<String>>,
}

impl Link {
    /// The same with somebody who acts.
    pub fn by(self, identity: &Identity) -> Session {
        Session {
            cluster: self.cluster,
            host: self.host,
            identity: identity.clone(),
            simulated: self.simulated,
            kubeconfig: self.kubeconfig,
            context: self.context,
            version: self.version,
            redactor: self.redactor,
            strip: Arc::default(),
        }
    }
}

/// The id of the cluster a resource lives in: its host if that is one, else the only cluster there is. The hosts between
/// (namespaces) are not looked up: a run has one cluster per provider.
pub fn cluster_of(known: &Known, host: Option<&ResourceId>) -> Option<ResourceId> {
    if let Some(host) = host.filter(|host| host.kind == ResourceKind::Cluster) {
        return Some(host.clone());
    }
    let mut clusters = known.ids().filter(|id| id.kind == ResourceKind::Cluster);
    let only = clusters.next()?.clone();
    clusters.next().is_none().then_some(only)
}

/// The clusters opened so far: connections are made once per run.
#[derive(Default)]
pub struct Links(Mutex<BTreeMap<(PathBuf, String), Arc<Cluster>>>);

impl Links {
    /// Opens the cluster of a host; nothing when none is known, hence none is there.
    pub async fn open(
        &self,
        known: &Known,
        host: Option<&ResourceId>,
        redactor: &Redactor,
    ) -> Result<Option<Link>, KubeError> {
        let Some(host) = cluster_of(known, host) else { return Ok(None) };
        let (Some(kubeconfig), Some(context)) =
            (known.text(&host, "kubeconfig"), known.text(&host, "context"))
        else {
            return Ok(None);
        };
        let cluster = self.cluster(Path::new(kubeconfig), context).await?;
        Ok(Some(Link {
            cluster,
            simulated: known
                .get(&host, "simulated")
                .and_then(serde_json::Value::as_bool)
                .unwrap_or_default(),
            kubeconfig: kubeconfig.into(),
            context: context.to_owned(),
            version: known.text(&host, "version").unwrap_or_default().to_owned(),
            redactor: redactor.clone(),
            embedded: known.text(&host, "provider") == Some("kwok"),
            host,
        }))
    }

    async fn cluster(&self, kubeconfig: &Path, context: &str) -> Result<Arc<Cluster>, KubeError> {
        let key = (kubeconfig.to_owned(), context.to_owned());
        let opened = {
            let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            links.get(&key).map(Arc::clone)
        };
        if let Some(cluster) = opened {
            return Ok(cluster);
        }
        let cluster = Arc::new(Cluster::connect(kubeconfig, Some(context)).await?);
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(links.entry(key).or_insert(cluster)))
    }

    /// Forgets all connections: a cluster was stopped, made anew or deleted.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outputs;

    #[test]
    fn the_cluster_is_the_host_or_the_only_one_there_is() {
        let id = |kind, name: &str| ResourceId::target(kind, name);
        let (one, two) = (id(ResourceKind::Cluster, "one"), id(ResourceKind::Cluster, "two"));
        let namespace = id(ResourceKind::Namespace, "a");
        let mut known = Known::default();
        assert_eq!(cluster_of(&known, Some(&namespace)), None);
        known.insert(one.clone(), Outputs::new());
        known.insert(namespace.clone(), Outputs::new());
        assert_eq!(cluster_of(&known, Some(&namespace)), Some(one.clone()));
        known.insert(two.clone(), Outputs::new());
        assert_eq!(cluster_of(&known, Some(&namespace)), None);
        assert_eq!(cluster_of(&known, Some(&two)), Some(two));
    }
}
