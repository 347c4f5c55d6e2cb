//! `unlock --run ID`: removes the lock of exactly one run, for those who know that it is dead and will not wait. Without an id
//! it says which run has it.

use crate::adapter::kube::KubeError;
use crate::model::{Failure, FailureKind, Runner};
use crate::ui::{Answer, Question, Screen};

use super::history::{self, History};
use super::scene;
use super::{Confirm, Ended, Settings, load};

/// Removes the lock of a run, after saying what it held.
pub async fn unlock(
    settings: &Settings,
    screen: &Screen,
    run: Option<&str>,
) -> Result<Ended, Failure> {
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
    if run != Some(holder.run.0.as_str()) {
        return Err(not_the_holder(run, holder, &lease.says()));
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
                .because(format!("run {} renewed it just now, so it lives", holder.run))
                .hint("end that run first: an interrupt lets it give the lock back"))
        }
        Err(error) => Err(asked(&error)),
    }
}

/// The failure of a call that names no run, or another one than the holder: it says which one holds the lock.
fn not_the_holder(run: Option<&str>, holder: &Runner, says: &str) -> Failure {
    let what = match run {
        Some(run) => format!("run {run} does not hold the lock of this target"),
        None => "no run is named whose lock is to be removed".to_owned(),
    };
    Failure::new(FailureKind::Usage, what).because(says).hint(format!(
        "if you know that the run that holds it is dead:\n    datamill unlock --run {}",
        holder.run
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RunId;

    #[test]
    fn whoever_names_no_run_or_another_one_is_told_which_holds_the_lock() {
        let holder = Runner {
            who: "ann@laptop".to_owned(),
            run: RunId("laptop.7.1.x".to_owned()),
            command: "apply".to_owned(),
        };
        for run in [None, Some("laptop.8.1.y")] {
            let failure = not_the_holder(run, &holder, "ann is at work");
            assert_eq!(failure.kind.exit_code(), 10);
            assert!(failure.hints.concat().contains("unlock --run laptop.7.1.x"), "{failure:?}");
        }
    }
}
