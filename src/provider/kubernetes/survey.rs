//! What a cluster has to offer: nodes and storage classes, for those who ask before anything is made.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Kubernetes;
use super::session::Link;
use crate::adapter::kube::{KubeError, Listing};
use crate::model::{Known, NodeFound, Object, StorageFound, Survey};

impl Kubernetes {
    /// Looks at nodes and storage classes of the only cluster that is known; what cannot be seen (no permission, no cluster) is
    /// left unsaid.
    pub async fn survey(&self, known: &Known) -> Survey {
        let unseen = Survey::default();
        let Ok(Some(link)) = self.open(known, None).await else { return unseen };
        let (nodes, classes) = futures::join!(nodes(&link), classes(&link));
        Survey { simulated: link.simulated, nodes: nodes.ok(), classes: classes.ok() }
    }
}

async fn nodes(link: &Link) -> Result<Vec<NodeFound>, KubeError> {
    let nodes = link.cluster.list(&Listing::of("v1", "Node")).await?;
    Ok(nodes.iter().map(node).collect())
}

fn node(object: &Object) -> NodeFound {
    let given = object.0.pointer("/status/allocatable").and_then(Json::as_object);
    let capacity: BTreeMap<String, String> = given
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    NodeFound { arch: object.label("kubernetes.io/arch").map(str::to_owned), capacity }
}

async fn classes(link: &Link) -> Result<Vec<StorageFound>, KubeError> {
    let classes = link.cluster.list(&Listing::of("storage.k8s.io/v1", "StorageClass")).await?;
    let of = |class: &Object| {
        let provisioner = class.0.get("provisioner").and_then(Json::as_str).unwrap_or_default();
        let default = class.annotation("storageclass.kubernetes.io/is-default-class");
        Some(StorageFound {
            name: class.reference()?.name,
            is_default: default == Some("true"),
            provisioner: provisioner.to_owned(),
        })
    };
    Ok(classes.iter().filter_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_offers_what_is_left_for_pods() {
        let found = node(&Object(json!({
            "metadata": {"labels": {"kubernetes.io/arch": "arm64"}},
            "status": {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "3500m", "pods": "110"}},
        })));
        assert_eq!(found.arch.as_deref(), Some("arm64"));
        assert_eq!(found.capacity["cpu"], "3500m");
    }
}
