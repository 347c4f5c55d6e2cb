//! What was seen. "I could not look" is not "it is not there".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

use super::{
    Census, Class, Digest, Failure, Ignored, Name, Object, ObjectRef, Outputs, Protection,
    ResourceId, RunId,
};

/// What was seen of one resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Observed {
    /// Looked, and it is not there.
    Absent,
    /// It is there, whole or in part.
    Present(Box<Found>),
    /// Could not look.
    Unreachable {
        /// Why.
        because: String,
    },
}

impl Observed {
    /// What was found, if anything.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Present(found) => Some(found),
            Self::Absent | Self::Unreachable { .. } => None,
        }
    }
}

/// A thing that is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Whose it is.
    pub owner: Owner,
    /// Of a host: whether it runs. Everything else is on.
    pub power: Power,
    /// Of a cluster or a cloud's thing: its fields, comparable with what is wanted. Nothing for what lives in a cluster.
    pub fields: Json,
    /// Of what lives in a cluster: each wanted object, and each that bears the resource's mark and is wanted no more.
    pub objects: Vec<ObjectFound>,
    /// As we last made it.
    pub applied: Option<Applied>,
    /// Of what lives in a cluster: each object as we wrote it last, comparable with the live one. Nothing when nobody remembers.
    pub last: Option<LastApplied>,
    /// Who holds which fields of the live objects, as the server knows it.
    pub written: BTreeMap<ObjectRef, Vec<Written>>,
    /// Fields that were wanted, differ, and are left to others.
    pub ignored: Vec<Ignored>,
    /// Of a Helm release.
    pub release: Option<ReleaseFound>,
    /// What it tells others.
    pub outputs: Outputs,
    /// How it is.
    pub health: Health,
    /// What must still be so when it is written.
    pub version: Version,
    /// The needs written on it.
    pub needs: BTreeSet<ResourceId>,
    /// What it lives inside, as found.
    pub host: Option<ResourceId>,
    /// Its class, as written on it.
    pub class: Class,
    /// Whether it stays when it leaves the file, as written on it (kept Secrets, kept CRDs).
    pub keep: bool,
    /// What is in it that is not ours: of a host, what would go with it; of a release or a set of objects, what bears another
    /// owner's mark.
    pub foreign: Vec<ObjectRef>,
    /// Why it must not go today, by the rules written beside it.
    pub refuses: Option<String>,
    /// How long it may take to go; as long as any other when absent.
    pub leaves_within: Option<Duration>,
    /// Of data: how much, as its owner says it (`10Gi`).
    pub size: Option<String>,
    /// The flavour written on it; nothing for what belongs to the target.
    pub flavour: Option<String>,
    /// Whether it was installed by `-c` outside the flavour.
    pub extra: bool,
    /// The name of its instance that is still written on it, when the flavour renames that.
    pub moved_from: Option<Name>,
    /// The id written on it, where that stands for another one: it lies elsewhere than that is wanted, or several bear it.
    pub bears: Option<ResourceId>,
    /// What a person said about whether it may go.
    pub protection: Option<Protection>,
    /// Of a bound claim: the volume that holds its bytes.
    pub volume: Option<Volume>,
}

/// The volume of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// What becomes of it once its claim is gone; nothing where that could not be looked at.
    pub policy: Option<String>,
    /// The policy it had before it was made to outlive its claim.
    pub before: Option<String>,
}

impl Volume {
    /// The policy by which a volume outlives its claim.
    pub const RETAIN: &str = "Retain";

    /// Whether it is known to go with its claim.
    pub fn goes_with_claim(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy != Self::RETAIN)
    }
}

impl Found {
    /// A thing of ours with nothing else known about it.
    pub fn ours() -> Self {
        Self {
            owner: Owner::Ours,
            power: Power::On,
            fields: Json::Null,
            objects: Vec::new(),
            applied: None,
            last: None,
            written: BTreeMap::new(),
            ignored: Vec::new(),
            release: None,
            outputs: Outputs::new(),
            health: Health::Ready,
            version: Version::default(),
            needs: BTreeSet::new(),
            host: None,
            class: Class::Stateless,
            keep: false,
            foreign: Vec::new(),
            refuses: None,
            leaves_within: None,
            size: None,
            flavour: None,
            extra: false,
            moved_from: None,
            bears: None,
            protection: None,
            volume: None,
        }
    }
}

/// Whose a thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// It bears our marks.
    Ours,
    /// It bears the marks of another installation, project or flavour, named here.
    Other(String),
    /// It bears no mark of ours.
    Unmarked {
        /// Who manages it, as far as its labels and field managers tell (`Helm release x`, `kubectl`).
        manager: Option<String>,
        /// Whether it does what we need, so that it can be used as it is.
        suitable: bool,
    },
}

/// Whether a host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// It runs.
    On,
    /// It is there, stopped.
    Off,
}

/// What we wrote when we last made a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The digest of the inputs, whole or its beginning as far as a label holds it.
    pub inputs: Digest,
    /// The run that wrote it.
    pub run: Option<RunId>,
}

/// The objects of a resource as they were after our last write: all of them, so that one without an entry was not among them.
/// An entry without a shape was written, and how it looked then is not known.
pub type LastApplied = BTreeMap<ObjectRef, Option<Object>>;

/// Who wrote a field of a live object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The field manager: `kubectl-edit`.
    pub manager: String,
    /// When it wrote last, as the server writes times.
    pub at: Option<String>,
    /// How long that was ago when it was looked at.
    pub ago: Option<Duration>,
}

/// The fields of a live object that one manager holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Who.
    pub by: Writer,
    /// Which, as the API server writes it (`fieldsV1`).
    pub fields: Json,
}

/// A Helm release as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFound {
    /// The newest revision.
    pub revision: u64,
    /// Its status.
    pub status: ReleaseStatus,
    /// Whether its lock is held by a living process, or may be: on another host, ceiling not passed.
    pub held: Option<String>,
}

/// The status of a release's newest revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseStatus {
    /// Went well.
    Deployed,
    /// Ended badly.
    Failed,
    /// `pending-install`, `pending-upgrade` or `pending-rollback`: begun and not ended.
    Pending,
    /// `uninstalling`, or uninstalled with its history kept.
    Uninstalling,
}

/// One object of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectFound {
    /// Which.
    pub object: ObjectRef,
    /// Whether it is wanted; if not, it bears the resource's mark and goes with the next change.
    pub wanted: bool,
    /// As it is, without status and bookkeeping; absent when it is not there.
    pub live: Option<Object>,
    /// As it would be after the write.
    pub after: AfterApply,
    /// Whose it is.
    pub owner: Owner,
    /// Its class.
    pub class: Class,
    /// What must still be so when it is written.
    pub version: Version,
}

/// What a server-side dry run said.
#[derive(Debug, Clone, PartialEq)]
pub enum AfterApply {
    /// It would be this.
    Would(Object),
    /// The server was not asked: its namespace or kind does not exist yet.
    NotChecked(Object),
    /// The server refuses.
    Rejected(String),
    /// Nothing is wanted of it any more.
    Unwanted,
}

/// How a thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Ready,
    /// Taken to be as it should, since nothing there can tell (no container runs); says what.
    Assumed(Vec<String>),
    /// A long job that runs.
    Started,
    /// On its way.
    Settling(Progress),
    /// It failed, or cannot get there; the chain of causes from the nearest to the farthest.
    Failed(Vec<Cause>),
}

impl Health {
    /// Whether what needs it may start.
    pub fn lets_go_on(&self) -> bool {
        matches!(self, Self::Ready | Self::Assumed(_) | Self::Started)
    }
}

/// How far something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// What it waits for, in words: `Deployment kafka-ui: 0 of 1 ready`.
    pub waits_for: String,
    /// Changes whenever there was progress: conditions, counts, events.
    pub mark: Digest,
}

/// A link of a chain of causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The object, or nothing where it is not about one.
    pub object: Option<ObjectRef>,
    /// What is wrong with it.
    pub says: String,
}

/// Why something is not ready, found out when nobody waits for it any longer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// The chain from the nearest cause to the farthest.
    pub causes: Vec<Cause>,
    /// The last lines of the log at the chain's end.
    pub log: Vec<String>,
    /// What to do. Commands stand alone on an indented line.
    pub hints: Vec<String>,
}

impl Why {
    /// The failure with all that was found out.
    #[must_use]
    pub fn told(self, failure: Failure) -> Failure {
        let mut failure = self.causes.iter().map(Cause::to_string).fold(failure, Failure::because);
        if !self.log.is_empty() {
            let lines: Vec<String> = self.log.iter().map(|line| format!("  | {line}")).collect();
            failure = failure.because(format!("the last lines of its log:\n{}", lines.join("\n")));
        }
        self.hints.into_iter().fold(failure, Failure::hint)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Some(object) => write!(f, "{object}: {}", self.says),
            None => f.write_str(&self.says),
        }
    }
}

/// What is compared directly before a write: identity and the fields that the plan looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// The uid, or a cloud's id.
    pub uid: Option<String>,
    /// The digest of the live fields that were compared.
    pub fields: Option<Digest>,
}

/// All that bears our marks in one place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Discovery {
    /// By the id written on it.
    pub found: BTreeMap<ResourceId, Found>,
    /// What bears the mark of this installation and names no resource: nobody's part, so nobody takes it away.
    pub strays: Vec<ObjectRef>,
    /// What could not be listed, and why. Nothing is pruned then.
    pub unlisted: Vec<String>,
    /// The other projects that live in the cluster, in words; looked at where the cluster may go.
    pub neighbours: Vec<String>,
}

impl Discovery {
    /// The data that a census is taken of: what a run may take away.
    pub fn data(&self) -> impl Iterator<Item = &ResourceId> {
        self.found.iter().filter(|(_, found)| found.class == Class::Data).map(|(id, _)| id)
    }

    /// Adds what a census says; that nobody could count is said, too.
    pub fn count(&mut self, counted: BTreeMap<ResourceId, Result<Census, String>>) {
        for (id, census) in counted {
            let Some(found) = self.found.get_mut(&id) else { continue };
            found.size = match census {
                Ok(census) => census.says().or(found.size.take()),
                Err(because) => Some(format!("how much is not known: {because}")),
            };
        }
    }
}

/// What was seen of everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// What is wanted: as it is. A wanted resource without an entry was not looked at, which is an error, not an absence.
    pub observed: BTreeMap<ResourceId, Observed>,
    /// What bears our marks, wanted or not.
    pub discovered: Discovery,
}
