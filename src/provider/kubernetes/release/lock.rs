//! Who works on a release: the lock on this machine, the run written on the release for others.

use std::path::PathBuf;
use std::time::Duration;

use super::super::lease::{self, Lease};
use super::super::session::Session;
use super::HelmSettings;
use super::stored::{Head, ran_here};
use crate::adapter::clock;
use crate::adapter::helm::ReleaseLock;
use crate::model::{Failure, FailureKind, ReleaseStatus, label, label_value};
use crate::provider::{ProviderError, RunContext};

/// How long between two tries to take a lock.
const TRY: Duration = Duration::from_millis(250);
/// How long Helm may take where nobody set a ceiling.
pub(super) const CEILING: Duration = Duration::from_mins(30);

/// Whether somebody works on a revision, in words.
pub(super) async fn held(
    session: &Session,
    helm: &HelmSettings,
    head: &Head,
    ceiling: Option<Duration>,
) -> Option<String> {
    if !matches!(head.status, ReleaseStatus::Pending | ReleaseStatus::Uninstalling) {
        return None;
    }
    let path = path(session, helm, &head.namespace, &head.name).await;
    match ReleaseLock::holder(&path) {
        Ok(Some(holder)) => Some(format!("helm of {}", words(&holder.0))),
        Ok(None) if ran_here(head, &helm.host) => None,
        Ok(None) => elsewhere(session, head, ceiling.unwrap_or(CEILING)).await,
        Err(error) => Some(error.to_string()),
    }
}

fn words(holder: &str) -> String {
    if holder.is_empty() { "another run".to_owned() } else { holder.to_owned() }
}

/// A run on another machine counts as alive until its ceiling has passed, or until the lock of the target is not its own any
/// more: no run writes without it.
pub(super) async fn elsewhere(session: &Session, head: &Head, ceiling: Duration) -> Option<String> {
    let run = head.secret.label(label::RUN)?;
    if let Ok(lock) = lease::of(session).await
        && !holds(lock.as_ref(), run)
    {
        return None;
    }
    let age = clock::since_epoch().saturating_sub(head.written()?);
    let left = ceiling.checked_sub(age)?;
    Some(format!("run {run} on another machine, for {} min at most", left.as_secs() / 60 + 1))
}

/// Whether a lock is that of the run on a label.
fn holds(lock: Option<&Lease>, run: &str) -> bool {
    let holder = lock.and_then(|lock| lock.holder.as_ref());
    holder.is_some_and(|holder| label_value(&holder.run.0) == run)
}

/// The lock's file: one per cluster and release.
async fn path(session: &Session, helm: &HelmSettings, namespace: &str, release: &str) -> PathBuf {
    // Contexts are renamed; the cluster's own id is not.
    let uid = session.cluster.uid().await.ok().flatten();
    let cluster = uid.unwrap_or_else(|| session.context.replace('/', "_"));
    helm.locks.join(format!("{cluster}-{namespace}-{release}.lock"))
}

/// A lock that is ours now.
pub(super) struct Taken {
    /// The lock.
    pub(super) lock: ReleaseLock,
    /// Whether somebody held it before: what the plan saw is then history.
    pub(super) waited: bool,
}

/// Takes the lock of a release, waiting for whoever holds it.
pub(super) async fn take(
    session: &Session,
    helm: &HelmSettings,
    run: &RunContext,
    (namespace, release): (&str, &str),
    ceiling: Duration,
) -> Result<Taken, ProviderError> {
    let path = path(session, helm, namespace, release).await;
    let what = || format!("cannot work on release `{release}` in `{namespace}`");
    let deadline = tokio::time::Instant::now() + ceiling;
    let mut said = false;
    loop {
        let taken =
            ReleaseLock::take(&path, &format!("run {}", run.identity.run)).map_err(|error| {
                let failure = Failure::new(FailureKind::Preflight, what()).caused_by(&error);
                ProviderError::permanent(failure)
            })?;
        let holder = match taken {
            Ok(lock) => return Ok(Taken { lock, waited: said }),
            Err(holder) => words(&holder.0),
        };
        if !said {
            (run.progress)(format!("waits for helm of {holder}, which still works on `{release}`"));
            said = true;
        }
        if *run.stop.borrow() {
            return Err(ProviderError::permanent(Failure::new(FailureKind::Interrupted, what())));
        }
        if tokio::time::Instant::now() > deadline {
            let failure = Failure::new(FailureKind::Locked, what())
                .because(format!("helm of {holder} holds it for {} s", ceiling.as_secs()));
            return Err(ProviderError::permanent(failure));
        }
        tokio::time::sleep(TRY).await;
    }
}
