//! What was decided about a resource, beside what was wanted and found.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Action, Block, Change, Precondition};
use crate::model::{Class, Found, Leaf, Resource, ResourceId};

/// What is done to one resource, and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decision {
    /// What is done.
    pub(super) action: Action,
    /// Field by field.
    pub(super) changes: Vec<Change>,
    /// For a person.
    pub(super) notes: Vec<String>,
    /// What reads values that it draws anew.
    pub(super) readers: Vec<String>,
    /// What must still be so.
    pub(super) precondition: Precondition,
}

impl Decision {
    /// An action without changes, notes and precondition.
    pub(super) fn plain(action: Action) -> Self {
        Self {
            action,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
            precondition: Precondition::Nothing,
        }
    }

    /// A step that cannot be done.
    pub(super) fn blocked(by: Block) -> Self {
        Self::plain(Action::Blocked { by })
    }

    /// Adds a line for a person.
    #[must_use]
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// Fills the places in a cloud's spec that are known already; nothing for those that are not.
pub(super) type Fill<'a> = &'a dyn Fn(&Leaf) -> Option<serde_json::Value>;

/// A decided resource.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What is done.
    pub(super) decision: Decision,
    /// As wanted.
    pub(super) wanted: Option<Arc<Resource>>,
    /// As found.
    pub(super) found: Option<Arc<Found>>,
}

/// Decided resources by id.
pub(super) type Entries = BTreeMap<ResourceId, Entry>;

/// Whether data is in a resource of this class by its wanted or its written class.
pub(super) fn is_data(wanted: Option<&Resource>, found: Option<&Found>) -> bool {
    wanted.is_some_and(|wanted| wanted.class == Class::Data)
        || found.is_some_and(|found| found.class == Class::Data)
}
