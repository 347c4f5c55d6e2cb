//! The lock of a target: whoever asks, whatever their clocks say and whenever they die, one works at a time.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datamill::model::{FailureKind, RunId, Runner};
use datamill::provider::kubernetes::lease::{
    Claim, Clock, Keeper, Lease, Refused, Slot, Taken, Terms, take,
};
use proptest::prelude::*;
use tokio::sync::watch;
use tokio::time::Instant;

use super::laws::{cases, paused};
use crate::support::lab::{Lab, expect_all_went_well};
use crate::support::slot::{Reach, Shelf};

const TERM: Duration = Duration::from_mins(1);
const TERMS: Terms = Terms { term: TERM };

fn runner(name: &str) -> Runner {
    Runner {
        who: format!("ann@{name}"),
        run: RunId(format!("{name}.7.1.x")),
        command: "apply".to_owned(),
    }
}

/// A clock that is off by some seconds, and goes on with the test's time.
fn clock(off: i64) -> Clock {
    let begun = Instant::now();
    Arc::new(move || {
        Duration::from_secs(2_000_000_000).saturating_add_signed(off) + begun.elapsed()
    })
}

trait Signed {
    fn saturating_add_signed(self, seconds: i64) -> Self;
}

impl Signed for Duration {
    fn saturating_add_signed(self, seconds: i64) -> Self {
        let by = Self::from_secs(seconds.unsigned_abs());
        if seconds < 0 { self.saturating_sub(by) } else { self + by }
    }
}

async fn ask(reach: &Arc<Reach>, runner: &Runner, clock: &Clock) -> Result<Taken, Refused> {
    let slot: Arc<dyn Slot> = Arc::<Reach>::clone(reach);
    let (_keep, give_up) = watch::channel(false);
    let (dead, says) = (|_: &Runner| false, |_: String| ());
    let clock = Arc::clone(clock);
    take(&slot, Claim { runner, terms: TERMS, clock, dead: &dead, says: &says, give_up }).await
}

fn keep(
    reach: &Arc<Reach>,
    taken: Taken,
    clock: &Clock,
) -> (Keeper, watch::Receiver<Option<String>>) {
    let (lost, why) = watch::channel(None);
    let slot: Arc<dyn Slot> = Arc::<Reach>::clone(reach);
    (Keeper::start(slot, taken, TERMS, Arc::clone(clock), lost), why)
}

fn left_by(name: &str, renewed: Duration) -> Lease {
    Lease {
        holder: Some(runner(name)),
        term: TERM,
        acquired: Some(renewed),
        renewed: Some(renewed),
        transitions: 0,
        version: (String::new(), String::new()),
    }
}

/// What somebody does with the lock.
#[derive(Debug, Clone)]
struct Life {
    /// How far its clock is off, in seconds.
    clock: i64,
    /// How long a request takes each way.
    way: u64,
    /// When it comes.
    comes: u64,
    /// How long it works.
    works: u64,
    end: End,
}

#[derive(Debug, Clone, Copy)]
enum End {
    /// It gives the lock back.
    Well,
    /// It dies with the lock.
    Dies,
    /// It is cut off from the cluster in mid-work.
    CutOff,
}

fn lives() -> impl Strategy<Value = Life> {
    let end = prop_oneof![Just(End::Well), Just(End::Dies), Just(End::CutOff)];
    (-100_000..100_000_i64, 0..3_000_u64, 0..300_u64, 1..400_u64, end)
        .prop_map(|(clock, way, comes, works, end)| Life { clock, way, comes, works, end })
}

/// Who believes to hold the lock.
type Believers = Arc<Mutex<Vec<usize>>>;

async fn live(life: Life, name: usize, shelf: Arc<Shelf>, believers: Believers) -> bool {
    let clock = clock(life.clock);
    let reach = Reach::new(&shelf, Duration::from_millis(life.way));
    tokio::time::sleep(Duration::from_secs(life.comes)).await;
    let runner = runner(&format!("m{name}"));
    for _ in 0..200 {
        let Ok(taken) = ask(&reach, &runner, &clock).await else {
            tokio::time::sleep(Duration::from_secs(7)).await;
            continue;
        };
        work(&life, name, &reach, keep(&reach, taken, &clock), &believers).await;
        return true;
    }
    false
}

/// Works with the lock, and believes to be alone.
async fn work(
    life: &Life,
    name: usize,
    reach: &Reach,
    (keeper, mut lost): (Keeper, watch::Receiver<Option<String>>),
    believers: &Believers,
) {
    let with_us = {
        let mut believers = believers.lock().unwrap();
        believers.push(name);
        believers.clone()
    };
    assert_eq!(with_us, [name], "two at once");
    let half = Duration::from_secs(life.works) / 2;
    let work = async {
        tokio::time::sleep(half).await;
        reach.cut.store(matches!(life.end, End::CutOff), Ordering::SeqCst);
        tokio::time::sleep(half).await;
    };
    let is_lost = tokio::select! {
        () = work => false,
        _ = lost.wait_for(Option::is_some) => true,
    };
    let with_us = std::mem::take(&mut *believers.lock().unwrap());
    assert_eq!(with_us, [name], "two at once, at the end");
    assert!(!is_lost || matches!(life.end, End::CutOff), "lost: {:?}", lost.borrow());
    if matches!(life.end, End::Well) {
        // An answer that takes too long is not waited for: the lock runs out by itself.
        keeper.release().await.ok();
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn one_works_at_a_time_and_everybody_gets_a_turn(all in proptest::collection::vec(lives(), 1..5)) {
        paused(async {
            let shelf = Arc::new(Shelf::default());
            let believers = Believers::default();
            let lives = all.iter().cloned().enumerate().map(|(name, life)| {
                live(life, name, Arc::clone(&shelf), Arc::clone(&believers))
            });
            let turns = futures::future::join_all(lives).await;
            assert!(turns.iter().all(|turn| *turn), "{turns:?}");
        });
    }

    #[test]
    fn a_dead_holder_is_followed_after_two_terms_whatever_its_clock_said(off in -100_000..100_000_i64) {
        paused(async {
            let shelf = Arc::new(Shelf::default());
            let ours = clock(0);
            shelf.put(Some(left_by("dead", clock(off)())));
            let reach = Reach::new(&shelf, Duration::from_millis(5));
            let begun = Instant::now();
            let taken = loop {
                match ask(&reach, &runner("next"), &ours).await {
                    Ok(taken) => break taken,
                    Err(refused) => assert!(matches!(refused, Refused::Held(_)), "{refused:?}"),
                }
                tokio::time::sleep(Duration::from_secs(5)).await;
            };
            assert!(begun.elapsed() >= TERM, "it was watched");
            assert!(begun.elapsed() <= TERM * 3 + Duration::from_secs(30), "{:?}", begun.elapsed());
            assert_eq!(taken.from.unwrap().holder, Some(runner("dead")));
            assert_eq!(taken.lease.transitions, 1);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_runs_started_together_one_is_refused_and_the_world_is_as_after_one() {
    let alone = {
        let mut lab = Lab::new();
        lab.instance("app", "v", &[]);
        lab.apply().await;
        lab.world.shape()
    };
    let mut lab = Lab::new();
    lab.instance("app", "v", &[]);
    lab.world.takes("app/objects/main", Duration::from_mins(5));
    let shelf = Arc::new(Shelf::default());
    let run = |name: &'static str| {
        let reach = Reach::new(&shelf, Duration::from_millis(5));
        let lab = &lab;
        async move {
            let clock = clock(0);
            let taken = match ask(&reach, &runner(name), &clock).await {
                Ok(taken) => taken,
                Err(Refused::Held(_)) => return Some(FailureKind::Locked),
                Err(other) => panic!("{other:?}"),
            };
            let (keeper, lost) = keep(&reach, taken, &clock);
            let report = lab.apply().await;
            expect_all_went_well(&report);
            assert_eq!(*lost.borrow(), None, "it was renewed for five minutes");
            keeper.release().await.unwrap();
            None
        }
    };
    let mut ends = [None, None];
    (ends[0], ends[1]) = tokio::join!(run("one"), run("two"));
    ends.sort_unstable();
    assert_eq!(ends, [None, Some(FailureKind::Locked)]);
    assert_eq!(lab.world.shape(), alone);
    assert_eq!(lab.world.state().violations, Vec::<String>::new());
    assert_eq!(shelf.lease(), None, "nothing is left of the lock");
}

#[tokio::test(start_paused = true)]
async fn what_others_do_to_a_lock_is_noticed() {
    let shelf = Arc::new(Shelf::default());
    let reach = Reach::new(&shelf, Duration::from_millis(5));
    let clock = clock(0);
    let hold = async || {
        let taken = ask(&reach, &runner("one"), &clock).await.unwrap();
        keep(&reach, taken, &clock)
    };
    let why = async |mut lost: watch::Receiver<Option<String>>| {
        lost.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    };
    // Somebody writes an annotation: it is ours still, and goes when we let go.
    let (keeper, lost) = hold().await;
    shelf.put(shelf.lease());
    tokio::time::sleep(TERM * 5).await;
    assert_eq!(*lost.borrow(), None);
    shelf.put(shelf.lease());
    keeper.release().await.unwrap();
    assert_eq!(shelf.lease(), None);
    // Somebody removes it, or takes it.
    let (keeper, lost) = hold().await;
    shelf.put(None);
    assert_eq!(why(lost).await, "the lock was removed");
    assert!(keeper.confirm().await.is_err());
    let (keeper, lost) = hold().await;
    shelf.put(Some(left_by("two", clock())));
    assert!(why(lost).await.contains("ann@two"));
    keeper.release().await.unwrap();
    assert_eq!(shelf.lease().unwrap().holder, Some(runner("two")), "another's stays");
}

#[tokio::test(start_paused = true)]
async fn after_the_machine_slept_the_lock_is_looked_at_before_anything_is_written() {
    let shelf = Arc::new(Shelf::default());
    let reach = Reach::new(&shelf, Duration::from_millis(5));
    let slept = Arc::new(Mutex::new(Duration::ZERO));
    let ours: Clock = {
        let (clock, slept) = (clock(0), Arc::clone(&slept));
        Arc::new(move || clock() + *slept.lock().unwrap())
    };
    let taken = ask(&reach, &runner("one"), &ours).await.unwrap();
    let (keeper, _lost) = keep(&reach, taken, &ours);
    // Only the wall clock knows of the sleep. Nobody came meanwhile: it is renewed at once.
    *slept.lock().unwrap() = Duration::from_hours(1);
    let before = shelf.lease().unwrap().renewed;
    keeper.confirm().await.unwrap();
    assert!(shelf.lease().unwrap().renewed > before);
    // Somebody came.
    *slept.lock().unwrap() = Duration::from_hours(2);
    shelf.put(Some(left_by("two", clock(0)())));
    assert!(keeper.confirm().await.unwrap_err().contains("ann@two"));
}
