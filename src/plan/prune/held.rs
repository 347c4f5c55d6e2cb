//! What stays holds back what it needs.

use std::collections::BTreeMap;

use super::entry::Fate;
use crate::model::{ResourceId, Scope};
use crate::plan::place::World;

/// What stays, by what it holds back: what it needs and lives in, and the whole instance behind a need that only looks.
pub(super) struct Held<'a> {
    ids: BTreeMap<&'a ResourceId, &'a ResourceId>,
    instances: BTreeMap<&'a Scope, &'a ResourceId>,
}

impl<'a> Held<'a> {
    pub(super) fn by(world: &World<'a>, going: &BTreeMap<&'a ResourceId, Fate>) -> Self {
        let mut held = Self { ids: BTreeMap::new(), instances: BTreeMap::new() };
        for (id, _) in going.iter().filter(|(_, fate)| matches!(fate, Fate::Stays(_))) {
            let Some(found) = world.discovered(id) else { continue };
            for need in found.needs.iter().chain(&found.host) {
                if need.kind.only_looks() && need.scope != Scope::Target {
                    held.instances.entry(&need.scope).or_insert(id);
                }
                held.ids.entry(need).or_insert(id);
            }
        }
        held
    }

    pub(super) fn by_what(&self, id: &ResourceId) -> Option<&'a ResourceId> {
        self.ids.get(id).or_else(|| self.instances.get(&id.scope)).copied()
    }
}
