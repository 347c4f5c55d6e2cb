//! `destroy`: a plan for nothing. What holds data stays unless it is named; what goes is listed before and after.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::{Class, Failure, FailureKind, Found, Observed, label_value};
use crate::ui::Screen;
use crate::yaml::nearest;

use super::draw::{Drawing, Goal, draw};
use super::history::History;
use super::scene::{self, Scene};
use super::{Ended, Settings, apply, audit, consent, installation, load, power, turn};

/// Takes everything away.
pub async fn destroy(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    let project = load::load_for_destroy(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    if scene.cluster_seen == Observed::Absent && power::clear_remains(&scene).await? {
        return Ok(Ended::Well);
    }
    if scene.lacks_what_goes(Goal::Destroy) {
        // A destroy that died after the cluster was gone leaves its journal.
        turn::forget_dead(&scene);
        return Ok(Ended::Well);
    }
    consent::name_fits(settings, &scene.identity.project)?;
    let (goal, mut drawing) = draw_all(&scene).await?;
    drawing.preflight(&scene).await;
    screen.show_plan(&drawing.plan, &scene.header());
    History::read(&scene).await.tell(screen, &drawing.plan);
    drawing.refuse(&scene, goal)?;
    if !consent::approved(&scene, Goal::Destroy, &mut drawing).await? {
        screen.note("nothing was changed");
        return Ok(Ended::Well);
    }
    let report = apply::carry_out(&scene, goal, &drawing, cancel).await?;
    screen.show_report(&report, &apply::summary(&scene, goal, &drawing, &report));
    apply::end(&report)?;
    finish(&scene, goal, &drawing).await?;
    Ok(Ended::Well)
}

/// The plan for nothing; for nothing of this flavour where others live in the cluster.
pub(super) async fn draw_all(scene: &Scene<'_>) -> Result<(Goal, Drawing), Failure> {
    installation::refuse_another(scene).await?;
    let include_data = scene.settings.include_data;
    let drawing = draw(scene, Goal::Destroy, include_data).await?;
    let others = other_flavours(scene, &drawing);
    is_installed(scene, &drawing, &others)?;
    if others.is_empty() || scene.settings.reach.all_flavours {
        return Ok((Goal::Destroy, drawing));
    }
    let names = others.into_iter().collect::<Vec<_>>().join(", ");
    scene.screen.warn(&format!(
        "the cluster stays: flavour {names} lives in it too; `--all-flavours` takes all"
    ));
    Ok((Goal::Uninstall, draw(scene, Goal::Uninstall, include_data).await?))
}

/// Refuses a flavour that is named in place of files and that nothing bears while others are there: it is mistyped, and what
/// the others have is not meant.
fn is_installed(
    scene: &Scene<'_>,
    drawing: &Drawing,
    others: &BTreeSet<String>,
) -> Result<(), Failure> {
    let reach = scene.settings.reach;
    let Some(named) = scene.settings.flavour_name.as_ref().filter(|_| !reach.all_flavours) else {
        return Ok(());
    };
    let discovered = &drawing.look.snapshot.discovered;
    let ours = label_value(named);
    let bears = |found: &Found| found.flavour.as_deref() == Some(ours.as_str());
    // What could not be listed may be what bears it.
    let unknown = !discovered.unlisted.is_empty();
    if others.is_empty() || unknown || discovered.found.values().any(bears) {
        return Ok(());
    }
    let project = &scene.identity.project;
    let what = format!("project `{project}` has no flavour `{named}` here; nothing was changed");
    let installed: Vec<_> = others.iter().map(String::as_str).collect();
    let failure = Failure::new(FailureKind::Usage, what)
        .because(format!("installed here: {}", installed.join(", ")));
    Err(match nearest(named, installed.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure,
    }
    .hint("to take away all of them and the cluster, add `--all-flavours`"))
}

/// Says what could not be listed, and what is still there and should not be: exit 6.
pub(super) async fn finish(
    scene: &Scene<'_>,
    goal: Goal,
    drawing: &Drawing,
) -> Result<(), Failure> {
    drawing.everything_was_listed(goal)?;
    Box::pin(audit::audit(scene, goal, &drawing.plan)).await?;
    // Where data stays, the flavour has something to come back to.
    let keeps = drawing.plan.steps.iter().any(|step| {
        let is_data = step.found.as_ref().is_some_and(|found| found.class == Class::Data);
        is_data && step.action.retained().is_some()
    });
    if keeps { Ok(()) } else { scene.forget_target() }
}

/// The other flavours of the project that live in the cluster.
fn other_flavours(scene: &Scene<'_>, drawing: &Drawing) -> BTreeSet<String> {
    let ours = label_value(&scene.identity.flavour);
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
