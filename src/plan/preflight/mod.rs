//! What stands in a plan's way before its first write: rights, webhooks, namespaces, storage, room, quotas. Facts are gathered
//! by the provider; here they are judged. Pure: the same plan and facts give the same findings.

mod access;
mod api;
mod capacity;
mod namespace;
mod node;
mod pack;
mod pod;
mod quantity;
mod quota;
mod read;
mod refused;
mod storage;
mod webhook;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

pub use access::{Access, Grants, Rule, needed};
pub use refused::no_node;
pub use webhook::{backend, services};
pub use wish::{Served, ServedKinds, Wishes};

use super::{Action, Block, Plan, Step};
use crate::model::{Failure, FailureKind, Object, ResourceId};

/// One of the things that are looked into; each can be left out by its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Whether this account may do what the plan does.
    Permissions,
    /// Webhooks that refuse everything since nobody answers for them.
    Webhooks,
    /// API groups that do not answer.
    ApiServices,
    /// Namespaces that are on their way out.
    Namespaces,
    /// Storage classes that claims rely on.
    Storage,
    /// Room on the nodes.
    Capacity,
    /// API versions that the cluster no longer serves.
    Apis,
    /// Quotas and limits of namespaces.
    Quotas,
    /// What components say they require.
    Requirements,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Permissions,
        Self::Webhooks,
        Self::ApiServices,
        Self::Namespaces,
        Self::Storage,
        Self::Capacity,
        Self::Apis,
        Self::Quotas,
        Self::Requirements,
    ];

    /// The word for the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Permissions => "permissions",
            Self::Webhooks => "webhooks",
            Self::ApiServices => "api-services",
            Self::Namespaces => "namespaces",
            Self::Storage => "storage",
            Self::Capacity => "capacity",
            Self::Apis => "apis",
            Self::Quotas => "quotas",
            Self::Requirements => "requirements",
        }
    }

    /// Reads the word back; `all` stands for each of them.
    pub fn from_word(word: &str) -> Option<BTreeSet<Self>> {
        if word == "all" {
            return Some(Self::ALL.into());
        }
        Self::ALL.into_iter().find(|check| check.word() == word).map(|check| [check].into())
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The run would fail: nothing is begun.
    Blocking,
    /// The run may fail; with `--strict` nothing is begun.
    Warning,
    /// Something could not be looked into.
    Note,
}

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// By which check.
    pub check: Check,
    /// How bad it is.
    pub severity: Severity,
    /// The steps it is about; none where it is about the cluster.
    pub steps: BTreeSet<ResourceId>,
    /// What, in a line.
    pub what: String,
    /// Why, a line each.
    pub why: Vec<String>,
    /// What to do. Commands and files stand alone on indented lines.
    pub todo: Vec<String>,
}

impl Finding {
    fn new(check: Check, severity: Severity, what: impl Into<String>) -> Self {
        Self {
            check,
            severity,
            steps: BTreeSet::new(),
            what: what.into(),
            why: Vec::new(),
            todo: Vec::new(),
        }
    }

    fn about<'a>(mut self, steps: impl IntoIterator<Item = &'a ResourceId>) -> Self {
        self.steps.extend(steps.into_iter().cloned());
        self
    }

    fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo.push(todo.into());
        self
    }
}

/// What is known of the cluster beyond the snapshot. What was not asked, or could not be, is absent: nothing is judged then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Kubernetes version without `v`.
    pub version: String,
    /// What the cluster serves.
    pub served: Option<ServedKinds>,
    /// What this account may; nothing where it may do everything.
    pub grants: Option<Grants>,
    /// Mutating and validating webhook configurations.
    pub webhooks: Option<Vec<Object>>,
    /// Of the Services behind webhooks and API services, whether something answers for them.
    pub backends: BTreeMap<(String, String), Backend>,
    /// API services.
    pub api_services: Option<Vec<Object>>,
    /// Namespaces.
    pub namespaces: Option<Vec<Object>>,
    /// What is left in namespaces that are on their way out, and the finalizers that hold it.
    pub held: BTreeMap<String, Vec<String>>,
    /// Storage classes.
    pub storage_classes: Option<Vec<Object>>,
    /// Nodes.
    pub nodes: Option<Vec<Object>>,
    /// Pods that are not over.
    pub pods: Option<Vec<Object>>,
    /// Runtime classes, when a pod of the plan names one.
    pub runtime_classes: Vec<Object>,
    /// Quotas of the namespaces of the plan.
    pub quotas: Option<Vec<Object>>,
    /// Limit ranges of the namespaces of the plan.
    pub limit_ranges: Option<Vec<Object>>,
    /// Whether nodes come by themselves where there are too few.
    pub autoscaler: bool,
    /// What could not be asked, and why.
    pub unasked: BTreeMap<Check, String>,
}

/// Whether something answers for a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// At least one ready endpoint.
    Ready,
    /// The Service is there, and nobody answers.
    Silent,
    /// There is no such Service.
    Missing,
}

/// What the user decided about preflight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Checks that are left out.
    pub skip: BTreeSet<Check>,
    /// Warnings stop the run as well.
    pub strict: bool,
}

/// Whether there is anything to look into: a plan that writes nothing costs nothing.
pub fn concerns(plan: &Plan) -> bool {
    let asks = |step: &Step| wish::is_unseen(&step.action) || step.is_kept_unseen();
    plan.has_changes() || plan.steps.iter().any(asks)
}

/// Judges a plan. Findings stand in the order of the checks, the worst first within each.
pub fn judge(plan: &Plan, facts: &Facts, rules: &Rules) -> Vec<Finding> {
    let wishes = Wishes::of(plan);
    let mut findings = Vec::new();
    for check in Check::ALL.into_iter().filter(|check| !rules.skip.contains(check)) {
        let mut found = match check {
            Check::Permissions => access::findings(&wishes, facts),
            Check::Webhooks => webhook::findings(&wishes, facts),
            Check::ApiServices => webhook::api_services(&wishes, facts),
            Check::Namespaces => namespace::findings(&wishes, facts),
            Check::Storage => storage::findings(&wishes, facts),
            Check::Capacity => capacity::findings(&wishes, facts),
            Check::Apis => api::findings(&wishes, facts),
            Check::Quotas => quota::findings(&wishes, facts),
            // Looked into before there is a plan: what the cluster lacks decides what can be planned.
            Check::Requirements => Vec::new(),
        };
        found.sort_by_key(|finding| finding.severity);
        findings.extend(found);
    }
    findings.extend(unasked(facts, rules));
    if rules.strict {
        for finding in findings.iter_mut().filter(|f| f.severity == Severity::Warning) {
            finding.severity = Severity::Blocking;
        }
    }
    findings
}

/// What could not be looked into, in one note: an account with few rights would read nothing else.
fn unasked(facts: &Facts, rules: &Rules) -> Option<Finding> {
    let missed = || facts.unasked.iter().filter(|(check, _)| !rules.skip.contains(check));
    let (first, why) = missed().next()?;
    let words: Vec<_> = missed().map(|(check, _)| check.word()).collect();
    let what = format!("could not be checked: {}", words.join(", "));
    Some(Finding::new(*first, Severity::Note, what).because(why))
}

/// Writes findings into a plan: what stops the run on the steps that it concerns, the rest as notes. The plan stays whole.
pub fn attach(plan: &mut Plan, findings: &[Finding]) {
    for finding in findings {
        if finding.severity == Severity::Blocking {
            for step in plan.steps.iter_mut().filter(|step| finding.steps.contains(&step.id)) {
                if step.action.block().is_some() {
                    step.notes.push(finding.what.clone());
                } else {
                    step.action =
                        Action::Blocked { by: Block::Preflight { why: finding.what.clone() } };
                    // A table that concerns everything is told once, by the failure.
                    if finding.check != Check::Permissions {
                        step.notes.extend(finding.why.iter().cloned());
                    }
                }
            }
        }
        if finding.severity != Severity::Blocking || finding.steps.is_empty() {
            plan.notes.push(note(finding));
        }
    }
}

fn note(finding: &Finding) -> String {
    let details = match finding.why.as_slice() {
        [] => String::new(),
        why => format!(": {}", why.join("; ")),
    };
    let todo = finding.todo.iter().find(|todo| !todo.contains('\n'));
    let todo = todo.map(|todo| format!(" ({todo})")).unwrap_or_default();
    let about = match finding.severity {
        Severity::Blocking | Severity::Warning => format!(" {}", finding.check.word()),
        Severity::Note => String::new(),
    };
    format!("preflight{about}: {}{details}{todo}", finding.what)
}

/// The failure of what stops the run; nothing when nothing does.
pub fn failure(findings: &[Finding]) -> Option<Failure> {
    let mut blocking = findings.iter().filter(|f| f.severity == Severity::Blocking).peekable();
    blocking.peek()?;
    let what = "the cluster is not ready for this plan; nothing was changed";
    let mut failure = Failure::new(FailureKind::Preflight, what);
    let mut checks = BTreeSet::new();
    for finding in blocking {
        failure.causes.push(finding.what.clone());
        failure.causes.extend(finding.why.iter().map(|why| format!("  {why}")));
        for todo in &finding.todo {
            if !failure.hints.contains(todo) {
                failure.hints.push(todo.clone());
            }
        }
        checks.insert(finding.check.word());
    }
    let checks: Vec<_> = checks.into_iter().collect();
    Some(failure.hint(format!("if you know better: add --skip-preflight {}", checks.join(","))))
}

/// What to do about rights that are missing and stop nothing.
pub fn rights(findings: &[Finding]) -> Vec<String> {
    let missing = |finding: &&Finding| {
        finding.check == Check::Permissions && finding.severity == Severity::Warning
    };
    findings.iter().filter(missing).flat_map(|finding| finding.todo.clone()).collect()
}

#[cfg(test)]
mod tests;
