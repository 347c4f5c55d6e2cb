//! The flavours and components there are, for `flavours list|show` and `components list|show`.

use std::path::{Path, PathBuf};

use super::discover;
use super::overlay::{Embedded, Overlay, inside};
use super::reader::words_of;
use super::request::LoadRequest;
use super::resolve::load_components;
use crate::catalogue::Catalogue;
use crate::yaml::{Problems, parse};

/// A flavour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlavourEntry {
    /// Its name: the stem of its file.
    pub name: String,
    /// Its file as `-f` takes it.
    pub file: PathBuf,
    /// Whether it is inside the binary.
    pub built_in: bool,
    /// The first line of its leading comment; empty without.
    pub summary: String,
    /// The names under `flavour`; `all` for none.
    pub components: Vec<String>,
    /// The file's text.
    pub text: String,
}

/// A component and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentEntry {
    /// Its name in the catalogue.
    pub name: String,
    /// Whether its `component.yaml` is the one inside the binary.
    pub built_in: bool,
    /// The text of its `component.yaml`.
    pub text: String,
    /// The text of its `config.yaml`, if it has one.
    pub settings: Option<String>,
}

/// The flavours of the project and, where the project has none of the same name, of the binary. One that cannot be read is
/// listed without components.
pub fn list_flavours(request: &LoadRequest) -> Vec<FlavourEntry> {
    let embedded = Embedded::shipped();
    let overlay = overlay(request, &embedded);
    let files = overlay.yaml_files_in("flavours");
    files.into_values().filter_map(|path| flavour(&overlay, &path)).collect()
}

fn flavour(overlay: &Overlay<'_>, path: &Path) -> Option<FlavourEntry> {
    let source = overlay.read(path).ok()?;
    let tree = parse(&source).ok();
    let names = tree.as_ref().and_then(|tree| tree.get("project")?.get("flavour"));
    let mut components: Vec<String> = names
        .map(|names| words_of(names).0.into_iter().map(|(name, _)| name).collect())
        .unwrap_or_default();
    if components.is_empty() && tree.is_some() {
        components.push("all".to_owned());
    }
    let built_in = inside(path);
    let first = source.text.lines().next().unwrap_or_default();
    Some(FlavourEntry {
        name: path.file_stem()?.to_string_lossy().into_owned(),
        file: built_in.clone().unwrap_or_else(|| overlay.shown(path)),
        built_in: built_in.is_some(),
        summary: first.strip_prefix('#').unwrap_or_default().trim().to_owned(),
        components,
        text: source.text.to_string(),
    })
}

/// The catalogue of the project and the binary, and where each of its components comes from.
pub fn list_components(
    request: &LoadRequest,
) -> Result<(Catalogue, Vec<ComponentEntry>, Problems), Problems> {
    let embedded = Embedded::shipped();
    let overlay = overlay(request, &embedded);
    let mut problems = Problems::default();
    let catalogue = load_components(&overlay, &request.cache, &mut problems).catalogue;
    let entries = catalogue.components().filter_map(|c| component(&overlay, c.name())).collect();
    let (entries, warnings) = problems.finish(|| entries)?;
    Ok((catalogue, entries, warnings))
}

fn component(overlay: &Overlay<'_>, name: &str) -> Option<ComponentEntry> {
    let folder = Path::new("components").join(name);
    let path = overlay.find(&folder.join("component.yaml"))?;
    let settings = overlay.find(&folder.join("config.yaml"));
    Some(ComponentEntry {
        name: name.to_owned(),
        built_in: inside(&path).is_some(),
        text: overlay.read(&path).ok()?.text.to_string(),
        settings: settings
            .and_then(|path| overlay.read(&path).ok())
            .map(|source| source.text.to_string()),
    })
}

fn overlay<'a>(request: &'a LoadRequest, embedded: &'a Embedded) -> Overlay<'a> {
    // A flavour that is not found must not keep lists from being shown.
    let root = discover::flavour(request, embedded, &mut Problems::default())
        .map_or_else(|_| discover::root_without_flavour(request), |place| place.root);
    Overlay { here: &request.folder, root, embedded, seen: super::inputs::Seen::default() }
}
