//! What a project was made from: every file that was read, and every variable of the environment that files name. A saved plan
//! is good only as long as they are the same.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::request::LoadRequest;
use crate::model::{Digest, Secret};
use crate::yaml::{Located, Node, Source, parse};

/// What a project was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The digest of each file, by its path below the project's root; below the user's home it begins with `~`. Digests of
    /// what may hold secrets: they do not leave the program as they are.
    pub files: BTreeMap<String, Digest>,
    /// The variables that files name, with their values as far as they are set.
    pub environment: BTreeMap<String, Option<Secret>>,
}

/// The files that were read so far.
#[derive(Debug, Default)]
pub(super) struct Seen(RefCell<BTreeMap<PathBuf, Arc<Source>>>);

impl Seen {
    /// Notes a file.
    pub(super) fn note(&self, path: &Path, source: &Arc<Source>) {
        self.0.borrow_mut().insert(path.to_owned(), Arc::clone(source));
    }

    /// All of them as inputs.
    pub(super) fn inputs(&self, root: &Path, request: &LoadRequest) -> Inputs {
        let mut inputs = Inputs::default();
        for (path, source) in self.0.borrow().iter() {
            inputs
                .files
                .insert(portable(path, root, &request.home), Digest::of(source.text.as_bytes()));
            let mut names = BTreeSet::new();
            // What is no YAML names no variables.
            if let Ok(tree) = parse(source) {
                variables(&tree, &mut names);
            }
            for name in names {
                let value = request.environment.get(&name).map(|value| Secret::new(value.as_str()));
                inputs.environment.insert(name, value);
            }
        }
        inputs
    }
}

/// A path that means the same on another machine.
fn portable(path: &Path, root: &Path, home: &Path) -> String {
    if let Ok(below) = path.strip_prefix(root) {
        return below.display().to_string();
    }
    match path.strip_prefix(home) {
        Ok(below) => Path::new("~").join(below).display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// The variables in `${env.NAME}` and `{env: NAME}`.
fn variables(tree: &Located, into: &mut BTreeSet<String>) {
    match &tree.node {
        Node::Null | Node::Bool(_) | Node::Number(_) => {}
        Node::Text(text) => {
            for after in text.split("${env.").skip(1) {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !plain(c)).unwrap_or(after.len());
                into.extend(after.get(..end).filter(|name| !name.is_empty()).map(str::to_owned));
            }
        }
        Node::List(items) => items.iter().for_each(|item| variables(item, into)),
        Node::Map(entries) => {
            for entry in entries {
                if let ("env", Node::Text(name)) = (entry.key.as_str(), &entry.value.node) {
                    into.insert(name.clone());
                }
                variables(&entry.value, into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_alike_on_every_machine_and_variables_are_found() {
        let seen = Seen::default();
        let text = "a: x-${env.USER:-me}-${env.N}\nb: {env: TOKEN}\nc: {env: [1]}\n# ${env.NOT}\n";
        let note = |path: &str, text: &str| {
            seen.note(Path::new(path), &Source::new(path, text.to_owned()));
        };
        note("/p/flavours/demo.yaml", text);
        note("/home/u/values.yaml", "a: 1");
        note("built-in:components/x/component.yaml", "a: 1");
        let request = LoadRequest {
            home: "/home/u".into(),
            environment: BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]),
            ..LoadRequest::default()
        };
        let inputs = seen.inputs(Path::new("/p"), &request);
        let files: Vec<_> = inputs.files.keys().map(String::as_str).collect();
        let wanted =
            ["built-in:components/x/component.yaml", "flavours/demo.yaml", "~/values.yaml"];
        assert_eq!(files, wanted);
        let names: Vec<_> = inputs.environment.keys().map(String::as_str).collect();
        assert_eq!(names, ["N", "TOKEN", "USER"]);
        assert_eq!(inputs.environment["TOKEN"], Some(Secret::new("hunter2")));
        assert_eq!(inputs.environment["USER"], None);
    }
}
