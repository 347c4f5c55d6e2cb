//! The objects of one resource, gone through once: what differs, what is missing, what is refused, what is wanted no more.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::decide::{changes, whole};
use super::origin::Memory;
use super::{Change, Effect, Origin, Shown, definition, diff};
use crate::model::{
    AfterApply, Class, Found, Ignored, Object, ObjectFound, ObjectRef, Owner, Resource,
    stands_for_secret,
};

/// An object that the server refuses to change in place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    /// Which.
    pub(super) object: ObjectRef,
    /// Its class.
    pub(super) class: Class,
    /// The server's words.
    pub(super) says: String,
}

/// What was seen of a resource's objects.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Survey {
    /// Every difference.
    pub(super) changes: Vec<Change>,
    /// Objects that the server refuses, and its words.
    pub(super) refused: Vec<(ObjectRef, String)>,
    /// Objects of which a changed field is immutable.
    pub(super) immutable: Vec<Refused>,
    /// Definitions whose change takes away what objects may use, and what.
    pub(super) lost: Vec<(ObjectRef, Vec<String>)>,
    /// For a person.
    pub(super) notes: Vec<String>,
    /// Objects that hold data and that somebody changed.
    pub(super) data_drift: BTreeSet<ObjectRef>,
    /// Whether none of the wanted objects lives, though there are some.
    pub(super) nothing_there: bool,
}

impl Survey {
    /// Goes through the objects of a resource. `otherwise` is whose a difference is where nobody remembers the last apply.
    pub(super) fn of(wanted: &Resource, found: &Found, otherwise: Origin) -> Self {
        let mut survey = Self {
            changes: Vec::new(),
            refused: Vec::new(),
            immutable: Vec::new(),
            lost: Vec::new(),
            notes: ignored(wanted, found),
            data_drift: BTreeSet::new(),
            nothing_there: found.objects.iter().any(|object| object.wanted)
                && found.objects.iter().all(|object| !object.wanted || object.live.is_none()),
        };
        for object in &found.objects {
            if object.wanted {
                survey.wanted(found, object, otherwise);
            } else {
                survey.surplus(wanted, found, object, otherwise);
            }
        }
        survey
    }

    fn wanted(&mut self, found: &Found, object: &ObjectFound, otherwise: Origin) {
        let memory = Memory::of(found.last.as_ref(), &object.object);
        match (&object.live, &object.after) {
            (Some(_), AfterApply::Rejected(says)) if object.object.kind == definition::KIND => {
                // With a definition go all objects of its kind: it is never made anew.
                self.refused.push((object.object.clone(), definition::refusal(says)));
            }
            (Some(live), AfterApply::Rejected(says)) if is_immutable(says) => {
                let class = if holds_data(live) { Class::Data } else { object.class };
                self.immutable.push(Refused {
                    object: object.object.clone(),
                    class,
                    says: says.clone(),
                });
            }
            (_, AfterApply::Rejected(says)) => {
                self.refused.push((object.object.clone(), says.clone()));
            }
            (Some(live), AfterApply::Would(after) | AfterApply::NotChecked(after)) => {
                if object.object.kind == definition::KIND {
                    let lost = definition::losses(live, after);
                    if !lost.is_empty() {
                        self.lost.push((object.object.clone(), lost));
                    }
                }
                let written = found.written.get(&object.object).map(Vec::as_slice);
                let differences =
                    diff::since(live, after, memory.shape(), written.unwrap_or_default());
                let changes = changes(Some(&object.object), differences, otherwise);
                if object.class == Class::Data && changes.iter().any(may_be_drift) {
                    self.data_drift.insert(object.object.clone());
                }
                self.changes.extend(changes);
            }
            (None, AfterApply::Would(_) | AfterApply::NotChecked(_)) => {
                let origin = match memory {
                    Memory::Shape(_) | Memory::Written => Origin::Somebody,
                    Memory::NotWritten => Origin::You,
                    Memory::None => otherwise,
                };
                if object.object.kind == "Job" && origin == Origin::Somebody {
                    self.notes.push(format!("{} is missing: it runs again", object.object));
                }
                let to = Shown::Text("present".to_owned());
                self.changes.push(whole(
                    object.object.clone(),
                    (Shown::Absent, to),
                    Effect::InPlace,
                    origin,
                ));
            }
            (_, AfterApply::Unwanted) => {}
        }
    }

    /// Bears the resource's mark and is wanted no more: goes with the change, unless it is data or not ours.
    fn surplus(
        &mut self,
        wanted: &Resource,
        found: &Found,
        object: &ObjectFound,
        otherwise: Origin,
    ) {
        if object.live.is_none() || object.owner != Owner::Ours {
            return;
        }
        if object.class == Class::Data || wanted.keep {
            self.notes.push(format!("{} is kept", object.object));
            return;
        }
        let origin = match (Memory::of(found.last.as_ref(), &object.object), otherwise) {
            (Memory::NotWritten, _) | (Memory::None, Origin::Somebody) => Origin::Somebody,
            // It bears our mark, and the files want it no more.
            (Memory::Shape(_) | Memory::Written | Memory::None, _) => Origin::You,
        };
        let from = Shown::Text("present".to_owned());
        self.changes.push(whole(
            object.object.clone(),
            (from, Shown::Absent),
            Effect::InPlace,
            origin,
        ));
    }
}

/// Whether somebody may have made a difference: it is known, or the value is held by somebody who writes for nobody of us.
fn may_be_drift(change: &Change) -> bool {
    let held = change.by.as_ref().is_some_and(|by| by.manager != "helm");
    !change.path.is_empty()
        && (change.origin.is_drift() || (change.origin == Origin::Unknown && held))
}

/// What differs and is left to others, a line each, with the reason.
fn ignored(wanted: &Resource, found: &Found) -> Vec<String> {
    let drawn = wanted.rendered.iter().flat_map(|rendered| &rendered.ignored);
    let mut places = BTreeSet::new();
    let line = |left: &Ignored| {
        let object = found.objects.iter().find(|object| object.object == left.object)?;
        let live = object.live.as_ref()?.0.pointer(&left.path);
        if live == Some(&left.wanted) || !places.insert((left.object.clone(), left.path.clone())) {
            return None;
        }
        let texts = [live, Some(&left.wanted)].into_iter().flatten();
        let secret = texts.map(Json::to_string).any(|text| stands_for_secret(&text));
        if secret || left.object.kind == "Secret" {
            return Some(format!("{IGNORED}{} {} ({})", left.object, left.path, left.reason));
        }
        let (live, wanted) = (shown(live), shown(Some(&left.wanted)));
        let values = format!("{live}, in the files {wanted}");
        Some(format!("{IGNORED}{} {} is {values} ({})", left.object, left.path, left.reason))
    };
    drawn.chain(&found.ignored).filter_map(line).collect()
}

/// How a line about an ignored difference begins.
pub(super) const IGNORED: &str = "ignored: ";

fn shown(value: Option<&Json>) -> String {
    const LONGEST: usize = 40;
    let text = match value {
        None | Some(Json::Null) => "nothing".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    if text.chars().count() <= LONGEST { text } else { "another value".to_owned() }
}

/// Whether data goes with an object, whatever class is written on it: volumes, and what takes its volumes along.
fn holds_data(live: &Object) -> bool {
    const WHEN_DELETED: &str = "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted";
    matches!(live.kind(), "PersistentVolumeClaim" | "PersistentVolume" | "Namespace")
        || live.0.pointer(WHEN_DELETED).and_then(Json::as_str) == Some("Delete")
}

/// Whether the API server's words say that a field cannot change in place.
fn is_immutable(says: &str) -> bool {
    let says = says.to_lowercase();
    says.contains("immutable")
        || says.contains("may not change once set")
        || (says.contains("updates to") && says.contains("forbidden"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{KubernetesSpec, ResourceId, ResourceKind, Spec, Version};

    fn object(name: &str, wanted: bool, live: bool, after: AfterApply) -> ObjectFound {
        let object =
            Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}));
        ObjectFound {
            object: object.reference().unwrap(),
            wanted,
            live: live.then_some(object),
            after,
            owner: Owner::Ours,
            class: Class::Stateless,
            version: Version::default(),
        }
    }

    fn survey(objects: Vec<ObjectFound>) -> Survey {
        let id = ResourceId::target(ResourceKind::Installation, "x");
        let wanted = Resource::new(id, Spec::kubernetes(KubernetesSpec::Installation));
        Survey::of(&wanted, &Found { objects, ..Found::ours() }, Origin::Somebody)
    }

    fn would(name: &str) -> AfterApply {
        AfterApply::Would(object(name, true, true, AfterApply::Unwanted).live.unwrap())
    }

    #[test]
    fn what_is_wanted_no_more_goes_unless_it_is_data_or_not_ours() {
        let gone = object("gone", false, true, AfterApply::Unwanted);
        let data =
            ObjectFound { class: Class::Data, ..object("data", false, true, AfterApply::Unwanted) };
        let other = Owner::Other("x".to_owned());
        let theirs =
            ObjectFound { owner: other, ..object("theirs", false, true, AfterApply::Unwanted) };
        let survey = survey(vec![object("a", true, true, would("a")), gone, data, theirs]);
        let names: Vec<_> =
            survey.changes.iter().map(|c| c.object.as_ref().unwrap().name.as_str()).collect();
        assert_eq!(names, ["gone"]);
        assert_eq!(survey.notes, ["ConfigMap data is kept"]);
        assert!(!survey.nothing_there);
    }

    #[test]
    fn what_takes_its_volumes_along_holds_data() {
        let policy = |word: &str| {
            let spec = json!({"persistentVolumeClaimRetentionPolicy": {"whenDeleted": word}});
            Object(json!({"kind": "StatefulSet", "spec": spec}))
        };
        assert!(holds_data(&policy("Delete")) && !holds_data(&policy("Retain")));
        assert!(holds_data(&Object(json!({"kind": "PersistentVolumeClaim"}))));
        assert!(!holds_data(&Object(json!({"kind": "Deployment"}))));
    }

    #[test]
    fn refusals_are_told_apart_by_what_the_server_says() {
        let says = |says: &str| AfterApply::Rejected(says.to_owned());
        let immutable = [
            "spec.selector: Invalid value: {}: field is immutable",
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
        ];
        for words in immutable {
            let survey = survey(vec![object("a", true, true, says(words))]);
            assert_eq!((survey.immutable.len(), survey.refused.len()), (1, 0), "{words}");
        }
        let mut crd =
            object("a", true, true, says("spec.scope: Invalid value: field is immutable"));
        crd.object.kind = "CustomResourceDefinition".to_owned();
        let survey_of = survey(vec![crd]);
        assert!(survey_of.immutable.is_empty(), "a definition is never made anew");
        assert!(survey_of.refused[0].1.contains("save its objects"));
        let denied = survey(vec![object("a", true, true, says("denied by policy"))]);
        assert_eq!((denied.immutable.len(), denied.refused.len()), (0, 1));
        let new = survey(vec![object("a", true, false, says("field is immutable"))]);
        assert_eq!(new.refused.len(), 1, "what is not there cannot be made anew");
    }
}
