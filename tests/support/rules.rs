//! The rules of the fake world, and its face as a provider: what can be seen, what a write does, what is refused.

use std::collections::{BTreeMap, BTreeSet};

use datamill::model::{
    AfterApply, Applied, Census, Class, Digest, Discovery, Failure, FailureKind, Family, Found,
    Health, Identity, JobReady, Known, KubernetesSpec, ObjectFound, ObjectRef, Observed, Outputs,
    Owner, Power, Progress, ReleaseFound, ReleaseStatus, Renames, Resource, ResourceId,
    ResourceKind, Spec, Version,
};
use datamill::plan::{Action, Marking, Step};
use datamill::provider::{Provider, ProviderError, RunContext};
use futures::future::BoxFuture;
use serde_json::json;

use super::lab::{render, resolved};
use super::world::{FakeWorld, Fault, State, Thing};

impl State {
    fn found(&self, id: &ResourceId, thing: &Thing) -> Found {
        Found {
            owner: thing.owner.clone(),
            power: thing.power,
            fields: thing.fields.clone(),
            applied: thing.applied.clone().map(|inputs| Applied { inputs, run: None }),
            last: thing.remembered.as_ref().map(|objects| {
                let named = objects.values().cloned();
                named.map(|object| (object.reference().unwrap(), Some(object))).collect()
            }),
            release: thing.release.map(|(revision, status)| ReleaseFound {
                revision,
                status,
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
            protection: thing.protection.clone(),
            ..Found::ours()
        }
    }

    /// Where a thing lies: under its old name as long as nobody wrote it under the new one.
    fn place(&self, id: &ResourceId, renames: &Renames) -> ResourceId {
        let before = renames.id_before(id).filter(|old| self.things.contains_key(old));
        before.unwrap_or_else(|| id.clone())
    }

    /// What was found, under the names that instances have now.
    fn found_now(&self, key: &ResourceId, thing: &Thing, who: &Identity) -> Found {
        let renames = &who.renames;
        let mut found = self.found(key, thing);
        if who.adopts.ids.contains(key) && matches!(found.owner, Owner::Unmarked { .. }) {
            found.owner = Owner::Ours;
        }
        found.needs = found.needs.into_iter().map(|id| renames.id(id)).collect();
        found.moved_from = key.instance_name().filter(|_| renames.id(key.clone()) != *key).cloned();
        found
    }

    /// The first write under a new name takes the old one away.
    fn rename(&mut self, id: &ResourceId, renames: &Renames) {
        let key = self.place(id, renames);
        if let Some(thing) = (key != *id).then(|| self.things.remove(&key)).flatten() {
            self.things.insert(id.clone(), thing);
        }
        let all = self.things.values_mut();
        all.for_each(|thing| {
            let needs = std::mem::take(&mut thing.needs);
            thing.needs = needs.into_iter().map(|id| renames.id(id)).collect();
        });
    }

    fn observe(&self, wanted: &Resource, who: &Identity) -> Observed {
        if self.unreachable.contains(&wanted.id) {
            return Observed::Unreachable { because: "connection refused".to_owned() };
        }
        if wanted.id.kind.only_looks() {
            let health = self.health(&wanted.id, Some(wanted));
            return Observed::Present(Box::new(Found { health, ..Found::ours() }));
        }
        let key = self.place(&wanted.id, &who.renames);
        let Some(thing) = self.things.get(&key) else { return Observed::Absent };
        let mut found = self.found_now(&key, thing, who);
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
                owner: found.owner.clone(),
                class: wanted.class,
                version: Version::default(),
            });
        }
        for (name, object) in thing.objects.iter().filter(|(name, _)| !names.contains(*name)) {
            found.objects.push(ObjectFound {
                object: ObjectRef { name: name.clone(), ..object.reference().unwrap() },
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
            Some(Fault::Forget) => {
                self.things.values_mut().for_each(|thing| thing.remembered = None);
                self.effects += 1;
                Ok(())
            }
            Some(Fault::Panic) => panic!("a planted panic"),
        }
    }

    fn wrong(&mut self, what: String) -> ProviderError {
        self.violations.push(what.clone());
        ProviderError::permanent(Failure::new(FailureKind::Partial, what))
    }

    fn check(&mut self, step: &Step, who: &Identity) -> Result<(), ProviderError> {
        let key = self.place(&step.id, &who.renames);
        let now = match (&step.wanted, self.things.get(&key)) {
            (_, None) => Observed::Absent,
            (Some(wanted), Some(_)) => self.observe(wanted, who),
            (None, Some(thing)) => Observed::Present(Box::new(self.found_now(&key, thing, who))),
        };
        if let Some(thing) = self.things.get(&key)
            && thing.owner != Owner::Ours
            && !(step.action == Action::Adopt && who.adopts.ids.contains(&step.id))
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
    fn check_needs(&mut self, wanted: &Resource, renames: &Renames) -> Result<(), ProviderError> {
        for need in wanted.needs.iter().chain(&wanted.host).filter(|need| !need.kind.only_looks()) {
            let key = self.place(need, renames);
            if self.things.get(&key).is_none_or(|thing| thing.settling > 0) {
                return Err(self.wrong(format!("{} came before {need}", wanted.id)));
            }
        }
        Ok(())
    }

    fn put(&mut self, step: &Step, run: &RunContext) -> Result<Outputs, ProviderError> {
        let wanted = step.wanted.as_ref().expect("a write is wanted");
        self.check_needs(wanted, &run.identity.renames)?;
        if step.action == Action::Replace {
            self.remove(&step.id, &run.identity.renames)?;
        }
        let key = self.place(&step.id, &run.identity.renames);
        let motion = self.things.get(&key).and_then(|thing| thing.release);
        if step.action == Action::Repair
            && motion.is_some_and(|(_, status)| status != ReleaseStatus::Deployed)
        {
            return Err(self.wrong(format!("{} is repaired half done", step.id)));
        }
        // The first effect makes it, half done; the second finishes it and writes the digest last.
        self.effect(&step.id)?;
        self.rename(&step.id, &run.identity.renames);
        self.uids += 1;
        let uid = self.uids;
        let settle = self.settle.get(&step.id).copied().unwrap_or(0);
        let known = |id: &ResourceId, name: &str| run.known.get(id, name).cloned();
        let thing = self
            .things
            .entry(step.id.clone())
            .or_insert_with(|| Thing { settling: settle, ..Thing::bare(uid) });
        thing.needs.clone_from(&wanted.needs);
        thing.host.clone_from(&wanted.host);
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
                if step.id.kind == ResourceKind::Secret {
                    // Drawn once; a write that finds it leaves it as it is.
                    thing.drawn.get_or_insert(uid);
                }
                if step.id.kind == ResourceKind::Release && step.action != Action::Repair {
                    // As Helm does it: the revision and its labels are there before its objects are.
                    let revision = thing.release.map_or(1, |(revision, _)| revision + 1);
                    thing.release = Some((revision, ReleaseStatus::Pending));
                    thing.applied = Some(rendered.inputs.clone());
                }
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
                thing.remembered = Some(thing.objects.clone());
                if let Some((_, status)) = &mut thing.release {
                    *status = ReleaseStatus::Deployed;
                }
                thing.job_runs = matches!(spec.as_ref(), KubernetesSpec::Job(job) if job.ready == JobReady::Started);
            }
        }
        Ok(thing.outputs(&step.id))
    }

    /// A delete, refused while something uses the thing; a host takes along what is in it.
    fn remove(&mut self, id: &ResourceId, renames: &Renames) -> Result<Outputs, ProviderError> {
        let id = &self.place(id, renames);
        let is_it = |other: &ResourceId| renames.id(other.clone()) == renames.id(id.clone());
        let user = self.things.iter().find(|(other, thing)| {
            *other != id
                && thing.needs.iter().any(is_it)
                && thing.host.as_ref() != Some(id)
                && !self.lives_in(other, id)
        });
        if let Some((user, _)) = user {
            let what = format!("dependency violation: {user} uses {id}");
            return Err(self.wrong(what));
        }
        self.effect(id)?;
        if let Some(thing) = self.things.get_mut(id)
            && let Some((_, status)) = &mut thing.release
        {
            *status = ReleaseStatus::Uninstalling;
            self.effect(id)?;
        }
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
pub(super) struct Side {
    pub(super) world: FakeWorld,
    pub(super) family: Family,
}

impl Provider for Side {
    fn discover<'a>(&'a self, who: &'a Identity, _: &'a Known) -> BoxFuture<'a, Discovery> {
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
                .map(|(id, thing)| {
                    let found = state.found_now(id, thing, who);
                    (who.renames.id(id.clone()), found)
                })
                .collect();
            Discovery { found, ..Discovery::default() }
        })
    }

    fn census<'a>(
        &'a self,
        of: &'a [ResourceId],
        _: &'a Identity,
        _: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Result<Census, String>>> {
        Box::pin(async move {
            let state = self.world.state();
            let census = |id: &ResourceId| {
                let counted = state.things.get(id)?.census.clone()?;
                Some((id.clone(), counted))
            };
            of.iter().filter_map(census).collect()
        })
    }

    fn observe<'a>(
        &'a self,
        wanted: &'a [&'a Resource],
        who: &'a Identity,
        _: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Observed>> {
        Box::pin(async move {
            let state = self.world.state();
            wanted.iter().map(|wanted| (wanted.id.clone(), state.observe(wanted, who))).collect()
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
            state.check(step, &run.identity)?;
            match &step.action {
                Action::Create | Action::Update | Action::Repair | Action::Replace => {
                    state.put(step, run)
                }
                Action::Adopt => {
                    state.effect(&step.id)?;
                    let key = state.place(&step.id, &run.identity.renames);
                    let thing = state.things.get_mut(&key).expect("it is there");
                    thing.owner = Owner::Ours;
                    thing.flavour = step.id.instance_name().map(|_| run.identity.flavour.clone());
                    Ok(thing.outputs(&step.id))
                }
                Action::Mark { how } => {
                    state.effect(&step.id)?;
                    let key = state.place(&step.id, &run.identity.renames);
                    let thing = state.things.get_mut(&key).expect("it is there");
                    match how {
                        Marking::Orphan => {
                            thing.owner = Owner::Unmarked { manager: None, suitable: false };
                        }
                        Marking::Protect { said } => thing.protection = Some(said.clone()),
                        Marking::Volume => {}
                    }
                    Ok(thing.outputs(&step.id))
                }
                Action::Delete => state.remove(&step.id, &run.identity.renames),
                Action::Start => {
                    state.effect(&step.id)?;
                    let key = state.place(&step.id, &run.identity.renames);
                    let thing = state.things.get_mut(&key).expect("it is there");
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
