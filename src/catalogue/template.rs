//! `${…}` in text: only syntax; what a path means is the business of `scope`.

use crate::yaml::{Located, Node};

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands.
    Text(String),
    /// `${path}`, or `${path?}` when it may be absent.
    Path { path: String, optional: bool },
}

/// Splits a text at its `${…}`; `$${` stands for `${`.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            plain.push_str(before);
            plain.push_str("${");
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        plain.push_str(before);
        let inside = from.get(2..).unwrap_or_default();
        let end = inside.find('}').ok_or("`${` is not closed by `}`")?;
        let (path, after) = inside.split_at(end);
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(path_part(path)?);
        rest = after.get(1..).unwrap_or_default();
    }
    plain.push_str(rest);
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn path_part(text: &str) -> Result<Part, String> {
    let (path, optional) = text.strip_suffix('?').map_or((text, false), |path| (path, true));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let well_formed = !path.is_empty()
        && path.chars().all(plain)
        && !path.starts_with('.')
        && !path.ends_with('.')
        && !path.contains("..");
    if well_formed {
        Ok(Part::Path { path: path.to_owned(), optional })
    } else {
        Err(format!("`${{{text}}}` is no path such as `${{param.size}}`; `$${{` writes `${{`"))
    }
}

/// Whether a path leads to what the platform wires: secrets, claims, what others provide.
fn is_wiring(path: &str) -> bool {
    matches!(path.split('.').next(), Some("secret" | "claim" | "use" | "from"))
}

/// Whether a value mentions what the platform wires anywhere.
pub(super) fn mentions_wiring(tree: &Located) -> bool {
    mentions(tree, &is_wiring)
}

/// Whether a value mentions a path of interest anywhere.
pub(super) fn mentions(tree: &Located, of_interest: &dyn Fn(&str) -> bool) -> bool {
    match &tree.node {
        Node::Text(text) => parse(text).is_ok_and(|parts| {
            parts.iter().any(|part| match part {
                Part::Text(_) => false,
                Part::Path { path, .. } => of_interest(path),
            })
        }),
        Node::List(items) => items.iter().any(|item| mentions(item, of_interest)),
        Node::Map(entries) => entries.iter().any(|entry| mentions(&entry.value, of_interest)),
        Node::Null | Node::Bool(_) | Node::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn path(path: &str, optional: bool) -> Part {
        Part::Path { path: path.to_owned(), optional }
    }

    #[test]
    fn a_text_splits_at_its_paths() {
        let table = [
            ("", vec![text("")]),
            ("plain $x {y}", vec![text("plain $x {y}")]),
            ("${param.size}", vec![path("param.size", false)]),
            ("a-${use.x.url?}/b", vec![text("a-"), path("use.x.url", true), text("/b")]),
            ("$${not.this} ${self.name}", vec![text("${not.this} "), path("self.name", false)]),
            ("${a.b}${c.d}", vec![path("a.b", false), path("c.d", false)]),
            ("é${a.b}é", vec![text("é"), path("a.b", false), text("é")]),
        ];
        for (given, parts) in table {
            assert_eq!(parse(given), Ok(parts), "{given}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for given in
            ["${", "${a.b", "${}", "${?}", "${a b}", "${a..b}", "${.a}", "${a.}", "${a ? b : c}"]
        {
            assert!(parse(given).is_err(), "{given}");
        }
    }
}
