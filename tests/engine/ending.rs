//! Runs that take things away: killed at every effect, and cut down to what the user lets go.

use std::collections::BTreeSet;

use datamill::plan::text;

use super::laws::{all, expect_no_violation, kept, paused};
use crate::support::lab::{Lab, expect_all_went_well, id, verb};
use crate::support::world::Fault;

/// All there is, and what this run wants of it.
async fn ending(include_data: bool, uninstall: bool) -> Lab {
    let mut lab = Lab::new();
    all().ask(&mut lab);
    expect_all_went_well(&lab.apply().await);
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
