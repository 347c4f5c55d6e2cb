//! `moved:` of sections, in the light of what is there: what a rename keeps, when it is done, and old names that nothing bears.

use std::collections::BTreeSet;

use crate::catalogue::Instance;
use crate::model::{Failure, Found, Name, Owner, ResourceId, ResourceKind, Snapshot, label_value};
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
        notes.extend(unsaid(scene, look));
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
    // What was left behind elsewhere keeps the old name: nothing writes to it.
    let due = |found: &Found| found.moved_from.as_ref() == Some(old) && found.bears.is_none();
    if own().any(|(_, found)| due(found)) {
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

/// What goes into the section of an instance that was called otherwise before; a release keeps its name.
pub(super) fn lines(old: &str, release: Option<&str>) -> String {
    match release.filter(|release| *release != old) {
        Some(release) => format!("`moved: {old}` and `release: {release}`"),
        None => format!("`moved: {old}`"),
    }
}

/// An instance that comes while one like it leaves may be the same under another name. That is never guessed, but asked.
fn unsaid(scene: &Scene<'_>, look: &Look) -> Vec<String> {
    let instances = &scene.project.platform.instances;
    let wanted = |name: &Name| instances.iter().any(|i| i.name == *name);
    let found = &look.snapshot.discovered.found;
    let is_there = |name: &Name| found.keys().any(|id| id.instance_name() == Some(name));
    let comes = |instance: &&Instance| {
        instance.moved.is_none() && !instance.extra && !is_there(&instance.name)
    };
    let flavour = label_value(&scene.identity.flavour);
    let mine = |found: &Found| {
        let named = found.flavour.as_ref().is_none_or(|name| *name == flavour);
        found.owner == Owner::Ours && !found.extra && named
    };
    let leaving: BTreeSet<&Name> = found
        .iter()
        .filter(|(_, found)| mine(found) && found.release.is_some())
        .filter_map(|(id, _)| id.instance_name())
        .filter(|name| !wanted(name))
        .collect();
    let mut notes = Vec::new();
    for instance in instances.iter().filter(comes) {
        for old in leaving.iter().filter(|old| is_alike(scene, look, instance, old)) {
            let mut own = found.iter().filter(|(id, _)| id.instance_name() == Some(old));
            let told = |found: &Found| found.outputs.get("release")?.as_str().map(str::to_owned);
            let release = own.find_map(|(_, found)| told(found));
            let name = &instance.name;
            notes.push(format!(
                "`{name}` comes and `{old}`, which has the same parts, goes: if `{old}` is only called `{name}` now, write {} in the section of `{name}`, and nothing is made anew",
                lines(old.as_str(), release.as_deref())
            ));
        }
    }
    notes
}

/// Whether what is there of an instance could be that of another one: each part has its like, and the component is not known
/// to be another.
fn is_alike(scene: &Scene<'_>, look: &Look, new: &Instance, old: &Name) -> bool {
    let components = &scene.project.catalogue;
    let component =
        |name: &str| components.component(name).map(|component| component.name().to_owned());
    let is_another =
        component(old.as_str()).is_some_and(|own| component(&new.component) != Some(own));
    let found = &look.snapshot.discovered.found;
    let own = found.iter().filter(|(id, found)| {
        let made = id.kind == ResourceKind::Claim && found.applied.is_none();
        id.instance_name() == Some(old) && !id.kind.only_looks() && !made && found.bears.is_none()
    });
    let like = |id: &ResourceId| ResourceId::instance(&new.name, id.kind, id.name.clone());
    !is_another && own.map(|(id, _)| like(id)).all(|id| look.desired.get(&id).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

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
