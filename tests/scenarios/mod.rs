//! Files in, plan text out. A folder is a test: `flavour.yaml` is what is wanted, `observed.yaml` what is there, `plan.snap`
//! what a person reads. Charts are not rendered: each resource is one object that holds its wanted values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use datamill::config::{self, LoadRequest, Project};
use datamill::model::{
    AfterApply, Applied, Class, ClusterSpec, Desired, Digest, Family, Found, KubernetesSpec, Name,
    Object, ObjectFound, ObjectRef, Observed, Owner, Power, ReleaseFound, ReleaseStatus, Renames,
    Rendered, Resource, ResourceId, Snapshot, Spec, Version,
};
use datamill::plan::{self, Permits, Purpose, Request, Selection};
use datamill::provider::local;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::support::sandbox::repository;

/// What is there.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Seen {
    /// `absent`, `stopped` or `running`; running unless told otherwise.
    cluster: Option<String>,
    /// Everything of this flavour, as it wants it; nothing unless named.
    made_from: Option<String>,
    /// Wanted resources that somebody deleted.
    missing: BTreeSet<ResourceId>,
    /// Wanted resources in which somebody changed a field: id, pointer, live value.
    changed: BTreeMap<ResourceId, (String, Json)>,
    /// Wanted resources in whose place somebody else's thing stands, and whose.
    foreign: BTreeMap<ResourceId, String>,
    /// Nobody remembers what was applied.
    forgotten: bool,
    /// Only these instances are meant.
    only: Vec<String>,
    /// Nothing is wanted any more.
    destroy: bool,
    cascade: bool,
}

fn load(flavour: &Path) -> Project {
    let request = LoadRequest {
        folder: repository().to_owned(),
        home: "/nowhere".into(),
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenarios"),
        flavour: Some(flavour.to_owned()),
        ..LoadRequest::default()
    };
    config::load(&request, |_| local::declared())
        .unwrap_or_else(|problems| panic!("{}: {problems:?}", flavour.display()))
}

/// All that a project wants, each resource drawn as one object.
fn wanted(project: &Project) -> Desired {
    let mut desired = project.expand(&local::declared()).unwrap().desired;
    let kwok = ClusterSpec::Kwok { name: project.cluster_name(), nodes: Vec::new() };
    desired.insert(Resource::new(project.cluster_id(), Spec::Cluster(kwok)));
    let mut record =
        Resource::new(project.installation_id(), Spec::kubernetes(KubernetesSpec::Installation));
    record.host = Some(project.cluster_id());
    record.needs = BTreeSet::from([project.cluster_id()]);
    desired.insert(record);
    for resource in desired.resources.values_mut() {
        if resource.id.kind.family() == Family::Kubernetes && !resource.id.kind.only_looks() {
            resource.rendered = Some(draw(resource));
        }
    }
    desired
}

fn draw(resource: &Resource) -> Rendered {
    let values = match resource.kubernetes() {
        Some(KubernetesSpec::Release(release)) => release.values.shown(),
        Some(KubernetesSpec::Job(job)) => job.template.shown(),
        Some(KubernetesSpec::Claim(claim)) => json!({ "size": claim.size }),
        _ => json!({}),
    };
    let mut object = json!({
        "apiVersion": "v1", "kind": resource.id.kind.word(),
        "metadata": {"name": resource.id.name}, "spec": values,
    });
    if let Some(instance) = resource.id.instance_name() {
        object["metadata"]["labels"] = json!({"datamill.dev/instance": instance});
    }
    Rendered {
        inputs: Digest::of_json(&object),
        objects: vec![Object(object)],
        hooks: Vec::new(),
        ignored: Vec::new(),
        unknown: BTreeSet::new(),
        unstable: BTreeSet::new(),
        chart: None,
        findings: Vec::new(),
        warnings: Vec::new(),
    }
}

fn reference(object: &Object) -> ObjectRef {
    object.reference().unwrap()
}

/// A resource as found: made from what was wanted then, wanted as it is now.
fn found(then: &Resource, now: Option<&Resource>) -> Found {
    let mut found = Found::ours();
    found.class = then.class;
    found.keep = then.keep;
    found.needs.clone_from(&then.needs);
    found.host.clone_from(&then.host);
    found.flavour = then.id.instance_name().map(|_| "flavour".to_owned());
    found.version = Version { uid: Some(format!("uid of {}", then.id)), fields: None };
    if let Some(KubernetesSpec::Claim(claim)) = then.kubernetes() {
        found.size = Some(claim.size.clone());
    }
    if let Some(KubernetesSpec::Release(release)) = then.kubernetes() {
        found.release =
            Some(ReleaseFound { revision: 1, status: ReleaseStatus::Deployed, held: None });
        found.outputs.insert("release".to_owned(), json!(release.release));
        found.outputs.insert("namespace".to_owned(), json!(release.namespace));
    }
    let Some(drawn) = &then.rendered else { return found };
    found.applied = Some(Applied { inputs: drawn.inputs.clone(), run: None });
    let named = drawn.objects.iter().map(|object| (reference(object), Some(object.clone())));
    found.last = Some(named.collect());
    let after = |object: &Object| {
        let wanted = now.and_then(|now| now.rendered.as_ref());
        let same = wanted.and_then(|wanted| {
            wanted.objects.iter().find(|other| other.reference() == object.reference())
        });
        same.map_or(AfterApply::Unwanted, |object| AfterApply::Would(object.clone()))
    };
    found.objects = drawn
        .objects
        .iter()
        .map(|object| ObjectFound {
            object: reference(object),
            wanted: now.is_some(),
            live: Some(object.clone()),
            after: after(object),
            owner: Owner::Ours,
            class: then.class,
            version: Version {
                uid: Some(format!("uid of {} {}", then.id, reference(object).name)),
                fields: None,
            },
        })
        .collect();
    found
}

/// What was made under other names than the flavour has now, as the cluster shows it under the new ones.
fn renamed(there: Desired, renames: &Renames) -> (Desired, BTreeMap<ResourceId, Name>) {
    let mut now = Desired::default();
    let mut moved = BTreeMap::new();
    for (id, mut resource) in there.resources {
        resource.id = renames.id(id.clone());
        resource.needs = resource.needs.into_iter().map(|id| renames.id(id)).collect();
        if resource.id != id {
            moved.insert(resource.id.clone(), id.instance_name().unwrap().clone());
        }
        now.insert(resource);
    }
    (now, moved)
}

fn snapshot(seen: &Seen, folder: &Path, desired: &Desired, project: &Project) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let cluster = project.cluster_id();
    let there = match &seen.made_from {
        Some(file) => wanted(&load(&folder.join(file))),
        None => Desired::default(),
    };
    let (there, moved) = renamed(there, &project.renames());
    let found = |then: &Resource, now: Option<&Resource>| {
        let moved_from = moved.get(&then.id).cloned();
        Found { moved_from, ..found(then, now) }
    };
    let power = match seen.cluster.as_deref() {
        Some("stopped") => Power::Off,
        _ => Power::On,
    };
    let runs = seen.cluster.as_deref().unwrap_or("running") == "running";
    for resource in desired.resources.values() {
        let observed = match there.get(&resource.id) {
            _ if !runs && resource.id != cluster && power == Power::Off => {
                Observed::Unreachable { because: "the cluster is stopped".to_owned() }
            }
            Some(then) if !seen.missing.contains(&resource.id) => {
                let mut found = found(then, Some(resource));
                found.power = if resource.id == cluster { power } else { Power::On };
                change(&mut found, seen.changed.get(&resource.id));
                if seen.forgotten {
                    found.last = None;
                }
                if let Spec::Cluster(spec) = &resource.spec {
                    found.fields = serde_json::to_value(spec).unwrap();
                }
                Observed::Present(Box::new(found))
            }
            Some(_) | None => Observed::Absent,
        };
        snapshot.observed.insert(resource.id.clone(), observed);
    }
    for (id, whose) in &seen.foreign {
        let resource = desired.get(id).unwrap();
        let mut found = found(resource, Some(resource));
        let owner = Owner::Unmarked { manager: Some(whose.clone()), suitable: false };
        found.applied = None;
        found.owner = owner.clone();
        found.objects.iter_mut().for_each(|object| object.owner = owner.clone());
        snapshot.observed.insert(id.clone(), Observed::Present(Box::new(found)));
    }
    if runs {
        for then in there.resources.values().filter(|then| !then.id.kind.only_looks()) {
            let found = found(then, desired.get(&then.id));
            snapshot.discovered.found.insert(then.id.clone(), found);
        }
    }
    snapshot
}

/// Changes a field of the live object.
fn change(found: &mut Found, change: Option<&(String, Json)>) {
    let Some((pointer, value)) = change else { return };
    for object in &mut found.objects {
        if let Some(live) = &mut object.live {
            *live.0.pointer_mut(pointer).unwrap() = value.clone();
        }
    }
}

fn plan_of(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("observed.yaml")).unwrap();
    let source = datamill::yaml::Source::new(folder.join("observed.yaml"), text);
    let seen: Seen = serde_json::from_value(datamill::yaml::parse(&source).unwrap().to_json())
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let project = load(&folder.join("flavour.yaml"));
    let mut desired = wanted(&project);
    let snapshot = snapshot(&seen, folder, &desired, &project);
    if seen.destroy {
        desired = Desired::default();
    }
    let only: BTreeSet<Name> = seen.only.iter().map(|name| name.parse().unwrap()).collect();
    let selection = if only.is_empty() { Selection::All } else { Selection::Instances(only) };
    let permits = Permits {
        flavour: Some("flavour".to_owned()),
        cascade: seen.cascade,
        ..Permits::default()
    };
    let purpose = if seen.destroy { Purpose::Removal } else { Purpose::Apply };
    let request = Request {
        desired: &desired,
        snapshot: &snapshot,
        purpose,
        selection: &selection,
        permits: &permits,
    };
    let plan = plan::plan(&request).unwrap();
    assert_eq!(plan::plan(&request).unwrap(), plan, "two plans of the same input are equal");
    plan::check(&plan, purpose).unwrap();
    nothing_foreign_and_no_data_is_touched(&seen, &snapshot, &plan);
    plan::text(&plan, 80)
}

fn nothing_foreign_and_no_data_is_touched(seen: &Seen, snapshot: &Snapshot, plan: &plan::Plan) {
    for step in &plan.steps {
        if step.action.changes_something() {
            assert!(!seen.foreign.contains_key(&step.id), "{}", step.id);
        }
        let data = snapshot.discovered.found.get(&step.id).map(|found| found.class);
        assert!(step.action != plan::Action::Delete || data != Some(Class::Data), "{}", step.id);
    }
}

#[test]
fn every_scenario_plans_what_its_folder_says() {
    let folders = repository().join("tests/scenarios");
    let mut tried = 0;
    for entry in std::fs::read_dir(folders).unwrap().flatten() {
        let folder = entry.path();
        if !folder.join("flavour.yaml").exists() {
            continue;
        }
        tried += 1;
        let text = plan_of(&folder);
        insta::with_settings!({
            snapshot_path => &folder, prepend_module_to_snapshot => false, omit_expression => true,
        }, { insta::assert_snapshot!("plan", text) });
    }
    assert!(tried >= 7, "{tried} scenarios");
}
