//! Text to located trees, by the events of the parser that kube and serde-saphyr use: exact places, duplicate keys found,
//! aliases bounded.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's event enum is open: what it may add later is refused like what does not belong here"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle};

use super::{Entry, Located, Node, Problem, Source, Span};

/// More nodes than any real file has; an alias bomb has more.
const MOST_NODES: usize = 100_000;
/// Deeper than any real file is.
const MOST_DEPTH: usize = 100;

/// Parses a file with one document; an empty file is `Null`.
pub fn parse(source: &Arc<Source>) -> Result<Located, Problem> {
    let mut documents = parse_all(source)?;
    match documents.len() {
        0 => Ok(Located { node: Node::Null, span: place(source, 0, 0) }),
        1 => Ok(documents.remove(0)),
        _ => {
            let second = documents.remove(1);
            Err(Problem::error("several-documents", "the file holds more than one YAML document")
                .at(&second.span)
                .label("the second begins here")
                .help("split the file, or remove the line `---`"))
        }
    }
}

/// Parses a file with any number of documents.
pub fn parse_all(source: &Arc<Source>) -> Result<Vec<Located>, Problem> {
    let documents = documents(source);
    // Without a tab at the beginning of a line, which is the rule, the tree is not walked.
    let mut tabs = tab_indentations(&source.text).peekable();
    if tabs.peek().is_none() {
        return documents;
    }
    match documents {
        Ok(documents) => match tabs.find(|at| !documents.iter().any(|d| is_quoted_at(d, *at))) {
            Some(at) => Err(tab_problem(source, at)),
            None => Ok(documents),
        },
        Err(problem) => {
            // The parser's own message for a tab speaks of characters that cannot start a token.
            let line = problem.at.as_ref().map_or(0, Span::line);
            let near = |at: &usize| place(source, *at, *at).line().abs_diff(line) <= 1;
            Err(tabs.find(near).map_or(problem, |at| tab_problem(source, at)))
        }
    }
}

fn documents(source: &Arc<Source>) -> Result<Vec<Located>, Problem> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut builder = Builder { source, anchors: BTreeMap::new(), nodes: 0 };
    let mut parser = Parser::new_from_str_with_options(&source.text, options);
    let mut documents = Vec::new();
    loop {
        let Some(next) = parser.next_event() else { return Ok(documents) };
        let (event, span) = next.map_err(|error| builder.scan_problem(&error))?;
        match event {
            Event::StreamEnd => return Ok(documents),
            Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(..) => builder.anchors.clear(),
            node => {
                let located = builder.node(&mut parser, node, span, 0)?;
                documents.push(located);
            }
        }
    }
}

fn place(source: &Arc<Source>, start: usize, end: usize) -> Span {
    Span { source: Arc::clone(source), start, end }
}

fn tab_problem(source: &Arc<Source>, at: usize) -> Problem {
    Problem::error("tab", "a tab indents this line, and YAML takes blanks only")
        .at(&place(source, at, at + 1))
        .label("a tab")
        .help("replace the tab by blanks")
}

/// The bytes of tabs in the indentation of lines that look like keys or items.
fn tab_indentations(text: &str) -> impl Iterator<Item = usize> {
    let mut offset = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = offset;
        offset += line.len();
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        let rest = line.get(indentation..).unwrap_or_default().trim_end();
        let tab = line.get(..indentation).and_then(|lead| lead.find('\t'))?;
        let looks = rest.starts_with("- ") || rest.ends_with(':') || rest.contains(": ");
        looks.then_some(start + tab)
    })
}

/// Whether a byte lies in quoted or block text, where tabs are text.
fn is_quoted_at(tree: &Located, at: usize) -> bool {
    let inside = |span: &Span| (span.start..span.end).contains(&at);
    match &tree.node {
        Node::Text(_) => {
            let text = &tree.span.source.text;
            let before = text.get(..tree.span.start).unwrap_or_default();
            let written = text.get(tree.span.start..).unwrap_or_default();
            // Block text begins behind the line that ends with `|` or `>`.
            let header = before.trim_end().lines().next_back().unwrap_or_default();
            let header = header.split(" #").next().unwrap_or_default();
            let is_block = header
                .split_whitespace()
                .next_back()
                .is_some_and(|last| last.starts_with(['|', '>']));
            inside(&tree.span) && (is_block || written.starts_with(['"', '\'']))
        }
        Node::List(items) => items.iter().any(|item| is_quoted_at(item, at)),
        Node::Map(entries) => entries.iter().any(|entry| is_quoted_at(&entry.value, at)),
        Node::Null | Node::Bool(_) | Node::Number(_) => false,
    }
}

struct Builder<'s> {
    source: &'s Arc<Source>,
    anchors: BTreeMap<usize, Located>,
    nodes: usize,
}

impl Builder<'_> {
    fn span(&self, span: granit_parser::Span) -> Span {
        let byte = |marker: Marker| {
            marker.byte_offset().unwrap_or_else(|| {
                self.source
                    .text
                    .char_indices()
                    .nth(marker.index())
                    .map_or(self.source.text.len(), |(at, _)| at)
            })
        };
        let (start, end) = (byte(span.start), byte(span.end));
        place(self.source, start, end.max(start))
    }

    fn scan_problem(&self, error: &granit_parser::ScanError) -> Problem {
        let marker = *error.marker();
        let at = self.span(granit_parser::Span::new(marker, marker));
        Problem::error("yaml", error.info()).at(&at)
    }

    fn count(&mut self, by: usize, at: &Span) -> Result<(), Problem> {
        self.nodes += by;
        if self.nodes > MOST_NODES {
            let message = format!(
                "the file grows to more than {MOST_NODES} values when its aliases are followed"
            );
            return Err(Problem::error("alias-bomb", message).at(at).help("write the values out"));
        }
        Ok(())
    }

    fn node<'i, T: granit_parser::BorrowedInput<'i>>(
        &mut self,
        parser: &mut Parser<'i, T>,
        event: Event<'i>,
        span: granit_parser::Span,
        depth: usize,
    ) -> Result<Located, Problem> {
        let at = self.span(span);
        self.count(1, &at)?;
        if depth > MOST_DEPTH {
            let message = format!("values are nested more than {MOST_DEPTH} deep");
            return Err(Problem::error("nesting", message).at(&at));
        }
        let (located, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = tag.as_ref().and_then(|t| t.core_suffix()) == Some("str");
                let plain = style == ScalarStyle::Plain && !text_tag;
                let node = if plain { plain_scalar(&text) } else { Node::Text(text.into_owned()) };
                (Located { node, span: at }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(parser, at, depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map(parser, at, depth)?, anchor),
            Event::Alias(id) => {
                let target = self.anchors.get(&id).cloned().ok_or_else(|| {
                    Problem::error("yaml", "an alias inside the value it stands for").at(&at)
                })?;
                self.count(size(&target), &at)?;
                return Ok(target);
            }
            other => {
                let message = format!("the parser gave {other:?} where a value belongs");
                return Err(Problem::error("yaml", message).at(&at));
            }
        };
        if anchor != 0 {
            self.anchors.insert(anchor, located.clone());
        }
        Ok(located)
    }

    fn next<'i, T: granit_parser::BorrowedInput<'i>>(
        &self,
        parser: &mut Parser<'i, T>,
        at: &Span,
    ) -> Result<(Event<'i>, granit_parser::Span), Problem> {
        match parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.scan_problem(&error)),
            None => Err(Problem::error("yaml", "the file ends within a value").at(at)),
        }
    }

    fn list<'i, T: granit_parser::BorrowedInput<'i>>(
        &mut self,
        parser: &mut Parser<'i, T>,
        at: Span,
        depth: usize,
    ) -> Result<Located, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next(parser, &at)?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Located { node: Node::List(items), span: at });
            }
            items.push(self.node(parser, event, span, depth + 1)?);
        }
    }

    fn map<'i, T: granit_parser::BorrowedInput<'i>>(
        &mut self,
        parser: &mut Parser<'i, T>,
        at: Span,
        depth: usize,
    ) -> Result<Located, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Located> = Vec::new();
        loop {
            let (event, span) = self.next(parser, &at)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.node(parser, event, span, depth + 1)?;
            let (event, span) = self.next(parser, &at)?;
            let value = self.node(parser, event, span, depth + 1)?;
            let text = key_text(&key)?;
            if text == "<<" {
                merged.push(value);
                continue;
            }
            if let Some(first) = entries.iter().find(|entry| entry.key == text) {
                let line = first.key_span.line();
                return Err(Problem::error("duplicate-key", format!("`{text}` stands here twice"))
                    .at(&key.span)
                    .label(format!("already on line {line}"))
                    .help("keep one of the two"));
            }
            entries.push(Entry { key: text, key_span: key.span, value });
        }
        for below in merged {
            add_merged(&mut entries, &below)?;
        }
        Ok(Located { node: Node::Map(entries), span: at })
    }
}

/// Adds what `<<:` brings: a map or a list of maps, own keys first.
fn add_merged(entries: &mut Vec<Entry>, below: &Located) -> Result<(), Problem> {
    match &below.node {
        Node::Map(more) => {
            for entry in more {
                if !entries.iter().any(|known| known.key == entry.key) {
                    entries.push(entry.clone());
                }
            }
            Ok(())
        }
        Node::List(maps) => maps.iter().try_for_each(|map| add_merged(entries, map)),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {
            Err(Problem::error("merge-key", "`<<` takes a map or a list of maps").at(&below.span))
        }
    }
}

fn key_text(key: &Located) -> Result<String, Problem> {
    match &key.node {
        Node::Text(text) => Ok(text.clone()),
        Node::Bool(b) => Ok(b.to_string()),
        Node::Number(n) => Ok(n.to_string()),
        Node::Null => Ok("null".to_owned()),
        Node::List(_) | Node::Map(_) => {
            Err(Problem::error("key", "a key is text, not a list or a map").at(&key.span))
        }
    }
}

fn size(located: &Located) -> usize {
    1 + located.items().iter().map(size).sum::<usize>()
        + located.entries().iter().map(|entry| size(&entry.value)).sum::<usize>()
}

/// A text that stands without quotes, as YAML types it: the core schema of YAML 1.2, which kubectl and Helm's users expect but for `yes` and `no`, which stay text.
pub fn plain_scalar(text: &str) -> Node {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Node::Null,
        "true" | "True" | "TRUE" => Node::Bool(true),
        "false" | "False" | "FALSE" => Node::Bool(false),
        _ => number(text).map_or_else(|| Node::Text(text.to_owned()), Node::Number),
    }
}

fn number(text: &str) -> Option<serde_json::Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Ok(whole) = unsigned.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = unsigned.parse::<u64>() {
        return Some(whole.into());
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = unsigned.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok().map(Into::into);
        }
    }
    let decimal =
        unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '-' | '+'));
    if decimal && unsigned.contains(|c: char| c.is_ascii_digit()) {
        return unsigned.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Located {
        parse(&Source::new("test.yaml", text)).unwrap()
    }

    fn problem(text: &str) -> Problem {
        parse(&Source::new("test.yaml", text)).unwrap_err()
    }

    #[test]
    fn every_value_knows_its_line() {
        let tree = tree("a: 1\nb:\n  - x\n  - {c: yes, d: null}\n");
        let item = &tree.get("b").unwrap().items()[1];
        assert_eq!(item.get("c").unwrap().as_text(), Some("yes"));
        assert_eq!(item.get("c").unwrap().span.line(), 4);
        assert!(item.get("d").unwrap().is_null());
        assert_eq!(
            tree.to_json(),
            serde_json::json!({"a": 1, "b": ["x", {"c": "yes", "d": null}]})
        );
    }

    #[test]
    fn a_duplicate_key_names_both_lines() {
        let problem = problem("a: 1\nb: 2\na: 3\n");
        assert_eq!(problem.code, "duplicate-key");
        assert_eq!(problem.at.unwrap().line(), 3);
        assert!(problem.label.contains("line 1"));
    }

    #[test]
    fn a_tab_is_named() {
        assert_eq!(problem("a:\n\tb: 1\n").code, "tab");
        assert_eq!(problem("a:\n  b: 1\n\tc: 2\n").at.unwrap().line(), 3);
        assert_eq!(problem("a:\n  - b\n\t- c: 2\n").code, "tab");
        for text in [
            "a: |\n  x\ty\n",
            "a: |\n  \tx: y\n  \t- z\n",
            "a: >\n  \tx:\nb: 1\n",
            "a: \"b\n \tc: d\"\n",
        ] {
            assert!(tree(text).get("a").is_some(), "{text}");
        }
    }

    #[test]
    fn an_alias_bomb_is_stopped() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            text = format!("{text}a{level}: &a{level} [{below}]\n");
        }
        assert_eq!(problem(&text).code, "alias-bomb");
    }

    #[test]
    fn merge_keys_and_quotes_do_what_yaml_says() {
        let tree = tree(
            "base: &b {x: 1, y: 2}\nd: {<<: *b, y: 3}\nq: '1'\nv: 0.8-de79a04\nf: 1.5\nn: 1e3\n",
        );
        assert_eq!(tree.get("d").unwrap().to_json(), serde_json::json!({"y": 3, "x": 1}));
        assert_eq!(tree.get("q").unwrap().as_text(), Some("1"));
        assert_eq!(tree.get("v").unwrap().as_text(), Some("0.8-de79a04"));
        assert_eq!(tree.get("f").unwrap().to_json(), serde_json::json!(1.5));
    }

    #[test]
    fn places_count_bytes_and_line_ends_of_windows_and_marks_of_editors_are_fine() {
        let text = "\u{feff}naïve: é\r\nb: {c: ü, d: \"x\"}\r\n";
        let tree = tree(text);
        let at = |value: &Located| text[value.span.start..value.span.end].to_owned();
        assert_eq!(tree.entries()[0].key, "naïve");
        assert_eq!(at(&tree.entries()[0].value), "é");
        let inner = tree.get("b").unwrap();
        assert_eq!(at(inner.get("c").unwrap()), "ü");
        assert_eq!(at(inner.get("d").unwrap()), "\"x\"");
        assert_eq!(inner.get("d").unwrap().span.line(), 2);
    }

    #[test]
    fn an_empty_file_is_null_and_a_second_document_is_refused() {
        assert!(tree("").is_null());
        assert!(tree("# nothing\n").is_null());
        assert_eq!(problem("a: 1\n---\nb: 2\n").code, "several-documents");
    }
}
