//! A run's turn at its target: nobody else works on it meanwhile, and what is done is written down first. A locked file keeps
//! out other runs of this machine, and stands alone until there is a cluster; a Lease in the cluster keeps out all others.

mod desk;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex as Held;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;

use crate::adapter::lock::{self, Lock};
use crate::adapter::{clock, files, journal, process};
use crate::engine::{Cancel, Journal};
use crate::model::{
    ClusterSpec, Failure, FailureKind, Identity, JournalLine, RunEnd, RunRecord, RunResult, Runner,
    Spec,
};
use crate::provider::kubernetes::lease::Terms;
use crate::ui::Busy;

use self::desk::{Desk, Place};
use super::Settings;
use super::history;
use super::scene::Scene;

/// The term of the lock in seconds, for tests.
const TERM: &str = "DATAMILL_LOCK_TERM";

/// A run's turn.
pub(super) struct Turn {
    desk: Arc<Desk>,
    copier: JoinHandle<()>,
    /// Dropped last: as long as it is locked, no other run of this machine begins.
    _lock: Lock,
    _busy: Busy,
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
        let place = format!("target-{}", history::place(&scene.identity));
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
            folder,
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
            files::remove(&history::file(&desk.folder, &desk.runner.run)).ok();
            return Err(failure);
        }
        let copier = tokio::spawn(desk::copy(Arc::clone(&desk)));
        Ok(Self { desk, copier, _lock: lock, _busy: busy })
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
pub(super) fn forget_dead(scene: &Scene<'_>) {
    if !history::is_at_work(&scene.settings.data, &scene.identity) {
        forget(scene);
    }
}
