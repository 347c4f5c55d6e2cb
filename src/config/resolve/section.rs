//! A component's section: reserved keys and parameters side by side, old keys translated by the component's own data.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::flavour::EXPOSE;
use super::secret::{self, SecretSetting};
use crate::catalogue::{Component, LegacyMeaning, RESERVED_KEYS};
use crate::config::overlay::Overlay;
use crate::config::reader::{Reader, flag_of, text_of};
use crate::config::request::LoadRequest;
use crate::model::Name;
use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, layer};

/// A Helm release's name is at most this long.
const LONGEST_RELEASE: usize = 53;

/// What a section is read with.
pub(super) struct Reading<'a> {
    pub(super) component: &'a Component,
    pub(super) overlay: &'a Overlay<'a>,
    pub(super) request: &'a LoadRequest,
}

/// The layers of a section, merged so far.
pub(super) struct Layers {
    reserved: Located,
    params: Located,
    secrets: BTreeMap<String, SecretSetting>,
}

/// The reserved keys of a section, resolved.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    pub(super) release: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) version: Option<(String, Span)>,
    pub(super) config_file: Option<(String, Span)>,
    pub(super) values: Option<Located>,
    pub(super) ceiling: Option<Duration>,
    pub(super) bind: BTreeMap<String, (String, Span)>,
    pub(super) profiles: Vec<String>,
    pub(super) ignore: Vec<String>,
}

impl Layers {
    /// No layer yet; `at` is the place of what nobody writes.
    pub(super) fn new(at: &Span) -> Self {
        let empty = Located { node: Node::Map(Vec::new()), span: at.clone() };
        Self { reserved: empty.clone(), params: empty, secrets: BTreeMap::new() }
    }

    /// Lays a section over those before: old keys are translated, every key and value is checked.
    pub(super) fn add(
        &mut self,
        section: &Located,
        title: &str,
        reading: &Reading<'_>,
        problems: &mut Problems,
    ) {
        let section = match &section.node {
            Node::Null => return,
            Node::Map(_) => translate(section.clone(), title, reading.component, problems),
            Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                let message =
                    format!("`{title}` is a map of settings, and here stands {}", section.kind());
                problems.push(Problem::error("not-a-map", message).at(&section.span));
                return;
            }
        };
        let (mut reserved, mut params) = (Vec::new(), Vec::new());
        for entry in section.entries() {
            let key = entry.key.as_str();
            if RESERVED_KEYS.contains(&key) {
                reserved.push(entry.clone());
            } else if let Some(param) = reading.component.param(key) {
                if param.secret {
                    let setting =
                        secret::read(entry, title, reading.overlay, reading.request, problems);
                    self.secrets.extend(setting.map(|setting| (key.to_owned(), setting)));
                } else if param.check(&entry.value, problems) {
                    params.push(Entry { value: fitted(param, &entry.value), ..entry.clone() });
                }
            } else {
                problems.push(unknown_key(entry, title, reading.component));
            }
        }
        let map = |entries| Located { node: Node::Map(entries), span: section.span.clone() };
        let reserved = map(reserved);
        drop(read_reserved(&reserved, title, problems));
        let nothing = map(Vec::new());
        self.reserved = layer(std::mem::replace(&mut self.reserved, nothing.clone()), reserved);
        self.params = layer(std::mem::replace(&mut self.params, nothing), map(params));
    }

    /// The reserved keys of all layers.
    pub(super) fn reserved(&self, title: &str) -> Reserved {
        // Each layer's problems were reported when it was added.
        read_reserved(&self.reserved, title, &mut Problems::default())
    }

    /// The parameters of all layers, and the values of secret ones.
    pub(super) fn into_params(self) -> (Located, BTreeMap<String, crate::model::Secret>) {
        let mut params = self.params;
        let mut secrets = BTreeMap::new();
        for (name, setting) in self.secrets {
            match setting {
                SecretSetting::Value(value) => drop(secrets.insert(name, value)),
                SecretSetting::Kept(entry) => {
                    if let Node::Map(entries) = &mut params.node {
                        entries.push(entry);
                    }
                }
            }
        }
        (params, secrets)
    }
}

/// A number from the environment that came as text is one.
fn fitted(param: &crate::catalogue::Param, value: &Located) -> Located {
    use crate::catalogue::ParamType;
    let node = match (param.kind, &value.node) {
        (ParamType::String | ParamType::Enum, Node::Number(_) | Node::Bool(_)) => {
            text_of(value).map_or_else(|| value.node.clone(), Node::Text)
        }
        _ => value.node.clone(),
    };
    Located { node, span: value.span.clone() }
}

fn unknown_key(entry: &Entry, title: &str, component: &Component) -> Problem {
    let params = component.params().iter().map(|param| param.name.as_str());
    Problem::error("unknown-key", format!("`{title}` has no setting `{}`", entry.key))
        .at(&entry.key_span)
        .label("unknown setting")
        .suggest(&entry.key, params.chain(RESERVED_KEYS))
}

/// Moves old keys to where they are written now and drops those without a meaning; each is a warning.
fn translate(
    section: Located,
    title: &str,
    component: &Component,
    problems: &mut Problems,
) -> Located {
    let mut section = section;
    for old in component.legacy() {
        let path: Vec<&str> = old.key.split('.').collect();
        // A parameter that has the name of an old key is the parameter.
        if component.param(&old.key).is_some() && !matches!(old.meaning, LegacyMeaning::Dropped(_))
        {
            continue;
        }
        let Some(entry) = take(&mut section, &path) else { continue };
        let message = format!("`{title}.{}` is an old key", old.key);
        let problem = Problem::warning("old-key", message).at(&entry.key_span).label("old key");
        match &old.meaning {
            LegacyMeaning::MovedTo(new) => {
                problems.push(problem.help(format!("it is used; write `{title}.{new}` instead")));
                put(&mut section, &new.split('.').collect::<Vec<_>>(), entry);
            }
            LegacyMeaning::Dropped(why) => {
                problems.push(problem.help(format!("it is not used: {why}; remove it")));
            }
        }
    }
    section
}

/// Takes the entry at a path out of a tree; maps that are empty then go as well.
fn take(tree: &mut Located, path: &[&str]) -> Option<Entry> {
    let (first, rest) = path.split_first()?;
    let Node::Map(entries) = &mut tree.node else { return None };
    let at = entries.iter().position(|entry| entry.key == *first)?;
    if rest.is_empty() {
        return Some(entries.remove(at));
    }
    let inner = &mut entries.get_mut(at)?.value;
    let taken = take(inner, rest)?;
    if matches!(&inner.node, Node::Map(left) if left.is_empty()) {
        entries.remove(at);
    }
    Some(taken)
}

/// Puts an entry's value at a path, unless something stands there.
fn put(tree: &mut Located, path: &[&str], old: Entry) {
    let (Some((first, rest)), Node::Map(entries)) = (path.split_first(), &mut tree.node) else {
        return;
    };
    let at = entries.iter().position(|entry| entry.key == *first);
    match (at.and_then(|at| entries.get_mut(at)), rest.is_empty()) {
        (Some(_), true) => {}
        (Some(inner), false) => put(&mut inner.value, rest, old),
        (None, true) => entries.push(Entry { key: (*first).to_owned(), ..old }),
        (None, false) => {
            let span = old.value.span.clone();
            let mut value = Located { node: Node::Map(Vec::new()), span: span.clone() };
            put(&mut value, rest, old);
            entries.push(Entry { key: (*first).to_owned(), key_span: span, value });
        }
    }
}

fn read_reserved(tree: &Located, title: &str, problems: &mut Problems) -> Reserved {
    let Some(mut reader) = Reader::of(tree, title, problems) else { return Reserved::default() };
    let at = |key: &str| tree.get(key).map_or(&tree.span, |value| &value.span).clone();
    let release = reader.text("release", problems);
    if let Some(release) = &release {
        check_name("release", release, LONGEST_RELEASE, &at("release"), title, problems);
    }
    let namespace = reader.text("namespace", problems);
    if let Some(namespace) = &namespace {
        check_name("namespace", namespace, 63, &at("namespace"), title, problems);
    }
    let values = reader.value("values").cloned();
    if let Some(values) = &values
        && !matches!(values.node, Node::Map(_))
    {
        reader.wrong("values", values, "a map of Helm values", problems);
    }
    let longest = 7 * 24 * 3600;
    let ceiling = reader.whole("setup_timeout", 0, longest, problems);
    let mut bind = BTreeMap::new();
    for entry in reader.map("bind", problems) {
        match text_of(&entry.value) {
            Some(name) => drop(bind.insert(entry.key.clone(), (name, entry.value.span.clone()))),
            None if entry.value.is_null() => {}
            None => reader.wrong(&format!("bind.{}", entry.key), &entry.value, "a name", problems),
        }
    }
    if let Some(value) = reader.value("expose")
        && flag_of(value).is_none()
    {
        drop(reader.word("expose", &EXPOSE, problems));
    }
    Reserved {
        release,
        namespace,
        version: reader.text("version", problems).map(|version| (version, at("version"))),
        config_file: reader.text("config_file", problems).map(|file| (file, at("config_file"))),
        values: values.filter(|values| matches!(values.node, Node::Map(_))),
        ceiling: ceiling.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        bind,
        profiles: reader.texts("profiles", problems).into_iter().map(|(name, _)| name).collect(),
        ignore: reader.texts("ignore", problems).into_iter().map(|(path, _)| path).collect(),
    }
}

fn check_name(
    key: &str,
    text: &str,
    longest: usize,
    at: &Span,
    title: &str,
    problems: &mut Problems,
) {
    let wrong = match text.parse::<Name>() {
        Ok(_) if text.len() <= longest => return,
        Ok(_) => format!("`{text}` is longer than {longest} characters"),
        Err(wrong) => wrong.to_string(),
    };
    let better = text.to_ascii_lowercase().replace(['_', '.'], "-");
    let problem = Problem::error("wrong-value", format!("`{title}.{key}`: {wrong}")).at(at);
    let near = better != text && better.parse::<Name>().is_ok();
    problems.push(if near { problem.help(format!("did you mean `{better}`?")) } else { problem });
}

/// The sections of a tree that mean an instance, lowest first: aliases, the component's own name, the instance's.
pub(super) fn roots<'a>(
    tree: &'a Located,
    instance: &str,
    component: &Component,
    with_component: bool,
) -> Vec<&'a Entry> {
    let mut keys: Vec<&str> = Vec::new();
    if with_component {
        keys.extend(component.aliases().iter().map(String::as_str));
        keys.push(component.name());
    }
    if !keys.contains(&instance) {
        keys.push(instance);
    }
    let entry = |key: &&str| tree.entries().iter().find(|entry| entry.key == **key);
    let mut seen = BTreeSet::new();
    keys.iter().filter_map(entry).filter(|entry| seen.insert(entry.key.clone())).collect()
}
