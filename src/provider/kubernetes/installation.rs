//! The record of installations: ConfigMap `kube-system/datamill`, one key per project. Each project writes and removes its own
//! key only; the ConfigMap goes with its last key.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::compare::version_of;
use super::failure::{foreign, provider_error, stale};
use super::normal::normal;
use super::runs;
use super::session::Session;
use super::snapshot;
use crate::adapter::clock;
use crate::adapter::kube::{Cluster, KubeError, Only, Propagation, Write};
use crate::model::{
    AfterApply, Class, Digest, Found, Identity, InstallationId, Object, ObjectFound, ObjectRef,
    Observed, Outputs, Owner, Protection, ResourceId, ResourceKind, Version, label_value,
};
use crate::provider::ProviderError;

/// Its name.
pub const NAME: &str = "datamill";
/// Its namespace.
pub const NAMESPACE: &str = "kube-system";

/// What is noted of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The installation id.
    pub owner: InstallationId,
    /// The target's identity.
    pub target: String,
    /// When, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    /// What a person said about whether all of it may go, the cluster included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<Protection>,
}

fn reference() -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: NAME.to_owned(),
    }
}

fn entry<'a>(map: &'a Object, project: &str) -> Option<&'a str> {
    map.0.get("data")?.get(label_value(project))?.as_str()
}

/// A record as it is written; a text that is no record belongs to somebody we do not know.
fn parse(text: &str) -> Record {
    serde_json::from_str(text).unwrap_or_else(|_| Record {
        owner: InstallationId("unknown".to_owned()),
        target: String::new(),
        created: None,
        protect: None,
    })
}

/// The record of a project in a cluster, if there is one.
pub async fn read(cluster: &Cluster, project: &str) -> Result<Option<Record>, KubeError> {
    let map = cluster.get(&reference()).await?;
    Ok(map.as_ref().and_then(|map| entry(map, project)).map(parse))
}

/// The record as an object that holds our key alone, in the form the plan shows.
fn picture(identity: &Identity, record: &Record) -> Object {
    let shown = json!({"owner": record.owner, "target": record.target}).to_string();
    Object(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {label_value(&identity.project): shown},
    }))
}

/// The record as it is and as it should be.
pub(super) async fn observe(session: &Session) -> Result<Observed, KubeError> {
    let Some(map) = session.cluster.get(&reference()).await? else {
        return Ok(Observed::Absent);
    };
    let Some(text) = entry(&map, &session.identity.project) else { return Ok(Observed::Absent) };
    Ok(Observed::Present(Box::new(found(session, &map, text))))
}

fn found(session: &Session, map: &Object, text: &str) -> Found {
    let identity = &session.identity;
    let record = parse(text);
    let owner = if record.owner == identity.owner {
        Owner::Ours
    } else {
        Owner::Other(format!("installation {} of project {}", record.owner, identity.project))
    };
    let wanted = Record {
        owner: identity.owner.clone(),
        target: identity.target.clone(),
        created: None,
        protect: None,
    };
    let object = ObjectFound {
        object: reference(),
        wanted: true,
        live: Some(picture(identity, &record)),
        after: AfterApply::Would(picture(identity, &wanted)),
        owner: owner.clone(),
        class: Class::Stateless,
        version: Version { uid: map.uid().map(str::to_owned), fields: Some(Digest::of(text)) },
    };
    let objects = vec![normal_found(object)];
    Found {
        owner,
        version: version_of(&objects),
        objects,
        outputs: outputs(&record.owner),
        host: Some(session.host.clone()),
        protection: record.protect,
        ..Found::ours()
    }
}

fn normal_found(object: ObjectFound) -> ObjectFound {
    ObjectFound { live: object.live.as_ref().map(normal), ..object }
}

fn outputs(owner: &InstallationId) -> Outputs {
    Outputs::from([("owner".to_owned(), json!(owner))])
}

/// The record when it is ours, as something discovered.
pub(super) async fn discover(session: &Session) -> Result<Option<(ResourceId, Found)>, KubeError> {
    let id = ResourceId::target(ResourceKind::Installation, session.identity.project.clone());
    match observe(session).await? {
        Observed::Present(found) if found.owner == Owner::Ours => {
            let objects = found.objects.iter().cloned().map(unwanted).collect();
            Ok(Some((id, Found { objects, ..*found })))
        }
        Observed::Present(_) | Observed::Absent | Observed::Unreachable { .. } => Ok(None),
    }
}

fn unwanted(object: ObjectFound) -> ObjectFound {
    ObjectFound { wanted: false, after: AfterApply::Unwanted, ..object }
}

/// Writes our key, once: a key that is there stays as it is, and somebody else's is an error.
pub(super) async fn put(session: &Session, manager: &str) -> Result<Outputs, ProviderError> {
    let identity = &session.identity;
    let failed = |error: KubeError| {
        provider_error("cannot write the record of this installation", &error, &session.redactor)
    };
    if let Some(record) = read(&session.cluster, &identity.project).await.map_err(failed)? {
        return if record.owner == identity.owner {
            Ok(outputs(&record.owner))
        } else {
            Err(overtaken(&record))
        };
    }
    let record = Record {
        owner: identity.owner.clone(),
        target: identity.target.clone(),
        created: Some(clock::since_epoch().as_secs()),
        protect: None,
    };
    let text = serde_json::to_string(&record).unwrap_or_default();
    let object = Object(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {label_value(&identity.project): text},
    }));
    // Not forced: of two that write the same key at once, the second gets a conflict.
    session.cluster.apply(&object, &Write::by(manager)).await.map_err(failed)?;
    Ok(outputs(&record.owner))
}

/// The installations of all projects in a cluster.
pub(super) async fn all(cluster: &Cluster) -> Result<BTreeSet<String>, KubeError> {
    let map = cluster.get(&reference()).await?;
    let data = map.as_ref().and_then(|map| map.0.get("data")?.as_object());
    let texts = data.into_iter().flat_map(|data| data.values()).filter_map(|text| text.as_str());
    Ok(texts.map(|text| label_value(&parse(text).owner.0)).collect())
}

/// The projects that have a record in a cluster.
pub(super) async fn projects(cluster: &Cluster) -> Result<BTreeSet<String>, KubeError> {
    let map = cluster.get(&reference()).await?;
    let data = map.as_ref().and_then(|map| map.0.get("data")?.as_object());
    Ok(data.into_iter().flat_map(|data| data.keys().cloned()).collect())
}

/// Writes beside our key what a person says about whether all of it may go.
pub(super) async fn protect(
    session: &Session,
    said: &Protection,
    manager: &str,
) -> Result<(), ProviderError> {
    let identity = &session.identity;
    let failed = |error: KubeError| {
        provider_error("cannot change the record of this installation", &error, &session.redactor)
    };
    let map = session.cluster.get(&reference()).await.map_err(failed)?;
    let Some((map, text)) =
        map.as_ref().and_then(|map| Some((map, entry(map, &identity.project)?)))
    else {
        return Err(stale(
            "there is no record of this installation",
            "nothing is installed".to_owned(),
        ));
    };
    let record = parse(text);
    if record.owner != identity.owner {
        return Err(foreign(&reference(), &format!("installation {}", record.owner)));
    }
    let record = Record { protect: Some(said.clone()), ..record };
    let version = map.0.pointer("/metadata/resourceVersion").and_then(serde_json::Value::as_str);
    let patch = json!({
        "metadata": {"resourceVersion": version},
        "data": {label_value(&identity.project): serde_json::to_string(&record).unwrap_or_default()},
    });
    session.cluster.merge(&reference(), &patch, manager).await.map_err(failed)?;
    Ok(())
}

/// The plan saw no record, so another run wrote it since: no fault of the files, and the next plan takes it as its own.
fn overtaken(record: &Record) -> ProviderError {
    stale(
        "another run made this installation meanwhile",
        format!("{NAMESPACE}/{NAME} names installation {} of this project since", record.owner),
    )
}

/// Takes our key out, and the ConfigMap with its last key, and what is remembered of runs and of our writes.
pub(super) async fn remove(session: &Session, manager: &str) -> Result<(), ProviderError> {
    let identity = &session.identity;
    let failed = |error: KubeError| {
        provider_error("cannot remove the record of this installation", &error, &session.redactor)
    };
    let map = session.cluster.get(&reference()).await.map_err(failed)?;
    let Some((map, text)) =
        map.as_ref().and_then(|map| Some((map, entry(map, &identity.project)?)))
    else {
        snapshot::forget_all(session).await.map_err(failed)?;
        return runs::remove(&session.cluster, &identity.project).await.map_err(failed);
    };
    let record = parse(text);
    if record.owner != identity.owner {
        return Err(foreign(&reference(), &format!("installation {}", record.owner)));
    }
    // Before the record: a run that dies in between finds the record, and goes on here.
    snapshot::forget_all(session).await.map_err(failed)?;
    runs::remove(&session.cluster, &identity.project).await.map_err(failed)?;
    let version = map.0.pointer("/metadata/resourceVersion").and_then(serde_json::Value::as_str);
    let others =
        map.0.get("data").and_then(serde_json::Value::as_object).is_some_and(|data| data.len() > 1);
    if others {
        let patch = json!({
            "metadata": {"resourceVersion": version},
            "data": {label_value(&identity.project): null},
        });
        session.cluster.merge(&reference(), &patch, manager).await.map_err(failed)?;
    } else {
        let only = Only { uid: map.uid(), version };
        session
            .cluster
            .delete(&reference(), only, Propagation::Background)
            .await
            .map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    #[test]
    fn a_record_of_another_run_of_the_project_is_a_stale_plan_and_nothing_foreign() {
        let record = parse(r#"{"owner":"k2qfrwh2hg","target":"t"}"#);
        let failure = overtaken(&record).failure().clone();
        assert_eq!(failure.kind, FailureKind::Stale);
        assert!(failure.causes.iter().any(|cause| cause.contains("k2qfrwh2hg")), "{failure:?}");
    }
}
