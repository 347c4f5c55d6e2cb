//! What the engine will skip of a plan although nothing is wrong with it: something that it needs is not what was approved.

use std::collections::BTreeMap;

use super::{Action, Block, Plan, Step};
use crate::model::ResourceId;

/// The steps that are skipped, with the stale one that each needs.
pub(super) type Skipped<'a> = BTreeMap<&'a ResourceId, &'a ResourceId>;

/// What stands behind the id of such a step.
pub(super) fn needs(step: &Step, stale: &ResourceId) -> String {
    format!("{}: needs {stale}, which is out of date", step.action.verb())
}

impl Plan {
    /// The steps that change something and are skipped, since something they need is stale: which, and what is.
    pub fn skipped(&self) -> BTreeMap<&ResourceId, &ResourceId> {
        // Through what is left as it is the engine comes to what needs it, so that is followed, too.
        let mut behind: BTreeMap<&ResourceId, &ResourceId> = BTreeMap::new();
        let mut skipped = BTreeMap::new();
        for step in &self.steps {
            if matches!(step.action, Action::Blocked { by: Block::Stale { .. } }) {
                behind.insert(&step.id, &step.id);
                continue;
            }
            let Some(stale) = step.after.iter().find_map(|need| behind.get(need).copied()) else {
                continue;
            };
            let stays = matches!(step.action, Action::Retain { .. } | Action::Blocked { .. });
            if !stays || step.saves_volume() {
                behind.insert(&step.id, stale);
            }
            if step.action.changes_something() {
                skipped.insert(&step.id, stale);
            }
        }
        skipped
    }
}
