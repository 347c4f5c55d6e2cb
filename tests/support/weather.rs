//! What may happen around a run: calls that take their time, things that settle slowly, calls that go wrong. So random runs are
//! seen in many orders.

use std::time::Duration;

use datamill::model::ResourceKind;
use proptest::prelude::*;

use super::lab::Lab;
use super::world::Fault;

const KINDS: [ResourceKind; 8] = [
    ResourceKind::Secret,
    ResourceKind::Claim,
    ResourceKind::Release,
    ResourceKind::Objects,
    ResourceKind::Network,
    ResourceKind::FileSystem,
    ResourceKind::MountTarget,
    ResourceKind::Bucket,
];

/// What happens around one run.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    /// How long a call takes, and how often a new thing is looked at before it is ready, by kind.
    kinds: Vec<(u64, usize)>,
    /// What goes wrong, by effect.
    faults: Vec<(usize, Fault)>,
}

/// Delays and faults after which a rerun may be needed.
pub(crate) fn weathers() -> impl Strategy<Value = Weather> {
    let faults = prop_oneof![
        Just(Fault::Throttle),
        Just(Fault::Refuse),
        Just(Fault::Panic),
        Just(Fault::Forget),
        Just(Fault::Kill),
    ];
    let faults = proptest::collection::vec((0..50_usize, faults), 0..4);
    let kinds = proptest::collection::vec((0..2000_u64, 0..4_usize), KINDS.len());
    (kinds, faults).prop_map(|(kinds, faults)| Weather { kinds, faults })
}

impl Weather {
    /// Begins a run in this weather.
    pub(crate) fn over(&self, lab: &Lab) {
        lab.world.revive();
        let ids = lab.world.ids();
        for id in lab.desired.resources.keys().chain(&ids) {
            let at = KINDS.iter().position(|kind| *kind == id.kind);
            if let Some((millis, looks)) = at.and_then(|at| self.kinds.get(at)) {
                lab.world.takes(&id.to_string(), Duration::from_millis(*millis));
                lab.world.settles_for(&id.to_string(), *looks);
            }
        }
        for (effect, fault) in &self.faults {
            lab.world.fault_at(*effect, *fault);
        }
    }
}
