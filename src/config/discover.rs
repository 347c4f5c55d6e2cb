//! Finds the flavour file and, from it, the project's root.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::adapter::files;
use crate::yaml::{Problem, Problems};

use super::overlay::{Embedded, built_in, normal, shown, yaml_files};
use super::request::LoadRequest;

/// Where a flavour and its project are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder above `flavours/`, else the lone file's folder; absolute.
    pub(super) root: PathBuf,
    /// The flavour file: absolute, or a path inside the binary.
    pub(super) flavour: PathBuf,
    /// Its name without the ending.
    pub(super) stem: String,
    /// Whether the file lies below a folder `flavours`.
    pub(super) in_flavours: bool,
}

/// Finds the flavour file that `-f` names, or the one that is meant without.
pub(super) fn flavour(
    request: &LoadRequest,
    embedded: &Embedded,
    problems: &mut Problems,
) -> Result<Place, Problem> {
    let Some(named) = &request.flavour else {
        return Ok(place(unnamed(request, embedded)?));
    };
    let path = normal(&request.folder.join(named));
    if files::is_file(&path) {
        return Ok(place(path));
    }
    if files::is_folder(&path) {
        let message = format!("`{}` is a folder, not a flavour file", named.display());
        return Err(Problem::error("folder", message)
            .help(candidates(yaml_files(&path).into_values(), request)));
    }
    let relative = normal(named);
    if !embedded.has(&relative) || !relative.starts_with("flavours") {
        let message =
            format!("there is no `{}` in `{}`", named.display(), request.folder.display());
        return Err(Problem::error("no-flavour", message).help(elsewhere(request, embedded)));
    }
    let message = format!(
        "there is no `{}` in `{}`; the built-in flavour of this name is used",
        named.display(),
        request.folder.display()
    );
    problems.push(
        Problem::warning("built-in-flavour", message)
            .help("for a flavour of your own, go to its project's folder, or name its whole path"),
    );
    Ok(Place {
        root: request.folder.clone(),
        stem: stem(&relative),
        flavour: built_in(&relative),
        in_flavours: true,
    })
}

/// The project's root when no flavour is at hand: the folder the user stands in.
pub(super) fn root_without_flavour(request: &LoadRequest) -> PathBuf {
    request.folder.clone()
}

fn place(path: PathBuf) -> Place {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let above = folder.ancestors().find(|folder| folder.ends_with("flavours"));
    let root = above.and_then(Path::parent).unwrap_or(folder).to_owned();
    Place { root, stem: stem(&path), in_flavours: above.is_some(), flavour: path }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Without `-f`: the only flavour in `flavours/`, else its `default.yaml`; never one of the binary.
fn unnamed(request: &LoadRequest, embedded: &Embedded) -> Result<PathBuf, Problem> {
    let folder = request.folder.join("flavours");
    let found = flavours_among(yaml_files(&folder));
    let default = found.get("default.yaml").or_else(|| found.get("default.yml"));
    match (found.len(), default) {
        (1, _) => found.into_values().next().ok_or_else(|| nothing_here(request, embedded)),
        (_, Some(default)) => Ok(default.clone()),
        (0, None) => Err(nothing_here(request, embedded)),
        (several, None) => {
            let message = format!("`flavours` holds {several} flavours and none is `default.yaml`");
            Err(Problem::error("no-flavour", message)
                .help(candidates(found.into_values(), request)))
        }
    }
}

/// Values files may stand beside flavours: what has no `project:` is none, unless all are so.
fn flavours_among(found: BTreeMap<String, PathBuf>) -> BTreeMap<String, PathBuf> {
    let is_flavour = |path: &Path| {
        files::read(path).is_ok_and(|text| text.lines().any(|line| line.starts_with("project:")))
    };
    let flavours: BTreeMap<_, _> = found
        .iter()
        .filter(|(_, path)| is_flavour(path))
        .map(|(n, p)| (n.clone(), p.clone()))
        .collect();
    if flavours.is_empty() { found } else { flavours }
}

fn nothing_here(request: &LoadRequest, embedded: &Embedded) -> Problem {
    let folder = request.folder.display();
    let message = if files::is_folder(&request.folder.join("flavours")) {
        format!("the folder `flavours` in `{folder}` holds no flavour")
    } else {
        format!("no flavour is named, and there is no folder `flavours` in `{folder}`")
    };
    Problem::error("no-flavour", message).help(elsewhere(request, embedded))
}

/// Says which flavours could be meant.
fn elsewhere(request: &LoadRequest, embedded: &Embedded) -> String {
    let here = yaml_files(&request.folder.join("flavours")).into_values();
    let inside = embedded.below(Path::new("flavours")).map(|(path, _)| path);
    // Values files stand in a folder below.
    let inside = inside.filter(|path| {
        path.extension().is_some_and(|end| end == "yaml")
            && path.parent() == Some(Path::new("flavours"))
    });
    candidates(here.chain(inside.map(Path::to_owned)), request)
}

fn candidates(paths: impl Iterator<Item = PathBuf>, request: &LoadRequest) -> String {
    let names: BTreeSet<String> =
        paths.map(|path| format!("\n    -f {}", shown(&request.folder, &path).display())).collect();
    if names.is_empty() {
        return "name a flavour file with `-f FILE`".to_owned();
    }
    format!("name one:{}", names.into_iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Here(tempfile::TempDir);

    impl Here {
        fn with(paths: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for path in paths {
                files::write(&folder.path().join(path), "project: {}\n").unwrap();
            }
            Self(folder)
        }

        fn find(&self, flavour: Option<&str>) -> Result<(Place, Problems), Problem> {
            let request = LoadRequest {
                folder: self.0.path().to_owned(),
                flavour: flavour.map(PathBuf::from),
                ..LoadRequest::default()
            };
            let embedded = Embedded::of(&[("flavours/demo.yaml", "project: {}")]);
            let mut problems = Problems::default();
            super::flavour(&request, &embedded, &mut problems).map(|place| (place, problems))
        }
    }

    #[test]
    fn the_root_is_the_folder_above_flavours_or_that_of_a_lone_file() {
        let here = Here::with(&["flavours/team/lab.yaml", "alone.yaml"]);
        let (place, _) = here.find(Some("flavours/team/lab.yaml")).unwrap();
        assert_eq!((place.root.as_path(), place.stem.as_str()), (here.0.path(), "lab"));
        let (place, _) = here.find(Some("./alone.yaml")).unwrap();
        assert_eq!((place.root.as_path(), place.in_flavours), (here.0.path(), false));
    }

    #[test]
    fn without_f_the_only_flavour_or_the_default_is_taken() {
        assert_eq!(Here::with(&["flavours/a.yaml"]).find(None).unwrap().0.stem, "a");
        let two = Here::with(&["flavours/a.yaml", "flavours/default.yaml"]);
        assert_eq!(two.find(None).unwrap().0.stem, "default");
        let values = Here::with(&["flavours/a.yaml"]);
        files::write(&values.0.path().join("flavours/v.yaml"), "image: x\n").unwrap();
        assert_eq!(values.find(None).unwrap().0.stem, "a");
        let unclear = Here::with(&["flavours/a.yaml", "flavours/b.yaml"]).find(None).unwrap_err();
        assert_eq!(
            unclear.help.as_deref().unwrap(),
            "name one:\n    -f flavours/a.yaml\n    -f flavours/b.yaml"
        );
    }

    #[test]
    fn an_embedded_flavour_is_never_taken_unless_named_and_then_with_a_warning() {
        let empty = Here::with(&[]);
        let problem = empty.find(None).unwrap_err();
        assert!(problem.help.unwrap().contains("-f flavours/demo.yaml"));
        let (place, problems) = empty.find(Some("flavours/demo.yaml")).unwrap();
        assert_eq!(place.flavour, Path::new("built-in:flavours/demo.yaml"));
        assert_eq!(problems.sorted()[0].code, "built-in-flavour");
    }

    #[test]
    fn a_folder_and_a_missing_file_are_named() {
        let here = Here::with(&["flavours/a.yaml", "flavours/b.yaml"]);
        let problem = here.find(Some("flavours")).unwrap_err();
        assert_eq!(problem.code, "folder");
        assert!(problem.help.unwrap().contains("-f flavours/b.yaml"));
        assert_eq!(here.find(Some("flavours/c.yaml")).unwrap_err().code, "no-flavour");
    }
}
