//! `moved:` of sections, in the light of what is there: what a rename keeps, when it is done, and old names that nothing bears.

use std::collections::BTreeSet;

use crate::catalogue::Instance;
use crate::model::{Failure, Name, Owner, Snapshot};
use crate::yaml::{Problem, Problems};

use super::load;
use super::look::Look;
use super::scene::Scene;

/// What became of an old name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Move {
    /// Things bear it: they follow.
    Due,
    /// Nothing bears it, and things bear the new one.
    Done,
    /// Nothing bears either, and others of the flavour leave it: the name is likely wrong.
    Wrong {
        /// Who leaves.
        leaving: BTreeSet<String>,
    },
    /// Nothing bears either.
    New,
}

/// Says what renames do; an old name that is likely mistyped is an error where it stands.
pub(super) fn check(scene: &Scene<'_>, look: &Look) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    let mut problems = Problems::default();
    for instance in &scene.project.platform.instances {
        let Some((old, at)) = &instance.moved else { continue };
        let wanted = |name: &Name| scene.project.platform.instances.iter().any(|i| i.name == *name);
        match became(&instance.name, old, &look.snapshot, &wanted) {
            Move::Due => notes.push(due(instance, old)),
            Move::Done => notes.push(done(instance, old)),
            Move::Wrong { leaving } => problems.push(
                Problem::error("wrong-move", format!("nothing here was ever called `{old}`"))
                    .at(at)
                    .label("the old name")
                    .suggest(old.as_str(), leaving.iter().map(String::as_str)),
            ),
            Move::New => {}
        }
    }
    if problems.is_empty() {
        return Ok(notes);
    }
    scene.screen.show_problems(&problems);
    Err(load::refused(&problems))
}

fn became(name: &Name, old: &Name, snapshot: &Snapshot, wanted: &dyn Fn(&Name) -> bool) -> Move {
    let ours = || {
        let found = snapshot.discovered.found.iter();
        found.filter(|(id, found)| found.owner == Owner::Ours && !id.kind.only_looks())
    };
    let own = || ours().filter(|(id, _)| id.instance_name() == Some(name));
    if own().any(|(_, found)| found.moved_from.as_ref() == Some(old)) {
        return Move::Due;
    }
    if own().next().is_some() {
        return Move::Done;
    }
    let names = ours().filter(|(_, found)| !found.extra).filter_map(|(id, _)| id.instance_name());
    let leaving: BTreeSet<String> =
        names.filter(|name| !wanted(name)).map(ToString::to_string).collect();
    if leaving.is_empty() { Move::New } else { Move::Wrong { leaving } }
}

fn due(instance: &Instance, old: &Name) -> String {
    let name = &instance.name;
    let release = instance.release.as_deref().unwrap_or_else(|| old.as_str());
    format!(
        "`{name}` was `{old}`: what it has gets the new name's marks; what cannot be renamed keeps its name (the release `{release}`, its volume claims and Secrets)"
    )
}

fn done(instance: &Instance, old: &Name) -> String {
    let name = &instance.name;
    let release = instance.release.as_deref().unwrap_or_else(|| old.as_str());
    format!(
        "`{name}` was `{old}` and is renamed: in its section `moved: {old}` can become `release: {release}`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Found;

    #[test]
    fn an_old_name_is_due_done_new_or_wrong() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (queue, kafka) = (name("queue"), name("kafka"));
        let seen = |things: &[(&str, Option<&str>)]| {
            let mut snapshot = Snapshot::default();
            for (id, moved) in things {
                let found = Found { moved_from: moved.map(name), ..Found::ours() };
                snapshot.discovered.found.insert(id.parse().unwrap(), found);
            }
            became(&queue, &kafka, &snapshot, &|name| *name == queue)
        };
        assert_eq!(seen(&[("queue/release/x", Some("kafka"))]), Move::Due);
        let half = [("queue/release/x", None), ("queue/secret/x", Some("kafka"))];
        assert_eq!(seen(&half), Move::Due, "begun and not ended");
        assert_eq!(seen(&[("queue/release/x", None)]), Move::Done);
        assert_eq!(seen(&[("target/namespace/x", None)]), Move::New);
        let leaving = BTreeSet::from(["kafak".to_owned()]);
        assert_eq!(seen(&[("kafak/release/x", None)]), Move::Wrong { leaving });
    }
}
