//! After a destroy: looks once more at everything that could carry a trace. What is still there and was not to stay is said,
//! exit 6.

use std::collections::BTreeSet;

use crate::model::{
    Discovery, Failure, FailureKind, Found, ObjectRef, Observed, ResourceId, ResourceKind,
};
use crate::plan::{Action, Plan, Step};
use crate::provider::Provider as _;

use super::draw::{Goal, draw};
use super::scene::Scene;

/// Compares what is there with what the plan said would stay.
pub(super) async fn audit(scene: &Scene<'_>, goal: Goal, plan: &Plan) -> Result<(), Failure> {
    let left = if cluster_went(plan) {
        of_cluster(scene).await
    } else if scene.simulated() {
        Vec::new()
    } else {
        scene.kubernetes.forget();
        inside(scene, goal, plan).await?
    };
    if left.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(FailureKind::Partial, "destroy left something behind");
    failure.causes = left;
    Err(failure
        .hint("run the same command again; it goes on with what is left")
        .hint("what it names again and again, remove by hand: nothing of ours needs it any more"))
}

fn cluster_went(plan: &Plan) -> bool {
    plan.steps
        .iter()
        .any(|step| step.id.kind == ResourceKind::Cluster && step.action == Action::Delete)
}

/// What is left of a cluster that was deleted: itself, its containers, its processes, its folder.
async fn of_cluster(scene: &Scene<'_>) -> Vec<String> {
    let cluster = &scene.cluster;
    let mut seen = scene.local.observe(&[cluster], &scene.identity, &scene.known).await;
    match seen.remove(&cluster.id) {
        Some(Observed::Absent) | None => Vec::new(),
        Some(Observed::Present(_)) => vec![format!("`{}` is still there", cluster.id)],
        Some(Observed::Unreachable { because }) => {
            vec![format!("`{}`: nobody can tell whether it is gone: {because}", cluster.id)]
        }
    }
}

/// What is left in a cluster that stays.
async fn inside(scene: &Scene<'_>, goal: Goal, plan: &Plan) -> Result<Vec<String>, Failure> {
    let there = scene.kubernetes.discover(&scene.identity, &scene.known).await;
    let mut left = survivors(plan, &there);
    // Nothing of another flavour is looked at as ours: the planner knows which is which.
    let again = draw(scene, goal, scene.settings.include_data).await?;
    let goes: BTreeSet<&ResourceId> = again
        .plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Delete)
        .map(|step| &step.id)
        .collect();
    left.retain(|(id, _)| goes.contains(id));
    let mut lines: Vec<String> = left.into_iter().map(|(_, says)| says).collect();
    lines
        .extend(there.unlisted.iter().map(|what| format!("{what}: nobody can tell what is there")));
    lines.extend(there.strays.iter().map(stray));
    Ok(lines)
}

fn stray(object: &ObjectRef) -> String {
    format!("{object} bears our mark and says of nothing that it is its part")
}

/// What is there though the plan did not say that it stays, each with its objects.
fn survivors(plan: &Plan, there: &Discovery) -> Vec<(ResourceId, String)> {
    let kept: Vec<&Step> =
        plan.steps.iter().filter(|step| step.action.retained().is_some()).collect();
    // What shares its id with others goes by another one once those are gone.
    let claim = |step: &Step| step.found.as_ref().and_then(|found| found.lasting().cloned());
    let stays = |id: &ResourceId, found: &Found| {
        let same =
            |step: &&Step| found.lasting().is_some_and(|own| claim(step).as_ref() == Some(own));
        kept.iter().any(|step| step.id == *id || same(step))
    };
    let left = there.found.iter().filter(|(id, found)| !stays(id, found));
    left.map(|(id, found)| (id.clone(), survivor(id, found))).collect()
}

fn survivor(id: &ResourceId, found: &Found) -> String {
    const NAMED: usize = 5;
    let names: Vec<String> =
        found.objects.iter().take(NAMED).map(|object| object.object.to_string()).collect();
    if names.is_empty() {
        format!("`{id}` is still there")
    } else {
        format!("`{id}` is still there: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Precondition;

    #[test]
    fn what_was_said_to_stay_is_no_residue() {
        let step = |id: &str, action: Action| Step {
            id: id.parse().unwrap(),
            action,
            wanted: None,
            found: None,
            after: BTreeSet::new(),
            precondition: Precondition::Nothing,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
        };
        let plan = Plan {
            steps: vec![
                step("a/claim/data", Action::Retain { why: "data".to_owned() }),
                step("a/release/x", Action::Delete),
            ],
            notes: Vec::new(),
        };
        let mut there = Discovery::default();
        for id in ["a/claim/data", "a/release/x", "b/objects/y"] {
            there.found.insert(id.parse().unwrap(), Found::ours());
        }
        let left: Vec<String> =
            survivors(&plan, &there).into_iter().map(|(_, says)| says).collect();
        assert_eq!(left, ["`a/release/x` is still there", "`b/objects/y` is still there"]);
    }
}
