//! How plans are carried out: order, limits, waiting, failing, cancelling.

use std::time::Duration;

use datamill::engine::{Cancel, Event, Outcome, SkipReason};
use datamill::model::{FailureKind, JobReady, Owner, Value};
use datamill::plan::{self, Action};
use tokio::sync::watch;

use crate::support::lab::{Lab, expect_all_went_well, id, shared, verb};
use crate::support::world::Fault;

fn position(calls: &[String], call: &str) -> usize {
    calls.iter().position(|other| other == call).unwrap_or_else(|| panic!("{call} in {calls:?}"))
}

#[tokio::test(start_paused = true)]
async fn applying_a_plan_leaves_nothing_to_do() {
    let mut lab = Lab::new();
    lab.storage("one");
    lab.instance("base", "v", &[]);
    lab.instance("app", "v", &["base"]);
    expect_all_went_well(&lab.apply().await);
    lab.expect_nothing_to_do().await;
    assert_eq!(lab.world.state().violations, Vec::<String>::new());
    lab.world.calls();
    lab.world.state().looks = 0;
    lab.apply().await;
    assert_eq!(lab.world.calls(), Vec::<String>::new());
    assert_eq!(lab.world.state().looks, 0, "what the plan saw healthy is not looked at again");
}

#[tokio::test(start_paused = true)]
async fn order_respects_needs_both_ways() {
    let mut lab = Lab::new();
    lab.storage("one");
    lab.instance("base", "v", &[]);
    lab.instance("app", "v", &["base"]);
    lab.permits.include_data = true;
    expect_all_went_well(&lab.apply().await);
    let calls = lab.world.calls();
    let before = |a: &str, b: &str| assert!(position(&calls, a) < position(&calls, b), "{a} {b}");
    before("create target/network/main", "create target/mount-target/door");
    before("create target/cluster/lab", "create target/namespace/lab");
    before("create base/objects/more", "create app/objects/main");

    let (_, report) = lab.destroy().await;
    expect_all_went_well(&report);
    let calls = lab.world.calls();
    let before = |a: &str, b: &str| assert!(position(&calls, a) < position(&calls, b), "{a} {b}");
    before("delete target/mount-target/door", "delete target/network/main");
    before("delete app/objects/main", "delete base/objects/more");
    before("delete base/claim/data", "delete target/namespace/lab");
    before("delete target/namespace/lab", "delete target/installation/lab");
    before("delete target/installation/lab", "delete target/cluster/lab");
    assert!(lab.world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_output_reaches_the_step_that_uses_it() {
    let mut lab = Lab::new();
    lab.storage("one");
    let shared = Value::Output { of: id("target/file-system/shared"), name: "id".to_owned() };
    lab.objects("app/objects/volume", &[shared], &["target/file-system/shared"]);
    let plan = lab.plan().await;
    assert!(plan::text(&plan, 80).contains("known after target/file-system/shared: id"));
    expect_all_went_well(&lab.apply().await);
    {
        let state = lab.world.state();
        let volume = &state.things[&id("app/objects/volume")];
        let uid = state.things[&id("target/file-system/shared")].uid;
        assert_eq!(volume.objects["volume-0"].0["data"]["value"], format!("shared-{uid}"));
    }
    lab.expect_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_left_unready_is_said_and_waited_for_again() {
    let mut lab = Lab::new();
    lab.instance("app", "v", &[]);
    lab.world.never_settles("app/objects/more");
    assert_eq!(lab.apply().await.failure_kind(), Some(FailureKind::NotReady));
    let plan = lab.plan().await;
    assert!(!plan.has_changes());
    let text = plan::text(&plan, 80);
    for words in ["1 of them not ready", "! app/objects/more", "Deployment x: 0 of 1 ready"] {
        assert!(text.contains(words), "{text}");
    }
    lab.world.calls();
    assert_eq!(lab.apply().await.failure_kind(), Some(FailureKind::NotReady));
    lab.world.settles("app/objects/more");
    expect_all_went_well(&lab.apply().await);
    assert_eq!(lab.world.calls(), Vec::<String>::new(), "only waited for");
    assert!(!plan::text(&lab.plan().await, 80).contains("not ready"));
}

#[tokio::test(start_paused = true)]
async fn what_is_made_asynchronously_is_ready_before_it_is_used() {
    let mut lab = Lab::new();
    lab.storage("one");
    for name in ["target/network/main", "target/file-system/shared", "target/mount-target/door"] {
        lab.world.settles_for(name, 5);
    }
    expect_all_went_well(&lab.apply().await);
    assert_eq!(lab.world.state().violations, Vec::<String>::new());
    let events = lab.events();
    assert!(events.iter().any(|event| matches!(event, Event::Progress { .. })), "{events:?}");
    lab.expect_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_step_skips_only_what_needs_it() {
    let mut lab = Lab::new();
    lab.instance("base", "v", &[]);
    lab.instance("app", "v", &["base"]);
    lab.instance("other", "v", &[]);
    lab.world.faults_of("base/objects/main", &[Fault::Refuse]);
    let report = lab.apply().await;
    let outcome = |text: &str| report.outcomes[&id(text)].clone();
    assert!(matches!(outcome("base/objects/main"), Outcome::Failed(_)));
    let skipped = Outcome::Skipped(SkipReason::NeedFailed(id("base/objects/main")));
    for name in ["base/objects/more", "base/health/installed", "app/objects/main"] {
        assert_eq!(outcome(name), skipped, "{name}");
    }
    assert_eq!(outcome("app/claim/data"), Outcome::Done);
    assert_eq!(outcome("other/health/installed"), Outcome::Done);
    assert_eq!(report.failure_kind(), Some(FailureKind::Partial));
    expect_all_went_well(&lab.apply().await);
}

#[tokio::test(start_paused = true)]
async fn with_fail_fast_nothing_begins_after_the_first_failure() {
    for others in [1, 16] {
        let mut lab = Lab::new();
        lab.instance("base", "v", &[]);
        lab.instance("other", "v", &[]);
        lab.instance("third", "v", &[]);
        lab.options.others = others;
        lab.options.fail_fast = true;
        lab.world.faults_of("base/objects/main", &[Fault::Refuse]);
        let report = lab.apply().await;
        let outcome = |text: &str| report.outcomes[&id(text)].clone();
        assert!(matches!(outcome("base/objects/main"), Outcome::Failed(_)));
        let needs = Outcome::Skipped(SkipReason::NeedFailed(id("base/objects/main")));
        assert_eq!(outcome("base/objects/more"), needs);
        // What needs nothing of it would have gone on.
        let cut = Outcome::Skipped(SkipReason::FailFast(id("base/objects/main")));
        for name in ["other/health/installed", "third/health/installed"] {
            assert_eq!(outcome(name), cut, "{name} with {others} at a time");
        }
        assert_eq!(report.failure_kind(), Some(FailureKind::Partial));
        for event in lab.events() {
            if let Event::Started { id, .. } = event {
                let ended = outcome(&id.to_string());
                assert!(!matches!(ended, Outcome::Skipped(_)), "{id}: what began ends");
            }
        }
        expect_all_went_well(&lab.apply().await);
        lab.expect_nothing_to_do().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_tried_again() {
    let mut lab = Lab::new();
    lab.storage("one");
    lab.world.faults_of("target/network/main", &[Fault::Throttle, Fault::Throttle]);
    expect_all_went_well(&lab.apply().await);
    let retries = |event: &&Event| matches!(event, Event::Retrying { .. });
    assert_eq!(lab.events().iter().filter(retries).count(), 2);
    lab.world.meddle("target/network/main", |thing| thing.fields["tags"] = "x".into());
    lab.world.faults_of("target/network/main", &[Fault::Throttle; 9]);
    assert_eq!(lab.apply().await.failure_kind(), Some(FailureKind::Partial), "not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_step_ends_after_as_many_tries_as_it_says_itself() {
    // Fewer than any other, and more.
    for most in [1, 2, 7] {
        for (faults, goes_well) in [(most - 1, true), (most, false)] {
            let mut lab = Lab::new();
            lab.objects("app/objects/main", &[Value::text("x")], &[]).patience.tries = Some(most);
            lab.world.faults_of("app/objects/main", &vec![Fault::Throttle; faults]);
            let report = lab.apply().await;
            let outcome = &report.outcomes[&id("app/objects/main")];
            assert_eq!(*outcome == Outcome::Done, goes_well, "{most}: {outcome:?}");
            let retries = |event: &&Event| matches!(event, Event::Retrying { .. });
            assert_eq!(lab.events().iter().filter(retries).count(), most - 1);
            if most > 1 && !goes_well {
                let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
                let says = failure.causes.last().unwrap();
                assert_eq!(says, &format!("tried {most} times"));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_provider_is_a_failed_step() {
    let mut lab = Lab::new();
    lab.instance("app", "v", &[]);
    lab.instance("other", "v", &[]);
    lab.world.faults_of("app/objects/main", &[Fault::Panic]);
    let report = lab.apply().await;
    let Outcome::Failed(failure) = &report.outcomes[&id("app/objects/main")] else { panic!() };
    assert_eq!((failure.kind, failure.causes[0].as_str()), (FailureKind::Bug, "a planted panic"));
    assert_eq!(report.outcomes[&id("other/health/installed")], Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn what_makes_progress_is_waited_for_and_what_stalls_is_not() {
    let mut lab = Lab::new();
    lab.instance("slow", "v", &[]);
    lab.instance("stuck", "v", &[]);
    lab.world.settles_for("slow/objects/main", 2000);
    lab.world.never_settles("stuck/objects/main");
    let begun = tokio::time::Instant::now();
    let report = lab.apply().await;
    assert_eq!(report.outcomes[&id("slow/health/installed")], Outcome::Done);
    let Outcome::Failed(failure) = &report.outcomes[&id("stuck/objects/main")] else { panic!() };
    assert_eq!(failure.kind, FailureKind::NotReady);
    assert_eq!(
        failure.causes,
        ["no progress for 5 min", "it waits for Deployment x: 0 of 1 ready"]
    );
    assert!(begun.elapsed() > Duration::from_mins(5), "progress outlives the stall time");
    assert!(begun.elapsed() < Duration::from_mins(10));
}

#[tokio::test(start_paused = true)]
async fn a_ceiling_ends_even_what_makes_progress() {
    let mut lab = Lab::new();
    lab.instance("slow", "v", &[]);
    lab.world.settles_for("slow/objects/main", 1_000_000);
    let report = lab.apply().await;
    let Outcome::Failed(failure) = &report.outcomes[&id("slow/objects/main")] else { panic!() };
    assert_eq!(failure.causes[0], "it took longer than 30 min");
}

#[tokio::test(start_paused = true)]
async fn a_failure_names_the_chain_of_causes_at_once() {
    let mut lab = Lab::new();
    lab.instance("app", "v", &[]);
    lab.world.fails_with("app/objects/main", &["Deployment x", "Pod x-1", "claim unbound"]);
    let begun = tokio::time::Instant::now();
    let report = lab.apply().await;
    let Outcome::Failed(failure) = &report.outcomes[&id("app/objects/main")] else { panic!() };
    assert_eq!(failure.causes, ["Deployment x", "Pod x-1", "claim unbound"]);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn steps_of_a_kind_are_bounded() {
    let mut lab = Lab::new();
    for at in 0..9 {
        let name = format!("a{at}/claim/data");
        lab.claim(&name);
        lab.world.takes(&name, Duration::from_secs(1));
    }
    lab.options.others = 3;
    let begun = tokio::time::Instant::now();
    expect_all_went_well(&lab.apply().await);
    assert_eq!(lab.world.state().busiest[&datamill::model::ResourceKind::Claim], 3);
    assert!(begun.elapsed() >= Duration::from_secs(3) && begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn the_first_interrupt_starts_nothing_new_and_a_rerun_goes_on() {
    let mut lab = Lab::new();
    lab.instance("app", "v", &[]);
    lab.world.takes("target/cluster/lab", Duration::from_mins(1));
    let lab = shared(lab);
    let plan = lab.plan().await;
    let (cancel, cancelled) = watch::channel(Cancel::No);
    let (_stop, stopped) = watch::channel(false);
    let (report, ()) = tokio::join!(lab.execute_until(&plan, cancelled, stopped), async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        cancel.send(Cancel::StartNothing).unwrap();
    });
    assert_eq!(report.outcomes[&id("target/cluster/lab")], Outcome::Done, "running ones end");
    let skipped = Outcome::Skipped(SkipReason::Interrupted);
    assert_eq!(report.outcomes[&id("app/objects/main")], skipped);
    assert_eq!(report.failure_kind(), Some(FailureKind::Interrupted));
    expect_all_went_well(&lab.apply().await);
}

#[tokio::test(start_paused = true)]
async fn the_second_interrupt_ends_waiting() {
    let mut lab = Lab::new();
    lab.claim("app/claim/data");
    lab.world.never_settles("app/claim/data");
    let plan = lab.plan().await;
    let (cancel, cancelled) = watch::channel(Cancel::No);
    let (stop, stopped) = watch::channel(false);
    let begun = tokio::time::Instant::now();
    let (report, ()) = tokio::join!(lab.execute_until(&plan, cancelled, stopped), async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        cancel.send(Cancel::Stop).unwrap();
        stop.send(true).unwrap();
    });
    assert!(begun.elapsed() < Duration::from_secs(11));
    assert_eq!(report.failure_kind(), Some(FailureKind::Interrupted));
}

#[tokio::test(start_paused = true)]
async fn a_stale_plan_touches_nothing() {
    let mut lab = Lab::new();
    lab.instance("app", "one", &[]);
    lab.apply().await;
    lab.instance("app", "two", &[]);
    let plan = lab.plan().await;
    lab.world.meddle("app/objects/main", |thing| {
        thing.objects.pop_first();
    });
    let before = lab.world.shape();
    lab.world.revive();
    let report = lab.execute(&plan).await;
    assert_eq!(report.failure_kind(), Some(FailureKind::Stale));
    assert_eq!(lab.world.shape(), before);
    expect_all_went_well(&lab.apply().await);
}

#[tokio::test(start_paused = true)]
async fn a_long_job_runs_on_and_what_needs_its_result_waits() {
    let mut lab = Lab::new();
    lab.job("train/job/main", JobReady::Started, &[]);
    lab.health("train/health/installed", &["train/job/main"]);
    lab.objects("serve/objects/main", &[Value::text("x")], &["train/health/installed"]);
    let report = lab.apply().await;
    assert_eq!(report.failure_kind(), None);
    assert_eq!(report.outcomes[&id("train/job/main")], Outcome::Started);
    let waiting = Outcome::Skipped(SkipReason::Waiting(id("train/job/main")));
    assert_eq!(report.outcomes[&id("serve/objects/main")], waiting);
    lab.expect_nothing_to_do().await;
    lab.world.meddle("train/job/main", |thing| thing.job_runs = false);
    expect_all_went_well(&lab.apply().await);
    lab.expect_nothing_to_do().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_cluster_is_started_and_the_rest_is_planned_then() {
    let mut lab = Lab::simulated();
    lab.instance("app", "v", &[]);
    lab.apply().await;
    lab.world.meddle("target/cluster/lab", |t| t.power = datamill::model::Power::Off);
    let plan = lab.plan().await;
    assert_eq!(verb(&plan, "target/cluster/lab"), "start");
    assert_eq!(verb(&plan, "app/objects/main"), "deferred");
    let report = lab.apply().await;
    assert_eq!(report.outcomes[&id("target/cluster/lab")], Outcome::Done);
    lab.expect_nothing_to_do().await;
    lab.world.meddle("target/cluster/lab", |t| t.power = datamill::model::Power::Off);
    let (_, report) = lab.destroy().await;
    expect_all_went_well(&report);
    assert!(lab.world.ids().is_empty(), "a destroy never needs it running");
}

#[tokio::test(start_paused = true)]
async fn blocked_steps_never_reach_a_provider() {
    let mut lab = Lab::new();
    lab.instance("app", "v", &[]);
    lab.apply().await;
    lab.world.calls();
    lab.world.meddle("app/objects/main", |t| t.owner = Owner::Other("team b".to_owned()));
    let plan = lab.plan().await;
    let blocked = plan.steps.iter().find(|s| matches!(s.action, Action::Blocked { .. })).unwrap();
    assert_eq!(blocked.id, id("app/objects/main"));
    assert_eq!(plan.blocked(), Some(FailureKind::Foreign));
    let report = lab.execute(&plan).await;
    assert_eq!(report.failure_kind(), Some(FailureKind::Foreign));
    assert_eq!(lab.world.calls(), Vec::<String>::new());
}
