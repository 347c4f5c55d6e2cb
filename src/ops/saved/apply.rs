//! `apply FILE`: what was approved is carried out, and nothing else. Nothing is planned again in silence.

use std::path::Path;

use tokio::sync::watch;

use super::document::SavedPlan;
use super::make::uids;
use super::next;
use super::verify::{self, Place};
use crate::adapter::{clock, files};
use crate::config::Project;
use crate::engine::Cancel;
use crate::model::{Failure, FailureKind, InstallationId, Name};
use crate::ops::draw::{Drawing, Goal, draw};
use crate::ops::scene::{self, Approved, Scene, Wiring};
use crate::ops::{
    Deferral, Ended, Settings, apply, consent, destroy, installation, load, power, preflight,
};
use crate::plan::{self, Action, Block, Plan, Seal};
use crate::ui::{Answer, Question, Screen};

/// Carries out a saved plan.
pub async fn apply_saved(
    typed: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
    file: &Path,
) -> Result<Ended, Failure> {
    let saved = read(typed, file)?;
    verify::age(&saved, clock::since_epoch().as_secs())?;
    let settings = &saved.request.settings(typed)?;
    confirmed_name(settings, &saved)?;
    let goal = Goal::from(saved.goal);
    let project = load_for(settings, screen, goal)?;
    verify::project(&saved, place(&project.name, &project.flavour))?;
    let approved = Approved {
        owner: saved.installation.clone().map(InstallationId),
        lock: saved.lock.clone(),
    };
    let opened = scene::open_for(settings, screen, project, Some(approved), Wiring::Later);
    let mut scene = Box::pin(opened).await?;
    if scene.lacks_what_goes(goal) {
        return Ok(Ended::Well);
    }
    let seal = here(&saved, &scene)?;
    verify::inputs(&saved, &scene.project.inputs, &seal)?;
    if scene.is_off() && goal != Goal::Destroy {
        may_start(&saved, &scene)?;
        let name = &scene.cluster.id.name;
        screen.note(&format!("the cluster `{name}` is stopped; it is started first"));
        scene = Box::pin(power::start_and_reopen(scene, cancel.clone())).await?;
        verify::target(&saved, place_of(&scene))?;
    }
    if goal == Goal::Destroy {
        installation::refuse_another(&scene).await?;
    }
    let mut drawing = draw(&scene, goal, settings.include_data).await?;
    drawing.plan = restricted(&scene, &saved, &drawing.plan, &seal)?;
    drawing.preflight(&scene).await;
    screen.show_plan(&drawing.plan, &scene.header());
    refuse_others(&scene, goal, &drawing)?;
    if !consent::data_approved(&scene, &drawing.plan)? {
        screen.note("nothing was changed");
        return Ok(Ended::Well);
    }
    let report = apply::carry_out(&scene, goal, &drawing, cancel).await?;
    let mut summary = apply::summary(&scene, goal, &drawing, &report);
    summary.next = next::commands(&saved, file, &report, summary.next);
    screen.show_report(&report, &summary);
    apply::end(&report)
        .map_err(|failure| next::failure(failure, &saved, file, &drawing.plan, &report))?;
    match goal {
        Goal::Destroy => destroy::finish(&scene, goal, &drawing).await?,
        Goal::Install | Goal::Uninstall => drawing.everything_was_listed(goal)?,
    }
    Ok(Ended::Well)
}

fn read(settings: &Settings, file: &Path) -> Result<SavedPlan, Failure> {
    let path = settings.files.folder.join(file);
    let bytes = files::read_bytes(&path).map_err(|error| {
        let failure = Failure::new(FailureKind::Usage, "cannot read the plan").caused_by(&error);
        // Other tools name what they apply where a file stands here.
        match file.to_str().and_then(|word| word.parse::<Name>().ok()) {
            Some(name) if !files::is_file(&path) => failure
                .hint(format!("for one component or instance:\n    datamill apply -c {name}")),
            Some(_) | None => failure,
        }
    })?;
    SavedPlan::decode(file, &bytes)
}

fn load_for(settings: &Settings, screen: &Screen, goal: Goal) -> Result<Project, Failure> {
    match goal {
        Goal::Destroy => load::load_for_destroy(settings, screen),
        Goal::Install | Goal::Uninstall => load::load(settings, screen),
    }
}

fn place<'a>(project: &'a str, flavour: &'a str) -> Place<'a> {
    Place { project, flavour, target: "", installation: None }
}

fn place_of<'a>(scene: &'a Scene<'_>) -> Place<'a> {
    let identity = &scene.identity;
    let there = scene.cluster_seen.found().is_some();
    Place {
        project: &identity.project,
        flavour: &identity.flavour,
        target: &identity.target,
        // Without a record in the cluster this is the plan's own.
        installation: there.then_some(identity.owner.0.as_str()),
    }
}

/// The seal of the plan, when target, cluster and installation are its own.
fn here(saved: &SavedPlan, scene: &Scene<'_>) -> Result<Seal, Failure> {
    verify::target(saved, place_of(scene))?;
    verify::seal(saved, &uids(scene))
}

/// A stopped cluster is started only when the plan says so.
fn may_start(saved: &SavedPlan, scene: &Scene<'_>) -> Result<(), Failure> {
    let id = &scene.cluster.id;
    if saved.steps.iter().any(|step| step.id == *id && step.action == Action::Start.verb()) {
        return Ok(());
    }
    let what = format!("the cluster `{}` was stopped since the plan was made", id.name);
    Err(Failure::new(FailureKind::Stale, what)
        .because("the plan does not say that it is started")
        .hint("start it, and run the same command again:\n    datamill start"))
}

/// The fresh plan, cut down to what was approved; what could not be decided then is asked for where that is wanted.
fn restricted(
    scene: &Scene<'_>,
    saved: &SavedPlan,
    fresh: &Plan,
    seal: &Seal,
) -> Result<Plan, Failure> {
    let deferral = match scene.settings.manner.deferral {
        Deferral::CreateOnly => plan::Deferral::CreateOnly,
        Deferral::Any => plan::Deferral::Anything,
        Deferral::Ask => asked(scene, saved, fresh)?,
    };
    Ok(plan::restrict(fresh, &saved.steps, seal, deferral))
}

fn asked(scene: &Scene<'_>, saved: &SavedPlan, fresh: &Plan) -> Result<plan::Deferral, Failure> {
    let steps: Vec<_> = plan::undecided(fresh, &saved.steps).into_iter().cloned().collect();
    if steps.is_empty() {
        return Ok(plan::Deferral::CreateOnly);
    }
    let question = format!("{} steps could not be decided before. Make them as well?", steps.len());
    let part = Plan { steps, notes: Vec::new() };
    scene.screen.show_plan(&part, &scene.header());
    let question = Question::yes_no(question, "--approve-deferred any");
    Ok(match scene.screen.ask(&question)? {
        Answer::Yes => plan::Deferral::Anything,
        Answer::No | Answer::Each => plan::Deferral::CreateOnly,
    })
}

/// Stale branches stop alone; what is blocked for another reason stops everything, as with any plan.
fn refuse_others(scene: &Scene<'_>, goal: Goal, drawing: &Drawing) -> Result<(), Failure> {
    let mut others = drawing.plan.clone();
    others.steps.retain(|step| !matches!(step.action.block(), Some(Block::Stale { .. })));
    preflight::refuse(scene, goal, &others, &drawing.findings)
}

/// A wrong name stops before anything is looked at.
fn confirmed_name(settings: &Settings, saved: &SavedPlan) -> Result<(), Failure> {
    match &settings.confirm_project {
        Some(typed) if *typed != saved.project => Err(Failure::new(
            FailureKind::Usage,
            format!("`--confirm-project {typed}` does not name this project"),
        )
        .because(format!("the plan is for project `{}`", saved.project))),
        Some(_) | None => Ok(()),
    }
}
