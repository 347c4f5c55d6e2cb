//! What is there and wanted no more: what goes, what stays and why. Data stays, and so does what it needs.

mod entry;
mod held;
mod pruner;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) use self::entry::outlives;
use self::entry::{Fate, entry};
use self::pruner::Pruner;
use super::decision::{Decision, Entries, Entry};
use super::place::World;
use super::{Action, Precondition, Selection, volume};
use crate::model::{Class, Found, Health, Name, Owner, ResourceId};

/// Why something is kept that would go if more could be seen.
pub(super) const UNSEEN: &str = "not everything could be listed";

/// What pruning adds to a plan.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    /// Decided resources.
    pub(super) entries: Entries,
    /// For a person.
    pub(super) notes: Vec<String>,
}

/// The instances that go because they need one that goes, when that is permitted.
pub(super) fn taken_along(world: &World<'_>) -> BTreeSet<Name> {
    let mut taken = BTreeSet::new();
    if !world.request.permits.cascade {
        return taken;
    }
    loop {
        let leaving: BTreeSet<_> = candidates(world, &taken)
            .into_iter()
            .filter_map(|id| id.instance_name().cloned())
            .filter(|name| taken.contains(name) || !world.request.desired.has(name))
            .collect();
        let next =
            everything(world).into_iter().filter(|id| !is_of_others(world, id)).find_map(|id| {
                let name = id.instance_name()?;
                let fresh = !taken.contains(name) && !leaving.contains(name);
                (fresh && leaving.iter().any(|gone| world.needs_instance(id, gone))).then_some(name)
            });
        match next {
            Some(name) => taken.insert(name.clone()),
            None => return taken,
        };
    }
}

/// All ids, wanted or found.
fn everything<'a>(world: &World<'a>) -> BTreeSet<&'a ResourceId> {
    let request = world.request;
    request.desired.resources.keys().chain(request.snapshot.discovered.found.keys()).collect()
}

/// Whether another flavour holds it.
fn is_of_others(world: &World<'_>, id: &ResourceId) -> bool {
    let theirs = world.discovered(id).and_then(|found| found.flavour.as_deref());
    theirs.is_some_and(|theirs| world.is_another(theirs))
}

/// Whether it was installed by name outside the flavour, and is not meant by this run.
fn is_extra(world: &World<'_>, id: &ResourceId) -> bool {
    let meant = match world.request.selection {
        Selection::All => world.request.desired.resources.is_empty(),
        Selection::Instances(_) => true,
    };
    !meant && world.discovered(id).is_some_and(|found| found.extra)
}

/// What is ours, found, within this run and wanted no more.
fn candidates<'a>(world: &World<'a>, taken: &BTreeSet<Name>) -> BTreeSet<&'a ResourceId> {
    let discovered = &world.request.snapshot.discovered.found;
    discovered
        .iter()
        .filter(|(id, found)| {
            let along = id.instance_name().is_some_and(|name| taken.contains(name));
            found.owner == Owner::Ours
                && !id.kind.only_looks()
                && (along || world.desired(id).is_none() && world.is_selected(id))
                && !is_of_others(world, id)
                && !is_extra(world, id)
                && (along || !world.request.desired.uses(id, found))
        })
        .map(|(id, _)| id)
        .collect()
}

/// Claims that no file names, in use again after they were kept: their volumes are as they were before.
fn in_use_again(world: &World<'_>, leaving: &BTreeSet<&ResourceId>) -> Entries {
    let discovered = world.request.snapshot.discovered.found.iter();
    let again = discovered.filter(|(id, found)| {
        found.owner == Owner::Ours
            && !leaving.contains(id)
            && world.desired(id).is_none()
            && world.is_selected(id)
            && !is_of_others(world, id)
            && world.request.desired.uses(id, found)
    });
    let entry = |found: &Found| {
        let mut decision = volume::wanted(found, Decision::plain(Action::Keep));
        decision.precondition = Precondition::of(found);
        let changes = decision.action.changes_something();
        changes.then(|| Entry { decision, wanted: None, found: Some(Arc::new(found.clone())) })
    };
    again.filter_map(|(id, found)| Some((id.clone(), entry(found)?))).collect()
}

/// Decides all that is wanted no more.
pub(super) fn prune(world: &World<'_>, taken: &BTreeSet<Name>, staying: &Entries) -> Pruned {
    let candidates = candidates(world, taken);
    let mut pruned = Pruned { notes: notes(world), ..Pruned::default() };
    let unlisted = &world.request.snapshot.discovered.unlisted;
    let mut fates = Pruner { world, taken, staying, going: BTreeMap::new() };
    pruned.entries = in_use_again(world, &candidates);
    for id in candidates {
        let fate = match (fates.own(id), unlisted.first()) {
            (fate @ Fate::Stays(_), _) | (fate, None) => fate,
            (Fate::Goes | Fate::GoesWith(_) | Fate::Refused(_), Some(what)) => {
                Fate::Stays(format!("{UNSEEN}: {what}"))
            }
        };
        fates.going.insert(id, fate);
    }
    if unlisted.is_empty() {
        fates.settle();
        fates.refuse_needed();
    }
    for (id, fate) in &fates.going {
        if let Some(found) = world.discovered(id) {
            pruned.entries.insert((*id).clone(), entry(world, id, found, fate));
        }
    }
    pruned
}

/// What a person should know about things that this run leaves alone.
fn notes(world: &World<'_>) -> Vec<String> {
    let discovered = &world.request.snapshot.discovered;
    let mut notes: Vec<_> = discovered
        .unlisted
        .iter()
        .map(|what| format!("could not list {what}: nothing is removed in this run"))
        .collect();
    let extras: BTreeSet<_> = discovered
        .found
        .keys()
        .filter(|id| is_extra(world, id) && world.desired(id).is_none() && !is_of_others(world, id))
        .filter_map(ResourceId::instance_name)
        .collect();
    notes.extend(extras.into_iter().map(|name| {
        format!("`{name}` was installed outside the flavour and is left alone; `datamill uninstall -c {name}` takes it away")
    }));
    // What no file names is no step of its own as long as it is used, and is going all the same.
    let unnamed = discovered.found.iter().filter(|(id, found)| {
        found.class == Class::Data && world.desired(id).is_none() && !is_of_others(world, id)
    });
    notes.extend(unnamed.filter_map(|(id, found)| match &found.health {
        Health::Settling(progress) => Some(format!("`{id}`: {}", progress.waits_for)),
        Health::Ready | Health::Assumed(_) | Health::Started | Health::Failed(_) => None,
    }));
    notes
}
