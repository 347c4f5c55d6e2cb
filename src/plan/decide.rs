//! One resource: what is wanted and what was found make an action. Knows nothing of order or of other resources.

use std::collections::{BTreeMap, BTreeSet};

use super::decision::{Decision, Fill};
use super::memory::{Inputs, inputs, settled};
use super::objects::Survey;
use super::origin::Moved;
use super::{
    Action, Block, Change, Effect, Origin, Permits, Precondition, Shown, diff, growth, risky,
};
use crate::model::{
    ClusterSpec, Found, JobSpec, KubernetesSpec, Leaf, Name, Object, ObjectFound, ObjectRef, Owner,
    Power, ReleaseStatus, Rendered, Rerun, Resource, ResourceId, ResourceKind, Spec,
};

/// A resource that is not there, or whose host is made anew.
pub(super) fn absent(wanted: &Resource) -> Decision {
    if let Spec::Cluster(ClusterSpec::Existing { .. }) = wanted.spec {
        return Decision::blocked(Block::Preflight {
            why: "the existing cluster was not found; check the kubeconfig and the context"
                .to_owned(),
        });
    }
    if comes_with_its_cluster(wanted) {
        return Decision::plain(Action::Use).note("it comes with the cluster");
    }
    let mut decision = Decision::plain(Action::Create);
    decision.precondition = Precondition::Absent;
    if let Some(rendered) = &wanted.rendered {
        decision.changes =
            rendered.objects.iter().filter_map(Object::reference).map(created).collect();
        decision.notes = notes_of(rendered);
    }
    decision
}

/// What comes in one place, with what goes in another.
pub(super) fn with_surplus(wanted: &Resource, mut decision: Decision, found: &Found) -> Decision {
    let survey = Survey::of(wanted, found, Origin::You);
    decision.changes.extend(survey.changes);
    decision.notes.extend(survey.notes);
    decision
}

/// A resource that is there, whole or in part, in a host that stays.
pub(super) fn present(
    wanted: &Resource,
    found: &Found,
    permits: &Permits,
    fill: Fill<'_>,
) -> Decision {
    if let Some(decision) = not_ours(wanted, found) {
        return decision;
    }
    if found.power == Power::Off {
        let mut decision = Decision::plain(Action::Start)
            .note("it is stopped; what is in it is known once it runs");
        decision.precondition = Precondition::of(found);
        return decision;
    }
    let mut decision = match &wanted.spec {
        Spec::Cluster(spec) => super::fields::cluster(spec, found, permits),
        Spec::Cloud(spec) => super::fields::cloud(wanted, spec, found, permits, fill),
        Spec::Kubernetes(_) => super::volume::wanted(found, kubernetes(wanted, found, permits)),
    };
    if decision.action.changes_something() {
        decision.precondition = Precondition::of(found);
        decision.notes.extend(super::moved::note(found));
        if let Some(rendered) = &wanted.rendered {
            decision.notes.extend(notes_of(rendered));
        }
    }
    decision
}

/// What is not ours is used as it is, or in the way.
fn not_ours(wanted: &Resource, found: &Found) -> Option<Decision> {
    match &found.owner {
        Owner::Ours if existing(wanted) => Some(Decision::plain(Action::Use)),
        Owner::Ours => foreign_object(wanted, found),
        Owner::Other(owner) => {
            let mut decision = Decision::blocked(Block::Foreign {
                object: format!("`{}`", wanted.id),
                owner: owner.clone(),
            });
            let theirs = found.flavour.as_ref().filter(|_| owner.starts_with("flavour "));
            if let (Some(name), Some(flavour)) = (wanted.id.instance_name(), theirs) {
                decision = take_over(decision, name, flavour);
            }
            Some(decision)
        }
        Owner::Unmarked { suitable: true, .. } if may_be_used(wanted) => {
            Some(Decision::plain(Action::Use).note("it is not ours and is left as it is"))
        }
        Owner::Unmarked { manager, suitable } => {
            let decision = Decision::blocked(Block::Foreign {
                object: format!("`{}`", wanted.id),
                owner: manager.clone().unwrap_or_else(|| "somebody else".to_owned()),
            });
            let fits = may_be_used(wanted) && !suitable;
            Some(if fits {
                decision.note("what is there does not do what is needed")
            } else {
                decision
            })
        }
    }
}

/// Another flavour holds the instance, wherever it lives: two of one name cannot be told apart by their marks.
pub(super) fn held_by(id: &ResourceId, flavour: &str) -> Decision {
    let decision = Decision::blocked(Block::Foreign {
        object: format!("`{id}`"),
        owner: format!("flavour {flavour}"),
    });
    match id.instance_name() {
        Some(name) => take_over(decision, name, flavour),
        None => decision,
    }
}

fn take_over(decision: Decision, name: &Name, flavour: &str) -> Decision {
    decision.note(format!(
        "it belongs to flavour {flavour}: `datamill adopt {name} --from {flavour}` takes it over, data and all; or leave it out here"
    ))
}

/// Namespaces that every cluster has from the start: there before anything of ours is, and never ours.
fn comes_with_its_cluster(wanted: &Resource) -> bool {
    const FROM_THE_START: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
    match wanted.kubernetes() {
        Some(KubernetesSpec::Namespace(spec)) => FROM_THE_START.contains(&spec.name.as_str()),
        _ => false,
    }
}

/// An existing cluster is never ours.
fn existing(wanted: &Resource) -> bool {
    matches!(wanted.spec, Spec::Cluster(ClusterSpec::Existing { .. }))
}

/// Kinds of which somebody else's is as good as ours.
fn may_be_used(wanted: &Resource) -> bool {
    existing(wanted)
        || matches!(
            wanted.id.kind,
            ResourceKind::Namespace | ResourceKind::Crds | ResourceKind::Bucket
        )
}

/// The first wanted object that lives and is not ours.
fn foreign_object(wanted: &Resource, found: &Found) -> Option<Decision> {
    found.objects.iter().filter(|object| object.wanted && object.live.is_some()).find_map(
        |object| {
            let owner = match &object.owner {
                Owner::Ours => return None,
                Owner::Other(owner) => owner.clone(),
                Owner::Unmarked { suitable: true, .. } if may_be_used(wanted) => return None,
                Owner::Unmarked { manager, .. } => {
                    manager.clone().unwrap_or_else(|| "somebody else".to_owned())
                }
            };
            Some(
                Decision::blocked(Block::Foreign { object: object.object.to_string(), owner })
                    .note(format!("datamill did not make it and does not change it; `datamill adopt {}` takes it over", wanted.id)),
            )
        },
    )
}

/// A Job that runs once stays as it ran, whatever its inputs are now.
fn has_run(wanted: &Resource, found: &Found, inputs: Inputs) -> Option<Decision> {
    let Some(KubernetesSpec::Job(JobSpec { rerun: Rerun::Once, .. })) = wanted.kubernetes() else {
        return None;
    };
    let there = |object: &ObjectFound| object.wanted && object.live.is_some();
    if found.moved_from.is_some() || !found.objects.iter().any(there) {
        return None;
    }
    let decision = Decision::plain(Action::Keep);
    Some(if inputs == Inputs::Differ {
        decision.note("it runs once, and ran with other inputs: delete the Job to run it again")
    } else {
        decision
    })
}

fn kubernetes(wanted: &Resource, found: &Found, permits: &Permits) -> Decision {
    let inputs = inputs(wanted, found);
    if let Some(decision) = has_run(wanted, found, inputs) {
        return decision;
    }
    let ended_well =
        found.release.as_ref().is_none_or(|release| release.status == ReleaseStatus::Deployed);
    let origin = match inputs {
        Inputs::Same => Origin::Somebody,
        Inputs::Differ => Origin::You,
        Inputs::Unknown => Origin::Unknown,
    };
    // The same inputs are memory enough: whatever differs then, you did not change it.
    let otherwise = if inputs == Inputs::Same && ended_well { origin } else { Origin::Unknown };
    let mut survey = Survey::of(wanted, found, otherwise);
    if let Some((object, says)) = survey.refused.first() {
        let why = growth::refusal(wanted, found, object, says)
            .unwrap_or_else(|| format!("the cluster refuses {object}: {says}"));
        return Decision::blocked(Block::Preflight { why });
    }
    let drift = inputs == Inputs::Same && ended_well;
    if let Some(decision) = risky::narrowed(wanted, &mut survey, permits, drift) {
        return decision;
    }
    if !survey.immutable.is_empty() {
        return risky::immutable(wanted, found, survey, permits, origin);
    }
    let is_release = wanted.id.kind == ResourceKind::Release;
    let nothing_there = survey.nothing_there && found.release.is_none();
    let mut decision = if nothing_there || (is_release && found.release.is_none()) {
        Decision::plain(Action::Create)
    } else {
        settled(inputs, is_release, survey.changes.is_empty(), found.release.as_ref())
    };
    if let (Some(rendered), true) =
        (&wanted.rendered, decision.action == Action::Create && found.objects.is_empty())
    {
        let objects = rendered.objects.iter().filter_map(Object::reference);
        decision.changes.extend(objects.map(created));
    }
    // Its marks are part of it: a repair would leave them.
    if found.moved_from.is_some() && matches!(decision.action, Action::Keep | Action::Repair) {
        decision.action = Action::Update;
    } else if decision.action == Action::Update && survey.changes.is_empty() {
        match (inputs, ended_well) {
            // What was applied is not known to differ: nothing live does.
            (Inputs::Unknown, true) => decision.notes.push(NOT_RECORDED.to_owned()),
            (Inputs::Same | Inputs::Differ | Inputs::Unknown, _) => {
                decision.changes.push(of_values(origin));
            }
        }
    }
    if nothing_there && inputs == Inputs::Same && wanted.id.kind == ResourceKind::Job {
        decision.notes.push("the finished Job is missing: it runs again".to_owned());
    }
    let lost = survey.lost.iter().map(|(object, lost)| format!("{object}: {}", lost.join("; ")));
    decision.notes.extend(lost);
    decision.changes.extend(survey.changes);
    decision.notes.extend(survey.notes);
    if permits.overwrite_data { decision } else { spare_data(wanted, decision, &survey.data_drift) }
}

/// What is said of a release whose objects are all as wanted, and of which nobody knows what it was made from.
const NOT_RECORDED: &str = "nothing in it differs; what it was made from is not recorded, so a new revision with the same objects writes that down";

/// Values that differ from those that were applied, and make no difference in any object.
fn of_values(origin: Origin) -> Change {
    Change {
        object: None,
        path: "values".to_owned(),
        from: Shown::Text("as applied".to_owned()),
        to: Shown::Text("as in the files".to_owned()),
        effect: Effect::InPlace,
        origin,
        by: None,
    }
}

/// What somebody changed on data is not overwritten unasked: a repair leaves it out, anything else waits for a word.
fn spare_data(
    wanted: &Resource,
    mut decision: Decision,
    data_drift: &BTreeSet<ObjectRef>,
) -> Decision {
    const ASK: &str = "write over it with `--overwrite-data`";
    let is_data = |change: &Change| {
        change.object.as_ref().is_some_and(|object| data_drift.contains(object))
            && !change.path.is_empty()
    };
    let Some(first) = decision.changes.iter().find(|change| is_data(change)) else {
        return decision;
    };
    let all = decision.changes.iter().all(is_data);
    let separate = wanted.id.kind == ResourceKind::Release;
    match &decision.action {
        Action::Repair if all => {
            decision.action = Action::Keep;
            decision.note(ASK)
        }
        Action::Repair if separate => {
            let mut names: Vec<_> = data_drift.iter().map(ToString::to_string).collect();
            names.sort();
            decision.changes.retain(|change| !is_data(change));
            let what = format!("left as somebody made it: {}", names.join(", "));
            decision.note(what).note(ASK)
        }
        Action::Repair | Action::Update => {
            let object = first.object.as_ref().map(ToString::to_string).unwrap_or_default();
            let why = format!("somebody changed {object}, which holds data; {ASK}");
            Decision {
                changes: decision.changes,
                notes: decision.notes,
                ..Decision::blocked(Block::Protected { why })
            }
        }
        Action::Create
        | Action::Replace
        | Action::Adopt
        | Action::Mark { .. }
        | Action::Delete
        | Action::Keep
        | Action::Retain { .. }
        | Action::Use
        | Action::GoesWith { .. }
        | Action::Start
        | Action::Deferred { .. }
        | Action::Waiting { .. }
        | Action::Blocked { .. } => decision,
    }
}

/// What a person should know of a rendering.
fn notes_of(rendered: &Rendered) -> Vec<String> {
    let mut later: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for leaf in &rendered.unknown {
        if let Leaf::Output(of, name) = leaf {
            later.entry(of.to_string()).or_default().push(name);
        }
    }
    let mut notes: Vec<_> = later
        .into_iter()
        .map(|(of, names)| format!("known after {of}: {}", names.join(", ")))
        .collect();
    notes.extend(rendered.findings.iter().chain(&rendered.warnings).cloned());
    notes
}

/// A whole object that comes.
pub(super) fn created(object: ObjectRef) -> Change {
    let to = Shown::Text("present".to_owned());
    whole(object, (Shown::Absent, to), Effect::InPlace, Origin::You)
}

/// A whole object that goes.
pub(super) fn removed(object: ObjectRef) -> Change {
    let from = Shown::Text("present".to_owned());
    whole(object, (from, Shown::Absent), Effect::InPlace, Origin::You)
}

/// A change of a whole object.
pub(super) fn whole(
    object: ObjectRef,
    (from, to): (Shown, Shown),
    effect: Effect,
    origin: Origin,
) -> Change {
    Change { object: Some(object), path: String::new(), from, to, effect, origin, by: None }
}

/// Differences as changes of one object, or of the thing itself; `origin` where the last apply is not known.
pub(super) fn changes(
    object: Option<&ObjectRef>,
    differences: Vec<diff::Difference>,
    origin: Origin,
) -> Vec<Change> {
    let change = |difference: diff::Difference| {
        let origin = difference.moved.map_or(origin, Moved::origin);
        Change {
            object: object.cloned(),
            path: difference.path,
            from: difference.from,
            to: difference.to,
            effect: difference.effect,
            origin,
            // Who wrote what lives matters only where it is not what we wrote.
            by: difference.by.filter(|_| origin != Origin::You),
        }
    };
    differences.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Class, NamespaceSpec};

    fn decided(id: &str, spec: Spec, found: &Found) -> Decision {
        let id: ResourceId = id.parse().unwrap();
        present(&Resource::new(id, spec), found, &Permits::default(), &|_| None)
    }

    fn owned_by(owner: Owner) -> Found {
        Found { owner, ..Found::ours() }
    }

    fn unmarked(suitable: bool) -> Owner {
        Owner::Unmarked { manager: Some("kubectl".to_owned()), suitable }
    }

    #[test]
    fn what_is_not_ours_is_used_where_that_will_do_and_in_the_way_elsewhere() {
        let spec = || Spec::kubernetes(KubernetesSpec::Installation);
        for id in ["target/namespace/x", "a/crds/x", "target/bucket/x"] {
            assert_eq!(decided(id, spec(), &owned_by(unmarked(true))).action, Action::Use, "{id}");
            let unsuitable = decided(id, spec(), &owned_by(unmarked(false)));
            let Action::Blocked { by } = &unsuitable.action else { panic!("{id}") };
            assert_eq!(by.says(), format!("`{id}` belongs to kubectl"));
            assert_eq!(unsuitable.notes.len(), 1);
        }
        for id in ["a/release/x", "a/objects/x", "a/claim/x", "a/secret/x", "target/network/x"] {
            let decision = decided(id, spec(), &owned_by(unmarked(true)));
            assert!(matches!(decision.action, Action::Blocked { .. }), "{id}");
        }
        let theirs = decided("target/namespace/x", spec(), &owned_by(Owner::Other("y".to_owned())));
        assert!(matches!(theirs.action, Action::Blocked { by: Block::Foreign { .. } }));
    }

    #[test]
    fn an_existing_cluster_is_used_whoever_made_it_and_never_made() {
        let spec = || Spec::Cluster(ClusterSpec::Existing { kubeconfig: None, context: None });
        for owner in [Owner::Ours, unmarked(true)] {
            let decision = decided("target/cluster/existing", spec(), &owned_by(owner));
            assert_eq!(decision.action, Action::Use);
        }
        let id = "target/cluster/existing".parse().unwrap();
        let decision = absent(&Resource::new(id, spec()));
        assert!(matches!(decision.action, Action::Blocked { by: Block::Preflight { .. } }));
    }

    #[test]
    fn a_namespace_that_every_cluster_has_is_never_made() {
        let namespace = |name: &str| {
            let labels = BTreeMap::new();
            let spec = NamespaceSpec { name: name.to_owned(), annotations: labels.clone(), labels };
            let id = ResourceId::target(ResourceKind::Namespace, name);
            let spec = Spec::kubernetes(KubernetesSpec::Namespace(spec));
            absent(&Resource::new(id, spec)).action
        };
        assert_eq!(namespace("default"), Action::Use);
        assert_eq!(namespace("data-mill"), Action::Create);
    }

    #[test]
    fn what_is_stopped_is_started_before_anything_else() {
        let spec = Spec::Cluster(ClusterSpec::Kwok { name: "x".to_owned(), nodes: Vec::new() });
        let found = Found { power: Power::Off, ..Found::ours() };
        let decision = decided("target/cluster/x", spec, &found);
        assert_eq!(decision.action, Action::Start);
        assert_ne!(decision.precondition, Precondition::Nothing);
    }

    #[test]
    fn one_wanted_object_of_somebody_else_stops_the_whole_node() {
        use crate::model::{AfterApply, ObjectFound, Version};
        let json =
            serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}});
        let object = |owner, wanted, live: bool| ObjectFound {
            object: Object(json.clone()).reference().unwrap(),
            wanted,
            live: live.then(|| Object(json.clone())),
            after: AfterApply::Would(Object(json.clone())),
            owner,
            class: Class::Stateless,
            version: Version::default(),
        };
        let stops = |found: ObjectFound| {
            let ours = object(Owner::Ours, true, true);
            let found = Found { objects: vec![ours, found], ..Found::ours() };
            let spec = Spec::kubernetes(KubernetesSpec::Installation);
            let decision = decided("a/objects/x", spec, &found);
            matches!(decision.action, Action::Blocked { by: Block::Foreign { .. } })
        };
        let other = || Owner::Other("another project".to_owned());
        assert!(stops(object(other(), true, true)));
        assert!(stops(object(unmarked(true), true, true)));
        assert!(!stops(object(other(), true, false)), "it is not there");
        assert!(!stops(object(other(), false, true)), "nobody wants it");
    }
}
