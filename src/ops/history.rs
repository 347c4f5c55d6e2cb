//! What was run before: read from this machine and from the cluster. Memory only; what is there now is found by looking.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::adapter::{clock, files, journal, process};
use crate::model::{
    Digest, Identity, Intent, JournalLine, ResourceId, RunEnd, RunId, RunRecord, RunResult, Runner,
};
use crate::plan::{Action, Plan};
use crate::provider::kubernetes::lease::Lease;
use crate::provider::kubernetes::runs::KEPT;
use crate::ui::{LockView, RunView, Screen};

use super::scene::Scene;

/// What is remembered of a target's runs.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Oldest first.
    pub(super) runs: Vec<RunRecord>,
    /// The lock in the cluster, if somebody has it.
    pub(super) lock: Option<Lease>,
    /// Runs that live on this machine.
    alive: BTreeSet<RunId>,
    /// Runs whose journal lies on this machine.
    here: BTreeSet<RunId>,
}

/// The folder of a target's journals on this machine.
pub(super) fn folder(scene: &Scene<'_>) -> PathBuf {
    folder_of(&scene.settings.data, &scene.identity)
}

fn folder_of(data: &Path, identity: &Identity) -> PathBuf {
    data.join("runs").join(place(identity))
}

/// Whether a run of this machine is at work at a target.
pub(super) fn is_at_work(data: &Path, identity: &Identity) -> bool {
    let journals = files::list(&folder_of(data, identity)).unwrap_or_default();
    journals.iter().any(|path| journal::is_written(path).is_ok_and(|written| written == Some(true)))
}

/// A name for project and target among files.
pub(super) fn place(identity: &Identity) -> String {
    let (project, target) = (&identity.project, &identity.target);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = project.chars().map(plain).take(40).collect();
    format!("{name}-{}", Digest::of(format!("{project}\n{target}")).short(10))
}

/// The journal of a run.
pub(super) fn file(folder: &Path, run: &RunId) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let name: String = run.0.chars().map(plain).take(200).collect();
    folder.join(format!("{name}.jsonl"))
}

impl History {
    /// Reads what there is. What cannot be read is not remembered, which breaks nothing.
    pub(super) async fn read(scene: &Scene<'_>) -> Self {
        let mut history = Self::default();
        let mut runs = BTreeMap::new();
        if scene.runs() {
            let memory = scene.kubernetes.memory(&scene.known, &scene.identity.project).await;
            match memory {
                Ok((lock, known)) => {
                    history.lock = lock.filter(|lock| lock.holder.is_some());
                    runs.extend(known.into_iter().map(|run| (run.by.run.clone(), run)));
                }
                Err(failure) => tracing::debug!(?failure, "no memory of runs in the cluster"),
            }
        }
        for path in files::list(&folder(scene)).unwrap_or_default() {
            let Some(run) = files::read_bytes(&path)
                .ok()
                .and_then(|bytes| RunRecord::read(&String::from_utf8_lossy(&bytes)))
            else {
                continue;
            };
            if journal::is_written(&path).is_ok_and(|written| written == Some(true)) {
                history.alive.insert(run.by.run.clone());
            }
            history.here.insert(run.by.run.clone());
            // The journal of this machine knows more than what was copied from it.
            runs.insert(run.by.run.clone(), run);
        }
        history.runs = runs.into_values().collect();
        history.runs.sort_by_key(|run| run.begun);
        history
    }

    fn lives(&self, run: &RunId) -> bool {
        let holder = self.lock.as_ref().and_then(|lock| lock.holder.as_ref());
        // A holder whose journal lies here and is not written any more is dead, lock or not.
        let here = |holder: &Runner| self.here.contains(run) && holder.host() == process::host();
        self.alive.contains(run) || holder.is_some_and(|holder| holder.run == *run && !here(holder))
    }

    /// The runs that ended without a word, oldest first.
    pub(super) fn dead(&self) -> impl Iterator<Item = &RunRecord> {
        self.runs.iter().filter(|run| run.ended.is_none() && !self.lives(&run.by.run))
    }

    /// Whether something is left of earlier runs that only a run with the lock may tidy up.
    pub(super) fn needs_care(&self) -> bool {
        let holder = self.lock.as_ref().and_then(|lock| lock.holder.as_ref());
        self.dead().next().is_some() || holder.is_some_and(|holder| !self.lives(&holder.run))
    }

    /// Says of each run that died what it was doing, and what the plan finds of that.
    pub(super) fn tell(&self, screen: &Screen, plan: &Plan) {
        for run in self.dead() {
            screen.warn(&format!(
                "{} ended without a word; what it left is found by looking",
                sentence(run)
            ));
            for (id, intent) in &run.open {
                screen.note(&format!("  {}: {}", doing(id, intent), now(plan, id, intent)));
            }
        }
    }

    /// The last run, as `status` shows it.
    pub(super) fn last(&self) -> Option<RunView> {
        self.runs.last().map(|run| self.view(run))
    }

    /// All that is remembered, newest first, as `status` shows it.
    pub(super) fn all(&self) -> Vec<RunView> {
        self.runs.iter().rev().take(KEPT).map(|run| self.view(run)).collect()
    }

    /// Runs that died, as `status` shows them; the last run is not among them.
    pub(super) fn died(&self) -> Vec<RunView> {
        let last = self.runs.last().map(|run| &run.by.run);
        self.dead().filter(|run| Some(&run.by.run) != last).map(|run| self.view(run)).collect()
    }

    /// The lock, as `status` shows it.
    pub(super) fn lock_view(&self) -> Option<LockView> {
        let lock = self.lock.as_ref()?;
        let holder = lock.holder.as_ref()?;
        Some(LockView {
            who: holder.who.clone(),
            run: holder.run.to_string(),
            command: holder.command.clone(),
            dead: !self.lives(&holder.run),
            since: lock.acquired.map(|time| clock::words(time.as_secs())),
            last_sign: lock.renewed.map(|time| clock::words(time.as_secs())),
        })
    }

    fn view(&self, run: &RunRecord) -> RunView {
        let result = match run.ended {
            Some(end) => end.result.word(),
            None if self.lives(&run.by.run) => "at work",
            None => RunResult::Died.word(),
        };
        RunView {
            who: run.by.who.clone(),
            run: run.by.run.to_string(),
            command: run.by.command.clone(),
            flavour: run.flavour.clone(),
            begun: clock::words(run.begun),
            ended: run.ended.map(|end| clock::words(end.at)),
            result: result.to_owned(),
            open: run
                .open
                .iter()
                .map(|(id, intent)| (id.to_string(), intent.action.clone()))
                .collect(),
            failed: run.failed.iter().map(|(id, why)| (id.to_string(), why.clone())).collect(),
        }
    }

    /// Notes, here and in what is returned for the cluster, that dead runs are dead. Only a run that holds the lock may say so.
    pub(super) fn settle(&self, scene: &Scene<'_>) -> Vec<RunRecord> {
        let folder = folder(scene);
        let close = |run: &RunRecord| {
            let end = RunEnd { result: RunResult::Died, at: run.last_sign() };
            let path = file(&folder, &run.by.run);
            let line = JournalLine::Ended(end);
            if files::is_file(&path)
                && let Ok(line) = serde_json::to_string(&line)
                && let Err(error) = journal::close(&path, &format!("{line}\n"))
            {
                tracing::debug!(%error, "a dead run's journal stays open");
            }
            RunRecord { ended: Some(end), ..run.clone() }
        };
        self.dead().map(close).collect()
    }

    /// Removes the oldest journals of this machine, so that as many are left as are remembered.
    pub(super) fn forget_oldest(&self, scene: &Scene<'_>) {
        let folder = folder(scene);
        let surplus = self.runs.len().saturating_sub(KEPT - 1);
        for run in self.runs.iter().take(surplus) {
            if let Err(error) = files::remove(&file(&folder, &run.by.run)) {
                tracing::debug!(%error, "an old journal stays");
            }
        }
    }
}

/// Which run, when, by whom, on which machine.
pub(super) fn sentence(run: &RunRecord) -> String {
    let by = &run.by;
    format!("run {} of {} (`{}`, begun {})", by.run, by.who, by.command, clock::words(run.begun))
}

/// What a run was doing.
pub(super) fn doing(id: &ResourceId, intent: &Intent) -> String {
    format!("it had begun to {} `{id}` at {}", intent.action, clock::words(intent.at))
}

/// What is there now of what was begun, and what is left.
fn now(plan: &Plan, id: &ResourceId, intent: &Intent) -> String {
    let step = plan.steps.iter().find(|step| step.id == *id);
    match step.map(|step| &step.action) {
        None if intent.action == "delete" => "it is gone".to_owned(),
        None => "this command is not about it".to_owned(),
        Some(Action::Keep | Action::Use) => "it is as wanted by now".to_owned(),
        Some(Action::Create) => "it is not there; this plan creates it".to_owned(),
        Some(Action::Delete) => "it is still there; this plan deletes it".to_owned(),
        Some(Action::GoesWith { host }) => format!("it goes with `{host}`"),
        Some(Action::Retain { why }) => format!("it stays: {why}"),
        Some(
            action @ (Action::Update
            | Action::Repair
            | Action::Replace
            | Action::Adopt
            | Action::Mark { .. }
            | Action::Start),
        ) => {
            format!("it is there and not as wanted; this plan: {}", action.verb())
        }
        Some(Action::Deferred { .. } | Action::Waiting { .. } | Action::Blocked { .. }) => {
            "nobody can tell before what it depends on is there".to_owned()
        }
    }
}
