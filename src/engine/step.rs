//! One step: tried, tried again when the error may pass, then waited for. The only place that retries.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::wait;
use super::{Cancel, Event, Options, Outcome, Run, SkipReason};
use crate::model::{Failure, FailureKind, Health, Outputs, ResourceId, ResourceKind};
use crate::plan::Step;
use crate::provider::{Provider, ProviderError, RunContext};

/// What a task hands back: how its step ended, what it gives to others, how long it took.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) outputs: Outputs,
    pub(super) took: Duration,
}

/// What there is to do for a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Write, then wait until it is ready.
    Make,
    /// Take away.
    Delete,
    /// Change what is written on it.
    Mark,
    /// Wait until it is ready.
    Look,
}

/// What steps share.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) options: Options,
    pub(super) releases: Arc<Semaphore>,
    pub(super) others: Arc<Semaphore>,
    pub(super) tell: mpsc::Sender<Event>,
    pub(super) cancel: watch::Receiver<Cancel>,
    /// The step that failed first.
    pub(super) failed: Arc<OnceLock<ResourceId>>,
}

impl Hands {
    /// Tells the observer; a run that ended meanwhile no longer listens.
    pub(super) async fn say(&self, event: Event) {
        if self.tell.send(event).await.is_err() {
            tracing::debug!("nobody listens any more");
        }
    }

    /// Why nothing new is started, if nothing is.
    pub(super) fn cut_short(&self) -> Option<SkipReason> {
        match *self.cancel.borrow() {
            Cancel::No => None,
            Cancel::LockLost => Some(SkipReason::LockLost),
            Cancel::StartNothing | Cancel::Stop => Some(SkipReason::Interrupted),
        }
    }

    /// Why this step may not begin, if it may not.
    pub(super) fn may_not_begin(&self) -> Option<SkipReason> {
        let failed = || self.failed.get().filter(|_| self.options.fail_fast).cloned();
        self.cut_short().or_else(|| failed().map(SkipReason::FailFast))
    }

    /// Takes note of how a step ended, before another one may begin in its place.
    pub(super) fn note(&self, id: &ResourceId, outcome: &Outcome) {
        if matches!(outcome, Outcome::Failed(_)) {
            self.failed.get_or_init(|| id.clone());
        }
    }

    fn limit(&self, kind: ResourceKind) -> Arc<Semaphore> {
        let limit = if kind == ResourceKind::Release { &self.releases } else { &self.others };
        Arc::clone(limit)
    }
}

/// How a thing that was looked at and left alone ends.
pub(super) fn settled(health: &Health) -> Outcome {
    match health {
        Health::Assumed(what) => Outcome::Assumed(what.clone()),
        Health::Started => Outcome::Started,
        Health::Ready | Health::Settling(_) | Health::Failed(_) => Outcome::Done,
    }
}

/// Carries out one step to its end.
pub(super) async fn carry_out(
    work: Work,
    step: Arc<Step>,
    provider: Arc<dyn Provider>,
    run: Run,
    hands: Hands,
) -> Ended {
    let limit = hands.limit(step.id.kind);
    // Only calls count against the limit: what is waited for costs next to nothing.
    let permit = match work {
        Work::Make | Work::Delete | Work::Mark => limit.acquire_owned().await.ok(),
        Work::Look => None,
    };
    let begun = Instant::now();
    let ended = |outcome, outputs| {
        hands.note(&step.id, &outcome);
        Ended { outcome, outputs, took: begun.elapsed() }
    };
    if let Some(reason) = hands.may_not_begin() {
        return ended(Outcome::Skipped(reason), Outputs::new());
    }
    hands.say(Event::Started { id: step.id.clone(), action: step.action.clone() }).await;
    let mut outputs = Outputs::new();
    if work != Work::Look {
        match try_until_done(&step, provider.as_ref(), &run, &hands).await {
            Ok(made) => outputs = made,
            Err(outcome) => return ended(outcome, Outputs::new()),
        }
    }
    drop(permit);
    if matches!(work, Work::Delete | Work::Mark) {
        return ended(Outcome::Done, outputs);
    }
    let outcome = wait::until_ready(&step, provider.as_ref(), run, &outputs, &hands).await;
    ended(outcome, outputs)
}

/// The first pause before another try; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

async fn try_until_done(
    step: &Step,
    provider: &dyn Provider,
    run: &Run,
    hands: &Hands,
) -> Result<Outputs, Outcome> {
    let context = context(&step.id, run, hands);
    let mut pause = PAUSE;
    let mut tries = 1;
    let own = step.wanted.as_ref().and_then(|wanted| wanted.patience.tries);
    let most = own.unwrap_or(hands.options.tries);
    loop {
        let (failure, after) = match call(step, provider, run, &context, hands).await? {
            Ok(outputs) => return Ok(outputs),
            Err(ProviderError::Permanent { failure }) => return Err(Outcome::Failed(failure)),
            Err(ProviderError::Transient { failure, after }) => (failure, after),
        };
        if tries >= most || hands.cut_short().is_some() {
            return Err(Outcome::Failed(if tries > 1 {
                failure.because(format!("tried {tries} times"))
            } else {
                failure
            }));
        }
        let wait = after.unwrap_or_default().max(pause);
        let because = run.redactor.redact(&failure.to_string());
        hands.say(Event::Retrying { id: step.id.clone(), because, after: wait }).await;
        if interrupted_within(wait, hands).await {
            return Err(Outcome::Failed(failure));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        tries += 1;
    }
}

/// One call, with the journal told before and after it. What only looks writes nothing, hence is not noted.
async fn call(
    step: &Step,
    provider: &dyn Provider,
    run: &Run,
    context: &RunContext,
    hands: &Hands,
) -> Result<Result<Outputs, ProviderError>, Outcome> {
    if step.id.kind.only_looks() {
        return Ok(provider.apply(step, context).await);
    }
    let noted = run.journal.intent(step, context).await;
    // Noting takes a while, in which the run may have been cut short; a note without a call does no harm.
    let cut_short = hands.cut_short();
    if let Err(failure) = noted {
        return Err(cut_short.map_or(Outcome::Failed(failure), Outcome::Skipped));
    }
    if let Some(reason) = cut_short {
        let not_made = Failure::new(FailureKind::Interrupted, "the call was not made");
        run.journal.result(step, Some(&not_made)).await;
        return Err(Outcome::Skipped(reason));
    }
    let answer = provider.apply(step, context).await;
    run.journal.result(step, answer.as_ref().err().map(ProviderError::failure)).await;
    Ok(answer)
}

/// Sleeps; whether the run was interrupted meanwhile.
async fn interrupted_within(pause: Duration, hands: &Hands) -> bool {
    let mut cancel = hands.cancel.clone();
    let interrupted = async {
        if cancel.wait_for(|cancel| *cancel != Cancel::No).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::time::timeout(pause, interrupted).await.is_ok()
}

fn context(id: &ResourceId, run: &Run, hands: &Hands) -> RunContext {
    let (id, tell, redactor) = (id.clone(), hands.tell.clone(), run.redactor.clone());
    RunContext {
        identity: run.identity.clone(),
        known: run.known.clone(),
        progress: Arc::new(move |says| {
            let says = redactor.redact(&says);
            // A full queue means that the screen is behind; this line is then not missed.
            if tell.try_send(Event::Progress { id: id.clone(), says }).is_err() {
                tracing::trace!("progress of `{id}` left out");
            }
        }),
        stop: run.stop.clone(),
        redactor: run.redactor.clone(),
    }
}

/// The end of a step that was written and is no longer waited for, since the run is cut short.
pub(super) fn unawaited(id: &ResourceId) -> Outcome {
    Outcome::Failed(
        Failure::new(FailureKind::Interrupted, format!("stopped while `{id}` was on its way"))
            .hint("the same command goes on from here"),
    )
}
