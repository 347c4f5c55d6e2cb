//! A step as a saved plan holds it: what was approved, and what it relies on. Without secrets: keyed digests stand for them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::seal::Seal;
use super::{Action, Change, Effect, Precondition, Shown, Step};
use crate::model::{Class, Digest, ObjectRef, Redactor, Resource, ResourceId, Spec};

/// A step of a saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedStep {
    /// The resource.
    #[schemars(with = "String")]
    pub id: ResourceId,
    /// What is done: `create`, `update`, `repair`, `replace`, `adopt`, `delete`, `keep`, `retain`, `use`, `goes-with-host`,
    /// `start`, `deferred` or `waiting`.
    pub action: String,
    /// With `goes-with-host`, `deferred` and `waiting`: the other resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub on: Option<ResourceId>,
    /// `data`, `stateful` or `stateless`.
    #[schemars(with = "String")]
    pub class: Class,
    /// The steps that are done before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "BTreeSet<String>")]
    pub after: BTreeSet<ResourceId>,
    /// The keyed digest of what it is made from, rendered; nothing for what goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub inputs: Option<Digest>,
    /// Outputs of others that were not known when the plan was made.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
    /// What must still be so directly before the write.
    pub relies_on: SavedPrecondition,
    /// The live objects that were compared, each with the keyed digest of its compared fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub objects: BTreeMap<String, Digest>,
    /// Field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<SavedChange>,
}

/// What must still be so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SavedPrecondition {
    /// Nothing to check.
    Nothing,
    /// It must not be there.
    Absent,
    /// It must be the same.
    Unchanged {
        /// Uid per object, or of the thing itself under the empty key.
        uids: BTreeMap<String, String>,
        /// The keyed digest of the live fields.
        #[schemars(with = "Option<String>")]
        fields: Option<Digest>,
    },
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedChange {
    /// The object: `Deployment data-mill/kafka`; nothing where the resource is no set of objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Where in it: a JSON pointer; empty for the whole object.
    pub path: String,
    /// Before.
    pub from: SavedValue,
    /// After.
    pub to: SavedValue,
    /// What it does to what runs.
    pub effect: SavedEffect,
}

/// A value. A text that holds a secret is written as its keyed digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SavedValue {
    /// As text.
    Text(String),
    /// A text with a secret in it, as its keyed digest.
    Hidden(#[schemars(with = "String")] Digest),
    /// Nothing there.
    Absent,
    /// A secret; what it is made from counts in the step's `inputs`, what is live in its `objects`.
    Secret,
    /// Known only later.
    Unknown,
}

/// What a change does to what runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SavedEffect {
    /// Nothing restarts.
    InPlace,
    /// Pods restart.
    Restart,
    /// It goes and is made anew.
    Recreate,
    /// Data goes.
    LosesData,
}

impl SavedStep {
    /// A step as it is approved.
    pub fn of(step: &Step, seal: &Seal, redactor: &Redactor) -> Self {
        let rendered = step.wanted.as_ref().and_then(|wanted| wanted.rendered.as_ref());
        Self {
            id: step.id.clone(),
            action: action_word(&step.action).to_owned(),
            on: on(&step.action).cloned(),
            class: class(step),
            after: step.after.clone(),
            inputs: inputs(step, seal),
            unknown: rendered
                .into_iter()
                .flat_map(|rendered| &rendered.unknown)
                .map(crate::model::Leaf::shown)
                .collect(),
            relies_on: SavedPrecondition::of(&step.precondition, seal),
            objects: objects(step, seal),
            changes: step.changes.iter().map(|c| SavedChange::of(c, seal, redactor)).collect(),
        }
    }
}

impl SavedPrecondition {
    pub(super) fn of(precondition: &Precondition, seal: &Seal) -> Self {
        match precondition {
            Precondition::Nothing => Self::Nothing,
            Precondition::Absent => Self::Absent,
            Precondition::Unchanged { uids, fields } => Self::Unchanged {
                uids: uids.clone(),
                fields: fields.as_ref().map(|fields| seal.of(fields.as_str())),
            },
        }
    }
}

impl SavedChange {
    fn of(change: &Change, seal: &Seal, redactor: &Redactor) -> Self {
        Self {
            object: change.object.as_ref().map(ObjectRef::to_string),
            path: change.path.clone(),
            from: SavedValue::of(&change.from, seal, redactor),
            to: SavedValue::of(&change.to, seal, redactor),
            effect: SavedEffect::of(change.effect),
        }
    }
}

impl SavedValue {
    fn of(shown: &Shown, seal: &Seal, redactor: &Redactor) -> Self {
        match shown {
            Shown::Absent => Self::Absent,
            Shown::Masked => Self::Secret,
            Shown::Unknown => Self::Unknown,
            Shown::Text(text) if redactor.redact(text) == *text => Self::Text(text.clone()),
            Shown::Text(text) => Self::Hidden(seal.of(text)),
        }
    }

    /// Whether a value is the one that was saved. Which texts hold secrets may be known better by now.
    pub(super) fn is(&self, now: &Shown, seal: &Seal) -> bool {
        match (self, now) {
            (Self::Absent, Shown::Absent)
            | (Self::Secret, Shown::Masked)
            | (Self::Unknown, Shown::Unknown) => true,
            (Self::Text(saved), Shown::Text(now)) => saved == now,
            (Self::Hidden(saved), Shown::Text(now)) => *saved == seal.of(now),
            (
                Self::Absent | Self::Secret | Self::Unknown | Self::Text(_) | Self::Hidden(_),
                Shown::Absent | Shown::Masked | Shown::Unknown | Shown::Text(_),
            ) => false,
        }
    }
}

impl SavedEffect {
    pub(super) fn of(effect: Effect) -> Self {
        match effect {
            Effect::InPlace => Self::InPlace,
            Effect::Restart => Self::Restart,
            Effect::Recreate => Self::Recreate,
            Effect::LosesData => Self::LosesData,
        }
    }
}

/// The action as one word, the same in every document.
pub fn action_word(action: &Action) -> &'static str {
    if let Action::GoesWith { .. } = action { "goes-with-host" } else { action.verb() }
}

/// The other resource that an action names.
pub(super) fn on(action: &Action) -> Option<&ResourceId> {
    match action {
        Action::GoesWith { host } => Some(host),
        Action::Deferred { on } | Action::Waiting { on } => Some(on),
        Action::Create
        | Action::Update
        | Action::Repair
        | Action::Replace
        | Action::Adopt
        | Action::Mark { .. }
        | Action::Delete
        | Action::Keep
        | Action::Retain { .. }
        | Action::Use
        | Action::Start
        | Action::Blocked { .. } => None,
    }
}

fn class(step: &Step) -> Class {
    let found = step.found.as_ref().map(|found| found.class);
    let wanted = step.wanted.as_ref().map(|wanted| wanted.class);
    found.into_iter().chain(wanted).min().unwrap_or(Class::Stateless)
}

/// The digest of what a step's resource is made from.
pub(super) fn inputs(step: &Step, seal: &Seal) -> Option<Digest> {
    let wanted: &Resource = step.wanted.as_deref()?;
    if let Some(rendered) = &wanted.rendered {
        return Some(seal.of(rendered.inputs.as_str()));
    }
    let shape = match &wanted.spec {
        Spec::Cluster(spec) => json!(spec),
        Spec::Cloud(spec) => {
            json!(spec.fields.iter().map(|(key, v)| (key, v.shown())).collect::<BTreeMap<_, _>>())
        }
        // What only looks writes nothing.
        Spec::Kubernetes(_) => return None,
    };
    Some(seal.of(Digest::of_json(&shape).as_str()))
}

/// The live objects that were compared, each with the digest of what was seen of it.
pub(super) fn objects(step: &Step, seal: &Seal) -> BTreeMap<String, Digest> {
    let found = step.found.iter().flat_map(|found| &found.objects);
    found
        .filter(|object| object.live.is_some())
        .map(|object| {
            let fields = object.version.fields.as_ref().map_or("", Digest::as_str);
            let uid = object.version.uid.as_deref().unwrap_or_default();
            (object.object.to_string(), seal.of(&format!("{uid} {fields}")))
        })
        .collect()
}
