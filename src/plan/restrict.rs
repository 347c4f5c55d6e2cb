//! A fresh plan cut down to what was approved: nothing is widened, nothing is planned again in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::saved::{self, SavedChange, SavedEffect, SavedPrecondition, SavedStep};
use super::seal::Seal;
use super::{Action, Block, Change, Plan, Step};
use crate::model::ResourceId;

/// What may happen to a resource that could not be decided when the plan was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deferral {
    /// It may be created; anything else needs a new plan.
    #[default]
    CreateOnly,
    /// Whatever it turns out to be.
    Anything,
}

/// Keeps of a fresh plan what was approved and is still so. A step that differs is blocked as stale, with the object and the
/// field; what needs it is skipped with it. Steps that write nothing stay as they are.
pub fn restrict(fresh: &Plan, approved: &[SavedStep], seal: &Seal, deferral: Deferral) -> Plan {
    let approved: BTreeMap<_, _> = approved.iter().map(|step| (&step.id, step)).collect();
    let mut plan = fresh.clone();
    let mut refused_in: BTreeMap<ResourceId, String> = BTreeMap::new();
    for step in &mut plan.steps {
        let Some(why) = refusal(step, approved.get(&step.id).copied(), seal, deferral) else {
            continue;
        };
        if let Action::GoesWith { host } = &step.action {
            refused_in.entry(host.clone()).or_insert_with(|| format!("`{}` in it: {why}", step.id));
        }
        step.action = Action::Blocked { by: Block::Stale { why } };
    }
    // Nor is a volume changed whose claim was not to be left behind.
    for step in plan.steps.iter_mut().filter(|step| step.saves_volume()) {
        let said = approved.get(&step.id).is_some_and(|said| said.action == step.action.verb());
        if let (false, Some(found)) = (said, step.found.as_mut()) {
            Arc::make_mut(found).volume = None;
        }
    }
    // A host does not go with something in it that nobody approved.
    for step in &mut plan.steps {
        if let (Some(why), Action::Delete | Action::Replace) =
            (refused_in.get(&step.id), &step.action)
        {
            step.action = Action::Blocked { by: Block::Stale { why: why.clone() } };
        }
    }
    plan
}

/// The resources that could not be decided when the plan was made, and that more than creation is planned for now.
pub fn undecided<'a>(fresh: &'a Plan, approved: &[SavedStep]) -> Vec<&'a Step> {
    let deferred: BTreeSet<_> =
        approved.iter().filter(|step| step.action == "deferred").map(|step| &step.id).collect();
    fresh
        .steps
        .iter()
        .filter(|step| deferred.contains(&step.id))
        .filter(|step| step.action.changes_something() && step.action != Action::Create)
        .collect()
}

/// Why a step may not be done; nothing when it may.
fn refusal(
    now: &Step,
    approved: Option<&SavedStep>,
    seal: &Seal,
    deferral: Deferral,
) -> Option<String> {
    if !now.action.changes_something() {
        return None;
    }
    let verb = saved::action_word(&now.action);
    let Some(approved) = approved else {
        return Some(format!("not in the approved plan, which does not say: {verb}"));
    };
    if approved.action == "deferred" {
        let may = deferral == Deferral::Anything || now.action == Action::Create;
        return (!may)
            .then(|| format!("undecided when the plan was made, and now to be approved: {verb}"));
    }
    if approved.action != verb || approved.on.as_ref() != saved::on(&now.action) {
        let why = changed_object(now, approved, seal).unwrap_or_default();
        return Some(format!("the plan says {}, and now it would be {verb}{why}", approved.action));
    }
    if let Action::GoesWith { .. } = now.action {
        return None;
    }
    if let Some(why) = changed_object(now, approved, seal) {
        return Some(format!("changed since the plan was made{why}"));
    }
    if let Some(why) = other_changes(now, approved, seal) {
        return Some(why);
    }
    if SavedPrecondition::of(&now.precondition, seal) != approved.relies_on {
        return Some("changed since the plan was made: it was made anew, or came or went".into());
    }
    // With an output that is known by now, the same files give other inputs.
    let filled_in = !approved.unknown.is_empty() && unknown(now) != approved.unknown;
    if saved::inputs(now, seal) != approved.inputs && !filled_in {
        return Some("what it is made from is not what was approved".to_owned());
    }
    None
}

fn unknown(step: &Step) -> BTreeSet<String> {
    let rendered = step.wanted.as_ref().and_then(|wanted| wanted.rendered.as_ref());
    let unknown = rendered.into_iter().flat_map(|rendered| &rendered.unknown);
    unknown.map(crate::model::Leaf::shown).collect()
}

/// The live object that is not what it was, with the field where one is to be seen.
fn changed_object(now: &Step, approved: &SavedStep, seal: &Seal) -> Option<String> {
    let live = saved::objects(now, seal);
    for (object, digest) in &live {
        match approved.objects.get(object) {
            Some(before) if before == digest => {}
            Some(_) => {
                let field = now.changes.iter().find(|change| {
                    change.object.as_ref().is_some_and(|name| name.to_string() == *object)
                        && !approved.changes.iter().any(|saved| same(saved, change, seal))
                });
                let field = field.map_or("", |change| change.path.as_str());
                let space = if field.is_empty() { "" } else { " " };
                return Some(format!(": {object}{space}{field}"));
            }
            None => return Some(format!(": {object} is there by now")),
        }
    }
    let gone = approved.objects.keys().find(|object| !live.contains_key(*object));
    gone.map(|object| format!(": {object} is gone"))
}

/// The first change that was not approved, or that is not there any more.
fn other_changes(now: &Step, approved: &SavedStep, seal: &Seal) -> Option<String> {
    let place = |object: Option<String>, path: &str| {
        let object = object.unwrap_or_default();
        format!("{object} {path}").trim().to_owned()
    };
    let new = now
        .changes
        .iter()
        .find(|change| !approved.changes.iter().any(|saved| same(saved, change, seal)));
    if let Some(change) = new {
        let object = change.object.as_ref().map(ToString::to_string);
        let place = place(object, &change.path);
        return Some(format!("this change is not in the approved plan: {place}"));
    }
    let gone = approved
        .changes
        .iter()
        .find(|saved| !now.changes.iter().any(|change| same(saved, change, seal)));
    gone.map(|saved| {
        let place = place(saved.object.clone(), &saved.path);
        format!("this approved change is not needed any more: {place}")
    })
}

/// Whether a change is the approved one; who made the difference does not count.
fn same(saved: &SavedChange, now: &Change, seal: &Seal) -> bool {
    saved.object == now.object.as_ref().map(ToString::to_string)
        && saved.path == now.path
        && saved.effect == SavedEffect::of(now.effect)
        && saved.from.is(&now.from, seal)
        && saved.to.is(&now.to, seal)
}
