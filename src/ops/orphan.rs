//! `orphan NAME`: stops managing what it names and keeps all of it: our marks come off, nothing else changes.

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::Failure;
use crate::plan;
use crate::ui::Screen;

use super::marking::{self, Meant};
use super::{Ended, Settings, load, scene};

/// Lets go of an instance, or of one node.
pub async fn orphan(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
    typed: &str,
) -> Result<Ended, Failure> {
    let meant = Meant::read(typed)?;
    if let Meant::Node(id) = &meant {
        marking::only_content(&[id.clone()].into())?;
    }
    let project = load::load(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    let there = marking::discover(&scene).await?;
    let ids = marking::of_ours(&scene, &there, &meant, typed)?;
    marking::only_content(&ids)?;
    let mut plan = plan::orphan(&there, &ids);
    let instances = &scene.project.platform.instances;
    if let Some(instance) = instances.iter().find(|instance| {
        !instance.extra && ids.iter().any(|id| id.instance_name() == Some(&instance.name))
    }) {
        plan.notes.push(format!(
            "`{}` is still in the flavour: take it out, or the next apply stops at what it finds in its place",
            instance.name
        ));
    }
    plan.notes.push(
        "what bears no mark is not listed by `status` and not taken by `destroy`; `adopt` takes it back"
            .to_owned(),
    );
    let question = format!("Stop managing {} and keep everything?", named(typed, ids.len()));
    Box::pin(marking::carry_out(&scene, &plan, question, cancel)).await
}

fn named(typed: &str, count: usize) -> String {
    if count == 1 { format!("`{typed}`") } else { format!("`{typed}` ({count} nodes)") }
}
