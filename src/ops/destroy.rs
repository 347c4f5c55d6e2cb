//! `destroy`: a plan for nothing. What holds data stays unless it is named; what goes is listed before and after.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::{Failure, FailureKind, Observed};
use crate::plan::{Action, Plan};
use crate::ui::{Answer, Question, Screen};

use super::draw::{self, Drawing, Goal, draw};
use super::history::History;
use super::scene::{self, Scene};
use super::{Confirm, Ended, Settings, apply, load, power, turn};

/// Takes everything away.
pub async fn destroy(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    let project = load::load_for_destroy(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    if scene.cluster_seen == Observed::Absent {
        if power::clear_remains(&scene).await? {
            return Ok(Ended::Well);
        }
        screen
            .note(&format!("there is no cluster `{}`; nothing to destroy", scene.cluster.id.name));
        // A destroy that died after the cluster was gone leaves its journal.
        turn::forget_dead(&scene).await;
        return Ok(Ended::Well);
    }
    confirm_project(settings, &scene.identity.project)?;
    let (goal, drawing) = draw_all(&scene).await?;
    screen.show_plan(&drawing.plan, &scene.header());
    History::read(&scene).await.tell(screen, &drawing.plan);
    draw::refuse_blocked(&scene, goal, &drawing.plan)?;
    if !approved(&scene, &drawing.plan)? {
        screen.note("nothing was changed");
        return Ok(Ended::Well);
    }
    let report = apply::carry_out(&scene, &drawing, cancel).await?;
    screen.show_report(&report, &apply::summary(&scene, goal, &drawing, &report));
    apply::end(&report)?;
    finish(&scene, goal, &drawing).await?;
    Ok(Ended::Well)
}

/// The plan for nothing; for nothing of this flavour where others live in the cluster.
pub(super) async fn draw_all(scene: &Scene<'_>) -> Result<(Goal, Drawing), Failure> {
    let include_data = scene.settings.include_data;
    let drawing = draw(scene, Goal::Destroy, include_data).await?;
    let others = other_flavours(scene, &drawing);
    if others.is_empty() || scene.settings.reach.all_flavours {
        return Ok((Goal::Destroy, drawing));
    }
    let names = others.into_iter().collect::<Vec<_>>().join(", ");
    scene.screen.warn(&format!(
        "the cluster stays: flavour {names} lives in it too; `--all-flavours` takes all"
    ));
    Ok((Goal::Uninstall, draw(scene, Goal::Uninstall, include_data).await?))
}

/// Says what could not be listed, and what is still there and should not be: exit 6.
pub(super) async fn finish(
    scene: &Scene<'_>,
    goal: Goal,
    drawing: &Drawing,
) -> Result<(), Failure> {
    everything_was_listed(drawing)?;
    if scene.simulated() { Ok(()) } else { audit(scene, goal).await }
}

/// A wrong name stops before anything is looked at twice.
fn confirm_project(settings: &Settings, project: &str) -> Result<(), Failure> {
    match &settings.confirm_project {
        Some(typed) if typed != project => Err(Failure::new(
            FailureKind::Usage,
            format!("`--confirm-project {typed}` does not name this project"),
        )
        .because(format!("the project is called `{project}`"))),
        Some(_) | None => Ok(()),
    }
}

/// The other flavours of the project that live in the cluster.
fn other_flavours(scene: &Scene<'_>, drawing: &Drawing) -> BTreeSet<String> {
    let ours = crate::model::label_value(&scene.identity.flavour);
    drawing
        .look
        .snapshot
        .discovered
        .found
        .values()
        .filter_map(|found| found.flavour.clone())
        .filter(|flavour| *flavour != ours)
        .collect()
}

/// Nothing is asked where no data is. Elsewhere the project's name is typed once; without a terminal the flags say it.
fn approved(scene: &Scene<'_>, plan: &Plan) -> Result<bool, Failure> {
    if scene.simulated() || !plan.steps.iter().any(|step| step.action.changes_something()) {
        return Ok(true);
    }
    let settings = scene.settings;
    let named = settings.confirm_project.is_some();
    let loses_data = plan.steps.iter().any(|step| {
        step.action == Action::Delete
            && step.found.as_ref().is_some_and(|found| found.class == crate::model::Class::Data)
    });
    if named && (settings.confirm == Confirm::Nothing || settings.include_data) {
        return Ok(true);
    }
    if settings.confirm == Confirm::Nothing && !loses_data {
        return Ok(true);
    }
    let project = &scene.identity.project;
    let text = format!("Type the project's name, `{project}`, to destroy it:");
    let flags = if loses_data {
        format!("--include-data --confirm-project {project}")
    } else {
        format!("--yes --confirm-project {project}")
    };
    Ok(scene.screen.ask(&Question::type_name(text, project.clone(), flags))? == Answer::Yes)
}

/// What could not be listed may still be there: that is said, exit 6.
fn everything_was_listed(drawing: &Drawing) -> Result<(), Failure> {
    let unlisted = &drawing.look.snapshot.discovered.unlisted;
    if unlisted.is_empty() {
        return Ok(());
    }
    let mut failure =
        Failure::new(FailureKind::Partial, "not everything could be listed, so nothing was pruned");
    failure.causes.clone_from(unlisted);
    Err(failure.hint("mend what does not answer, and run the same command again"))
}

/// Looks once more: what is still there and should not be is said, exit 6.
async fn audit(scene: &Scene<'_>, goal: Goal) -> Result<(), Failure> {
    let again = draw(scene, goal, scene.settings.include_data).await?;
    let left: Vec<_> = again
        .plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Delete)
        .map(|step| format!("`{}` is still there", step.id))
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(FailureKind::Partial, "destroy left something behind");
    failure.causes = left;
    Err(failure.hint("run the same command again; it goes on with what is left"))
}
