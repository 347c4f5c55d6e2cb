//! A project in a temporary folder, for tests.

use std::path::{Path, PathBuf};

use super::load::load_with;
use super::overlay::Embedded;
use super::project::Project;
use super::request::LoadRequest;
use crate::adapter::files;
use crate::catalogue::Instance;
use crate::yaml::{Problem, Problems, Severity};

/// A folder with files, and a request about it.
pub(super) struct Fixture {
    folder: tempfile::TempDir,
    cache: tempfile::TempDir,
    embedded: Embedded,
    pub(super) request: LoadRequest,
}

impl Fixture {
    /// A project with one flavour, `flavours/lab.yaml`.
    pub(super) fn new(flavour: &str) -> Self {
        let fixture = Self::empty().asking(|r| r.flavour = Some("flavours/lab.yaml".into()));
        fixture.with("flavours/lab.yaml", flavour)
    }

    /// A folder without files.
    pub(super) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("proj").tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let request = LoadRequest {
            folder: folder.path().to_owned(),
            home: PathBuf::from("/home/ada"),
            cache: cache.path().to_owned(),
            ..LoadRequest::default()
        };
        Self { folder, cache, embedded: Embedded::default(), request }
    }

    pub(super) fn with(self, path: &str, text: &str) -> Self {
        files::write(&self.folder.path().join(path), text).unwrap();
        self
    }

    /// A component with a chart of its own; `more` are further keys of `component.yaml`.
    pub(super) fn component(self, name: &str, more: &str) -> Self {
        let text = format!(
            "schema: component/v1\nname: {name}\nsteps:\n  - id: main\n    kind: helm\n    chart: {{repo: \"https://charts.example.org\", name: {name}}}\n    version: 4.2.0\n{more}"
        );
        self.with(&format!("components/{name}/component.yaml"), &text)
    }

    pub(super) fn embedding(mut self, files: &[(&str, &str)]) -> Self {
        self.embedded = Embedded::of(files);
        self
    }

    /// With the files inside the binary.
    pub(super) fn shipped(mut self) -> Self {
        self.embedded = Embedded::shipped();
        self
    }

    pub(super) fn asking(mut self, change: impl FnOnce(&mut LoadRequest)) -> Self {
        change(&mut self.request);
        self
    }

    pub(super) fn env(self, name: &str, value: &str) -> Self {
        self.asking(|request| {
            request.environment.insert(name.to_owned(), value.to_owned());
        })
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn cache(&self) -> &Path {
        self.cache.path()
    }

    pub(super) fn load(&self) -> Result<Project, Problems> {
        load_with(&self.request, &self.embedded).finish()
    }

    /// The project, which must load.
    pub(super) fn project(&self) -> Project {
        self.load().unwrap_or_else(|problems| panic!("{}", shown(&problems)))
    }

    /// What is wrong, as `file:line code: message (help)`, errors only.
    pub(super) fn errors(&self) -> Vec<String> {
        match self.load() {
            Ok(_) => Vec::new(),
            Err(problems) => lines(&problems, Severity::Error),
        }
    }
}

/// Warnings of a project, as `file:line code: message (help)`.
pub(super) fn warnings(project: &Project) -> Vec<String> {
    lines(&project.warnings, Severity::Warning)
}

fn lines(problems: &Problems, severity: Severity) -> Vec<String> {
    problems.sorted().into_iter().filter(|p| p.severity == severity).map(line).collect()
}

fn line(problem: &Problem) -> String {
    let place = match &problem.at {
        Some(at) => format!("{}:{} ", at.path().display(), at.line()),
        None => String::new(),
    };
    let help = problem.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{place}{}: {}{help}", problem.code, problem.message)
}

fn shown(problems: &Problems) -> String {
    problems.sorted().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// An instance of a project.
pub(super) fn instance<'a>(project: &'a Project, name: &str) -> &'a Instance {
    let found = project.platform.instances.iter().find(|i| i.name.as_str() == name);
    found.unwrap_or_else(|| panic!("no instance {name}"))
}

/// The names of a project's instances.
pub(super) fn names(project: &Project) -> Vec<&str> {
    project.platform.instances.iter().map(|i| i.name.as_str()).collect()
}
