//! What a difference is about, looked up only where there is one: fields that others set by design, what we applied last, and
//! who holds the live values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value as Json;

use super::compare::{absent_is, read_live};
use super::session::Session;
use super::snapshot;
use crate::adapter::clock;
use crate::adapter::kube::{KubeError, Listing};
use crate::model::ignore::{self, AUTOSCALERS};
use crate::model::{
    AfterApply, Found, Ignored, Object, ObjectFound, ObjectRef, Observed, Owner, Resource,
    ResourceId, ResourceKind, ScaleTarget, Writer, Written,
};
use crate::plan::diff;

/// What an autoscaler sets.
const REPLICAS: &str = "/spec/replicas";

/// Tells more of what differs, of all that is ours.
pub(super) async fn tell(
    session: &Session,
    wanted: &[&Resource],
    all: &mut BTreeMap<ResourceId, Observed>,
) -> Result<(), KubeError> {
    let wanted: BTreeMap<_, _> = wanted.iter().map(|resource| (&resource.id, *resource)).collect();
    leave_to_others(session, &wanted, all).await?;
    let mut differs: BTreeSet<ObjectRef> = BTreeSet::new();
    let mut remembers = false;
    for (id, found) in present(all) {
        let lines: Vec<_> = found.objects.iter().filter(|object| is_other(object)).collect();
        remembers |= !lines.is_empty() && id.kind != ResourceKind::Release;
        let live = lines.into_iter().filter(|object| object.live.is_some());
        differs.extend(live.map(|object| object.object.clone()));
    }
    if differs.is_empty() && !remembers {
        return Ok(());
    }
    let live = read_live(&session.cluster, differs).await?;
    let memory = if remembers { snapshot::recall(session).await } else { BTreeMap::new() };
    for (id, found) in present(all) {
        let names = found.objects.iter().map(|object| &object.object);
        found.written = names
            .filter_map(|name| Some((name.clone(), written(live.get(name)?))))
            .filter(|(_, written)| !written.is_empty())
            .collect();
        if let Some(remembered) = memory.get(id) {
            // Of another write than the one that made what lives: it says nothing about that.
            let of_this_write =
                found.applied.as_ref().is_none_or(|applied| applied.inputs == remembered.inputs);
            found.last = of_this_write.then(|| remembered.objects.clone());
        }
    }
    Ok(())
}

/// What is there and ours.
fn present(
    all: &mut BTreeMap<ResourceId, Observed>,
) -> impl Iterator<Item = (&ResourceId, &mut Found)> {
    all.iter_mut().filter_map(|(id, observed)| match observed {
        Observed::Present(found) if found.owner == Owner::Ours => Some((id, found.as_mut())),
        Observed::Present(_) | Observed::Absent | Observed::Unreachable { .. } => None,
    })
}

/// Whether an object is not as wanted.
pub(super) fn is_other(object: &ObjectFound) -> bool {
    match (&object.live, &object.after) {
        (Some(live), AfterApply::Would(after) | AfterApply::NotChecked(after)) => {
            !diff::objects(live, after).is_empty()
        }
        (Some(_), AfterApply::Unwanted) => !object.wanted,
        (Some(_), AfterApply::Rejected(_)) => true,
        (None, _) => object.wanted,
    }
}

/// Takes fields that others set out of the difference.
async fn leave_to_others(
    session: &Session,
    wanted: &BTreeMap<&ResourceId, &Resource>,
    all: &mut BTreeMap<ResourceId, Observed>,
) -> Result<(), KubeError> {
    let resized = present(all).flat_map(|(_, found)| &found.objects).any(|object| {
        both(object).is_some_and(|(live, after)| {
            let at = |side: &Object| side.0.pointer(REPLICAS).cloned();
            at(live).is_some() && at(live) != at(after)
        })
    });
    let scaled = if resized { scale_targets(session).await? } else { Vec::new() };
    for (id, found) in present(all) {
        let Some(resource) = wanted.get(id) else { continue };
        for object in &mut found.objects {
            found.ignored.extend(leave(resource, object, &scaled));
        }
    }
    Ok(())
}

fn both(object: &ObjectFound) -> Option<(&Object, &Object)> {
    match (&object.live, &object.after) {
        (Some(live), AfterApply::Would(after) | AfterApply::NotChecked(after)) => {
            Some((live, after))
        }
        (Some(_) | None, _) => None,
    }
}

/// The fields of one object that differ and are left; afterwards they no longer differ.
fn leave(resource: &Resource, object: &mut ObjectFound, scaled: &[ScaleTarget]) -> Vec<Ignored> {
    let Some((live, after)) = both(object) else { return Vec::new() };
    let (live, mut settled) = (live.clone(), after.clone());
    let mut left = Vec::new();
    for difference in diff::objects(&live, after) {
        let path = difference.path;
        let value = after.0.pointer(&path);
        let by_rule = resource.ignore.iter().find(|rule| ignore::means(&rule.path, &live.0, &path));
        let reason = match by_rule {
            Some(rule) => rule.reason.clone().unwrap_or_else(|| rule.path.clone()),
            None => match ignore::built_in(&live.0, &path, value, scaled) {
                Some(reason) => reason.to_owned(),
                None => continue,
            },
        };
        settled = ignore::with(&settled, &path, live.0.pointer(&path));
        left.push(Ignored {
            object: object.object.clone(),
            path: path.clone(),
            wanted: value.cloned().unwrap_or(Json::Null),
            reason,
        });
    }
    if !left.is_empty() {
        object.after = match &object.after {
            AfterApply::Would(_) => AfterApply::Would(settled),
            AfterApply::NotChecked(_) => AfterApply::NotChecked(settled),
            other @ (AfterApply::Rejected(_) | AfterApply::Unwanted) => other.clone(),
        };
    }
    left
}

/// What autoscalers of pods scale, in all namespaces. Who may not list them, or where they are not served, knows of none.
async fn scale_targets(session: &Session) -> Result<Vec<ScaleTarget>, KubeError> {
    let mut targets = Vec::new();
    for (api_version, kind) in AUTOSCALERS {
        let list = session.cluster.list(&Listing::of(api_version, kind)).await;
        let list = match list {
            Err(KubeError::Forbidden(_)) => Vec::new(),
            other => absent_is(other, Vec::new())?,
        };
        targets.extend(list.iter().filter_map(|object| ScaleTarget::of(&object.0)));
    }
    Ok(targets)
}

/// The places of an object that are left to others: those that differ, and those that were not drawn in the first place.
pub(super) fn left<'a>(
    resource: Option<&'a Resource>,
    found: Option<&'a Found>,
    object: &'a ObjectRef,
) -> impl Iterator<Item = &'a str> {
    let drawn = resource.and_then(|resource| resource.rendered.as_ref());
    let drawn = drawn.into_iter().flat_map(|rendered| &rendered.ignored);
    let seen = found.into_iter().flat_map(|found| &found.ignored);
    drawn.chain(seen).filter(|left| left.object == *object).map(|left| left.path.as_str())
}

/// Who holds which fields of a live object, as the server knows it.
fn written(live: &Object) -> Vec<Written> {
    let now = clock::since_epoch();
    let entries = live.0.pointer("/metadata/managedFields").and_then(Json::as_array);
    let entry = |entry: &Json| {
        let text = |key: &str| entry.get(key).and_then(Json::as_str).map(str::to_owned);
        let at = text("time");
        let ago = at.as_deref().and_then(clock::read_time).map(|at| now.saturating_sub(at));
        let by = Writer {
            manager: text("manager")?,
            at,
            ago: ago.map(|ago| Duration::from_secs(ago.as_secs())),
        };
        Some(Written { by, fields: entry.get("fieldsV1")?.clone() })
    };
    entries.into_iter().flatten().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Class, Ignore, KubernetesSpec, Spec, Version};

    fn object(live: &Json, after: &Json) -> ObjectFound {
        let of = |spec: &Json| {
            Object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "a", "namespace": "n"}, "spec": spec}))
        };
        ObjectFound {
            object: of(live).reference().unwrap(),
            wanted: true,
            live: Some(of(live)),
            after: AfterApply::Would(of(after)),
            owner: Owner::Ours,
            class: Class::Stateless,
            version: Version::default(),
        }
    }

    fn resource(rules: &[(&str, Option<&str>)]) -> Resource {
        let id = "a/release/x".parse().unwrap();
        let mut resource = Resource::new(id, Spec::kubernetes(KubernetesSpec::Installation));
        let rule = |(path, reason): &(&str, Option<&str>)| Ignore {
            path: (*path).to_owned(),
            reason: reason.map(str::to_owned),
        };
        resource.ignore = rules.iter().map(rule).collect();
        resource
    }

    #[test]
    fn what_is_left_to_others_differs_no_more_and_the_rest_does() {
        let (live, after) = (json!({"replicas": 3, "paused": true}), json!({"replicas": 1}));
        let scaled = [ScaleTarget {
            namespace: Some("n".to_owned()),
            kind: "Deployment".to_owned(),
            name: "a".to_owned(),
        }];
        let mut found = object(&live, &after);
        let left = leave(&resource(&[]), &mut found, &scaled);
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].path.as_str(), &left[0].wanted), ("/spec/replicas", &json!(1)));
        assert!(is_other(&found), "`paused` still differs");
        let by_rule = ("Deployment/*:/spec/paused", Some("the freeze"));
        let left = leave(&resource(&[by_rule]), &mut found, &[]);
        assert_eq!(left[0].reason, "the freeze");
        assert!(!is_other(&found));
        assert!(leave(&resource(&[]), &mut object(&live, &after), &[]).is_empty());
    }

    #[test]
    fn managers_and_their_times_are_read() {
        let live = Object(json!({"metadata": {"managedFields": [
            {"manager": "kubectl-edit", "time": "2026-01-31T12:30:45Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "x", "fieldsV1": {}}, {"time": "nonsense"}]}}));
        let written = written(&live);
        let managers: Vec<_> = written.iter().map(|one| one.by.manager.as_str()).collect();
        assert_eq!(managers, ["kubectl-edit", "x"]);
        assert!(written[0].by.ago.is_some() && written[1].by.ago.is_none());
    }
}
