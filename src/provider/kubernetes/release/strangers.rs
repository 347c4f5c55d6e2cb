//! What of a release bears another owner's mark: Helm would take it along, since it asks for no mark.

use super::super::compare::read_live;
use super::super::owner::owner_of;
use super::super::session::Session;
use super::scope::Scopes;
use super::stored::{self, PayloadError};
use crate::adapter::kube::KubeError;
use crate::model::{Object, ObjectRef, Owner};

/// Of the newest revision of a release.
pub async fn strangers(
    session: &Session,
    namespace: &str,
    release: &str,
) -> Result<Vec<ObjectRef>, KubeError> {
    let Some(head) = stored::head(session, namespace, release).await? else {
        return Ok(Vec::new());
    };
    let payload = match head.payload(session).await {
        Ok(payload) => payload,
        Err(PayloadError::Cluster(error)) => return Err(error),
        // Nobody can read what a damaged revision holds, Helm included.
        Err(PayloadError::Gone | PayloadError::Storage(_)) => return Ok(Vec::new()),
    };
    let kinds = session.cluster.kinds().await?;
    let scopes = Scopes::new(Some(&*kinds), []);
    let objects = payload.objects().unwrap_or_default();
    let objects: Vec<Object> =
        objects.into_iter().map(|object| scopes.placed(object, namespace)).collect();
    among(session, &objects).await
}

/// Of the objects of a stored manifest, without those that Helm keeps.
pub(super) async fn among(
    session: &Session,
    objects: &[Object],
) -> Result<Vec<ObjectRef>, KubeError> {
    let goes = |object: &&Object| object.annotation("helm.sh/resource-policy") != Some("keep");
    let names = objects.iter().filter(goes).filter_map(Object::reference);
    let live = read_live(&session.cluster, names).await?;
    let theirs =
        |object: &Object| matches!(owner_of(object, &session.identity, None), Owner::Other(_));
    Ok(live.into_iter().filter(|(_, object)| theirs(object)).map(|(name, _)| name).collect())
}
