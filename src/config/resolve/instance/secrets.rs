//! Secrets in the user's Helm values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Input;
use crate::catalogue::Instance;
use crate::config::reader::text_of;
use crate::config::resolve::secret::{self, SecretSetting};
use crate::yaml::{Entry, Located, Node, Problems};

/// Takes secrets out of the user's Helm values: each becomes its parameter, unless that is set. A values file that several name
/// is freed of the secrets of all of them.
pub(super) fn take_secrets(input: &Input<'_>, instances: &mut [Instance], problems: &mut Problems) {
    let mut of_files: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for instance in instances.iter_mut() {
        let Some(component) = input.names.catalogue.component(&instance.component) else {
            continue;
        };
        for param in component.params() {
            let Some(path) = &param.from_values else { continue };
            let in_file = instance.values_file.as_ref().and_then(|tree| find(tree, path)).cloned();
            if let Some(file) = &instance.values_file {
                let file = file.span.path().to_owned();
                of_files.entry(file).or_default().push(path.clone());
            }
            let in_values = instance.values.as_mut().and_then(|tree| take(tree, path));
            let Some(value) = in_values.or(in_file) else { continue };
            if text_of(&value).is_some_and(|text| text.is_empty()) || value.is_null() {
                continue;
            }
            let (title, key) = path.rsplit_once('.').unwrap_or(("values", path));
            let entry = Entry { key: key.to_owned(), key_span: value.span.clone(), value };
            let setting = secret::read(&entry, title, input.overlay, input.request, problems);
            let set = instance.params.get(&param.name).is_some()
                || instance.secrets.contains_key(&param.name);
            match setting.filter(|_| !set) {
                Some(SecretSetting::Value(secret)) => {
                    instance.secrets.insert(param.name.clone(), secret);
                }
                Some(SecretSetting::Kept(entry)) => {
                    if let Node::Map(entries) = &mut instance.params.node {
                        entries.push(Entry { key: param.name.clone(), ..entry });
                    }
                }
                None => {}
            }
        }
    }
    for tree in instances.iter_mut().filter_map(|instance| instance.values_file.as_mut()) {
        for path in of_files.get(tree.span.path()).cloned().unwrap_or_default() {
            take(tree, &path);
        }
    }
}

/// What stands at a dotted path.
fn find<'t>(tree: &'t Located, path: &str) -> Option<&'t Located> {
    path.split('.').try_fold(tree, Located::get)
}

/// Takes away what stands at a dotted path.
fn take(tree: &mut Located, path: &str) -> Option<Located> {
    let Node::Map(entries) = &mut tree.node else { return None };
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let at = entries.iter().position(|entry| entry.key == first)?;
    if rest.is_empty() {
        return Some(entries.remove(at).value);
    }
    take(&mut entries.get_mut(at)?.value, rest)
}
