//! Clusters and a cloud's things: their fields, compared with what is wanted.

use serde_json::{Map, Value as Json};

use super::decide::{Decision, Fill, changes};
use super::{Action, Block, Change, Effect, Origin, Permits, Shown, diff};
use crate::model::{Class, CloudSpec, ClusterSpec, Found, Leaf, Resource};

/// A cluster of ours that runs. What nobody recorded about it is taken to be as wanted.
pub(super) fn cluster(spec: &ClusterSpec, found: &Found) -> Decision {
    let wanted = match serde_json::to_value(spec) {
        Ok(Json::Object(map)) => map,
        Ok(_) | Err(_) => Map::new(),
    };
    // The variant's name stands around the fields; a provider may have left it out.
    let whole = Json::Object(wanted.clone());
    let (_, inner) = wanted.into_iter().next().unwrap_or_default();
    let wrapped = found.fields.get("Kwok").or_else(|| found.fields.get("Existing")).is_some();
    let wanted = if wrapped { whole } else { narrowed_to(&found.fields, inner) };
    let changes = changes(None, diff::fields(&found.fields, &wanted), Origin::You);
    let action = if changes.is_empty() { Action::Keep } else { Action::Update };
    Decision { changes, ..Decision::plain(action) }
}

/// The wanted fields that were recorded at all.
fn narrowed_to(recorded: &Json, wanted: Json) -> Json {
    match wanted {
        Json::Object(map) => {
            Json::Object(map.into_iter().filter(|(key, _)| recorded.get(key).is_some()).collect())
        }
        other @ (Json::Null
        | Json::Bool(_)
        | Json::Number(_)
        | Json::String(_)
        | Json::Array(_)) => other,
    }
}

/// A cloud's thing of ours. A changed field that cannot change in place means making it anew.
pub(super) fn cloud(
    wanted: &Resource,
    spec: &CloudSpec,
    found: &Found,
    permits: &Permits,
    fill: Fill<'_>,
) -> Decision {
    let mut resolve = |leaf: &Leaf| fill(leaf).unwrap_or_else(|| Json::String(leaf.shown()));
    let fields: Map<_, _> =
        spec.fields.iter().map(|(key, value)| (key.clone(), value.to_json(&mut resolve))).collect();
    let differences = diff::fields(&found.fields, &Json::Object(fields));
    let mut changes = changes(None, differences, origin(found));
    let rebuild = changes.iter().any(|change| is_immutable(spec, change));
    if changes.is_empty() {
        return Decision::plain(Action::Keep);
    }
    if !rebuild {
        return Decision { changes, ..Decision::plain(Action::Update) };
    }
    if wanted.class == Class::Data && !permits.include_data {
        let why = format!("it holds data and {} cannot change in place", named(spec, &changes));
        return Decision { changes, ..Decision::blocked(Block::Protected { why }) };
    }
    if permits.production && wanted.class != Class::Stateless {
        let why = format!("{} cannot change in place", named(spec, &changes));
        return Decision { changes, ..Decision::blocked(Block::Protected { why }) };
    }
    let effect = if wanted.class == Class::Data { Effect::LosesData } else { Effect::Recreate };
    for change in changes.iter_mut().filter(|change| is_immutable(spec, change)) {
        change.effect = effect;
    }
    Decision { changes, ..Decision::plain(Action::Replace) }
}

/// Without a record of the last apply nobody can tell who changed a field.
fn origin(found: &Found) -> Origin {
    if found.applied.is_some() { Origin::You } else { Origin::Unknown }
}

fn is_immutable(spec: &CloudSpec, change: &Change) -> bool {
    let field = change.path.split('/').nth(1).unwrap_or_default();
    spec.immutable.contains(field)
}

/// The immutable fields that changed, for a sentence.
fn named(spec: &CloudSpec, changes: &[Change]) -> String {
    let names: Vec<_> = changes
        .iter()
        .filter(|change| is_immutable(spec, change))
        .map(|change| match &change.to {
            Shown::Text(to) => format!("`{}` ({to})", change.path),
            Shown::Absent | Shown::Masked | Shown::Unknown => format!("`{}`", change.path),
        })
        .collect();
    names.join(", ")
}
