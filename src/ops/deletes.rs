//! `--delete`: words that name nothing. What is gone already may be named again; what never was is a mistake.

use std::collections::BTreeSet;

use super::draw::Drawing;
use super::scene::Scene;
use crate::model::{Failure, FailureKind, ResourceId};
use crate::plan::{self, Permits, Plan};
use crate::yaml::nearest;

/// What a plan says of words that name nothing: with what is gone already, the same command may run again.
pub(super) fn gone(permits: &Permits, plan: &Plan) -> Vec<String> {
    let there = |word: &&String| plan.steps.iter().any(|step| plan::names(word, &step.id));
    let unknown = permits.deletes.iter().filter(|word| !there(word));
    unknown.map(|word| format!("`--delete {word}` names nothing that is there")).collect()
}

/// Refuses words that nothing has, here or in the files.
pub(super) fn refuse_unknown(scene: &Scene<'_>, drawing: &Drawing) -> Result<(), Failure> {
    let ids: BTreeSet<&ResourceId> = drawing
        .plan
        .steps
        .iter()
        .map(|step| &step.id)
        .chain(drawing.expansion.desired.resources.keys())
        .collect();
    let instances = instances(scene, &ids);
    let unknown: Vec<&String> =
        scene.settings.deletes.iter().filter(|word| !is_known(word, &ids, &instances)).collect();
    let Some(first) = unknown.first() else { return Ok(()) };
    let mut failure = Failure::new(FailureKind::Usage, format!("`--delete {first}` names nothing"));
    for word in &unknown {
        let names = ids.iter().map(ToString::to_string).chain(instances.iter().cloned());
        let names: BTreeSet<String> = names.collect();
        failure = failure.because(format!(
            "nothing here and no component or instance in the files is called `{word}`"
        ));
        failure = match nearest(word, names.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint(format!("there is: {}", listed(&instances))),
        };
    }
    Err(failure)
}

/// Whether something is called so, or was: of an instance that has nothing any more, nobody can tell what it had.
fn is_known(word: &str, ids: &BTreeSet<&ResourceId>, instances: &BTreeSet<String>) -> bool {
    let is_gone = || {
        let id: Option<ResourceId> = word.parse().ok();
        let name = id.and_then(|id| id.instance_name().cloned());
        name.is_some_and(|name| {
            instances.contains(name.as_str())
                && !ids.iter().any(|id| id.instance_name() == Some(&name))
        })
    };
    instances.contains(word) || ids.iter().any(|id| plan::names(word, id)) || is_gone()
}

/// The names of instances that are there, or that the files could install.
fn instances(scene: &Scene<'_>, ids: &BTreeSet<&ResourceId>) -> BTreeSet<String> {
    let project = &scene.project;
    let there = ids.iter().filter_map(|id| id.instance_name()).map(ToString::to_string);
    let named = project.platform.instances.iter().map(|instance| instance.name.to_string());
    let catalogue = project.catalogue.components().map(|component| component.name().to_owned());
    there.chain(named).chain(catalogue).collect()
}

fn listed(names: &BTreeSet<String>) -> String {
    /// As many are named.
    const NAMED: usize = 12;
    names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ")
}
