//! Why a command ends other than well: the kinds behind the exit codes, and a failure as a person reads it.

use std::fmt;

/// What kind of failure; each has an exit code of its own, which scripts may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// A promise inside datamill was broken, or something nobody foresaw: 1.
    Bug,
    /// The plan is out of date, a precondition failed, or a deferred resource needs a new look: 4.
    Stale,
    /// Another run holds the lock: 5.
    Locked,
    /// Partly applied, or destroy left something: 6.
    Partial,
    /// Applied but not ready in time: 7.
    NotReady,
    /// The machine, the cluster or the target lacks something: 8.
    Preflight,
    /// Refused by protection: 9.
    Protected,
    /// Configuration or usage: 10.
    Usage,
    /// Wrong target, or owned by somebody else: 11.
    Foreign,
    /// The platform is up, but its checks failed: 12.
    Verify,
    /// Interrupted; what was done is consistent and a rerun goes on: 130.
    Interrupted,
}

impl FailureKind {
    /// The exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Bug => 1,
            Self::Stale => 4,
            Self::Locked => 5,
            Self::Partial => 6,
            Self::NotReady => 7,
            Self::Preflight => 8,
            Self::Protected => 9,
            Self::Usage => 10,
            Self::Foreign => 11,
            Self::Verify => 12,
            Self::Interrupted => 130,
        }
    }

    /// The place in the order that decides which of several kinds a run ends with; smaller wins.
    pub fn rank(self) -> u8 {
        match self {
            Self::Interrupted => 0,
            Self::Foreign => 1,
            Self::Usage => 2,
            Self::Protected => 3,
            Self::Preflight => 4,
            Self::Stale => 5,
            Self::Partial => 6,
            Self::NotReady => 7,
            Self::Verify => 8,
            Self::Locked => 9,
            Self::Bug => 10,
        }
    }
}

/// A failure as the user meets it: what could not be done, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The kind, hence the exit code.
    pub kind: FailureKind,
    /// What could not be done: lower case, no full stop.
    pub what: String,
    /// Why, from the nearest cause to the farthest.
    pub causes: Vec<String>,
    /// What to do. Commands stand alone on an indented line.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without causes and hints.
    pub fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds an error and its sources as causes; a line already contained in the one before is left out.
    #[must_use]
    pub fn caused_by(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if !self.causes.last().is_some_and(|last| last.contains(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}
