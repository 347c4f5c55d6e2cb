//! Decisions: a pure function from what is wanted and what was seen to what will be done. No clock, no I/O, no randomness.

mod check;
mod count;
mod decide;
mod decision;
mod definition;
pub mod diff;
mod drift;
mod fields;
mod follow;
mod growth;
mod layout;
mod marking;
mod mask;
mod memory;
mod moved;
mod objects;
mod order;
mod origin;
mod parts;
mod place;
mod precondition;
pub mod preflight;
mod prune;
mod restrict;
mod risky;
mod saved;
mod seal;
mod skipped;
mod text;
mod vanished;
mod volume;
mod whole;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use check::{BrokenRule, check};
pub use drift::drift;
pub use layout::{Layout, Phase, Placed, layout};
pub use marking::{Taken, adopt, orphan, protect};
pub use restrict::{Deferral, restrict, undecided};
pub use saved::{SavedChange, SavedEffect, SavedPrecondition, SavedStep, SavedValue, action_word};
pub use seal::Seal;
pub use text::{Line, LineKind, lines, lines_within, text};
pub use whole::plan;

use crate::model::{
    Desired, Digest, Found, Health, Name, ObjectRef, Protection, Resource, ResourceId, Snapshot,
    Writer,
};

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What is wanted; nothing at all for a destroy.
    pub desired: &'a Desired,
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// Whether what is wanted is made, or only stays.
    pub purpose: Purpose,
    /// Which part of it this run is about.
    pub selection: &'a Selection,
    /// What the user allows.
    pub permits: &'a Permits,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// What is wanted is made as it is wanted.
    #[default]
    Apply,
    /// Something goes. What is wanted only says what stays, as it is: nothing is made, changed or mended.
    Removal,
}

/// Which part of the platform a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    All,
    /// These instances only; what else is there is neither changed nor pruned.
    Instances(BTreeSet<Name>),
}

/// What the user allows beyond the ordinary.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permits {
    /// Data may go (`--include-data` with the project's name confirmed).
    pub include_data: bool,
    /// Protection is in force (`environment: production`).
    pub production: bool,
    /// Hosts on which no data is: what lives in them goes with them, unasked (simulated clusters).
    pub holds_no_data: BTreeSet<ResourceId>,
    /// The flavour of this run: what bears another one's mark is left alone.
    pub flavour: Option<String>,
    /// Take instances that need a deleted one along.
    pub cascade: bool,
    /// The run waits for long jobs (`--wait-jobs`), so nothing that needs their result is put off.
    pub wait_jobs: bool,
    /// What somebody changed on data may be overwritten (`--overwrite-data`).
    pub overwrite_data: bool,
    /// Objects whose risky change was allowed by name, as `Kind/name` (`--allow`).
    pub allowed: BTreeSet<String>,
    /// The flavour of which this run takes something over (`adopt --from`).
    pub takes_from: Option<String>,
    /// The only things that may go, by id or instance (`--delete`); a host stands for all in it. Where none is named, all may.
    pub deletes: BTreeSet<String>,
    /// What the user keeps, asked about each deletion by itself.
    pub spared: BTreeSet<ResourceId>,
}

impl Permits {
    /// Whether the risky change of an object was allowed by its name.
    pub fn allows(&self, object: &ObjectRef) -> bool {
        let name = allowance(&object.kind, &object.name);
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name))
    }

    /// Whether the user leaves something where it is that would go. It lives in `hosts`.
    pub(crate) fn spares(&self, id: &ResourceId, hosts: &[&ResourceId]) -> bool {
        let named = |id: &ResourceId| self.deletes.iter().any(|word| names(word, id));
        let chosen = self.deletes.is_empty() || named(id) || hosts.iter().any(|host| named(host));
        !chosen || self.spared.contains(id)
    }
}

/// Whether a word of `--delete` names a resource, or the instance that it belongs to.
pub fn names(word: &str, id: &ResourceId) -> bool {
    id.instance_name().is_some_and(|name| name.as_str() == word) || id.to_string() == word
}

/// How a risky change of an object is allowed.
pub fn allowance(kind: &str, name: &str) -> String {
    format!("{kind}/{name}")
}

/// What will be done, in order. Immutable, printable, comparable.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// Each id once; what a step waits for stands before it.
    pub steps: Vec<Step>,
    /// What a person should know, a line each.
    pub notes: Vec<String>,
}

/// One resource's part of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which.
    pub id: ResourceId,
    /// What is done.
    pub action: Action,
    /// As wanted; nothing for what goes.
    pub wanted: Option<Arc<Resource>>,
    /// As found; nothing for what is not there.
    pub found: Option<Arc<Found>>,
    /// The steps that must be done before.
    pub after: BTreeSet<ResourceId>,
    /// What must still be so directly before the write.
    pub precondition: Precondition,
    /// Field by field.
    pub changes: Vec<Change>,
    /// What a person should know, a line each.
    pub notes: Vec<String>,
    /// What reads values that it draws anew, a line each: what goes on with the old one, and what this plan restarts.
    pub readers: Vec<String>,
}

impl Step {
    /// All that a person should know, what reads its new values last.
    pub fn all_notes(&self) -> impl Iterator<Item = &String> {
        self.notes.iter().chain(&self.readers)
    }

    /// Whether it is kept only since not everything could be listed: it would go otherwise.
    pub fn is_kept_unseen(&self) -> bool {
        self.action.retained().is_some_and(|why| why.starts_with(prune::UNSEEN))
    }

    /// Why what is left as it is does not work, if it does not: it is waited for.
    pub fn trouble(&self) -> Option<String> {
        let found = self.found.as_ref().filter(|_| self.action == Action::Keep)?;
        match &found.health {
            _ if self.id.kind.only_looks() => None,
            Health::Failed(causes) => {
                let links = causes.iter().map(|cause| match &cause.object {
                    Some(object) => format!("{object}: {}", cause.says),
                    None => cause.says.clone(),
                });
                Some(links.collect::<Vec<_>>().join(" ← "))
            }
            Health::Settling(progress) => Some(progress.waits_for.clone()),
            Health::Ready | Health::Assumed(_) | Health::Started => None,
        }
    }
}

/// What is done to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// It is not there and will be made.
    Create,
    /// Its inputs changed.
    Update,
    /// Its inputs are the same, but somebody changed what is live.
    Repair,
    /// It cannot be changed in place: it goes and is made anew.
    Replace,
    /// It was made by hand or by another flavour and becomes ours.
    Adopt,
    /// It goes.
    Delete,
    /// It is as wanted.
    Keep,
    /// It left the file and stays where it is.
    Retain {
        /// Why.
        why: String,
    },
    /// It is not ours, does what is needed, and is left as it is.
    Use,
    /// It goes with its host; nothing is done for it alone.
    GoesWith {
        /// The host.
        host: ResourceId,
    },
    /// It is stopped and will be started before anything else is known.
    Start,
    /// It cannot be decided before another one is made.
    Deferred {
        /// Which one.
        on: ResourceId,
    },
    /// It waits for a long job to end; a later apply goes on.
    Waiting {
        /// For what.
        on: ResourceId,
    },
    /// Only what is written on it changes.
    Mark {
        /// What.
        how: Marking,
    },
    /// It cannot be done.
    Blocked {
        /// Why.
        by: Block,
    },
}

/// What is written on a thing, or taken off it, by a run of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marking {
    /// Our marks are taken off: it stays, and is nobody's.
    Orphan,
    /// What a person says about whether it may go.
    Protect {
        /// What is said.
        said: Protection,
    },
    /// The volume of a claim that is wanted again gets the reclaim policy back that it had.
    Volume,
}

/// Why a step cannot be done; each has an exit code (`semantics.md` 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Something of somebody else is in the way.
    Foreign {
        /// What.
        object: String,
        /// Whose, as far as it tells.
        owner: String,
    },
    /// Protected.
    Protected {
        /// Why.
        why: String,
    },
    /// What it would do to some objects has to be allowed for each by name.
    Unapproved {
        /// What it would do.
        why: String,
        /// Which, as `--allow` takes it.
        allow: BTreeSet<String>,
    },
    /// The cluster refuses or lacks something.
    Preflight {
        /// What.
        why: String,
    },
    /// Something else still needs it.
    Needed {
        /// By whom.
        by: BTreeSet<ResourceId>,
    },
    /// A need is neither in the plan nor there.
    MissingNeed {
        /// Which.
        need: ResourceId,
    },
    /// Another run holds it.
    Held {
        /// Who.
        by: String,
    },
    /// It is not what was approved, or not as it was then.
    Stale {
        /// What differs.
        why: String,
    },
    /// It could not be looked at.
    Unreachable {
        /// Why.
        because: String,
    },
}

impl Action {
    /// Whether something is written.
    pub fn changes_something(&self) -> bool {
        match self {
            Self::Create
            | Self::Update
            | Self::Repair
            | Self::Replace
            | Self::Adopt
            | Self::Delete
            | Self::Start
            | Self::Mark { .. }
            | Self::GoesWith { .. }
            | Self::Deferred { .. } => true,
            Self::Keep
            | Self::Retain { .. }
            | Self::Use
            | Self::Waiting { .. }
            | Self::Blocked { .. } => false,
        }
    }

    /// Why it stays, when it left the file and does.
    pub fn retained(&self) -> Option<&str> {
        if let Self::Retain { why } = self { Some(why) } else { None }
    }

    /// Why it cannot be done, when it cannot.
    pub fn block(&self) -> Option<&Block> {
        if let Self::Blocked { by } = self { Some(by) } else { None }
    }

    /// The word for plans and events, as an imperative.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Repair => "repair",
            Self::Replace => "replace",
            Self::Adopt => "adopt",
            Self::Delete => "delete",
            Self::Keep => "keep",
            Self::Retain { .. } => "retain",
            Self::Use => "use",
            Self::GoesWith { .. } => "goes with its host",
            Self::Start => "start",
            Self::Deferred { .. } => "deferred",
            Self::Waiting { .. } => "waiting",
            Self::Mark { how: Marking::Orphan } => "orphan",
            Self::Mark { how: Marking::Protect { said } } if said.on => "protect",
            Self::Mark { how: Marking::Protect { .. } } => "unprotect",
            Self::Mark { how: Marking::Volume } => "restore",
            Self::Blocked { .. } => "blocked",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// In which object; nothing where the resource is no set of objects.
    pub object: Option<ObjectRef>,
    /// Where: a JSON pointer; empty for the whole object.
    pub path: String,
    /// Before.
    pub from: Shown,
    /// After.
    pub to: Shown,
    /// What it does to what runs.
    pub effect: Effect,
    /// Who made the difference.
    pub origin: Origin,
    /// Who changed the live value, where the server knows.
    pub by: Option<Writer>,
}

impl Change {
    /// Whether it takes this object away as a whole.
    pub fn takes_away(&self, object: &ObjectRef) -> bool {
        self.path.is_empty() && self.to == Shown::Absent && self.object.as_ref() == Some(object)
    }
}

/// A value as a plan shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// Nothing there.
    Absent,
    /// As text (JSON for what is no text).
    Text(String),
    /// A secret.
    Masked,
    /// Known only later.
    Unknown,
}

/// What a change does to what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing restarts.
    InPlace,
    /// Pods restart.
    Restart,
    /// It goes and is made anew.
    Recreate,
    /// Data goes.
    LosesData,
}

/// Who made a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The files changed.
    You,
    /// The live object changed.
    Somebody,
    /// The files changed, and so did the live object: the change is written over somebody's.
    Both,
    /// Without memory of the last apply nobody can tell.
    Unknown,
}

impl Origin {
    /// Whether the live object was changed by somebody.
    pub fn is_drift(self) -> bool {
        match self {
            Self::Somebody | Self::Both => true,
            Self::You | Self::Unknown => false,
        }
    }
}

/// What must still be so directly before a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing to check.
    Nothing,
    /// It must not be there.
    Absent,
    /// It must be the same, unchanged in the fields that were compared.
    Unchanged {
        /// Uid per object (or of the thing itself under the empty key).
        uids: BTreeMap<String, String>,
        /// The digest of the live fields.
        fields: Option<Digest>,
    },
}

/// A plan cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two resources need each other.
    #[error("these need one another: {}", chain.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → "))]
    Cycle {
        /// The first again at the end.
        chain: Vec<ResourceId>,
    },
    /// A resource needs what is neither wanted nor there.
    #[error("`{id}` needs `{missing}`, which the flavour does not contain")]
    MissingNeed {
        /// Who.
        id: ResourceId,
        /// What.
        missing: ResourceId,
    },
    /// A wanted resource was not looked at.
    #[error("`{id}` was not looked at")]
    NotObserved {
        /// Which.
        id: ResourceId,
    },
}
