//! What is asked of a running cluster of kind, and written into it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::shape;
use crate::adapter::kube::{Cluster, KubeError, Listing, Write};
use crate::model::{Digest, Health, KindNode, Object, ObjectRef, Progress};
use crate::provider::local::folder::Marker;
use crate::provider::local::usable;

/// Who writes labels, taints and the record.
const MANAGER: &str = "datamill/local";
/// Where the record of how the cluster was made lies.
const RECORD: (&str, &str) = ("kube-system", "datamill-cluster");
/// Its key.
const KEY: &str = "cluster.json";

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

    pub(super) async fn nodes(&self) -> Result<Vec<Object>, KubeError> {
        self.0.list(&Listing::of("v1", "Node")).await
    }

    /// Writes labels and taints that are not as wanted; `names` are those of the wanted nodes, in their order.
    pub(super) async fn put_nodes(
        &self,
        wanted: &[KindNode],
        names: &[String],
    ) -> Result<(), KubeError> {
        let nodes = self.nodes().await?;
        for (name, node) in names.iter().zip(wanted) {
            if let Some(live) = nodes.iter().find(|live| shape::name(live) == name) {
                self.0.apply(&shape::write(live, node), &Write::by(MANAGER).forced()).await?;
            }
        }
        Ok(())
    }

    /// How the cluster was made, as it says itself.
    pub(super) async fn record(&self) -> Result<Option<Marker>, KubeError> {
        let found = self.0.get(&config_map()).await?;
        let text = found.as_ref().and_then(|map| map.0.pointer("/data")?.get(KEY)?.as_str());
        Ok(text.and_then(|text| serde_json::from_str(text).ok()))
    }

    /// Writes down how it was made, for a machine that has lost the cluster's folder.
    pub(super) async fn put_record(&self, marker: &Marker) -> Result<(), KubeError> {
        let (namespace, name) = RECORD;
        let map = Object(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": namespace, "name": name},
            "data": {KEY: json!(marker).to_string()},
        }));
        self.0.apply(&map, &Write::by(MANAGER).forced()).await.map(drop)
    }

    /// Ready when all nodes are, and names are answered.
    pub(super) async fn health(&self, wanted: usize) -> Result<Health, KubeError> {
        let nodes = self.nodes().await?;
        if let Some(says) = unready(&nodes, wanted) {
            return Ok(settling(says));
        }
        let dns = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("kube-system".to_owned()),
            name: "coredns".to_owned(),
        };
        // A cluster that was made without CoreDNS answers names in some other way.
        let Some(found) = self.0.get(&dns).await? else { return Ok(Health::Ready) };
        let count = |path: &str| found.0.pointer(path).and_then(Json::as_u64).unwrap_or_default();
        let (ready, all) = (count("/status/readyReplicas"), count("/spec/replicas"));
        if ready > 0 || all == 0 {
            return Ok(Health::Ready);
        }
        Ok(settling(format!("CoreDNS, which answers names: {ready} of {all} ready")))
    }
}

fn config_map() -> ObjectRef {
    let (namespace, name) = RECORD;
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// A health that says what is waited for.
pub(super) fn settling(says: String) -> Health {
    Health::Settling(Progress { mark: Digest::of(&says), waits_for: says })
}

/// The first node that is not ready, with its own words.
fn unready(nodes: &[Object], wanted: usize) -> Option<String> {
    if nodes.len() < wanted {
        return Some(format!("nodes: {} of {wanted} have joined", nodes.len()));
    }
    let condition = |node: &Object| {
        let conditions = node.0.pointer("/status/conditions").and_then(Json::as_array);
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|one| one.get("type").is_some_and(|kind| kind == "Ready"));
        let text = |key: &str| Some(ready?.get(key)?.as_str()?.to_owned());
        (text("status"), text("message"))
    };
    nodes.iter().find_map(|node| match condition(node) {
        (Some(status), _) if status == "True" => None,
        (_, message) => {
            let says = message.unwrap_or_else(|| "it has said nothing so far".to_owned());
            Some(format!("Node {} is not ready: {says}", shape::name(node)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_not_ready_says_why() {
        let node = |status: &str| {
            let ready = json!({"type": "Ready", "status": status, "message": "cni is missing"});
            Object(json!({"metadata": {"name": "n"}, "status": {"conditions": [ready]}}))
        };
        assert_eq!(unready(&[node("True")], 1), None);
        assert_eq!(unready(&[node("True")], 2).unwrap(), "nodes: 1 of 2 have joined");
        assert_eq!(
            unready(&[node("True"), node("False")], 2).unwrap(),
            "Node n is not ready: cni is missing"
        );
        assert!(unready(&[Object(json!({"metadata": {"name": "n"}}))], 1).is_some());
    }
}
