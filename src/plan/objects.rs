//! The objects of one resource, gone through once: what differs, what is missing, what is refused, what is wanted no more.

use super::decide::{changes, whole};
use super::{Change, Effect, Origin, Shown, diff};
use crate::model::{AfterApply, Class, Found, ObjectFound, ObjectRef, Owner, Resource};

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
    /// For a person.
    pub(super) notes: Vec<String>,
    /// Whether none of the wanted objects lives, though there are some.
    pub(super) nothing_there: bool,
}

impl Survey {
    /// Goes through the objects of a resource.
    pub(super) fn of(wanted: &Resource, found: &Found, origin: Origin) -> Self {
        let mut survey = Self {
            changes: Vec::new(),
            refused: Vec::new(),
            immutable: Vec::new(),
            notes: Vec::new(),
            nothing_there: found.objects.iter().any(|object| object.wanted)
                && found.objects.iter().all(|object| !object.wanted || object.live.is_none()),
        };
        for object in &found.objects {
            if object.wanted {
                survey.wanted(object, origin);
            } else {
                survey.surplus(wanted, object, origin);
            }
        }
        survey
    }

    fn wanted(&mut self, object: &ObjectFound, origin: Origin) {
        match (&object.live, &object.after) {
            (_, AfterApply::Rejected(says)) if object.live.is_some() && is_immutable(says) => {
                self.immutable.push(Refused {
                    object: object.object.clone(),
                    class: object.class,
                    says: says.clone(),
                });
            }
            (_, AfterApply::Rejected(says)) => {
                self.refused.push((object.object.clone(), says.clone()));
            }
            (Some(live), AfterApply::Would(after) | AfterApply::NotChecked(after)) => {
                let differences = diff::objects(live, after);
                self.changes.extend(changes(Some(&object.object), differences, origin));
            }
            (None, AfterApply::Would(_) | AfterApply::NotChecked(_)) => {
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
    fn surplus(&mut self, wanted: &Resource, object: &ObjectFound, origin: Origin) {
        if object.live.is_none() || object.owner != Owner::Ours {
            return;
        }
        if object.class == Class::Data || wanted.keep {
            self.notes.push(format!("{} is kept", object.object));
            return;
        }
        let from = Shown::Text("present".to_owned());
        self.changes.push(whole(
            object.object.clone(),
            (from, Shown::Absent),
            Effect::InPlace,
            origin,
        ));
    }
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
    use crate::model::{KubernetesSpec, Object, ResourceId, ResourceKind, Spec, Version};

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
        let denied = survey(vec![object("a", true, true, says("denied by policy"))]);
        assert_eq!((denied.immutable.len(), denied.refused.len()), (0, 1));
        let new = survey(vec![object("a", true, false, says("field is immutable"))]);
        assert_eq!(new.refused.len(), 1, "what is not there cannot be made anew");
    }
}
