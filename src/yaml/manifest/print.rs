//! Manifests as text that every reader of YAML, old or new, understands the same way.

use serde_json::Value as Json;

use super::manifests;
use super::scalar::plain_scalar;

/// Documents as one text that every reader of YAML, old or new, understands the same way.
pub fn print_manifests<'a>(documents: impl IntoIterator<Item = &'a Json>) -> String {
    let mut text = String::new();
    for document in documents {
        text.push_str("---\n");
        let mut block = String::new();
        print(document, 0, &mut block);
        let block = block.trim_start_matches('\n');
        match manifests(block) {
            Ok(back) if back.as_slice() == std::slice::from_ref(document) => text.push_str(block),
            // JSON is YAML about which nobody can be in doubt.
            Ok(_) | Err(_) => {
                text.push_str(&document.to_string());
                text.push('\n');
            }
        }
    }
    text
}

/// Prints a value behind a key or a dash: on the same line, or on lines of its own.
fn print(value: &Json, indent: usize, into: &mut String) {
    match value {
        Json::Object(map) if !map.is_empty() => {
            into.push('\n');
            for (key, value) in map {
                indented(into, indent, &scalar(key));
                into.push(':');
                // As kubectl does, lists stand below their key without further indentation.
                let deeper = if value.is_array() { indent } else { indent + 2 };
                print(value, deeper, into);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            into.push('\n');
            for item in items {
                let mut inner = String::new();
                print(item, indent + 2, &mut inner);
                // The first line of a map stands behind the dash.
                let inner = match inner.strip_prefix('\n') {
                    Some(lines) if item.is_object() => format!(" {}", lines.trim_start()),
                    Some(_) | None => inner,
                };
                indented(into, indent, "-");
                into.push_str(&inner);
            }
        }
        Json::String(text) => match literal(text, indent) {
            Some(block) => into.push_str(&block),
            None => into.extend([" ", &scalar(text), "\n"]),
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => {
            into.extend([" ", &value.to_string(), "\n"]);
        }
    }
}

fn indented(into: &mut String, indent: usize, text: &str) {
    into.extend(std::iter::repeat_n(' ', indent));
    into.push_str(text);
}

/// A text of several lines as a literal block, when it has nothing that a block cannot hold.
fn literal(text: &str, indent: usize) -> Option<String> {
    let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
    let plain = |line: &&str| {
        !line.ends_with([' ', '\t']) && !line.chars().any(|c| c.is_control() && c != '\t')
    };
    let first = lines.first().filter(|line| !line.is_empty() && !line.starts_with([' ', '\t']))?;
    if lines.len() < 2
        || first.starts_with('#')
        || !lines.iter().all(plain)
        || text.ends_with("\n\n")
    {
        return None;
    }
    let mut block = String::from(if text.ends_with('\n') { " |\n" } else { " |-\n" });
    for line in lines {
        if !line.is_empty() {
            indented(&mut block, indent, line);
        }
        block.push('\n');
    }
    Some(block)
}

/// A text on one line: as it is when nobody could take it for anything else, quoted otherwise.
fn scalar(text: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/')
        && text.chars().all(safe)
        && plain_scalar(text).is_string();
    if plain { text.into() } else { Json::from(text).to_string() }
}
