//! What is not ours and would go, or was ours, in what may go: namespaces, releases and sets of objects.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::discover::{can_bear_marks, id_of};
use super::session::Session;
use super::several::several;
use super::{AT_A_TIME, Kubernetes, manager, namespace, release};
use crate::adapter::kube::{KubeError, Listing, ServedKind};
use crate::model::{
    Identity, Known, Object, ObjectRef, ResourceId, ResourceKind, label, label_value,
};

/// What was seen of each: or why it could not be looked into.
type Seen = BTreeMap<ResourceId, Result<Vec<ObjectRef>, String>>;

impl Kubernetes {
    /// What is not ours in namespaces, in releases, and of sets of objects.
    pub(super) async fn look_into(&self, of: &[ResourceId], who: &Identity, known: &Known) -> Seen {
        let may_hold = |id: &&ResourceId| {
            matches!(
                id.kind,
                ResourceKind::Namespace | ResourceKind::Release | ResourceKind::Objects
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

type Taken = Result<BTreeMap<ResourceId, Vec<ObjectRef>>, KubeError>;

async fn look_into_one(
    session: &Session,
    id: &ResourceId,
    known: &Known,
    taken: &Taken,
) -> Result<Vec<ObjectRef>, KubeError> {
    match id.kind {
        ResourceKind::Namespace => {
            namespace::content(session, &id.name).await.map(|content| content.foreign)
        }
        ResourceKind::Release => match (known.text(id, "namespace"), known.text(id, "release")) {
            (Some(namespace), Some(name)) => release::strangers(session, namespace, name).await,
            // Nothing is left of it but what bears our mark.
            _ => Ok(Vec::new()),
        },
        _ => taken.clone().map(|mut taken| taken.remove(id).unwrap_or_default()),
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
    let kinds = session.cluster.kinds().await?;
    let listable: Vec<&ServedKind> =
        kinds.preferred().iter().filter(|kind| can_bear_marks(kind)).collect();
    let list = |kind: &ServedKind| {
        let listing = Listing::of(&kind.api_version, &kind.kind).labels(&selector).metadata_only();
        async move { session.cluster.list(&listing).await }
    };
    let lists = several(listable.into_iter().map(list).collect(), AT_A_TIME).await;
    let mut taken: BTreeMap<ResourceId, Vec<ObjectRef>> = BTreeMap::new();
    for list in lists {
        let objects = match list {
            Ok(objects) => objects,
            Err(error @ (KubeError::Unreachable(_) | KubeError::Timeout { .. })) => {
                return Err(error);
            }
            // What cannot be listed is named by discovery, which lists the same.
            Err(_) => continue,
        };
        for object in objects {
            let Some(id) = id_of(&object).map(|id| who.renames.id(id)) else { continue };
            if was_written_by(&object, &manager(who, &id)) {
                taken.entry(id).or_default().extend(object.reference());
            }
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
