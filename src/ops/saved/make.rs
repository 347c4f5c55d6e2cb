//! A plan becomes a document.

use std::path::Path;

use super::document::{GOOD_FOR, SCHEMA, SavedPlan};
use super::request::SavedRequest;
use super::verify::fingerprint;
use crate::adapter::{clock, files};
use crate::model::{Digest, Failure, FailureKind, Observed};
use crate::ops::Settings;
use crate::ops::draw::{Drawing, Goal};
use crate::ops::scene::{Scene, random_text};
use crate::plan::{SavedStep, Seal};

/// What a cluster may be known by: the best first; none when there is none.
pub(super) fn uids(scene: &Scene<'_>) -> Vec<String> {
    let Some(found) = scene.cluster_seen.found() else { return Vec::new() };
    let told = found.outputs.get("uid").and_then(serde_json::Value::as_str).map(str::to_owned);
    let mut uids: Vec<_> = told.into_iter().chain(found.version.uid.clone()).collect();
    if uids.is_empty() {
        // Who may not read its uid may still install in it.
        uids.push("unknown".to_owned());
    }
    uids
}

/// The installation that the plan is for; a stopped cluster does not tell it.
fn installation(scene: &Scene<'_>) -> Option<String> {
    let told = scene.runs() || scene.cluster_seen == Observed::Absent;
    told.then(|| scene.identity.owner.0.clone())
}

/// The document of a plan.
fn document(scene: &Scene<'_>, goal: Goal, drawing: &Drawing) -> SavedPlan {
    let number = random_text(32);
    let uid = uids(scene).into_iter().next();
    let seal = Seal::new(&number, uid.as_deref());
    let redactor = &scene.redactor;
    let mut lock = scene.lock.clone();
    lock.learn(drawing.look.desired.resources.values());
    let created = clock::since_epoch().as_secs();
    let inputs = &scene.project.inputs;
    SavedPlan {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        project: scene.identity.project.clone(),
        flavour: scene.identity.flavour.clone(),
        target: scene.identity.target.clone(),
        fingerprint: uid.as_deref().map(|uid| fingerprint(&number, uid)),
        installation: installation(scene),
        goal: goal.into(),
        request: SavedRequest::of(scene.settings, redactor),
        inputs: inputs
            .files
            .iter()
            .map(|(file, digest)| (file.clone(), seal.of(digest.as_str())))
            .collect(),
        environment: inputs
            .environment
            .iter()
            .map(|(name, value)| (name.clone(), value.as_ref().map(|v| seal.of(v.reveal()))))
            .collect(),
        lock: lock.saved(),
        created,
        expires: created + GOOD_FOR.as_secs(),
        steps: drawing.plan.steps.iter().map(|s| SavedStep::of(s, &seal, redactor)).collect(),
        notes: drawing.plan.notes.iter().map(|note| redactor.redact(note)).collect(),
        number,
        digest: Digest::of(""),
    }
    .sealed()
}

/// A file in a folder that is not there is a slip of the pen, and so is one that is there and no plan: said before anything is
/// looked at.
pub(in crate::ops) fn may_write(settings: &Settings, path: &Path) -> Result<(), Failure> {
    let place = settings.files.folder.join(path);
    let folder = place.parent().unwrap_or(&place);
    let why = if files::is_folder(&place) {
        format!("`{}` is a folder", path.display())
    } else if !files::is_folder(folder) {
        format!("there is no folder `{}`", folder.display())
    } else if place.symlink_metadata().is_ok_and(|there| !there.is_file()) {
        format!("`{}` is there and no plain file", path.display())
    } else if is_something_else(path, &place) {
        format!("`{}` is there and is no saved plan", path.display())
    } else {
        return Ok(());
    };
    let hint = "name a new file, or a saved plan, in a folder that is there:\n    datamill plan --out demo.plan";
    Err(Failure::new(FailureKind::Usage, "cannot write the plan").because(why).hint(hint))
}

/// Whether a file is there that holds something and no plan, of whatever version and age.
fn is_something_else(path: &Path, place: &Path) -> bool {
    let Ok(bytes) = files::read_bytes(place) else { return place.exists() };
    let decoded = SavedPlan::decode(path, &bytes);
    !bytes.is_empty() && decoded.is_err_and(|failure| failure.kind == FailureKind::Usage)
}

/// Writes a plan to a file that only its owner can read.
pub(in crate::ops) fn write(
    scene: &Scene<'_>,
    goal: Goal,
    drawing: &Drawing,
    path: &Path,
) -> Result<(), Failure> {
    let place = scene.settings.files.folder.join(path);
    let bytes = document(scene, goal, drawing).encode()?;
    files::write_private(&place, bytes).map_err(|error| {
        Failure::new(FailureKind::Usage, "cannot write the plan").caused_by(&error)
    })?;
    scene.screen.note(&format!(
        "the plan stands in `{}` and is good for 24 hours; datamill apply {} carries it out",
        path.display(),
        path.display()
    ));
    Ok(())
}
