//! Waiting until a thing is ready: as long as there is progress, up to a ceiling.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::step::{Hands, settled, unawaited};
use super::{Cancel, Event, Outcome, Run};
use crate::model::{
    Cause, Digest, Failure, FailureKind, Health, Outputs, Patience, Resource, ResourceId,
    ResourceKind, Why,
};
use crate::plan::Step;
use crate::provider::Provider;

/// Looks become rarer while nothing moves, up to this many times the first pause.
const RAREST: u32 = 8;

/// Polls the health of a step's resource until it is ready, fails, stalls, or has taken too long.
pub(super) async fn until_ready(
    step: &Step,
    provider: &dyn Provider,
    mut run: Run,
    outputs: &Outputs,
    hands: &Hands,
) -> Outcome {
    let Some(resource) = step.wanted.as_deref() else { return Outcome::Done };
    let mut known = step.found.as_ref().map(|f| f.outputs.clone()).unwrap_or_default();
    known.extend(outputs.clone());
    run.known.insert(step.id.clone(), known);
    let mut watch = Watch::new(resource.patience, resource.id.kind, hands);
    loop {
        let mut health = provider.health(&[resource], &run.known).await;
        match health.remove(&resource.id) {
            Some(Health::Started) if hands.options.wait_jobs => {
                watch.tell(resource, "the job runs", hands).await;
            }
            Some(health @ (Health::Ready | Health::Assumed(_) | Health::Started)) => {
                return settled(&health);
            }
            Some(Health::Settling(progress)) => {
                watch.tell(resource, &run.redactor.redact(&progress.waits_for), hands).await;
                if let Some(failure) = watch.out_of_patience(&resource.id, progress.mark) {
                    let why = why(resource, provider, &run).await;
                    return Outcome::Failed(watch.told(failure, why));
                }
            }
            Some(Health::Failed(causes)) => {
                let why = why(resource, provider, &run).await;
                return Outcome::Failed(not_ready(&resource.id, &causes, why));
            }
            None => {
                let what = format!("nobody could tell how `{}` is", resource.id);
                return Outcome::Failed(Failure::new(FailureKind::Bug, what));
            }
        }
        if cut_short_within(watch.pause, hands).await {
            return unawaited(&resource.id);
        }
    }
}

/// How long may be looked for causes.
const LOOK_FOR_CAUSES: Duration = Duration::from_secs(30);

/// Why it is not ready, as far as that can be found out soon; without secrets.
async fn why(resource: &Resource, provider: &dyn Provider, run: &Run) -> Why {
    let found = tokio::time::timeout(LOOK_FOR_CAUSES, provider.why(resource, &run.known)).await;
    let mut why = found.unwrap_or_default();
    for cause in &mut why.causes {
        cause.says = run.redactor.redact(&cause.says);
    }
    for text in why.hints.iter_mut().chain(&mut why.log) {
        *text = run.redactor.redact(text);
    }
    why
}

/// Sleeps; whether the run was cut short meanwhile. Waiting is no call whose end matters: the next run waits on.
async fn cut_short_within(pause: Duration, hands: &Hands) -> bool {
    let mut cancel = hands.cancel.clone();
    let cut = async {
        if cancel.wait_for(|cancel| *cancel != Cancel::No).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::time::timeout(pause, cut).await.is_ok()
}

/// What is remembered between two looks.
struct Watch {
    patience: Patience,
    begun: Instant,
    moved: Instant,
    /// Every state that was seen: who comes back to one has not moved.
    seen: BTreeSet<Digest>,
    said: String,
    first_pause: Duration,
    pause: Duration,
}

impl Watch {
    fn new(patience: Patience, kind: ResourceKind, hands: &Hands) -> Self {
        let now = Instant::now();
        // Waiting for a job that takes days is what was asked for.
        let endless = kind == ResourceKind::Job && hands.options.wait_jobs;
        let ceiling = if endless { None } else { patience.ceiling };
        Self {
            patience: Patience { ceiling, ..patience },
            begun: now,
            moved: now,
            seen: BTreeSet::new(),
            said: String::new(),
            first_pause: hands.options.poll,
            pause: hands.options.poll,
        }
    }

    /// Tells what is waited for, once per change.
    async fn tell(&mut self, resource: &Resource, says: &str, hands: &Hands) {
        if self.said != says {
            says.clone_into(&mut self.said);
            let (id, says) = (resource.id.clone(), says.to_owned());
            hands.say(Event::Progress { id, says }).await;
        }
    }

    /// Notes a sight; a failure when it has stalled or taken too long.
    fn out_of_patience(&mut self, id: &ResourceId, mark: Digest) -> Option<Failure> {
        let now = Instant::now();
        if self.seen.insert(mark) {
            self.moved = now;
            self.pause = self.first_pause;
        } else {
            self.pause = (self.pause * 3 / 2).min(self.first_pause * RAREST);
        }
        let late = |why: String| {
            Failure::new(FailureKind::NotReady, format!("`{id}` did not become ready")).because(why)
        };
        if now.duration_since(self.moved) >= self.patience.stall {
            return Some(late(format!("no progress for {}", words(self.patience.stall))));
        }
        let ceiling = self.patience.ceiling?;
        (now.duration_since(self.begun) >= ceiling)
            .then(|| late(format!("it took longer than {}", words(ceiling))))
    }

    /// The failure with what was found out; with what was waited for when that is nothing.
    fn told(&self, failure: Failure, why: Why) -> Failure {
        if why.causes.is_empty() {
            return failure.because(format!("it waits for {}", self.said));
        }
        why.told(failure)
    }
}

/// A failure with its chain of causes, from the nearest to the farthest.
fn not_ready(id: &ResourceId, causes: &[Cause], why: Why) -> Failure {
    let failure = Failure::new(FailureKind::NotReady, format!("`{id}` cannot become ready"));
    // What ended the waiting and is not part of the chain, such as a condition that must not hold, comes first.
    let told = |cause: &&Cause| {
        why.causes.iter().any(|found| found == *cause)
            || cause.object.is_some() && why.causes.iter().any(|found| found.object == cause.object)
    };
    let untold = causes.iter().filter(|cause| !told(cause));
    let failure = untold.map(Cause::to_string).fold(failure, Failure::because);
    why.told(failure)
}

/// A time in words: `5 min`, `90 s`.
fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 && seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}
