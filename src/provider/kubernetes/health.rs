//! How resources are now: one list per kind and namespace for all that are asked for, and the causes of what lasts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::Instant;

use super::compare::{Live, read_live};
use super::crds;
use super::explain::{Around, explain};
use super::field;
use super::readiness::{Surroundings, missing, readiness, together};
use super::release;
use super::secret;
use super::session::Link;
use super::wait;
use crate::adapter::kube::{KubeError, Listing};
use crate::model::{
    Health, JobReady, KubernetesSpec, Object, ObjectRef, Resource, ResourceId, SecretRule,
    SecretSpec,
};

/// Causes are looked for when something has not been ready for this long.
const PATIENCE: Duration = Duration::from_secs(3);

/// Since when resources have not been ready.
#[derive(Default)]
pub(super) struct Settling {
    since: Mutex<BTreeMap<ResourceId, Instant>>,
    looks: AtomicU64,
}

impl Settling {
    /// Whether a resource has not been ready for long.
    fn lasts(&self, id: &ResourceId, health: &Health) -> bool {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match health {
            Health::Settling(_) => {
                since.entry(id.clone()).or_insert_with(Instant::now).elapsed() > PATIENCE
            }
            Health::Failed(_) => true,
            Health::Ready | Health::Assumed(_) | Health::Started => {
                since.remove(id);
                false
            }
        }
    }
}

/// The objects whose readiness counts for a resource.
pub(super) fn counted(resource: &Resource) -> Vec<ObjectRef> {
    let rendered = resource.rendered.as_ref().map(|rendered| rendered.objects.as_slice());
    let all = || rendered.unwrap_or_default().iter().filter_map(Object::reference);
    match resource.kubernetes() {
        Some(KubernetesSpec::Release(spec)) => release::health_objects(resource, spec),
        Some(KubernetesSpec::Crds(spec)) if !spec.names.is_empty() => {
            all().filter(|object| spec.names.contains(&object.name)).collect()
        }
        Some(
            KubernetesSpec::Namespace(_)
            | KubernetesSpec::Crds(_)
            | KubernetesSpec::Secret(_)
            | KubernetesSpec::Claim(_)
            | KubernetesSpec::Objects(_)
            | KubernetesSpec::Removal(_)
            | KubernetesSpec::Job(_),
        ) => all().collect(),
        Some(KubernetesSpec::Installation | KubernetesSpec::Wait(_)) | None => Vec::new(),
    }
}

pub(super) fn job_ready(resource: &Resource) -> JobReady {
    match resource.kubernetes() {
        Some(KubernetesSpec::Job(spec)) => spec.ready,
        _ => JobReady::Complete,
    }
}

/// How resources are now. Live objects that were read already are not read again.
pub(super) async fn healths(
    link: &Link,
    of: &[&Resource],
    settling: &Settling,
) -> Result<BTreeMap<ResourceId, Health>, KubeError> {
    let asked: BTreeMap<&ResourceId, Vec<ObjectRef>> =
        of.iter().map(|resource| (&resource.id, counted(resource))).collect();
    let waits = of.iter().filter_map(|resource| match resource.kubernetes() {
        Some(KubernetesSpec::Wait(spec)) => Some((resource.id.clone(), spec)),
        _ => None,
    });
    let (live, mut healths) = futures::try_join!(
        read_live(&link.cluster, asked.values().flatten().cloned()),
        wait::healths(link, waits),
    )?;
    for resource in of.iter().filter(|resource| !resource.fails.is_empty()) {
        if let Some(failed) = wait::failed(link, &resource.fails).await? {
            healths.insert(resource.id.clone(), failed);
        }
    }
    let around = surroundings(link, &live).await?;
    for resource in of {
        let objects = asked.get(&resource.id).map(Vec::as_slice).unwrap_or_default();
        let parts = parts(link, resource, objects, &live, &around).await?;
        healths.entry(resource.id.clone()).or_insert_with(|| together(parts));
    }
    let mut evidence = BTreeMap::new();
    for resource in of {
        let Some(health) = healths.get_mut(&resource.id) else { continue };
        if settling.lasts(&resource.id, health) {
            let objects = asked.get(&resource.id).map(Vec::as_slice).unwrap_or_default();
            let look = settling.looks.fetch_add(1, Ordering::Relaxed);
            let around = Around { link, live: &live, look };
            Box::pin(explain(&around, objects, &mut evidence, health)).await?;
        }
    }
    Ok(healths)
}

/// How the parts of a resource are: its objects, and what hangs on them.
async fn parts(
    link: &Link,
    resource: &Resource,
    objects: &[ObjectRef],
    live: &Live,
    around: &Surroundings,
) -> Result<Vec<Health>, KubeError> {
    let of = |name: &ObjectRef| match live.get(name) {
        Some(object) => readiness(object, around, job_ready(resource)),
        None => missing(name),
    };
    let mut parts: Vec<Health> = objects.iter().map(of).collect();
    if let Some(KubernetesSpec::Secret(spec)) = resource.kubernetes() {
        parts.extend(assumed(link, spec).await?);
    }
    if let Some(KubernetesSpec::Crds(_)) = resource.kubernetes()
        && parts.iter().all(Health::lets_go_on)
    {
        let definitions = objects.iter().filter_map(|name| live.get(name));
        parts.extend(crds::unserved(&link.cluster, definitions).await?);
    }
    if link.simulated {
        let stood_in = field::assumed(&link.cluster, resource).await?;
        parts.extend((!stood_in.is_empty()).then_some(Health::Assumed(stood_in)));
    }
    Ok(parts)
}

/// What a Secret of ours was copied from, where that holds placeholders.
async fn assumed(link: &Link, spec: &SecretSpec) -> Result<Option<Health>, KubeError> {
    if !link.simulated {
        return Ok(None);
    }
    let sources: BTreeSet<ObjectRef> = spec
        .keys
        .values()
        .filter_map(|key| match &key.rule {
            SecretRule::Copy(at) => Some(secret::reference(&at.namespace, &at.name)),
            SecretRule::Alnum { .. }
            | SecretRule::Hex { .. }
            | SecretRule::Base64 { .. }
            | SecretRule::Uuid
            | SecretRule::Rsa { .. }
            | SecretRule::Tls { .. }
            | SecretRule::Part { .. }
            | SecretRule::Htpasswd { .. }
            | SecretRule::Given(_)
            | SecretRule::Param(_) => None,
        })
        .collect();
    let live = read_live(&link.cluster, sources).await?;
    let words = secret::assumed(&live.into_values().collect::<Vec<_>>());
    Ok((!words.is_empty()).then_some(Health::Assumed(words)))
}

/// Reads what readiness needs to know beside the objects, only when one of them asks for it.
async fn surroundings(link: &Link, live: &Live) -> Result<Surroundings, KubeError> {
    let mut around = Surroundings { simulated: link.simulated, ..Surroundings::default() };
    let pending: BTreeSet<String> = live
        .iter()
        .filter(|(name, object)| {
            name.kind == "PersistentVolumeClaim"
                && object.0.pointer("/status/phase").and_then(Json::as_str) != Some("Bound")
        })
        .filter_map(|(name, _)| name.namespace.clone())
        .collect();
    if pending.is_empty() {
        return Ok(around);
    }
    let classes = link.cluster.list(&Listing::of("storage.k8s.io/v1", "StorageClass")).await?;
    for class in &classes {
        let Some(name) = class.reference().map(|name| name.name) else { continue };
        if class.0.get("volumeBindingMode").and_then(Json::as_str) == Some("WaitForFirstConsumer") {
            around.late_binding.insert(name.clone());
        }
        if class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true") {
            around.default_class = Some(name);
        }
    }
    for namespace in pending {
        let pods = link.cluster.list(&Listing::of("v1", "Pod").namespace(&namespace)).await?;
        for volume in
            pods.iter().filter_map(|pod| pod.0.pointer("/spec/volumes")?.as_array()).flatten()
        {
            let name = volume.pointer("/persistentVolumeClaim/claimName").and_then(Json::as_str);
            if let Some(name) = name {
                around.claims_in_use.insert((namespace.clone(), name.to_owned()));
            }
        }
    }
    Ok(around)
}
