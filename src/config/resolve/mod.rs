//! Located trees to the model: every default and every check of a value. Reads the files that settings name, and writes none.

mod components;
mod external;
mod flavour;
mod instance;
mod kind;
mod legacy;
mod local;
mod nodes;
mod region;
mod remote;
mod secret;
mod section;
mod select;
mod target;
mod values;
mod version;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) use components::{Components, load as load_components};
pub(super) use external::STORAGE_KINDS;
#[cfg(test)]
pub(super) use external::TOP_LEVEL;
pub use flavour::Environment;
pub(super) use flavour::ProjectSection;
pub use kind::version_of as version_of_image;
pub use select::LeftOut;

use super::discover::Place;
use super::overlay::{Overlay, inside};
use super::request::LoadRequest;
use super::target::Target;
use crate::catalogue::{Catalogue, Component, Instance, Platform};
use crate::yaml::{Located, Problem, Problems};

/// All that a flavour resolves to.
pub(super) struct Resolved {
    pub(super) project: ProjectSection,
    pub(super) target: Target,
    pub(super) target_missing: Option<Problem>,
    pub(super) platform: Platform,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) storage: Option<Located>,
    pub(super) images: Option<Located>,
    pub(super) mirrors: BTreeMap<String, String>,
}

/// Reads the flavour and resolves it. Problems are collected; none comes back only when nothing can be made of the file.
pub(super) fn resolve(
    request: &LoadRequest,
    overlay: &Overlay<'_>,
    place: &Place,
    components: &Components,
    problems: &mut Problems,
) -> Option<Resolved> {
    let flavour = flavour::read(overlay, &place.flavour, request, problems)?;
    let input =
        flavour::ProjectInput { overlay, request, default_name: default_name(request, place) };
    let project = flavour::project(&flavour, &input, problems);
    let target_input = target::Input {
        request,
        overlay,
        flavour: &flavour,
        default_config: project.as_ref().and_then(|project| project.default_config.clone()),
        macos: cfg!(target_os = "macos"),
    };
    let target = target::resolve(&target_input, problems);
    let mut others = external::read(&flavour, request, problems);
    let project = project?;
    let names = select::Names::of(&flavour, components, problems);
    let selection = select::select(&names, &project, &target.adds, &request.components, problems);
    let instance_input = instance::Input {
        request,
        overlay,
        flavour: &flavour,
        names: &names,
        folders: values::Folders {
            overlay,
            flavour: flavour_folder(place),
            config: project.config_folder.clone(),
        },
        flavour_name: super::overlay::name_of(&place.flavour).unwrap_or_default(),
        component_config: project.component_config.clone(),
    };
    let (mut instances, outside) =
        instance::instances(&instance_input, &selection.instances, problems);
    others.external.extend(outside);
    external::check(&others.external, &components.catalogue, problems);
    instance::check_unused(&instance_input, &selection.instances, problems);
    instance::check_moved(&instances, problems);
    instance::settle_bindings(&mut instances, &names, &others.external);
    check_profiles(&project, &instances, &components.catalogue, problems);
    let platform = Platform {
        project: project.name.as_str().to_owned(),
        namespace: project.namespace.clone(),
        domain: project.domain.clone(),
        expose: project.expose,
        expose_at: project.expose_at.clone(),
        instances,
        external: others.external,
        claims: others.claims,
        profiles: profiles(&target.target, &project, request),
    };
    Some(Resolved {
        project,
        target: target.target,
        target_missing: target.missing,
        platform,
        left_out: selection.left_out,
        storage: others.storage,
        images: others.images,
        mirrors: others.mirrors,
    })
}

/// A profile that no component of the flavour has is most likely a slip.
fn check_profiles(
    project: &ProjectSection,
    instances: &[Instance],
    catalogue: &Catalogue,
    problems: &mut Problems,
) {
    let components = instances.iter().filter_map(|i| catalogue.component(&i.component));
    let known: Vec<&str> = components.flat_map(Component::profiles).collect();
    for (profile, at) in &project.profiles {
        if !known.contains(&profile.as_str()) {
            let message = format!("no component of the flavour has a profile `{profile}`");
            problems.push(
                Problem::warning("unknown-profile", message)
                    .at(at)
                    .suggest(profile, known.iter().copied()),
            );
        }
    }
}

/// The folder above `flavours/`, else the file's stem.
fn default_name(request: &LoadRequest, place: &Place) -> String {
    if !place.in_flavours {
        return place.stem.clone();
    }
    let folder = place.root.file_name().or_else(|| request.folder.file_name());
    folder.map_or_else(|| place.stem.clone(), |name| name.to_string_lossy().into_owned())
}

fn flavour_folder(place: &Place) -> Option<PathBuf> {
    if inside(&place.flavour).is_some() {
        return None;
    }
    place.flavour.parent().map(PathBuf::from)
}

/// The target's profile, then the project's, then those of the command line; the last mention of one counts.
fn profiles(target: &Target, project: &ProjectSection, request: &LoadRequest) -> Vec<String> {
    let all = target.profile().map(str::to_owned).into_iter();
    let all: Vec<String> = all
        .chain(project.profiles.iter().map(|(profile, _)| profile.clone()))
        .chain(request.profiles.iter().cloned())
        .collect();
    let last = |(at, profile): &(usize, &String)| !all.iter().skip(at + 1).any(|p| p == *profile);
    all.iter().enumerate().filter(last).map(|(_, profile)| profile.clone()).collect()
}
