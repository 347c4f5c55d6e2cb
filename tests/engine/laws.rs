//! The laws that hold whatever the flavour and whenever the program dies (`peers.md` D.13).

use std::collections::{BTreeMap, BTreeSet};

use datamill::model::{Class, Family, Owner, Renames, ResourceId};
use datamill::plan::{Action, Plan, text};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::lab::{Lab, expect_all_went_well, id};
use crate::support::world::Fault;

/// What a random flavour holds.
#[expect(clippy::struct_excessive_bools, reason = "each is a part that may be there")]
#[derive(Debug, Clone)]
pub(super) struct Flavour {
    pub(super) storage: bool,
    pub(super) base: bool,
    pub(super) app: bool,
    pub(super) app_uses_base: bool,
    pub(super) other: bool,
    pub(super) value: u8,
}

pub(super) fn flavours() -> impl Strategy<Value = Flavour> {
    (any::<[bool; 5]>(), 0..3_u8).prop_map(|([storage, base, app, app_uses_base, other], value)| {
        Flavour { storage, base, app, app_uses_base, other, value }
    })
}

pub(super) fn all() -> Flavour {
    Flavour { storage: true, base: true, app: true, app_uses_base: true, other: true, value: 0 }
}

impl Flavour {
    /// Wants this, in the world that is there.
    pub(super) fn ask(&self, lab: &mut Lab) {
        self.ask_with_base(lab, "base");
    }

    /// The same, with another name for `base`.
    pub(super) fn ask_with_base(&self, lab: &mut Lab, base: &str) {
        lab.desired = Lab::new().desired;
        let value = self.value.to_string();
        if self.storage {
            lab.storage(&value);
        }
        if self.base {
            lab.chart_instance(base, &value, &[]);
        }
        if self.app {
            let uses: &[&str] = if self.base && self.app_uses_base { &[base] } else { &[] };
            lab.chart_instance("app", &value, uses);
        }
        if self.other {
            lab.chart_instance("other", &value, &[]);
        }
    }
}

/// So many random cases from a seed that a failure names, so that it can be replayed.
pub(super) fn cases(count: u32) -> ProptestConfig {
    const SEED: &str = "DATAMILL_TEST_SEED";
    let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    });
    say_seed(SEED, seed);
    ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::with_cases(count)
    }
}

#[expect(clippy::print_stderr, reason = "a test that fails says how to see it again")]
fn say_seed(variable: &str, seed: u64) {
    eprintln!("replay with {variable}={seed}");
}

/// Runs a test in paused time.
pub(super) fn paused<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test)
}

fn of_data(lab: &Lab) -> BTreeSet<ResourceId> {
    let state = lab.world.state();
    let data = state.things.iter().filter(|(_, thing)| thing.class == Class::Data);
    data.map(|(id, _)| id.clone()).collect()
}

pub(super) fn kept(plan: &Plan) -> BTreeSet<ResourceId> {
    let kept = plan.steps.iter().filter(|step| matches!(step.action, Action::Retain { .. }));
    kept.map(|step| step.id.clone()).collect()
}

/// What is drawn once stays what it was, whatever else changes.
fn expect_same_secrets(lab: &Lab, before: &BTreeMap<ResourceId, usize>) {
    let now = lab.world.drawn();
    for (id, value) in before {
        assert_eq!(now.get(id), Some(value), "{id} is kept as it was drawn");
    }
}

pub(super) fn expect_no_violation(lab: &Lab) {
    let state = lab.world.state();
    assert_eq!(state.violations, Vec::<String>::new());
    assert_eq!(state.lost, Vec::<ResourceId>::new());
}

/// How many effects it takes to make a flavour in an empty world.
pub(super) fn effects(flavour: &Flavour) -> usize {
    paused(async {
        let mut lab = Lab::new();
        flavour.ask(&mut lab);
        expect_all_went_well(&lab.apply().await);
        lab.world.state().effects
    })
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

#[test]
fn killed_at_every_effect_a_rerun_converges_to_the_same_world() {
    let whole = paused(async {
        let mut lab = Lab::new();
        all().ask(&mut lab);
        lab.apply().await;
        lab.world.shape()
    });
    for effect in 0..effects(&all()) {
        paused(async {
            let lab = killed_at(effect, &all()).await;
            let secrets = lab.world.drawn();
            expect_all_went_well(&lab.apply().await);
            expect_same_secrets(&lab, &secrets);
            assert_eq!(lab.world.shape(), whole, "killed at effect {effect}");
            lab.expect_nothing_to_do().await;
            expect_no_violation(&lab);
        });
    }
}

#[test]
fn destroyed_from_any_intermediate_world_exactly_the_kept_list_is_left() {
    for effect in 0..=effects(&all()) {
        paused(async {
            let mut lab = killed_at(effect, &all()).await;
            let data = of_data(&lab);
            let (plan, report) = lab.destroy().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            assert_eq!(lab.world.ids(), kept(&plan), "killed at effect {effect}");
            assert!(data.is_subset(&kept(&plan)), "data is kept, {}", text(&plan, 80));
            expect_no_violation(&lab);

            lab.permits.include_data = true;
            let (_, report) = lab.destroy().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            assert_eq!(lab.world.ids(), BTreeSet::new(), "with the data, all goes");
            expect_no_violation(&lab);
        });
    }
}

/// `base` is called `ground` from now on, and `app` uses it under that name.
fn rename_base(lab: &mut Lab) {
    lab.desired = Lab::new().desired;
    lab.chart_instance("ground", "0", &[]);
    lab.chart_instance("app", "0", &["ground"]);
    let name = |text| Lab::name(text);
    lab.renames = Renames::new([(name("base"), name("ground"))]);
}

async fn with_base() -> Lab {
    let mut lab = Lab::new();
    lab.chart_instance("base", "0", &[]);
    lab.chart_instance("app", "0", &["base"]);
    expect_all_went_well(&lab.apply().await);
    lab
}

#[test]
fn an_instance_renamed_in_the_file_keeps_all_it_has_whenever_the_run_dies() {
    let effects = paused(async {
        let mut lab = with_base().await;
        let before = lab.world.state().effects;
        rename_base(&mut lab);
        expect_all_went_well(&lab.apply().await);
        lab.world.state().effects - before
    });
    assert!(effects > 0);
    for effect in 0..=effects {
        paused(async {
            let mut lab = with_base().await;
            let uid = |lab: &Lab, name: &str| {
                let state = lab.world.state();
                state.things.get(&id(name)).map(|thing| (thing.uid, thing.drawn))
            };
            let parts = ["claim/data", "secret/login", "release/main"];
            let before = parts.map(|part| uid(&lab, &format!("base/{part}")));
            rename_base(&mut lab);
            let plan = lab.plan().await;
            assert_eq!(plan.counts().get("delete"), None, "{}", text(&plan, 80));
            assert_eq!(plan.counts().get("create"), None, "{}", text(&plan, 80));
            lab.world.revive();
            lab.world.fault_at(effect, Fault::Kill);
            lab.execute(&plan).await;
            expect_all_went_well(&lab.apply().await);
            let after = parts.map(|part| uid(&lab, &format!("ground/{part}")));
            assert_eq!(after, before, "killed at effect {effect}");
            assert!(lab.world.ids().iter().all(|id| !id.to_string().starts_with("base/")));
            lab.expect_nothing_to_do().await;
            // Nobody needs the old name any more.
            lab.renames = Renames::default();
            lab.expect_nothing_to_do().await;
            expect_no_violation(&lab);
        });
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn applied_then_edited_then_applied_leaves_nothing_to_do(first in flavours(), second in flavours()) {
        paused(async {
            let mut lab = Lab::new();
            for flavour in [&first, &second] {
                flavour.ask(&mut lab);
                let (data, secrets) = (of_data(&lab), lab.world.drawn());
                let report = lab.apply().await;
                assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
                lab.expect_nothing_to_do().await;
                expect_same_secrets(&lab, &secrets);
                assert!(of_data(&lab).is_superset(&data), "no edit takes data away");
                expect_no_violation(&lab);
            }
        });
    }

    #[test]
    fn what_somebody_changed_in_a_release_is_put_back_without_a_revision(flavour in flavours(), which in 0..2_usize) {
        paused(async {
            let mut lab = Lab::new();
            flavour.ask(&mut lab);
            lab.apply().await;
            let whole = lab.world.shape();
            let releases = |lab: &Lab| -> BTreeMap<_, _> {
                let state = lab.world.state();
                let all = state.things.iter();
                all.filter_map(|(id, thing)| Some((id.clone(), thing.release?))).collect()
            };
            let before = releases(&lab);
            for id in before.keys() {
                let name = format!("{}-{which}", id.name);
                lab.world.meddle(&id.to_string(), |thing| drop(thing.objects.remove(&name)));
            }
            let plan = lab.plan().await;
            assert_eq!(plan.counts().get("repair").copied().unwrap_or_default(), before.len());
            expect_all_went_well(&lab.apply().await);
            assert_eq!(releases(&lab), before);
            assert_eq!(lab.world.shape(), whole);
            expect_no_violation(&lab);
        });
    }

    #[test]
    fn killed_between_two_flavours_a_rerun_converges(
        first in flavours(), second in flavours(), effect in 0..60_usize,
    ) {
        let straight = paused(async {
            let mut lab = Lab::new();
            for flavour in [&first, &second] {
                flavour.ask(&mut lab);
                lab.apply().await;
            }
            lab.world.shape()
        });
        paused(async {
            let mut lab = Lab::new();
            first.ask(&mut lab);
            lab.apply().await;
            second.ask(&mut lab);
            let plan = lab.plan().await;
            lab.world.revive();
            lab.world.fault_at(effect, Fault::Kill);
            lab.execute(&plan).await;
            let report = lab.apply().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            assert_eq!(lab.world.shape(), straight);
            lab.expect_nothing_to_do().await;
            expect_no_violation(&lab);
        });
    }

    #[test]
    fn what_is_foreign_is_never_touched(flavour in flavours(), which in 0..6_usize, marked in any::<bool>()) {
        let name = [
            "target/network/main", "target/bucket/lake", "base/objects/main",
            "base/claim/data", "other/objects/more", "target/namespace/lab",
        ][which];
        let owner = if marked {
            Owner::Other("another project".to_owned())
        } else {
            Owner::Unmarked { manager: Some("kubectl".to_owned()), suitable: true }
        };
        paused(async {
            let mut lab = Lab::new();
            flavour.ask(&mut lab);
            let wanted = lab.desired.resources.contains_key(&id(name));
            lab.world.holds_foreign(name, owner.clone());
            // What lives in a cluster cannot be there before the cluster is.
            let inside = id(name).kind.family() == Family::Kubernetes;
            if inside {
                let cluster = lab.desired.resources.clone();
                lab.desired.resources.retain(|other, _| {
                    let target = other.instance_name().is_none();
                    target && *other != id(name) && other.kind.family() != Family::Cloud
                });
                lab.apply().await;
                lab.desired.resources = cluster;
            }
            let before = lab.world.state().things[&id(name)].clone();
            let plan = lab.plan().await;
            let usable = !marked && (name.contains("/bucket/") || name.contains("/namespace/"));
            assert_eq!(plan.blocked().is_some(), wanted && !usable, "{}", text(&plan, 80));
            lab.world.revive();
            lab.execute(&plan).await;
            assert_eq!(&lab.world.state().things[&id(name)], &before);
            assert_eq!(lab.world.state().violations, Vec::<String>::new());
        });
    }

    #[test]
    fn a_simulated_cluster_goes_whole_and_unasked(flavour in flavours(), effect in 0..60_usize) {
        paused(async {
            let mut lab = killed_at(effect, &flavour).await;
            lab.permits.holds_no_data.insert(id("target/cluster/lab"));
            let (plan, report) = lab.destroy().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            assert_eq!(lab.world.ids(), kept(&plan));
            let clouds = ["target/bucket/lake", "target/file-system/shared"].map(id);
            assert!(kept(&plan).iter().all(|id| clouds.contains(id)), "{}", text(&plan, 80));
        });
    }
}
