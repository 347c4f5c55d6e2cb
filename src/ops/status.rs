//! `status`: how everything is, without changing or planning anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{self, Project};
use crate::model::{
    Cause, Class, Failure, Family, Found, Health, Name, Observed, Owner, Power, Resource,
    ResourceId, ResourceKind, Scope, label_value,
};
use crate::provider::Provider as _;
use crate::ui::{DataRow, Screen, StatusRow, StatusView};

use super::draw::{Drawing, Goal, draw};
use super::history::History;
use super::scene::{self, HalfMade, Scene};
use super::{Ended, Settings, load};

/// Shows the cluster, each instance with its health, and what is kept.
pub async fn status(settings: &Settings, screen: &Screen) -> Result<Ended, Failure> {
    let project = load::load(settings, screen)?;
    let mut scene = scene::look_at(settings, screen, project).await?;
    // Looking changes nothing, and may be what tells which cluster this is.
    if let Err(failure) = scene.recognise() {
        screen.warn(
            &std::iter::once(failure.what).chain(failure.causes).collect::<Vec<_>>().join(": "),
        );
    }
    let history = History::read(&scene).await;
    let mut view = StatusView {
        header: scene.header(),
        cluster: cluster_word(&scene).to_owned(),
        rows: Vec::new(),
        kept: Vec::new(),
        orphaned: Vec::new(),
        endpoints: Vec::new(),
        lock: history.lock_view(),
        last_run: history.last(),
        died: history.died(),
        runs: history.all(),
    };
    if scene.runs() {
        fill(&mut scene, &mut view).await?;
    }
    screen.show_status(&view);
    Ok(Ended::Well)
}

fn cluster_word(scene: &Scene<'_>) -> &'static str {
    match &scene.cluster_seen {
        Observed::Absent => match &scene.half_made {
            None => "absent",
            Some(HalfMade { is_at_work: true, .. }) => "being made",
            Some(HalfMade { is_at_work: false, .. }) => "half-made",
        },
        Observed::Unreachable { .. } => "unreachable",
        Observed::Present(found) => match found.power {
            Power::On => "running",
            Power::Off if matches!(found.health, Health::Failed(_)) => "broken",
            Power::Off => "stopped",
        },
    }
}

async fn fill(scene: &mut Scene<'_>, view: &mut StatusView) -> Result<(), Failure> {
    let mut drawing = draw(scene, Goal::Install, false).await?;
    if let Some(project) = with_extras(scene, &drawing) {
        scene.project = project;
        drawing = draw(scene, Goal::Install, false).await?;
    }
    let extras = extras(scene, &drawing);
    let desired = &drawing.look.desired;
    let snapshot = &drawing.look.snapshot;
    let present: Vec<&Resource> = desired
        .resources
        .values()
        .filter(|resource| resource.id.kind.family() == Family::Kubernetes)
        .filter(|resource| {
            resource.id.kind.only_looks()
                || snapshot.observed.get(&resource.id).is_some_and(|seen| seen.found().is_some())
        })
        .collect();
    let health = scene.kubernetes.health(&present, &scene.known).await;
    let mut whys = BTreeMap::new();
    for resource in present.iter().filter(|resource| !resource.id.kind.only_looks()) {
        if let Some(Health::Settling(_) | Health::Failed(_)) = health.get(&resource.id) {
            let why = scene.kubernetes.why(resource, &scene.known).await;
            whys.insert(resource.id.clone(), why.causes);
        }
    }
    let mut rows: BTreeMap<String, StatusRow> = BTreeMap::new();
    for resource in desired.resources.values() {
        let Scope::Instance(instance) = &resource.id.scope else { continue };
        let row = rows.entry(instance.to_string()).or_insert_with(|| StatusRow {
            instance: instance.to_string(),
            state: "ready".to_owned(),
            says: Vec::new(),
        });
        let seen = snapshot.observed.get(&resource.id);
        let why = whys.get(&resource.id).map(Vec::as_slice).unwrap_or_default();
        note(row, &resource.id, seen, health.get(&resource.id), why);
    }
    for (name, row) in &mut rows {
        if is_unmanaged(&drawing, name) {
            "unmanaged".clone_into(&mut row.state);
            row.says = vec![format!(
                "nothing of it bears our mark: take it out of the flavour, or take it over with `datamill adopt {name}`"
            )];
        }
    }
    let unnamed = extras.iter().map(|name| (name.to_string(), unnamed(name)));
    rows.extend(unnamed);
    view.rows = rows.into_values().collect();
    let data = snapshot.discovered.found.iter().filter(|(_, found)| found.class == Class::Data);
    for (id, found) in data.filter(|(_, found)| is_of_flavour(scene, found)) {
        let lives = id.instance_name().is_some_and(|name| extras.contains(name));
        let is_named = lives || desired.get(id).is_some() || desired.uses(id, found);
        let list = if is_named { &mut view.kept } else { &mut view.orphaned };
        let namespace = found.lasting().and_then(|claim| claim.namespace.clone());
        list.push(DataRow { id: id.to_string(), size: found.size.clone(), namespace });
    }
    let is_gone = |of: &Name| {
        let serving =
            desired.resources.keys().filter(|id| serves(id) && id.instance_name() == Some(of));
        let mut seen = serving.filter_map(|id| snapshot.observed.get(id)).peekable();
        let is_ours = |seen: &Observed| seen.found().is_none_or(|found| found.owner == Owner::Ours);
        seen.peek().is_some() && seen.all(|seen| *seen == Observed::Absent || !is_ours(seen))
    };
    let endpoints = drawing.expansion.endpoints.iter();
    view.endpoints = endpoints.filter(|endpoint| !is_gone(&endpoint.instance)).cloned().collect();
    Ok(())
}

/// Whether it bears the mark of this flavour, or of none.
fn is_of_flavour(scene: &Scene<'_>, found: &Found) -> bool {
    let ours = label_value(&scene.identity.flavour);
    found.flavour.as_ref().is_none_or(|flavour| *flavour == ours)
}

/// What was installed by name outside of the flavour, is still there, and is not among what was drawn.
fn extras(scene: &Scene<'_>, drawing: &Drawing) -> BTreeSet<Name> {
    let found = drawing.look.snapshot.discovered.found.iter();
    let extra = found.filter(|(id, found)| {
        found.extra && serves(id) && found.owner == Owner::Ours && is_of_flavour(scene, found)
    });
    let names = extra.filter_map(|(id, _)| id.instance_name());
    names.filter(|name| !drawing.look.desired.has(name)).cloned().collect()
}

/// The files as if what was installed outside of the flavour was named; nothing when nothing was, or the files know it no more.
fn with_extras(scene: &Scene<'_>, drawing: &Drawing) -> Option<Project> {
    let extras = extras(scene, drawing);
    if extras.is_empty() {
        return None;
    }
    let mut request = scene.settings.files.clone();
    request.components.extend(extras.iter().map(ToString::to_string));
    let project = config::load(&request, super::target::declared_by_files).ok()?;
    project.expand(&scene.facts).is_ok().then_some(project)
}

/// What can be said of an instance that the files do not know any more.
fn unnamed(name: &Name) -> StatusRow {
    let says = format!(
        "installed outside the flavour, and the files do not say any more what it is; `datamill uninstall -c {name}` takes it away"
    );
    StatusRow { instance: name.to_string(), state: "unknown".to_owned(), says: vec![says] }
}

/// Whether it brings what answers at an address; claims and Secrets stay when that goes.
fn serves(id: &ResourceId) -> bool {
    matches!(id.kind, ResourceKind::Release | ResourceKind::Objects)
}

/// From the worst to the best.
const ORDER: [&str; 8] =
    ["failed", "incomplete", "unmanaged", "unknown", "settling", "running", "assumed", "ready"];

/// The worst of an instance's resources is its state.
fn note(
    row: &mut StatusRow,
    id: &ResourceId,
    seen: Option<&Observed>,
    health: Option<&Health>,
    why: &[Cause],
) {
    let (state, says) = match (seen, health) {
        (Some(Observed::Absent), _) if !id.kind.only_looks() => {
            ("incomplete", vec![format!("{id} is not there")])
        }
        (Some(Observed::Unreachable { because }), _) if !id.kind.only_looks() => {
            ("unknown", vec![format!("{id}: {because}")])
        }
        (Some(Observed::Present(found)), _) if is_in_the_way(id, found) => {
            ("unmanaged", vec![format!("{id} is there and not ours")])
        }
        (_, Some(Health::Failed(_))) if !why.is_empty() => ("failed", vec![in_words(why)]),
        (_, Some(Health::Settling(_))) if !why.is_empty() => ("settling", vec![in_words(why)]),
        (_, Some(Health::Failed(causes))) => ("failed", vec![chain(id, causes)]),
        (_, Some(Health::Settling(progress))) => ("settling", vec![progress.waits_for.clone()]),
        (_, Some(Health::Started)) => ("running", vec![format!("{id} runs")]),
        (_, Some(Health::Assumed(what))) => ("assumed", what.clone()),
        (_, Some(Health::Ready) | None) => ("ready", Vec::new()),
    };
    let rank = |word: &str| ORDER.iter().position(|known| *known == word);
    if rank(state) < rank(&row.state) {
        state.clone_into(&mut row.state);
    }
    row.says.extend(says);
}

/// Whether what is there of an instance is not ours, all of it, and stands in its way. What is only used says nothing, and what
/// could not be looked at may be ours.
fn is_unmanaged(drawing: &Drawing, instance: &str) -> bool {
    let own = |id: &&ResourceId| id.instance_name().is_some_and(|name| name.as_str() == instance);
    let ids = drawing.look.desired.resources.keys().filter(own).filter(|id| !id.kind.only_looks());
    let mut is_in_its_way = false;
    for id in ids {
        match drawing.look.snapshot.observed.get(id) {
            Some(Observed::Present(found)) if found.owner == Owner::Ours => return false,
            Some(Observed::Present(found)) => is_in_its_way |= is_in_the_way(id, found),
            Some(Observed::Unreachable { .. }) => return false,
            Some(Observed::Absent) | None => {}
        }
    }
    is_in_its_way
}

/// Whether something stands where a thing of ours would, and is not only used.
fn is_in_the_way(id: &ResourceId, found: &Found) -> bool {
    let used = matches!(found.owner, Owner::Unmarked { suitable: true, .. })
        && id.kind == ResourceKind::Crds;
    found.owner != Owner::Ours && !used && !id.kind.only_looks()
}

/// A chain of causes on one line.
pub(super) fn chain(id: &ResourceId, causes: &[Cause]) -> String {
    format!("{id} ← {}", in_words(causes))
}

fn in_words(causes: &[Cause]) -> String {
    causes.iter().map(Cause::to_string).collect::<Vec<_>>().join(" ← ")
}
