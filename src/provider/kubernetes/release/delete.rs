//! Takes a release away: `helm uninstall`, then what Helm leaves behind, hooks above all. What is kept stays.

use std::collections::BTreeSet;

use super::super::compare::{delete_object, read_live};
use super::super::ending;
use super::super::failure::provider_error;
use super::apply::Work;
use super::lock::{CEILING, Taken};
use super::scope::Scopes;
use super::stored::{self, Head};
use super::{access, claims, strangers};
use crate::adapter::helm::Uninstall;
use crate::model::{
    Class, Failure, FailureKind, KubernetesSpec, Object, ObjectRef, Owner, POLICY, ReleaseStatus,
};
use crate::plan::{Effect, Precondition};
use crate::provider::ProviderError;
use crate::provider::kubernetes::{class_of, owner_of};

/// Kinds that Helm keeps and that only a step of their own deletes.
const KEPT: [&str; 4] =
    ["PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition", "Namespace"];

/// Uninstalls the release of a step and sweeps what is left of it.
pub(super) async fn delete(work: Work<'_>) -> Result<(), ProviderError> {
    let Some((namespace, release)) = place(work) else {
        // Helm knows nothing of it: only what a failed removal left is there.
        return sweep(work, &BTreeSet::new()).await;
    };
    let taken = work.take(&namespace, &release, None).await?;
    let session = work.session;
    let what = || format!("cannot uninstall release `{release}` in `{namespace}`");
    let head = stored::head(session, &namespace, &release)
        .await
        .map_err(|error| provider_error(what(), &error, &session.redactor))?;
    let mut hooks = BTreeSet::new();
    let mut pods = Vec::new();
    if let Some(head) = &head {
        may_go(work, head, &what(), taken.waited).await?;
        // A damaged revision is uninstalled all the same.
        if let Ok(payload) = head.payload(session).await {
            let kinds = session.cluster.kinds().await.ok();
            let scopes = Scopes::new(kinds.as_deref(), []);
            let place = |json| scopes.placed(json, &namespace);
            let objects: Vec<Object> =
                payload.objects().unwrap_or_default().into_iter().map(place).collect();
            hooks.extend(
                payload
                    .hooks()
                    .unwrap_or_default()
                    .into_iter()
                    .map(place)
                    .filter_map(|o| o.reference()),
            );
            nothing_foreign(work, &objects, &what()).await?;
            // Claims of StatefulSets are marked before what explains them goes.
            claims::mark_now(session, &work.step.id, &head.secret, &namespace, &objects)
                .await
                .map_err(|error| provider_error(what(), &error, &session.redactor))?;
            let keeps = |object: &&Object| object.annotation(POLICY) == Some("keep");
            let go = objects.iter().filter(|object| !keeps(object)).filter_map(Object::reference);
            pods = ending::pods_of(session, go)
                .await
                .map_err(|error| provider_error(what(), &error, &session.redactor))?;
        }
        uninstall(work, head, &release, &taken).await?;
    }
    drop(taken);
    sweep(work, &hooks).await?;
    ending::until_ended(session, &pods, &*work.run.progress).await
}

/// `helm uninstall`, which keeps what bears the keep policy.
pub(super) async fn uninstall(
    work: Work<'_>,
    head: &Head,
    release: &str,
    taken: &Taken,
) -> Result<(), ProviderError> {
    let namespace = head.namespace.as_str();
    let what = format!("cannot uninstall release `{release}` in `{namespace}`");
    let ceiling = work.step.wanted.as_ref().and_then(|wanted| wanted.patience.ceiling);
    let own = work.step.found.as_ref().and_then(|found| found.leaves_within);
    let ceiling = own.or(ceiling);
    let timeout = ceiling.unwrap_or(CEILING);
    let uninstall = Uninstall { release, namespace, hooks: head.runs_hooks(), timeout };
    (work.run.progress)(format!("helm uninstalls `{release}`"));
    let access = access(work.session);
    let call = work.helm.uninstall(&uninstall, &access, work.hold(taken));
    call.await.map_err(|error| Work::called(&what, &error))
}

/// Namespace and name of the release: as found, else as wanted.
fn place(work: Work<'_>) -> Option<(String, String)> {
    let found = work.step.found.as_ref().filter(|found| found.release.is_some());
    let text = |key: &str| found?.outputs.get(key)?.as_str().map(str::to_owned);
    if let (Some(namespace), Some(release)) = (text("namespace"), text("release")) {
        return Some((namespace, release));
    }
    if let Some(KubernetesSpec::Release(spec)) =
        work.step.wanted.as_ref().and_then(|wanted| wanted.kubernetes())
    {
        return Some((spec.namespace.clone(), spec.release.clone()));
    }
    let outputs = &work.step.found.as_ref()?.outputs;
    let text = |key: &str| outputs.get(key)?.as_str().map(str::to_owned);
    Some((text("namespace")?, text("release")?))
}

/// Refuses to uninstall what holds something that another owner marked: Helm deletes it whatever it bears.
async fn nothing_foreign(
    work: Work<'_>,
    objects: &[Object],
    what: &str,
) -> Result<(), ProviderError> {
    let theirs = strangers::among(work.session, objects).await;
    let theirs = theirs.map_err(|error| provider_error(what, &error, &work.session.redactor))?;
    let Some(first) = theirs.first() else { return Ok(()) };
    let failure = Failure::new(FailureKind::Foreign, what);
    let because = format!("{first} belongs to another owner, by the mark on it");
    Err(ProviderError::permanent(failure.because(because)))
}

/// Refuses to uninstall what is not ours, not what the plan saw, or held by a run elsewhere.
async fn may_go(
    work: Work<'_>,
    head: &Head,
    what: &str,
    waited: bool,
) -> Result<(), ProviderError> {
    let permanent = |kind, cause: String| {
        Err(ProviderError::permanent(Failure::new(kind, what).because(cause)))
    };
    match owner_of(&head.secret, &work.session.identity, None) {
        Owner::Ours => {}
        Owner::Other(owner) => {
            return permanent(FailureKind::Foreign, format!("it belongs to {owner}"));
        }
        Owner::Unmarked { .. } => {
            return permanent(FailureKind::Foreign, "it bears no mark of datamill".to_owned());
        }
    }
    let seen = work.step.found.as_ref().and_then(|found| found.release.as_ref());
    let checked = !waited && matches!(work.step.precondition, Precondition::Unchanged { .. });
    if let Some(seen) = seen.filter(|seen| checked && seen.revision != head.revision) {
        let cause = format!("it was revision {} and is {}", seen.revision, head.revision);
        return permanent(FailureKind::Stale, cause);
    }
    let in_motion = matches!(head.status, ReleaseStatus::Pending | ReleaseStatus::Uninstalling);
    if in_motion
        && !waited
        && !stored::ran_here(head, &work.helm.host)
        && let Some(whom) = super::lock::elsewhere(work.session, head, CEILING).await
    {
        let cause = format!("revision {} is held by {whom}", head.revision);
        return permanent(FailureKind::Locked, cause);
    }
    Ok(())
}

/// Deletes what is left: hooks of the stored revision, and objects that bore the release's mark when the plan was made. What
/// Helm keeps, and data, stays unless the plan says that it is lost.
async fn sweep(work: Work<'_>, hooks: &BTreeSet<ObjectRef>) -> Result<(), ProviderError> {
    let session = work.session;
    let what = || format!("cannot look at what `{}` left behind", work.step.id);
    let seen = work.step.found.iter().flat_map(|found| &found.objects);
    let mut names: BTreeSet<ObjectRef> = hooks.clone();
    names.extend(seen.map(|object| object.object.clone()));
    // Data goes only where the plan that was approved says so, object by object.
    let lost = work.step.changes.iter().filter(|change| change.effect == Effect::LosesData);
    let lost: BTreeSet<&ObjectRef> = lost.filter_map(|change| change.object.as_ref()).collect();
    names.retain(|name| !KEPT.contains(&name.kind.as_str()) || lost.contains(name));
    let live = read_live(&session.cluster, names)
        .await
        .map_err(|error| provider_error(what(), &error, &session.redactor))?;
    for (name, object) in live {
        let ours = matches!(owner_of(&object, &session.identity, None), Owner::Ours);
        let kept = !lost.contains(&name)
            && (object.annotation(POLICY) == Some("keep") || class_of(&object) == Class::Data);
        let going = object.0.pointer("/metadata/deletionTimestamp").is_some();
        if ours && !kept && !going {
            delete_object(session, &work.step.id, &name, object.uid()).await?;
        }
    }
    Ok(())
}
