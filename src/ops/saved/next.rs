//! What to say after a saved plan was applied: what was done and what was not, and the one command that goes on from there.

use std::collections::BTreeMap;
use std::path::Path;

use super::document::SavedPlan;
use crate::engine::{Outcome, Report, SkipReason};
use crate::model::{Failure, FailureKind, ResourceId};
use crate::ops::draw::Goal;
use crate::plan::{Block, Plan};
use crate::ui::NextCommand;

/// The commands below the report. Those of a run without a saved plan know nothing of its options.
pub(super) fn commands(
    saved: &SavedPlan,
    file: &Path,
    report: &Report,
    usual: Vec<NextCommand>,
) -> Vec<NextCommand> {
    let place = saved.request.place().join(" ");
    let here = |(command, what): NextCommand| (format!("{command} {place}"), what);
    match report.failure_kind() {
        None => usual.into_iter().map(here).collect(),
        Some(FailureKind::Stale) => {
            vec![(anew(saved, file), "make a new plan for what was not done".to_owned())]
        }
        Some(_) => vec![(again(file), "go on where this run ended".to_owned())],
    }
}

/// The failure of a run, with what was done of the plan and what was not.
pub(super) fn failure(
    mut failure: Failure,
    saved: &SavedPlan,
    file: &Path,
    plan: &Plan,
    report: &Report,
) -> Failure {
    if failure.kind != FailureKind::Stale {
        return failure;
    }
    let count = |wanted: fn(&Outcome) -> bool| {
        let steps = plan.steps.iter().filter(|step| {
            (step.action.changes_something() || step.action.block().is_some())
                && report.outcomes.get(&step.id).is_some_and(wanted)
        });
        steps.count()
    };
    let done =
        count(|outcome| matches!(outcome, Outcome::Done | Outcome::Assumed(_) | Outcome::Started));
    let not = count(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Skipped(_)));
    failure.what = format!("part of the plan is out of date: {done} done, {not} not done");
    failure.causes = causes(plan, report);
    failure.hints =
        vec![format!("make a new plan for what was not done:\n    {}", anew(saved, file))];
    failure
}

/// Why each step was not done; those behind the same one in one line.
fn causes(plan: &Plan, report: &Report) -> Vec<String> {
    let mut causes = Vec::new();
    let mut behind: BTreeMap<&ResourceId, Vec<String>> = BTreeMap::new();
    for step in &plan.steps {
        match report.outcomes.get(&step.id) {
            Some(Outcome::Failed(failure)) => {
                let why = step.action.block().map_or_else(|| failure.what.clone(), Block::says);
                causes.push(format!("`{}`: {why}", step.id));
            }
            Some(Outcome::Skipped(SkipReason::NeedFailed(need) | SkipReason::FailFast(need)))
                if step.action.changes_something() =>
            {
                behind.entry(need).or_default().push(format!("`{}`", step.id));
            }
            Some(Outcome::Skipped(_) | Outcome::Done | Outcome::Assumed(_) | Outcome::Started)
            | None => {}
        }
    }
    let behind = behind.into_iter();
    causes.extend(
        behind.map(|(need, ids)| {
            format!("not done either, since `{need}` was not: {}", ids.join(", "))
        }),
    );
    causes
}

fn again(file: &Path) -> String {
    format!("datamill apply {}", shown(file))
}

/// The command that makes such a plan again, in the place of the old one.
fn anew(saved: &SavedPlan, file: &Path) -> String {
    let goal = match Goal::from(saved.goal) {
        Goal::Install => None,
        Goal::Uninstall => Some("--uninstall".to_owned()),
        Goal::Destroy => Some("--destroy".to_owned()),
    };
    let request = &saved.request;
    let words = goal.into_iter().chain(request.place()).chain(request.parts());
    let words: Vec<_> = words.chain(request.permits()).collect();
    format!("datamill plan {} --out {}", words.join(" "), shown(file))
}

fn shown(file: &Path) -> String {
    let text = file.display().to_string();
    shlex::try_quote(&text).map_or_else(|_| text.clone(), Into::into)
}
