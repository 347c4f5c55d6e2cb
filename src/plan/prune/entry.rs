//! What becomes of a thing that is wanted no more, and how the plan says it.

use std::sync::Arc;

use crate::model::{Class, Found, ObjectFound, POLICY, ResourceId, ResourceKind};
use crate::plan::decide::whole;
use crate::plan::decision::{Decision, Entry};
use crate::plan::place::World;
use crate::plan::{Action, Block, Change, Effect, Origin, Precondition, Shown, volume};

/// What becomes of a thing that is wanted no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Goes,
    GoesWith(ResourceId),
    Stays(String),
    Refused(Block),
}

impl Fate {
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Goes | Self::GoesWith(_))
    }
}

/// Why something stays that the user does not want to go.
pub(super) const KEPT_BY_YOU: &str = "kept by you";

pub(super) fn kept_because(found: &Found) -> String {
    let why = match (found.class, &found.size) {
        (Class::Data, Some(size)) => format!("it holds data ({size})"),
        (Class::Data, None) => "it holds data".to_owned(),
        (Class::Stateful | Class::Stateless, _) => "it is marked to be kept".to_owned(),
    };
    let place = found.bears.as_ref().and_then(|_| found.lasting()?.namespace.as_ref());
    match place {
        Some(namespace) => format!("{why} in namespace {namespace}"),
        None => why,
    }
}

/// What stays of a release that goes: Helm keeps volumes, claims, definitions, namespaces and what the chart says, and data is
/// kept in any case unless the run includes it.
pub(super) fn left_behind<'f>(
    world: &World<'_>,
    id: &ResourceId,
    found: &'f Found,
) -> Vec<&'f ObjectFound> {
    let include_data = world.request.permits.include_data;
    let of_release = found.objects.iter().filter(|_| id.kind == ResourceKind::Release);
    let live = of_release.filter(|object| object.live.is_some());
    live.filter(|object| outlives(object, include_data)).collect()
}

/// Whether an object of a release that goes stays where it is.
pub(in crate::plan) fn outlives(object: &ObjectFound, include_data: bool) -> bool {
    match object.object.kind.as_str() {
        "CustomResourceDefinition" | "Namespace" => true,
        "PersistentVolumeClaim" | "PersistentVolume" => !include_data,
        _ if object.class == Class::Data => !include_data,
        _ => object.live.as_ref().is_some_and(|live| live.annotation(POLICY) == Some("keep")),
    }
}

/// The plan's entry for a thing that is wanted no more.
pub(super) fn entry(world: &World<'_>, id: &ResourceId, found: &Found, fate: &Fate) -> Entry {
    let mut decision = match fate {
        Fate::Goes => Decision::plain(Action::Delete),
        Fate::GoesWith(host) => Decision::plain(Action::GoesWith { host: host.clone() }),
        Fate::Stays(why) => Decision::plain(Action::Retain { why: why.clone() }),
        Fate::Refused(by) => Decision::blocked(by.clone()),
    };
    if *fate == Fate::Goes {
        decision.precondition = Precondition::of(found);
        let kept = left_behind(world, id, found);
        decision.changes = removed(found, &kept);
        decision.notes.extend(kept.iter().map(|object| format!("{} is kept", object.object)));
    }
    decision.notes.extend(volume::note(found, &decision.action));
    if fate.is_gone() && id.kind == ResourceKind::Cluster && !found.foreign.is_empty() {
        let names: Vec<_> = found.foreign.iter().map(ToString::to_string).collect();
        decision.notes.push(format!("not ours, and goes with it: {}", names.join(", ")));
    }
    Entry { decision, wanted: None, found: Some(Arc::new(found.clone())) }
}

/// All that goes, object by object.
fn removed(found: &Found, kept: &[&ObjectFound]) -> Vec<Change> {
    let effect = |class| if class == Class::Data { Effect::LosesData } else { Effect::InPlace };
    let mut changes: Vec<_> = found
        .objects
        .iter()
        .filter(|object| object.live.is_some() && !kept.contains(object))
        .map(|object| {
            let class = if found.class == Class::Data { found.class } else { object.class };
            let from = Shown::Text("present".to_owned());
            whole(object.object.clone(), (from, Shown::Absent), effect(class), Origin::You)
        })
        .collect();
    if changes.is_empty() {
        changes.push(Change {
            object: None,
            path: String::new(),
            from: Shown::Text(found.size.clone().unwrap_or_else(|| "present".to_owned())),
            to: Shown::Absent,
            effect: effect(found.class),
            origin: Origin::You,
            by: None,
        });
    }
    changes
}
