//! Layers of Helm values: the component's, substituted, and the user's, as they are. What carries wiring stays wired.

use indexmap::IndexMap;

use super::expression;
use super::scope::Scope;
use super::template::mentions_wiring;
use super::world::plain;
use crate::model::{Leaf, Value};
use crate::yaml::{Located, Node, Problem, Problems, Span};

/// A value with its place, and whether it carries wiring.
#[derive(Debug, Clone)]
pub(super) struct Layered {
    at: Span,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    Map(IndexMap<String, Layered>),
    Leaf {
        value: Value,
        wired: bool,
    },
    /// Items for the end of the list below.
    Append {
        items: Vec<Value>,
        wired: bool,
    },
}

impl Layered {
    /// Values of a component: substituted.
    pub(super) fn of_component(
        scope: &Scope<'_, '_>,
        tree: &Located,
        problems: &mut Problems,
    ) -> Option<Self> {
        let at = tree.span.clone();
        let helper = tree.entries().iter().any(|entry| entry.key.starts_with('$'));
        if let Some(more) = tree.get("$append") {
            if let Some(when) = tree.get("$when") {
                let when = expression::read(when, problems)?;
                if !scope.holds(Some(&when), problems) {
                    return None;
                }
            }
            let items = scope.list(more.items(), problems);
            return Some(Self { at, shape: Shape::Append { items, wired: mentions_wiring(more) } });
        }
        if matches!(tree.node, Node::Map(_)) && !helper {
            let mut map = IndexMap::new();
            for entry in tree.entries() {
                if let Some(value) = Self::of_component(scope, &entry.value, problems) {
                    let single = Located {
                        node: Node::Map(vec![crate::yaml::Entry {
                            value: Located { node: Node::Null, span: entry.value.span.clone() },
                            ..entry.clone()
                        }]),
                        span: at.clone(),
                    };
                    map.insert(substituted_key(scope, &single, problems, &entry.key), value);
                }
            }
            return Some(Self { at, shape: Shape::Map(map) });
        }
        let value = scope.value(tree, problems)?;
        // A nothing that is written is for Helm; one that a path gave is left out.
        if matches!(value, Value::Null) && !tree.is_null() {
            return None;
        }
        Some(Self { at, shape: Shape::Leaf { value, wired: mentions_wiring(tree) } })
    }

    /// Values of a user: as they are.
    pub(super) fn of_user(tree: &Located) -> Self {
        let at = tree.span.clone();
        let shape = match &tree.node {
            Node::Map(entries) => Shape::Map(
                entries.iter().map(|e| (e.key.clone(), Self::of_user(&e.value))).collect(),
            ),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                Shape::Leaf { value: plain(tree), wired: false }
            }
        };
        Self { at, shape }
    }

    /// Lays values on these; where these are wired they stay, and `report` hears of both places.
    pub(super) fn lay(
        &mut self,
        over: Self,
        path: &str,
        report: &mut dyn FnMut(&str, &Span, &Span),
    ) {
        let wired_here = self.is_wired();
        match (&mut self.shape, over.shape) {
            (Shape::Map(below), Shape::Map(above)) => {
                for (key, value) in above {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    match below.get_mut(&key) {
                        Some(known) => known.lay(value, &path, report),
                        None => {
                            below.insert(key, value);
                        }
                    }
                }
            }
            (
                Shape::Leaf { value: Value::List(list), wired },
                Shape::Append { items, wired: more },
            ) => {
                list.extend(items);
                *wired |= more;
            }
            (Shape::Append { items, .. }, Shape::Append { items: more, .. }) => items.extend(more),
            (here, shape) if wired_here => {
                let same = matches!((&shape, here), (Shape::Leaf { value: a, .. }, Shape::Leaf { value: b, .. }) if a == b);
                if !same {
                    report(path, &self.at, &over.at);
                }
            }
            (_, shape) => {
                self.shape = shape;
                self.at = over.at;
            }
        }
    }

    /// Lays values of the component itself on these: wired or not, the later ones win.
    pub(super) fn lay_own(&mut self, over: Self) {
        match (&mut self.shape, over.shape) {
            (Shape::Map(below), Shape::Map(above)) => {
                for (key, value) in above {
                    match below.get_mut(&key) {
                        Some(known) => known.lay_own(value),
                        None => {
                            below.insert(key, value);
                        }
                    }
                }
            }
            (
                Shape::Leaf { value: Value::List(list), wired },
                Shape::Append { items, wired: more },
            ) => {
                list.extend(items);
                *wired |= more;
            }
            (_, shape) => {
                self.shape = shape;
                self.at = over.at;
            }
        }
    }

    /// An empty map at a place.
    pub(super) fn empty(at: &Span) -> Self {
        Self { at: at.clone(), shape: Shape::Map(IndexMap::new()) }
    }

    fn is_wired(&self) -> bool {
        match &self.shape {
            Shape::Map(map) => map.values().any(Self::is_wired),
            Shape::Leaf { wired, .. } | Shape::Append { wired, .. } => *wired,
        }
    }

    /// The first place that holds the value of a secret.
    pub(super) fn exposed(&self) -> Option<&Span> {
        let secret = |value: &Value| value.leaves().iter().any(|l| matches!(l, Leaf::Secret(_)));
        match &self.shape {
            Shape::Map(map) => map.values().find_map(Self::exposed),
            Shape::Leaf { value, .. } => secret(value).then_some(&self.at),
            Shape::Append { items, .. } => items.iter().any(secret).then_some(&self.at),
        }
    }

    /// The values.
    pub(super) fn into_value(self) -> Value {
        match self.shape {
            Shape::Map(map) => {
                Value::Map(map.into_iter().map(|(key, value)| (key, value.into_value())).collect())
            }
            Shape::Leaf { value, .. } => value,
            Shape::Append { items, .. } => Value::List(items),
        }
    }
}

/// The one key of a map with one entry, substituted.
fn substituted_key(
    scope: &Scope<'_, '_>,
    single: &Located,
    problems: &mut Problems,
    written: &str,
) -> String {
    match scope.value(single, problems) {
        Some(Value::Map(map)) => map.into_keys().next().unwrap_or_else(|| written.to_owned()),
        _ => written.to_owned(),
    }
}

/// The warning that a user's value is not taken, naming both places.
pub(super) fn stays_wired(instance: &str, path: &str, wired: &Span, said: &Span) -> Problem {
    let message = format!(
        "`{path}` of `{instance}` is wired by its component, so the value here is not taken"
    );
    Problem::warning("wired-value", message).at(said).help(format!(
        "{}:{} sets it; `bind:` or a parameter changes what it is wired to",
        wired.path().display(),
        wired.line()
    ))
}
