//! What must still be so directly before a write: the revision, and the objects that the plan looked at.

use std::collections::BTreeMap;

use super::super::compare::{read_live, with_ownership};
use super::super::failure::stale;
use super::super::history;
use super::super::normal::compared;
use super::super::session::Session;
use super::observe::wanted_objects;
use super::stored::{Head, PayloadError};
use super::{crds, ownership};
use crate::model::ignore;
use crate::model::{
    Found, Object, ObjectRef, ReleaseSpec, ReleaseStatus, Resource, Version, label, label_value,
};
use crate::plan::{Precondition, Step};
use crate::provider::ProviderError;

/// Refuses when the release, or an object of it, is not as the plan saw it.
pub(super) async fn check(
    session: &Session,
    step: &Step,
    resource: &Resource,
    spec: &ReleaseSpec,
    head: Option<&Head>,
) -> Result<(), Broken> {
    let mine = label_value(&session.identity.run.0);
    if head.is_some_and(|head| head.secret.label(label::RUN) == Some(mine.as_str())) {
        // An earlier try of this very step.
        return Ok(());
    }
    let what = format!("release `{}` is not as it was when the plan was made", spec.release);
    let broken = |why: String| Err(Broken::Stale(stale(what.clone(), why)));
    let seen = match &step.precondition {
        Precondition::Nothing => return Ok(()),
        Precondition::Absent => None,
        Precondition::Unchanged { .. } => step.found.as_deref(),
    };
    let seen_revision = seen.and_then(|found| found.release.as_ref()).map(|r| r.revision);
    match (seen_revision, head) {
        (None, Some(head)) => return broken(format!("revision {} is there by now", head.revision)),
        (Some(revision), None) => return broken(format!("revision {revision} is gone")),
        (Some(revision), Some(head)) if revision != head.revision => {
            return broken(format!("it was revision {revision} and is {}", head.revision));
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
    if seen
        .and_then(|found| found.release.as_ref())
        .is_some_and(|release| release.status == ReleaseStatus::Pending || release.held.is_some())
    {
        // It was in motion when it was seen: its objects cannot be what they were.
        return Ok(());
    }
    let wanted = match head {
        Some(head) => wanted_objects(session, resource, spec, head).await?.objects,
        None => rendered(resource),
    };
    let left = |name: &ObjectRef| -> Vec<String> {
        history::left(Some(resource), seen, name).map(str::to_owned).collect()
    };
    let now = versions(session, spec, &wanted, seen, &left).await?;
    match difference(seen, &now) {
        Some(why) => broken(why),
        None => Ok(()),
    }
}

/// Why a write may not begin.
#[derive(Debug)]
pub(super) enum Broken {
    /// It is not as the plan saw it.
    Stale(ProviderError),
    /// Nobody can tell.
    Unreadable(PayloadError),
}

impl From<PayloadError> for Broken {
    fn from(error: PayloadError) -> Self {
        Self::Unreadable(error)
    }
}

fn rendered(resource: &Resource) -> Vec<Object> {
    let objects = resource.rendered.iter().flat_map(|rendered| rendered.objects.clone());
    objects.filter(|object| !crds::is_ours_to_apply(object)).collect()
}

/// The versions of what lives, in the fields that are wanted.
async fn versions(
    session: &Session,
    spec: &ReleaseSpec,
    wanted: &[Object],
    seen: Option<&Found>,
    left: &(dyn Fn(&ObjectRef) -> Vec<String> + Sync),
) -> Result<BTreeMap<ObjectRef, Version>, PayloadError> {
    let live = read_live(&session.cluster, wanted.iter().filter_map(Object::reference)).await?;
    let mut versions = BTreeMap::new();
    for object in wanted {
        let Some(name) = object.reference() else { continue };
        if let Some(live) = live.get(&name) {
            // What others set in the meantime is theirs to set.
            let before = seen.into_iter().flat_map(|found| &found.objects);
            let before = before.filter(|o| o.object == name).find_map(|o| o.live.as_ref());
            let left = left(&name);
            let settled = before
                .map(|before| ignore::with_live(live, before, left.iter().map(String::as_str)));
            let live = settled.as_ref().unwrap_or(live);
            let fields = Some(compared(live, &with_ownership(object, Some(ownership(spec)))));
            versions.insert(name, Version { uid: live.uid().map(str::to_owned), fields });
        }
    }
    Ok(versions)
}

/// The first difference between what was seen and what is.
fn difference(seen: Option<&Found>, now: &BTreeMap<ObjectRef, Version>) -> Option<String> {
    let seen: BTreeMap<_, _> = seen
        .into_iter()
        .flat_map(|found| &found.objects)
        .filter(|object| object.wanted)
        .map(|object| (&object.object, object))
        .collect();
    for (name, version) in now {
        match seen.get(name) {
            Some(object) if object.live.is_none() => {
                return Some(format!("{name} is there by now"));
            }
            Some(object) if object.version.uid != version.uid => {
                return Some(format!("{name} was made anew"));
            }
            Some(object) if object.version.fields != version.fields => {
                return Some(format!("somebody changed {name}"));
            }
            Some(_) => {}
            None => return Some(format!("{name} is there by now")),
        }
    }
    let gone =
        seen.iter().find(|(name, object)| object.live.is_some() && !now.contains_key(**name));
    let gone = gone.filter(|(_, object)| object.object.kind != "CustomResourceDefinition");
    gone.map(|(name, _)| format!("{name} is gone"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AfterApply, Class, Digest, ObjectFound, Owner};
    use serde_json::json;

    fn name(kind: &str, name: &str) -> ObjectRef {
        ObjectRef {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some("n".to_owned()),
            name: name.to_owned(),
        }
    }

    fn version(uid: &str, fields: &str) -> Version {
        Version { uid: Some(uid.to_owned()), fields: Some(Digest::of(fields)) }
    }

    fn found(object: ObjectRef, version: Version, is_live: bool) -> Found {
        let object = ObjectFound {
            object,
            wanted: true,
            live: is_live.then(|| Object(json!({}))),
            after: AfterApply::Unwanted,
            owner: Owner::Ours,
            class: Class::Stateless,
            version,
        };
        Found { objects: vec![object], ..Found::ours() }
    }

    #[test]
    fn each_way_in_which_a_release_may_differ_from_what_was_seen_has_its_words() {
        let map = || name("ConfigMap", "m");
        let seen = found(map(), version("1", "a"), true);
        let now = |version: Version| BTreeMap::from([(map(), version)]);
        let says = |seen: Option<&Found>, now: &BTreeMap<ObjectRef, Version>| {
            difference(seen, now).unwrap_or_default()
        };
        assert_eq!(says(Some(&seen), &now(version("1", "a"))), "");
        assert_eq!(says(Some(&seen), &now(version("1", "b"))), "somebody changed ConfigMap n/m");
        assert_eq!(says(Some(&seen), &now(version("2", "a"))), "ConfigMap n/m was made anew");
        assert_eq!(says(Some(&seen), &BTreeMap::new()), "ConfigMap n/m is gone");
        let absent = found(map(), Version::default(), false);
        for seen in [None, Some(&absent)] {
            assert_eq!(says(seen, &now(version("1", "a"))), "ConfigMap n/m is there by now");
            assert_eq!(says(seen, &BTreeMap::new()), "");
        }
        // Definitions are applied apart from the release.
        let definition = found(name("CustomResourceDefinition", "d"), version("1", "a"), true);
        assert_eq!(says(Some(&definition), &BTreeMap::new()), "");
    }
}
