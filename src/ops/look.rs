//! What was seen: discovery by marks, rendering, observation. Changes nothing.

use std::collections::BTreeMap;

use crate::model::{
    Desired, Discovery, Failure, FailureKind, Family, Found, Known, Observed, Owner, Power,
    Resource, ResourceId, Scope, Snapshot, label_value,
};
use crate::provider::{Provider as _, Renderer as _};

use super::scene::Scene;

/// What is wanted, rendered, and what was seen of it.
pub(super) struct Look {
    pub(super) desired: Desired,
    pub(super) snapshot: Snapshot,
}

/// Renders what is wanted and looks at all of it, and at all that bears our marks. `files` is all that the files name, wanted in
/// this run or not.
pub(super) async fn look(
    scene: &Scene<'_>,
    desired: Desired,
    files: &Desired,
) -> Result<Look, Failure> {
    let mut snapshot = Snapshot::default();
    let mut known = scene.known.clone();
    if scene.runs() {
        snapshot.discovered = scene.kubernetes.discover(&scene.identity, &scene.known).await;
        snapshot.discovered.tell_apart(&desired);
        snapshot.discovered.class_by(files);
        for (id, found) in &snapshot.discovered.found {
            known.insert(id.clone(), found.outputs.clone());
        }
        if let Observed::Present(found) = &scene.cluster_seen {
            let cluster = scene.cluster.id.clone();
            snapshot.discovered.found.insert(cluster, found.as_ref().clone());
        }
        look_into_what_may_go(scene, (&desired, &known), &mut snapshot.discovered).await;
        count_what_may_go(scene, &desired, &mut snapshot.discovered).await;
    }
    if let (false, Observed::Present(found)) = (scene.runs(), &scene.cluster_seen) {
        snapshot.discovered.found.insert(scene.cluster.id.clone(), found.as_ref().clone());
    }
    let desired = render(scene, desired, &known).await?;
    snapshot.observed = if scene.runs() {
        let inside: Vec<&Resource> = in_cluster(&desired).collect();
        scene.kubernetes.observe(&inside, &scene.identity, &known).await
    } else {
        unasked(scene, &desired)
    };
    snapshot.hand_over(&desired);
    if desired.get(&scene.cluster.id).is_some() {
        snapshot.observed.insert(scene.cluster.id.clone(), scene.cluster_seen.clone());
    }
    Ok(Look { desired, snapshot })
}

/// Finds out what is not ours in what is wanted no more. What stays is not looked into: it takes a list for each kind the
/// cluster serves.
async fn look_into_what_may_go(
    scene: &Scene<'_>,
    (desired, known): (&Desired, &Known),
    discovered: &mut Discovery,
) {
    let identity = &scene.identity;
    let ours = label_value(&identity.flavour);
    let may_go = |(id, found): &(&ResourceId, &Found)| {
        let of_others = found.flavour.as_ref().is_some_and(|flavour| *flavour != ours);
        let is_ours = found.owner == Owner::Ours && (identity.every_flavour || !of_others);
        desired.get(id).is_none() && is_ours
    };
    let all = discovered.found.iter().filter(may_go);
    let hosts: Vec<ResourceId> = all.map(|(id, _)| id.clone()).collect();
    if hosts.contains(&scene.cluster.id) {
        match scene.kubernetes.neighbours(identity, known).await {
            Ok(neighbours) => discovered.neighbours = neighbours,
            Err(because) => discovered.unlisted.push(because),
        }
    }
    let inside = scene.kubernetes.strangers(&hosts, identity, known).await;
    for (id, strangers) in inside {
        match (discovered.found.get_mut(&id), strangers) {
            (Some(found), Ok(strangers)) => found.foreign.extend(strangers),
            (_, Err(because)) => discovered.unlisted.push(because),
            (None, Ok(_)) => {}
        }
    }
}

/// Counts the data that is wanted no more: a person reads it before it goes, and as long as it is kept.
async fn count_what_may_go(scene: &Scene<'_>, desired: &Desired, discovered: &mut Discovery) {
    for family in [Family::Cloud, Family::Kubernetes] {
        let Some(provider) = scene.providers.of(family) else { continue };
        let of_family = |id: &&ResourceId| id.kind.family() == family && desired.get(id).is_none();
        let ids: Vec<ResourceId> = discovered.data().filter(of_family).cloned().collect();
        if !ids.is_empty() {
            discovered.count(provider.census(&ids, &scene.identity, &scene.known).await);
        }
    }
}

/// What lives in a cluster that does not run: absent with it, or out of reach in it.
fn unasked(scene: &Scene<'_>, desired: &Desired) -> BTreeMap<ResourceId, Observed> {
    let observed = match &scene.cluster_seen {
        Observed::Absent => Observed::Absent,
        Observed::Present(found) if found.power == Power::Off => {
            Observed::Unreachable { because: "the cluster is stopped".to_owned() }
        }
        Observed::Present(_) | Observed::Unreachable { .. } => {
            Observed::Unreachable { because: "the cluster does not answer".to_owned() }
        }
    };
    in_cluster(desired).map(|resource| (resource.id.clone(), observed.clone())).collect()
}

fn in_cluster(desired: &Desired) -> impl Iterator<Item = &Resource> {
    desired.resources.values().filter(|resource| resource.id.kind.family() == Family::Kubernetes)
}

/// Renders what lives in the cluster; every chart that cannot be rendered is named at once.
async fn render(
    scene: &Scene<'_>,
    mut desired: Desired,
    known: &Known,
) -> Result<Desired, Failure> {
    // A stopped cluster is started first, and planned for then.
    if scene.is_off() {
        return Ok(desired);
    }
    let inside: Vec<&Resource> = in_cluster(&desired).collect();
    let rendered = scene.kubernetes.render(&inside, &scene.identity, &scene.facts, known).await;
    let mut failures = Vec::new();
    let mut findings = Vec::new();
    for (id, outcome) in rendered {
        match outcome {
            Ok(rendered) => {
                if scene.settings.strict {
                    findings.extend(rendered.findings.iter().map(|line| format!("{id}: {line}")));
                }
                let shown = if scene.settings.strict { &[] } else { rendered.findings.as_slice() };
                for warning in shown.iter().chain(&rendered.warnings) {
                    scene.screen.warn(&format!("{id}: {warning}"));
                }
                if let Some(resource) = desired.resources.get_mut(&id) {
                    resource.rendered = Some(rendered);
                }
            }
            Err(failure) => failures.push((id.clone(), placed(scene, &id, failure))),
        }
    }
    match all_at_once(failures).or_else(|| unknown_keys(findings)) {
        Some(failure) => Err(failure),
        None => Ok(desired),
    }
}

/// The same with the place at which the user set each value that a cause begins with.
fn placed(scene: &Scene<'_>, id: &ResourceId, mut failure: Failure) -> Failure {
    let Scope::Instance(name) = &id.scope else { return failure };
    let instances = &scene.project.platform.instances;
    let Some(instance) = instances.iter().find(|instance| instance.name == *name) else {
        return failure;
    };
    for cause in &mut failure.causes {
        let key = cause.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
        if let Some(at) = key.and_then(|(key, _)| instance.value_at(key)) {
            *cause = format!("{cause} ({}, line {})", at.path().display(), at.line());
        }
    }
    failure
}

/// What `--strict` makes of values keys that no chart knows.
fn unknown_keys(findings: Vec<String>) -> Option<Failure> {
    if findings.is_empty() {
        return None;
    }
    let what = "values hold keys that their charts do not know, and `--strict` allows none";
    let mut failure = Failure::new(FailureKind::Usage, what);
    failure.causes = findings;
    Some(failure.hint("correct or remove them; without `--strict` they are warnings"))
}

/// One failure that names all of several.
fn all_at_once(failures: Vec<(ResourceId, Failure)>) -> Option<Failure> {
    let several = failures.len() > 1;
    let mut all: Option<Failure> = None;
    for (id, failure) in failures {
        match &mut all {
            None => {
                let mut first = failure;
                first.what = format!("cannot render `{id}`: {}", first.what);
                all = Some(first);
            }
            Some(all) => {
                all.causes.push(format!("`{id}`: {}", failure.what));
                all.causes.extend(failure.causes);
                for hint in failure.hints {
                    if !all.hints.contains(&hint) {
                        all.hints.push(hint);
                    }
                }
                if failure.kind.rank() < all.kind.rank() {
                    all.kind = failure.kind;
                }
            }
        }
    }
    if let (true, Some(all)) = (several, &mut all) {
        all.hints.push("several charts cannot be rendered; all of them are named above".to_owned());
    }
    all
}
