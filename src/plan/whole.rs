//! The whole plan: walks what is wanted from hosts inwards and from needs outwards, decides each, then prunes and orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::decide;
use super::decision::{Decision, Entries, Entry};
use super::place::{Place, World};
use super::{Action, Block, Plan, PlanError, Purpose, Request, Selection, order, prune, risky};
use crate::graph::Graph;
use crate::model::{
    Family, Found, Health, HelmWait, JobReady, KubernetesSpec, Leaf, Name, Object, Observed,
    Resource, ResourceId, ResourceKind, Scope, annotation,
};

/// Makes a plan. The same request gives the same plan, byte for byte.
pub fn plan(request: &Request<'_>) -> Result<Plan, PlanError> {
    let world = World::new(request);
    let taken_along = prune::taken_along(&world);
    let graph = needs(request, &taken_along)?;
    let mut planner =
        Planner { world, graph, taken_along, entries: Entries::new(), notes: Vec::new() };
    match request.purpose {
        Purpose::Apply => planner.decide_wanted()?,
        Purpose::Removal => planner.start_hosts(),
    }
    let pruned = prune::prune(&planner.world, &planner.taken_along, &planner.entries);
    planner.notes.extend(pruned.notes);
    planner.entries.extend(pruned.entries);
    Ok(Plan { steps: order::steps(&planner.world, &planner.entries), notes: planner.notes })
}

/// What each wanted resource waits for among the wanted ones.
fn needs(request: &Request<'_>, gone: &BTreeSet<Name>) -> Result<Graph<ResourceId>, PlanError> {
    let mut graph = Graph::default();
    let stays = |id: &ResourceId| id.instance_name().is_none_or(|name| !gone.contains(name));
    let wanted = &request.desired.resources;
    for (id, resource) in wanted.iter().filter(|(id, _)| stays(id)) {
        graph.add_node(id.clone());
        for before in resource.needs.iter().chain(&resource.host) {
            if wanted.contains_key(before) && stays(before) {
                graph
                    .add_edge(id.clone(), before.clone())
                    .map_err(|cycle| PlanError::Cycle { chain: cycle.chain })?;
            }
        }
    }
    Ok(graph)
}

struct Planner<'a> {
    world: World<'a>,
    graph: Graph<ResourceId>,
    taken_along: BTreeSet<Name>,
    entries: Entries,
    notes: Vec<String>,
}

impl Planner<'_> {
    /// A selected resource whose need is neither wanted nor there is an error.
    fn missing_needs(&self) -> Result<(), PlanError> {
        for id in self.graph.nodes().filter(|id| self.world.is_selected(id)) {
            let Some(resource) = self.world.desired(id) else { continue };
            for need in resource.needs.iter().chain(&resource.host) {
                let wanted = self.graph.contains(need);
                if !wanted && !self.world.is_there(need) {
                    return Err(PlanError::MissingNeed { id: id.clone(), missing: need.clone() });
                }
            }
        }
        Ok(())
    }

    /// The wanted resources this run is about: the selected ones and all they need, directly or not.
    fn reach(&self) -> BTreeSet<ResourceId> {
        match self.world.request.selection {
            Selection::All => self.graph.nodes().cloned().collect(),
            Selection::Instances(names) => {
                let selected =
                    |id: &&ResourceId| id.instance_name().is_some_and(|n| names.contains(n));
                self.graph.closure(self.graph.nodes().filter(selected))
            }
        }
    }

    /// Decides what is wanted, each in the light of the others.
    fn decide_wanted(&mut self) -> Result<(), PlanError> {
        self.missing_needs()?;
        self.decide_all()?;
        super::vanished::tell(&self.world, &mut self.entries);
        self.follow_secrets();
        self.guard_replacements();
        self.let_wait();
        Ok(())
    }

    /// Where something is to go, what is wanted stays as it is, whole or not, and is no step. A stopped host has to run before
    /// what is in it can go.
    fn start_hosts(&mut self) {
        let wanted = &self.world.request.desired.resources;
        for (id, resource) in wanted.iter().filter(|(id, _)| self.world.is_off(id)) {
            let Some(found) = self.world.found(id) else { continue };
            let decision = decide::present(resource, found, self.world.request.permits, &|_| None);
            let wanted = Some(Arc::new(resource.clone()));
            let found = Some(Arc::new(found.clone()));
            self.entries.insert(id.clone(), Entry { decision, wanted, found });
        }
    }

    fn decide_all(&mut self) -> Result<(), PlanError> {
        let reach = self.reach();
        for id in self.graph.order() {
            if !reach.contains(&id) {
                continue;
            }
            let Some(resource) = self.world.desired(&id) else { continue };
            if self.world.is_selected(&id) || id.scope == Scope::Target {
                let entry = self.decide(resource)?;
                self.entries.insert(id, entry);
            } else if self.stands(&id) {
                let found = self.world.found(&id).cloned().map(Arc::new);
                let wanted = Some(Arc::new(resource.clone()));
                let decision = Decision::plain(Action::Keep);
                self.entries.insert(id, Entry { decision, wanted, found });
            }
        }
        Ok(())
    }

    /// Whether a needed resource of an instance that is not selected is there; what only looks is when all it needs is.
    fn stands(&self, id: &ResourceId) -> bool {
        if id.kind.only_looks() {
            self.graph.before(id).all(|need| self.entries.contains_key(need))
        } else {
            self.world.found(id).is_some()
        }
    }

    fn decide(&self, resource: &Resource) -> Result<Entry, PlanError> {
        let wanted = Some(Arc::new(resource.clone()));
        let entry = |decision, found: Option<&Found>| Entry {
            decision,
            wanted: wanted.clone(),
            found: found.cloned().map(Arc::new),
        };
        if let Some(flavour) = self.world.other_holder(&resource.id) {
            let held = self.world.observed(&resource.id).and_then(Observed::found);
            return Ok(entry(decide::held_by(&resource.id, flavour), held));
        }
        let before = self.world.discovered(&resource.id);
        if let Some(by) = super::moved::left_behind(resource, before) {
            return Ok(entry(Decision::blocked(by), before));
        }
        if let Some(need) = self.graph.before(&resource.id).find(|n| !self.entries.contains_key(*n))
        {
            let block = Block::MissingNeed { need: need.clone() };
            return Ok(entry(Decision::blocked(block), None));
        }
        let seen = self.world.observed(&resource.id);
        if let Some((decision, old)) = self.moved(resource) {
            return Ok(entry(decision, Some(old)));
        }
        match self.place(resource) {
            Place::Off { host } => {
                return Ok(entry(Decision::plain(Action::Deferred { on: host }), None));
            }
            Place::Anew { host } if resource.id.kind.only_looks() => {
                let note = format!("looked at once `{host}` is ready");
                return Ok(entry(Decision::plain(Action::Keep).note(note), None));
            }
            Place::Anew { host } => {
                let left =
                    seen.and_then(Observed::found).and_then(|found| left_elsewhere(&host, found));
                let decision = decide::absent(resource);
                return Ok(match left {
                    Some(left) => {
                        entry(decide::with_surplus(resource, decision, &left), Some(&left))
                    }
                    None => entry(decision, None),
                });
            }
            Place::Blocked { by } if seen.is_none() || matches!(by, Block::Unreachable { .. }) => {
                return Ok(entry(Decision::blocked(by), None));
            }
            Place::Here | Place::Blocked { .. } => {}
        }
        match seen {
            _ if resource.id.kind.only_looks() => {
                let found = seen.and_then(Observed::found);
                Ok(entry(Decision::plain(Action::Keep), found))
            }
            None => Err(PlanError::NotObserved { id: resource.id.clone() }),
            Some(Observed::Absent) => Ok(entry(decide::absent(resource), None)),
            Some(Observed::Unreachable { because }) => {
                let by = Block::Unreachable { because: because.clone() };
                Ok(entry(Decision::blocked(by), None))
            }
            Some(Observed::Present(found)) => {
                let fill = |leaf: &Leaf| self.known(leaf);
                let permits = self.world.request.permits;
                let decision = decide::present(resource, found, permits, &fill);
                Ok(entry(decision, Some(found)))
            }
        }
    }

    /// A wanted release that is not where it is wanted, and is found under another name or in another namespace.
    fn moved(&self, resource: &Resource) -> Option<(Decision, &Found)> {
        let Some(KubernetesSpec::Release(spec)) = resource.kubernetes() else { return None };
        match self.world.observed(&resource.id) {
            Some(Observed::Present(_) | Observed::Unreachable { .. }) => return None,
            Some(Observed::Absent) | None => {}
        }
        let old = self.world.discovered(&resource.id)?;
        Some((risky::moved(resource, spec, old, self.world.request.permits)?, old))
    }

    /// What became of the host of a resource.
    fn place(&self, resource: &Resource) -> Place {
        let Some(host) = &resource.host else { return Place::Here };
        let Some(entry) = self.entries.get(host) else { return Place::Here };
        match &entry.decision.action {
            Action::Create | Action::Replace => Place::Anew { host: host.clone() },
            Action::Start => Place::Off { host: host.clone() },
            Action::Deferred { on } => Place::Off { host: on.clone() },
            Action::Blocked { by } => Place::Blocked { by: by.clone() },
            Action::Update
            | Action::Repair
            | Action::Adopt
            | Action::Mark { .. }
            | Action::Delete
            | Action::Keep
            | Action::Retain { .. }
            | Action::Use
            | Action::GoesWith { .. }
            | Action::Waiting { .. } => Place::Here,
        }
    }

    /// An output that is known before anything is done: that of a thing which stays what it is.
    fn known(&self, leaf: &Leaf) -> Option<serde_json::Value> {
        let Leaf::Output(of, name) = leaf else { return None };
        let found = match self.entries.get(of) {
            Some(entry) if stays_itself(&entry.decision.action) => entry.found.as_deref(),
            Some(_) => None,
            None => self.world.found(of),
        };
        found?.outputs.get(name).cloned()
    }

    /// What reads a Secret whose values come anew takes them over in this run.
    fn follow_secrets(&mut self) {
        let world = &self.world;
        super::follow::follow(&mut self.entries, &self.graph.order(), |id| world.is_selected(id));
    }

    /// What holds data is not made anew with its host, and what others use is not made anew under them.
    fn guard_replacements(&mut self) {
        let replaced: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.decision.action == Action::Replace)
            .map(|(id, _)| id.clone())
            .collect();
        for id in replaced {
            let Some(by) = self.in_the_way(&id) else { continue };
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.decision.action = Action::Blocked { by };
            }
        }
    }

    fn in_the_way(&self, id: &ResourceId) -> Option<Block> {
        if let Some((what, said)) = self.world.protected_at(id) {
            let why =
                format!("it would be made anew, and `{what}` was protected by {}", said.says());
            return Some(Block::Protected { why });
        }
        let inside = self.world.data_inside(id);
        if !inside.is_empty() && !self.world.request.permits.include_data {
            let names: Vec<_> = inside.iter().map(|id| format!("`{id}`")).collect();
            let why = format!("it would be made anew, and {} in it holds data", names.join(", "));
            return Some(Block::Protected { why });
        }
        let user = self.entries.iter().find(|(other, entry)| {
            id.kind.family() == Family::Cloud
                && other.kind.family() == Family::Cloud
                && entry.found.as_ref().is_some_and(|found| found.needs.contains(id))
        });
        user.map(|(user, _)| Block::Preflight {
            why: format!("it would be made anew, but `{user}` uses it; uninstall that first"),
        })
    }

    /// What needs the result of a long job waits for it, and so does what needs that.
    fn let_wait(&mut self) {
        if self.world.request.permits.wait_jobs {
            return;
        }
        let mut waiting: BTreeMap<ResourceId, ResourceId> = BTreeMap::new();
        for id in self.graph.order() {
            let Some(entry) = self.entries.get(&id) else { continue };
            let on = self.graph.before(&id).find_map(|need| {
                waiting.get(need).cloned().or_else(|| self.is_running(need).then(|| need.clone()))
            });
            let action = &entry.decision.action;
            let may = matches!(
                action,
                Action::Create | Action::Update | Action::Repair | Action::Replace | Action::Adopt
            ) || id.kind.only_looks() && *action == Action::Keep;
            if let (Some(on), true, Some(entry)) = (on, may, self.entries.get_mut(&id)) {
                entry.decision.action = Action::Waiting { on: on.clone() };
                entry.decision.precondition = super::Precondition::Nothing;
                waiting.insert(id, on);
            }
        }
    }

    /// Whether a release brings a long job that is not complete so far.
    fn has_unfinished_job(&self, release: &Resource) -> bool {
        let Some(entry) = self.entries.get(&release.id) else { return false };
        if !entry.decision.action.changes_something() && entry.decision.action != Action::Keep {
            return false;
        }
        let found = entry.found.iter().flat_map(|found| &found.objects);
        let complete: Vec<_> = found
            .filter(|object| object.live.as_ref().is_some_and(is_complete))
            .map(|object| &object.object)
            .collect();
        let rendered = release.rendered.iter().flat_map(|rendered| &rendered.objects);
        rendered
            .filter(|object| {
                object.kind() == "Job" && object.annotation(annotation::READY) == Some("started")
            })
            .filter_map(Object::reference)
            .any(|job| !complete.contains(&&job))
    }

    /// Whether it is a long job without a result so far. Where no container runs, results are assumed.
    fn is_running(&self, id: &ResourceId) -> bool {
        let Some(wanted) = self.world.desired(id) else { return false };
        if self.world.lives_simulated(id) {
            return false;
        }
        match wanted.kubernetes() {
            Some(KubernetesSpec::Job(job)) if job.ready == JobReady::Started => {}
            Some(KubernetesSpec::Release(spec)) if spec.wait == HelmWait::Ready => {
                return self.has_unfinished_job(wanted);
            }
            _ => return false,
        }
        self.entries.get(id).is_some_and(|entry| match &entry.decision.action {
            Action::Create | Action::Update | Action::Replace => true,
            Action::Keep => entry
                .found
                .as_ref()
                .is_some_and(|found| matches!(found.health, Health::Started | Health::Settling(_))),
            Action::Repair
            | Action::Adopt
            | Action::Mark { .. }
            | Action::Delete
            | Action::Retain { .. }
            | Action::Use
            | Action::GoesWith { .. }
            | Action::Start
            | Action::Deferred { .. }
            | Action::Waiting { .. }
            | Action::Blocked { .. } => false,
        })
    }
}

/// Whether a Job is complete.
fn is_complete(job: &Object) -> bool {
    let conditions = job.0.pointer("/status/conditions").and_then(Json::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition.get("type").and_then(Json::as_str) == Some("Complete")
            && condition.get("status").and_then(Json::as_str) == Some("True")
    })
}

/// What a resource has outside of a namespace that is made anew for it, since it lay in another one before.
fn left_elsewhere(host: &ResourceId, found: &Found) -> Option<Found> {
    let mut left = found.clone();
    left.objects.retain(|object| {
        let namespace = object.object.namespace.as_deref();
        !object.wanted && object.live.is_some() && namespace.is_some_and(|name| name != host.name)
    });
    let is_left = host.kind == ResourceKind::Namespace && !left.objects.is_empty();
    is_left.then_some(left)
}

/// Whether a thing's outputs stay what they are.
fn stays_itself(action: &Action) -> bool {
    matches!(
        action,
        Action::Keep
            | Action::Use
            | Action::Update
            | Action::Repair
            | Action::Adopt
            | Action::Mark { .. }
    )
}
