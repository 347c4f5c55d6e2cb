//! From a request to a project: finds the files, reads the components, resolves the flavour, lays down what charts need.

use std::path::Path;

use super::discover::{self, Place};
use super::inputs::Seen;
use super::overlay::{Embedded, Overlay, normal};
use super::project::Project;
use super::request::LoadRequest;
use super::resolve;
use crate::catalogue::Component;
use crate::model::ClusterFacts;
use crate::yaml::{Problem, Problems, Severity};

/// What loading gives: the project as far as it could be made out, and all that is wrong or worth a word.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The project; with errors among the problems it only serves to find more of them.
    pub(super) project: Option<Project>,
    /// What was found in all files.
    pub(super) problems: Problems,
}

impl Loaded {
    /// The project when nothing is wrong, with what is worth a word; else all problems.
    pub(super) fn finish(self) -> Result<Project, Problems> {
        let Some(project) = self.project else { return Err(self.problems) };
        let (project, warnings) = self.problems.finish(|| project)?;
        Ok(Project { warnings, ..project })
    }
}

/// Loads a project. All problems of all files come at once, those of the wiring among them where a file has errors; nothing
/// is touched but the cache folder. `facts` tells what is known of the cluster before anybody looks at it.
pub fn load(
    request: &LoadRequest,
    facts: impl FnOnce(&Project) -> ClusterFacts,
) -> Result<Project, Problems> {
    let Loaded { project, mut problems } = load_with(request, &Embedded::shipped());
    if problems.has_errors()
        && let Some(project) = &project
    {
        let found = project.expand(&facts(project));
        let found = found.map_or_else(|problems| problems, |expansion| expansion.warnings);
        problems = with_wiring(problems, &found);
    }
    Loaded { project, problems }.finish()
}

/// The problems of files and of wiring together, without what follows from a name or value that was already reported.
fn with_wiring(files: Problems, wiring: &Problems) -> Problems {
    let errors = |problems: &Problems| {
        let errors = problems.sorted().into_iter().filter(|p| p.severity == Severity::Error);
        errors.cloned().collect::<Vec<_>>()
    };
    let before = errors(&files);
    let a_name_is_wrong = before.iter().any(|problem| {
        let file = problem.at.as_ref().and_then(|at| at.path().file_name());
        NAMES.contains(&problem.code)
            || file.is_some_and(|name| name == "component.yaml" || name == "capabilities.yaml")
    });
    let a_value_is_wrong = before.iter().any(|problem| VALUES.contains(&problem.code));
    let follows = |problem: &Problem| match problem.code {
        "no-provider" | "unbound" | "unknown-provider" | "wrong-binding" | "unused-external" => {
            a_name_is_wrong
        }
        // A value that could not be read counts as none.
        "missing-parameter" => a_value_is_wrong,
        _ => false,
    };
    let mut all = files;
    for problem in wiring.sorted() {
        if !follows(problem) {
            all.push(problem.clone());
        }
    }
    all
}

/// The codes of problems after which a component or something outside is missing from the platform.
const NAMES: [&str; 6] = [
    "unknown-component",
    "no-component-file",
    "duplicate-component",
    "retired-component",
    "missing-key",
    "bad-name",
];

/// The codes of problems after which a value is missing from a section.
const VALUES: [&str; 5] = ["wrong-type", "wrong-value", "variable", "unreadable", "not-a-map"];

/// Loads a project with other files in the place of those inside the binary.
pub(super) fn load_with(request: &LoadRequest, embedded: &Embedded) -> Loaded {
    let mut problems = Problems::default();
    let place = match discover::flavour(request, embedded, &mut problems) {
        Ok(place) => place,
        Err(problem) => {
            problems.push(problem);
            return Loaded { project: None, problems };
        }
    };
    let project = project(request, embedded, place, &mut problems);
    Loaded { project, problems }
}

fn project(
    request: &LoadRequest,
    embedded: &Embedded,
    place: Place,
    problems: &mut Problems,
) -> Option<Project> {
    let overlay = Overlay {
        here: &request.folder,
        root: place.root.clone(),
        embedded,
        seen: Seen::default(),
    };
    let components = resolve::load_components(&overlay, &request.cache, problems);
    let resolved = resolve::resolve(request, &overlay, &place, &components, problems)?;
    for instance in &resolved.platform.instances {
        let Some(component) = components.catalogue.component(&instance.component) else { continue };
        check_charts(&overlay, component, problems);
        if let Err(problem) = overlay.lay_down(component.name(), &request.cache) {
            problems.push(problem);
        }
    }
    let inputs = overlay.seen.inputs(&overlay.root, request);
    let Place { root, stem, .. } = place;
    Some(Project {
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
        warnings: Problems::default(),
        inputs,
    })
}

/// A chart in the component's folder has a `Chart.yaml`.
fn check_charts(overlay: &Overlay<'_>, component: &Component, problems: &mut Problems) {
    let folder = Path::new("components").join(component.name());
    for (path, at) in component.chart_folders() {
        let chart = normal(&folder.join(path)).join("Chart.yaml");
        if overlay.find(&chart).is_none() {
            let message = format!("`{path}` is no chart: there is no `{}`", chart.display());
            let known = overlay.charts_of(component.name());
            problems.push(
                Problem::error("no-chart", message)
                    .at(at)
                    .suggest(path, known.iter().map(String::as_str)),
            );
        }
    }
}
