//! Decided resources become steps: makers before users, users before what they use goes, inner things before hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::Entries;
use super::place::World;
use super::{Action, Step};
use crate::graph::Graph;
use crate::model::{Family, ResourceId, ResourceKind, Scope};

/// The steps of a plan; what a step waits for stands before it.
pub(super) fn steps(world: &World<'_>, entries: &Entries) -> Vec<Step> {
    let graph = edges(world, entries);
    graph
        .order()
        .into_iter()
        .filter_map(|id| {
            let entry = entries.get(&id)?;
            Some(Step {
                after: graph.before(&id).cloned().collect(),
                action: entry.decision.action.clone(),
                wanted: entry.wanted.clone(),
                found: entry.found.clone(),
                precondition: entry.decision.precondition.clone(),
                changes: entry.decision.changes.clone(),
                notes: entry.decision.notes.clone(),
                readers: entry.decision.readers.clone(),
                id,
            })
        })
        .collect()
}

fn edges(world: &World<'_>, entries: &Entries) -> Graph<ResourceId> {
    let mut graph = Graph::default();
    let deleted = Deleted::of(entries);
    for (id, entry) in entries {
        graph.add_node(id.clone());
        match &entry.decision.action {
            Action::Delete | Action::Retain { .. } | Action::Blocked { .. }
                if entry.wanted.is_none() => {}
            Action::GoesWith { host } => link(&mut graph, entries, id, host),
            Action::Create
            | Action::Update
            | Action::Repair
            | Action::Replace
            | Action::Adopt
            | Action::Mark { .. }
            | Action::Delete
            | Action::Keep
            | Action::Retain { .. }
            | Action::Use
            | Action::Start
            | Action::Deferred { .. }
            | Action::Waiting { .. }
            | Action::Blocked { .. } => {
                let wanted = entry.wanted.iter();
                for before in wanted.flat_map(|wanted| wanted.needs.iter().chain(&wanted.host)) {
                    link(&mut graph, entries, id, before);
                }
            }
        }
    }
    for (id, entry) in entries {
        let stays = matches!(
            entry.decision.action,
            Action::Retain { .. } | Action::GoesWith { .. } | Action::Blocked { .. }
        );
        if !stays {
            for gone in deleted.used_by(world, id) {
                link(&mut graph, entries, gone, id);
            }
        }
    }
    graph
}

/// Makes one step wait for another. Needs written on live things may be odd: one that would close a circle is left out.
fn link(graph: &mut Graph<ResourceId>, entries: &Entries, node: &ResourceId, before: &ResourceId) {
    if node != before
        && entries.contains_key(before)
        && graph.add_edge(node.clone(), before.clone()).is_err()
    {
        graph.add_node(node.clone());
    }
}

/// What is deleted, at hand by what others name it by.
struct Deleted<'a> {
    ids: BTreeSet<&'a ResourceId>,
    by_scope: BTreeMap<&'a Scope, Vec<&'a ResourceId>>,
    installations: Vec<&'a ResourceId>,
}

impl<'a> Deleted<'a> {
    fn of(entries: &'a Entries) -> Self {
        let goes = |entry: &super::decision::Entry| entry.decision.action == Action::Delete;
        let ids: BTreeSet<_> =
            entries.iter().filter(|(_, entry)| goes(entry)).map(|(id, _)| id).collect();
        let mut by_scope: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for id in &ids {
            by_scope.entry(&id.scope).or_default().push(*id);
        }
        let installations =
            ids.iter().copied().filter(|id| id.kind == ResourceKind::Installation).collect();
        Self { ids, by_scope, installations }
    }

    /// What goes only after this one is done: what it needs and what it lives in; the record of the installation last of
    /// all that a cluster holds.
    fn used_by(&self, world: &World<'a>, id: &ResourceId) -> BTreeSet<&'a ResourceId> {
        let mut used = BTreeSet::new();
        for need in world.needs(id).chain(world.hosts(id)) {
            used.extend(self.ids.get(need).copied());
            // Within an instance each step names what it really needs as well.
            if need.kind.only_looks() && need.scope != id.scope {
                used.extend(self.by_scope.get(&need.scope).into_iter().flatten());
            }
        }
        if self.ids.contains(id)
            && id.kind.family() == Family::Kubernetes
            && id.kind != ResourceKind::Installation
        {
            used.extend(&self.installations);
        }
        used.remove(id);
        used
    }
}
