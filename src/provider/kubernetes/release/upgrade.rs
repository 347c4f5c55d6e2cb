//! `helm upgrade --install` with everything around it: values, CRDs, marks, and whether fields are taken back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::super::compare::with_ownership;
use super::super::session::Session;
use super::super::several::several;
use super::apply::Work;
use super::lock::{CEILING, Taken};
use super::render::hook_events;
use super::stored::{self, Head};
use super::{
    MANAGER, RenderContext, access, claims, crds, deferred, ownership, recreate, render, rules,
    short_inputs, values, watch,
};
use crate::adapter::helm::{Upgrade, WaitFor};
use crate::adapter::kube::{KubeError, Write};
use crate::model::{
    ClusterFacts, Failure, FailureKind, Ignored, Leaf, ObjectRef, Outputs, ReleaseSpec,
    ReleaseStatus, Rendered, Resource, label, label_value,
};
use crate::provider::ProviderError;

/// Installs or upgrades a release whose way is free.
pub(super) async fn upgrade(
    work: Work<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
    head: Option<Head>,
    taken: Taken,
) -> Result<Outputs, ProviderError> {
    let session = work.session;
    let rendered = drawn_now(work, resource, spec).await?;
    if taken.waited && is_done(head.as_ref(), &rendered) {
        // The run that held the lock made what we want.
        return work.outputs(spec).await;
    }
    let definitions: Vec<_> =
        rendered.objects.iter().filter(|o| crds::is_ours_to_apply(o)).cloned().collect();
    crds::apply(session, resource, &definitions).await?;
    let what = match &head {
        None => format!("cannot install release `{}`", spec.release),
        Some(_) => format!("cannot upgrade release `{}`", spec.release),
    };
    let permanent = |failure| ProviderError::permanent(failure);
    let filled = values::fill(&spec.values, &work.run.known, Some(session), &session.identity)
        .await
        .map_err(permanent)?;
    if let Some(leaf) = filled.unknown.iter().next() {
        return Err(permanent(unknown(&what, leaf)));
    }
    let chart = work.helm.chart(&spec.chart).await.map_err(permanent)?;
    let anew = recreate::approved(work.step);
    let force_conflicts = takes_back(work, spec, &rendered, &anew).await?;
    recreate::clear(work, resource, spec, &anew).await?;
    let revision = head.as_ref().map_or(1, |head| head.revision + 1);
    let mut rules = rules(&session.identity, resource, session.simulated);
    rules.live = live_values(work, &rendered);
    let mut labels = rules.labels.clone();
    labels.insert(label::SPEC_HASH.to_owned(), stored::spec_hash(revision, &rendered.inputs));
    // Whoever takes it away need not know the files. Helm keeps labels of the revision before, so that it is always said.
    labels.insert(label::HOOKS.to_owned(), if spec.hooks { "run" } else { "none" }.to_owned());
    labels.insert(label::RUN.to_owned(), label_value(&session.identity.run.0));
    let events = hook_events(&rendered.hooks);
    let waits = ["post-install", "post-upgrade"].iter().any(|event| events.contains(*event));
    let upgrade = Upgrade {
        release: &spec.release,
        namespace: &spec.namespace,
        chart: &chart.path,
        values: &filled.json,
        rules: &rules,
        labels: &labels,
        description: &format!("datamill run {}", session.identity.run),
        hooks: spec.hooks,
        wait: if waits { WaitFor::Objects } else { WaitFor::Hooks },
        timeout: resource.patience.ceiling.unwrap_or(CEILING),
        force_conflicts,
    };
    (work.run.progress)(format!("helm writes revision {revision} of `{}`", spec.release));
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let access = access(session);
    let call = work.helm.upgrade(&upgrade, &access, Work::hold_until(&taken, stopped));
    let watched = watch::with_hooks(resource, spec, &rendered);
    Box::pin(watch::beside(work, &what, watched, stop, call)).await?;
    drop(taken);
    claims::mark_claims(session, resource, spec, &rendered.objects).await.map_err(|error| {
        ProviderError::transient(
            work.asked(format!("cannot mark the claims of `{}`", spec.release), &error),
        )
    })?;
    work.outputs(spec).await
}

/// What lives in the places that are left to others: it stays as it is, whoever holds it.
fn live_values(work: Work<'_>, rendered: &Rendered) -> BTreeMap<String, Json> {
    let Some(found) = work.step.found.as_deref() else { return BTreeMap::new() };
    let places = rendered.ignored.iter().chain(&found.ignored);
    let value = |left: &Ignored| {
        let object = found.objects.iter().find(|object| object.object == left.object)?;
        let value = object.live.as_ref()?.0.pointer(&left.path)?;
        let place = format!("{}/{}:{}", left.object.kind, left.object.name, left.path);
        Some((place, value.clone()))
    };
    places.filter_map(value).collect()
}

fn unknown(what: &str, leaf: &Leaf) -> Failure {
    let cause = match leaf {
        Leaf::Output(of, name) => format!("`{of}` does not tell its `{name}`"),
        Leaf::Secret(at) => format!("Secret {}/{} has no key `{}`", at.namespace, at.name, at.key),
    };
    Failure::new(FailureKind::Stale, what).because(cause)
}

/// The release as it is drawn with all that is known by now. Where the plan had to leave places open, the result may differ
/// from what was approved in those places only.
async fn drawn_now(
    work: Work<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
) -> Result<Rendered, ProviderError> {
    let session = work.session;
    let planned = resource.rendered.as_ref();
    if let Some(planned) = planned.filter(|planned| planned.unknown.is_empty()) {
        return Ok(planned.clone());
    }
    let apis = session.cluster.kinds().await.map_err(|error| {
        ProviderError::transient(
            work.asked("cannot ask what the cluster serves".to_owned(), &error),
        )
    })?;
    let facts = ClusterFacts {
        provider: String::new(),
        location: String::new(),
        version: session.version.clone(),
        apis: apis.apis(),
        simulated: session.simulated,
    };
    let context = RenderContext {
        helm: work.helm,
        identity: &session.identity,
        facts: &facts,
        known: &work.run.known,
        session: Some(session),
    };
    let now = render(&context, resource, spec).await.map_err(ProviderError::permanent)?;
    if let Some(planned) = planned
        && let Some(difference) = deferred::beyond(planned, &now)
    {
        let what = format!("release `{}` is not what was approved", spec.release);
        let failure = Failure::new(FailureKind::Stale, what).because(difference).hint(
            "values that became known change more than their own places; look again:\n    datamill plan",
        );
        return Err(ProviderError::permanent(failure));
    }
    Ok(now)
}

fn is_done(head: Option<&Head>, rendered: &Rendered) -> bool {
    head.is_some_and(|head| {
        head.status == ReleaseStatus::Deployed
            && head
                .applied()
                .is_some_and(|applied| applied.inputs.as_str() == short_inputs(rendered))
    })
}

/// Dry runs of one release at a time.
const AT_A_TIME: usize = 16;

/// Whether others hold fields that this upgrade writes. The plan listed every field that differs and was approved, and nothing
/// changed since; a field that others hold in an object the plan does not change is a reason to look again.
async fn takes_back(
    work: Work<'_>,
    spec: &ReleaseSpec,
    rendered: &Rendered,
    anew: &BTreeSet<&ObjectRef>,
) -> Result<bool, ProviderError> {
    let approved: BTreeSet<&ObjectRef> =
        work.step.changes.iter().filter_map(|change| change.object.as_ref()).collect();
    let found = work.step.found.iter().flat_map(|found| &found.objects);
    let live: BTreeSet<_> = found.filter(|o| o.live.is_some()).map(|o| &o.object).collect();
    let mut force = false;
    for (name, tried) in tried(work.session, spec, rendered).await {
        if anew.contains(&name) {
            continue;
        }
        let is_there = live.contains(&name);
        match tried {
            Err(KubeError::Conflict { .. }) if is_there && approved.contains(&name) => force = true,
            Err(conflict @ KubeError::Conflict { .. }) if is_there => {
                let what = format!("{name} is held by others since the plan was made");
                let failure = Failure::new(FailureKind::Stale, what).caused_by(&conflict);
                return Err(ProviderError::permanent(
                    failure.hint("look again and decide anew:\n\n    datamill plan"),
                ));
            }
            Err(error) if error.is_transient() => {
                let what = format!("cannot ask what {name} would be");
                return Err(ProviderError::transient(work.asked(what, &error)));
            }
            // Nothing is written yet, and Helm would fail at it in the middle.
            Err(error) if is_wrong_in_itself(&error) => {
                let what = format!("the cluster refuses {name} of release `{}`", spec.release);
                return Err(ProviderError::permanent(work.asked(what, &error)));
            }
            // An error that is left may come from what the release itself brings; Helm will say it better.
            Ok(()) | Err(_) => {}
        }
    }
    Ok(force)
}

/// Whether an object can never be written as it is: a field is unknown or has a wrong value. Anything else (a quota, a service
/// account that is not there) may come right with the other objects of the release.
fn is_wrong_in_itself(error: &KubeError) -> bool {
    matches!(error, KubeError::Invalid(says)
        if says.contains(" is invalid: ") || says.contains("failed to create typed patch object"))
}

/// What the server says to each object of a release that Helm will write.
async fn tried(
    session: &Session,
    spec: &ReleaseSpec,
    rendered: &Rendered,
) -> Vec<(ObjectRef, Result<(), KubeError>)> {
    let write = Write::by(MANAGER).dry();
    let write = &write;
    let objects = rendered.objects.iter().filter(|object| !crds::is_ours_to_apply(object));
    let asks = objects.filter_map(|object| {
        let name = object.reference()?;
        let sent = with_ownership(object, Some(ownership(spec)));
        Some(async move { (name, session.cluster.apply(&sent, write).await.map(drop)) })
    });
    several(asks.collect(), AT_A_TIME).await
}
