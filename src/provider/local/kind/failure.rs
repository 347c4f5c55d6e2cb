//! The failures of a kind cluster, with what is known about them.

use super::{Kind, says};
use crate::adapter::engine::EngineError;
use crate::model::{Failure, FailureKind};

impl Kind {
    pub(super) fn failure(&self, verb: &str) -> Failure {
        let name = &self.name;
        Failure::new(FailureKind::Preflight, format!("cannot {verb} the kind cluster `{name}`"))
    }

    /// What the container engine said, with what to do about it.
    pub(super) fn engine_failure(&self, verb: &str, error: &EngineError) -> Failure {
        let failure = self.failure(verb);
        match (error, error.hint()) {
            (EngineError::Refused { says }, _) => says::explain(failure, says),
            (EngineError::Stopped, _) => {
                Failure { kind: FailureKind::Interrupted, ..failure }.caused_by(error)
            }
            (_, Some(hint)) => failure.caused_by(error).hint(hint),
            (_, None) => failure.caused_by(error),
        }
    }

    /// A cluster of our name that is not ours.
    pub(super) fn foreign(&self) -> Failure {
        foreign(&self.name, None)
    }
}

/// What is said of a kind cluster that bears our name and not our mark, or that of somebody named.
pub(in crate::provider::local) fn foreign(name: &str, owner: Option<&str>) -> Failure {
    let what = match owner {
        Some(owner) => format!("the kind cluster `{name}` belongs to {owner}"),
        None => format!("a kind cluster `{name}` is there, and datamill did not make it"),
    };
    Failure::new(FailureKind::Foreign, what)
        .because("its containers bear no mark of this project; what is not ours is never changed")
        .hint(format!("use it as it is:\n    datamill plan -k --context kind-{name}"))
        .hint(format!(
            "or remove it with all that is in it:\n    kind delete cluster --name {name}"
        ))
        .hint("or give the project another name by `project.name`")
}
