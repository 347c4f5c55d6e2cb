//! A run's turn at its target: nobody else works on it meanwhile, and what is done is written down first. A locked file keeps
//! out other runs of this machine, and stands alone until there is a cluster; a Lease in the cluster keeps out all others.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::{Mutex as Held, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;

use crate::adapter::lock::{self, Lock};
use crate::adapter::{clock, files, journal, process};
use crate::engine::{Cancel, Journal};
use crate::model::{
    ClusterSpec, Failure, FailureKind, Family, Identity, JournalLine, Known, Redactor,
    ResourceKind, RunEnd, RunRecord, RunResult, Runner, Spec,
};
use crate::plan::{Action, Step};
use crate::provider::RunContext;
use crate::provider::kubernetes::Kubernetes;
use crate::provider::kubernetes::lease::{self, Claim, Clock, Keeper, Lease, Refused, Terms};
use crate::ui::{Busy, Screen};

use super::Settings;
use super::history::{self, History};
use super::scene::Scene;

/// How often, at most, the cluster's copy of the journal is written: a write costs what a step does, and the journal itself lies
/// here.
const PACE: Duration = Duration::from_secs(1);
/// How long the last copy may take.
const LAST_COPY: Duration = Duration::from_secs(5);
/// The term of the lock in seconds, for tests.
const TERM: &str = "DATAMILL_LOCK_TERM";

/// A run's turn.
pub(super) struct Turn {
    desk: Arc<Desk>,
    copier: JoinHandle<()>,
    folder: PathBuf,
    /// Dropped last: as long as it is locked, no other run of this machine begins.
    _lock: Lock,
    _busy: Busy,
}

/// What the engine's journal needs: lives as long as any step.
struct Desk {
    runner: Runner,
    identity: Identity,
    kubernetes: Arc<Kubernetes>,
    screen: Screen,
    redactor: Redactor,
    terms: Terms,
    folder: PathBuf,
    cancel: watch::Receiver<Cancel>,
    file: journal::JournalFile,
    record: Held<RunRecord>,
    /// Earlier runs that are dead, as the cluster is to remember them.
    settled: Held<Vec<RunRecord>>,
    place: Mutex<Place>,
    /// Whether the cluster is to remember runs; held while a copy is written.
    remembers: Mutex<bool>,
    lost: watch::Sender<Option<String>>,
    news: Notify,
}

/// The lock in the cluster.
struct Place {
    keeper: Option<Keeper>,
    /// The cluster as far as it is known.
    known: Known,
    /// Whether the lock is not to be taken any more, since the cluster goes.
    left: bool,
}

/// Who runs this.
pub(super) fn runner(settings: &Settings, identity: &Identity) -> Runner {
    let environment = &settings.files.environment;
    let user = ["USER", "LOGNAME"].iter().find_map(|key| environment.get(*key));
    let user = user.map_or("somebody", String::as_str);
    let plain = |c: char| if c.is_whitespace() || c == '@' { '-' } else { c };
    Runner {
        who: format!("{}@{}", user.chars().map(plain).collect::<String>(), process::host()),
        run: identity.run.clone(),
        command: settings.command.clone(),
    }
}

/// How long a lock lives without a sign of life.
pub(super) fn terms(settings: &Settings) -> Terms {
    let seconds = settings.files.environment.get(TERM).and_then(|text| text.parse().ok());
    let term = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    term.map_or_else(Terms::default, |term| Terms { term })
}

fn system_clock() -> Clock {
    Arc::new(clock::since_epoch)
}

/// The failure of a run that is kept out.
fn kept_out(says: &str) -> Failure {
    Failure::new(FailureKind::Locked, "another run works on this target")
        .because(says)
        .hint("wait until it has ended, and run the same command again")
}

impl Turn {
    /// Takes the turn, or says whose it is. Nothing was changed so far.
    pub(super) async fn take(
        scene: &Scene<'_>,
        cancel: watch::Receiver<Cancel>,
    ) -> Result<Self, Failure> {
        let busy = scene.screen.busy();
        let settings = scene.settings;
        let runner = runner(settings, &scene.identity);
        let place = format!("target-{}", history::place(scene));
        let path = settings.files.cache.join("locks").join(place);
        let now = clock::since_epoch().as_secs();
        let words = format!("{runner} since {}", clock::words(now));
        let failed = |error: &files::FileError| {
            Failure::new(FailureKind::Preflight, "cannot lock this target").caused_by(error)
        };
        let lock = match lock::try_lock_as(&path, &words).map_err(|error| failed(&error))? {
            Ok(lock) => lock,
            Err(holder) => return Err(kept_out(&format!("on this machine: {holder}"))),
        };
        let folder = history::folder(scene);
        let file = journal::JournalFile::begin(&history::file(&folder, &runner.run))
            .map_err(|error| failed(&error))?;
        let record = RunRecord::new(runner.clone(), scene.identity.flavour.clone(), now);
        let desk = Arc::new(Desk {
            runner,
            identity: scene.identity.clone(),
            kubernetes: Arc::clone(&scene.kubernetes),
            screen: scene.screen.clone(),
            redactor: scene.redactor.clone(),
            terms: terms(settings),
            folder: folder.clone(),
            cancel,
            file,
            record: Held::new(record),
            settled: Held::default(),
            place: Mutex::new(Place { keeper: None, known: scene.known.clone(), left: false }),
            remembers: Mutex::new(true),
            lost: watch::channel(None).0,
            news: Notify::new(),
        });
        if let Err(failure) = desk.begin(scene).await {
            // A run that was kept out did nothing worth remembering.
            files::remove(&history::file(&folder, &desk.runner.run)).ok();
            return Err(failure);
        }
        let copier = tokio::spawn(copy(Arc::clone(&desk)));
        Ok(Self { desk, copier, folder, _lock: lock, _busy: busy })
    }

    /// What the engine tells of its calls.
    pub(super) fn journal(&self) -> Arc<dyn Journal> {
        let desk: Arc<dyn Journal> = Arc::<Desk>::clone(&self.desk);
        desk
    }

    /// Why the lock was lost, if it was.
    pub(super) fn lost(&self) -> Option<String> {
        self.desk.lost.borrow().clone()
    }

    /// Tells a run how far it is to be cut short: by the user, or since the lock is lost. Never ends by itself.
    pub(super) async fn relay(
        &self,
        mut cancel: watch::Receiver<Cancel>,
        tell: watch::Sender<Cancel>,
    ) -> Infallible {
        let mut lost = self.desk.lost.subscribe();
        loop {
            let by_loss =
                if lost.borrow_and_update().is_some() { Cancel::LockLost } else { Cancel::No };
            let level = (*cancel.borrow_and_update()).max(by_loss);
            tell.send_if_modified(|now| std::mem::replace(now, level) != level);
            tokio::select! {
                changed = cancel.changed() => if changed.is_err() { std::future::pending::<()>().await },
                changed = lost.changed() => if changed.is_err() { std::future::pending::<()>().await },
            }
        }
    }

    /// Gives the lock in the cluster back, before the cluster stops.
    pub(super) async fn leave_cluster(&self) {
        self.desk.leave(true).await;
    }

    /// Ends the turn: the journal says how, the lock is given back. What is remembered goes with what it was about.
    pub(super) async fn end(self, scene: &Scene<'_>, result: RunResult, cluster_gone: bool) {
        let end = RunEnd { result, at: clock::since_epoch().as_secs() };
        if let Err(error) = self.desk.note(JournalLine::Ended(end), true).await {
            tracing::debug!(%error, "the journal has no end");
        }
        self.copier.abort();
        let existing = matches!(&scene.cluster.spec, Spec::Cluster(ClusterSpec::Existing { .. }));
        let nothing_left = self.desk.give_back(existing).await;
        if cluster_gone || nothing_left {
            forget(scene);
        }
        drop(self.folder);
    }
}

/// Removes what this machine remembers of a target.
pub(super) fn forget(scene: &Scene<'_>) {
    let folder = history::folder(scene);
    if let Err(error) = files::remove_folder(&folder) {
        tracing::debug!(%error, "journals stay");
    }
    // Folders that hold nothing any more go too.
    for above in folder.ancestors().skip(1).take(2) {
        files::remove_empty_folder(above);
    }
}

/// Removes what this machine remembers of a target that is not there, unless a run is about to make it.
pub(super) async fn forget_dead(scene: &Scene<'_>) {
    let history = History::read(scene).await;
    if history.nobody_lives() {
        forget(scene);
    }
}

impl Desk {
    /// Locks the cluster where there is one, and begins the journal.
    async fn begin(&self, scene: &Scene<'_>) -> Result<(), Failure> {
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
    async fn note(&self, line: JournalLine, durable: bool) -> Result<(), files::FileError> {
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
    async fn leave(&self, for_good: bool) {
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
    async fn give_back(&self, existing: bool) -> bool {
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
async fn copy(desk: Arc<Desk>) {
    loop {
        desk.news.notified().await;
        desk.copy_now().await;
        tokio::time::sleep(PACE).await;
    }
}
