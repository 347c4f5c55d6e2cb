//! The journal: nothing is done that it does not know of, and nothing depends on it.

use std::sync::{Arc, Mutex};

use datamill::engine::{Cancel, Journal, Outcome, SkipReason};
use datamill::model::{Failure, FailureKind, JournalLine, RunId, RunRecord, Runner};
use datamill::plan::Step;
use datamill::provider::RunContext;
use futures::future::BoxFuture;
use proptest::prelude::*;
use tokio::sync::watch;

use super::laws::{Flavour, all, cases, effects, flavours, paused};
use crate::support::lab::{Lab, expect_all_went_well, id};
use crate::support::world::{FakeWorld, Fault};

/// A journal that dies with its world, and has room for so many calls.
struct Paper {
    world: FakeWorld,
    text: Mutex<String>,
    room: usize,
}

impl Paper {
    fn new(world: &FakeWorld, room: usize) -> Arc<Self> {
        let paper = Self { world: world.clone(), text: Mutex::default(), room };
        let by = Runner {
            who: "ann@laptop".to_owned(),
            run: RunId("run".to_owned()),
            command: "apply".to_owned(),
        };
        paper.write(&JournalLine::Begun { by, flavour: "lab".to_owned(), at: 1 });
        Arc::new(paper)
    }

    fn write(&self, line: &JournalLine) {
        let line = serde_json::to_string(line).unwrap() + "\n";
        self.text.lock().unwrap().push_str(&line);
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    fn record(&self) -> RunRecord {
        RunRecord::read(&self.text()).unwrap()
    }
}

impl Journal for Paper {
    fn intent<'a>(
        &'a self,
        step: &'a Step,
        _: &'a RunContext,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let noted = self.text().matches("\"intent\"").count();
            if self.world.state().dead() || noted >= self.room {
                return Err(Failure::new(FailureKind::Partial, "the disk is full"));
            }
            let action = step.action.verb().to_owned();
            self.write(&JournalLine::Intent { id: step.id.clone(), action, at: 2 });
            Ok(())
        })
    }

    fn result<'a>(&'a self, step: &'a Step, failed: Option<&'a Failure>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.world.state().dead() {
                let failed = failed.map(ToString::to_string);
                self.write(&JournalLine::Result { id: step.id.clone(), failed, at: 3 });
            }
        })
    }
}

/// A run with a journal that is killed at an effect.
async fn killed_at(effect: usize, flavour: &Flavour) -> (Lab, RunRecord, String) {
    let mut lab = Lab::new();
    flavour.ask(&mut lab);
    let paper = Paper::new(&lab.world, usize::MAX);
    lab.journal = Arc::<Paper>::clone(&paper);
    let plan = lab.plan().await;
    lab.world.fault_at(effect, Fault::Kill);
    lab.execute(&plan).await;
    (lab, paper.record(), paper.text())
}

#[test]
fn killed_at_every_effect_the_journal_names_what_is_half_done() {
    for effect in 0..effects(&all()) {
        paused(async {
            let (lab, record, text) = killed_at(effect, &all()).await;
            assert!(!record.open.is_empty(), "killed at effect {effect}: {text}");
            for (id, thing) in &lab.world.state().things {
                let whole = thing.applied.is_some();
                assert!(whole || record.open.contains_key(id), "{id} at effect {effect}");
            }
            for call in &lab.world.state().calls {
                let (_, id) = call.split_once(' ').unwrap();
                assert!(text.contains(&format!("\"intent\":{{\"id\":\"{id}\"")), "{call}: {text}");
            }
            expect_all_went_well(&lab.apply().await);
            lab.expect_nothing_to_do().await;
        });
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn with_the_journal_whole_torn_or_lost_a_rerun_makes_the_same_world(
        flavour in flavours(), effect in 0..40_usize, cut in 0..4_000_usize,
    ) {
        let whole = paused(async {
            let mut lab = Lab::new();
            flavour.ask(&mut lab);
            lab.apply().await;
            lab.world.shape()
        });
        paused(async {
            let (mut lab, _, text) = killed_at(effect, &flavour).await;
            // What is left of it can be read as soon as the first line is whole.
            let torn: String = text.chars().take(cut).collect();
            assert!(!torn.contains('\n') || RunRecord::read(&torn).is_some(), "{torn}");
            lab.journal = Paper::new(&lab.world, usize::MAX);
            expect_all_went_well(&lab.apply().await);
            assert_eq!(lab.world.shape(), whole);
            lab.expect_nothing_to_do().await;
        });
    }

    #[test]
    fn what_cannot_be_written_down_is_not_done(flavour in flavours(), room in 0..12_usize) {
        paused(async {
            let mut lab = Lab::new();
            flavour.ask(&mut lab);
            lab.journal = Paper::new(&lab.world, room);
            let plan = lab.plan().await;
            lab.world.calls();
            let report = lab.execute(&plan).await;
            let looks = |call: &&String| {
                ["/health/", "/wait/"].iter().any(|kind| call.contains(kind))
            };
            let writes = lab.world.calls().iter().filter(|call| !looks(call)).count();
            assert!(writes <= room, "{writes} calls, room for {room}");
            assert!(writes == room || report.failure_kind().is_none());
            expect_all_went_well(&{ lab.journal = Paper::new(&lab.world, usize::MAX); lab.apply().await });
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_lock_lets_the_call_end_and_starts_nothing_new() {
    let mut lab = Lab::new();
    lab.instance("app", "v", &[]);
    lab.world.takes("target/cluster/lab", std::time::Duration::from_mins(1));
    let plan = lab.plan().await;
    let (cancel, cancelled) = watch::channel(Cancel::No);
    let (_stop, stopped) = watch::channel(false);
    let (report, ()) = tokio::join!(lab.execute_until(&plan, cancelled, stopped), async {
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        cancel.send(Cancel::LockLost).unwrap();
    });
    assert!(lab.world.ids().contains(&id("target/cluster/lab")), "the call came to its end");
    let skipped = Outcome::Skipped(SkipReason::LockLost);
    assert_eq!(report.outcomes[&id("app/objects/main")], skipped);
    assert!(report.lock_lost.is_some() && !report.interrupted);
    assert_eq!(report.failure_kind(), Some(FailureKind::Partial));
    expect_all_went_well(&lab.apply().await);
}

#[tokio::test(start_paused = true)]
async fn the_first_interrupt_ends_waiting_though_no_call() {
    let mut lab = Lab::new();
    lab.claim("app/claim/data");
    lab.world.never_settles("app/claim/data");
    let paper = Paper::new(&lab.world, usize::MAX);
    lab.journal = Arc::<Paper>::clone(&paper);
    let plan = lab.plan().await;
    let (cancel, cancelled) = watch::channel(Cancel::No);
    let (_stop, stopped) = watch::channel(false);
    let begun = tokio::time::Instant::now();
    let (report, ()) = tokio::join!(lab.execute_until(&plan, cancelled, stopped), async {
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        cancel.send(Cancel::StartNothing).unwrap();
    });
    assert!(begun.elapsed() < std::time::Duration::from_secs(11));
    assert_eq!(report.failure_kind(), Some(FailureKind::Interrupted));
    assert!(paper.record().open.is_empty(), "every call came back");
}
