//! `${env.NAME}` and `${env.NAME:-default}` in the strings of flavour and target files; `$${` stands for `${`.

use std::collections::BTreeMap;

use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, plain_scalar};

/// Fills in the environment in every string of a tree. A value that is nothing but one variable, and not in quotes, is typed
/// as YAML would type it.
pub(super) fn substitute(
    tree: &Located,
    environment: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> Located {
    let node = match &tree.node {
        Node::Text(text) if text.contains("${") => {
            let filled = fill(text, &tree.span, environment, problems);
            if is_one_variable(text) && !is_quoted(&tree.span) {
                typed(filled)
            } else {
                Node::Text(filled)
            }
        }
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => tree.node.clone(),
        Node::List(items) => {
            Node::List(items.iter().map(|item| substitute(item, environment, problems)).collect())
        }
        Node::Map(entries) => Node::Map(
            entries
                .iter()
                .map(|entry| Entry {
                    value: substitute(&entry.value, environment, problems),
                    ..entry.clone()
                })
                .collect(),
        ),
    };
    Located { node, span: tree.span.clone() }
}

/// Text that YAML would read as a number or flag becomes one, if it can be written back as it was.
fn typed(text: String) -> Node {
    let node = plain_scalar(&text);
    let same = match &node {
        Node::Bool(flag) => flag.to_string() == text,
        Node::Number(number) => number.to_string() == text,
        Node::Null | Node::Text(_) | Node::List(_) | Node::Map(_) => false,
    };
    if same { node } else { Node::Text(text) }
}

fn is_one_variable(text: &str) -> bool {
    text.starts_with("${env.") && text.find('}') == Some(text.len() - 1)
}

fn is_quoted(span: &Span) -> bool {
    let rest = span.source.text.get(span.start..).unwrap_or_default();
    rest.starts_with(['"', '\'', '|', '>'])
}

fn fill(
    text: &str,
    at: &Span,
    environment: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("$${") {
            out.push_str("${");
            rest = after;
        } else if let Some(after) = from.strip_prefix("${env.") {
            let Some((inner, after)) = after.split_once('}') else {
                let message = format!("`{from}` lacks its `}}`");
                problems.push(Problem::error("variable", message).at(at));
                return out;
            };
            out.push_str(&value(inner, at, environment, problems));
            rest = after;
        } else {
            out.push('$');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

fn value(
    inner: &str,
    at: &Span,
    environment: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> String {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        let message = format!("`{name}` is no name of an environment variable");
        problems.push(Problem::error("variable", message).at(at));
        return String::new();
    }
    // As in a shell, `:-` also stands in for a variable that is empty.
    match (environment.get(name), default) {
        (Some(value), None) => value.clone(),
        (Some(value), Some(_)) if !value.is_empty() => value.clone(),
        (_, Some(default)) => default.to_owned(),
        (None, None) => {
            let message = format!("the environment variable `{name}` is not set");
            problems.push(
                Problem::error("variable", message)
                    .at(at)
                    .help(format!("set it, or give a default: `${{env.{name}:-…}}`")),
            );
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::{Source, parse};

    fn filled(text: &str) -> (serde_json::Value, Problems) {
        let tree = parse(&Source::new("flavours/x.yaml", text)).unwrap();
        let environment = [("N", "3"), ("ZERO", "007"), ("E", ""), ("USER", "ada")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        let mut problems = Problems::default();
        let tree = substitute(&tree, &environment.into(), &mut problems);
        (tree.to_json(), problems)
    }

    #[test]
    fn variables_defaults_and_escapes_are_filled_in() {
        let (json, problems) = filled(
            "a: x-${env.USER}-${env.NONE:-none}\nb: $${env.USER}\nc: ${HOST} $5\nd: '${env.E:-e}'\n",
        );
        assert!(problems.is_empty());
        assert_eq!(
            json,
            json!({"a": "x-ada-none", "b": "${env.USER}", "c": "${HOST} $5", "d": "e"})
        );
    }

    #[test]
    fn a_lone_variable_is_typed_unless_quoted_or_changed_by_it() {
        let (json, _) = filled("a: ${env.N}\nb: '${env.N}'\nc: ${env.ZERO}\nd: ${env.N}0\n");
        assert_eq!(json, json!({"a": 3, "b": "3", "c": "007", "d": "30"}));
    }

    #[test]
    fn an_unset_variable_names_itself_and_its_place() {
        let (_, problems) = filled("a: 1\nb: ${env.NOPE}\n");
        let all = problems.sorted();
        assert_eq!(all[0].at.as_ref().unwrap().line(), 2);
        assert!(all[0].message.contains("`NOPE`"));
    }
}
