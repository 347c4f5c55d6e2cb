//! Waiting until a thing is ready: as long as there is progress, up to a ceiling.

use std::time::Duration;

use tokio::time::Instant;

use super::step::{Hands, settled, unawaited};
use super::{Cancel, Event, Outcome, Run};
use crate::model::{
    Cause, Digest, Failure, FailureKind, Health, Outputs, Patience, Resource, ResourceId,
    ResourceKind,
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
                    return Outcome::Failed(failure);
                }
            }
            Some(Health::Failed(causes)) => {
                return Outcome::Failed(not_ready(&resource.id, &causes));
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
    mark: Option<Digest>,
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
            mark: None,
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
        if self.mark.as_ref() == Some(&mark) {
            self.pause = (self.pause * 3 / 2).min(self.first_pause * RAREST);
        } else {
            self.mark = Some(mark);
            self.moved = now;
            self.pause = self.first_pause;
        }
        let late = |why: String| {
            Failure::new(FailureKind::NotReady, format!("`{id}` did not become ready"))
                .because(why)
                .because(format!("it waits for {}", self.said))
        };
        if now.duration_since(self.moved) >= self.patience.stall {
            return Some(late(format!("no progress for {}", words(self.patience.stall))));
        }
        let ceiling = self.patience.ceiling?;
        (now.duration_since(self.begun) >= ceiling)
            .then(|| late(format!("it took longer than {}", words(ceiling))))
    }
}

/// A failure with its chain of causes, from the nearest to the farthest.
fn not_ready(id: &ResourceId, causes: &[Cause]) -> Failure {
    let failure = Failure::new(FailureKind::NotReady, format!("`{id}` cannot become ready"));
    causes.iter().fold(failure, |failure, cause| {
        failure.because(match &cause.object {
            Some(object) => format!("{object}: {}", cause.says),
            None => cause.says.clone(),
        })
    })
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
