//! Helm values files: looked up in data-mill's three modes, read once each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapter::files;
use crate::config::overlay::{Overlay, normal};
use crate::yaml::{Located, Node, Problem, Problems, Span, parse};

/// Where values files and manifests of a component are looked up, first match wins.
pub(super) struct Folders<'a> {
    pub(super) overlay: &'a Overlay<'a>,
    /// The flavour's own folder; absent for a flavour inside the binary.
    pub(super) flavour: Option<PathBuf>,
    /// `project.config_folder`.
    pub(super) config: Option<PathBuf>,
}

impl Folders<'_> {
    /// The folders on disk, in order; the component's own comes after them.
    pub(super) fn on_disk(&self, named_in: Option<&Span>) -> Vec<PathBuf> {
        // What a component's own settings name is looked up there last, not first.
        let components = self.overlay.root.join("components");
        let beside = named_in
            .map(|span| self.overlay.beside(&span.source, ".", Path::new("/")))
            .filter(|folder| !folder.starts_with(&components));
        let all = [self.flavour.clone(), beside, self.config.clone()];
        let mut found: Vec<PathBuf> = Vec::new();
        for folder in all.into_iter().flatten() {
            if files::is_folder(&folder) && !found.contains(&folder) {
                found.push(folder);
            }
        }
        found
    }

    /// A file that a section of a component names.
    fn find(&self, name: &str, component: &str, named_in: &Span) -> Option<PathBuf> {
        let on_disk = self.on_disk(Some(named_in)).into_iter().map(|folder| folder.join(name));
        let mut paths = on_disk.map(|path| normal(&path));
        let inside = |folder: &Path| self.overlay.find(&normal(&folder.join(name)));
        paths
            .find(|path| files::is_file(path) || files::is_folder(path))
            .or_else(|| {
                self.config.as_ref().map(|f| f.join(name)).filter(|f| self.overlay.is_file(f))
            })
            .or_else(|| inside(Path::new("flavours")).filter(|_| self.flavour.is_none()))
            .or_else(|| inside(&Path::new("components").join(component)))
    }

    fn looked_in(&self, component: &str, named_in: &Span) -> String {
        let folders = self.on_disk(Some(named_in));
        let mut shown: Vec<String> = folders
            .iter()
            .map(|folder| {
                let shown = self.overlay.shown(folder);
                if shown.as_os_str().is_empty() {
                    "`.`".to_owned()
                } else {
                    format!("`{}`", shown.display())
                }
            })
            .collect();
        shown.push(format!("`components/{component}`"));
        shown.join(", ")
    }
}

/// The values files that were read, by path.
#[derive(Default)]
pub(super) struct ValuesFiles {
    read: BTreeMap<PathBuf, Option<Located>>,
    /// The instances that name each file.
    users: BTreeMap<PathBuf, Vec<String>>,
}

impl ValuesFiles {
    /// The file that `config_file` of an instance names, if it is there.
    pub(super) fn named(
        &mut self,
        folders: &Folders<'_>,
        (name, at): &(String, Span),
        component: &str,
        instance: &str,
        problems: &mut Problems,
    ) -> Option<Located> {
        let Some(path) = folders.find(name, component, at) else {
            let message = format!("the values file `{name}` is not there; none is used");
            problems.push(
                Problem::warning("no-values-file", message)
                    .at(at)
                    .help(format!("looked in {}", folders.looked_in(component, at))),
            );
            return None;
        };
        self.users.entry(path.clone()).or_default().push(instance.to_owned());
        self.file(folders.overlay, &path, Some(at), problems)
    }

    /// A values file, read once; problems are reported once.
    pub(super) fn file(
        &mut self,
        overlay: &Overlay<'_>,
        path: &Path,
        named: Option<&Span>,
        problems: &mut Problems,
    ) -> Option<Located> {
        if let Some(known) = self.read.get(path) {
            return known.clone();
        }
        let tree = overlay.read(path).and_then(|source| parse(&source));
        let values = match tree {
            Ok(tree) => values(tree, &overlay.shown(path), problems),
            Err(problem) => {
                problems.push(problem.or_at(named));
                None
            }
        };
        self.read.insert(path.to_owned(), values.clone());
        values
    }

    /// The instances that name a values file together with others.
    pub(super) fn shared(&self) -> impl Iterator<Item = &str> {
        let several = self.users.values().filter(|users| users.len() > 1);
        several.flatten().map(String::as_str)
    }
}

/// A values file is a map; an empty one says nothing, as Helm has it.
fn values(tree: Located, shown: &Path, problems: &mut Problems) -> Option<Located> {
    match &tree.node {
        Node::Map(_) => Some(tree),
        Node::Null => None,
        Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            let message =
                format!("the values file `{}` is {}, not a map", shown.display(), tree.kind());
            problems.push(Problem::error("not-a-map", message).at(&tree.span));
            None
        }
    }
}
