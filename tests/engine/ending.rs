//! Runs that take things away: killed at every effect, and cut down to what the user lets go.

use std::collections::BTreeSet;

use datamill::model::Power;
use datamill::plan::{Purpose, Selection, text};
use proptest::prelude::*;

use super::edits::edits;
use super::laws::{all, cases, expect_no_violation, flavours, kept, paused};
use crate::support::lab::{CLUSTER, Lab, NAMESPACE, expect_all_went_well, id, verb};
use crate::support::world::Fault;

/// All there is, and what this run wants of it.
async fn ending(include_data: bool, uninstall: bool) -> Lab {
    let mut lab = Lab::new();
    all().ask(&mut lab);
    expect_all_went_well(&lab.apply().await);
    lab.purpose = Purpose::Removal;
    lab.permits.include_data = include_data;
    lab.desired.resources.clear();
    if uninstall {
        lab.desired = Lab::new().desired;
    }
    lab
}

/// Kills a run at each of its effects; the same command then comes to the same world, and has nothing to do.
fn converges_from_every_effect(include_data: bool, uninstall: bool) {
    let (effects, whole) = paused(async {
        let lab = ending(include_data, uninstall).await;
        let before = lab.world.state().effects;
        assert_eq!(lab.apply().await.failure_kind(), None);
        let effects = lab.world.state().effects - before;
        (effects, lab.world.ids())
    });
    assert!(effects > 10, "{effects}");
    for effect in 0..effects {
        paused(async {
            let lab = ending(include_data, uninstall).await;
            let plan = lab.plan().await;
            lab.world.revive();
            lab.world.fault_at(effect, Fault::Kill);
            lab.execute(&plan).await;
            assert!(lab.world.state().dead());
            assert_eq!(lab.apply().await.failure_kind(), None, "killed at effect {effect}");
            assert_eq!(lab.world.ids(), whole, "killed at effect {effect}");
            lab.expect_nothing_to_do().await;
            expect_no_violation(&lab);
        });
    }
}

#[test]
fn a_destroy_killed_at_every_effect_converges_to_the_kept_list() {
    converges_from_every_effect(false, false);
    converges_from_every_effect(true, false);
}

#[test]
fn an_uninstall_killed_at_every_effect_converges_to_the_kept_list() {
    converges_from_every_effect(false, true);
    converges_from_every_effect(true, true);
}

#[tokio::test(start_paused = true)]
async fn of_all_deletions_only_the_named_ones_are_done() {
    let mut lab = ending(false, false).await;
    lab.permits.deletes = BTreeSet::from(["app".to_owned(), "other/objects/more".to_owned()]);
    let plan = lab.plan().await;
    for name in ["app/release/main", "app/objects/main", "other/objects/more"] {
        assert_eq!(verb(&plan, name), "delete", "{name}");
    }
    for name in ["other/objects/main", "base/release/main", "target/network/main"] {
        let step = plan.steps.iter().find(|step| step.id == id(name)).unwrap();
        assert_eq!(step.action.retained(), Some("kept by you"), "{name}");
    }
    // Data needs its own word, named or not.
    assert_eq!(verb(&plan, "app/claim/data"), "retain");
    assert!(text(&plan, 80).contains("kept by you"));
    expect_all_went_well(&lab.execute(&plan).await);
    assert_eq!(lab.world.ids(), kept(&plan));
    // The same again finds nothing to do, and a host stands for all in it.
    lab.expect_nothing_to_do().await;
    lab.permits.deletes = BTreeSet::from(["target/cluster/lab".to_owned()]);
    lab.permits.include_data = true;
    expect_all_went_well(&lab.apply().await);
    assert!(lab.world.ids().iter().all(|id| id.kind.family() == datamill::model::Family::Cloud));
    expect_no_violation(&lab);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_by_the_user_holds_what_it_needs_and_lives_in() {
    let mut lab = ending(true, false).await;
    lab.permits.spared = BTreeSet::from([id("app/release/main")]);
    let plan = lab.plan().await;
    for name in
        ["app/claim/data", "base/release/main", "target/namespace/lab", "target/cluster/lab"]
    {
        assert_eq!(verb(&plan, name), "retain", "{name}\n{}", text(&plan, 80));
    }
    assert_eq!(verb(&plan, "other/objects/main"), "delete");
    assert_eq!(verb(&plan, "target/network/main"), "delete");
    assert_eq!(lab.execute(&plan).await.failure_kind(), None);
    assert_eq!(lab.world.ids(), kept(&plan));
    expect_no_violation(&lab);
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn whatever_the_file_says_by_now_an_uninstall_makes_nothing_and_changes_nothing_that_stays(
        first in flavours(), edit in edits(), half in 0..60_usize, drift in any::<bool>(), all in any::<bool>(),
    ) {
        paused(async {
            let mut lab = Lab::new();
            first.ask(&mut lab);
            let plan = lab.plan().await;
            lab.world.fault_at(half, Fault::Kill);
            lab.execute(&plan).await;
            lab.world.revive();
            if drift {
                lab.world.state().things.values_mut().for_each(|thing| drop(thing.objects.pop_first()));
            }
            edit.ask(&first, &mut lab);
            let gone = Lab::name("app");
            let stays = |id: &datamill::model::ResourceId| match id.instance_name() {
                None => true,
                Some(name) => !all && *name != gone,
            };
            lab.desired.resources.retain(|id, _| stays(id));
            if !all {
                lab.selection = Selection::Instances(BTreeSet::from([gone.clone()]));
            }
            let before = lab.world.state().things.clone();
            // The law of its plan is checked wherever one is made.
            let (plan, _) = lab.remove().await;
            for (id, thing) in &lab.world.state().things {
                assert_eq!(before.get(id), Some(thing), "{id}\n{}", text(&plan, 80));
            }
            expect_no_violation(&lab);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_uninstall_leaves_may_be_refused_missing_or_broken() {
    let mut lab = ending(false, true).await;
    lab.world.rejects(NAMESPACE, "it is being terminated");
    lab.world.never_settles(NAMESPACE);
    lab.world.state().things.remove(&id("target/installation/lab"));
    let mut other = lab.desired.get(&id(NAMESPACE)).unwrap().clone();
    other.id = id("target/namespace/zz");
    lab.desired.insert(other);
    let (plan, report) = lab.remove().await;
    expect_all_went_well(&report);
    assert_eq!(verb(&plan, "app/release/main"), "delete");
    for name in [CLUSTER, NAMESPACE, "target/installation/lab", "target/namespace/zz"] {
        assert_eq!(verb(&plan, name), "nothing", "{name}");
    }
    assert!(!lab.world.ids().contains(&id("target/namespace/zz")));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_cluster_is_started_before_something_in_it_goes_whatever_is_meant() {
    for selection in [Selection::All, Selection::Instances([Lab::name("app")].into())] {
        let mut lab = ending(false, true).await;
        lab.selection = selection;
        lab.world.meddle(CLUSTER, |thing| thing.power = Power::Off);
        assert_eq!(verb(&lab.plan().await, CLUSTER), "start");
    }
}
