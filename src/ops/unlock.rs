//! `unlock --run ID`: removes the lock of exactly one run, for those who know that it is dead and will not wait.

use crate::adapter::kube::KubeError;
use crate::model::{Failure, FailureKind};
use crate::ui::{Answer, Question, Screen};

use super::history::{self, History};
use super::scene;
use super::{Confirm, Ended, Settings, load};

/// Removes the lock of a run, after saying what it held.
pub async fn unlock(settings: &Settings, screen: &Screen, run: &str) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    let slot = if scene.runs() {
        scene.kubernetes.slot(&scene.known, &scene.identity).await?
    } else {
        None
    };
    let asked = |error: &KubeError| {
        Failure::new(FailureKind::Preflight, "cannot look at the lock of this target")
            .because(scene.redactor.redact(&error.to_string()))
    };
    let lease = match &slot {
        Some(slot) => slot.read().await.map_err(|error| asked(&error))?,
        None => None,
    };
    let held = lease.as_ref().and_then(|lease| Some((lease, lease.holder.as_ref()?)));
    let (Some(slot), Some((lease, holder))) = (slot, held) else {
        screen.note("nobody holds the lock of this target; nothing to remove");
        return Ok(Ended::Well);
    };
    if holder.run.0 != run {
        return Err(Failure::new(
            FailureKind::Usage,
            format!("run {run} does not hold the lock of this target"),
        )
        .because(lease.says())
        .hint("name the run that holds it, if you know that it is dead"));
    }
    screen.note(&lease.says());
    let history = History::read(&scene).await;
    for known in history.runs.iter().filter(|known| known.by.run == holder.run) {
        for (id, intent) in &known.open {
            screen.note(&format!("  {}", history::doing(id, intent)));
        }
    }
    let text = "If this run lives, two runs change the target at once. Remove its lock?";
    if settings.confirm != Confirm::Nothing
        && screen.ask(&Question::yes_no(text, "--yes"))? != Answer::Yes
    {
        screen.note("nothing was changed");
        return Ok(Ended::Well);
    }
    match slot.remove(lease).await {
        Ok(()) => {
            screen.note("removed the lock; the next run looks at what is there and goes on");
            Ok(Ended::Well)
        }
        Err(KubeError::Changed(_)) => {
            Err(Failure::new(FailureKind::Locked, "the lock was not removed")
                .because(format!("run {run} renewed it just now, so it lives"))
                .hint("end that run first: an interrupt lets it give the lock back"))
        }
        Err(error) => Err(asked(&error)),
    }
}
