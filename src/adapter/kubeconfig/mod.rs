//! Kubeconfig files: reads which contexts there are, and merges an entry in or out as kubectl and kind do. What others wrote
//! stays, fields nobody here knows included; a file is written whole or not at all, and only its owner may read it.

mod guard;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use self::guard::Guard;
use super::files::{self, FileError};
use crate::model::Secret;
use crate::yaml::{self, Source};

/// The name of the extension that says: datamill made this file.
const MADE_BY_US: &str = "datamill.dev/made";
/// The lists of a kubeconfig.
const LISTS: [&str; 3] = ["clusters", "contexts", "users"];

/// A kubeconfig could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// The file system refuses.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no YAML.
    #[error("`{}` is broken on line {line}: {says}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        says: String,
    },
    /// It is YAML and no kubeconfig.
    #[error("`{}` is no kubeconfig: {says}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        says: String,
    },
    /// Another program keeps it locked.
    #[error("`{}` is locked by another program: `{}` is there", path.display(), lock.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// The lock.
        lock: PathBuf,
    },
}

/// A cluster as a kubeconfig names it: context, cluster and user bear one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// `https://127.0.0.1:6443`
    pub server: String,
    /// The certificate authority, PEM in base64.
    pub authority: String,
    /// The client's certificate, PEM in base64.
    pub certificate: String,
    /// The client's key, PEM in base64.
    pub key: Secret,
}

impl Entry {
    /// The entry of what kubeadm writes for administrators, under another name and address; nothing when it is none.
    pub fn of_admin(text: &str, name: &str, server: &str) -> Option<Self> {
        let file = yaml::parse(&Source::new("admin.conf", text)).ok()?.to_json();
        let field = |list: &str, part: &str, key: &str| {
            let value = file.get(list)?.get(0)?.get(part)?.get(key)?;
            value.as_str().map(str::to_owned)
        };
        Some(Self {
            name: name.to_owned(),
            server: server.to_owned(),
            authority: field("clusters", "cluster", "certificate-authority-data")?,
            certificate: field("users", "user", "client-certificate-data")?,
            key: Secret::new(field("users", "user", "client-key-data")?),
        })
    }

    fn cluster(&self) -> Json {
        json!({"server": self.server, "certificate-authority-data": self.authority})
    }

    fn user(&self) -> Json {
        json!({"client-certificate-data": self.certificate, "client-key-data": self.key.reveal()})
    }

    /// The three lists' items: the list, the key of the content, the content.
    fn parts(&self) -> [(&'static str, &'static str, Json); 3] {
        [
            ("clusters", "cluster", self.cluster()),
            ("contexts", "context", json!({"cluster": self.name, "user": self.name})),
            ("users", "user", self.user()),
        ]
    }

    /// A kubeconfig of this entry alone.
    pub fn alone(&self) -> String {
        let mut file = empty(false);
        put(&mut file, self);
        file.insert("current-context".to_owned(), Json::String(self.name.clone()));
        yaml::to_yaml(&Json::Object(file))
    }
}

/// The contexts of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contexts {
    /// Their names, as they stand in the file.
    pub names: Vec<String>,
    /// The current one.
    pub current: Option<String>,
}

/// Reads which contexts a file has; a file that is not there has none.
pub fn contexts(path: &Path) -> Result<Contexts, KubeconfigError> {
    let file = load(path)?.unwrap_or_default();
    let names = items(&file, "contexts").filter_map(name_of).map(str::to_owned).collect();
    let current = file.get("current-context").and_then(Json::as_str);
    Ok(Contexts { names, current: current.filter(|name| !name.is_empty()).map(str::to_owned) })
}

/// Whether a file holds the entry as it is.
pub fn holds(path: &Path, entry: &Entry) -> Result<bool, KubeconfigError> {
    let file = load(path)?.unwrap_or_default();
    let is_there = |list: &str, key: &str, wanted: &Json| {
        let named = items(&file, list).find(|item| name_of(item) == Some(&entry.name));
        let content = named.and_then(|item| item.get(key));
        // Others may have added fields, such as a namespace.
        wanted.as_object().is_some_and(|wanted| {
            wanted.iter().all(|(field, value)| content.and_then(|c| c.get(field)) == Some(value))
        })
    };
    Ok(entry.parts().iter().all(|(list, key, wanted)| is_there(list, key, wanted)))
}

/// Puts an entry into a file, in place of one of the same name. The current context changes only when asked for.
pub async fn merge(path: &Path, entry: &Entry, make_current: bool) -> Result<(), KubeconfigError> {
    let path = real(path);
    let _guard = Guard::take(&path).await?;
    let mut file = match load(&path)? {
        Some(file) if !file.is_empty() => file,
        Some(_) => empty(false),
        None => empty(true),
    };
    let before = file.clone();
    put(&mut file, entry);
    if make_current {
        file.insert("current-context".to_owned(), Json::String(entry.name.clone()));
    }
    if file != before {
        files::write_private(&path, yaml::to_yaml(&Json::Object(file)))?;
    }
    Ok(())
}

/// Takes context, cluster and user of a name out of a file, and the current context if it is that one. A file that datamill made
/// and that is empty now goes. Says whether something was taken out.
pub async fn remove(path: &Path, name: &str) -> Result<bool, KubeconfigError> {
    let path = real(path);
    if load(&path)?.is_none() {
        return Ok(false);
    }
    let _guard = Guard::take(&path).await?;
    let Some(mut file) = load(&path)? else { return Ok(false) };
    let before = file.clone();
    for list in LISTS {
        if let Some(Json::Array(items)) = file.get_mut(list) {
            items.retain(|item| name_of(item) != Some(name));
        }
    }
    if file.get("current-context").and_then(Json::as_str) == Some(name) {
        file.insert("current-context".to_owned(), Json::String(String::new()));
    }
    if is_made_by_us(&file) && LISTS.iter().all(|list| items(&file, list).next().is_none()) {
        files::remove(&path)?;
        return Ok(true);
    }
    if file == before {
        return Ok(false);
    }
    files::write_private(&path, yaml::to_yaml(&Json::Object(file)))?;
    Ok(true)
}

/// The file behind a link: a rename must not replace the link itself.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn empty(made_by_us: bool) -> Map<String, Json> {
    let mut file = Map::new();
    file.insert("apiVersion".to_owned(), json!("v1"));
    file.insert("kind".to_owned(), json!("Config"));
    if made_by_us {
        let mark = json!([{"name": MADE_BY_US, "extension": {"made": true}}]);
        file.insert("extensions".to_owned(), mark);
    }
    file
}

fn is_made_by_us(file: &Map<String, Json>) -> bool {
    items(file, "extensions").any(|item| name_of(item) == Some(MADE_BY_US))
}

/// Replaces or adds the entry's three items.
fn put(file: &mut Map<String, Json>, entry: &Entry) {
    for (list, key, content) in entry.parts() {
        let item = json!({"name": entry.name, key: content});
        let slot = file.entry(list).or_insert(Json::Null);
        if slot.is_null() {
            *slot = Json::Array(Vec::new());
        }
        // Whatever else stands there was refused by `load`.
        let Json::Array(items) = slot else { continue };
        match items.iter_mut().find(|known| name_of(known) == Some(&entry.name)) {
            Some(known) => *known = item,
            None => items.push(item),
        }
    }
}

fn items<'a>(file: &'a Map<String, Json>, list: &str) -> impl Iterator<Item = &'a Json> {
    file.get(list).and_then(Json::as_array).into_iter().flatten()
}

fn name_of(item: &Json) -> Option<&str> {
    item.get("name")?.as_str()
}

/// The file's top level; nothing when it is not there, an empty map when it is empty.
fn load(path: &Path) -> Result<Option<Map<String, Json>>, KubeconfigError> {
    let text = match files::read(path) {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let tree = yaml::parse(&Source::new(path, text)).map_err(|problem| KubeconfigError::Yaml {
        path: path.to_owned(),
        line: problem.at.as_ref().map_or(1, yaml::Span::line),
        says: problem.message,
    })?;
    let shape = |says: String| KubeconfigError::Shape { path: path.to_owned(), says };
    let file = match tree.to_json() {
        Json::Null => return Ok(Some(Map::new())),
        Json::Object(file) => file,
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            return Err(shape(format!("it holds {} and no map", tree.kind())));
        }
    };
    for list in LISTS {
        match file.get(list) {
            None | Some(Json::Null | Json::Array(_)) => {}
            Some(_) => return Err(shape(format!("`{list}` is no list"))),
        }
    }
    Ok(Some(file))
}
