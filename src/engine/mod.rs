//! Carries out a plan: order, limits, waiting, cancelling, events. Knows nothing about Helm or clouds, and never chooses.

mod execute;
mod journal;
mod step;
mod wait;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::model::{Failure, Identity, Known, Redactor, ResourceId};
use crate::plan::Action;

pub use execute::execute;
pub use journal::{Journal, NoJournal};

/// How far a run is to be cut short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cancel {
    /// Not at all.
    #[default]
    No,
    /// The lock of the target is lost: start nothing new, let running calls come to their end.
    LockLost,
    /// Start nothing new, let running calls come to their end.
    StartNothing,
    /// Stop; whoever sets this also sets [`Run::stop`].
    Stop,
}

/// Who runs a plan, and with what.
#[derive(Clone)]
pub struct Run {
    /// Who acts.
    pub identity: Identity,
    /// Outputs that are known before the run begins.
    pub known: Known,
    /// Masks secret values.
    pub redactor: Redactor,
    /// True from the second interrupt on: providers stop at once, and so does waiting.
    pub stop: watch::Receiver<bool>,
    /// Is told of every call that writes.
    pub journal: Arc<dyn Journal>,
}

/// Is told what happens; has one method, so that a recorder for tests is five lines.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn on_event(&self, event: &Event);
}

/// What happens during a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// Steps that change or wait for something.
        steps: usize,
    },
    /// A step begins.
    Started {
        /// Which.
        id: ResourceId,
        /// What is done.
        action: Action,
    },
    /// A step says what is going on, or what it waits for.
    Progress {
        /// Which.
        id: ResourceId,
        /// In words.
        says: String,
    },
    /// A step tries again.
    Retrying {
        /// Which.
        id: ResourceId,
        /// Why the last try failed.
        because: String,
        /// How long until the next.
        after: Duration,
    },
    /// A step ended.
    Finished {
        /// Which.
        id: ResourceId,
        /// What was done.
        action: Action,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
    },
    /// The first interrupt: nothing new is started.
    Interrupted,
    /// The lock of the target is lost: nothing new is started.
    LockLost,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done, and ready.
    Done,
    /// Done; ready as far as anybody can tell there, with what was assumed.
    Assumed(Vec<String>),
    /// A long job was started and goes on.
    Started,
    /// It failed.
    Failed(Failure),
    /// It was not begun.
    Skipped(SkipReason),
}

/// Why a step was not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// Something it needs failed.
    NeedFailed(ResourceId),
    /// The run was interrupted.
    Interrupted,
    /// The run lost the lock of its target.
    LockLost,
    /// Another step failed, and nothing new was to be started after that.
    FailFast(ResourceId),
    /// It waits for a long job.
    Waiting(ResourceId),
    /// It is decided once another one is there; planning again goes on.
    Deferred(ResourceId),
}

/// How a run is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Helm calls at a time.
    pub releases: usize,
    /// Other steps at a time.
    pub others: usize,
    /// How long between two looks at something that settles.
    pub poll: Duration,
    /// Wait for jobs that only need to be started.
    pub wait_jobs: bool,
    /// Start nothing new once a step has failed; what runs comes to its end.
    pub fail_fast: bool,
    /// How often a step is tried in all when its errors are transient.
    pub tries: usize,
}

impl Default for Options {
    /// Helm 4, others 16 (`peers.md` D.4), a look each 250 ms, 5 tries.
    fn default() -> Self {
        Self {
            releases: 4,
            others: 16,
            poll: Duration::from_millis(250),
            wait_jobs: false,
            fail_fast: false,
            tries: 5,
        }
    }
}

/// What came of a run. Half done is a normal end for infrastructure and is shown in full.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// How each step ended.
    pub outcomes: BTreeMap<ResourceId, Outcome>,
    /// Outputs of all that is ready.
    pub known: Known,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// How the run lost the lock of its target, if it did.
    pub lock_lost: Option<String>,
}
