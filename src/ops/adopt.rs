//! `adopt NAME [--from FLAVOUR]`: takes over what bears no mark of ours, or another flavour's. It writes marks and nothing
//! else; what the next apply would change is shown before.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::{
    Adopts, Failure, FailureKind, Family, Observed, ResourceId, ResourceKind, Snapshot, label_value,
};
use crate::plan::{self, Taken};
use crate::ui::Screen;

use super::draw::{Goal, draw};
use super::marking::{self, Meant};
use super::{Ended, Settings, load, scene};

/// Takes over an instance's things, or one node.
pub async fn adopt(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
    typed: &str,
    from: Option<&str>,
) -> Result<Ended, Failure> {
    let meant = Meant::read(typed)?;
    let project = load::load(settings, screen)?;
    let mut scene = scene::open_wired(settings, screen, project).await?;
    marking::running(&scene)?;
    let truth = Box::pin(draw(&scene, Goal::Install, false)).await?.look.snapshot;
    let ids = meant_in(&truth, &meant, from);
    if ids.is_empty() {
        return Err(nothing(typed, from));
    }
    marking::only_content(&ids)?;
    scene.identity.adopts = Adopts {
        ids: ids.clone(),
        from: from.map(str::to_owned),
        alive: scene.kubernetes.installations(&scene.known).await?,
    };
    scene.kubernetes.forget();
    let second = Box::pin(draw(&scene, Goal::Install, false)).await?;
    let taken =
        Taken { ids: &ids, from, truth: &truth, seen: &second.look.snapshot, plan: &second.plan };
    let mut plan = plan::adopt(taken);
    if plan.steps.is_empty() {
        screen.note(&format!("`{typed}` is ours already; nothing to take over"));
        return Ok(Ended::Well);
    }
    plan.notes.push(
        "only marks are written now; what is shown as changes comes with the next `datamill apply`"
            .to_owned(),
    );
    let question = format!("Take over {} of `{typed}`?", count(plan.steps.len()));
    Box::pin(marking::carry_out(&scene, &plan, question, None, cancel)).await
}

fn count(nodes: usize) -> String {
    if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") }
}

/// The resources that are meant and there: those the flavour wants, and those another flavour has under the name.
fn meant_in(truth: &Snapshot, meant: &Meant, from: Option<&str>) -> BTreeSet<ResourceId> {
    let wanted = truth.observed.iter().filter(|(_, seen)| matches!(seen, Observed::Present(_)));
    let wanted = wanted.map(|(id, _)| id).filter(|id| id.kind.family() != Family::Local);
    let theirs = truth.discovered.found.iter().filter(|(_, found)| {
        let flavour = found.flavour.as_deref();
        from.is_some_and(|from| flavour == Some(label_value(from).as_str()))
    });
    wanted
        .chain(theirs.map(|(id, _)| id))
        .filter(|id| meant.takes(id) && id.kind != ResourceKind::Installation)
        .cloned()
        .collect()
}

fn nothing(typed: &str, from: Option<&str>) -> Failure {
    let what = match from {
        Some(from) => format!("flavour {from} has nothing called `{typed}` here"),
        None => format!("nothing that the flavour wants as `{typed}` is there"),
    };
    Failure::new(FailureKind::Usage, what)
        .because("what is taken over is what stands in the place of a wanted thing")
        .hint("see what is in the way, with the command that takes it over:\n    datamill plan")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Found;

    #[test]
    fn what_is_wanted_and_there_is_meant_and_what_the_other_flavour_has() {
        let mut truth = Snapshot::default();
        let id = |text: &str| text.parse::<ResourceId>().unwrap();
        let present = || Observed::Present(Box::new(Found::ours()));
        truth.observed.insert(id("a/release/x"), present());
        truth.observed.insert(id("a/objects/y"), Observed::Absent);
        truth.observed.insert(id("b/release/x"), present());
        let found = Found { flavour: Some("big".to_owned()), ..Found::ours() };
        truth.discovered.found.insert(id("a/claim/z"), found);
        let of = |typed: &str, from| {
            let ids = meant_in(&truth, &Meant::read(typed).unwrap(), from);
            ids.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of("a", None), ["a/release/x"]);
        assert_eq!(of("a", Some("big")), ["a/claim/z", "a/release/x"]);
        assert_eq!(of("a", Some("small")), ["a/release/x"]);
        assert_eq!(of("a/claim/z", Some("big")), ["a/claim/z"]);
        assert_eq!(of("c", None), Vec::<String>::new());
    }
}
