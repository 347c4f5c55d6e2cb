//! What is not ours and would go, or was ours, in what may go: namespaces, releases and sets of objects.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::discover::{id_of, labelled};
use super::session::Session;
use super::several::several;
use super::{AT_A_TIME, Kubernetes, installation, manager, namespace, release};
use crate::adapter::kube::{KubeError, Listing};
use crate::model::{
    Identity, Known, Object, ObjectRef, ResourceId, ResourceKind, label, label_value,
};

/// What was seen of each: or why it could not be looked into.
type Seen = BTreeMap<ResourceId, Result<Vec<ObjectRef>, String>>;

impl Kubernetes {
    /// The other projects that live in the only cluster that is known, each with its flavours as far as marks tell.
    pub async fn neighbours(&self, who: &Identity, known: &Known) -> Result<Vec<String>, String> {
        let session = match self.session(known, None, who).await {
            Ok(Some(session)) => session,
            Ok(None) => return Ok(Vec::new()),
            Err(error) => return Err(self.settings.redactor.redact(&error.to_string())),
        };
        let neighbours = neighbours(&session).await;
        neighbours.map_err(|error| session.redactor.redact(&error.to_string()))
    }

    /// What is not ours in namespaces, in releases, and of sets of objects.
    pub(super) async fn look_into(&self, of: &[ResourceId], who: &Identity, known: &Known) -> Seen {
        let may_hold = |id: &&ResourceId| {
            matches!(
                id.kind,
                ResourceKind::Cluster
                    | ResourceKind::Namespace
                    | ResourceKind::Release
                    | ResourceKind::Objects
            )
        };
        let ids: Vec<&ResourceId> = of.iter().filter(may_hold).collect();
        let all = |says: &str| ids.iter().map(|id| ((*id).clone(), Err(says.to_owned()))).collect();
        let session = match self.session(known, None, who).await {
            Ok(Some(session)) if !ids.is_empty() => session,
            Ok(_) => return Seen::new(),
            Err(error) => return all(&self.settings.redactor.redact(&error.to_string())),
        };
        let taken = taken_of_sets(&session, &ids).await;
        let look = |id: &ResourceId| {
            let (id, session, taken) = (id.clone(), &session, &taken);
            async move {
                let seen = look_into_one(session, &id, known, taken).await;
                let because = |error| session.redactor.redact(&format!("`{id}`: {error}"));
                let seen = seen.map_err(because);
                (id, seen)
            }
        };
        let looks = ids.iter().map(|id| look(id)).collect();
        several(looks, AT_A_TIME).await.into_iter().collect()
    }
}

/// Kinds of which each installation has one.
const USUAL: [(&str, &str); 3] =
    [("v1", "Secret"), ("v1", "ConfigMap"), ("v1", "PersistentVolumeClaim")];

async fn neighbours(session: &Session) -> Result<Vec<String>, KubeError> {
    let ours = label_value(&session.identity.project);
    let recorded = installation::projects(&session.cluster).await?;
    let mut all: BTreeMap<String, BTreeSet<String>> =
        recorded.into_iter().map(|project| (project, BTreeSet::new())).collect();
    let selector = format!("{project},{project}!={ours}", project = label::PROJECT);
    for (version, kind) in USUAL {
        let listing = Listing::of(version, kind).labels(&selector).metadata_only();
        for object in session.cluster.list(&listing).await? {
            let Some(project) = object.label(label::PROJECT) else { continue };
            let flavour = object.label(label::FLAVOUR).map(str::to_owned);
            all.entry(project.to_owned()).or_default().extend(flavour);
        }
    }
    all.remove(&ours);
    Ok(all.iter().map(|(project, flavours)| neighbour(project, flavours)).collect())
}

fn neighbour(project: &str, flavours: &BTreeSet<String>) -> String {
    let names: Vec<String> = flavours.iter().map(|flavour| format!("`{flavour}`")).collect();
    match names.as_slice() {
        [] => format!("project `{project}`"),
        [one] => format!("project `{project}` with flavour {one}"),
        several => format!("project `{project}` with flavours {}", several.join(", ")),
    }
}

type Taken = Result<BTreeMap<ResourceId, Vec<ObjectRef>>, KubeError>;

async fn look_into_one(
    session: &Session,
    id: &ResourceId,
    known: &Known,
    taken: &Taken,
) -> Result<Vec<ObjectRef>, KubeError> {
    match id.kind {
        ResourceKind::Cluster => namespace::foreign(session).await,
        ResourceKind::Namespace => {
            namespace::content(session, &id.name).await.map(|content| content.foreign)
        }
        ResourceKind::Release => match (known.text(id, "namespace"), known.text(id, "release")) {
            (Some(namespace), Some(name)) => release::strangers(session, namespace, name).await,
            // Nothing is left of it but what bears our mark.
            _ => Ok(Vec::new()),
        },
        ResourceKind::Network
        | ResourceKind::FileSystem
        | ResourceKind::MountTarget
        | ResourceKind::Bucket
        | ResourceKind::Installation
        | ResourceKind::Crds
        | ResourceKind::Secret
        | ResourceKind::Claim
        | ResourceKind::Objects
        | ResourceKind::Job
        | ResourceKind::Removal
        | ResourceKind::Wait
        | ResourceKind::Health => {
            taken.clone().map(|mut taken| taken.remove(id).unwrap_or_default())
        }
    }
}

/// What sets of objects hold that we wrote, and that bears another owner's mark by now.
async fn taken_of_sets(session: &Session, ids: &[&ResourceId]) -> Taken {
    if ids.iter().all(|id| id.kind != ResourceKind::Objects) {
        return Ok(BTreeMap::new());
    }
    let who = &session.identity;
    let selector = format!(
        "{}={},{}={},{owner},{owner}!={}",
        label::PROJECT,
        label_value(&who.project),
        label::TARGET,
        label_value(&who.target),
        label_value(&who.owner.0),
        owner = label::OWNER,
    );
    let mut taken: BTreeMap<ResourceId, Vec<ObjectRef>> = BTreeMap::new();
    for object in labelled(&session.cluster, &selector).await? {
        let Some(id) = id_of(&object).map(|id| who.renames.id(id)) else { continue };
        if was_written_by(&object, &manager(who, &id)) {
            taken.entry(id).or_default().extend(object.reference());
        }
    }
    Ok(taken)
}

/// Whether a field manager wrote an object, as the server knows it.
fn was_written_by(object: &Object, manager: &str) -> bool {
    let entries = object.0.pointer("/metadata/managedFields").and_then(Json::as_array);
    let mut managers = entries.into_iter().flatten().filter_map(|entry| entry.get("manager"));
    managers.any(|name| name == manager)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_server_knows_who_wrote_an_object() {
        let object = Object(json!({"metadata": {"managedFields": [
            {"manager": "datamill/abc/store"}, {"manager": "kubectl-label"},
        ]}}));
        assert!(was_written_by(&object, "datamill/abc/store"));
        assert!(!was_written_by(&object, "datamill/abc/other"));
        assert!(!was_written_by(&Object(json!({"metadata": {}})), "datamill/abc/store"));
    }
}
