//! The three folders `flavours/`, `components/` and `k8s/`: those inside the binary, with the project's files on top, file by
//! file. Knows paths and bytes, nothing of what the files mean.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use super::inputs::Seen;
use crate::adapter::files;
use crate::model::Digest;
use crate::yaml::{Problem, Source};

static COMPONENTS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/components");
static FLAVOURS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/flavours");
static K8S: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/k8s");

/// What paths of files inside the binary begin with.
const BUILT_IN: &str = "built-in:";

/// The files inside the binary, by their path in the repository.
#[derive(Debug, Clone, Default)]
pub(super) struct Embedded(BTreeMap<PathBuf, Cow<'static, [u8]>>);

impl Embedded {
    /// The files that this binary carries.
    pub(super) fn shipped() -> Self {
        let mut found = BTreeMap::new();
        for (name, folder) in [("components", &COMPONENTS), ("flavours", &FLAVOURS), ("k8s", &K8S)]
        {
            collect(Path::new(name), folder, &mut found);
        }
        Self(found)
    }

    /// Files for a test.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let owned = |text: &&str| Cow::Owned(text.as_bytes().to_vec());
        Self(files.iter().map(|(path, text)| (PathBuf::from(path), owned(text))).collect())
    }

    /// Whether it has a file.
    pub(super) fn has(&self, relative: &Path) -> bool {
        self.0.contains_key(relative)
    }

    /// The files below a folder, with their paths in the repository.
    pub(super) fn below(&self, folder: &Path) -> impl Iterator<Item = (&Path, &[u8])> {
        // Paths are ordered part by part, so what lies below a folder stands together.
        self.0
            .range::<Path, _>((Bound::Excluded(folder), Bound::Unbounded))
            .take_while(move |(path, _)| path.starts_with(folder))
            .map(|(path, bytes)| (path.as_path(), bytes.as_ref()))
    }
}

fn collect(
    below: &Path,
    folder: &'static Dir<'static>,
    into: &mut BTreeMap<PathBuf, Cow<'static, [u8]>>,
) {
    for file in folder.files() {
        into.insert(below.join(file.path()), Cow::Borrowed(file.contents()));
    }
    for inner in folder.dirs() {
        collect(below, inner, into);
    }
}

/// The folders of a project over those of the binary.
#[derive(Debug)]
pub(super) struct Overlay<'a> {
    /// The folder the user stands in: paths in messages are relative to it.
    pub(super) here: &'a Path,
    /// The project's root, absolute.
    pub(super) root: PathBuf,
    /// What the binary carries.
    pub(super) embedded: &'a Embedded,
    /// What was read so far.
    pub(super) seen: Seen,
}

impl Overlay<'_> {
    /// The path of a file of the three folders: the project's, else the one inside the binary.
    pub(super) fn find(&self, relative: &Path) -> Option<PathBuf> {
        let on_disk = self.root.join(relative);
        if files::is_file(&on_disk) {
            return Some(on_disk);
        }
        self.embedded.has(relative).then(|| built_in(relative))
    }

    /// Whether a path names an existing file, on disk or inside the binary.
    pub(super) fn is_file(&self, path: &Path) -> bool {
        match inside(path) {
            Some(relative) => self.embedded.has(&relative),
            None => files::is_file(path),
        }
    }

    /// Reads a text file, on disk or inside the binary.
    pub(super) fn read(&self, path: &Path) -> Result<Arc<Source>, Problem> {
        let source = read(self.here, self.embedded, path)?;
        self.seen.note(path, &source);
        Ok(source)
    }

    /// A path as the user knows it.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        shown(self.here, path)
    }

    /// The path that a file names: absolute, from home (`~`), or relative to the file.
    pub(super) fn beside(&self, source: &Source, named: &str, home: &Path) -> PathBuf {
        if let Some(rest) = named.strip_prefix('~')
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return normal(&home.join(rest.trim_start_matches('/')));
        }
        let folder = source.path.parent().unwrap_or(Path::new(""));
        if let Some(relative) = inside(&source.path) {
            let folder = relative.parent().unwrap_or(Path::new(""));
            return built_in(&normal(&folder.join(named)));
        }
        normal(&self.here.join(folder).join(named))
    }

    /// The names of the folders in one of the three folders, both sides together.
    pub(super) fn folders_in(&self, folder: &str) -> BTreeSet<String> {
        let inside = self.embedded.below(Path::new(folder)).filter_map(|(path, _)| {
            let mut parts = path.strip_prefix(folder).ok()?.components();
            let first = parts.next()?;
            parts.next().map(|_| first.as_os_str().to_string_lossy().into_owned())
        });
        let on_disk = files::list(&self.root.join(folder)).unwrap_or_default();
        let on_disk = on_disk.iter().filter(|path| files::is_folder(path));
        inside.chain(on_disk.filter_map(|path| name_of(path))).collect()
    }

    /// The YAML files directly in one of the three folders or below, by name; both sides together.
    pub(super) fn yaml_files_in(&self, folder: &str) -> BTreeMap<String, PathBuf> {
        let folder = Path::new(folder);
        let inside = self.embedded.below(folder).filter(|(path, _)| path.parent() == Some(folder));
        let mut found: BTreeMap<String, PathBuf> = inside
            .filter(|(path, _)| is_yaml(path))
            .filter_map(|(path, _)| Some((name_of(path)?, built_in(path))))
            .collect();
        found.extend(yaml_files(&self.root.join(folder)));
        found
    }

    /// The charts of a component: the folders in its own that hold a `Chart.yaml`, both sides together.
    pub(super) fn charts_of(&self, name: &str) -> BTreeSet<String> {
        let relative = Path::new("components").join(name);
        let mut content: Content<'_> = self
            .embedded
            .below(&relative)
            .filter_map(|(path, bytes)| {
                Some((path.strip_prefix(&relative).ok()?.to_owned(), Cow::Borrowed(bytes)))
            })
            .collect();
        let on_disk = self.root.join(&relative);
        if files::is_folder(&on_disk) {
            // What cannot be read is reported where it is needed.
            add_from_disk(&on_disk, &on_disk, MOST_DEPTH, &mut content).ok();
        }
        let charts = content.keys().filter(|path| path.ends_with("Chart.yaml"));
        charts.filter_map(|path| Some(path.parent()?.display().to_string())).collect()
    }

    /// A component's folder on disk, complete: the project's own where the binary has no file that it lacks; else the place in
    /// the cache where [`Overlay::lay_down`] puts the project's files over those of the binary.
    pub(super) fn component_path(&self, name: &str, cache: &Path) -> Result<PathBuf, Problem> {
        self.component_folder(name, cache).map(|(path, _)| path)
    }

    /// As [`Overlay::component_path`], and puts the files there.
    pub(super) fn lay_down(&self, name: &str, cache: &Path) -> Result<PathBuf, Problem> {
        let (path, content) = self.component_folder(name, cache)?;
        if let Some(content) = content {
            let content = content.iter().map(|(path, bytes)| (path.as_path(), bytes.as_ref()));
            files::place_folder(&path, content).map_err(|error| unreadable(&error))?;
        }
        Ok(path)
    }

    fn component_folder(
        &self,
        name: &str,
        cache: &Path,
    ) -> Result<(PathBuf, Option<Content<'_>>), Problem> {
        let relative = Path::new("components").join(name);
        let on_disk = self.root.join(&relative);
        let on_disk_too = |path: &Path| files::is_file(&self.root.join(path));
        if self.embedded.below(&relative).all(|(path, _)| on_disk_too(path)) {
            return Ok((on_disk, None));
        }
        let mut content: Content<'_> = self
            .embedded
            .below(&relative)
            .filter_map(|(path, bytes)| {
                Some((path.strip_prefix(&relative).ok()?.to_owned(), Cow::Borrowed(bytes)))
            })
            .collect();
        if files::is_folder(&on_disk) {
            add_from_disk(&on_disk, &on_disk, MOST_DEPTH, &mut content)?;
        }
        let parts = content.iter().map(|(path, bytes)| {
            format!("{}\0{}", path.display(), Digest::of(bytes.as_ref()).as_str())
        });
        let digest = Digest::of(parts.collect::<Vec<_>>().join("\0"));
        let place = cache.join("embedded").join(digest.short(16)).join(name);
        Ok((place, Some(content)))
    }
}

/// The files of a folder by their path in it.
type Content<'a> = BTreeMap<PathBuf, Cow<'a, [u8]>>;

/// Folders of components are shallow; a deeper one is a link that leads back.
const MOST_DEPTH: usize = 12;

fn add_from_disk(
    top: &Path,
    folder: &Path,
    depth: usize,
    into: &mut BTreeMap<PathBuf, Cow<'_, [u8]>>,
) -> Result<(), Problem> {
    for path in files::list(folder).map_err(|error| unreadable(&error))? {
        if files::is_folder(&path) {
            if depth > 0 {
                add_from_disk(top, &path, depth - 1, into)?;
            }
        } else if let Ok(relative) = path.strip_prefix(top) {
            let bytes = files::read_bytes(&path).map_err(|error| unreadable(&error))?;
            into.insert(relative.to_owned(), Cow::Owned(bytes));
        }
    }
    Ok(())
}

/// The YAML files in a folder on disk, by name; none when there is no folder.
pub(super) fn yaml_files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let all = files::list(folder).unwrap_or_default().into_iter();
    all.filter(|path| is_yaml(path) && files::is_file(path))
        .filter_map(|path| Some((name_of(&path)?, path)))
        .collect()
}

/// Reads a text file, on disk or inside the binary.
pub(super) fn read(here: &Path, embedded: &Embedded, path: &Path) -> Result<Arc<Source>, Problem> {
    let Some(relative) = inside(path) else {
        let shown = shown(here, path);
        if files::is_folder(path) {
            let message = format!("`{}` is a folder, not a file", shown.display());
            let names: Vec<_> = yaml_files(path).into_keys().collect();
            return Err(Problem::error("folder", message).help(if names.is_empty() {
                "name a YAML file; there is none in it".to_owned()
            } else {
                format!("name a file in it: {}", names.join(", "))
            }));
        }
        let text = files::read(path).map_err(|error| {
            if error.source.kind() != std::io::ErrorKind::InvalidData {
                return unreadable(&error);
            }
            let message = format!("`{}` is no text in UTF-8", shown.display());
            Problem::error("not-text", message).help("save it as UTF-8, or name another file")
        })?;
        return Ok(Source::new(shown, text));
    };
    let bytes = embedded.0.get(&relative).map(AsRef::as_ref).unwrap_or_default();
    Ok(Source::new(path, String::from_utf8_lossy(bytes).into_owned()))
}

/// A file error as a problem.
pub(super) fn unreadable(error: &files::FileError) -> Problem {
    Problem::error("unreadable", format!("{error}: {}", error.source))
}

/// A path as the user knows it: relative to where he stands, if it lies there.
pub(super) fn shown(here: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// The path of a file inside the binary.
pub(super) fn built_in(relative: &Path) -> PathBuf {
    let mut text = std::ffi::OsString::from(BUILT_IN);
    text.push(relative);
    PathBuf::from(text)
}

/// The path in the repository, when a path is one inside the binary.
pub(super) fn inside(path: &Path) -> Option<PathBuf> {
    path.to_str()?.strip_prefix(BUILT_IN).map(PathBuf::from)
}

/// A path without `.` and `..`, by its text alone.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            Component::ParentDir
            | Component::Normal(_)
            | Component::RootDir
            | Component::Prefix(_) => out.push(part),
        }
    }
    out
}

/// The last part of a path as text.
pub(super) fn name_of(path: &Path) -> Option<String> {
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded() -> Embedded {
        Embedded::of(&[
            ("components/store/component.yaml", "name: store"),
            ("components/store/chart/Chart.yaml", "name: store"),
            ("flavours/demo.yaml", "project: {flavour: store}"),
        ])
    }

    #[test]
    fn project_files_come_on_top_file_by_file() {
        let root = tempfile::tempdir().unwrap();
        let cache = tempfile::tempdir().unwrap();
        let own = root.path().join("components/store/chart/Chart.yaml");
        files::write(&own, "name: mine").unwrap();
        let embedded = embedded();
        let overlay = Overlay {
            here: root.path(),
            root: root.path().to_owned(),
            embedded: &embedded,
            seen: Seen::default(),
        };
        let folder = overlay.lay_down("store", cache.path()).unwrap();
        assert!(folder.starts_with(cache.path()));
        assert_eq!(files::read(&folder.join("component.yaml")).unwrap(), "name: store");
        assert_eq!(files::read(&folder.join("chart/Chart.yaml")).unwrap(), "name: mine");
        assert_eq!(overlay.lay_down("store", cache.path()).unwrap(), folder);
        files::write(&own, "name: changed").unwrap();
        assert_ne!(overlay.lay_down("store", cache.path()).unwrap(), folder);
        files::write(&root.path().join("components/store/component.yaml"), "name: s").unwrap();
        let folder = overlay.lay_down("store", cache.path()).unwrap();
        assert_eq!(folder, root.path().join("components/store"));
    }

    #[test]
    fn paths_inside_the_binary_are_read_like_others() {
        let embedded = embedded();
        let overlay = Overlay {
            here: Path::new("/x"),
            root: PathBuf::from("/x"),
            embedded: &embedded,
            seen: Seen::default(),
        };
        let path = overlay.find(Path::new("flavours/demo.yaml")).unwrap();
        assert_eq!(path, Path::new("built-in:flavours/demo.yaml"));
        let source = overlay.read(&path).unwrap();
        assert_eq!(
            overlay.beside(&source, "../components/store/component.yaml", Path::new("/home/u")),
            Path::new("built-in:components/store/component.yaml")
        );
    }

    #[test]
    fn home_and_relative_paths_are_resolved() {
        let embedded = Embedded::default();
        let overlay = Overlay {
            here: Path::new("/w"),
            root: "/w".into(),
            embedded: &embedded,
            seen: Seen::default(),
        };
        let source = Source::new("flavours/a.yaml", "");
        let home = Path::new("/home/u");
        assert_eq!(
            overlay.beside(&source, "~/.kube/config", home),
            Path::new("/home/u/.kube/config")
        );
        assert_eq!(overlay.beside(&source, "../k/c", home), Path::new("/w/k/c"));
        assert_eq!(overlay.beside(&source, "/etc/c", home), Path::new("/etc/c"));
    }
}
