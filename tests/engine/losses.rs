//! What is lost costs words and time, never a thing; and who only looks never writes (`peers.md` D.13 c and f).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datamill::engine::NoJournal;
use datamill::model::{
    Class, Desired, Discovery, Family, Found, Health, Identity, Known, Observed, Outputs, Resource,
    ResourceId, Snapshot,
};
use datamill::plan::{self, Action, Permits, Purpose, Request, Selection, Step};
use datamill::provider::{Provider, ProviderError, Providers, RunContext};
use futures::future::BoxFuture;
use proptest::prelude::*;

use super::laws::{Flavour, all, cases, effects, flavours, paused};
use crate::support::lab::{CLUSTER, Lab, expect_all_went_well, id};
use crate::support::world::{FakeWorld, Fault};

/// What is forgotten.
#[derive(Debug, Clone, Copy)]
enum Loss {
    /// Journal, snapshots and caches: all that datamill remembers beside the things themselves.
    Memory,
    /// That, and what was written on the things about the inputs they were made from.
    Inputs,
}

const LOSSES: [Loss; 2] = [Loss::Memory, Loss::Inputs];

fn forget(lab: &mut Lab, loss: Loss) {
    lab.journal = Arc::new(NoJournal);
    for thing in lab.world.state().things.values_mut() {
        thing.remembered = None;
        if matches!(loss, Loss::Inputs) {
            thing.applied = None;
        }
    }
}

async fn made(flavour: &Flavour) -> Lab {
    let mut lab = Lab::new();
    flavour.ask(&mut lab);
    expect_all_went_well(&lab.apply().await);
    lab
}

async fn killed_at(effect: usize, flavour: &Flavour) -> Lab {
    let mut lab = Lab::new();
    flavour.ask(&mut lab);
    let plan = lab.plan().await;
    lab.world.fault_at(effect, Fault::Kill);
    lab.execute(&plan).await;
    lab.world.revive();
    lab
}

fn data(lab: &Lab) -> BTreeSet<(ResourceId, usize)> {
    let state = lab.world.state();
    let data = state.things.iter().filter(|(_, thing)| thing.class == Class::Data);
    data.map(|(id, thing)| (id.clone(), thing.uid)).collect()
}

fn expect_nothing_wrong(lab: &Lab, data_before: &BTreeSet<(ResourceId, usize)>) {
    let state = lab.world.state();
    assert_eq!(state.violations, Vec::<String>::new());
    assert_eq!(state.lost, Vec::<ResourceId>::new());
    drop(state);
    assert!(data(lab).is_superset(data_before), "no data was made anew");
}

#[test]
fn without_any_memory_a_rerun_makes_no_double_and_loses_nothing() {
    let whole = paused(async { made(&all()).await.world.shape() });
    for effect in 0..=effects(&all()) {
        for loss in LOSSES {
            paused(async {
                let mut lab = killed_at(effect, &all()).await;
                let (secrets, data) = (lab.world.drawn(), data(&lab));
                forget(&mut lab, loss);
                expect_all_went_well(&lab.apply().await);
                assert_eq!(lab.world.shape(), whole, "killed at effect {effect}, {loss:?} lost");
                let now = lab.world.drawn();
                assert!(secrets.iter().all(|(id, value)| now.get(id) == Some(value)));
                lab.expect_nothing_to_do().await;
                expect_nothing_wrong(&lab, &data);
            });
        }
    }
}

#[test]
fn memory_that_goes_in_mid_run_is_not_missed() {
    let whole = paused(async { made(&all()).await.world.shape() });
    for effect in 0..effects(&all()) {
        paused(async {
            let mut lab = Lab::new();
            all().ask(&mut lab);
            let plan = lab.plan().await;
            lab.world.fault_at(effect, Fault::Forget);
            expect_all_went_well(&lab.execute(&plan).await);
            assert_eq!(lab.world.shape(), whole, "forgotten at effect {effect}");
            lab.world.revive();
            lab.expect_nothing_to_do().await;
            expect_nothing_wrong(&lab, &BTreeSet::new());
        });
    }
}

#[test]
fn without_any_memory_a_destroy_leaves_exactly_the_kept_list() {
    for effect in 0..=effects(&all()) {
        paused(async {
            let mut lab = killed_at(effect, &all()).await;
            let data: BTreeSet<ResourceId> = data(&lab).into_iter().map(|(id, _)| id).collect();
            forget(&mut lab, Loss::Inputs);
            let (plan, report) = lab.destroy().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            let kept: BTreeSet<ResourceId> = plan
                .steps
                .iter()
                .filter(|step| step.action.retained().is_some())
                .map(|step| step.id.clone())
                .collect();
            assert_eq!(lab.world.ids(), kept, "killed at effect {effect}");
            assert!(data.is_subset(&kept));
        });
    }
}

/// A provider that looks like another one, and must not be asked to write.
struct NoHands(Arc<dyn Provider>);

impl Provider for NoHands {
    fn discover<'a>(&'a self, who: &'a Identity, known: &'a Known) -> BoxFuture<'a, Discovery> {
        self.0.discover(who, known)
    }

    fn observe<'a>(
        &'a self,
        wanted: &'a [&'a Resource],
        who: &'a Identity,
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Observed>> {
        self.0.observe(wanted, who, known)
    }

    fn apply<'a>(
        &'a self,
        step: &'a Step,
        _: &'a RunContext,
    ) -> BoxFuture<'a, Result<Outputs, ProviderError>> {
        panic!("`{}` was written while somebody only looked", step.id)
    }

    fn health<'a>(
        &'a self,
        of: &'a [&'a Resource],
        known: &'a Known,
    ) -> BoxFuture<'a, BTreeMap<ResourceId, Health>> {
        self.0.health(of, known)
    }
}

fn without_hands(world: &FakeWorld) -> Providers {
    let real = world.providers();
    let families = [Family::Local, Family::Kubernetes, Family::Cloud];
    Providers::new(families.map(|family| {
        let hands: Arc<dyn Provider> = Arc::new(NoHands(Arc::clone(real.of(family).unwrap())));
        (family, hands)
    }))
}

/// All that a person may ask without changing anything: each kind of plan in each form, and how everything is.
async fn look_at_everything(lab: &Lab) {
    let providers = without_hands(&lab.world);
    let (desired, snapshot) = lab.look_by(&providers).await;
    let nothing = Desired::default();
    let data_too = Permits { include_data: true, ..lab.permits.clone() };
    for (desired, purpose, permits) in [
        (&desired, Purpose::Apply, &lab.permits),
        (&desired, Purpose::Removal, &lab.permits),
        (&nothing, Purpose::Removal, &lab.permits),
        (&nothing, Purpose::Removal, &data_too),
    ] {
        let selection = Selection::All;
        let snapshot = &snapshot;
        let request = Request { desired, snapshot, purpose, selection: &selection, permits };
        let Ok(made) = plan::plan(&request) else { continue };
        plan::check(&made, purpose).unwrap();
        assert!(!plan::text(&made, 80).is_empty());
        drop((plan::drift(&made), plan::layout(&made)));
    }
    let wanted: Vec<&Resource> = lab.desired.resources.values().collect();
    for family in [Family::Local, Family::Kubernetes, Family::Cloud] {
        providers.of(family).unwrap().health(&wanted, &Known::default()).await;
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn who_only_looks_never_writes(
        first in flavours(), second in flavours(), effect in 0..60_usize, drifted in any::<bool>(), stopped in any::<bool>(),
    ) {
        paused(async {
            let mut lab = killed_at(effect, &first).await;
            if drifted {
                for thing in lab.world.state().things.values_mut() {
                    thing.objects.pop_first();
                }
            }
            if stopped && lab.world.ids().contains(&id(CLUSTER)) {
                lab.world.meddle(CLUSTER, |thing| thing.power = datamill::model::Power::Off);
            }
            second.ask(&mut lab);
            let before = lab.world.state().things.clone();
            lab.world.calls();
            look_at_everything(&lab).await;
            assert_eq!(lab.world.state().things, before);
            assert_eq!(lab.world.calls(), Vec::<String>::new());
        });
    }

    #[test]
    fn memory_lost_between_two_flavours_costs_no_data(
        first in flavours(), second in flavours(), effect in 0..60_usize, inputs in any::<bool>(),
    ) {
        let straight = paused(async {
            let mut lab = made(&first).await;
            second.ask(&mut lab);
            lab.apply().await;
            lab.world.shape()
        });
        paused(async {
            let mut lab = made(&first).await;
            second.ask(&mut lab);
            let plan = lab.plan().await;
            lab.world.revive();
            lab.world.fault_at(effect, Fault::Kill);
            lab.execute(&plan).await;
            lab.world.revive();
            let data = data(&lab);
            forget(&mut lab, if inputs { Loss::Inputs } else { Loss::Memory });
            let report = lab.apply().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            assert_eq!(lab.world.shape(), straight);
            lab.expect_nothing_to_do().await;
            expect_nothing_wrong(&lab, &data);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_somebody_deleted_is_named_as_gone_before_it_is_made_anew() {
    const GONE: &str = "DATA IS GONE";
    let mut lab = Lab::new();
    lab.instance("base", "one", &[]);
    assert!(!plan::text(&lab.plan().await, 80).contains(GONE), "nothing was there");
    expect_all_went_well(&lab.apply().await);
    lab.world.state().things.remove(&id("base/claim/data"));
    let drawn = lab.plan().await;
    let text = plan::text(&drawn, 80);
    let step = drawn.steps.iter().find(|step| step.id == id("base/claim/data")).unwrap();
    assert_eq!(step.action, Action::Create, "{text}");
    assert!(text.contains(GONE), "{text}");
    let drift = plan::drift(&drawn);
    assert!(drift.steps.iter().any(|step| step.id == id("base/claim/data")), "{text}");
    lab.world.revive();
    expect_all_went_well(&lab.execute(&drawn).await);
    lab.expect_nothing_to_do().await;
    // What nothing was made after may never have been there: nothing is claimed of it.
    lab.claim("alone/claim/data");
    expect_all_went_well(&lab.apply().await);
    lab.world.state().things.remove(&id("alone/claim/data"));
    assert!(!plan::text(&lab.plan().await, 80).contains(GONE));
}

#[tokio::test(start_paused = true)]
async fn what_lies_elsewhere_under_its_id_was_not_deleted_by_anybody() {
    const GONE: &str = "DATA IS GONE";
    let mut lab = Lab::new();
    lab.instance("base", "one", &[]);
    expect_all_went_well(&lab.apply().await);
    let claim = id("base/claim/data");
    lab.world.state().things.remove(&claim);
    let (desired, mut snapshot) = lab.look().await;
    let left = Found { bears: Some(claim.clone()), class: Class::Data, ..Found::ours() };
    snapshot.discovered.found.insert(id("base/claim/old/data"), left);
    let drawn = |snapshot: &Snapshot| {
        let (selection, permits) = (&lab.selection, &lab.permits);
        let purpose = Purpose::Apply;
        let request = Request { desired: &desired, snapshot, purpose, selection, permits };
        plan::plan(&request).unwrap()
    };
    // What its instance has beside it was made when it was there.
    assert!(plan::text(&drawn(&snapshot), 80).contains(GONE));
    let old = Some(id("target/namespace/old"));
    for (_, found) in snapshot.discovered.found.iter_mut().filter(|(id, _)| id.scope == claim.scope)
    {
        found.host.clone_from(&old);
    }
    let moved = drawn(&snapshot);
    assert!(!plan::text(&moved, 80).contains(GONE), "{}", plan::text(&moved, 80));
    assert!(plan::drift(&moved).steps.iter().all(|step| step.id != claim), "{moved:?}");
}
