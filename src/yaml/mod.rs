//! Located YAML trees: every value knows the file and the place it comes from, and keeps it when trees are merged. The only
//! module that names `serde_yaml` and the YAML parser. Knows nothing about flavours or components.

mod manifest;
mod merge;
mod parse;
mod print;
mod problem;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use manifest::{ManifestError, manifests, print_manifests};
pub use merge::{layer, merge};
pub use parse::{parse, parse_all, plain_scalar};
pub use print::{from_json, to_yaml};
pub use problem::{LONGEST_LINE, Problem, Problems, Severity, masked, nearest, sounds_secret};

/// A file: its path as the user knows it, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path, for messages.
    pub path: PathBuf,
    /// The text.
    pub text: Arc<str>,
}

impl Source {
    /// A file's text under its path.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into() })
    }
}

/// A place: bytes `start..end` of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub source: Arc<Source>,
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The place's line, from 1.
    pub fn line(&self) -> usize {
        self.source.text.get(..self.start).map_or(1, |before| before.matches('\n').count() + 1)
    }

    /// The place's column, from 1, in characters.
    pub fn column(&self) -> usize {
        let before = self.source.text.get(..self.start).unwrap_or_default();
        before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
    }

    /// How long the place's line is, in bytes.
    pub(crate) fn line_length(&self) -> usize {
        let (before, after) =
            self.source.text.split_at_checked(self.start).unwrap_or((&self.source.text, ""));
        let head = before.rsplit('\n').next().unwrap_or_default();
        let tail = after.split('\n').next().unwrap_or_default();
        head.len() + tail.len()
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.source.path
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Located {
    /// The value.
    pub node: Node,
    /// Where it stands.
    pub span: Span,
}

/// A YAML value. Maps keep the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`; never `yes` or `no`, which are text.
    Bool(bool),
    /// A number, whole or decimal.
    Number(serde_json::Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Located>),
    /// A map.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Located,
}

impl Located {
    /// The value of a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries, when this is a map; none otherwise.
    pub fn entries(&self) -> &[Entry] {
        match &self.node {
            Node::Map(entries) => entries,
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => &[],
        }
    }

    /// The items, when this is a list; none otherwise.
    pub fn items(&self) -> &[Self] {
        match &self.node {
            Node::List(items) => items,
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::Map(_) => &[],
        }
    }

    /// The text, when it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.node {
            Node::Text(text) => Some(text),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::List(_) | Node::Map(_) => None,
        }
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self.node, Node::Null)
    }

    /// The kind of value in words, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.node {
            Node::Null => "nothing",
            Node::Bool(_) => "true or false",
            Node::Number(_) => "a number",
            Node::Text(_) => "text",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }

    /// The value without places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.node {
            Node::Null => Json::Null,
            Node::Bool(b) => Json::Bool(*b),
            Node::Number(n) => Json::Number(n.clone()),
            Node::Text(s) => Json::String(s.clone()),
            Node::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Node::Map(entries) => {
                Json::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect())
            }
        }
    }
}
