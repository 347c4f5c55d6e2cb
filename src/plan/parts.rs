//! The objects of a step that come, go or are made anew as a whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Change, Shown, Step};
use crate::model::ObjectRef;

/// What becomes of a whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// It comes.
    Comes,
    /// It goes.
    Goes,
    /// It goes and comes.
    Anew,
}

/// Whether a change is about a whole object.
pub(super) fn whole(change: &Change) -> Option<Whole> {
    if !change.path.is_empty() {
        return None;
    }
    Some(match (&change.from, &change.to) {
        (Shown::Absent, _) => Whole::Comes,
        (_, Shown::Absent) => Whole::Goes,
        (Shown::Text(_) | Shown::Masked | Shown::Unknown, _) => Whole::Anew,
    })
}

impl Step {
    /// Whether parts of it go though it comes or stays itself: a person reads that among what is destroyed. What another of its
    /// kind comes for in its place (a Job or a ConfigMap that has the hash of its content in its name) is only changed.
    pub fn takes_parts_away(&self) -> bool {
        let stays = matches!(self.action, Action::Create | Action::Update | Action::Repair);
        let place = |object: &ObjectRef| (object.kind.clone(), object.namespace.clone());
        let mut comes: BTreeMap<_, usize> = BTreeMap::new();
        for object in self.wholes(Whole::Comes) {
            *comes.entry(place(object)).or_default() += 1;
        }
        let succeeded = |object: &ObjectRef| match comes.get_mut(&place(object)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            Some(_) | None => false,
        };
        stays && !self.wholes(Whole::Goes).all(succeeded)
    }

    /// The whole objects of which something becomes.
    fn wholes(&self, what: Whole) -> impl Iterator<Item = &ObjectRef> {
        let changes = self.changes.iter().filter(move |change| whole(change) == Some(what));
        changes.filter_map(|change| change.object.as_ref())
    }

    /// The same by kind: `Deployment a, b; Service c`; with their namespaces where a step touches several.
    pub(super) fn in_words(&self, what: Whole) -> String {
        let objects = self.changes.iter().filter_map(|change| change.object.as_ref());
        let places: BTreeSet<&String> = objects.filter_map(|one| one.namespace.as_ref()).collect();
        let several = places.len() > 1;
        let mut by_kind: Vec<(&str, Vec<String>)> = Vec::new();
        for object in self.wholes(what) {
            let name = match &object.namespace {
                Some(namespace) if several => format!("{namespace}/{}", object.name),
                Some(_) | None => object.name.clone(),
            };
            match by_kind.iter_mut().find(|(kind, _)| *kind == object.kind) {
                Some((_, names)) => names.push(name),
                None => by_kind.push((&object.kind, vec![name])),
            }
        }
        let texts = by_kind.iter().map(|(kind, names)| format!("{kind} {}", names.join(", ")));
        texts.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Effect, Origin, Plan, Precondition, text};

    fn whole(namespace: &str, comes: bool) -> Change {
        let object = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: "ui".to_owned(),
        };
        let present = Shown::Text("present".to_owned());
        let (from, to) = if comes { (Shown::Absent, present) } else { (present, Shown::Absent) };
        let (effect, origin) = (Effect::InPlace, Origin::You);
        Change { object: Some(object), path: String::new(), from, to, effect, origin, by: None }
    }

    fn step(id: &str, action: Action) -> Step {
        Step {
            id: id.parse().unwrap(),
            action,
            wanted: None,
            found: None,
            after: BTreeSet::new(),
            precondition: Precondition::Absent,
            changes: vec![whole("new", true), whole("old", false)],
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    #[test]
    fn parts_that_go_stand_among_what_is_destroyed_and_are_counted() {
        let steps =
            vec![step("a/release/ui", Action::Replace), step("a/objects/ui", Action::Create)];
        insta::assert_snapshot!(text(&Plan { steps, notes: Vec::new() }, 80), @r"
        Plan: 1 to destroy, 1 to make anew, 1 to create

        Will be destroyed (1):
          - a/objects/ui  a part of it
              Deployment old/ui

        Will be made anew (1):
          ± a/release/ui
              new: Deployment new/ui
              goes: Deployment old/ui

        Will be created (1):
          + a/objects/ui
              Deployment new/ui
        ");
    }

    #[test]
    fn what_another_of_its_kind_comes_for_is_changed_and_not_taken_away() {
        let update = |changes| Step { changes, ..step("a/release/ui", Action::Update) };
        assert!(!update(vec![whole("n", true), whole("n", false)]).takes_parts_away());
        assert!(!update(vec![whole("n", true)]).takes_parts_away());
        for more in [whole("n", false), whole("m", false)] {
            let step = update(vec![whole("n", true), whole("n", false), more]);
            assert!(step.takes_parts_away());
        }
    }
}
