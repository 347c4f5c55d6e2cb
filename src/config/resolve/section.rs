//! A component's section: reserved keys and parameters side by side, old keys translated by the component's own data.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::legacy;
use super::secret::{self, SecretSetting};
use crate::catalogue::{Component, Expose, Param, ParamType, RESERVED_KEYS};
use crate::config::overlay::Overlay;
use crate::config::reader::{Reader, flag_of, text_of};
use crate::config::request::LoadRequest;
use crate::model::{Ignore, Name};
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
    external: Vec<legacy::Outside>,
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
    pub(super) expose: Option<(Expose, Span)>,
    pub(super) ignore: Vec<Ignore>,
    pub(super) moved: Option<(Name, Span)>,
}

impl Layers {
    /// No layer yet; `at` is the place of what nobody writes.
    pub(super) fn new(at: &Span) -> Self {
        let empty = Located { node: Node::Map(Vec::new()), span: at.clone() };
        Self {
            reserved: empty.clone(),
            params: empty,
            secrets: BTreeMap::new(),
            external: Vec::new(),
        }
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
            Node::Map(_) => {
                let (section, external) =
                    legacy::translate(section.clone(), title, reading.component, problems);
                self.external.extend(external);
                section
            }
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

    /// What old keys say of things outside of the platform.
    pub(super) fn take_external(&mut self) -> Vec<legacy::Outside> {
        std::mem::take(&mut self.external)
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

/// A number or flag that stands for a text becomes one, as it is written: `1.10` stays `1.10`.
fn fitted(param: &Param, value: &Located) -> Located {
    let to_text = matches!(param.kind, ParamType::String | ParamType::Enum);
    let text = text_of(value).filter(|_| to_text);
    let node = text.map_or_else(|| value.node.clone(), Node::Text);
    Located { node, span: value.span.clone() }
}

fn unknown_key(entry: &Entry, title: &str, component: &Component) -> Problem {
    let params = component.params().iter().map(|param| param.name.as_str());
    let secrets = component.params().iter().filter(|param| param.secret);
    Problem::error("unknown-key", format!("`{title}` has no setting `{}`", entry.key))
        .at_key(entry, secrets.map(|param| param.name.as_str()))
        .label("unknown setting")
        .suggest(&entry.key, params.chain(RESERVED_KEYS))
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
        if namespace.starts_with("kube-") {
            let message = format!(
                "`{namespace}` belongs to Kubernetes; `{title}` is installed there all the same"
            );
            problems.push(
                Problem::warning("kubernetes-namespace", message)
                    .at(&at("namespace"))
                    .help("write a namespace of your own, or leave it out"),
            );
        }
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
    // `true` is as the project says, which is what nothing written means.
    let expose = match reader.value("expose").map(flag_of) {
        None | Some(Some(true)) => None,
        Some(Some(false)) => Some(Expose::No),
        Some(None) => reader.word("expose", &Expose::WORDS, problems),
    };
    let moved = reader.text("moved", problems);
    if let Some(moved) = &moved {
        check_name("moved", moved, 63, &at("moved"), title, problems);
    }
    Reserved {
        moved: moved.and_then(|old| Some((old.parse().ok()?, at("moved")))),
        release,
        namespace,
        version: reader.text("version", problems).map(|version| (version, at("version"))),
        config_file: reader.text("config_file", problems).map(|file| (file, at("config_file"))),
        values: values.filter(|values| matches!(values.node, Node::Map(_))),
        ceiling: ceiling.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        bind,
        profiles: reader.texts("profiles", problems).into_iter().map(|(name, _)| name).collect(),
        expose: expose.map(|expose| (expose, at("expose"))),
        ignore: ignored(&mut reader, problems),
    }
}

/// The fields that are left to others: paths, or `{path, reason}`.
fn ignored(reader: &mut Reader<'_>, problems: &mut Problems) -> Vec<Ignore> {
    let Some(value) = reader.value("ignore") else { return Vec::new() };
    let items = match &value.node {
        Node::List(items) => items.as_slice(),
        Node::Null => &[],
        Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Map(_) => {
            std::slice::from_ref(value)
        }
    };
    let mut rules = Vec::new();
    for item in items {
        let text = |key: &str| item.get(key).and_then(text_of);
        let rule = match &item.node {
            Node::Map(entries)
                if entries.iter().all(|e| matches!(e.key.as_str(), "path" | "reason")) =>
            {
                text("path").map(|path| Ignore { path, reason: text("reason") })
            }
            Node::Text(path) => Some(Ignore { path: path.clone(), reason: None }),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Map(_) => None,
        };
        match rule {
            Some(rule) if rule.path.contains(":/") => rules.push(rule),
            Some(rule) => {
                let message = format!("`{}` names no field", rule.path);
                problems.push(Problem::error("wrong-value", message).at(&item.span).help(IGNORE));
            }
            None => reader.wrong("ignore", item, "a list of paths, or of {path, reason}", problems),
        }
    }
    rules
}

/// How a field is named.
const IGNORE: &str =
    "write `Kind/name:/path/to/field`, with `*` for any kind, any name or any part of the path";

/// Says of what a later version of datamill carries out what happens meanwhile.
pub(super) fn without_effect(what: &str, at: &Span, meanwhile: &str) -> Problem {
    Problem::warning("not-built", format!("not built yet: {what} has no effect"))
        .at(at)
        .help(meanwhile.to_owned())
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
