//! Kubernetes manifests: many documents in one text, read as Helm and kubectl read them. Their YAML is older than that of the
//! files users write for us: a plain `yes` is true, a plain `0644` is octal, and of a key given twice the last one counts.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's event enum is open: what it may add later is refused like what does not belong here"
)]

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle};
use serde_json::{Map, Number, Value as Json};

/// More values than the largest chart renders; aliases that grow beyond are refused.
const MOST_NODES: usize = 2_000_000;
/// Deeper than any object is.
const MOST_DEPTH: usize = 200;

/// A text that is no YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {says}")]
pub struct ManifestError {
    /// The line, from 1; 0 when unknown.
    pub line: usize,
    /// What is wrong.
    pub says: String,
}

/// The documents of a manifest, empty ones left out.
pub fn manifests(text: &str) -> Result<Vec<Json>, ManifestError> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { anchors: BTreeMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| scan_error(&error))?;
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(..) => reader.anchors.clear(),
            node => {
                let value = reader.node(&mut parser, node, span, 0)?;
                if !value.is_null() {
                    documents.push(value);
                }
            }
        }
    }
    Ok(documents)
}

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

fn scan_error(error: &granit_parser::ScanError) -> ManifestError {
    ManifestError { line: error.marker().line(), says: error.info() }
}

struct Reader {
    anchors: BTreeMap<usize, Json>,
    nodes: usize,
}

impl Reader {
    fn count(&mut self, by: usize, line: usize) -> Result<(), ManifestError> {
        self.nodes += by;
        if self.nodes > MOST_NODES {
            let says = format!("grows to more than {MOST_NODES} values");
            return Err(ManifestError { line, says });
        }
        Ok(())
    }

    fn node<'i, T: granit_parser::BorrowedInput<'i>>(
        &mut self,
        parser: &mut Parser<'i, T>,
        event: Event<'i>,
        span: granit_parser::Span,
        depth: usize,
    ) -> Result<Json, ManifestError> {
        let line = span.start.line();
        self.count(1, line)?;
        if depth > MOST_DEPTH {
            let says = format!("nested more than {MOST_DEPTH} deep");
            return Err(ManifestError { line, says });
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_ref().and_then(|tag| tag.core_suffix()).map(String::from);
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let resolved = if plain || tag.as_deref().is_some_and(|tag| tag != "str") {
                    plain_scalar(&text)
                } else {
                    Json::String(text.into_owned())
                };
                (resolved, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, span) = next(parser, line)?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(parser, event, span, depth + 1)?);
                }
                (Json::Array(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => (self.map(parser, line, depth)?, anchor),
            Event::Alias(id) => {
                let target = self.anchors.get(&id).cloned().ok_or_else(|| ManifestError {
                    line,
                    says: "an alias inside the value it stands for".to_owned(),
                })?;
                self.count(size(&target), line)?;
                return Ok(target);
            }
            other => {
                let says = format!("the parser gave {other:?} where a value belongs");
                return Err(ManifestError { line, says });
            }
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn map<'i, T: granit_parser::BorrowedInput<'i>>(
        &mut self,
        parser: &mut Parser<'i, T>,
        line: usize,
        depth: usize,
    ) -> Result<Json, ManifestError> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = next(parser, line)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key_line = span.start.line();
            let key = match &event {
                // A key is its text, whatever a value written the same way would be.
                Event::Scalar(text, style, 0, None) if *style == ScalarStyle::Plain => {
                    key_text(text)
                }
                _ => match self.node(parser, event, span, depth + 1)? {
                    Json::String(text) => text,
                    other @ (Json::Null | Json::Bool(_) | Json::Number(_)) => other.to_string(),
                    Json::Array(_) | Json::Object(_) => {
                        let says = "a key is text, not a list or a map".to_owned();
                        return Err(ManifestError { line: key_line, says });
                    }
                },
            };
            let (event, span) = next(parser, line)?;
            let value = self.node(parser, event, span, depth + 1)?;
            if key == "<<" {
                merged.push(value);
            } else {
                map.insert(key, value);
            }
        }
        for below in merged {
            add_merged(&mut map, below);
        }
        Ok(Json::Object(map))
    }
}

fn next<'i, T: granit_parser::BorrowedInput<'i>>(
    parser: &mut Parser<'i, T>,
    line: usize,
) -> Result<(Event<'i>, granit_parser::Span), ManifestError> {
    match parser.next_event() {
        Some(Ok(next)) => Ok(next),
        Some(Err(error)) => Err(scan_error(&error)),
        None => Err(ManifestError { line, says: "the text ends within a value".to_owned() }),
    }
}

/// Adds what `<<:` brings: a map or a list of maps, own keys first. Anything else is left out, as Helm does.
fn add_merged(map: &mut Map<String, Json>, below: Json) {
    match below {
        Json::Object(more) => {
            for (key, value) in more {
                map.entry(key).or_insert(value);
            }
        }
        Json::Array(maps) => maps.into_iter().for_each(|one| add_merged(map, one)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn size(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Json::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 1,
    }
}

/// A plain key as Go's conversion to JSON writes it: numbers and truth values in their one form, the rest as it is.
fn key_text(text: &str) -> String {
    match plain_scalar(text) {
        Json::Bool(b) => b.to_string(),
        Json::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Json::Number(_) | Json::Null | Json::String(_) | Json::Array(_) | Json::Object(_) => {
            text.to_owned()
        }
    }
}

/// Resolves an unquoted scalar by the rules of the Go library that Helm, kubectl and the API server use (YAML 1.1 without
/// base 60).
fn plain_scalar(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Json::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Json::Bool(false)
        }
        _ => number(text).map_or_else(|| Json::String(text.to_owned()), Json::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix(['-', '+']) {
        Some(rest) => (plain.starts_with('-'), rest),
        None => (false, plain.as_str()),
    };
    if let Some(whole) = whole(digits) {
        return match (negative, i64::try_from(whole)) {
            (false, _) => Some(whole.into()),
            (true, Ok(whole)) => Some((-whole).into()),
            (true, Err(_)) => None,
        };
    }
    let decimal = !digits.is_empty()
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'))
        && digits.contains(|c: char| c.is_ascii_digit());
    // A decimal number that is whole is written as such, as Go's JSON does.
    let value = decimal.then(|| plain.parse::<f64>().ok())??;
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}").parse::<i64>().ok().map(Into::into);
    }
    Number::from_f64(value)
}

/// Go's `ParseUint` with base 0: a leading zero means octal.
fn whole(digits: &str) -> Option<u64> {
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = lower.strip_prefix(prefix) {
            return u64::from_str_radix(rest, radix).ok();
        }
    }
    match lower.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => u64::from_str_radix(rest, 8).ok(),
        Some(_) | None => lower.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_read_as_helm_reads_them() {
        let text = "---\n# nothing\n---\na: yes\nb: 'yes'\nc: 0644\nd: 1.0\ne: 012x\nf: !!str 5\n---\na: 1\na: 2\n";
        assert_eq!(
            manifests(text).unwrap(),
            [
                json!({"a": true, "b": "yes", "c": 420, "d": 1, "e": "012x", "f": "5"}),
                json!({"a": 2})
            ]
        );
    }

    #[test]
    fn anchors_and_merge_keys_are_written_out() {
        let text = "base: &b {x: 1, z: 2}\nd: {<<: *b, z: 3}\nl: [*b]\n";
        let read = manifests(text).unwrap();
        assert_eq!(read[0]["d"], json!({"x": 1, "z": 3}));
        assert_eq!(read[0]["l"], json!([{"x": 1, "z": 2}]));
    }

    #[test]
    fn texts_that_look_like_something_else_stay_texts() {
        let words = vec![
            "yes",
            "no",
            "on",
            "y",
            "n",
            "null",
            "~",
            "",
            "true",
            "0644",
            "0x1F",
            "1_000",
            "1e3",
            "1.0",
            ".5",
            "-1",
            "+1",
            "0b11",
            "0o7",
            ".inf",
            "2001-01-01",
            "12:30:45",
            "<<",
            "=",
            "- a",
            "a: b",
            "#c",
            "a\nb\n",
            " lead",
            "trail ",
            "é",
            "\t",
            "@x",
            "*x",
            "&x",
            "!x",
        ];
        let document = json!({"words": words, "map": words.iter().map(|w| (format!("k{w}"), *w)).collect::<BTreeMap<_, _>>(), "n": 5, "f": 1.5, "big": u64::MAX});
        let printed = print_manifests([&document]);
        assert!(!printed.contains("---\n{"), "{printed}");
        assert_eq!(manifests(&printed).unwrap(), [document], "{printed}");
    }

    #[test]
    fn documents_print_as_people_write_them() {
        let document = json!({"kind": "Job", "spec": {"list": [{"a": "x", "b": {"c": [1, [2]]}}, "no", []], "empty": {}, "text": "a: b\n\n  c\n"}});
        let text = "---\nkind: Job\nspec:\n  empty: {}\n  list:\n  - a: x\n    b:\n      c:\n      - 1\n      -\n        - 2\n  - \"no\"\n  - []\n  \
                    text: |\n    a: b\n\n      c\n";
        assert_eq!(print_manifests([&document]), text);
        assert_eq!(manifests(text).unwrap(), [document]);
    }

    #[test]
    fn an_error_names_the_line() {
        let error = manifests("a: 1\nb: [1\nc: 2\n").unwrap_err();
        assert!(error.line >= 2, "{error}");
    }
}
