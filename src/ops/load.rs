//! Files in: what the settings name, read and resolved.

use crate::adapter::files;
use crate::config::{self, Project};
use crate::model::{Failure, FailureKind, Name, NameError};
use crate::ui::Screen;
use crate::yaml::Problems;

use super::Settings;

/// Loads the project; all problems of all files are shown at once.
pub(super) fn load(settings: &Settings, screen: &Screen) -> Result<Project, Failure> {
    usable_cache(settings)?;
    match config::load(&settings.files, super::target::declared_by_files) {
        Ok(project) => {
            screen.show_problems(&project.warnings);
            Ok(project)
        }
        Err(problems) => {
            screen.show_problems(&problems);
            Err(refused(&problems))
        }
    }
}

/// What is shipped in the binary, tools and charts are unpacked into the cache: without one nothing goes.
pub(super) fn usable_cache(settings: &Settings) -> Result<(), Failure> {
    let cache = &settings.files.cache;
    files::create_folder(cache).map_err(|error| {
        let what = format!("the cache `{}` cannot be used", cache.display());
        Failure::new(FailureKind::Preflight, what).caused_by(&error).hint(
            "name a folder that you may write to:\n    export DATAMILL_CACHE=/path/to/a/folder",
        )
    })
}

/// The failure that ends a command after problems were shown.
pub(super) fn refused(problems: &Problems) -> Failure {
    let errors = problems
        .sorted()
        .iter()
        .filter(|problem| problem.severity == crate::yaml::Severity::Error)
        .count();
    let noun = if errors == 1 { "error" } else { "errors" };
    Failure::new(FailureKind::Usage, format!("{errors} {noun} in the files; nothing was touched"))
}

/// Loads the project for a destroy, which works without readable files when project and flavour are named.
pub(super) fn load_for_destroy(settings: &Settings, screen: &Screen) -> Result<Project, Failure> {
    match (&settings.project, &settings.flavour_name) {
        (Some(project), Some(flavour)) => {
            let name: Name = project.parse().map_err(|error: NameError| {
                Failure::new(FailureKind::Usage, format!("`--project {project}` names no project"))
                    .caused_by(&error)
            })?;
            Ok(Project::by_name(&settings.files, &name, flavour))
        }
        (None, None) => load(settings, screen).map_err(|failure| {
            failure.hint("to take away what is there without reading the files, name it:\n    datamill destroy --project NAME --flavour-name NAME")
        }),
        (Some(_), None) | (None, Some(_)) => Err(Failure::new(
            FailureKind::Usage,
            "a project is named without its flavour, or the other way round",
        )
        .hint("name both:\n    datamill destroy -l --project NAME --flavour-name NAME")),
    }
}
