//! A plan in numbers: how many steps of each action, whether anything changes, and why it may not run.

use std::collections::BTreeMap;

use super::{Block, Plan};
use crate::model::FailureKind;

impl Plan {
    /// How many steps there are of each action's word, those without a step left out.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for step in &self.steps {
            *counts.entry(step.action.verb()).or_default() += 1;
        }
        counts
    }

    /// Whether anything is written.
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|step| step.action.changes_something())
    }

    /// Why the plan may not run, as the kind that decides the exit code; nothing when it may.
    pub fn blocked(&self) -> Option<FailureKind> {
        self.steps
            .iter()
            .filter_map(|step| Some(step.action.block()?.kind()))
            .min_by_key(|kind| kind.rank())
    }
}

impl Block {
    /// The kind of failure it is, hence the exit code.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Foreign { .. } => FailureKind::Foreign,
            Self::Protected { .. } | Self::Unapproved { .. } | Self::Needed { .. } => {
                FailureKind::Protected
            }
            Self::Preflight { .. } | Self::Unreachable { .. } => FailureKind::Preflight,
            Self::MissingNeed { .. } => FailureKind::Usage,
            Self::Held { .. } => FailureKind::Locked,
            Self::Stale { .. } => FailureKind::Stale,
        }
    }

    /// The reason in words.
    pub fn says(&self) -> String {
        match self {
            Self::Foreign { object, owner } => format!("{object} belongs to {owner}"),
            Self::Protected { why }
            | Self::Unapproved { why, .. }
            | Self::Preflight { why }
            | Self::Stale { why } => why.clone(),
            Self::Needed { by } => {
                let names: Vec<_> = by.iter().map(|id| format!("`{id}`")).collect();
                format!("needed by {}", names.join(", "))
            }
            Self::MissingNeed { need } => format!("needs `{need}`, which is not there"),
            Self::Held { by } => format!("another run holds it: {by}"),
            Self::Unreachable { because } => format!("cannot look: {because}"),
        }
    }
}
