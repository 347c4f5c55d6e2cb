//! Plans of runs that change what is written on things and nothing else: taking over, letting go, protecting. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Action, Block, Marking, Plan, Precondition, Step};
use crate::model::{
    Discovery, Found, Observed, Owner, Protection, ResourceId, ResourceKind, Scope, Snapshot,
};

fn step(id: &ResourceId, action: Action, found: &Found) -> Step {
    Step {
        id: id.clone(),
        precondition: Precondition::of(found),
        action,
        wanted: None,
        found: Some(Arc::new(found.clone())),
        after: BTreeSet::new(),
        changes: Vec::new(),
        notes: Vec::new(),
        readers: Vec::new(),
    }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { steps, notes: Vec::new() }
}

/// Lets go of resources: our marks come off, and all of it stays. What others that remain ours need is refused.
pub fn orphan(there: &Discovery, meant: &BTreeSet<ResourceId>) -> Plan {
    let found = |id: &ResourceId| there.found.get(id);
    let users = |id: &ResourceId| -> BTreeSet<ResourceId> {
        let others = there.found.iter().filter(|(other, _)| !meant.contains(*other));
        let uses = |found: &Found| {
            found.needs.iter().chain(&found.host).any(|need| {
                let instance = need.kind.only_looks() && need.scope != Scope::Target;
                need == id || instance && need.scope == id.scope
            })
        };
        others.filter(|(_, found)| uses(found)).map(|(other, _)| other.clone()).collect()
    };
    let steps = meant.iter().filter_map(|id| {
        let found = found(id)?;
        let by = users(id);
        if !by.is_empty() {
            return Some(step(id, Action::Blocked { by: Block::Needed { by } }, found));
        }
        let mut step = step(id, Action::Mark { how: Marking::Orphan }, found);
        if let Some(size) = &found.size {
            step.notes.push(format!("its data stays ({size})"));
        }
        if id.kind == ResourceKind::Release {
            step.notes.push(
                "Helm's stored manifest still holds our marks: a rollback by hand writes them again"
                    .to_owned(),
            );
        }
        Some(step)
    });
    plan(steps.collect())
}

/// Writes on resources whether they may go. What says so already is left as it is.
pub fn protect(there: &Discovery, meant: &BTreeSet<ResourceId>, said: &Protection) -> Plan {
    let mut all = Plan::default();
    for (id, found) in meant.iter().filter_map(|id| Some((id, there.found.get(id)?))) {
        match &found.protection {
            Some(before) if before.on == said.on => {
                all.notes.push(format!("`{id}`: said already by {}", before.says()));
                all.steps.push(step(id, Action::Keep, found));
            }
            Some(_) | None => {
                let how = Marking::Protect { said: said.clone() };
                all.steps.push(step(id, Action::Mark { how }, found));
            }
        }
    }
    all
}

/// What is to be taken over, seen twice.
#[derive(Debug, Clone, Copy)]
pub struct Taken<'a> {
    /// Which.
    pub ids: &'a BTreeSet<ResourceId>,
    /// The flavour that had it, when it is another flavour's.
    pub from: Option<&'a str>,
    /// As it is: whose it is.
    pub truth: &'a Snapshot,
    /// As it would be if it were ours.
    pub seen: &'a Snapshot,
    /// What would be done with it then.
    pub plan: &'a Plan,
}

/// Takes resources over: they get our marks. What the next apply would change is shown beside it.
pub fn adopt(taken: Taken<'_>) -> Plan {
    let planned: BTreeMap<_, _> = taken.plan.steps.iter().map(|step| (&step.id, step)).collect();
    // Marks name the installation, so that is recorded before them.
    let record =
        taken.plan.steps.iter().find(|step| {
            step.id.kind == ResourceKind::Installation && step.action == Action::Create
        });
    let after: BTreeSet<ResourceId> = record.map(|step| step.id.clone()).into_iter().collect();
    let steps = taken.ids.iter().filter_map(|id| {
        let whose = whose(taken, id)?;
        let found = sight(taken.seen, id)?;
        let later = planned.get(id);
        let mut step = step(id, Action::Adopt, found);
        step.after.clone_from(&after);
        step.wanted = later.and_then(|step| step.wanted.clone());
        if let Some(owner) = still_others(found) {
            let object = format!("`{id}`");
            step.action = Action::Blocked { by: Block::Foreign { object, owner } };
            return Some(step);
        }
        step.changes = later.map(|step| step.changes.clone()).unwrap_or_default();
        step.notes.push(format!("until now: {whose}"));
        if let Some(later) = later.filter(|later| later.action.changes_something()) {
            step.notes.push(format!(
                "its marks are written now; the next apply: {}",
                later.action.verb()
            ));
        }
        step.notes.extend(later.iter().flat_map(|step| step.all_notes().cloned()));
        Some(step)
    });
    let steps: Vec<Step> = steps.collect();
    let record = record.filter(|_| !steps.is_empty()).cloned();
    plan(
        record
            .map(|step| Step { after: BTreeSet::new(), ..step })
            .into_iter()
            .chain(steps)
            .collect(),
    )
}

fn sight<'a>(snapshot: &'a Snapshot, id: &ResourceId) -> Option<&'a Found> {
    let observed = snapshot.observed.get(id).and_then(Observed::found);
    observed.or_else(|| snapshot.discovered.found.get(id))
}

/// Whose a thing is that is not ours; nothing for what is ours, or not there.
fn whose(taken: Taken<'_>, id: &ResourceId) -> Option<String> {
    let found = sight(taken.truth, id)?;
    let discovered = taken.truth.discovered.found.get(id);
    let flavour =
        found.flavour.as_deref().or(discovered.and_then(|found| found.flavour.as_deref()));
    let theirs = flavour.filter(|flavour| {
        taken.from.is_some_and(|from| crate::model::label_value(from) == **flavour)
    });
    theirs.map(|flavour| format!("flavour {flavour}")).or_else(|| still_others(found))
}

/// Whose a thing or a live part of it is, when it is not ours.
fn still_others(found: &Found) -> Option<String> {
    let says = |owner: &Owner| match owner {
        Owner::Ours => None,
        Owner::Other(owner) => Some(owner.clone()),
        Owner::Unmarked { manager, .. } => {
            Some(manager.clone().unwrap_or_else(|| "nobody we know".to_owned()))
        }
    };
    let live = found.objects.iter().filter(|object| object.wanted && object.live.is_some());
    says(&found.owner).or_else(|| live.map(|object| &object.owner).find_map(says))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    fn ids(all: &[&str]) -> BTreeSet<ResourceId> {
        all.iter().map(|id| id.parse().unwrap()).collect()
    }

    fn there() -> Discovery {
        let found = |needs: &[&str]| Found { needs: ids(needs), ..Found::ours() };
        let things = [
            ("base/release/x", found(&["base/claim/data"])),
            ("base/claim/data", found(&[])),
            ("app/release/y", found(&["base/health/installed"])),
        ];
        let found = things.into_iter().map(|(id, found)| (id.parse().unwrap(), found)).collect();
        Discovery { found, ..Discovery::default() }
    }

    fn verbs(plan: &Plan) -> Vec<(String, &'static str)> {
        plan.steps.iter().map(|step| (step.id.to_string(), step.action.verb())).collect()
    }

    #[test]
    fn what_others_need_is_not_let_go_of() {
        let of = |meant: &[&str]| {
            let plan = orphan(&there(), &ids(meant));
            verbs(&plan).into_iter().map(|(_, verb)| verb).collect::<Vec<_>>()
        };
        assert_eq!(of(&["app/release/y"]), ["orphan"]);
        assert_eq!(of(&["base/claim/data"]), ["blocked"], "its release needs it");
        assert_eq!(of(&["base/claim/data", "base/release/x"]), ["blocked", "blocked"], "app does");
        let all = ["base/claim/data", "base/release/x", "app/release/y"];
        assert_eq!(of(&all), ["orphan", "orphan", "orphan"]);
        assert_eq!(of(&["zoo/release/z"]), Vec::<&str>::new());
    }

    #[test]
    fn what_is_said_already_is_not_said_again() {
        let said = |on| Protection {
            on,
            by: "ann@laptop".to_owned(),
            at: "today".to_owned(),
            run: RunId("r".to_owned()),
        };
        let mut there = there();
        let meant = ids(&["base/claim/data"]);
        assert_eq!(verbs(&protect(&there, &meant, &said(true)))[0].1, "protect");
        assert_eq!(verbs(&protect(&there, &meant, &said(false)))[0].1, "unprotect");
        let found = there.found.get_mut(&"base/claim/data".parse().unwrap()).unwrap();
        found.protection = Some(said(true));
        let plan = protect(&there, &meant, &said(true));
        assert_eq!(verbs(&plan)[0].1, "keep");
        assert!(plan.notes[0].contains("ann@laptop"), "{plan:?}");
        assert_eq!(verbs(&protect(&there, &meant, &said(false)))[0].1, "unprotect");
    }

    #[test]
    fn only_what_is_somebody_elses_is_taken_and_what_stays_theirs_is_refused() {
        let id: ResourceId = "a/objects/x".parse().unwrap();
        let ids = BTreeSet::from([id.clone()]);
        let snapshot = |owner: Owner| {
            let found = Found { owner, ..Found::ours() };
            let mut snapshot = Snapshot::default();
            snapshot.observed.insert(id.clone(), Observed::Present(Box::new(found)));
            snapshot
        };
        let unmarked = || Owner::Unmarked { manager: Some("kubectl".to_owned()), suitable: false };
        let other = || Owner::Other("project x, installation y".to_owned());
        let verb = |truth: Owner, seen: Owner| {
            let (truth, seen, plan) = (snapshot(truth), snapshot(seen), Plan::default());
            let taken = Taken { ids: &ids, from: None, truth: &truth, seen: &seen, plan: &plan };
            adopt(taken).steps.first().map(|step| step.action.verb())
        };
        assert_eq!(verb(unmarked(), Owner::Ours), Some("adopt"));
        assert_eq!(verb(other(), other()), Some("blocked"));
        assert_eq!(verb(Owner::Ours, Owner::Ours), None);
    }
}
