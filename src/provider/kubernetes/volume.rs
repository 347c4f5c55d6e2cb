//! The volumes of claims: looked at beside their claims, and kept from going with one that is only left behind.

use serde_json::{Value as Json, json};

use super::AT_A_TIME;
use super::discover::Marked;
use super::failure::provider_error;
use super::manager;
use super::session::Session;
use super::several::several;
use crate::adapter::kube::KubeError;
use crate::model::{Found, Object, ObjectRef, ResourceId, ResourceKind, Volume, annotation};
use crate::plan::{Action, Marking, Step};
use crate::provider::{ProviderError, RunContext};

const POLICY: &str = "/spec/persistentVolumeReclaimPolicy";

fn reference(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "PersistentVolume".to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

fn text<'a>(object: &'a Object, pointer: &str) -> Option<&'a str> {
    object.0.pointer(pointer).and_then(Json::as_str)
}

/// Whether a volume is bound to the claim of this uid, or to one that cannot be told from it.
fn holds(volume: &Object, claim: Option<&str>) -> bool {
    claim.is_some() && text(volume, "/spec/claimRef/uid") == claim
}

/// Adds the volumes of claims to what was found of them. A volume that may not be looked at is known by its name alone.
pub(super) async fn add<'f>(
    session: &Session,
    marked: &Marked,
    all: impl Iterator<Item = (&'f ResourceId, &'f mut Found)>,
) {
    let look = |id: &ResourceId, found: &'f mut Found| {
        let claim = marked.claim_of(found).filter(|_| id.kind == ResourceKind::Claim)?;
        let name = text(claim, "/spec/volumeName").filter(|name| !name.is_empty())?.to_owned();
        let uid = claim.uid().map(str::to_owned);
        Some(async move {
            found.volume = match session.cluster.get(&reference(&name)).await {
                Ok(Some(volume)) if holds(&volume, uid.as_deref()) => Some(Volume {
                    policy: text(&volume, POLICY).map(str::to_owned),
                    before: volume.annotation(annotation::RECLAIM_POLICY).map(str::to_owned),
                    name,
                }),
                Ok(_) => None,
                Err(_) => Some(Volume { name, policy: None, before: None }),
            };
        })
    };
    several(all.filter_map(|(id, found)| look(id, found)).collect(), AT_A_TIME).await;
}

/// Before anything is done to a claim: what stays behind is outlived by its volume, anything else gives its policy back.
pub(super) async fn follow(
    session: &Session,
    step: &Step,
    run: &RunContext,
) -> Result<(), ProviderError> {
    let Some(found) = step.found.as_ref() else { return Ok(()) };
    let Some(seen) = &found.volume else { return Ok(()) };
    let outlives = match &step.action {
        Action::Retain { .. } => true,
        Action::Create
        | Action::Update
        | Action::Repair
        | Action::Replace
        | Action::Delete
        | Action::Mark { how: Marking::Volume } => false,
        Action::Adopt
        | Action::Mark { how: Marking::Orphan | Marking::Protect { .. } }
        | Action::Keep
        | Action::Use
        | Action::GoesWith { .. }
        | Action::Start
        | Action::Deferred { .. }
        | Action::Waiting { .. }
        | Action::Blocked { .. } => return Ok(()),
    };
    if !outlives && seen.before.is_none() {
        return Ok(());
    }
    let name = reference(&seen.name);
    let claim = found.objects.iter().find(|object| object.object.kind == "PersistentVolumeClaim");
    let claim = claim.and_then(|claim| claim.version.uid.as_deref());
    let written = async {
        let volume = session.cluster.get(&name).await?;
        let Some(volume) = volume.filter(|volume| holds(volume, claim)) else { return Ok(()) };
        let Some(patch) = patch(&volume, outlives) else { return Ok(()) };
        let manager = manager(&session.identity, &step.id);
        session.cluster.merge(&name, &patch, &manager).await.map(|_| ())
    };
    match written.await {
        Ok(()) => Ok(()),
        Err(error) if error.means_absent() => Ok(()),
        Err(KubeError::Forbidden(says)) => {
            (run.progress)(format!(
                "the reclaim policy of its volume {} cannot be set: {says}",
                seen.name
            ));
            Ok(())
        }
        Err(error) => {
            let what = format!("cannot set the reclaim policy of the volume of `{}`", step.id);
            Err(provider_error(what, &error, &session.redactor))
        }
    }
}

/// What is to be written on a volume; nothing when it is so already. What somebody made of the policy meanwhile stays.
fn patch(volume: &Object, outlives: bool) -> Option<Json> {
    let policy = text(volume, POLICY)?;
    let before = volume.annotation(annotation::RECLAIM_POLICY);
    let (note, policy) = match (outlives, before) {
        (true, _) if policy == Volume::RETAIN => return None,
        (true, _) => (json!(policy), Volume::RETAIN),
        (false, None) => return None,
        (false, Some(before)) if policy == Volume::RETAIN => (Json::Null, before),
        (false, Some(_)) => (Json::Null, policy),
    };
    Some(json!({
        "metadata": {"uid": volume.uid(), "annotations": {annotation::RECLAIM_POLICY: note}},
        "spec": {"persistentVolumeReclaimPolicy": policy},
    }))
}
