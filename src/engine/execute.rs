//! The run as a whole: which step may start, what became of it, and what that means for those that need it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::step::{self, Ended, Hands, Work};
use super::{Cancel, Event, Observer, Options, Outcome, Report, Run, SkipReason};
use crate::model::{Failure, FailureKind, Health, Known, Outputs, ResourceId, ResourceKind};
use crate::plan::{Action, Plan, Step};
use crate::provider::Providers;

/// Events that may wait for the observer; more make the steps wait.
const QUEUE: usize = 1024;

/// Carries out a plan. A step starts when its own needs are ready; a failure skips only what needs it. The first
/// [`Cancel`] starts nothing new; that running steps stop at once is said to them through [`Run::stop`].
pub async fn execute(
    plan: &Plan,
    providers: &Providers,
    run: &Run,
    observer: &dyn Observer,
    options: &Options,
    cancel: watch::Receiver<Cancel>,
) -> Report {
    let (tell, mut told) = mpsc::channel(QUEUE);
    let hands = Hands {
        options: options.clone(),
        releases: Arc::new(Semaphore::new(options.releases.max(1))),
        others: Arc::new(Semaphore::new(options.others.max(1))),
        tell,
        cancel: cancel.clone(),
        failed: Arc::default(),
    };
    let mut state = State::new(plan, providers, run, hands);
    observer.on_event(&Event::RunStarted { steps: state.work_ahead() });
    let mut cancel = cancel;
    let mut watching = true;
    loop {
        let now = *cancel.borrow();
        state.hear(now, observer);
        state.start_what_may(observer);
        if state.running.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some(event) = told.recv() => observer.on_event(&event),
            changed = cancel.changed(), if watching => watching = changed.is_ok(),
            Some(ended) = state.running.join_next_with_id() => {
                while let Ok(event) = told.try_recv() {
                    observer.on_event(&event);
                }
                state.ended(ended, observer);
            }
        }
    }
    state.report
}

struct State<'a> {
    providers: &'a Providers,
    run: &'a Run,
    hands: Hands,
    steps: &'a [Step],
    /// Which steps wait for one, by their places in the plan.
    users: BTreeMap<&'a ResourceId, Vec<usize>>,
    /// How many steps each still waits for.
    open: BTreeMap<usize, usize>,
    /// Steps that wait for nothing any more and are not begun.
    free: BTreeSet<usize>,
    /// Kept steps that must be looked at, since something that changes needs them.
    leaned_on: BTreeSet<&'a ResourceId>,
    /// Steps at or behind something that changed.
    touched: BTreeSet<&'a ResourceId>,
    /// Steps that are left alone and need, themselves or through others, what failed: which.
    cut_off: BTreeMap<&'a ResourceId, ResourceId>,
    running: JoinSet<Ended>,
    tasks: BTreeMap<tokio::task::Id, &'a Step>,
    report: Report,
}

impl<'a> State<'a> {
    fn new(plan: &'a Plan, providers: &'a Providers, run: &'a Run, hands: Hands) -> Self {
        let mut leaned_on = BTreeSet::new();
        let mut touched = BTreeSet::new();
        let mut users: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut open = BTreeMap::new();
        for (at, step) in plan.steps.iter().enumerate() {
            for after in &step.after {
                users.entry(after).or_default().push(at);
            }
            open.insert(at, step.after.len());
            let changes = makes(&step.action);
            if changes {
                leaned_on.extend(&step.after);
            }
            // What needs a step that was not to be done is not done either, through what is left alone.
            let stops = step.action.block().is_some();
            if changes || stops || step.after.iter().any(|after| touched.contains(after)) {
                touched.insert(&step.id);
            }
        }
        let mut report = Report { known: run.known.clone(), ..Report::default() };
        // What lives in a host is taken away through its outputs, before anything is done to the host itself.
        for step in plan.steps.iter().filter(|step| step.id.kind == ResourceKind::Cluster) {
            let made_anew = matches!(step.action, Action::Create | Action::Replace);
            if let Some(found) = step.found.as_ref().filter(|found| !found.outputs.is_empty())
                && !made_anew
            {
                report.known.insert(step.id.clone(), found.outputs.clone());
            }
        }
        Self {
            providers,
            run,
            hands,
            steps: &plan.steps,
            users,
            free: open.iter().filter(|(_, open)| **open == 0).map(|(at, _)| *at).collect(),
            open,
            leaned_on,
            touched,
            cut_off: BTreeMap::new(),
            running: JoinSet::new(),
            tasks: BTreeMap::new(),
            report,
        }
    }

    /// Takes it to heart that the run is to be cut short.
    fn hear(&mut self, cancel: Cancel, observer: &dyn Observer) {
        match cancel {
            Cancel::LockLost if self.report.lock_lost.is_none() => {
                self.report.lock_lost = Some("the lock of this target was lost".to_owned());
                observer.on_event(&Event::LockLost);
            }
            Cancel::StartNothing | Cancel::Stop if !self.report.interrupted => {
                self.report.interrupted = true;
                observer.on_event(&Event::Interrupted);
            }
            Cancel::No | Cancel::LockLost | Cancel::StartNothing | Cancel::Stop => {}
        }
    }

    /// How many steps change or wait for something.
    fn work_ahead(&self) -> usize {
        self.steps.iter().filter(|step| self.work(step).is_some()).count()
    }

    /// What there is to do for a step; nothing for one that is settled by being looked at.
    fn work(&self, step: &Step) -> Option<Work> {
        match &step.action {
            Action::Create | Action::Update | Action::Repair | Action::Replace | Action::Start => {
                Some(Work::Make)
            }
            Action::Adopt | Action::Mark { .. } => Some(Work::Mark),
            Action::Retain { .. } if step.saves_volume() => Some(Work::Mark),
            Action::Delete => Some(Work::Delete),
            Action::Keep | Action::Use => {
                let healthy = step.found.as_ref().is_some_and(|found| found.health.lets_go_on());
                let looks = step.id.kind.only_looks();
                let must_look = looks || self.leaned_on.contains(&step.id);
                let just_seen = healthy && !self.touched.contains(&step.id);
                let runs = step.found.as_ref().is_some_and(|found| found.health == Health::Started);
                let is_job = step.id.kind == ResourceKind::Job;
                let long_job = self.hands.options.wait_jobs && (is_job || runs);
                // What an earlier run left behind unready is waited for as if this one had made it.
                let unready = step.trouble().is_some();
                let again = must_look && !just_seen;
                (again || long_job || unready).then_some(Work::Look)
            }
            Action::Retain { .. }
            | Action::GoesWith { .. }
            | Action::Deferred { .. }
            | Action::Waiting { .. }
            | Action::Blocked { .. } => None,
        }
    }

    /// Starts or settles every step whose needs are settled, until nothing more follows from that.
    fn start_what_may(&mut self, observer: &dyn Observer) {
        while let Some(step) = self.free.pop_first().and_then(|at| self.steps.get(at)) {
            if let Some(outcome) = self.without_work(step) {
                self.settle(step, outcome, Duration::ZERO, observer);
            } else if let Some(reason) = self.hands.may_not_begin() {
                let outcome = Outcome::Skipped(reason);
                self.settle(step, outcome, Duration::ZERO, observer);
            } else {
                self.spawn(step, observer);
            }
        }
    }

    /// How a step ends that has nothing to do, or may not.
    fn without_work(&mut self, step: &'a Step) -> Option<Outcome> {
        let idle = self.work(step).is_none();
        let reason = step.after.iter().find_map(|after| self.reason_to_skip(after));
        match reason {
            Some(reason) if !(idle && step.action.leaves_alone()) => {
                return Some(Outcome::Skipped(reason));
            }
            // It stays as it is, and what needs it is not done past what failed.
            Some(SkipReason::NeedFailed(need))
                if matches!(step.action, Action::Keep | Action::Use) =>
            {
                self.cut_off.insert(&step.id, need);
            }
            Some(_) | None => {}
        }
        if !idle {
            return None;
        }
        Some(match &step.action {
            Action::Deferred { on } => Outcome::Skipped(SkipReason::Deferred(on.clone())),
            Action::Waiting { on } => Outcome::Skipped(SkipReason::Waiting(on.clone())),
            Action::Blocked { by } => Outcome::Failed(
                Failure::new(by.kind(), format!("cannot change `{}`", step.id)).because(by.says()),
            ),
            Action::Keep
            | Action::Use
            | Action::Retain { .. }
            | Action::GoesWith { .. }
            | Action::Create
            | Action::Update
            | Action::Repair
            | Action::Replace
            | Action::Adopt
            | Action::Mark { .. }
            | Action::Delete
            | Action::Start => {
                if let Some(found) = &step.found
                    && step.action.leaves_alone()
                {
                    self.report.known.insert(step.id.clone(), found.outputs.clone());
                }
                step.found.as_ref().map_or(Outcome::Done, |found| step::settled(&found.health))
            }
        })
    }

    /// Why what needs this one is not begun, if it is not: the step that failed first in a chain of skipped ones.
    fn reason_to_skip(&self, id: &ResourceId) -> Option<SkipReason> {
        match self.report.outcomes.get(id)? {
            Outcome::Skipped(reason) => Some(reason.clone()),
            // It did not fail: the run was cut short while it was waited for.
            Outcome::Failed(failure) if failure.kind == FailureKind::Interrupted => {
                Some(self.hands.cut_short().unwrap_or(SkipReason::Interrupted))
            }
            Outcome::Failed(_) => Some(SkipReason::NeedFailed(id.clone())),
            Outcome::Done | Outcome::Assumed(_) | Outcome::Started => {
                self.cut_off.get(id).cloned().map(SkipReason::NeedFailed)
            }
        }
    }

    fn spawn(&mut self, step: &'a Step, observer: &dyn Observer) {
        let Some(work) = self.work(step) else { return };
        let Some(provider) = self.providers.of(step.id.kind.family()).cloned() else {
            let hint = format!("no provider drives `{}`", step.id);
            let outcome = Outcome::Failed(Failure::new(FailureKind::Bug, hint));
            self.settle(step, outcome, Duration::ZERO, observer);
            return;
        };
        let run = Run { known: self.report.known.clone(), ..self.run.clone() };
        let task = step::carry_out(work, Arc::new(step.clone()), provider, run, self.hands.clone());
        let handle = self.running.spawn(task);
        self.tasks.insert(handle.id(), step);
    }

    fn ended(
        &mut self,
        ended: Result<(tokio::task::Id, Ended), JoinError>,
        observer: &dyn Observer,
    ) {
        let (task, ended) = match ended {
            Ok((task, ended)) => (task, ended),
            Err(error) => {
                let task = error.id();
                let what = self.tasks.get(&task).map(|step| step.id.to_string());
                (task, broken(&what.unwrap_or_default(), error))
            }
        };
        let Some(step) = self.tasks.remove(&task) else { return };
        let mut outputs = step.found.as_ref().map(|f| f.outputs.clone()).unwrap_or_default();
        outputs.extend(ended.outputs);
        let goes_on =
            matches!(ended.outcome, Outcome::Done | Outcome::Assumed(_) | Outcome::Started);
        if goes_on && step.action != Action::Delete {
            self.report.known.insert(step.id.clone(), outputs);
        }
        self.settle(step, ended.outcome, ended.took, observer);
    }

    fn settle(&mut self, step: &Step, outcome: Outcome, took: Duration, observer: &dyn Observer) {
        self.report.outcomes.insert(step.id.clone(), outcome.clone());
        self.hands.note(&step.id, &outcome);
        for user in self.users.get(&step.id).into_iter().flatten() {
            if let Some(open) = self.open.get_mut(user) {
                *open = open.saturating_sub(1);
                if *open == 0 {
                    self.free.insert(*user);
                }
            }
        }
        let quiet = outcome == Outcome::Done && self.work(step).is_none();
        if !quiet {
            let (id, action) = (step.id.clone(), step.action.clone());
            observer.on_event(&Event::Finished { id, action, outcome, took });
        }
    }
}

/// Whether an action makes something, so that its needs must be healthy.
fn makes(action: &Action) -> bool {
    matches!(
        action,
        Action::Create
            | Action::Update
            | Action::Repair
            | Action::Replace
            | Action::Adopt
            | Action::Start
    )
}

/// A task that did not come to its end.
fn broken(what: &str, error: JoinError) -> Ended {
    let says = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "without a message".to_owned()),
        Err(error) => error.to_string(),
    };
    let failure =
        Failure::new(FailureKind::Bug, format!("datamill broke while it worked on `{what}`"))
            .because(says)
            .hint(
                "report this with the command that led to it; a rerun goes on where this one ended",
            );
    Ended { outcome: Outcome::Failed(failure), outputs: Outputs::new(), took: Duration::ZERO }
}

impl Action {
    /// Whether nothing is done and nothing is waited for: such a step is never skipped.
    fn leaves_alone(&self) -> bool {
        matches!(self, Self::Keep | Self::Use | Self::Retain { .. } | Self::Blocked { .. })
    }
}

impl Report {
    /// The worst that happened, as the kind that decides the exit code; nothing when all went well.
    pub fn failure_kind(&self) -> Option<FailureKind> {
        let failed = self.outcomes.values().filter_map(|outcome| match outcome {
            // Nobody interrupted it, and a cluster that does not answer is how a lock is lost.
            Outcome::Failed(failure)
                if matches!(failure.kind, FailureKind::Interrupted | FailureKind::Preflight)
                    && self.lock_lost.is_some() =>
            {
                Some(FailureKind::Partial)
            }
            Outcome::Failed(failure) => Some(failure.kind),
            Outcome::Skipped(SkipReason::Deferred(_)) => Some(FailureKind::Stale),
            Outcome::Done
            | Outcome::Assumed(_)
            | Outcome::Started
            | Outcome::Skipped(
                SkipReason::NeedFailed(_)
                | SkipReason::Interrupted
                | SkipReason::LockLost
                | SkipReason::FailFast(_)
                | SkipReason::Waiting(_),
            ) => None,
        });
        let interrupted = self.interrupted.then_some(FailureKind::Interrupted);
        let lost = self.lock_lost.as_ref().map(|_| FailureKind::Partial);
        failed.chain(interrupted).chain(lost).min_by_key(|kind| kind.rank())
    }

    /// Outputs of all that is ready.
    pub fn known(&self) -> &Known {
        &self.known
    }
}
