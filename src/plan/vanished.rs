//! What was there and is not any more: something that was made after it, and bears its name among its needs, still is. Whose the
//! loss is can be said then, and that data went is said loudly.

use super::decision::{Entries, Entry, is_data};
use super::place::World;
use super::{Action, Origin, Shown};
use crate::model::{Found, Owner, ResourceId};

/// Says of what is made again that somebody took it away, and of data that it is gone.
pub(super) fn tell(world: &World<'_>, entries: &mut Entries) {
    for (id, entry) in entries.iter_mut() {
        if entry.decision.action != Action::Create || !was_there(world, id) {
            continue;
        }
        for change in &mut entry.decision.changes {
            if change.path.is_empty() && change.from == Shown::Absent {
                change.origin = Origin::Somebody;
            }
        }
        entry.decision.notes.extend(gone(world, id, entry));
    }
}

/// Whether something of ours was made when it was there. Needs are written with each apply, and only once they are met. Where
/// something lies elsewhere that bears the id, that met them; but for what its instance has in the very place.
fn was_there(world: &World<'_>, id: &ResourceId) -> bool {
    let found = &world.request.snapshot.discovered.found;
    let is_elsewhere = found.values().any(|found| found.bears.as_ref() == Some(id));
    let beside = |other: &ResourceId, found: &Found| {
        other.scope == id.scope && found.host.as_ref() == world.host(id)
    };
    found.iter().any(|(other, found)| {
        found.owner == Owner::Ours
            && found.needs.contains(id)
            && (!is_elsewhere || beside(other, found))
    })
}

fn gone(world: &World<'_>, id: &ResourceId, entry: &Entry) -> Option<String> {
    if !is_data(entry.wanted.as_deref(), entry.found.as_deref()) {
        return None;
    }
    Some(if world.lives_simulated(id) {
        "it was there and is gone; no data was in it, since its cluster is simulated".to_owned()
    } else {
        "DATA IS GONE: it was there, and somebody deleted it. It is made anew, empty. Its bytes are left only where its volume \
         outlived it: `kubectl get pv`"
            .to_owned()
    })
}
