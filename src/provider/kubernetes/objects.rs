//! Writing and deleting sets of objects: in an order that works, each after a look at whose it is, gone when we say so.

use std::time::Duration;

use serde_json::json;

use super::compare::{absent_is, delete_object, merge, read_live, write_object};
use super::ending;
use super::failure::{provider_error, stale};
use super::finalizer;
use super::history;
use super::normal::compared;
use super::owner::owner_of;
use super::session::Session;
use super::several::several;
use crate::adapter::kube::{KubeError, Write};
use crate::model::ignore;
use crate::model::{
    Class, Failure, FailureKind, Found, Object, ObjectFound, ObjectRef, Owner, ResourceId,
    annotation,
};
use crate::plan::{Precondition, Step};
use crate::provider::ProviderError;

/// Writes at a time.
const AT_A_TIME: usize = 8;
/// How long an object may stay after its deletion without anything moving.
const STALL: Duration = Duration::from_mins(2);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Where a kind stands in the order of writing; deletion goes the other way round.
pub(super) fn rank(kind: &str) -> usize {
    const FIRST: [&str; 15] = [
        "Namespace",
        "CustomResourceDefinition",
        "PriorityClass",
        "StorageClass",
        "ResourceQuota",
        "LimitRange",
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ];
    const LAST: [&str; 3] =
        ["APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
    if let Some(place) = FIRST.iter().position(|first| *first == kind) {
        place
    } else if let Some(place) = LAST.iter().position(|last| *last == kind) {
        FIRST.len() + 2 + place
    } else if kind == "Service" {
        FIRST.len()
    } else {
        FIRST.len() + 1
    }
}

/// Writes objects as ours, in order, several of a rank at a time, and returns them as the server has them. Those that are
/// somebody else's and only used are left out by the caller.
pub(super) async fn write(
    session: &Session,
    step: &Step,
    objects: &[Object],
    manager: &str,
) -> Result<Vec<Object>, ProviderError> {
    let id = &step.id;
    let mut all = Vec::new();
    let mut objects: Vec<&Object> = objects.iter().collect();
    objects.sort_by_key(|object| rank(object.kind()));
    let write = Write::by(manager).forced();
    for same in objects.chunk_by(|one, two| rank(one.kind()) == rank(two.kind())) {
        let put = |object: &Object| {
            let object = with_run(session, object);
            let write = &write;
            let left = left(step, &object);
            async move { write_object(session, id, &object, write, None, &left).await }
        };
        let written = several(same.iter().map(|object| put(object)).collect(), AT_A_TIME).await;
        all.extend(written.into_iter().collect::<Result<Vec<_>, _>>()?);
    }
    Ok(all)
}

/// The places of an object that a step leaves to others.
fn left(step: &Step, object: &Object) -> Vec<String> {
    let Some(name) = object.reference() else { return Vec::new() };
    let left = history::left(step.wanted.as_deref(), step.found.as_deref(), &name);
    left.map(str::to_owned).collect()
}

/// The object with the run that writes it.
pub(super) fn with_run(session: &Session, object: &Object) -> Object {
    let mut object = object.clone();
    if object.annotation(annotation::NODE).is_some() {
        let run = session.identity.run.0.as_str();
        merge(&mut object.0, &json!({"metadata": {"annotations": {annotation::RUN: run}}}));
    }
    object
}

/// Deletes objects of a resource that was found, last ones first, and waits until they are gone. Data inside a resource that is
/// not data itself stays.
pub(super) async fn remove(
    session: &Session,
    id: &ResourceId,
    found: &Found,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let goes = |object: &&ObjectFound| {
        object.live.is_some()
            && object.owner == Owner::Ours
            && (object.class != Class::Data || found.class == Class::Data)
    };
    let objects: Vec<&ObjectFound> = found.objects.iter().filter(goes).collect();
    let names = objects.iter().map(|object| object.object.clone());
    let pods = ending::pods_of(session, names).await.map_err(|error| {
        provider_error(format!("cannot see the pods of `{id}`"), &error, &session.redactor)
    })?;
    remove_these(session, id, objects.into_iter(), found.leaves_within, progress).await?;
    ending::until_ended(session, &pods, progress).await
}

/// Deletes what bears a resource's mark and is wanted no more, as far as the plan that was approved says that it goes.
pub(super) async fn remove_surplus(
    session: &Session,
    step: &Step,
    found: &Found,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let goes = |object: &&ObjectFound| {
        !object.wanted
            && object.live.is_some()
            && object.owner == Owner::Ours
            && object.class != Class::Data
            && step.changes.iter().any(|change| change.takes_away(&object.object))
    };
    remove_these(session, &step.id, found.objects.iter().filter(goes), None, progress).await
}

async fn remove_these(
    session: &Session,
    id: &ResourceId,
    objects: impl Iterator<Item = &ObjectFound>,
    ceiling: Option<Duration>,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let mut objects: Vec<&ObjectFound> = objects.collect();
    objects.sort_by_key(|object| std::cmp::Reverse(rank(&object.object.kind)));
    for same in objects.chunk_by(|one, two| rank(&one.object.kind) == rank(&two.object.kind)) {
        let remove = |object: &ObjectFound| {
            let (name, uid) = (object.object.clone(), object.version.uid.clone());
            async move {
                delete_object(session, id, &name, uid.as_deref()).await?;
                until_gone(session, &name, uid.as_deref(), ceiling, progress).await
            }
        };
        let removed = several(same.iter().map(|object| remove(object)).collect(), AT_A_TIME).await;
        removed.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

/// Waits until an object is gone; after the ceiling, or without any progress for long, says what keeps it. Finalizers are never stripped.
pub(super) async fn until_gone(
    session: &Session,
    name: &ObjectRef,
    uid: Option<&str>,
    ceiling: Option<Duration>,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let mut last = String::new();
    let begun = tokio::time::Instant::now();
    let mut moved = begun;
    loop {
        let live = absent_is(session.cluster.get(name).await, None).map_err(|error| {
            provider_error(format!("cannot see whether {name} is gone"), &error, &session.redactor)
        })?;
        let Some(live) = live.filter(|live| uid.is_none() || live.uid() == uid) else {
            return Ok(());
        };
        let stripped = finalizer::strip_if_asked(session, &live).await.map_err(|error| {
            let what = format!("cannot strip the finalizers of {name}");
            provider_error(what, &error, &session.redactor)
        })?;
        if stripped {
            progress(format!("stripped the finalizers of {name}, as asked"));
            continue;
        }
        let keeps = keeps(&live);
        // Who says how long it may take knows better than a clock for all.
        let late = match ceiling {
            Some(ceiling) => begun.elapsed() >= ceiling,
            None => keeps == last && moved.elapsed() > STALL,
        };
        if late {
            return Err(stuck(name, &keeps));
        }
        if keeps != last {
            progress(format!("waits until {name} is gone: {keeps}"));
            moved = tokio::time::Instant::now();
            last = keeps;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn keeps(live: &Object) -> String {
    if let Some(waits) = (live.kind() == "Namespace").then(|| super::namespace::terminating(live)) {
        return waits.unwrap_or_else(|| "it is not being deleted yet".to_owned());
    }
    finalizer::keeps(live).unwrap_or_else(|| "it ends".to_owned())
}

fn stuck(name: &ObjectRef, keeps: &str) -> ProviderError {
    let namespace = name.namespace.as_ref().map(|n| format!(" -n {n}")).unwrap_or_default();
    ProviderError::permanent(
        Failure::new(FailureKind::Partial, format!("{name} is deleted but does not go"))
            .because(format!("it is kept by {keeps}"))
            .hint(format!(
                "see whether what handles this finalizer runs:\n\n    kubectl get {}{namespace} {} -o yaml",
                name.kind.to_lowercase(),
                name.name
            ))
            .hint(finalizer::remedy(name)),
    )
}

/// Checks directly before a write that what the plan looked at is still so. What this very run wrote before does not count:
/// a step may be tried again.
pub(super) async fn check(
    session: &Session,
    step: &Step,
    wanted: &[Object],
) -> Result<(), ProviderError> {
    if step.precondition == Precondition::Nothing {
        return Ok(());
    }
    let seen: Vec<ObjectFound> =
        step.found.iter().flat_map(|found| found.objects.clone()).collect();
    let names = wanted.iter().filter_map(Object::reference);
    let names = names.chain(seen.iter().map(|object| object.object.clone()));
    let live = read_live(&session.cluster, names).await.map_err(|error| {
        provider_error(format!("cannot look at `{}`", step.id), &error, &session.redactor)
    })?;
    let this_run = |object: &Object| {
        object.annotation(annotation::RUN) == Some(session.identity.run.0.as_str())
            && owner_of(object, &session.identity, Some(&step.id)) == Owner::Ours
    };
    for (name, now) in live.iter().filter(|(_, now)| !this_run(now)) {
        let before = seen.iter().find(|object| object.object == *name);
        if let Some(why) = broken(step, before, name, now, wanted) {
            return Err(stale(format!("`{}` is not as the plan saw it", step.id), why));
        }
    }
    if matches!(step.precondition, Precondition::Unchanged { .. }) {
        let gone = seen.iter().find(|object| {
            object.wanted && object.live.is_some() && !live.contains_key(&object.object)
        });
        if let Some(gone) = gone {
            let why = format!("{} is gone by now", gone.object);
            return Err(stale(format!("`{}` is not as the plan saw it", step.id), why));
        }
    }
    Ok(())
}

fn broken(
    step: &Step,
    before: Option<&ObjectFound>,
    name: &ObjectRef,
    now: &Object,
    wanted: &[Object],
) -> Option<String> {
    let before = before.filter(|before| before.live.is_some());
    let Some(before) = before else {
        return Some(format!("{name} is there by now"));
    };
    if before.version.uid.is_some() && before.version.uid.as_deref() != now.uid() {
        return Some(format!("{name} was made anew"));
    }
    let unknown = step.wanted.iter().filter_map(|wanted| wanted.rendered.as_ref());
    if unknown.into_iter().any(|rendered| !rendered.unknown.is_empty()) {
        return None;
    }
    let sent = wanted.iter().find(|object| object.reference().as_ref() == Some(name))?;
    let fields = before.version.fields.as_ref()?;
    // What others set in the meantime is theirs to set.
    let left = left(step, sent);
    let now = match &before.live {
        Some(live) => ignore::with_live(now, live, left.iter().map(String::as_str)),
        None => now.clone(),
    };
    (*fields != compared(&now, sent)).then(|| format!("somebody changed {name}"))
}

/// Refuses to delete definitions whose kinds have objects that are not ours: those would go with them.
pub(super) async fn refuse_foreign_instances(
    session: &Session,
    found: &Found,
) -> Result<(), ProviderError> {
    for definition in found.objects.iter().filter(|object| object.live.is_some()) {
        let failed = |error: KubeError| {
            provider_error(
                format!("cannot look for objects of {}", definition.object),
                &error,
                &session.redactor,
            )
        };
        let live =
            absent_is(session.cluster.get(&definition.object).await, None).map_err(failed)?;
        let Some(live) = live else { continue };
        if let Some(listing) = super::crds::instances(&live) {
            let objects =
                absent_is(session.cluster.list(&listing).await, Vec::new()).map_err(failed)?;
            let foreign =
                objects.iter().find(|o| owner_of(o, &session.identity, None) != Owner::Ours);
            if let Some(name) = foreign.and_then(Object::reference) {
                return Err(ProviderError::permanent(
                    Failure::new(
                        FailureKind::Foreign,
                        format!("{} stays: it defines what is not ours", definition.object),
                    )
                    .because(format!("{name} would go with it"))
                    .hint("delete that object first, or set `onDelete: keep` for the step"),
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    #[test]
    fn what_others_stand_on_is_written_first() {
        let order = [
            "Namespace",
            "CustomResourceDefinition",
            "Secret",
            "Service",
            "Deployment",
            "APIService",
        ];
        assert!(order.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
        assert_eq!(rank("Kafka"), rank("Deployment"));
    }

    /// A step that relies on one object, as it was seen.
    fn step(seen: Option<ObjectFound>) -> Step {
        let found = Found { objects: seen.into_iter().collect(), ..Found::ours() };
        Step {
            id: "thing/objects/map".parse().unwrap(),
            action: crate::plan::Action::Update,
            wanted: None,
            found: Some(std::sync::Arc::new(found)),
            after: std::collections::BTreeSet::new(),
            precondition: Precondition::Nothing,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    fn map(uid: &str, data: &Json) -> Object {
        let metadata = json!({"name": "m", "namespace": "n", "uid": uid});
        Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}))
    }

    #[test]
    fn what_is_written_over_must_be_what_was_seen() {
        let wanted = [map("", &json!({"text": "two"}))];
        let live = map("1", &json!({"text": "one"}));
        let name = live.reference().unwrap();
        let version = crate::model::Version {
            uid: Some("1".to_owned()),
            fields: Some(compared(&live, &wanted[0])),
        };
        let seen = ObjectFound {
            object: name.clone(),
            wanted: true,
            live: Some(live.clone()),
            after: crate::model::AfterApply::Unwanted,
            owner: Owner::Ours,
            class: Class::Stateless,
            version,
        };
        let says = |seen: Option<ObjectFound>, now: &Object| {
            let step = step(seen.clone());
            broken(&step, seen.as_ref(), &name, now, &wanted).unwrap_or_default()
        };
        let was = || Some(seen.clone());
        assert_eq!(says(was(), &live), "");
        // What nobody asked for is theirs to set.
        assert_eq!(says(was(), &map("1", &json!({"text": "one", "more": "x"}))), "");
        let by_hand = map("1", &json!({"text": "by hand"}));
        assert_eq!(says(was(), &by_hand), "somebody changed ConfigMap n/m");
        let anew = map("2", &json!({"text": "one"}));
        assert_eq!(says(was(), &anew), "ConfigMap n/m was made anew");
        let absent = ObjectFound { live: None, ..seen.clone() };
        for seen in [None, Some(absent)] {
            assert_eq!(says(seen, &live), "ConfigMap n/m is there by now");
        }
    }

    #[test]
    fn a_stuck_object_names_what_keeps_it() {
        let live = Object(
            json!({"kind": "Kafka", "metadata": {"name": "k", "finalizers": ["strimzi.io/x"]}}),
        );
        assert_eq!(keeps(&live), "its finalizers strimzi.io/x");
    }
}
