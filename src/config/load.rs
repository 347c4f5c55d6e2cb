//! From a request to a project: finds the files, reads the components, resolves the flavour, lays down what charts need.

use super::discover::{self, Place};
use super::inputs::Seen;
use super::overlay::{Embedded, Overlay};
use super::project::Project;
use super::request::LoadRequest;
use super::resolve;
use crate::yaml::Problems;

/// Loads a project. All problems of all files come at once; nothing is touched but the cache folder.
pub fn load(request: &LoadRequest) -> Result<Project, Problems> {
    load_with(request, &Embedded::shipped())
}

/// Loads a project with other files in the place of those inside the binary.
pub(super) fn load_with(request: &LoadRequest, embedded: &Embedded) -> Result<Project, Problems> {
    let mut problems = Problems::default();
    let place = match discover::flavour(request, embedded, &mut problems) {
        Ok(place) => place,
        Err(problem) => {
            problems.push(problem);
            return Err(problems);
        }
    };
    let overlay = Overlay {
        here: &request.folder,
        root: place.root.clone(),
        embedded,
        seen: Seen::default(),
    };
    let components = resolve::load_components(&overlay, &request.cache, &mut problems);
    let resolved = resolve::resolve(request, &overlay, &place, &components, &mut problems);
    let Some(resolved) = resolved else { return Err(problems) };
    for instance in &resolved.platform.instances {
        if let Err(problem) = overlay.lay_down(&instance.component, &request.cache) {
            problems.push(problem);
        }
    }
    let inputs = overlay.seen.inputs(&overlay.root, request);
    let ((), warnings) = problems.finish(|| ())?;
    let Place { root, stem, .. } = place;
    Ok(Project {
        name: resolved.project.name.as_str().to_owned(),
        lock_file: root.join("datamill.lock"),
        root,
        flavour: stem,
        namespace: resolved.project.namespace,
        proxy_port: resolved.project.proxy_port,
        data_folder: resolved.project.data_folder,
        environment: resolved.project.environment,
        target: resolved.target,
        target_missing: resolved.target_missing,
        catalogue: components.catalogue,
        platform: resolved.platform,
        left_out: resolved.left_out,
        storage: resolved.storage,
        images: resolved.images,
        mirrors: resolved.mirrors,
        warnings,
        inputs,
    })
}
