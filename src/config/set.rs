//! `--set PATH=VALUE`: a path with dots, a value as YAML types it. Each becomes a small tree that stands at `--set`.

use crate::yaml::{Entry, Located, Node, Problem, Source, Span, parse};

/// One `--set`: whom it is for, and the tree of its section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    /// An instance, a component or one of its aliases.
    pub(super) target: String,
    /// What stands below: a section with one path.
    pub(super) section: Located,
}

/// Reads one `--set`. A dot inside a key is written `\.`.
pub(super) fn read(path: &str, value: &str) -> Result<Setting, Problem> {
    let written = format!("{path}={value}");
    let source = Source::new("--set", written.as_str());
    let part = |start, end| Span { source: source.clone(), start, end };
    let (place, value_at) = (part(0, path.len()), part(path.len() + 1, written.len()));
    let mut keys = split(path).into_iter();
    let target = keys.next().unwrap_or_default();
    let keys: Vec<_> = keys.collect();
    if target.is_empty() || keys.is_empty() || keys.iter().any(String::is_empty) {
        // The value may be a secret.
        let message = format!("`--set {path}=…` names no setting");
        return Err(Problem::error("set", message).help(
            "write `--set COMPONENT.PARAMETER=VALUE` or `--set COMPONENT.values.PATH=VALUE`",
        ));
    }
    let leaf = at(typed(path, value, &value_at)?, &value_at);
    let section = keys.into_iter().rev().fold(leaf, |below, key| Located {
        node: Node::Map(vec![Entry { key, key_span: place.clone(), value: below }]),
        span: value_at.clone(),
    });
    Ok(Setting { target, section })
}

fn split(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut escaped = false;
    for c in path.chars() {
        match (c, escaped) {
            ('\\', false) => escaped = true,
            ('.', false) => keys.push(String::new()),
            _ => {
                if let Some(key) = keys.last_mut() {
                    if escaped && c != '.' && c != '\\' {
                        key.push('\\');
                    }
                    key.push(c);
                }
                escaped = false;
            }
        }
    }
    keys
}

/// A value as YAML types it; text with a colon inside is still text.
fn typed(path: &str, value: &str, span: &Span) -> Result<Located, Problem> {
    let inline = value.starts_with(['[', '{', '"', '\'']);
    if !inline {
        return Ok(at(
            Located { node: crate::yaml::plain_scalar(value), span: span.clone() },
            span,
        ));
    }
    parse(&Source::new("--set", value))
        .map_err(|problem| Problem::error("set", format!("`--set {path}=…`: {}", problem.message)))
}

/// The tree with every value at one place.
fn at(tree: Located, span: &Span) -> Located {
    let node = match tree.node {
        Node::List(items) => Node::List(items.into_iter().map(|item| at(item, span)).collect()),
        Node::Map(entries) => Node::Map(
            entries
                .into_iter()
                .map(|entry| Entry {
                    key_span: span.clone(),
                    value: at(entry.value, span),
                    key: entry.key,
                })
                .collect(),
        ),
        plain @ (Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_)) => plain,
    };
    Located { node, span: span.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json(path: &str, value: &str) -> serde_json::Value {
        read(path, value).unwrap().section.to_json()
    }

    #[test]
    fn a_path_becomes_a_section_and_a_value_is_typed() {
        assert_eq!(read("kafka.replicas", "3").unwrap().target, "kafka");
        assert_eq!(json("kafka.replicas", "3"), json!({"replicas": 3}));
        assert_eq!(
            json("a.values.x.y", "[1, {z: b}]"),
            json!({"values": {"x": {"y": [1, {"z": "b"}]}}})
        );
        assert_eq!(json("a.b", "http://x:80"), json!({"b": "http://x:80"}));
        assert_eq!(json("a.b", "\"3\""), json!({"b": "3"}));
        assert_eq!(json("a.b", ""), json!({"b": null}));
        assert_eq!(json(r"a.values.k8s\.io/x", "y"), json!({"values": {"k8s.io/x": "y"}}));
    }

    #[test]
    fn a_setting_without_a_path_is_refused() {
        assert_eq!(read("kafka", "3").unwrap_err().code, "set");
        assert_eq!(read("a..b", "3").unwrap_err().code, "set");
        assert_eq!(read("a.b", "[1").unwrap_err().code, "set");
    }
}
