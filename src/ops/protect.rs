//! `protect on|off NODE`: says on the live thing whether it may go. A run of its own, so that nothing is lifted and destroyed
//! in one breath.

use tokio::sync::watch;

use crate::adapter::clock;
use crate::engine::Cancel;
use crate::model::{Class, Discovery, Failure, Protection, ResourceId, ResourceKind};
use crate::plan;
use crate::ui::Screen;

use super::marking::{self, Meant};
use super::scene::Scene;
use super::{Ended, Settings, load, scene, turn};

/// Protects a node, all of an instance, or the cluster; or lifts that.
pub async fn protect(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
    on: bool,
    typed: &str,
) -> Result<Ended, Failure> {
    let meant = Meant::read(typed)?;
    let project = load::load(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    let there = marking::discover(&scene).await?;
    let meant = on_record(&scene, meant);
    let ids = marking::of_ours(&scene, &there, &meant, typed)?;
    let said = Protection {
        on,
        by: turn::runner(settings, &scene.identity).who,
        at: clock::words(clock::since_epoch().as_secs()),
        run: scene.identity.run.clone(),
    };
    let mut plan = plan::protect(&there, &ids, &said);
    plan.notes.extend(notes(on, &ids.iter().collect::<Vec<_>>(), &there));
    let question = if on {
        format!("Protect `{typed}`?")
    } else {
        format!("Lift the protection of `{typed}`?")
    };
    Box::pin(marking::carry_out(&scene, &plan, question, None, cancel)).await
}

/// What is said of the cluster stands on the record of the installation in it.
fn on_record(scene: &Scene<'_>, meant: Meant) -> Meant {
    match &meant {
        Meant::Node(id) if id.kind == ResourceKind::Cluster => {
            Meant::Node(scene.project.installation_id())
        }
        Meant::Node(_) | Meant::Instance(_) => meant,
    }
}

fn notes(on: bool, ids: &[&ResourceId], there: &Discovery) -> Option<String> {
    let is_data = |id: &&&ResourceId| there.found.get(**id).is_some_and(|f| f.class == Class::Data);
    let data = ids.iter().any(|id| is_data(&id));
    (!on && data).then(|| {
        "data still goes only with `--include-data` and the project's name, in a later run"
            .to_owned()
    })
}
