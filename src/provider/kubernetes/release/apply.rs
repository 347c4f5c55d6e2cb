//! Does what a step says to a release: installs, upgrades, repairs, uninstalls. Every write holds the release's lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::super::failure::{failure, provider_error};
use super::super::session::Session;
use super::lock::{self, CEILING, Taken};
use super::precondition::{self, Broken};
use super::stored::{self, Head, PayloadError};
use super::{HelmSettings, delete, outputs, own_manager, repair, upgrade};
use crate::adapter::helm::{CallError, Hold, explain};
use crate::model::{
    Failure, FailureKind, KubernetesSpec, Outputs, Owner, ReleaseSpec, ReleaseStatus, Resource,
};
use crate::plan::{Action, Step};
use crate::provider::kubernetes::owner_of;
use crate::provider::{ProviderError, RunContext};

/// What every write is given.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    /// The cluster.
    pub(super) session: &'a Session,
    /// How Helm is driven.
    pub(super) helm: &'a HelmSettings,
    /// The step.
    pub(super) step: &'a Step,
    /// The run.
    pub(super) run: &'a RunContext,
}

/// Installs, upgrades, repairs or uninstalls a release.
pub async fn apply(
    session: &Session,
    helm: &HelmSettings,
    step: &Step,
    run: &RunContext,
) -> Result<Outputs, ProviderError> {
    let work = Work { session, helm, step, run };
    match &step.action {
        Action::Create | Action::Update | Action::Deferred { .. } => {
            let (resource, spec) = work.wanted()?;
            Box::pin(write(work, resource, spec)).await
        }
        Action::Repair => {
            let (resource, spec) = work.wanted()?;
            let taken =
                work.take(&spec.namespace, &spec.release, resource.patience.ceiling).await?;
            let head = work.head(spec).await?;
            work.check(resource, spec, head.as_ref(), taken.waited).await?;
            repair::repair(work, resource, spec, head.as_ref()).await
        }
        Action::Replace => {
            delete::delete(work).await?;
            let (resource, spec) = work.wanted()?;
            Box::pin(replace(work, resource, spec)).await
        }
        Action::Delete => delete::delete(work).await.map(|()| Outputs::new()),
        // Marks are written before anybody comes here.
        Action::Adopt
        | Action::Mark { .. }
        | Action::Keep
        | Action::Use
        | Action::Retain { .. }
        | Action::GoesWith { .. }
        | Action::Start
        | Action::Waiting { .. }
        | Action::Blocked { .. } => Ok(found_outputs(step)),
    }
}

fn found_outputs(step: &Step) -> Outputs {
    step.found.as_ref().map(|found| found.outputs.clone()).unwrap_or_default()
}

async fn write(
    work: Work<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
) -> Result<Outputs, ProviderError> {
    let taken = work.take(&spec.namespace, &spec.release, resource.patience.ceiling).await?;
    let head = work.head(spec).await?;
    work.check(resource, spec, head.as_ref(), taken.waited).await?;
    let head = free(work, resource, spec, head, &taken).await?;
    Box::pin(upgrade::upgrade(work, resource, spec, head, taken)).await
}

/// Installs what was uninstalled a moment ago.
async fn replace(
    work: Work<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
) -> Result<Outputs, ProviderError> {
    let taken = work.take(&spec.namespace, &spec.release, resource.patience.ceiling).await?;
    let head = work.head(spec).await?;
    let head = free(work, resource, spec, head, &taken).await?;
    Box::pin(upgrade::upgrade(work, resource, spec, head, taken)).await
}

/// Makes the way free after a run that died: a revision that was begun and not ended is marked as failed, a removal that was
/// begun is ended. What is not ours is left alone.
async fn free(
    work: Work<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
    head: Option<Head>,
    taken: &Taken,
) -> Result<Option<Head>, ProviderError> {
    let Some(head) = head else { return Ok(None) };
    let what = || format!("cannot work on release `{}` in `{}`", spec.release, spec.namespace);
    let session = work.session;
    let owner = match owner_of(&head.secret, &session.identity, Some(&resource.id)) {
        Owner::Ours => None,
        Owner::Other(owner) => Some(owner),
        Owner::Unmarked { .. } => Some("somebody who left no mark of datamill on it".to_owned()),
    };
    if let Some(owner) = owner {
        let failure = Failure::new(FailureKind::Foreign, what())
            .because(format!("it belongs to {owner}"))
            .hint("give the instance another `release:`");
        return Err(ProviderError::permanent(failure));
    }
    match head.status {
        ReleaseStatus::Deployed | ReleaseStatus::Failed => return Ok(Some(head)),
        ReleaseStatus::Pending | ReleaseStatus::Uninstalling => {}
    }
    let here = stored::ran_here(&head, &work.helm.host) || taken.waited;
    let ceiling = resource.patience.ceiling.unwrap_or(CEILING);
    if !here && let Some(other) = lock::elsewhere(session, &head, ceiling).await {
        let failure = Failure::new(FailureKind::Locked, what())
            .because(format!("revision {} is held by {other}", head.revision));
        return Err(ProviderError::permanent(failure));
    }
    if head.status == ReleaseStatus::Uninstalling {
        delete::uninstall(work, &head, &spec.release, taken).await?;
        return work.head(spec).await;
    }
    (work.run.progress)(format!(
        "takes over revision {}, which was begun and not ended",
        head.revision
    ));
    let because = "the run that began it died";
    let manager = own_manager(&session.identity, &resource.id);
    head.set_failed(session, because, &manager)
        .await
        .map_err(|error| work.unreadable(what(), &error))?;
    Ok(Some(Head { status: ReleaseStatus::Failed, ..head }))
}

impl<'a> Work<'a> {
    /// The wanted release.
    pub(super) fn wanted(&self) -> Result<(&'a Resource, &'a ReleaseSpec), ProviderError> {
        let wanted = self.step.wanted.as_ref().map(Arc::as_ref);
        if let Some(resource) = wanted
            && let Some(KubernetesSpec::Release(spec)) = resource.kubernetes()
        {
            return Ok((resource, spec));
        }
        let what = format!("the step `{}` does not say what is wanted", self.step.id);
        Err(ProviderError::permanent(Failure::new(FailureKind::Bug, what)))
    }

    /// Takes the release's lock.
    pub(super) async fn take(
        &self,
        namespace: &str,
        release: &str,
        ceiling: Option<Duration>,
    ) -> Result<Taken, ProviderError> {
        let ceiling = ceiling.unwrap_or(CEILING);
        lock::take(self.session, self.helm, self.run, (namespace, release), ceiling).await
    }

    /// The newest revision.
    pub(super) async fn head(&self, spec: &ReleaseSpec) -> Result<Option<Head>, ProviderError> {
        stored::head(self.session, &spec.namespace, &spec.release).await.map_err(|error| {
            let what = format!("cannot look at release `{}`", spec.release);
            provider_error(what, &error, &self.session.redactor)
        })
    }

    async fn check(
        &self,
        resource: &Resource,
        spec: &ReleaseSpec,
        head: Option<&Head>,
        waited: bool,
    ) -> Result<(), ProviderError> {
        if waited {
            return Ok(());
        }
        let checked = precondition::check(self.session, self.step, resource, spec, head).await;
        checked.map_err(|broken| match broken {
            Broken::Stale(error) => error,
            Broken::Unreadable(error) => {
                self.unreadable(format!("cannot look at release `{}`", spec.release), &error)
            }
        })
    }

    pub(super) fn unreadable(&self, what: String, error: &PayloadError) -> ProviderError {
        match error {
            PayloadError::Cluster(error) => provider_error(what, error, &self.session.redactor),
            PayloadError::Gone | PayloadError::Storage(_) => {
                ProviderError::permanent(Failure::new(FailureKind::Stale, what).caused_by(error))
            }
        }
    }

    /// A failure of something asked of the cluster.
    pub(super) fn asked(&self, what: String, error: &crate::adapter::kube::KubeError) -> Failure {
        failure(what, error, &self.session.redactor)
    }

    /// What a call of Helm holds.
    pub(super) fn hold(&self, taken: &Taken) -> Hold {
        Self::hold_until(taken, self.run.stop.clone())
    }

    /// The same, ended by what somebody else says.
    pub(super) fn hold_until(taken: &Taken, stop: watch::Receiver<bool>) -> Hold {
        Hold { lock: taken.lock.clone(), on_line: None, stop: Some(stop) }
    }

    /// A call of Helm that did not end well.
    pub(super) fn called(what: &str, error: &CallError) -> ProviderError {
        match error {
            CallError::Process(error) => {
                let explained = explain(what, error);
                if explained.transient {
                    ProviderError::transient(explained.failure)
                } else {
                    ProviderError::permanent(explained.failure)
                }
            }
            CallError::File(_) => ProviderError::permanent(error.plain(what)),
        }
    }

    /// What a release tells others now.
    pub(super) async fn outputs(&self, spec: &ReleaseSpec) -> Result<Outputs, ProviderError> {
        let head = self.head(spec).await?;
        let revision = head.map(|head| head.revision).unwrap_or_default();
        Ok(outputs(&spec.release, &spec.namespace, revision))
    }
}
