//! The laws after any edit of the file, in any weather (`peers.md` D.13).

use std::collections::BTreeSet;

use datamill::model::{Class, ResourceId, ResourceKind};
use datamill::plan::{Action, Effect, Plan, text};
use proptest::prelude::*;

use super::edits::edits;
use super::laws::{cases, expect_no_violation, flavours, kept, paused};
use crate::support::lab::{Lab, expect_all_went_well, id};
use crate::support::weather::weathers;
use crate::support::world::{Fault, State, Thing};

/// The things that must not go or be made anew, whatever they are called: data and what is drawn once.
fn precious(lab: &Lab) -> BTreeSet<usize> {
    let state = lab.world.state();
    let precious =
        |(id, thing): &(&ResourceId, &Thing)| is_data(id, thing) || thing.drawn.is_some();
    state.things.iter().filter(precious).map(|(_, thing)| thing.uid).collect()
}

/// Whether it is data, whatever its mark says by now.
fn is_data(id: &ResourceId, thing: &Thing) -> bool {
    thing.class == Class::Data || id.kind == ResourceKind::Claim
}

async fn made(flavour: &super::laws::Flavour) -> Lab {
    let mut lab = Lab::new();
    flavour.ask(&mut lab);
    expect_all_went_well(&lab.apply().await);
    lab
}

/// Data that would go by a plan: by itself, or with what it lives in.
fn going_data(plan: &Plan, state: &State) -> BTreeSet<ResourceId> {
    let lives_in = |thing: &ResourceId, host: &ResourceId| {
        let mut next = Some(thing.clone());
        while let Some(at) = next {
            if at == *host {
                return true;
            }
            next = state.things.get(&at).and_then(|thing| thing.host.clone());
        }
        false
    };
    let goes = |action: &Action| {
        matches!(action, Action::Delete | Action::Replace | Action::GoesWith { .. })
    };
    let data = state.things.iter().filter(|(id, thing)| is_data(id, thing));
    let going: Vec<_> = plan.steps.iter().filter(|step| goes(&step.action)).collect();
    data.map(|(id, _)| id.clone())
        .filter(|data| going.iter().any(|step| lives_in(data, &step.id)))
        .collect()
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn no_edit_plans_the_loss_of_data(
        first in flavours(), edit in edits(), half in 0..40_usize, drift in any::<bool>(),
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
            let plan = lab.plan().await;
            assert_eq!(going_data(&plan, &lab.world.state()), BTreeSet::new(), "{}", text(&plan, 80));
            for step in &plan.steps {
                assert!(step.changes.iter().all(|change| change.effect != Effect::LosesData));
            }
            // Where it may go, its line says so.
            lab.permits.include_data = true;
            let plan = lab.plan().await;
            let text = text(&plan, 80);
            for data in going_data(&plan, &lab.world.state()) {
                let said = |line: &str| line.contains(&data.to_string()) && line.contains("DATA IS LOST");
                assert!(text.lines().any(said), "{data}\n{text}");
            }
        });
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn in_any_weather_an_edit_comes_to_the_same_world_and_nothing_is_left_to_do(
        first in flavours(), edit in edits(), weather in weathers(),
    ) {
        if !edit.stays_in_place() {
            return Ok(());
        }
        let straight = paused(async {
            let mut lab = made(&first).await;
            edit.ask(&first, &mut lab);
            lab.apply().await;
            lab.world.shape()
        });
        paused(async {
            let mut lab = made(&first).await;
            let before = precious(&lab);
            edit.ask(&first, &mut lab);
            let plan = lab.plan().await;
            weather.over(&lab);
            lab.execute(&plan).await;
            let report = lab.apply().await;
            assert!(precious(&lab).is_superset(&before), "{}", text(&plan, 80));
            expect_no_violation(&lab);
            assert_eq!(lab.world.shape(), straight);
            if plan.blocked().is_none() {
                assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
                lab.expect_nothing_to_do().await;
            }
        });
    }

    #[test]
    fn destroyed_from_any_edited_or_drifted_world_exactly_the_kept_list_is_left(
        first in flavours(), edit in edits(), weather in weathers(), storm in weathers(), drift in any::<bool>(),
    ) {
        if !edit.stays_in_place() {
            return Ok(());
        }
        paused(async {
            let mut lab = made(&first).await;
            let before = precious(&lab);
            edit.ask(&first, &mut lab);
            let plan = lab.plan().await;
            weather.over(&lab);
            lab.execute(&plan).await;
            if drift {
                lab.world.state().things.values_mut().for_each(|thing| drop(thing.objects.pop_first()));
            }
            for include_data in [false, true] {
                lab.permits.include_data = include_data;
                let desired = std::mem::take(&mut lab.desired);
                lab.files.clone_from(&desired);
                let plan = lab.plan().await;
                storm.over(&lab);
                lab.execute(&plan).await;
                lab.desired = desired;
                let (plan, report) = lab.destroy().await;
                assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
                // What was not written yet under its new name lies under the old one.
                let left: BTreeSet<_> = lab.world.ids().into_iter().map(|id| lab.renames.id(id)).collect();
                assert_eq!(left, kept(&plan), "{}", text(&plan, 80));
                assert!(include_data || precious(&lab).is_superset(&before));
                expect_no_violation(&lab);
            }
            assert_eq!(lab.world.ids(), BTreeSet::new(), "with the data, all goes");
        });
    }

    #[test]
    fn what_the_user_keeps_stays_with_all_that_it_needs_and_the_rest_goes(
        flavour in flavours(), seed in any::<u64>(), include_data in any::<bool>(), simulated in any::<bool>(),
    ) {
        paused(async {
            let mut lab = made(&flavour).await;
            lab.permits.include_data = include_data;
            if simulated {
                lab.permits.holds_no_data.insert(id("target/cluster/lab"));
            }
            let ids = lab.world.ids();
            let spared = ids.iter().enumerate().filter(|(at, _)| (seed >> (at % 64)).is_multiple_of(8));
            lab.permits.spared = spared.map(|(_, id)| id.clone()).collect();
            let things = lab.world.state().things.clone();
            let (plan, report) = lab.destroy().await;
            assert_eq!(report.failure_kind(), None, "{:?}", report.outcomes);
            let left = lab.world.ids();
            assert_eq!(left, kept(&plan), "{}", text(&plan, 80));
            assert!(left.is_superset(&lab.permits.spared), "{}", text(&plan, 80));
            for id in &left {
                let needs = things[id].needs.iter().chain(&things[id].host);
                for need in needs.filter(|need| !need.kind.only_looks()) {
                    assert!(left.contains(need), "{id} needs {need}\n{}", text(&plan, 80));
                }
            }
            // Nobody keeps it any more.
            lab.permits.spared.clear();
            lab.permits.include_data = true;
            lab.destroy().await;
            assert_eq!(lab.world.ids(), BTreeSet::new());
            assert_eq!(lab.world.state().violations, Vec::<String>::new());
            assert!(simulated || lab.world.state().lost.is_empty());
        });
    }
}
