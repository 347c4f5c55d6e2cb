//! What stands on a run's desk while it works: the journal, the lock in the cluster, and the copy of the journal beside it.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Mutex as Held, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Mutex, Notify, watch};

use crate::adapter::{clock, files, journal, process};
use crate::engine::{Cancel, Journal};
use crate::model::{
    Failure, FailureKind, Family, Identity, JournalLine, Known, Redactor, ResourceKind, RunRecord,
    Runner,
};
use crate::plan::{Action, Step};
use crate::provider::RunContext;
use crate::provider::kubernetes::Kubernetes;
use crate::provider::kubernetes::lease::{self, Claim, Clock, Keeper, Lease, Refused, Terms};
use crate::ui::Screen;

use super::super::history::{self, History};
use super::super::scene::Scene;
use super::kept_out;

/// How often, at most, the cluster's copy of the journal is written: a write costs what a step does, and the journal itself lies
/// here.
const PACE: Duration = Duration::from_secs(1);
/// How long the last copy may take.
const LAST_COPY: Duration = Duration::from_secs(5);

/// What the engine's journal needs: lives as long as any step.
pub(super) struct Desk {
    pub(super) runner: Runner,
    pub(super) identity: Identity,
    pub(super) kubernetes: Arc<Kubernetes>,
    pub(super) screen: Screen,
    pub(super) redactor: Redactor,
    pub(super) terms: Terms,
    pub(super) folder: PathBuf,
    pub(super) cancel: watch::Receiver<Cancel>,
    pub(super) file: journal::JournalFile,
    pub(super) record: Held<RunRecord>,
    /// Earlier runs that are dead, as the cluster is to remember them.
    pub(super) settled: Held<Vec<RunRecord>>,
    pub(super) place: Mutex<Place>,
    /// Whether the cluster is to remember runs; held while a copy is written.
    pub(super) remembers: Mutex<bool>,
    pub(super) lost: watch::Sender<Option<String>>,
    pub(super) news: Notify,
}

/// The lock in the cluster.
pub(super) struct Place {
    pub(super) keeper: Option<Keeper>,
    /// The cluster as far as it is known.
    pub(super) known: Known,
    /// Whether the lock is not to be taken any more, since the cluster goes.
    pub(super) left: bool,
}

fn system_clock() -> Clock {
    Arc::new(clock::since_epoch)
}

impl Desk {
    /// Locks the cluster where there is one, and begins the journal.
    pub(super) async fn begin(&self, scene: &Scene<'_>) -> Result<(), Failure> {
        if scene.runs() {
            let mut place = self.place.lock().await;
            self.take(&mut place).await?;
        }
        let now = clock::since_epoch().as_secs();
        let flavour = self.identity.flavour.clone();
        let begun = JournalLine::Begun { by: self.runner.clone(), flavour, at: now };
        self.note(begun, true).await.map_err(|error| {
            Failure::new(FailureKind::Preflight, "cannot write down what this run does")
                .caused_by(&error)
        })?;
        // Whoever has not ended is dead now that the lock is ours.
        let history = History::read(scene).await;
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = history.settle(scene);
        history.forget_oldest(scene);
        Ok(())
    }

    async fn take(&self, place: &mut Place) -> Result<(), Failure> {
        let Some(slot) = self.kubernetes.slot(&place.known, &self.identity).await? else {
            return Ok(());
        };
        let (give_up, wanted) = watch::channel(false);
        let mut cancel = self.cancel.clone();
        let relay = async {
            if cancel.wait_for(|cancel| *cancel != Cancel::No).await.is_ok() {
                give_up.send_replace(true);
            }
            std::future::pending::<Infallible>().await
        };
        let claim = Claim {
            runner: &self.runner,
            terms: self.terms,
            clock: system_clock(),
            dead: &|holder| self.died_here(holder),
            says: &|says| self.screen.note(&says),
            give_up: wanted,
        };
        let taken = tokio::select! {
            taken = lease::take(&slot, claim) => taken,
            never = relay => match never {},
        };
        let taken = taken.map_err(|refused| self.refused(&refused))?;
        if let Some(from) = &taken.from {
            self.screen
                .warn(&format!("took the lock over from a run that is dead: {}", from.says()));
            self.tell_of(from, &place.known).await;
        }
        let lost = self.lost.clone();
        place.keeper = Some(Keeper::start(slot, taken, self.terms, system_clock(), lost));
        Ok(())
    }

    fn refused(&self, refused: &Refused) -> Failure {
        match refused {
            Refused::Held(lease) => {
                let failure = kept_out(&lease.says());
                let Some(holder) = &lease.holder else { return failure };
                failure.hint(format!(
                    "if that run is dead, this command takes its lock over {} s after its last sign of life; to end it by hand:\n    datamill unlock --run {}",
                    lease.term.as_secs() * 2,
                    holder.run
                ))
            }
            Refused::GivenUp => {
                Failure::new(FailureKind::Interrupted, "interrupted; nothing was changed")
            }
            Refused::Unknown(error) => {
                Failure::new(FailureKind::Preflight, "cannot take the lock of this target")
                    .because(self.redactor.redact(&error.to_string()))
                    .hint("it is a Lease in namespace kube-system, which this account must be able to create, patch and delete")
            }
        }
    }

    /// Whether a holder is dead beyond doubt: its journal lies here, and nobody writes it any more.
    fn died_here(&self, holder: &Runner) -> bool {
        let path = history::file(&self.folder, &holder.run);
        holder.host() == process::host()
            && journal::is_written(&path).is_ok_and(|written| written == Some(false))
    }

    /// What the dead holder of a lock was doing, as far as anybody remembers.
    async fn tell_of(&self, lease: &Lease, known: &Known) {
        let Some(holder) = &lease.holder else { return };
        // One that died on this machine was told of with the plan.
        if self.died_here(holder) {
            return;
        }
        let memory = self.kubernetes.memory(known, &self.identity.project).await;
        let runs = memory.map(|(_, runs)| runs).unwrap_or_default();
        let Some(run) = runs.iter().find(|run| run.by.run == holder.run) else { return };
        self.screen.note(&history::sentence(run));
        for (id, intent) in &run.open {
            self.screen.note(&format!("  {}", history::doing(id, intent)));
        }
    }

    /// Writes a line, first here, then when there is time into the cluster's copy.
    pub(super) async fn note(
        &self,
        line: JournalLine,
        durable: bool,
    ) -> Result<(), files::FileError> {
        // Plain data always becomes JSON.
        let text = serde_json::to_string(&line).unwrap_or_default() + "\n";
        self.file.append(text, durable).await?;
        self.record.lock().unwrap_or_else(PoisonError::into_inner).take(line);
        self.news.notify_one();
        Ok(())
    }

    /// What the cluster is to remember.
    fn memory(&self) -> Vec<RunRecord> {
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = self.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        settled.into_iter().chain([own]).collect()
    }

    async fn copy_now(&self) {
        let remembers = self.remembers.lock().await;
        let known = {
            let place = self.place.lock().await;
            place.keeper.as_ref().map(|_| place.known.clone())
        };
        let Some(known) = known.filter(|_| *remembers && self.lost.borrow().is_none()) else {
            return;
        };
        let begun = tokio::time::Instant::now();
        let copied = self.kubernetes.remember(&known, &self.identity, &self.memory()).await;
        tracing::debug!(took = ?begun.elapsed(), well = copied.is_ok(), "copied the journal");
    }

    /// Gives the lock in the cluster back, for good or until there is another cluster.
    pub(super) async fn leave(&self, for_good: bool) {
        *self.remembers.lock().await = !for_good;
        let mut place = self.place.lock().await;
        place.left = for_good;
        if let Some(keeper) = place.keeper.take()
            && let Err(error) = keeper.release().await
        {
            tracing::debug!(%error, "the lock runs out by itself");
        }
    }

    /// The last copy, then the lock; whether nothing of the installation is left in a cluster that is not ours.
    pub(super) async fn give_back(&self, existing: bool) -> bool {
        let mut place = self.place.lock().await;
        let Some(keeper) = place.keeper.take() else { return false };
        let is_held = self.lost.borrow().is_none();
        let nothing_left = if is_held { self.last_copy(&place.known).await } else { false };
        if let Err(error) = keeper.release().await {
            tracing::debug!(%error, "the lock runs out by itself");
        }
        nothing_left && existing
    }

    /// Copies the journal for the last time; where nothing is installed any more, nothing is remembered. Whether that is so.
    async fn last_copy(&self, known: &Known) -> bool {
        let project = &self.identity.project;
        let copy = async {
            if self.kubernetes.record(known, project).await?.is_some() {
                self.kubernetes.remember(known, &self.identity, &self.memory()).await?;
                Ok(false)
            } else {
                self.kubernetes.forget_runs(known, project).await.map(|()| true)
            }
        };
        let late = || Failure::new(FailureKind::Partial, "the cluster does not answer");
        let copied = tokio::time::timeout(LAST_COPY, copy).await.unwrap_or_else(|_| Err(late()));
        copied.unwrap_or_else(|failure| {
            tracing::debug!(?failure, "the cluster does not remember");
            false
        })
    }

    /// The lock directly before a call that writes: taken as soon as there is a cluster, given back before that goes.
    async fn hold(&self, step: &Step, run: &RunContext) -> Result<(), Failure> {
        let deletes = step.action == Action::Delete;
        if step.id.kind == ResourceKind::Cluster && (deletes || step.action == Action::Replace) {
            self.leave(deletes).await;
            return Ok(());
        }
        if step.id.kind == ResourceKind::Installation && deletes {
            // What is remembered goes with it, and a copy under way must not bring it back.
            *self.remembers.lock().await = false;
        }
        let mut place = self.place.lock().await;
        if let Some(keeper) = &place.keeper {
            let lost = |why: String| {
                Failure::new(FailureKind::Partial, "the lock of this target is lost").because(why)
            };
            return keeper.confirm().await.map_err(lost);
        }
        if step.id.kind.family() == Family::Kubernetes && !place.left {
            place.known = run.known.clone();
            self.take(&mut place).await?;
        }
        Ok(())
    }
}

impl Journal for Desk {
    fn intent<'a>(
        &'a self,
        step: &'a Step,
        run: &'a RunContext,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.hold(step, run).await?;
            let at = clock::since_epoch().as_secs();
            let action = step.action.verb().to_owned();
            let line = JournalLine::Intent { id: step.id.clone(), action, at };
            self.note(line, true).await.map_err(|error| {
                Failure::new(FailureKind::Partial, "cannot write down what is about to be done")
                    .caused_by(&error)
                    .hint("nothing is done that is not written down first; make room, and run the same command again")
            })
        })
    }

    fn result<'a>(&'a self, step: &'a Step, failed: Option<&'a Failure>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let at = clock::since_epoch().as_secs();
            let failed = failed.map(|failure| {
                let says = std::iter::once(&failure.what).chain(&failure.causes).take(2);
                self.redactor.redact(&says.cloned().collect::<Vec<_>>().join(": "))
            });
            let line = JournalLine::Result { id: step.id.clone(), failed, at };
            // Without this line the next run looks, as it would have done anyway.
            if let Err(error) = self.note(line, false).await {
                tracing::debug!(%error, "a result is not written down");
            }
        })
    }
}

/// Copies the journal into the cluster as it grows; never ends by itself.
pub(super) async fn copy(desk: Arc<Desk>) {
    loop {
        desk.news.notified().await;
        desk.copy_now().await;
        tokio::time::sleep(PACE).await;
    }
}
