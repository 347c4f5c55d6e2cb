//! A world of lies: a provider over a map, for every family. It records calls, keeps a cloud's rules (asynchronous creation,
//! dependency violations, outputs) and fails where it is told to. Knows nothing about plans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use datamill::model::{
    AfterApply, Applied, Cause, Class, Digest, Discovery, Failure, FailureKind, Family, Found,
    Health, Identity, JobReady, Known, KubernetesSpec, Object, ObjectFound, Observed, Outputs,
    Owner, Power, Progress, Resource, ResourceId, ResourceKind, Spec, Version,
};
use datamill::plan::{Action, Step};
use datamill::provider::{Provider, ProviderError, Providers, RunContext};
use futures::future::BoxFuture;
use serde_json::{Map, Value as Json, json};

use super::lab::{render, resolved};

/// A thing in the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thing {
    pub(crate) uid: usize,
    pub(crate) owner: Owner,
    pub(crate) fields: Json,
    /// Objects by name.
    pub(crate) objects: BTreeMap<String, Object>,
    /// The digest of its inputs, written last.
    pub(crate) applied: Option<Digest>,
    pub(crate) needs: BTreeSet<ResourceId>,
    pub(crate) host: Option<ResourceId>,
    pub(crate) class: Class,
    pub(crate) keep: bool,
    pub(crate) power: Power,
    pub(crate) settling: usize,
    pub(crate) flavour: Option<String>,
    pub(crate) extra: bool,
    pub(crate) foreign: Vec<datamill::model::ObjectRef>,
    pub(crate) job_runs: bool,
}

/// What goes wrong at an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The program dies before it: nothing happens any more until [`FakeWorld::revive`].
    Kill,
    /// The call is throttled.
    Throttle,
    /// The call is refused for good.
    Refuse,
    /// The provider panics.
    Panic,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) things: BTreeMap<ResourceId, Thing>,
    pub(crate) calls: Vec<String>,
    /// Data that went without a step of its own.
    pub(crate) lost: Vec<ResourceId>,
    /// Calls in a wrong order, or against something that is not ours.
    pub(crate) violations: Vec<String>,
    pub(crate) effects: usize,
    pub(crate) looks: usize,
    faults: BTreeMap<usize, Fault>,
    faults_of: BTreeMap<ResourceId, Vec<Fault>>,
    dead: bool,
    uids: usize,
    settle: BTreeMap<ResourceId, usize>,
    stuck: BTreeSet<ResourceId>,
    failing: BTreeMap<ResourceId, Vec<Cause>>,
    slow: BTreeMap<ResourceId, Duration>,
    rejects: BTreeMap<ResourceId, String>,
    unreachable: BTreeSet<ResourceId>,
    /// What this run wrote already: a second try finds its own half-done work.
    begun: BTreeSet<ResourceId>,
    busy: BTreeMap<ResourceKind, usize>,
    pub(crate) busiest: BTreeMap<ResourceKind, usize>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeWorld(Arc<Mutex<State>>);

impl FakeWorld {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn providers(&self) -> Providers {
        let one =
            |family| (family, Arc::new(Side { world: self.clone(), family }) as Arc<dyn Provider>);
        Providers::new([Family::Local, Family::Kubernetes, Family::Cloud].map(one))
    }

    /// Something fails at the nth effect, counted from 0 and from now.
    pub(crate) fn fault_at(&self, effect: usize, fault: Fault) {
        let mut state = self.state();
        let at = state.effects + effect;
        state.faults.insert(at, fault);
    }

    /// The next calls for a resource fail, one each.
    pub(crate) fn faults_of(&self, id: &str, faults: &[Fault]) {
        self.state().faults_of.insert(id.parse().unwrap(), faults.to_vec());
    }

    /// A new run begins.
    pub(crate) fn revive(&self) {
        let mut state = self.state();
        state.begun.clear();
        state.dead = false;
        state.faults.clear();
    }

    pub(crate) fn settles_for(&self, id: &str, looks: usize) {
        self.state().settle.insert(id.parse().unwrap(), looks);
    }

    pub(crate) fn never_settles(&self, id: &str) {
        self.state().stuck.insert(id.parse().unwrap());
    }

    pub(crate) fn fails_with(&self, id: &str, causes: &[&str]) {
        let causes =
            causes.iter().map(|says| Cause { object: None, says: (*says).to_owned() }).collect();
        self.state().failing.insert(id.parse().unwrap(), causes);
    }

    pub(crate) fn takes(&self, id: &str, time: Duration) {
        self.state().slow.insert(id.parse().unwrap(), time);
    }

    pub(crate) fn rejects(&self, id: &str, says: &str) {
        self.state().rejects.insert(id.parse().unwrap(), says.to_owned());
    }

    pub(crate) fn unreachable(&self, id: &str) {
        self.state().unreachable.insert(id.parse().unwrap());
    }

    /// Changes a thing behind datamill's back.
    pub(crate) fn meddle(&self, id: &str, change: impl FnOnce(&mut Thing)) {
        let mut state = self.state();
        change(state.things.get_mut(&id.parse().unwrap()).expect("it is there"));
    }

    /// Puts something there that somebody else made.
    pub(crate) fn holds_foreign(&self, id: &str, owner: Owner) {
        let mut state = self.state();
        state.uids += 1;
        let thing = Thing { owner, ..Thing::bare(state.uids) };
        state.things.insert(id.parse().unwrap(), thing);
    }

    /// What is there, without what differs from run to run.
    pub(crate) fn shape(&self) -> BTreeMap<ResourceId, (Json, usize, bool)> {
        self.state()
            .things
            .iter()
            .map(|(id, thing)| {
                let fields = without_outputs(&thing.fields);
                (id.clone(), (fields, thing.objects.len(), thing.applied.is_some()))
            })
            .collect()
    }

    pub(crate) fn ids(&self) -> BTreeSet<ResourceId> {
        self.state().things.keys().cloned().collect()
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }
}

/// Ids of other things differ from run to run.
fn without_outputs(fields: &Json) -> Json {
    let Json::Object(map) = fields else { return fields.clone() };
    let map = map.iter().filter(|(key, _)| *key != "network" && *key != "file_system");
    Json::Object(map.map(|(key, value)| (key.clone(), value.clone())).collect())
}

impl Thing {
    fn bare(uid: usize) -> Self {
        Self {
            uid,
            owner: Owner::Ours,
            fields: json!({}),
            objects: BTreeMap::new(),
            applied: None,
            needs: BTreeSet::new(),
            host: None,
            class: Class::Stateless,
            keep: false,
            power: Power::On,
            settling: 0,
            flavour: None,
            extra: false,
            foreign: Vec::new(),
            job_runs: false,
        }
    }

    fn outputs(&self, id: &ResourceId) -> Outputs {
        let mut outputs =
            Outputs::from([("id".to_owned(), json!(format!("{}-{}", id.name, self.uid)))]);
        if id.kind == ResourceKind::Cluster {
            outputs.insert("kubeconfig".to_owned(), json!("/fake/kubeconfig"));
        }
        outputs
    }

    fn digest(&self) -> Digest {
        let objects: Map<_, _> =
            self.objects.iter().map(|(name, object)| (name.clone(), object.0.clone())).collect();
        Digest::of_json(&json!([self.fields, objects]))
    }
}

impl State {
    fn found(&self, id: &ResourceId, thing: &Thing) -> Found {
        Found {
            owner: thing.owner.clone(),
            power: thing.power,
            fields: thing.fields.clone(),
            applied: thing.applied.clone().map(|inputs| Applied { inputs, run: None }),
            release: (id.kind == ResourceKind::Release).then(|| datamill::model::ReleaseFound {
                revision: 1,
                status: datamill::model::ReleaseStatus::Deployed,
                held: None,
            }),
            outputs: thing.outputs(id),
            health: self.health(id, None),
            version: Version { uid: Some(thing.uid.to_string()), fields: Some(thing.digest()) },
            needs: thing.needs.clone(),
            host: thing.host.clone(),
            class: thing.class,
            keep: thing.keep,
            foreign: thing.foreign.clone(),
            flavour: thing.flavour.clone(),
            extra: thing.extra,
            ..Found::ours()
        }
    }

    fn observe(&self, wanted: &Resource) -> Observed {
        if self.unreachable.contains(&wanted.id) {
            return Observed::Unreachable { because: "connection refused".to_owned() };
        }
        if wanted.id.kind.only_looks() {
            let health = self.health(&wanted.id, Some(wanted));
            return Observed::Present(Box::new(Found { health, ..Found::ours() }));
        }
        let Some(thing) = self.things.get(&wanted.id) else { return Observed::Absent };
        let mut found = self.found(&wanted.id, thing);
        let rendered = wanted.rendered.as_ref();
        let mut names = BTreeSet::new();
        for object in rendered.iter().flat_map(|rendered| &rendered.objects) {
            let reference = object.reference().unwrap();
            names.insert(reference.name.clone());
            let after = match self.rejects.get(&wanted.id) {
                Some(says) => AfterApply::Rejected(says.clone()),
                None => AfterApply::Would(object.clone()),
            };
            found.objects.push(ObjectFound {
                wanted: true,
                live: thing.objects.get(&reference.name).cloned(),
                object: reference,
                after,
                owner: thing.owner.clone(),
                class: wanted.class,
                version: Version::default(),
            });
        }
        for (name, object) in thing.objects.iter().filter(|(name, _)| !names.contains(*name)) {
            found.objects.push(ObjectFound {
                object: datamill::model::ObjectRef {
                    name: name.clone(),
                    ..object.reference().unwrap()
                },
                wanted: false,
                live: Some(object.clone()),
                after: AfterApply::Unwanted,
                owner: thing.owner.clone(),
                class: thing.class,
                version: Version::default(),
            });
        }
        Observed::Present(Box::new(found))
    }

    fn health(&self, id: &ResourceId, wanted: Option<&Resource>) -> Health {
        if let Some(causes) = self.failing.get(id) {
            return Health::Failed(causes.clone());
        }
        let waits = |says: &str, mark: usize| {
            let mark = Digest::of(mark.to_string());
            Health::Settling(Progress { waits_for: says.to_owned(), mark })
        };
        if self.stuck.contains(id) {
            return waits("Deployment x: 0 of 1 ready", 0);
        }
        if id.kind.only_looks() {
            let needs = wanted.into_iter().flat_map(|wanted| &wanted.needs);
            let missing = needs
                .filter(|need| !need.kind.only_looks())
                .find(|need| self.things.get(*need).is_none_or(|t| t.settling > 0));
            return missing.map_or(Health::Ready, |need| waits(&need.to_string(), 0));
        }
        match self.things.get(id) {
            None => waits("it to appear", 0),
            Some(thing) if thing.settling > 0 => waits("its state", thing.settling),
            Some(thing) if thing.job_runs => Health::Started,
            Some(_) => Health::Ready,
        }
    }

    /// Counts an effect, which may go wrong instead.
    fn effect(&mut self, id: &ResourceId) -> Result<(), ProviderError> {
        let failure = |kind, what: &str| Failure::new(kind, what);
        let dead = || ProviderError::permanent(Failure::new(FailureKind::Partial, "killed"));
        if self.dead {
            return Err(dead());
        }
        let planned = self
            .faults_of
            .get_mut(id)
            .and_then(|faults| if faults.is_empty() { None } else { Some(faults.remove(0)) });
        let fault = planned.or_else(|| self.faults.remove(&self.effects));
        match fault {
            None => {
                self.effects += 1;
                Ok(())
            }
            Some(Fault::Kill) => {
                self.dead = true;
                Err(dead())
            }
            Some(Fault::Throttle) => {
                Err(ProviderError::transient(failure(FailureKind::Partial, "rate exceeded")))
            }
            Some(Fault::Refuse) => {
                Err(ProviderError::permanent(failure(FailureKind::Partial, "not authorised")))
            }
            Some(Fault::Panic) => panic!("a planted panic"),
        }
    }

    fn wrong(&mut self, what: String) -> ProviderError {
        self.violations.push(what.clone());
        ProviderError::permanent(Failure::new(FailureKind::Partial, what))
    }

    fn check(&mut self, step: &Step) -> Result<(), ProviderError> {
        let now = match (&step.wanted, self.things.get(&step.id)) {
            (_, None) => Observed::Absent,
            (Some(wanted), Some(_)) => self.observe(wanted),
            (None, Some(thing)) => Observed::Present(Box::new(self.found(&step.id, thing))),
        };
        if let Some(thing) = self.things.get(&step.id)
            && thing.owner != Owner::Ours
        {
            return Err(self.wrong(format!("{} is not ours", step.id)));
        }
        match step.precondition.broken_by(&now).filter(|_| !self.begun.contains(&step.id)) {
            None => {
                self.begun.insert(step.id.clone());
                Ok(())
            }
            Some(why) => {
                let what = format!("`{}` changed since the plan was made", step.id);
                Err(ProviderError::permanent(Failure::new(FailureKind::Stale, what).because(why)))
            }
        }
    }

    /// What the resource needs must be there and ready, outputs known.
    fn check_needs(&mut self, wanted: &Resource) -> Result<(), ProviderError> {
        for need in wanted.needs.iter().chain(&wanted.host).filter(|need| !need.kind.only_looks()) {
            if self.things.get(need).is_none_or(|thing| thing.settling > 0) {
                return Err(self.wrong(format!("{} came before {need}", wanted.id)));
            }
        }
        Ok(())
    }

    fn put(&mut self, step: &Step, run: &RunContext) -> Result<Outputs, ProviderError> {
        let wanted = step.wanted.as_ref().expect("a write is wanted");
        self.check_needs(wanted)?;
        if step.action == Action::Replace {
            self.remove(&step.id)?;
        }
        // The first effect makes it, half done; the second finishes it and writes the digest last.
        self.effect(&step.id)?;
        self.uids += 1;
        let uid = self.uids;
        let settle = self.settle.get(&step.id).copied().unwrap_or(0);
        let known = |id: &ResourceId, name: &str| run.known.get(id, name).cloned();
        let thing = self
            .things
            .entry(step.id.clone())
            .or_insert_with(|| Thing { settling: settle, ..Thing::bare(uid) });
        thing.needs = wanted.needs.clone();
        thing.host = wanted.host.clone();
        thing.class = wanted.class;
        thing.keep = wanted.keep;
        thing.power = Power::On;
        thing.flavour = step.id.instance_name().map(|_| run.identity.flavour.clone());
        match &wanted.spec {
            Spec::Cluster(spec) => thing.fields = serde_json::to_value(spec).unwrap(),
            Spec::Cloud(spec) => {
                thing.fields = json!({});
                for (key, value) in spec.fields.iter().filter(|(key, _)| *key != "tags") {
                    thing.fields[key] = resolved(value, &known);
                }
            }
            Spec::Kubernetes(_) => {
                let rendered = render(wanted, &known).expect("it renders");
                for object in rendered.objects.iter().take(1) {
                    thing.objects.insert(object.reference().unwrap().name, object.clone());
                }
            }
        }
        self.effect(&step.id)?;
        let thing = self.things.get_mut(&step.id).expect("it was made");
        match &wanted.spec {
            Spec::Cluster(_) => thing.applied = Some(Digest::of("cluster")),
            Spec::Cloud(spec) => {
                if let Some(tags) = spec.fields.get("tags") {
                    thing.fields["tags"] = resolved(tags, &known);
                }
                thing.applied = Some(Digest::of("cloud"));
            }
            Spec::Kubernetes(spec) => {
                let rendered = render(wanted, &known).expect("it renders");
                thing.objects = rendered
                    .objects
                    .iter()
                    .map(|object| (object.reference().unwrap().name, object.clone()))
                    .collect();
                thing.applied = Some(rendered.inputs);
                thing.job_runs = matches!(spec.as_ref(), KubernetesSpec::Job(job) if job.ready == JobReady::Started);
            }
        }
        Ok(thing.outputs(&step.id))
    }

    /// A delete, refused while something uses the thing; a host takes along what is in it.
    fn remove(&mut self, id: &ResourceId) -> Result<Outputs, ProviderError> {
        let user = self.things.iter().find(|(other, thing)| {
            *other != id
                && thing.needs.contains(id)
                && thing.host.as_ref() != Some(id)
                && !self.lives_in(other, id)
        });
        if let Some((user, _)) = user {
            let what = format!("dependency violation: {user} uses {id}");
            return Err(self.wrong(what));
        }
        self.effect(id)?;
        let inside: Vec<_> =
            self.things.keys().filter(|other| self.lives_in(other, id)).cloned().collect();
        for other in inside {
            if let Some(thing) = self.things.remove(&other)
                && thing.class == Class::Data
            {
                self.lost.push(other);
            }
        }
        self.things.remove(id);
        Ok(Outputs::new())
    }

    fn lives_in(&self, id: &ResourceId, host: &ResourceId) -> bool {
        let mut next = self.things.get(id).and_then(|thing| thing.host.clone());
        while let Some(at) = next {
            if at == *host {
                return true;
            }
            next = self.things.get(&at).and_then(|thing| thing.host.clone());
        }
        false
    }
}

/// The world as the provider of one family.
struct Side {
    world: FakeWorld,
    family: Family,
}

impl Provider for Side {
    fn discover<'a>(&'a self, _: &'a Identity, _: &'a Known) -> BoxFuture<'a, Discovery> {
        Box::pin(async move {
            let state = self.world.state();
            let hidden = |id: &ResourceId| {
                let off = |host: &ResourceId| {
                    state.things.get(host).is_some_and(|thing| thing.power == Power::Off)
                };
                state.things.keys().any(|host| off(host) && state.lives_in(id, host))
            };
            let found = state
                .things
                .iter()
                .filter(|(id, thing)| {
                    id.kind.family() == self.family && thing.owner == Owner::Ours && !hidden(id)
                })
                .map(|(id, thing)| (id.clone(), state.found(id, thing)))
                .collect();
            Discovery { found, unlisted: Vec::new() }
        })
    }

    fn observe<'a>(
        &'a self,
        wanted: &'a [&'a Resource],
        _: &'a Identity,
        _: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Observed>> {
        Box::pin(async move {
            let state = self.world.state();
            wanted.iter().map(|wanted| (wanted.id.clone(), state.observe(wanted))).collect()
        })
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        run: &'a RunContext,
    ) -> BoxFuture<'a, Result<Outputs, ProviderError>> {
        Box::pin(async move {
            let slow = {
                let mut state = self.world.state();
                if !state.dead {
                    state.calls.push(format!("{} {}", step.action.verb(), step.id));
                }
                let busy = state.busy.entry(step.id.kind).or_default();
                *busy += 1;
                let busy = *busy;
                let most = state.busiest.entry(step.id.kind).or_default();
                *most = busy.max(*most);
                state.slow.get(&step.id).copied()
            };
            if let Some(slow) = slow {
                tokio::time::sleep(slow).await;
            }
            let mut state = self.world.state();
            *state.busy.entry(step.id.kind).or_default() -= 1;
            state.check(step)?;
            match &step.action {
                Action::Create
                | Action::Update
                | Action::Repair
                | Action::Replace
                | Action::Adopt => state.put(step, run),
                Action::Delete => state.remove(&step.id),
                Action::Start => {
                    state.effect(&step.id)?;
                    let thing = state.things.get_mut(&step.id).expect("it is there");
                    thing.power = Power::On;
                    Ok(thing.outputs(&step.id))
                }
                Action::Keep
                | Action::Retain { .. }
                | Action::Use
                | Action::GoesWith { .. }
                | Action::Deferred { .. }
                | Action::Waiting { .. }
                | Action::Blocked { .. } => {
                    Err(state.wrong(format!("{} is nothing to do", step.action.verb())))
                }
            }
        })
    }

    fn health<'a>(
        &'a self,
        of: &'a [&'a Resource],
        _: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Health>> {
        Box::pin(async move {
            let mut state = self.world.state();
            state.looks += 1;
            let mut answer = BTreeMap::new();
            for wanted in of {
                answer.insert(wanted.id.clone(), state.health(&wanted.id, Some(wanted)));
                if let Some(thing) = state.things.get_mut(&wanted.id) {
                    thing.settling = thing.settling.saturating_sub(1);
                }
            }
            answer
        })
    }
}
