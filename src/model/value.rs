//! The leaves and branches of every spec: plain data, and places that are filled in later.

use indexmap::IndexMap;
use serde_json::{Number, Value as Json};

use super::{OutputName, ResourceId, SecretRef};

/// A value of a spec. Maps keep the order of the file they come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole or decimal number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Self>),
    /// A map with text keys.
    Map(IndexMap<String, Self>),
    /// Text put together from parts, some of which are known only later.
    Join(Vec<Self>),
    /// An output of another resource, known only after that one is made.
    Output {
        /// The resource that gives it.
        of: ResourceId,
        /// Which of its outputs.
        name: OutputName,
    },
    /// The value behind a key of a Secret, read directly before use and masked everywhere.
    Secret(SecretRef),
}

/// A place in a [`Value`] that something else fills in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaf {
    /// An output of a resource.
    Output(ResourceId, OutputName),
    /// A key of a Secret.
    Secret(SecretRef),
}

impl Value {
    /// A plain value from JSON.
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => Self::Number(n.clone()),
            Json::String(s) => Self::Text(s.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Json::Object(map) => {
                Self::Map(map.iter().map(|(k, v)| (k.clone(), Self::from_json(v))).collect())
            }
        }
    }

    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Every place that something else fills in, in order of appearance.
    pub fn leaves(&self) -> Vec<Leaf> {
        let mut found = Vec::new();
        self.collect_leaves(&mut found);
        found
    }

    fn collect_leaves(&self, into: &mut Vec<Leaf>) {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => {}
            Self::List(items) | Self::Join(items) => {
                for item in items {
                    item.collect_leaves(into);
                }
            }
            Self::Map(map) => map.values().for_each(|item| item.collect_leaves(into)),
            Self::Output { of, name } => into.push(Leaf::Output(of.clone(), name.clone())),
            Self::Secret(at) => into.push(Leaf::Secret(at.clone())),
        }
    }

    /// The value as JSON; `fill` gives what belongs in each place. Parts of a `Join` that are not text are written as JSON
    /// writes them, `null` as nothing.
    pub fn to_json(&self, fill: &mut dyn FnMut(&Leaf) -> Json) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Number(n) => Json::Number(n.clone()),
            Self::Text(s) => Json::String(s.clone()),
            Self::List(items) => Json::Array(items.iter().map(|v| v.to_json(fill)).collect()),
            Self::Map(map) => {
                Json::Object(map.iter().map(|(k, v)| (k.clone(), v.to_json(fill))).collect())
            }
            Self::Join(parts) => Json::String(
                parts
                    .iter()
                    .map(|part| match part.to_json(fill) {
                        Json::String(s) => s,
                        Json::Null => String::new(),
                        other @ (Json::Bool(_)
                        | Json::Number(_)
                        | Json::Array(_)
                        | Json::Object(_)) => other.to_string(),
                    })
                    .collect(),
            ),
            Self::Output { of, name } => fill(&Leaf::Output(of.clone(), name.clone())),
            Self::Secret(at) => fill(&Leaf::Secret(at.clone())),
        }
    }

    /// The value as a person reads it in a plan: places are named, secrets masked.
    pub fn shown(&self) -> Json {
        self.to_json(&mut |leaf| Json::String(leaf.shown()))
    }

    /// Whether nothing in it is filled in later.
    pub fn is_plain(&self) -> bool {
        self.leaves().is_empty()
    }
}

impl Leaf {
    /// The stand-in shown for a place that is not filled in.
    pub fn shown(&self) -> String {
        match self {
            Self::Output(of, name) => format!("(known after {of}: {name})"),
            Self::Secret(_) => "(secret)".to_owned(),
        }
    }
}
