//! Kubernetes manifests: many documents in one text, read as Helm and kubectl read them. Their YAML is older than that of the
//! files users write for us: a plain `yes` is true, a plain `0644` is octal, and of a key given twice the last one counts.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's event enum is open: what it may add later is refused like what does not belong here"
)]

mod print;
mod scalar;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use granit_parser::{Event, Options, Parser, ScalarStyle};
use serde_json::{Map, Value as Json};

pub use self::print::print_manifests;
use self::scalar::{key_text, plain_scalar};

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
