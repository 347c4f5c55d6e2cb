//! Invariants that every plan keeps. Every test and every run asks them before anything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Action, Effect, Plan, Precondition, Purpose, Step};
use crate::model::{CLAIM, Class, ObjectRef, Owner, ResourceId, ResourceKind};

/// A promise that a plan breaks. Always a mistake in datamill, never the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokenRule {
    /// A resource has more than one step.
    Twice {
        /// Which.
        id: ResourceId,
    },
    /// A step waits for one that is not there, or stands behind it.
    Order {
        /// Which step.
        id: ResourceId,
        /// What it waits for.
        after: ResourceId,
    },
    /// Something that goes is needed by something that stays.
    StillNeeded {
        /// What goes.
        id: ResourceId,
        /// What needs it.
        by: ResourceId,
    },
    /// A host goes or is made anew while something kept lives in it.
    Inhabited {
        /// The host.
        host: ResourceId,
        /// What lives in it.
        by: ResourceId,
    },
    /// Something that is not ours would be changed.
    Foreign {
        /// What.
        id: ResourceId,
    },
    /// Data would go without the plan saying so.
    HiddenLoss {
        /// What.
        id: ResourceId,
    },
    /// A write does not say what it relies on.
    Unguarded {
        /// Which.
        id: ResourceId,
    },
    /// What only looks would change something.
    NotLooking {
        /// Which.
        id: ResourceId,
    },
    /// A live object is part of more than one step, so that each may do another thing to it.
    Shared {
        /// The object.
        object: ObjectRef,
        /// The steps.
        ids: [ResourceId; 2],
    },
    /// A run that takes something away would make, change or mend another thing.
    MadeByRemoval {
        /// Which.
        id: ResourceId,
    },
}

impl fmt::Display for BrokenRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice { id } => write!(f, "`{id}` has more than one step"),
            Self::Order { id, after } => {
                write!(f, "`{id}` waits for `{after}`, which does not stand before it")
            }
            Self::StillNeeded { id, by } => write!(f, "`{id}` goes, but `{by}` needs it"),
            Self::Inhabited { host, by } => write!(f, "`{host}` goes, but `{by}` in it is kept"),
            Self::Foreign { id } => write!(f, "`{id}` is not ours and would be changed"),
            Self::HiddenLoss { id } => write!(f, "`{id}` holds data and goes without a word"),
            Self::Unguarded { id } => write!(f, "`{id}` is written without a precondition"),
            Self::NotLooking { id } => write!(f, "`{id}` only looks and would change something"),
            Self::Shared { object, ids: [one, other] } => {
                write!(f, "{object} is part of `{one}` and of `{other}`")
            }
            Self::MadeByRemoval { id } => {
                write!(f, "`{id}` would be made or changed by a run that only takes away")
            }
        }
    }
}

/// Checks the invariants; all that are broken come at once.
pub fn check(plan: &Plan, purpose: Purpose) -> Result<(), Vec<BrokenRule>> {
    let mut broken = Vec::new();
    let by_id: BTreeMap<_, _> = plan.steps.iter().map(|step| (&step.id, step)).collect();
    let mut before = BTreeSet::new();
    for step in &plan.steps {
        let missing = step.after.iter().filter(|after| !before.contains(*after));
        broken.extend(
            missing.map(|after| BrokenRule::Order { id: step.id.clone(), after: after.clone() }),
        );
        if !before.insert(&step.id) {
            broken.push(BrokenRule::Twice { id: step.id.clone() });
        }
        alone(step, &mut broken);
        if purpose == Purpose::Removal && makes(&step.action) {
            broken.push(BrokenRule::MadeByRemoval { id: step.id.clone() });
        }
        together(step, &by_id, &mut broken);
    }
    shared(plan, &mut broken);
    if broken.is_empty() { Ok(()) } else { Err(broken) }
}

/// Whether something is made, changed or mended.
fn makes(action: &Action) -> bool {
    match action {
        Action::Create | Action::Update | Action::Repair | Action::Replace | Action::Adopt => true,
        // What is stopped has to run before something in it can go.
        Action::Start
        | Action::Deferred { .. }
        | Action::Delete
        | Action::GoesWith { .. }
        | Action::Mark { .. }
        | Action::Keep
        | Action::Retain { .. }
        | Action::Use
        | Action::Waiting { .. }
        | Action::Blocked { .. } => false,
    }
}

/// What several steps show of the objects they are made of.
fn shared(plan: &Plan, broken: &mut Vec<BrokenRule>) {
    let mut steps: BTreeMap<&str, &ResourceId> = BTreeMap::new();
    // What is only used, or not touched, may be seen from anywhere.
    let touches = |step: &&Step| !matches!(step.action, Action::Use | Action::Blocked { .. });
    for step in plan.steps.iter().filter(touches) {
        let objects = step.found.iter().flat_map(|found| &found.objects);
        let ours = objects.filter(|one| one.owner == Owner::Ours && one.live.is_some());
        for one in ours.filter(|one| !stands_alone(&step.id, &one.object)) {
            let Some(uid) = one.version.uid.as_deref() else { continue };
            let first = *steps.entry(uid).or_insert(&step.id);
            if *first != step.id {
                let ids = [first.clone(), step.id.clone()];
                broken.push(BrokenRule::Shared { object: one.object.clone(), ids });
            }
        }
    }
}

/// Whether an object of a release has a step of its own: what happens to the claim of a chart is said there.
fn stands_alone(id: &ResourceId, object: &ObjectRef) -> bool {
    id.kind == ResourceKind::Release && object.kind == CLAIM
}

/// What one step shows by itself.
fn alone(step: &Step, broken: &mut Vec<BrokenRule>) {
    let id = || step.id.clone();
    let writes = matches!(
        step.action,
        Action::Create
            | Action::Update
            | Action::Repair
            | Action::Replace
            | Action::Adopt
            | Action::Mark { .. }
            | Action::Delete
            | Action::Start
    );
    let ours = step.found.as_ref().is_none_or(|found| found.owner == Owner::Ours);
    if writes && !ours && step.action != Action::Adopt {
        broken.push(BrokenRule::Foreign { id: id() });
    }
    if writes && step.precondition == Precondition::Nothing {
        broken.push(BrokenRule::Unguarded { id: id() });
    }
    if step.action.changes_something()
        && step.id.kind.only_looks()
        && !matches!(step.action, Action::Deferred { .. })
    {
        broken.push(BrokenRule::NotLooking { id: id() });
    }
    let data = step.found.as_ref().is_some_and(|found| found.class == Class::Data);
    let said = step.changes.iter().any(|change| change.effect == Effect::LosesData);
    if data && matches!(step.action, Action::Delete | Action::Replace) && !said {
        broken.push(BrokenRule::HiddenLoss { id: id() });
    }
}

/// What a step that stays shows about those that go.
fn together(step: &Step, by_id: &BTreeMap<&ResourceId, &Step>, broken: &mut Vec<BrokenRule>) {
    if matches!(step.action, Action::Delete | Action::GoesWith { .. } | Action::Blocked { .. }) {
        return;
    }
    let goes = |id: &ResourceId| {
        by_id
            .get(id)
            .is_some_and(|step| matches!(step.action, Action::Delete | Action::GoesWith { .. }))
    };
    let wanted = step.wanted.iter().flat_map(|wanted| wanted.needs.iter());
    // What changes lets go of what it needed before; what stays as it is does not.
    let kept = matches!(step.action, Action::Keep | Action::Retain { .. }) && step.wanted.is_none();
    let found = step.found.iter().filter(|_| kept).flat_map(|found| found.needs.iter());
    for need in wanted.chain(found).filter(|need| goes(need)) {
        broken.push(BrokenRule::StillNeeded { id: need.clone(), by: step.id.clone() });
    }
    let host = step.wanted.as_ref().and_then(|wanted| wanted.host.clone());
    let host = host.or_else(|| step.found.as_ref().and_then(|found| found.host.clone()));
    let Some(host) = host else { return };
    let made_anew = by_id.get(&host).is_some_and(|host| host.action == Action::Replace);
    if goes(&host) || made_anew && matches!(step.action, Action::Retain { .. }) {
        broken.push(BrokenRule::Inhabited { host, by: step.id.clone() });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{AfterApply, Found, Object, ObjectFound, Version};

    fn step(id: &str, action: Action, found: Option<Found>) -> Step {
        Step {
            id: id.parse().unwrap(),
            action,
            wanted: None,
            found: found.map(Arc::new),
            after: BTreeSet::new(),
            precondition: Precondition::Absent,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    fn broken(steps: Vec<Step>) -> Vec<BrokenRule> {
        check(&Plan { steps, notes: Vec::new() }, Purpose::Apply).err().unwrap_or_default()
    }

    #[test]
    fn each_promise_is_kept_or_named() {
        let id = |text: &str| text.parse::<ResourceId>().unwrap();
        let a = || step("a/release/x", Action::Create, None);
        assert_eq!(broken(vec![a()]), []);
        assert_eq!(broken(vec![a(), a()]), [BrokenRule::Twice { id: id("a/release/x") }]);

        let mut early = step("b/release/y", Action::Create, None);
        early.after.insert(id("a/release/x"));
        assert!(matches!(broken(vec![early, a()])[..], [BrokenRule::Order { .. }]));

        let foreign = Found { owner: Owner::Other("x".to_owned()), ..Found::ours() };
        let update = step("a/release/x", Action::Update, Some(foreign));
        assert_eq!(broken(vec![update]), [BrokenRule::Foreign { id: id("a/release/x") }]);

        let data = Found { class: Class::Data, ..Found::ours() };
        let delete = step("a/claim/x", Action::Delete, Some(data));
        assert_eq!(broken(vec![delete]), [BrokenRule::HiddenLoss { id: id("a/claim/x") }]);

        let mut bare = a();
        bare.precondition = Precondition::Nothing;
        assert_eq!(broken(vec![bare]), [BrokenRule::Unguarded { id: id("a/release/x") }]);

        let wait = step("a/wait/x", Action::Create, None);
        assert_eq!(broken(vec![wait]), [BrokenRule::NotLooking { id: id("a/wait/x") }]);
    }

    /// A thing that is one object.
    fn made_of(uid: &str, kind: &str) -> Found {
        let object = Object(serde_json::json!({"apiVersion": "v1", "kind": kind,
            "metadata": {"name": "x", "namespace": "n"}}));
        let one = ObjectFound {
            object: object.reference().unwrap(),
            wanted: true,
            live: Some(object),
            after: AfterApply::Unwanted,
            owner: Owner::Ours,
            class: Class::Stateless,
            version: Version { uid: Some(uid.to_owned()), fields: None },
        };
        Found { objects: vec![one], ..Found::ours() }
    }

    #[test]
    fn a_live_object_stands_in_one_step() {
        let claim = |uid: &str| Some(made_of(uid, CLAIM));
        let kept = || Action::Retain { why: String::new() };
        let update = || step("a/claim/x", Action::Update, claim("one"));
        let by_place = |action, uid| step("a/claim/n/x", action, claim(uid));
        assert_eq!(broken(vec![update(), by_place(kept(), "two")]), []);
        for action in [kept(), Action::Update, Action::Keep] {
            let broken = broken(vec![update(), by_place(action, "one")]);
            let ids = [update().id, by_place(kept(), "one").id];
            assert!(matches!(&broken[..], [BrokenRule::Shared { ids: all, .. }] if *all == ids));
        }
        // A chart's claim has a step of its own, and what is used is nobody's part.
        assert_eq!(broken(vec![update(), step("a/release/x", Action::Keep, claim("one"))]), []);
        let used = |id| step(id, Action::Use, Some(made_of("one", "Namespace")));
        assert_eq!(broken(vec![used("a/objects/x"), used("b/objects/x")]), []);
    }

    #[test]
    fn a_plan_of_removal_has_no_step_that_makes_or_changes() {
        let broken = |action| {
            let found = (action != Action::Create).then(Found::ours);
            let steps = vec![step("target/namespace/x", action, found)];
            check(&Plan { steps, notes: Vec::new() }, Purpose::Removal).err().unwrap_or_default()
        };
        let id = "target/namespace/x".parse::<ResourceId>().unwrap();
        for action in
            [Action::Create, Action::Update, Action::Repair, Action::Replace, Action::Adopt]
        {
            assert_eq!(broken(action), [BrokenRule::MadeByRemoval { id: id.clone() }]);
        }
        for action in [Action::Delete, Action::Keep, Action::Use, Action::Start] {
            assert_eq!(broken(action), []);
        }
    }

    #[test]
    fn nothing_goes_that_something_kept_needs_or_lives_in() {
        let namespace: ResourceId = "target/namespace/x".parse().unwrap();
        let claim = Found {
            host: Some(namespace.clone()),
            needs: BTreeSet::from([namespace.clone()]),
            ..Found::ours()
        };
        let kept = step("a/claim/x", Action::Retain { why: String::new() }, Some(claim));
        let gone = step("target/namespace/x", Action::Delete, Some(Found::ours()));
        let by = kept.id.clone();
        assert_eq!(
            broken(vec![kept, gone]),
            [
                BrokenRule::StillNeeded { id: namespace.clone(), by: by.clone() },
                BrokenRule::Inhabited { host: namespace, by }
            ]
        );
    }
}
