//! `orphan NAME…`: stops managing what it names and keeps all of it: our marks come off, nothing else changes.

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::engine::Cancel;
use crate::model::{Discovery, Failure, Name, ResourceId};
use crate::plan::{self, Block};
use crate::ui::Screen;

use super::marking::{self, Meant};
use super::{Ended, Settings, load, scene};

/// Lets go of instances, or of nodes.
pub async fn orphan(
    settings: &Settings,
    screen: &Screen,
    cancel: watch::Receiver<Cancel>,
    typed: &[String],
) -> Result<Ended, Failure> {
    let meant = typed.iter().map(|typed| Meant::read(typed)).collect::<Result<Vec<_>, _>>()?;
    for one in &meant {
        if let Meant::Node(id) = one {
            marking::only_content(&[id.clone()].into())?;
        }
    }
    let project = load::load(settings, screen)?;
    let scene = scene::open(settings, screen, project).await?;
    let there = marking::discover(&scene).await?;
    let mut ids = BTreeSet::new();
    for (one, typed) in meant.iter().zip(typed) {
        ids.extend(marking::of_ours(&scene, &there, one, typed)?);
    }
    marking::only_content(&ids)?;
    let mut plan = plan::orphan(&there, &ids);
    let instances = &scene.project.platform.instances;
    let goes = |name| ids.iter().any(|id: &ResourceId| id.instance_name() == Some(name));
    for instance in instances.iter().filter(|one| !one.extra && goes(&one.name)) {
        plan.notes.push(format!(
            "`{}` is still in the flavour: take it out, or the next apply stops at what it finds in its place",
            instance.name
        ));
    }
    plan.notes.push(
        "what bears no mark is `unmanaged` to `status` and not taken by `destroy`; `adopt` takes it back"
            .to_owned(),
    );
    let question = format!("Stop managing {} and keep everything?", named(typed, ids.len()));
    let needed = with_users(&there, ids).map(|all| {
        format!("let go of what needs it as well, in one run; all of it stays:\n    datamill orphan {all}")
    });
    Box::pin(marking::carry_out(&scene, &plan, question, needed, cancel)).await
}

/// The instances that have to be let go of together, when some others need what is meant.
fn with_users(there: &Discovery, mut ids: BTreeSet<ResourceId>) -> Option<String> {
    loop {
        let plan = plan::orphan(there, &ids);
        let users: BTreeSet<ResourceId> = plan
            .steps
            .iter()
            .filter_map(|step| match step.action.block() {
                Some(Block::Needed { by }) => Some(by.clone()),
                Some(_) | None => None,
            })
            .flatten()
            .collect();
        if users.is_empty() {
            break;
        }
        let names: BTreeSet<_> =
            users.iter().chain(&ids).filter_map(|id| id.instance_name().cloned()).collect();
        let meant = |id: &&ResourceId| {
            id.instance_name().is_some_and(|name| names.contains(name)) && !id.kind.only_looks()
        };
        let more: BTreeSet<_> = there.found.keys().filter(meant).cloned().collect();
        // What belongs to the target is nobody's to let go of by name.
        if more.is_subset(&ids) {
            return None;
        }
        ids.extend(more);
    }
    let names: BTreeSet<&str> =
        ids.iter().filter_map(ResourceId::instance_name).map(Name::as_str).collect();
    Some(names.into_iter().collect::<Vec<_>>().join(" "))
}

fn named(typed: &[String], count: usize) -> String {
    let names = typed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if count == 1 { names } else { format!("{names} ({count} nodes)") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Found;

    #[test]
    fn what_needs_it_is_named_with_all_that_needs_that() {
        let ids = |all: &[&str]| -> BTreeSet<ResourceId> {
            all.iter().map(|id| id.parse().unwrap()).collect()
        };
        let found = |needs: &[&str]| Found { needs: ids(needs), ..Found::ours() };
        let things = [
            ("store/release/x", found(&["store/claim/data"])),
            ("store/claim/data", found(&[])),
            ("api/release/x", found(&["store/health/installed"])),
            ("ui/release/x", found(&["api/health/installed"])),
            ("zoo/release/x", found(&[])),
        ];
        let found = things.into_iter().map(|(id, found)| (id.parse().unwrap(), found)).collect();
        let there = Discovery { found, ..Discovery::default() };
        let of = |meant: &[&str]| with_users(&there, ids(meant)).unwrap();
        assert_eq!(of(&["store/claim/data"]), "api store ui");
        assert_eq!(of(&["api/release/x"]), "api ui");
        assert_eq!(of(&["zoo/release/x"]), "zoo");
    }
}
