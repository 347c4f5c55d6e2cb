//! Saved plans: what was approved is carried out, what changed since stops alone, and nothing is added.

use std::collections::{BTreeMap, BTreeSet};

use datamill::engine::{Outcome, Report, SkipReason};
use datamill::model::{FailureKind, Power, Redactor, ResourceId, Secret, Value};
use datamill::plan::{
    Action, Block, Change, Deferral, Effect, Origin, Plan, SavedStep, Seal, Shown, restrict,
    undecided,
};
use proptest::prelude::*;

use super::edits::edits;
use super::laws::{all, cases, flavours, paused};
use crate::support::lab::{CLUSTER, Lab, expect_all_went_well, id, verb};

fn seal() -> Seal {
    Seal::new("number", Some("uid"))
}

/// What is approved, through the document and back.
fn approved(plan: &Plan) -> Vec<SavedStep> {
    let redactor = Redactor::default();
    let steps = plan.steps.iter().map(|step| SavedStep::of(step, &seal(), &redactor));
    let text = serde_json::to_string(&steps.collect::<Vec<_>>()).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn restricted(fresh: &Plan, saved: &[SavedStep]) -> Plan {
    restrict(fresh, saved, &seal(), Deferral::CreateOnly)
}

fn why<'a>(plan: &'a Plan, name: &str) -> &'a str {
    let step = plan.steps.iter().find(|step| step.id == id(name)).unwrap();
    match step.action.block() {
        Some(Block::Stale { why }) => why,
        other => panic!("{name}: {other:?} {:?}", step.action),
    }
}

async fn applied() -> Lab {
    let mut lab = Lab::new();
    lab.storage("one");
    lab.instance("base", "one", &[]);
    lab.instance("app", "one", &["base"]);
    lab.instance("other", "one", &[]);
    expect_all_went_well(&lab.apply().await);
    lab
}

#[tokio::test(start_paused = true)]
async fn what_is_as_it_was_is_done_as_it_was_approved() {
    let mut lab = Lab::new();
    lab.storage("one");
    lab.instance("base", "one", &[]);
    lab.instance("app", "one", &["base"]);
    // Before there is anything, after an edit, and for the end: the same plan comes back.
    let day_zero = lab.plan().await;
    assert_eq!(restricted(&lab.plan().await, &approved(&day_zero)), day_zero);
    expect_all_went_well(&lab.apply().await);
    lab.world.revive();
    lab.instance("base", "two", &[]);
    lab.storage("two");
    let edited = lab.plan().await;
    assert!(edited.has_changes());
    let again = restricted(&lab.plan().await, &approved(&edited));
    assert_eq!(again, edited);
    expect_all_went_well(&lab.execute(&again).await);
    // Applied once more: nothing is left to do, which needs nobody's approval.
    let done = restricted(&lab.plan().await, &approved(&edited));
    assert!(!done.has_changes() && done.blocked().is_none());
    lab.desired = datamill::model::Desired::default();
    let all = lab.plan().await;
    assert_eq!(restricted(&lab.plan().await, &approved(&all)), all);
}

#[tokio::test(start_paused = true)]
async fn a_stale_branch_stops_and_the_rest_goes_on() {
    let mut lab = applied().await;
    for name in ["base", "other"] {
        lab.instance(name, "two", &[]);
    }
    lab.instance("app", "two", &["base"]);
    let saved = approved(&lab.plan().await);
    lab.world.meddle("base/objects/main", |thing| {
        thing.objects.get_mut("main-0").unwrap().0["data"]["value"] = "by hand".into();
    });
    let plan = restricted(&lab.plan().await, &saved);
    let why = why(&plan, "base/objects/main");
    assert!(why.contains("ConfigMap lab/main-0 /data/value"), "{why}");
    // What will be skipped is not announced as a change, and nothing else is taken for skipped.
    let text = datamill::plan::text(&plan, 120);
    let skipped = plan.skipped();
    assert_eq!(skipped.get(&id("app/objects/main")), Some(&&id("base/objects/main")), "{text}");
    assert!(!skipped.contains_key(&id("other/objects/main")), "{text}");
    let line = "app/objects/main  update: needs base/objects/main, which is out of date";
    assert!(text.contains("Not done (") && text.contains(line), "{text}");
    lab.world.revive();
    let report = lab.execute(&plan).await;
    assert_eq!(report.failure_kind(), Some(FailureKind::Stale));
    let outcome = |name: &str| &report.outcomes[&id(name)];
    assert!(matches!(outcome("base/objects/main"), Outcome::Failed(_)));
    let for_base = Outcome::Skipped(SkipReason::NeedFailed(id("base/objects/main")));
    assert_eq!(*outcome("app/objects/main"), for_base);
    assert_eq!(*outcome("other/objects/main"), Outcome::Done);
    for (id, outcome) in report.outcomes.iter().filter(|(id, _)| skipped.contains_key(id)) {
        assert!(matches!(outcome, Outcome::Skipped(_)), "{id}: {outcome:?}");
    }
    let value = |name: &str| {
        lab.world.state().things[&id(name)].objects["main-0"].0["data"]["value"].clone()
    };
    assert_eq!(value("base/objects/main"), "by hand");
    assert_eq!(value("app/objects/main"), "one");
    assert_eq!(value("other/objects/main"), "two");
}

#[tokio::test(start_paused = true)]
async fn what_changes_between_the_look_and_the_write_is_not_written_over() {
    let mut lab = applied().await;
    lab.instance("base", "two", &[]);
    let fresh = lab.plan().await;
    let plan = restricted(&lab.plan().await, &approved(&fresh));
    lab.world.meddle("base/objects/main", |thing| {
        thing.objects.get_mut("main-1").unwrap().0["data"]["value"] = "by hand".into();
    });
    lab.world.revive();
    let report = lab.execute(&plan).await;
    let Outcome::Failed(failure) = &report.outcomes[&id("base/objects/main")] else { panic!() };
    assert_eq!(failure.kind, FailureKind::Stale);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_approved_is_refused() {
    let mut lab = applied().await;
    lab.instance("base", "two", &[]);
    let saved = approved(&lab.plan().await);
    // Somebody deletes what the plan did not speak of, and another instance leaves the file.
    lab.world.state().things.remove(&id("other/objects/more"));
    lab.drop_instance("app");
    let plan = restricted(&lab.plan().await, &saved);
    assert!(why(&plan, "other/objects/more").contains("keep"), "{:?}", plan.counts());
    assert!(why(&plan, "app/objects/main").contains("delete"));
    assert_eq!(verb(&plan, "base/objects/main"), "update");
}

#[tokio::test(start_paused = true)]
async fn other_inputs_than_the_approved_ones_are_refused() {
    let mut lab = Lab::new();
    lab.instance("base", "one", &[]);
    let saved = approved(&lab.plan().await);
    lab.instance("base", "two", &[]);
    let plan = restricted(&lab.plan().await, &saved);
    assert_eq!(why(&plan, "base/objects/main"), "what it is made from is not what was approved");
    assert_eq!(verb(&plan, "base/objects/more"), "create");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_cut_short_goes_on_with_the_same_plan() {
    let mut lab = Lab::new();
    lab.storage("one");
    lab.instance("base", "one", &[]);
    // Its objects hold an output that is known only later.
    let shared = Value::Output { of: id("target/file-system/shared"), name: "id".to_owned() };
    lab.objects("app/objects/volume", &[shared], &["target/file-system/shared"]);
    let saved = approved(&lab.plan().await);
    for at in 0..100 {
        let plan = restricted(&lab.plan().await, &saved);
        assert_eq!(plan.blocked(), None, "{at}: {}", datamill::plan::text(&plan, 80));
        lab.world.fault_at(2 * at, crate::support::world::Fault::Kill);
        let report = lab.execute(&plan).await;
        lab.world.revive();
        if report.failure_kind().is_none() {
            lab.expect_nothing_to_do().await;
            return;
        }
        // A thing that is half made is neither absent nor as wanted: that is for a new plan to say.
        for step in lab.plan().await.steps {
            if matches!(step.action, Action::Update | Action::Repair) {
                lab.world.state().things.remove(&step.id);
            }
        }
    }
    panic!("it never ends");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_decided_is_created_and_nothing_else_without_a_word() {
    let mut lab = applied().await;
    lab.instance("base", "two", &[]);
    lab.instance("new", "one", &[]);
    lab.world.meddle(CLUSTER, |thing| thing.power = Power::Off);
    let seen = lab.plan().await;
    assert_eq!((verb(&seen, CLUSTER), verb(&seen, "base/objects/main")), ("start", "deferred"));
    let saved = approved(&seen);
    lab.world.meddle(CLUSTER, |thing| thing.power = Power::On);
    let fresh = lab.plan().await;
    let undecided: BTreeSet<_> =
        undecided(&fresh, &saved).iter().map(|step| step.id.to_string()).collect();
    assert_eq!(undecided, BTreeSet::from(["base/objects/main".to_owned()]));
    let plan = restricted(&fresh, &saved);
    assert!(why(&plan, "base/objects/main").contains("update"));
    assert_eq!(verb(&plan, "new/objects/main"), "create");
    let plan = restrict(&fresh, &saved, &seal(), Deferral::Anything);
    assert_eq!((verb(&plan, "base/objects/main"), plan.blocked()), ("update", None));
}

#[tokio::test(start_paused = true)]
async fn a_host_does_not_go_with_what_came_into_it_since() {
    let mut lab = Lab::simulated();
    lab.instance("base", "one", &[]);
    expect_all_went_well(&lab.apply().await);
    let wanted = std::mem::take(&mut lab.desired);
    let saved = approved(&lab.plan().await);
    lab.desired = wanted;
    lab.instance("new", "one", &[]);
    expect_all_went_well(&lab.apply().await);
    lab.desired = datamill::model::Desired::default();
    let plan = restricted(&lab.plan().await, &saved);
    assert!(why(&plan, CLUSTER).contains("new/"), "{}", why(&plan, CLUSTER));
    lab.world.revive();
    let report = lab.execute(&plan).await;
    assert_eq!(report.failure_kind(), Some(FailureKind::Stale));
    assert!(lab.world.ids().contains(&id("new/claim/data")));
    assert!(lab.world.ids().contains(&id(CLUSTER)));
}

#[tokio::test(start_paused = true)]
async fn no_secret_stands_in_a_saved_step_and_equality_is_seen_all_the_same() {
    const CANARY: &str = "canary-hunter2";
    let mut lab = applied().await;
    lab.instance("base", "two", &[]);
    let mut plan = lab.plan().await;
    let redactor = Redactor::default();
    redactor.learn(&Secret::new(CANARY));
    let step = plan.steps.iter_mut().find(|step| step.id == id("base/objects/main")).unwrap();
    let text = |value: &str| Shown::Text(format!("url://user:{value}@host"));
    step.changes.push(Change {
        object: None,
        path: "/data/url".to_owned(),
        from: text("old"),
        to: text(CANARY),
        effect: Effect::InPlace,
        origin: Origin::You,
        by: None,
    });
    let steps: Vec<_> = plan.steps.iter().map(|s| SavedStep::of(s, &seal(), &redactor)).collect();
    let document = serde_json::to_string(&steps).unwrap();
    assert!(!document.contains(CANARY), "{document}");
    assert!(document.contains("hidden"), "{document}");
    assert_eq!(restricted(&plan, &steps), plan);
    let step = plan.steps.iter_mut().find(|step| step.id == id("base/objects/main")).unwrap();
    step.changes.last_mut().unwrap().to = text("canary-hunter3");
    let now = restricted(&plan, &steps);
    assert!(why(&now, "base/objects/main").contains("/data/url"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_is_not_gone_past_through_what_is_kept() {
    let mut lab = Lab::new();
    all().ask(&mut lab);
    expect_all_went_well(&lab.apply().await);
    lab.world.revive();
    // `app` is kept and will need `ground`, which nobody approved: what it needed until now stays.
    all().ask_with_base(&mut lab, "ground");
    let fresh = lab.plan().await;
    assert_eq!(verb(&fresh, "base/release/main"), "delete");
    let mut saved = approved(&fresh);
    saved.retain(|step| step.id == id("base/release/main"));
    let report = lab.execute(&restricted(&fresh, &saved)).await;
    let outcome = &report.outcomes[&id("base/release/main")];
    assert!(matches!(outcome, Outcome::Skipped(SkipReason::NeedFailed(_))), "{outcome:?}");
    assert!(lab.world.ids().contains(&id("base/release/main")));
}

/// The steps that a run skipped although they change something, with what each needs that failed.
fn skipped_by(plan: &Plan, report: &Report) -> BTreeMap<ResourceId, ResourceId> {
    let changing = plan.steps.iter().filter(|step| step.action.changes_something());
    changing
        .filter_map(|step| match report.outcomes.get(&step.id)? {
            Outcome::Skipped(SkipReason::NeedFailed(need)) => Some((step.id.clone(), need.clone())),
            Outcome::Done
            | Outcome::Assumed(_)
            | Outcome::Started
            | Outcome::Failed(_)
            | Outcome::Skipped(_) => None,
        })
        .collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn what_a_plan_says_is_skipped_is_what_the_run_skips(
        first in flavours(), edit in edits(), ends in any::<bool>(), absent in any::<bool>(), stale in any::<u64>(),
    ) {
        if !edit.stays_in_place() {
            return Ok(());
        }
        paused(async {
            let mut lab = Lab::new();
            first.ask(&mut lab);
            if !absent {
                expect_all_went_well(&lab.apply().await);
                lab.world.revive();
            }
            edit.ask(&first, &mut lab);
            if ends {
                lab.desired = datamill::model::Desired::default();
            }
            let fresh = lab.plan().await;
            if fresh.blocked().is_some() {
                return;
            }
            let mut approved = approved(&fresh);
            let mut number = 0;
            approved.retain(|_| {
                number += 1;
                stale >> (number % 64) & 1 == 1
            });
            let plan = restricted(&fresh, &approved);
            let said: BTreeMap<_, _> = plan.skipped().into_iter().map(|(id, need)| (id.clone(), need.clone())).collect();
            let text = datamill::plan::text(&plan, 120);
            let report = lab.execute(&plan).await;
            assert_eq!(said, skipped_by(&plan, &report), "{text}");
        });
    }
}
