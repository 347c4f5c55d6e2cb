//! What a person says before a plan is carried out. `--yes` answers all but the loss of data and, in production, nothing by
//! itself: those need the project's name.

use std::collections::BTreeSet;

use crate::config::Environment;
use crate::model::{Class, Failure, FailureKind, ResourceId};
use crate::plan::{Action, Effect, Plan, Step};
use crate::ui::{Answer, Question};

use super::draw::{self, Drawing, Goal};
use super::scene::Scene;
use super::{Confirm, Settings};

/// A wrong name stops before anything is looked at twice.
pub(super) fn name_fits(settings: &Settings, project: &str) -> Result<(), Failure> {
    match &settings.confirm_project {
        Some(typed) if typed != project => Err(Failure::new(
            FailureKind::Usage,
            format!("`--confirm-project {typed}` does not name this project"),
        )
        .because(format!("the project is called `{project}`"))),
        Some(_) | None => Ok(()),
    }
}

/// Whether a step loses data.
pub(super) fn loses_data(step: &Step) -> bool {
    let goes = matches!(step.action, Action::Delete | Action::GoesWith { .. });
    let data = step.found.as_ref().is_some_and(|found| found.class == Class::Data);
    step.action.changes_something()
        && (goes && data || step.changes.iter().any(|c| c.effect == Effect::LosesData))
}

/// The data that goes, with its size: what a question names. Where no data can be, nothing does.
fn lost(scene: &Scene<'_>, plan: &Plan) -> Vec<String> {
    if scene.simulated() {
        return Vec::new();
    }
    let lost = plan.steps.iter().filter(|step| loses_data(step));
    lost.map(|step| {
        let size = step.found.as_ref().and_then(|found| found.size.as_deref());
        named(&step.id, size)
    })
    .collect()
}

fn named(id: &ResourceId, size: Option<&str>) -> String {
    match size {
        Some(size) => format!("`{id}` ({size})"),
        None => format!("`{id}` (nobody knows how much)"),
    }
}

/// Asks what is to be asked until it is clear what is done, about each deletion by itself where that is wanted; whether the plan
/// may be carried out.
pub(super) async fn approved(
    scene: &Scene<'_>,
    goal: Goal,
    drawing: &mut Drawing,
) -> Result<bool, Failure> {
    loop {
        match answer(scene, goal, &drawing.plan)? {
            Answer::Yes => return Ok(true),
            Answer::No => return Ok(false),
            Answer::Each => each(scene, drawing)?,
        }
        drawing.preflight(scene).await;
        scene.screen.show_plan(&drawing.plan, &scene.header());
        drawing.refuse(scene, goal)?;
    }
}

/// Goes through all that goes. What is refused stays, and so does what then has to: that is not asked about any more.
fn each(scene: &Scene<'_>, drawing: &mut Drawing) -> Result<(), Failure> {
    let mut asked = BTreeSet::new();
    while let Some(step) =
        drawing.plan.steps.iter().find(|step| goes(step) && !asked.contains(&step.id))
    {
        let id = step.id.clone();
        let size = step.found.as_ref().and_then(|found| found.size.as_deref());
        let size = size.map(|size| format!(" ({size})")).unwrap_or_default();
        let question = Question::yes_no(format!("Delete `{id}`{size}?"), format!("--delete {id}"));
        if scene.screen.ask(&question)? != Answer::Yes {
            drawing.spare(id.clone())?;
        }
        asked.insert(id);
    }
    Ok(())
}

fn goes(step: &Step) -> bool {
    matches!(step.action, Action::Delete | Action::GoesWith { .. })
}

fn answer(scene: &Scene<'_>, goal: Goal, plan: &Plan) -> Result<Answer, Failure> {
    let project = &scene.identity.project;
    name_fits(scene.settings, project)?;
    if !plan.has_changes() {
        return Ok(Answer::Yes);
    }
    let lost = lost(scene, plan);
    let question = match need(scene, goal, plan, &lost) {
        Need::Nothing => return Ok(Answer::Yes),
        Need::Yes(text) => Question::yes_no(text, "--yes"),
        Need::Name { text, flags } => Question::type_name(text, project.clone(), flags),
    };
    scene.screen.ask(&question.or_each(plan.steps.iter().any(goes)))
}

/// The same for the start of a stopped cluster, before anybody can say what is to be done in it.
pub(super) fn start_approved(scene: &Scene<'_>, goal: Goal, plan: &Plan) -> Result<bool, Failure> {
    let project = &scene.identity.project;
    name_fits(scene.settings, project)?;
    let question = match need(scene, goal, plan, &[]) {
        Need::Nothing => return Ok(true),
        Need::Yes(_) => {
            let text = "Start it? What to change is shown and asked about then.";
            Question::yes_no(text, "--yes")
        }
        Need::Name { text, flags } => Question::type_name(text, project.clone(), flags),
    };
    Ok(scene.screen.ask(&question)? == Answer::Yes)
}

/// The same for a plan that was approved before: only the loss of data is asked for again.
pub(super) fn data_approved(scene: &Scene<'_>, plan: &Plan) -> Result<bool, Failure> {
    let lost = lost(scene, plan);
    if lost.is_empty() || scene.settings.confirm_project.is_some() {
        return Ok(true);
    }
    let project = &scene.identity.project;
    let flags = format!("--confirm-project {project}");
    let question = Question::type_name(losing(&lost, project), project.clone(), flags);
    Ok(scene.screen.ask(&question)? == Answer::Yes)
}

/// What must be said.
enum Need {
    Nothing,
    Yes(String),
    Name { text: String, flags: String },
}

fn losing(lost: &[String], project: &str) -> String {
    format!("Data goes: {}. Type the project's name, `{project}`, to lose it:", lost.join(", "))
}

fn need(scene: &Scene<'_>, goal: Goal, plan: &Plan, lost: &[String]) -> Need {
    let settings = scene.settings;
    let project = &scene.identity.project;
    let is_named = settings.confirm_project.is_some();
    let says_yes = settings.confirm == Confirm::Nothing;
    if !lost.is_empty() {
        if is_named && (says_yes || settings.include_data) {
            return Need::Nothing;
        }
        let flags = format!("--include-data --confirm-project {project}");
        return Need::Name { text: losing(lost, project), flags };
    }
    let flags = format!("--yes --confirm-project {project}");
    let production = scene.project.environment == Environment::Production && !scene.simulated();
    if production && says_yes && !is_named {
        let text = format!("This is production. Type the project's name, `{project}`, to go on:");
        return Need::Name { text, flags };
    }
    if goal == Goal::Destroy && !scene.simulated() {
        if says_yes {
            return Need::Nothing;
        }
        let text = format!("Type the project's name, `{project}`, to destroy it:");
        return Need::Name { text, flags };
    }
    if goal == Goal::Destroy || says_yes {
        return Need::Nothing;
    }
    // Parts of what comes or changes are named among what goes, and counted with it.
    let parts = plan.steps.iter().filter(|step| step.takes_parts_away()).count();
    let going = draw::destructive(plan).len() + parts;
    match settings.confirm {
        Confirm::Destructive if going > 0 => {
            let things = match going {
                1 => "1 thing".to_owned(),
                several => format!("{several} things"),
            };
            Need::Yes(format!("{things} will be deleted or replaced. Go on?"))
        }
        Confirm::Changes => Need::Yes("Make these changes?".to_owned()),
        Confirm::Destructive | Confirm::Nothing => Need::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Found;
    use crate::plan::Precondition;

    fn step(action: Action, class: Class) -> Step {
        Step {
            id: "a/claim/x".parse().unwrap(),
            action,
            wanted: None,
            found: Some(Arc::new(Found { class, ..Found::ours() })),
            after: BTreeSet::new(),
            precondition: Precondition::Nothing,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    #[test]
    fn data_is_lost_where_it_goes_by_itself_or_with_its_host() {
        let host = "target/cluster/x".parse().unwrap();
        assert!(loses_data(&step(Action::Delete, Class::Data)));
        assert!(loses_data(&step(Action::GoesWith { host }, Class::Data)));
        assert!(!loses_data(&step(Action::Retain { why: String::new() }, Class::Data)));
        assert!(!loses_data(&step(Action::Delete, Class::Stateful)));
    }

    #[test]
    fn what_goes_is_named_with_its_size() {
        let lost = [
            named(&"a/claim/x".parse().unwrap(), Some("10Gi")),
            named(&"b/claim/y".parse().unwrap(), None),
        ];
        assert_eq!(
            losing(&lost, "demo"),
            "Data goes: `a/claim/x` (10Gi), `b/claim/y` (nobody knows how much). Type the project's name, `demo`, to lose it:"
        );
    }
}
