//! Where a lock is kept. Every write names the version it saw, so that of two who write at once one is refused.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use super::{Lease, object_name};
use crate::adapter::clock;
use crate::adapter::kube::{Cluster, KubeError, Only, Propagation, Write};
use crate::model::{Identity, Marks, Object, ObjectRef, Runner};

/// Where a lock is kept: an API server, or a fake one in tests.
pub trait Slot: Send + Sync {
    /// The lock as it is; nothing when nobody has it.
    fn read(&self) -> BoxFuture<'_, Result<Option<Lease>, KubeError>>;

    /// Makes it; refused when it is there.
    fn create<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, KubeError>>;

    /// Writes it in place of the version it names; refused when there is another.
    fn replace<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, KubeError>>;

    /// Removes it, if it is the version that is named.
    fn remove<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), KubeError>>;
}

/// The Lease of a project in a cluster.
pub struct ClusterSlot {
    cluster: Arc<Cluster>,
    name: ObjectRef,
    labels: Json,
    manager: String,
}

impl ClusterSlot {
    /// The Lease of an identity's project.
    pub fn new(cluster: Arc<Cluster>, who: &Identity) -> Self {
        Self {
            cluster,
            name: reference(&who.project),
            labels: json!(Marks::of_installation(who)),
            manager: "datamill".to_owned(),
        }
    }

    fn object(&self, lease: &Lease) -> Json {
        let time = |time: Option<Duration>| time.map(clock::micro_time);
        json!({
            "apiVersion": self.name.api_version, "kind": self.name.kind,
            "metadata": {
                "name": self.name.name, "namespace": self.name.namespace, "labels": self.labels,
            },
            "spec": {
                "holderIdentity": lease.holder.as_ref().map(ToString::to_string),
                // A Lease counts in whole seconds.
                "leaseDurationSeconds": lease.term.as_secs().max(1),
                "acquireTime": time(lease.acquired),
                "renewTime": time(lease.renewed),
                "leaseTransitions": lease.transitions,
            },
        })
    }
}

fn reference(project: &str) -> ObjectRef {
    ObjectRef {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some("kube-system".to_owned()),
        name: object_name(project),
    }
}

/// The lock of a project as it is in a cluster.
pub(in crate::provider::kubernetes) async fn read(
    cluster: &Cluster,
    project: &str,
) -> Result<Option<Lease>, KubeError> {
    Ok(cluster.get(&reference(project)).await?.as_ref().map(lease))
}

/// A Lease as the server gives it. What somebody wrote into it by hand is held by them.
fn lease(object: &Object) -> Lease {
    let text = |pointer: &str| object.0.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
    let number = |pointer: &str| object.0.pointer(pointer).and_then(Json::as_u64);
    let holder = text("/spec/holderIdentity");
    let unknown = || Runner {
        who: holder.to_owned(),
        run: crate::model::RunId("unknown".to_owned()),
        command: String::new(),
    };
    Lease {
        holder: (!holder.trim().is_empty()).then(|| Runner::read(holder).unwrap_or_else(unknown)),
        term: Duration::from_secs(number("/spec/leaseDurationSeconds").unwrap_or(60).max(1)),
        acquired: clock::read_time(text("/spec/acquireTime")),
        renewed: clock::read_time(text("/spec/renewTime")),
        transitions: number("/spec/leaseTransitions").unwrap_or_default(),
        version: (text("/metadata/uid").to_owned(), text("/metadata/resourceVersion").to_owned()),
    }
}

impl Slot for ClusterSlot {
    fn read(&self) -> BoxFuture<'_, Result<Option<Lease>, KubeError>> {
        Box::pin(async { Ok(self.cluster.get(&self.name).await?.as_ref().map(lease)) })
    }

    fn create<'a>(&'a self, wanted: &'a Lease) -> BoxFuture<'a, Result<Lease, KubeError>> {
        Box::pin(async {
            let object = Object(self.object(wanted));
            let made = self.cluster.create(&object, &Write::by(&self.manager)).await?;
            Ok(lease(&made))
        })
    }

    fn replace<'a>(&'a self, wanted: &'a Lease) -> BoxFuture<'a, Result<Lease, KubeError>> {
        Box::pin(async {
            let mut patch = self.object(wanted);
            let (uid, version) = &wanted.version;
            if let Some(metadata) = patch.pointer_mut("/metadata").and_then(Json::as_object_mut) {
                metadata.insert("uid".to_owned(), json!(uid));
                metadata.insert("resourceVersion".to_owned(), json!(version));
            }
            Ok(lease(&self.cluster.merge(&self.name, &patch, &self.manager).await?))
        })
    }

    fn remove<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), KubeError>> {
        Box::pin(async {
            let (uid, version) = &lease.version;
            let only = Only { uid: Some(uid), version: Some(version) };
            self.cluster.delete(&self.name, only, Propagation::Background).await.map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_read_and_what_makes_no_sense_is_held() {
        let read = |spec: Json| {
            lease(&Object(json!({"metadata": {"uid": "u", "resourceVersion": "7"}, "spec": spec})))
        };
        let held = read(json!({
            "holderIdentity": "ann@laptop laptop.7.1.x apply", "leaseDurationSeconds": 60,
            "renewTime": "2026-01-31T12:30:45.123456Z", "leaseTransitions": 2,
        }));
        let holder = held.holder.clone().unwrap();
        assert_eq!((holder.who.as_str(), holder.command.as_str()), ("ann@laptop", "apply"));
        assert_eq!(held.renewed, Some(Duration::from_micros(1_769_862_645_123_456)));
        assert_eq!(held.version, ("u".to_owned(), "7".to_owned()));
        assert!(held.says().contains("laptop.7.1.x") && held.says().contains("12:30:45 UTC"));
        assert_eq!(read(json!({"holderIdentity": ""})).holder, None);
        assert_eq!(read(json!({})).holder, None);
        assert_eq!(read(json!({"holderIdentity": "me"})).holder.unwrap().who, "me");
        assert_eq!(read(json!({"renewTime": "now"})).renewed, None);
    }
}
