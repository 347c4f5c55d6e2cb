//! A world of lies: a provider over a map, for every family. It records calls, keeps a cloud's rules (asynchronous creation,
//! dependency violations, outputs) and fails where it is told to. Knows nothing about plans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use datamill::model::{
    Cause, Census, Class, Digest, Family, Object, ObjectRef, Outputs, Owner, Power, Protection,
    ReleaseStatus, ResourceId, ResourceKind,
};
use datamill::provider::{Provider, Providers};
use serde_json::{Map, Value as Json, json};

use super::rules::Side;

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
    pub(crate) foreign: Vec<ObjectRef>,
    pub(crate) job_runs: bool,
    /// Of a release: its newest revision and how that stands.
    pub(crate) release: Option<(u64, ReleaseStatus)>,
    /// Of a Secret: what was drawn when it was made.
    pub(crate) drawn: Option<usize>,
    /// The memory of the last write: its objects by name.
    pub(crate) remembered: Option<BTreeMap<String, Object>>,
    /// How much data is in it, or why nobody can tell.
    pub(crate) census: Option<Result<Census, String>>,
    /// What a person said about whether it may go.
    pub(crate) protection: Option<Protection>,
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
    /// Memory goes before it; the call itself goes well.
    Forget,
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
    pub(super) faults: BTreeMap<usize, Fault>,
    pub(super) faults_of: BTreeMap<ResourceId, Vec<Fault>>,
    pub(super) dead: bool,
    pub(super) uids: usize,
    pub(super) settle: BTreeMap<ResourceId, usize>,
    pub(super) stuck: BTreeSet<ResourceId>,
    pub(super) failing: BTreeMap<ResourceId, Vec<Cause>>,
    pub(super) slow: BTreeMap<ResourceId, Duration>,
    pub(super) rejects: BTreeMap<ResourceId, String>,
    pub(super) unreachable: BTreeSet<ResourceId>,
    /// What this run wrote already: a second try finds its own half-done work.
    pub(super) begun: BTreeSet<ResourceId>,
    pub(super) busy: BTreeMap<ResourceKind, usize>,
    pub(crate) busiest: BTreeMap<ResourceKind, usize>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeWorld(Arc<Mutex<State>>);

impl State {
    /// Whether the program is dead.
    pub(crate) fn dead(&self) -> bool {
        self.dead
    }
}

impl FakeWorld {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn providers(&self) -> Providers {
        let one = |family| {
            let side: Arc<dyn Provider> = Arc::new(Side { world: self.clone(), family });
            (family, side)
        };
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

    pub(crate) fn settles(&self, id: &str) {
        self.state().stuck.remove(&id.parse().unwrap());
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
    pub(crate) fn shape(&self) -> BTreeMap<ResourceId, (Json, BTreeMap<String, Object>)> {
        self.state()
            .things
            .iter()
            .map(|(id, thing)| {
                (id.clone(), (without_outputs(&thing.fields), thing.objects.clone()))
            })
            .collect()
    }

    /// What was drawn for each Secret.
    pub(crate) fn drawn(&self) -> BTreeMap<ResourceId, usize> {
        let state = self.state();
        state.things.iter().filter_map(|(id, thing)| Some((id.clone(), thing.drawn?))).collect()
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
    pub(super) fn bare(uid: usize) -> Self {
        Self {
            uid,
            owner: Owner::Ours,
            fields: json!({}),
            objects: BTreeMap::new(),
            applied: None,
            remembered: None,
            protection: None,
            census: None,
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
            release: None,
            drawn: None,
        }
    }

    pub(super) fn outputs(&self, id: &ResourceId) -> Outputs {
        let mut outputs =
            Outputs::from([("id".to_owned(), json!(format!("{}-{}", id.name, self.uid)))]);
        if id.kind == ResourceKind::Cluster {
            outputs.insert("kubeconfig".to_owned(), json!("/fake/kubeconfig"));
        }
        outputs
    }

    pub(super) fn digest(&self) -> Digest {
        let objects: Map<_, _> =
            self.objects.iter().map(|(name, object)| (name.clone(), object.0.clone())).collect();
        Digest::of_json(&json!([self.fields, objects]))
    }
}
