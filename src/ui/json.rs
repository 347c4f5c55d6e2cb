//! The shapes that scripts read (`--output json|yaml`). Stable: fields are added and never renamed or taken away.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::{Outcome, SkipReason};
use crate::model::{ResourceId, Writer};
use crate::plan::{Action, Change, Effect, Origin, Plan, Shown, Step};

use super::failure::{failure_json, kind_word};
use super::plan::PlanHeader;

/// A plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanDocument {
    /// The project.
    pub project: String,
    /// The flavour.
    pub flavour: String,
    /// The target: where the cluster is.
    pub target: String,
    /// The cluster in words.
    pub cluster: String,
    /// Whether no container runs in it.
    pub simulated: bool,
    /// Whether something will be written.
    #[serde(rename = "hasChanges")]
    pub has_changes: bool,
    /// How many steps of each action.
    pub counts: BTreeMap<&'static str, usize>,
    /// What stands in the way of carrying it out; empty where nothing does.
    pub blocked: Vec<BlockedDocument>,
    /// The steps; what a step waits for stands before it.
    pub steps: Vec<StepDocument>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What stands in the way of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockedDocument {
    /// The resource.
    pub id: ResourceId,
    /// The kind of failure, as in `error`: `foreign`, `protected`, `usage`, …
    pub kind: &'static str,
    /// Why.
    pub because: String,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepDocument {
    /// The resource.
    pub id: ResourceId,
    /// What is done: `create`, `update`, `repair`, `replace`, `adopt`, `delete`, `keep`, `retain`, `use`, `goes-with-host`, `start`,
    /// `deferred`, `waiting` or `blocked`.
    pub action: &'static str,
    /// Why, for what is kept, deferred, waiting or blocked, and for what is not done since something it needs is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The worst effect of its changes: `in-place`, `restart`, `recreate` or `loses-data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<&'static str>,
    /// Field by field.
    pub changes: Vec<ChangeDocument>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The steps that are done before.
    pub after: Vec<ResourceId>,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeDocument {
    /// The object: `Deployment data-mill/kafka`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Where in it: a JSON pointer; empty for the whole object.
    pub path: String,
    /// Before.
    pub from: ShownDocument,
    /// After.
    pub to: ShownDocument,
    /// What it does to what runs.
    pub effect: &'static str,
    /// Who made the difference: `you`, `somebody`, `both` (you, over a change by somebody) or `unknown`.
    pub origin: &'static str,
    /// Who wrote the live value, where the server knows and it was not datamill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<WriterDocument>,
}

/// Who wrote a live value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WriterDocument {
    /// The field manager: `kubectl-edit`.
    pub manager: String,
    /// When it wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A value: `{"text": "…"}`, `"absent"`, `"secret"` or `"unknown"` (known only later). Secrets are never shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ShownDocument {
    /// As text.
    Text(String),
    /// Nothing there.
    Absent,
    /// Masked.
    Secret,
    /// Known only later.
    Unknown,
}

impl PlanDocument {
    /// The plan under its header.
    pub fn new(plan: &Plan, header: &PlanHeader) -> Self {
        let mut counts = BTreeMap::new();
        for step in &plan.steps {
            *counts.entry(action_word(&step.action)).or_insert(0) += 1;
        }
        let skipped = plan.skipped();
        Self {
            project: header.project.clone(),
            flavour: header.flavour.clone(),
            target: header.target.clone(),
            cluster: header.cluster.clone(),
            simulated: header.simulated,
            has_changes: plan.has_changes(),
            counts,
            blocked: plan.steps.iter().filter_map(BlockedDocument::new).collect(),
            steps: plan.steps.iter().map(|step| StepDocument::new(step, &skipped)).collect(),
            notes: plan.notes.clone(),
        }
    }
}

impl BlockedDocument {
    fn new(step: &Step) -> Option<Self> {
        let by = step.action.block()?;
        Some(Self { id: step.id.clone(), kind: kind_word(by.kind()), because: by.says() })
    }
}

impl StepDocument {
    fn new(step: &Step, skipped: &BTreeMap<&ResourceId, &ResourceId>) -> Self {
        let stale = skipped.get(&step.id);
        Self {
            id: step.id.clone(),
            action: action_word(&step.action),
            because: stale
                .map(|stale| format!("not done: it needs `{stale}`, which is out of date"))
                .or_else(|| because(&step.action)),
            effect: step.changes.iter().map(|change| change.effect).max().map(effect_word),
            changes: step.changes.iter().map(ChangeDocument::new).collect(),
            notes: step.all_notes().cloned().collect(),
            after: step.after.iter().cloned().collect(),
        }
    }
}

impl ChangeDocument {
    fn new(change: &Change) -> Self {
        Self {
            object: change.object.as_ref().map(ToString::to_string),
            path: change.path.clone(),
            from: ShownDocument::new(&change.from),
            to: ShownDocument::new(&change.to),
            effect: effect_word(change.effect),
            origin: match change.origin {
                Origin::You => "you",
                Origin::Somebody => "somebody",
                Origin::Both => "both",
                Origin::Unknown => "unknown",
            },
            by: change.by.as_ref().map(WriterDocument::new),
        }
    }
}

impl WriterDocument {
    fn new(by: &Writer) -> Self {
        Self { manager: by.manager.clone(), at: by.at.clone() }
    }
}

impl ShownDocument {
    fn new(shown: &Shown) -> Self {
        match shown {
            Shown::Absent => Self::Absent,
            Shown::Text(text) => Self::Text(text.clone()),
            Shown::Masked => Self::Secret,
            Shown::Unknown => Self::Unknown,
        }
    }
}

/// The action as one word.
pub(super) fn action_word(action: &Action) -> &'static str {
    if let Action::GoesWith { .. } = action { "goes-with-host" } else { action.verb() }
}

/// The effect as one word.
fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::InPlace => "in-place",
        Effect::Restart => "restart",
        Effect::Recreate => "recreate",
        Effect::LosesData => "loses-data",
    }
}

/// Why an action is what it is, where it says so.
fn because(action: &Action) -> Option<String> {
    match action {
        Action::Retain { why } => Some(why.clone()),
        Action::GoesWith { host } => Some(format!("goes with `{host}`")),
        Action::Deferred { on } => Some(format!("known once `{on}` is made")),
        Action::Waiting { on } => Some(format!("waits for `{on}`; a later apply goes on")),
        Action::Blocked { by } => Some(by.says()),
        Action::Create
        | Action::Update
        | Action::Repair
        | Action::Replace
        | Action::Adopt
        | Action::Mark { .. }
        | Action::Delete
        | Action::Keep
        | Action::Use
        | Action::Start => None,
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutcomeDocument {
    /// `done`, `assumed`, `started`, `failed` or `skipped`.
    pub outcome: &'static str,
    /// What was assumed, since no container runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The failure: `kind`, `exit`, `message`, `causes`, `hints`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<serde_json::Value>,
}

impl OutcomeDocument {
    /// The outcome.
    pub fn new(outcome: &Outcome) -> Self {
        let bare = |outcome| Self { outcome, assumed: Vec::new(), because: None, error: None };
        match outcome {
            Outcome::Done => bare("done"),
            Outcome::Assumed(what) => Self { assumed: what.clone(), ..bare("assumed") },
            Outcome::Started => bare("started"),
            Outcome::Failed(failure) => {
                Self { error: Some(failure_json(failure)), ..bare("failed") }
            }
            Outcome::Skipped(reason) => Self { because: Some(skipped(reason)), ..bare("skipped") },
        }
    }
}

/// Why a step was not begun, in words.
pub(super) fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::NeedFailed(id) => format!("`{id}` failed"),
        SkipReason::Interrupted => "the run was interrupted".to_owned(),
        SkipReason::LockLost => "the run lost the lock of its target".to_owned(),
        SkipReason::FailFast(id) => format!("`{id}` failed, and `--fail-fast` was given"),
        SkipReason::Waiting(id) => format!("it waits for `{id}`"),
        SkipReason::Deferred(id) => format!("it is decided once `{id}` is there; apply again"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{header, sample};
    use super::*;

    #[test]
    fn a_plan_has_a_stable_shape() {
        let document = serde_json::to_value(PlanDocument::new(&sample(), &header())).unwrap();
        assert_eq!(document["project"], "demo");
        assert_eq!(document["simulated"], true);
        assert_eq!(document["hasChanges"], true);
        assert_eq!(document["counts"]["create"], 1);
        let step = document["steps"].as_array().unwrap();
        let update = step.iter().find(|step| step["action"] == "update").unwrap();
        assert_eq!(update["id"], "kafka/release/kafka");
        assert_eq!(update["effect"], "restart");
        assert_eq!(update["after"][0], "target/cluster/datamill-demo");
        assert_eq!(update["changes"][0]["from"]["text"], "1");
        assert_eq!(update["changes"][0]["origin"], "you");
        assert_eq!(update["changes"][1]["to"], "secret");
    }

    #[test]
    fn why_something_is_not_done_is_said() {
        let document = serde_json::to_value(PlanDocument::new(&sample(), &header())).unwrap();
        let steps = document["steps"].as_array().unwrap();
        let blocked = steps.iter().find(|step| step["action"] == "blocked").unwrap();
        assert!(blocked["because"].as_str().unwrap().contains("belongs to"));
        assert_eq!(document["blocked"][0]["id"], "x/objects/y");
        assert_eq!(document["blocked"][0]["kind"], "foreign");
    }
}
