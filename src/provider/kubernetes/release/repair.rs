//! Puts back what somebody changed on the objects of a release: the stored manifest is applied as Helm, without a new revision
//! and without hooks.

use std::collections::BTreeSet;

use super::super::compare::write_object;
use super::super::history;
use super::super::session::Session;
use super::apply::Work;
use super::observe::stored_objects;
use super::stored::Head;
use super::{MANAGER, claims, crds, ownership};
use crate::adapter::kube::Write;
use crate::model::{Failure, FailureKind, Object, ObjectRef, Outputs, ReleaseSpec, Resource};
use crate::provider::ProviderError;

pub(super) async fn repair(
    work: Work<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
    head: Option<&Head>,
) -> Result<Outputs, ProviderError> {
    let what = || format!("cannot repair release `{}`", spec.release);
    let Some(head) = head else {
        let failure = Failure::new(FailureKind::Stale, what()).because("the release is gone");
        return Err(ProviderError::permanent(failure));
    };
    let session = work.session;
    let stored = stored_objects(session, spec, head)
        .await
        .map_err(|error| work.unreadable(what(), &error))?;
    let drifted: BTreeSet<&ObjectRef> =
        work.step.changes.iter().filter_map(|change| change.object.as_ref()).collect();
    let is_drifted = |object: &&Object| object.reference().is_some_and(|n| drifted.contains(&n));
    let definitions: Vec<_> = resource
        .rendered
        .iter()
        .flat_map(|rendered| &rendered.objects)
        .filter(|object| crds::is_ours_to_apply(object) && is_drifted(object))
        .cloned()
        .collect();
    crds::apply(session, resource, &definitions).await?;
    for object in stored.iter().filter(is_drifted) {
        put_back(session, resource, spec, object, work).await?;
    }
    claims::mark_claims(session, resource, spec, &stored)
        .await
        .map_err(|error| ProviderError::transient(work.asked(what(), &error)))?;
    work.outputs(spec).await
}

async fn put_back(
    session: &Session,
    resource: &Resource,
    spec: &ReleaseSpec,
    object: &Object,
    work: Work<'_>,
) -> Result<(), ProviderError> {
    if let Some(name) = object.reference() {
        (work.run.progress)(format!("puts back {name}"));
    }
    let write = Write::by(MANAGER).forced();
    let left: Vec<String> = object.reference().map_or_else(Vec::new, |name| {
        let found = work.step.found.as_deref();
        history::left(Some(resource), found, &name).map(str::to_owned).collect()
    });
    let helm = Some(ownership(spec));
    write_object(session, &resource.id, object, &write, helm, &left).await.map(drop)
}
