//! What follows a Secret whose values come anew in this plan: copies take them over in the same run, and what reads them only
//! when it starts is named. A copy that was compared while its source was gone, or held its old value, looks as wanted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::decision::{Entries, Entry};
use super::{Action, Change, Effect, Origin, Precondition, Shown};
use crate::model::{
    KubernetesSpec, Leaf, Manifests, Object, ObjectRef, ObjectsSpec, Resource, ResourceId,
    SecretRef, SecretSpec, Value, pointer_to,
};

/// The kinds whose pods go on with what they read at their start.
const RUN_ON: [&str; 3] = ["Deployment", "StatefulSet", "DaemonSet"];

/// What is said of what holds the value itself.
const KEEPS_OLD: &str = " holds the old value until the next `datamill apply`";

/// Makes what reads a Secret that changes follow it. `order` names makers before users; only what `may_change` holds for is
/// touched.
pub(super) fn follow(
    entries: &mut Entries,
    order: &[ResourceId],
    may_change: impl Fn(&ResourceId) -> bool,
) {
    let mut moving: BTreeMap<SecretRef, ResourceId> = BTreeMap::new();
    for id in order {
        let Some(entry) = entries.get_mut(id) else { continue };
        let Some(spec) = entry.wanted.as_deref().and_then(secret).cloned() else { continue };
        if entry.decision.action == Action::Keep && may_change(id) {
            take_over(entry, &spec, &moving);
        }
        let keys = spec.keys.keys().filter(|key| comes_anew(entry, &spec, key));
        moving.extend(keys.map(|key| (at(&spec, key), id.clone())));
    }
    let secrets: BTreeSet<ResourceId> = moving.values().cloned().collect();
    for id in secrets {
        let (readers, keepers) = (readers(entries, &id), keepers(entries, &moving, &id));
        if let Some(entry) = entries.get_mut(&id) {
            entry.decision.readers = readers;
            entry.decision.notes.extend(keepers);
        }
    }
}

fn secret(resource: &Resource) -> Option<&SecretSpec> {
    match resource.kubernetes() {
        Some(KubernetesSpec::Secret(spec)) => Some(spec),
        _ => None,
    }
}

fn at(spec: &SecretSpec, key: &str) -> SecretRef {
    SecretRef { namespace: spec.namespace.clone(), name: spec.name.clone(), key: key.to_owned() }
}

/// Whether the value of a key is another one after this plan, as far as can be told before.
fn comes_anew(entry: &Entry, spec: &SecretSpec, key: &str) -> bool {
    let path = pointer_to("/data", key);
    let names = |change: &Change| change.path == path || change.path == "/data";
    let all = |change: &Change| {
        change.path.is_empty() && change.object.as_ref().is_some_and(|o| o.name == spec.name)
    };
    match entry.decision.action {
        Action::Create | Action::Replace => true,
        Action::Update | Action::Repair => {
            entry.decision.changes.iter().any(|change| names(change) || all(change))
        }
        Action::Adopt
        | Action::Mark { .. }
        | Action::Delete
        | Action::Keep
        | Action::Retain { .. }
        | Action::Use
        | Action::GoesWith { .. }
        | Action::Start
        | Action::Deferred { .. }
        | Action::Waiting { .. }
        | Action::Blocked { .. } => false,
    }
}

/// A Secret that looks as wanted, and whose source does not stay what it is, is written after it.
fn take_over(entry: &mut Entry, spec: &SecretSpec, moving: &BTreeMap<SecretRef, ResourceId>) {
    let mut from = BTreeSet::new();
    for (key, held) in &spec.keys {
        let Some(of) = held.rule.sources().iter().find_map(|source| moving.get(source)) else {
            continue;
        };
        from.insert(of.clone());
        entry.decision.changes.push(Change {
            object: Some(ObjectRef {
                api_version: "v1".to_owned(),
                kind: "Secret".to_owned(),
                namespace: Some(spec.namespace.clone()),
                name: spec.name.clone(),
            }),
            path: pointer_to("/data", key),
            from: Shown::Masked,
            to: Shown::Unknown,
            effect: Effect::InPlace,
            origin: Origin::Unknown,
            by: None,
        });
    }
    if from.is_empty() {
        return;
    }
    entry.decision.action = Action::Repair;
    if let Some(found) = &entry.found {
        entry.decision.precondition = Precondition::of(found);
    }
    entry.decision.notes.extend(from.iter().map(|of| format!("known after {of}")));
}

/// A line for each resource into which a value is written, and which this plan leaves as it is: it was compared with the value
/// of before.
fn keepers(
    entries: &Entries,
    moving: &BTreeMap<SecretRef, ResourceId>,
    of: &ResourceId,
) -> Vec<String> {
    let keeps = |entry: &&Entry| entry.decision.action == Action::Keep;
    let takes = |resource: &&Resource| {
        values_of(resource).into_iter().flat_map(Value::leaves).any(
            |leaf| matches!(leaf, Leaf::Secret(at) if moving.get(&at).is_some_and(|id| id == of)),
        )
    };
    let kept = entries.values().filter(keeps).filter_map(|entry| entry.wanted.as_deref());
    kept.filter(takes).map(|one| format!("{}{KEEPS_OLD}", one.id)).collect()
}

/// The values of a resource into which secrets may be put.
fn values_of(resource: &Resource) -> Vec<&Value> {
    match resource.kubernetes() {
        Some(KubernetesSpec::Release(spec)) => vec![&spec.values],
        Some(KubernetesSpec::Objects(ObjectsSpec { from: Manifests::Inline(list), .. })) => {
            list.iter().collect()
        }
        Some(KubernetesSpec::Job(spec)) => vec![&spec.template],
        _ => Vec::new(),
    }
}

/// A line for each workload that runs with what it read of a Secret: how it is started anew.
fn readers(entries: &Entries, id: &ResourceId) -> Vec<String> {
    let spec = entries.get(id).and_then(|entry| entry.wanted.as_deref()).and_then(secret);
    let Some(spec) = spec else { return Vec::new() };
    let restarted: BTreeSet<&ObjectRef> = entries
        .values()
        .flat_map(|entry| &entry.decision.changes)
        .filter(|change| matches!(change.effect, Effect::Restart | Effect::Recreate))
        .filter_map(|change| change.object.as_ref())
        .collect();
    let lines = entries.values().flat_map(|entry| workloads(entry, spec)).collect::<BTreeSet<_>>();
    let mut lines: Vec<String> = lines
        .into_iter()
        .map(|name| {
            if restarted.contains(&name) {
                return format!("{name} reads the new value: this run restarts it");
            }
            format!(
                "{name} goes on with the old value until it is restarted: `kubectl rollout restart -n {} {}/{}`",
                spec.namespace,
                name.kind.to_lowercase(),
                name.name
            )
        })
        .collect();
    lines.sort();
    lines
}

/// The workloads of a resource that are there and read a Secret: as they live, and as they are drawn where only their names were
/// looked at.
fn workloads(entry: &Entry, spec: &SecretSpec) -> BTreeSet<ObjectRef> {
    let found = entry.found.iter().flat_map(|found| &found.objects);
    let live: BTreeMap<&ObjectRef, &Object> =
        found.filter_map(|one| Some((&one.object, one.live.as_ref()?))).collect();
    let rendered = entry.wanted.iter().filter_map(|wanted| wanted.rendered.as_ref());
    let drawn = rendered.flat_map(|rendered| &rendered.objects);
    let all = live.values().copied().chain(drawn).filter(|object| reads(object, spec));
    all.filter_map(Object::reference).filter(|name| live.contains_key(name)).collect()
}

fn reads(object: &Object, spec: &SecretSpec) -> bool {
    let here = object.reference().and_then(|name| name.namespace);
    here.as_deref() == Some(spec.namespace.as_str())
        && RUN_ON.contains(&object.kind())
        && object.0.pointer("/spec/template/spec").is_some_and(|pod| mentions(pod, &spec.name))
}

/// Whether a Secret of a name stands in a pod's spec, as an environment variable or as a volume.
fn mentions(tree: &Json, secret: &str) -> bool {
    match tree {
        Json::Object(map) => map.iter().any(|(key, value)| match key.as_str() {
            "secretKeyRef" | "secretRef" => value.get("name").is_some_and(|name| name == secret),
            "secret" => ["secretName", "name"]
                .into_iter()
                .any(|key| value.get(key).is_some_and(|name| name == secret)),
            _ => mentions(value, secret),
        }),
        Json::Array(list) => list.iter().any(|value| mentions(value, secret)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}
