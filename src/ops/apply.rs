//! `plan`, `apply` and `uninstall`: the same path, with different things wanted.

use std::convert::Infallible;
use std::sync::Arc;

use crate::config::Project;
use crate::engine::{self, Cancel, Journal, NoJournal, Options, Outcome, Report, SkipReason};
use crate::model::{Failure, FailureKind, ResourceKind, RunResult};
use crate::plan::{self, Action, Plan};
use crate::ui::{LeftOut, Screen, Summary};
use tokio::sync::watch;

use super::accept;
use super::draw::{Drawing, Goal, draw};
use super::history::History;
use super::scene::{self, Scene};
use super::turn::Turn;
use super::{Ended, Settings, consent, destroy, load, power, saved};

/// Shows what `apply` would change, or `uninstall`, or `destroy`; saves it where that is wanted.
pub async fn plan(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    if let Some(file) = &settings.planned.out {
        saved::may_write(settings, file)?;
    }
    let project = match settings.planned.goal {
        Goal::Destroy => load::load_for_destroy(settings, screen)?,
        Goal::Install | Goal::Uninstall => load::load(settings, screen)?,
    };
    let scene = open_for(settings, screen, project, settings.planned.goal).await?;
    if scene.lacks_what_goes(settings.planned.goal) {
        return Ok(Ended::Well);
    }
    let (goal, mut drawing) = match settings.planned.goal {
        Goal::Destroy => destroy::draw_all(&scene).await?,
        goal @ (Goal::Install | Goal::Uninstall) => {
            (goal, draw(&scene, goal, settings.include_data).await?)
        }
    };
    drawing.preflight(&scene).await;
    if settings.planned.refresh_only {
        drawing.refuse(&scene, goal)?;
        drawing.plan = plan::drift(&drawing.plan);
    }
    screen.show_plan(&drawing.plan, &scene.header());
    History::read(&scene).await.tell(screen, &drawing.plan);
    if settings.planned.accept {
        accept::show(&scene, &drawing).await;
    }
    drawing.refuse(&scene, goal)?;
    if let Some(file) = &settings.planned.out {
        saved::write(&scene, goal, &drawing, file)?;
    }
    if settings.planned.refresh_only && drawing.plan.has_changes() {
        return Ok(Ended::Drift);
    }
    if settings.manner.detailed_exit_code && drawing.plan.has_changes() {
        return Ok(Ended::Changes);
    }
    Ok(Ended::Well)
}

/// Makes everything as the files say.
pub async fn apply(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    Box::pin(change(settings, screen, cancel, Goal::Install)).await
}

/// Takes the flavour's instances away, or those of `-c`; data stays.
pub async fn uninstall(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    Box::pin(change(settings, screen, cancel, Goal::Uninstall)).await
}

/// Opens the scene; what is to be installed must be wired.
async fn open_for<'a>(
    settings: &'a Settings,
    screen: &'a Screen,
    project: Project,
    goal: Goal,
) -> Result<Scene<'a>, Failure> {
    match goal {
        Goal::Install => scene::open_wired(settings, screen, project).await,
        Goal::Uninstall | Goal::Destroy => scene::open(settings, screen, project).await,
    }
}

async fn change(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
    goal: Goal,
) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let mut scene = open_for(settings, screen, project, goal).await?;
    if scene.lacks_what_goes(goal) {
        return Ok(Ended::Well);
    }
    if scene.is_off() {
        if !power::start_approved(&scene, goal)? {
            screen.note("nothing was changed");
            return Ok(Ended::Well);
        }
        scene = Box::pin(power::start_and_reopen(scene, cancel.clone())).await?;
    }
    let mut drawing = draw(&scene, goal, settings.include_data).await?;
    drawing.preflight(&scene).await;
    screen.show_plan(&drawing.plan, &scene.header());
    History::read(&scene).await.tell(screen, &drawing.plan);
    drawing.refuse(&scene, goal)?;
    if !consent::approved(&scene, goal, &mut drawing).await? {
        screen.note("nothing was changed");
        return Ok(Ended::Well);
    }
    let report = carry_out(&scene, goal, &drawing, cancel).await?;
    screen.show_report(&report, &summary(&scene, goal, &drawing, &report));
    let ended = end(&report)?;
    drawing.everything_was_listed(goal)?;
    Ok(ended)
}

/// Carries out a plan, and writes down which charts it used, and on which cluster.
pub(super) async fn carry_out(
    scene: &Scene<'_>,
    goal: Goal,
    drawing: &Drawing,
    cancel: watch::Receiver<Cancel>,
) -> Result<Report, Failure> {
    let mut lock = match goal {
        Goal::Install => scene.lock_with_target(),
        Goal::Uninstall | Goal::Destroy => scene.lock.clone(),
    };
    let is_new = lock != scene.lock;
    lock.learn(drawing.look.desired.resources.values());
    lock.learn_surroundings(&scene.surroundings());
    if (is_new || drawing.plan.has_changes()) && !drawing.look.desired.resources.is_empty() {
        lock.write(&scene.project.lock_file)?;
    }
    execute(scene, &drawing.plan, cancel).await
}

/// Hands a plan to the engine, in a turn of its own: nobody else changes the target meanwhile. Where nothing is written,
/// nobody is kept out.
pub(super) async fn execute(
    scene: &Scene<'_>,
    plan: &Plan,
    cancel: watch::Receiver<Cancel>,
) -> Result<Report, Failure> {
    if !plan.has_changes() && !History::read(scene).await.needs_care() {
        return Ok(run(scene, plan, Arc::new(NoJournal), cancel).await);
    }
    let turn = Turn::take(scene, cancel.clone()).await?;
    let (tell, told) = watch::channel(Cancel::No);
    let mut report = tokio::select! {
        report = run(scene, plan, turn.journal(), told) => report,
        never = turn.relay(cancel, tell) => match never {},
    };
    if report.lock_lost.is_some() {
        report.lock_lost = turn.lost();
    }
    turn.end(scene, result(&report), cluster_gone(plan, &report)).await;
    Ok(report)
}

/// How a run ended, for those who ask later.
fn result(report: &Report) -> RunResult {
    match report.failure_kind() {
        None => RunResult::Done,
        Some(FailureKind::Interrupted) => RunResult::Interrupted,
        Some(_) if report.lock_lost.is_some() => RunResult::LockLost,
        Some(_) => RunResult::Failed,
    }
}

/// Whether the cluster went, and with it all that there was to remember.
fn cluster_gone(plan: &Plan, report: &Report) -> bool {
    plan.steps.iter().any(|step| {
        step.id.kind == ResourceKind::Cluster
            && step.action == Action::Delete
            && report.outcomes.get(&step.id) == Some(&Outcome::Done)
    })
}

async fn run(
    scene: &Scene<'_>,
    plan: &Plan,
    journal: Arc<dyn Journal>,
    cancel: watch::Receiver<Cancel>,
) -> Report {
    let options = Options {
        releases: scene.settings.manner.parallel.unwrap_or(Options::default().releases),
        others: scene.settings.manner.parallel_others.unwrap_or(Options::default().others),
        wait_jobs: scene.settings.manner.wait_jobs,
        fail_fast: scene.settings.manner.fail_fast,
        ..Options::default()
    };
    let (stop, stopped) = watch::channel(false);
    let run = engine::Run {
        identity: scene.identity.clone(),
        known: scene.known.clone(),
        redactor: scene.redactor.clone(),
        stop: stopped,
        journal,
    };
    let observer = scene.screen.observer();
    let carried = engine::execute(plan, &scene.providers, &run, observer, &options, cancel.clone());
    tokio::select! {
        report = carried => report,
        never = tell_stop(cancel, stop) => match never {},
    }
}

/// Tells providers to stop at the second interrupt; never ends by itself.
async fn tell_stop(mut cancel: watch::Receiver<Cancel>, stop: watch::Sender<bool>) -> Infallible {
    if cancel.wait_for(|cancel| *cancel == Cancel::Stop).await.is_ok() {
        stop.send_replace(true);
    }
    std::future::pending().await
}

/// What stands below a report.
pub(super) fn summary(
    scene: &Scene<'_>,
    goal: Goal,
    drawing: &Drawing,
    report: &Report,
) -> Summary {
    let kept = drawing
        .plan
        .steps
        .iter()
        .filter_map(|step| {
            let size = step.found.as_ref().and_then(|found| found.size.clone());
            Some((step.id.clone(), size, step.action.retained()?.to_owned()))
        })
        .collect();
    let installed = goal == Goal::Install && report.failure_kind().is_none();
    let endpoints = if installed { drawing.expansion.endpoints.clone() } else { Vec::new() };
    let notes = if installed { drawing.expansion.notes.clone() } else { Vec::new() };
    let left_out = scene.project.left_out.iter();
    let left_out = left_out.map(|left| LeftOut { name: left.name.clone(), why: left.why.clone() });
    Summary {
        header: scene.header(),
        context: scene.known.text(&scene.cluster.id, "context").map(str::to_owned),
        endpoints,
        notes,
        kept,
        readers: readers(&drawing.plan, report),
        left_out: left_out.collect(),
        next: next_commands(goal, installed),
    }
}

/// What reads Secrets that this run wrote anew.
fn readers(plan: &Plan, report: &Report) -> Vec<String> {
    let done = |id| matches!(report.outcomes.get(id), Some(Outcome::Done | Outcome::Assumed(_)));
    let written = plan.steps.iter().filter(|step| done(&step.id));
    let lines = written.flat_map(|step| step.readers.iter().map(move |line| (step, line)));
    lines.map(|(step, line)| format!("{}: {line}", step.id)).collect()
}

/// The screen completes them with the user's own options.
fn next_commands(goal: Goal, well: bool) -> Vec<(String, String)> {
    let command = |words: &str, what: &str| (format!("datamill {words}"), what.to_owned());
    match (goal, well) {
        (Goal::Install, true) => vec![
            command("status", "how everything is"),
            command("plan", "what a change of the files would do"),
            command("destroy", "take it all away"),
        ],
        (Goal::Install, false) => vec![command("apply", "go on where this run ended")],
        (Goal::Uninstall, _) => vec![
            command("apply", "install it again"),
            command("destroy", "take the cluster away as well"),
        ],
        (Goal::Destroy, _) => Vec::new(),
    }
}

/// The exit of a run: well, or the worst of what went wrong.
pub(super) fn end(report: &Report) -> Result<Ended, Failure> {
    match report.failure_kind() {
        None => Ok(Ended::Well),
        Some(FailureKind::Interrupted) => Err(left(
            report,
            Failure::new(
                FailureKind::Interrupted,
                "interrupted; what was done is consistent, and the same command goes on",
            ),
        )),
        Some(kind) => match &report.lock_lost {
            Some(why) => Err(left(
                report,
                Failure::new(kind, "the lock of this target was lost, so nothing new was started")
                    .because(why)
                    .hint("see who is at work now:\n    datamill status")
                    .hint("what was done stays; the same command goes on where this run ended"),
            )),
            None => Err(worst(report, kind)),
        },
    }
}

/// Adds what is left to do to the failure of a run that was cut short.
fn left(report: &Report, mut failure: Failure) -> Failure {
    /// As many are named.
    const NAMED: usize = 5;
    let of = |wanted: fn(&Outcome) -> bool| -> Vec<String> {
        let ids =
            report.outcomes.iter().filter(|(id, outcome)| wanted(outcome) && !id.kind.only_looks());
        ids.map(|(id, _)| format!("`{id}`")).collect()
    };
    let named = |ids: &[String], says: &str| {
        let more = ids.len().saturating_sub(NAMED);
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        let first: Vec<_> = ids.iter().take(NAMED).map(String::as_str).collect();
        format!("{says}: {}{rest}", first.join(", "))
    };
    let on_its_way = of(|outcome| matches!(outcome, Outcome::Failed(_)));
    let not_begun = of(|outcome| {
        matches!(
            outcome,
            Outcome::Skipped(
                SkipReason::Interrupted | SkipReason::LockLost | SkipReason::FailFast(_)
            )
        )
    });
    if !on_its_way.is_empty() {
        failure = failure.because(named(&on_its_way, "begun and not seen to be ready"));
    }
    if !not_begun.is_empty() {
        failure = failure.because(named(&not_begun, &format!("{} left to do", not_begun.len())));
    }
    failure
}

/// One failure for a whole run: that of the only step that failed, or one that names them all.
fn worst(report: &Report, kind: FailureKind) -> Failure {
    let failed: Vec<_> = report
        .outcomes
        .iter()
        .filter_map(|(id, outcome)| match outcome {
            Outcome::Failed(failure) => Some((id, failure)),
            Outcome::Done | Outcome::Assumed(_) | Outcome::Started | Outcome::Skipped(_) => None,
        })
        .collect();
    let mut failure = match failed.as_slice() {
        [(id, only)] => {
            let mut failure = (*only).clone();
            failure.what = format!("`{id}`: {}", only.what);
            failure
        }
        several => {
            let mut failure = Failure::new(kind, format!("{} steps failed", several.len()));
            for (id, one) in several {
                failure.causes.push(format!("`{id}`: {}", one.what));
            }
            failure
        }
    };
    failure.kind = kind;
    failure.hint("what was done stays; the same command goes on where this run ended")
}
