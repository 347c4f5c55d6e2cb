//! Looks beside a Helm call that waits for hooks itself: says what it waits for, and ends it when nothing moves any more.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::super::explain::why;
use super::super::health::{Settling, healths};
use super::super::observe::link;
use super::super::session::Link;
use super::apply::Work;
use super::render::hook_events;
use crate::adapter::helm::CallError;
use crate::model::{
    Cause, Digest, Failure, FailureKind, Health, HelmWait, KubernetesSpec, Progress, ReleaseSpec,
    Rendered, Resource, Spec,
};
use crate::provider::ProviderError;

/// How long between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Events whose hooks run while a release is written.
const WHILE_WRITTEN: [&str; 4] = ["pre-install", "post-install", "pre-upgrade", "post-upgrade"];

/// Carries out a call of Helm, which is told to stop through `stop`: when the user says so, or when what it waits for has stalled.
pub(super) async fn beside(
    work: Work<'_>,
    what: &str,
    watched: Option<Resource>,
    stop: watch::Sender<bool>,
    call: impl Future<Output = Result<(), CallError>>,
) -> Result<(), ProviderError> {
    let said = Mutex::new(String::new());
    let mut call = std::pin::pin!(call);
    let mut user = work.run.stop.clone();
    let stopped = async {
        if user.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let stalled = async {
        match &watched {
            Some(resource) => until_stalled(work, what, resource, &said).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = &mut call => ended,
        () = stopped => {
            stop.send_replace(true);
            call.await
        }
        failure = stalled => {
            stop.send_replace(true);
            return match call.await {
                Ok(()) => Ok(()),
                Err(_ended_by_us) => Err(ProviderError::permanent(failure)),
            };
        }
    };
    let Err(error) = ended else { return Ok(()) };
    let last = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match (Work::called(what, &error), &watched) {
        (ProviderError::Permanent { failure }, Some(resource)) if !last.is_empty() => {
            let link = link(work.session);
            Err(ProviderError::permanent(told(&link, resource, failure, &last).await))
        }
        (error @ (ProviderError::Permanent { .. } | ProviderError::Transient { .. }), _) => {
            Err(error)
        }
    }
}

/// The release with the hooks that Helm waits for among its objects; nothing when it waits for none.
pub(super) fn with_hooks(
    resource: &Resource,
    spec: &ReleaseSpec,
    rendered: &Rendered,
) -> Option<Resource> {
    let mut rendered = rendered.clone();
    let hooks: Vec<_> = rendered
        .hooks
        .iter()
        .filter(|hook| matches!(hook.kind(), "Job" | "Pod"))
        .filter(|hook| {
            let events = hook_events(std::slice::from_ref(*hook));
            WHILE_WRITTEN.iter().any(|event| events.contains(*event))
        })
        .cloned()
        .collect();
    if hooks.is_empty() {
        return None;
    }
    if spec.wait != HelmWait::Ready {
        rendered.objects.clear();
    }
    rendered.objects.extend(hooks);
    let spec = ReleaseSpec { wait: HelmWait::Ready, ..spec.clone() };
    Some(Resource {
        spec: Spec::kubernetes(KubernetesSpec::Release(spec)),
        rendered: Some(rendered),
        ..resource.clone()
    })
}

/// Says what is waited for; ends when nothing has moved for as long as the release may stand still.
async fn until_stalled(
    work: Work<'_>,
    what: &str,
    resource: &Resource,
    said: &Mutex<String>,
) -> Failure {
    let link = link(work.session);
    let settling = Settling::default();
    let mut still = Still::new(resource.patience.stall);
    loop {
        tokio::time::sleep(LOOK).await;
        // Who cannot be asked may answer at the next look; a cluster that is gone ends Helm as well.
        let Ok(mut seen) = healths(&link, &[resource], &settling).await else { continue };
        let Some(health) = seen.remove(&resource.id) else { continue };
        let progress = progress(&health);
        let words = work.session.redactor.redact(&progress.waits_for);
        let changed = {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            let changed = *said != words;
            said.clone_from(&words);
            changed
        };
        if changed && !words.is_empty() {
            (work.run.progress)(format!("helm waits for {words}"));
        }
        if still.for_too_long(progress.mark) {
            let failure = Failure::new(FailureKind::NotReady, what)
                .because(format!("no progress for {} s", resource.patience.stall.as_secs()));
            return told(&link, resource, failure, &words).await;
        }
    }
}

/// The failure with why things are not ready; with what was waited for when nobody knows.
async fn told(link: &Link, resource: &Resource, failure: Failure, words: &str) -> Failure {
    let why = Box::pin(why(link, resource)).await.unwrap_or_default();
    if why.causes.is_empty() {
        return failure.because(format!("it waited for {words}"));
    }
    why.told(failure)
}

/// What is waited for, and what changes with progress. What failed may be tried again by its controller.
fn progress(health: &Health) -> Progress {
    match health {
        Health::Settling(progress) => progress.clone(),
        Health::Failed(causes) => {
            let waits_for = causes.iter().map(Cause::to_string).collect::<Vec<_>>().join(" ← ");
            Progress { mark: Digest::of(&waits_for), waits_for }
        }
        Health::Ready | Health::Assumed(_) | Health::Started => {
            Progress { waits_for: String::new(), mark: Digest::of("") }
        }
    }
}

/// Since when nothing moves.
struct Still {
    patience: Duration,
    /// Every state that was seen: who comes back to one has not moved.
    seen: BTreeSet<Digest>,
    since: Instant,
}

impl Still {
    fn new(patience: Duration) -> Self {
        Self { patience, seen: BTreeSet::new(), since: Instant::now() }
    }

    /// Notes a sight.
    fn for_too_long(&mut self, mark: Digest) -> bool {
        if self.seen.insert(mark) {
            self.since = Instant::now();
        }
        self.since.elapsed() >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_stands_still_is_ended() {
        let minute = Duration::from_mins(1);
        let mut still = Still::new(minute * 5);
        for step in 0..10 {
            assert!(!still.for_too_long(Digest::of(step.to_string())), "it moves");
            tokio::time::advance(minute * 4).await;
        }
        assert!(!still.for_too_long(Digest::of("9")));
        tokio::time::advance(minute).await;
        assert!(still.for_too_long(Digest::of("9")));
    }
}
