//! `start` and `stop`: the cluster, without touching what is installed.

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::{ClusterSpec, Desired, Failure, FailureKind, Health, Power, RunResult, Spec};
use crate::plan::{self, Purpose, Request, Selection};
use crate::provider::local;
use crate::ui::Screen;

use super::draw::Goal;
use super::scene::{self, Scene, Wiring};
use super::turn::Turn;
use super::{Ended, Settings, apply, consent, load};

/// Creates or starts the cluster; what is in it is neither installed nor changed.
pub async fn start(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    let plan = cluster_plan(&scene)?;
    screen.show_plan(&plan, &scene.header());
    let report = apply::execute(&scene, &plan, cancel).await?;
    screen.show_short_report(&report);
    apply::end(&report)
}

/// Says that a stopped cluster is started before anything is planned in it, and asks what is asked before any change: it stays
/// stopped where nobody agrees.
pub(super) fn start_approved(scene: &Scene<'_>, goal: Goal) -> Result<bool, Failure> {
    let name = &scene.cluster.id.name;
    scene.screen.note(&format!("the cluster `{name}` is stopped; it is started first"));
    consent::start_approved(scene, goal, &cluster_plan(scene)?)
}

/// Starts a stopped cluster and looks again.
pub(super) async fn start_and_reopen(
    scene: Scene<'_>,
    cancel: watch::Receiver<Cancel>,
) -> Result<Scene<'_>, Failure> {
    let plan = cluster_plan(&scene)?;
    let report = apply::execute(&scene, &plan, cancel).await?;
    apply::end(&report)?;
    let Scene { settings, screen, project, approved, .. } = scene;
    Box::pin(scene::open_for(settings, screen, project, approved, Wiring::Later)).await
}

fn cluster_plan(scene: &Scene<'_>) -> Result<plan::Plan, Failure> {
    let mut desired = Desired::default();
    desired.insert(scene.cluster.clone());
    let mut snapshot = crate::model::Snapshot::default();
    snapshot.observed.insert(scene.cluster.id.clone(), scene.cluster_seen.clone());
    let permits = scene.permits(false);
    let request = Request {
        desired: &desired,
        snapshot: &snapshot,
        purpose: Purpose::Apply,
        selection: &Selection::All,
        permits: &permits,
    };
    plan::plan(&request)
        .map_err(|error| Failure::new(FailureKind::Usage, "cannot make a plan").caused_by(&error))
}

/// Stops a local cluster; nothing in it is lost.
pub async fn stop(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    let name = scene.cluster.id.name.clone();
    let seen = scene.cluster_seen.found();
    // Of a cluster that broke, the rest still runs.
    let is_broken = seen.is_some_and(|found| matches!(found.health, Health::Failed(_)));
    match (&scene.cluster.spec, seen.map(|found| found.power)) {
        (Spec::Cluster(ClusterSpec::Existing { .. }), _) => Err(Failure::new(
            FailureKind::Usage,
            "an existing cluster is never stopped by datamill",
        )
        .because("it is not ours: `-k` only uses it")),
        (Spec::Cluster(ClusterSpec::Kwok { .. }), None)
            if scene.half_made.as_ref().is_some_and(|half_made| !half_made.running.is_empty()) =>
        {
            end_processes(&scene, cancel).await?;
            screen.note(&format!(
                "ended what ran of the half-made cluster `{name}`; `datamill apply` makes it anew, `datamill destroy` takes away what is left"
            ));
            Ok(Ended::Well)
        }
        (_, None) if scene.half_made.is_some() => {
            let runs = if scene.half_made.is_some_and(|half_made| half_made.running.is_empty()) {
                "there is nothing to stop"
            } else {
                "what runs of it has no way to stop"
            };
            screen.note(&format!(
                "the cluster `{name}` is half-made, and {runs}; `datamill apply` makes it anew, `datamill destroy` takes it away"
            ));
            Ok(Ended::Well)
        }
        (_, None) => {
            screen.note(&format!("there is no cluster `{name}`; nothing to stop"));
            Ok(Ended::Well)
        }
        (_, Some(Power::Off)) if !is_broken => {
            screen.note(&format!("the cluster `{name}` is stopped already"));
            Ok(Ended::Well)
        }
        (Spec::Cluster(ClusterSpec::Kind(_)), Some(Power::On | Power::Off)) => Err(Failure::new(
            FailureKind::Usage,
            format!("kind has no way to stop the cluster `{name}`"),
        )
        .because("kind makes and deletes clusters only")
        .hint(format!(
            "its containers can be stopped, though kind does not promise it; `datamill start` starts them again:\n    docker stop $(docker ps -q --filter label=io.x-k8s.kind.cluster={name})"
        ))
        .hint("take away what is installed and keep cluster and data:\n    datamill uninstall")
        .hint("take everything away:\n    datamill destroy")),
        (_, Some(Power::On | Power::Off)) => {
            end_processes(&scene, cancel).await?;
            screen.note(&format!("stopped the cluster `{name}`; `datamill start` starts it again"));
            Ok(Ended::Well)
        }
    }
}

/// Ends the processes of a simulated cluster, in a turn of its own.
async fn end_processes(scene: &Scene<'_>, cancel: watch::Receiver<Cancel>) -> Result<(), Failure> {
    let turn = Turn::take(scene, cancel).await?;
    turn.leave_cluster().await;
    let stopped = scene.local.stop(&scene.cluster.id.name, &says(scene)).await;
    let result = if stopped.is_ok() { RunResult::Done } else { RunResult::Failed };
    turn.end(scene, result, false).await;
    stopped
}

/// Removes what an interrupted run left of a cluster that is not there. Says whether there was anything.
pub(super) async fn clear_remains(scene: &Scene<'_>) -> Result<bool, Failure> {
    let Spec::Cluster(spec) = &scene.cluster.spec else { return Ok(false) };
    let project = &scene.identity.project;
    let cleared = scene.local.clear_remains(spec, project, &says(scene)).await?;
    if cleared {
        let name = &scene.cluster.id.name;
        scene.screen.note(&format!("removed what was left of the cluster `{name}`"));
    }
    Ok(cleared)
}

/// Shows what a provider says while it works outside of a plan.
fn says(scene: &Scene<'_>) -> local::Says {
    let screen = scene.screen.clone();
    std::sync::Arc::new(move |words: String| screen.note(&words))
}
