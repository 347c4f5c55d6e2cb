//! `${env.NAME}` and `${env.NAME:-default}` in the strings of flavour and target files; `$${` stands for `${`.

use std::collections::BTreeMap;

use crate::yaml::{Entry, Located, Node, Problem, Problems, Span, plain_scalar};

/// Fills in the environment in every string of a section. A value that is nothing but one variable, and not in quotes, is typed
/// as YAML would type it. Any other `${…}` stays as it is and is told, but for the Helm values under `values:`: charts have
/// a use for it.
pub(super) fn substitute(
    section: &Located,
    environment: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> Located {
    let Node::Map(entries) = &section.node else { return filled(section, environment, problems) };
    let mut untold = Problems::default();
    let entries = entries.iter().map(|entry| {
        let problems = if entry.key == "values" { &mut untold } else { &mut *problems };
        Entry { value: filled(&entry.value, environment, problems), ..entry.clone() }
    });
    let node = Node::Map(entries.collect());
    problems.append(untold.without(UNKNOWN));
    Located { node, span: section.span.clone() }
}

/// The code of a `${…}` that means nothing here.
const UNKNOWN: &str = "unknown-variable";

fn filled(
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
            Node::List(items.iter().map(|item| filled(item, environment, problems)).collect())
        }
        Node::Map(entries) => Node::Map(
            entries
                .iter()
                .map(|entry| Entry {
                    value: filled(&entry.value, environment, problems),
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
            if let Some(after) = from.strip_prefix("${") {
                problems.push(unknown(after, at));
            }
            out.push('$');
            rest = from.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// What stands behind `${` and is no variable of the environment.
fn unknown(after: &str, at: &Span) -> Problem {
    let inner = after.split_once('}').map_or(after, |(inner, _)| inner);
    let is_name = !inner.is_empty() && inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let name = if is_name { inner } else { "NAME" };
    let message = format!("`${{{inner}}}` is no variable here and stays as it is");
    Problem::warning(UNKNOWN, message)
        .at(at)
        .help(format!("write `${{env.{name}}}`, or `$${{` for a literal `${{`"))
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
    use crate::yaml::{Severity, Source, parse};

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
        let sorted = problems.sorted();
        let [told] = sorted[..] else { panic!("{problems:?}") };
        assert_eq!((told.code, told.severity), ("unknown-variable", Severity::Warning));
        assert_eq!(told.at.as_ref().unwrap().line(), 3);
        assert_eq!(told.help.as_deref(), Some("write `${env.HOST}`, or `$${` for a literal `${`"));
        assert_eq!(
            json,
            json!({"a": "x-ada-none", "b": "${env.USER}", "c": "${HOST} $5", "d": "e"})
        );
    }

    #[test]
    fn what_charts_may_have_a_use_for_is_not_told() {
        let (json, problems) =
            filled("values: {a: '${HOST}', b: '${env.N}'}\nother: {values: '${x.y}'}\n");
        assert_eq!(json["values"], json!({"a": "${HOST}", "b": "3"}));
        let messages: Vec<_> = problems.sorted().iter().map(|p| p.message.clone()).collect();
        assert_eq!(messages, ["`${x.y}` is no variable here and stays as it is"]);
        assert_eq!(filled("values: {a: '${env.NOPE}'}\n").1.sorted()[0].code, "variable");
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
