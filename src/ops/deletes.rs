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

/// Whether something is called so, or may have been: what an instance had before, nobody can tell.
fn is_known(word: &str, ids: &BTreeSet<&ResourceId>, instances: &BTreeSet<String>) -> bool {
    instances.contains(word)
        || ids.iter().any(|id| plan::names(word, id))
        || word.parse().is_ok_and(|id| is_gone(&id, ids, instances))
}

/// Whether an instance that is known may have had it: unless something of its kind is called nearly so, which is meant then.
fn is_gone(id: &ResourceId, ids: &BTreeSet<&ResourceId>, instances: &BTreeSet<String>) -> bool {
    let Some(instance) = id.instance_name() else { return false };
    let alike =
        |other: &&&ResourceId| other.instance_name() == Some(instance) && other.kind == id.kind;
    // The name of what lies by its place is one nobody types.
    let is_typed = !id.name.contains('/');
    let others = ids.iter().filter(alike).map(|other| other.name.as_str());
    instances.contains(instance.as_str()) && !(is_typed && nearest(&id.name, others).is_some())
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
