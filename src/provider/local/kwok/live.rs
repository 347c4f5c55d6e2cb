//! What is asked of a simulated cluster that runs, and written into it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::node;
use crate::adapter::kube::{Cluster, KubeError, Listing, Only, Propagation, Write};
use crate::model::{NodeSpec, Object, ObjectRef};
use crate::provider::local::usable;
use serde_json::json;

/// Who writes nodes and the storage class.
const MANAGER: &str = "datamill/local";

/// A running cluster.
pub(super) struct Live(Cluster);

impl Live {
    pub(super) async fn connect(kubeconfig: &Path, context: &str) -> Result<Self, KubeError> {
        Cluster::connect(kubeconfig, Some(context)).await.map(Self)
    }

    pub(super) fn cluster(&self) -> &Cluster {
        &self.0
    }

    /// Waits until pods can be made.
    pub(super) async fn until_usable(&self, patience: Duration) -> Result<(), KubeError> {
        usable::wait(&self.0, patience).await
    }

    /// Makes the default storage class.
    pub(super) async fn put_storage_class(&self) -> Result<(), KubeError> {
        let class = Object(json!({
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "datamill.dev/simulated",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
            "allowVolumeExpansion": true,
        }));
        self.0.apply(&class, &Write::by(MANAGER).forced()).await.map(drop)
    }

    /// The node objects.
    pub(super) async fn nodes(&self) -> Result<Vec<Object>, KubeError> {
        self.0.list(&Listing::of("v1", "Node")).await
    }

    /// Makes the nodes as wanted: adds, changes, and takes away those of ours that are wanted no more.
    pub(super) async fn put_nodes(&self, wanted: &[NodeSpec]) -> Result<(), KubeError> {
        for spec in wanted {
            self.0.apply(&node::object(spec), &Write::by(MANAGER).forced()).await?;
        }
        let names: BTreeSet<_> = wanted.iter().map(|spec| spec.name.as_str()).collect();
        for object in self.nodes().await? {
            let Some(gone) = node::spec(&object).filter(|spec| !names.contains(spec.name.as_str()))
            else {
                continue;
            };
            let reference = ObjectRef {
                api_version: "v1".to_owned(),
                kind: "Node".to_owned(),
                namespace: None,
                name: gone.name,
            };
            self.0.delete(&reference, Only::default(), Propagation::Background).await?;
        }
        Ok(())
    }
}
