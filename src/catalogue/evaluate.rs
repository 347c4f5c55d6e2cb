//! Values with `${…}` and the helpers `$when`, `$forEach`, `$append`, `$merge` to plain ones.

use indexmap::IndexMap;

use super::expression;
use super::scope::{Found, Item, Miss, Scope};
use super::template::{self, Part};
use crate::model::{SecretRef, Value};
use crate::yaml::{Entry, Located, Node, Problem, Problems};

/// The keys that are no keys.
const HELPERS: [&str; 7] = ["$when", "$forEach", "$as", "$key", "$item", "$append", "$merge"];

impl Scope<'_, '_> {
    /// A value; nothing when it is left out.
    pub(super) fn value(&self, tree: &Located, problems: &mut Problems) -> Option<Value> {
        match &tree.node {
            Node::Null => Some(Value::Null),
            Node::Bool(flag) => Some(Value::Bool(*flag)),
            Node::Number(number) => Some(Value::Number(number.clone())),
            Node::Text(text) => self.string(text, tree, problems),
            Node::List(items) => Some(Value::List(self.list(items, problems))),
            Node::Map(entries) => self.map(tree, entries, problems),
        }
    }

    /// The items of a list: what is left out is left out, and a helper that gives a list gives its items.
    pub(super) fn list(&self, items: &[Located], problems: &mut Problems) -> Vec<Value> {
        let mut found = Vec::new();
        for item in items {
            let gives_many = item.get("$forEach").is_some() || item.get("$append").is_some();
            match self.value(item, problems) {
                Some(Value::List(many)) if gives_many => found.extend(many),
                // A nothing that is written stays; one that a path gave is left out.
                Some(Value::Null) if !item.is_null() => {}
                Some(value) => found.push(value),
                None => {}
            }
        }
        found
    }

    fn map(&self, tree: &Located, entries: &[Entry], problems: &mut Problems) -> Option<Value> {
        check_helpers(entries, problems);
        if let Some(when) = tree.get("$when") {
            let when = expression::read(when, problems)?;
            if !self.holds(Some(&when), problems) {
                return None;
            }
        }
        if let Some(over) = tree.get("$forEach") {
            return self.for_each(tree, over, problems);
        }
        if let Some(item) = tree.get("$item") {
            return self.value(item, problems);
        }
        if let Some(more) = tree.get("$append") {
            return self.value(more, problems);
        }
        let mut map = IndexMap::new();
        for entry in entries.iter().filter(|entry| !HELPERS.contains(&entry.key.as_str())) {
            let left_out = matches!(entry.value.node, Node::Text(_) | Node::Map(_));
            match self.value(&entry.value, problems) {
                None => {}
                Some(Value::Null) if left_out => {}
                Some(value) => {
                    map.insert(self.key(entry, problems), value);
                }
            }
        }
        if let Some(over) = tree.get("$merge") {
            let several = std::slice::from_ref(over);
            let layers = if over.items().is_empty() { several } else { over.items() };
            for layer in layers {
                match self.value(layer, problems) {
                    Some(Value::Map(more)) => merge_maps(&mut map, more),
                    Some(Value::Null) | None => {}
                    Some(_) => wrong(layer, "`$merge` takes a map or a list of maps", problems),
                }
            }
        }
        Some(Value::Map(map))
    }

    /// Keys are substituted too; `$$x` stands for a key `$x`.
    fn key(&self, entry: &Entry, problems: &mut Problems) -> String {
        if let Some(rest) = entry.key.strip_prefix('$')
            && rest.starts_with('$')
            && !rest.starts_with("${")
        {
            return rest.to_owned();
        }
        if !entry.key.contains("${") {
            return entry.key.clone();
        }
        let tree = Located { node: Node::Text(entry.key.clone()), span: entry.key_span.clone() };
        self.text(&tree, problems).unwrap_or_else(|| entry.key.clone())
    }

    fn for_each(&self, tree: &Located, over: &Located, problems: &mut Problems) -> Option<Value> {
        let Some(shape) = tree.get("$item") else {
            wrong(tree, "`$forEach` lacks `$item`", problems);
            return None;
        };
        let items: Vec<(Option<String>, Value)> = match self.value(over, problems)? {
            Value::List(items) => items.into_iter().map(|value| (None, value)).collect(),
            Value::Map(map) => map.into_iter().map(|(key, value)| (Some(key), value)).collect(),
            Value::Null => Vec::new(),
            Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Join(_)
            | Value::Output { .. }
            | Value::Secret(_) => {
                wrong(over, "`$forEach` goes over a list or a map", problems);
                return None;
            }
        };
        let scopes = items
            .into_iter()
            .enumerate()
            .map(|(index, (key, value))| self.with_item(Item { key, index, value }));
        let as_map = match tree.get("$as").map(Located::as_text) {
            None | Some(Some("list")) => false,
            Some(Some("map")) => true,
            Some(_) => {
                wrong(tree, "`$as` is `list` or `map`", problems);
                return None;
            }
        };
        if !as_map {
            return Some(Value::List(
                scopes.filter_map(|scope| scope.value(shape, problems)).collect(),
            ));
        }
        let mut map = IndexMap::new();
        for scope in scopes {
            let key = match (tree.get("$key"), &scope.item) {
                (Some(key), _) => scope.text(key, problems)?,
                (None, Some(Item { key: Some(key), .. })) => key.clone(),
                (None, _) => {
                    wrong(tree, "`$as: map` over a list lacks `$key`", problems);
                    return None;
                }
            };
            if let Some(value) = scope.value(shape, problems) {
                map.insert(key, value);
            }
        }
        Some(Value::Map(map))
    }

    /// A whole-string path keeps its type; a text with paths in it is text, or a join when parts are known later.
    fn string(&self, text: &str, tree: &Located, problems: &mut Problems) -> Option<Value> {
        let parts = parts(text, tree, problems)?;
        if let [Part::Path { path, optional }] = parts.as_slice() {
            return match self.found(path, *optional, tree, problems)? {
                Found::Value(value) => Some(value),
                Found::Ref(SecretRef { name, key, .. }) => Some(Value::Map(IndexMap::from([
                    ("name".to_owned(), Value::Text(name)),
                    ("key".to_owned(), Value::Text(key)),
                ]))),
            };
        }
        let mut values = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => values.push(Value::Text(text)),
                Part::Path { path, optional } => {
                    match self.found(&path, optional, tree, problems)? {
                        Found::Value(Value::Null) => return None,
                        Found::Value(value) => {
                            values.push(part_of_text(value, &path, tree, problems)?);
                        }
                        Found::Ref(_) => {
                            let message = format!(
                                "`{path}` is a reference, which cannot stand inside of text"
                            );
                            problems.push(
                                Problem::error("reference-in-text", message)
                                    .at(&tree.span)
                                    .help(format!("write `${{{path}.name}}` or `${{{path}.key}}`")),
                            );
                            return None;
                        }
                    }
                }
            }
        }
        Some(joined(values))
    }

    fn found(
        &self,
        path: &str,
        optional: bool,
        tree: &Located,
        problems: &mut Problems,
    ) -> Option<Found> {
        match self.path(path, problems) {
            Ok(found) => Some(found),
            Err(Miss::Absent { .. }) if optional => None,
            // A parameter that nobody set is nothing, and nothing is left out.
            Err(Miss::Absent { .. }) if path.starts_with("param.") && self.is_unset(path) => {
                Some(Found::Value(Value::Null))
            }
            Err(miss) => {
                miss.report(path, &tree.span, problems);
                None
            }
        }
    }

    fn is_unset(&self, path: &str) -> bool {
        let name = path.trim_start_matches("param.").split('.').next().unwrap_or_default();
        self.member.params.contains_key(name)
    }

    /// What a whole-string path refers to, when it refers to a key of a Secret.
    pub(super) fn reference(&self, tree: &Located, problems: &mut Problems) -> Option<SecretRef> {
        let parts = parts(tree.as_text().unwrap_or_default(), tree, problems)?;
        if let [Part::Path { path, optional }] = parts.as_slice() {
            return match self.found(path, *optional, tree, problems)? {
                Found::Ref(at) => Some(at),
                Found::Value(_) => {
                    wrong(
                        tree,
                        &format!("`{path}` is no reference to a key of a secret"),
                        problems,
                    );
                    None
                }
            };
        }
        wrong(tree, "a reference such as `${use.store.password.ref}` belongs here", problems);
        None
    }

    /// Text that must be known now: a name, an address, a quantity.
    pub(super) fn text(&self, tree: &Located, problems: &mut Problems) -> Option<String> {
        match self.value(tree, problems)? {
            Value::Text(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Null => None,
            Value::List(_) | Value::Map(_) => {
                wrong(tree, "text belongs here", problems);
                None
            }
            Value::Join(_) | Value::Output { .. } | Value::Secret(_) => {
                wrong(tree, "what belongs here must be known before anything is made", problems);
                None
            }
        }
    }

    /// A port.
    pub(super) fn port(&self, tree: &Located, problems: &mut Problems) -> Option<u16> {
        let text = self.text(tree, problems)?;
        let port = text.parse().ok().filter(|port| *port > 0);
        if port.is_none() {
            wrong(tree, &format!("`{text}` is no port"), problems);
        }
        port
    }

    /// True or false.
    pub(super) fn flag(&self, tree: Option<&Located>, problems: &mut Problems) -> bool {
        let Some(tree) = tree else { return false };
        match self.value(tree, problems) {
            Some(Value::Bool(flag)) => flag,
            Some(Value::Null) | None => false,
            Some(_) => {
                wrong(tree, "true or false belongs here", problems);
                false
            }
        }
    }
}

fn parts(text: &str, tree: &Located, problems: &mut Problems) -> Option<Vec<Part>> {
    match template::parse(text) {
        Ok(parts) => Some(parts),
        Err(why) => {
            problems.push(Problem::error("path-syntax", why).at(&tree.span));
            None
        }
    }
}

fn wrong(tree: &Located, message: &str, problems: &mut Problems) {
    problems.push(Problem::error("wrong-value", message).at(&tree.span));
}

fn check_helpers(entries: &[Entry], problems: &mut Problems) {
    for entry in entries {
        let helper = entry
            .key
            .strip_prefix('$')
            .filter(|rest| !rest.starts_with('$') && !rest.starts_with('{'));
        if helper.is_some() && !HELPERS.contains(&entry.key.as_str()) {
            let message = format!("there is no helper `{}`", entry.key);
            problems.push(
                Problem::error("unknown-helper", message)
                    .at(&entry.key_span)
                    .suggest(&entry.key, HELPERS),
            );
        }
    }
}

fn part_of_text(
    value: Value,
    path: &str,
    tree: &Located,
    problems: &mut Problems,
) -> Option<Value> {
    match value {
        Value::Text(_) | Value::Join(_) | Value::Output { .. } | Value::Secret(_) => Some(value),
        Value::Number(number) => Some(Value::Text(number.to_string())),
        Value::Bool(flag) => Some(Value::Text(flag.to_string())),
        Value::Null | Value::List(_) | Value::Map(_) => {
            wrong(
                tree,
                &format!("`{path}` is a list or a map, which cannot stand inside of text"),
                problems,
            );
            None
        }
    }
}

fn joined(values: Vec<Value>) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    for value in values {
        let more = if let Value::Join(inner) = value { inner } else { vec![value] };
        for part in more {
            match (parts.last_mut(), part) {
                (Some(Value::Text(text)), Value::Text(more)) => text.push_str(&more),
                (_, part) => parts.push(part),
            }
        }
    }
    match parts.as_mut_slice() {
        [] => Value::Text(String::new()),
        [only @ Value::Text(_)] => std::mem::replace(only, Value::Null),
        _ => Value::Join(parts),
    }
}

/// Lays one map on another: maps merge, anything else is replaced.
pub(super) fn merge_maps(under: &mut IndexMap<String, Value>, over: IndexMap<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Map(below)), Value::Map(above)) => merge_maps(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
