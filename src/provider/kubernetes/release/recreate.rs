//! Objects of a release that cannot change in place and that the user allowed to be made anew: they go directly before the upgrade
//! that brings them again.

use std::collections::BTreeSet;

use super::super::compare::read_live;
use super::super::failure::provider_error;
use super::super::objects::until_gone;
use super::super::owner::{class_of, owner_of};
use super::apply::Work;
use crate::adapter::kube::{Only, Propagation};
use crate::model::{Class, Failure, FailureKind, Object, ObjectRef, Owner, ReleaseSpec, Resource};
use crate::plan::{Effect, Step};
use crate::provider::ProviderError;

/// The objects that the approved plan says are made anew.
pub(super) fn approved(step: &Step) -> BTreeSet<&ObjectRef> {
    let anew = step.changes.iter().filter(|change| change.effect == Effect::Recreate);
    anew.filter_map(|change| change.object.as_ref()).collect()
}

/// Deletes them, each after a look at whose it is, and waits until they are gone. Data never goes this way.
pub(super) async fn clear(
    work: Work<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
    anew: &BTreeSet<&ObjectRef>,
) -> Result<(), ProviderError> {
    if anew.is_empty() {
        return Ok(());
    }
    let session = work.session;
    let what = || format!("cannot make objects of release `{}` anew", spec.release);
    let failed = |error| provider_error(what(), &error, &session.redactor);
    let names = anew.iter().map(|name| (*name).clone());
    let live = read_live(&session.cluster, names).await.map_err(failed)?;
    for (name, object) in live {
        let theirs = match owner_of(&object, &session.identity, Some(&resource.id)) {
            Owner::Other(owner) => Some(owner),
            Owner::Unmarked { manager, .. } if !is_of(&object, spec) => {
                Some(manager.unwrap_or_else(|| "somebody who left no mark".to_owned()))
            }
            Owner::Ours | Owner::Unmarked { .. } => None,
        };
        if let Some(owner) = theirs {
            let failure = Failure::new(FailureKind::Foreign, what());
            return Err(ProviderError::permanent(
                failure.because(format!("{name} belongs to {owner}")),
            ));
        }
        if class_of(&object) == Class::Data {
            let failure = Failure::new(FailureKind::Protected, what());
            return Err(ProviderError::permanent(failure.because(format!("{name} holds data"))));
        }
        (work.run.progress)(format!("makes {name} anew"));
        let only = Only { uid: object.uid(), version: None };
        session.cluster.delete(&name, only, Propagation::Background).await.map_err(failed)?;
        until_gone(session, &name, object.uid(), None, &*work.run.progress).await?;
    }
    Ok(())
}

/// Whether Helm holds an object for a release.
fn is_of(object: &Object, spec: &ReleaseSpec) -> bool {
    object.annotation("meta.helm.sh/release-name") == Some(&spec.release)
        && object.annotation("meta.helm.sh/release-namespace") == Some(&spec.namespace)
}
