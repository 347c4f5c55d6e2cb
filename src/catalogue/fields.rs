//! A strict reader of maps: every key that nobody asked for is a problem with a suggestion.

use std::time::Duration;

use crate::yaml::{Entry, Located, Node, Problem, Problems, Span};

/// A map that is being read.
pub(super) struct Fields<'a> {
    tree: &'a Located,
    what: &'static str,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Begins to read a map; anything else is a problem. `what` names it in messages: `a step`.
    pub(super) fn of(
        tree: &'a Located,
        what: &'static str,
        problems: &mut Problems,
    ) -> Option<Self> {
        match tree.node {
            Node::Map(_) => Some(Self { tree, what, asked: Vec::new() }),
            Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
                let message = format!("{what} is a map, and here stands {}", tree.kind());
                problems.push(Problem::error("not-a-map", message).at(&tree.span));
                None
            }
        }
    }

    /// Where the map stands.
    pub(super) fn at(&self) -> &'a Span {
        &self.tree.span
    }

    /// The value of a key, `null` included.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<&'a Located> {
        self.asked.push(key);
        self.tree.get(key)
    }

    /// The value of a key; `null` counts as nothing.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Located> {
        self.raw(key).filter(|value| !value.is_null())
    }

    /// The value of a key that must be there.
    pub(super) fn need(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<&'a Located> {
        let value = self.value(key);
        if value.is_none() {
            let message = format!("{} lacks `{key}`", self.what);
            problems.push(Problem::error("missing-key", message).at(self.at()));
        }
        value
    }

    /// Text.
    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        text_of(self.value(key)?, key, problems)
    }

    /// Text that must be there.
    pub(super) fn need_text(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<String> {
        text_of(self.need(key, problems)?, key, problems)
    }

    /// True or false; false when absent.
    pub(super) fn flag(&mut self, key: &'static str, problems: &mut Problems) -> bool {
        self.bool(key, problems).unwrap_or(false)
    }

    /// True or false.
    pub(super) fn bool(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let value = self.value(key)?;
        if let Node::Bool(flag) = value.node {
            return Some(flag);
        }
        wrong(value, key, "true or false", problems);
        None
    }

    /// A word of a closed set.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        word_of(self.value(key)?, key, words, problems)
    }

    /// A list of texts; a lone text counts as a list of one.
    pub(super) fn texts(&mut self, key: &'static str, problems: &mut Problems) -> Vec<String> {
        let Some(value) = self.value(key) else { return Vec::new() };
        if value.as_text().is_some() {
            return text_of(value, key, problems).into_iter().collect();
        }
        items_of(value, key, problems)
            .iter()
            .filter_map(|item| text_of(item, key, problems))
            .collect()
    }

    /// A list.
    pub(super) fn list(&mut self, key: &'static str, problems: &mut Problems) -> &'a [Located] {
        self.value(key).map_or(&[], |value| items_of(value, key, problems))
    }

    /// The entries of a map.
    pub(super) fn map(&mut self, key: &'static str, problems: &mut Problems) -> &'a [Entry] {
        let Some(value) = self.value(key) else { return &[] };
        if !matches!(value.node, Node::Map(_)) {
            wrong(value, key, "a map", problems);
        }
        value.entries()
    }

    /// A duration such as `10m`, or a number of seconds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Option<Duration> {
        let value = self.value(key)?;
        let found = duration_of(value);
        if found.is_none() {
            wrong(value, key, "a duration such as `10m` or `1h30m`", problems);
        }
        found
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        for entry in self.tree.entries() {
            if !self.asked.contains(&entry.key.as_str()) {
                let message = format!("{} has no key `{}`", self.what, entry.key);
                problems.push(
                    Problem::error("unknown-key", message)
                        .at_key(entry, [])
                        .suggest(&entry.key, self.asked.iter().copied()),
                );
            }
        }
    }
}

/// Text, or a number or flag as it is written.
pub(super) fn text_of(value: &Located, key: &str, problems: &mut Problems) -> Option<String> {
    match &value.node {
        Node::Text(text) => Some(text.clone()),
        Node::Number(number) => Some(number.to_string()),
        Node::Bool(flag) => Some(flag.to_string()),
        Node::Null | Node::List(_) | Node::Map(_) => {
            wrong(value, key, "text", problems);
            None
        }
    }
}

/// A word of a closed set.
pub(super) fn word_of<T: Copy>(
    value: &Located,
    key: &str,
    words: &[(&'static str, T)],
    problems: &mut Problems,
) -> Option<T> {
    let text = text_of(value, key, problems)?;
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let message = format!("`{key}` cannot be `{text}`");
        problems.push(
            Problem::error("unknown-word", message)
                .at(&value.span)
                .suggest(&text, words.iter().map(|(word, _)| *word)),
        );
    }
    found
}

fn items_of<'a>(value: &'a Located, key: &str, problems: &mut Problems) -> &'a [Located] {
    if !matches!(value.node, Node::List(_)) {
        wrong(value, key, "a list", problems);
    }
    value.items()
}

/// Reports a value of the wrong kind.
pub(super) fn wrong(value: &Located, key: &str, wanted: &str, problems: &mut Problems) {
    let message = format!("`{key}` is {wanted}, and here stands {}", value.kind());
    problems.push(Problem::error("wrong-type", message).at(&value.span));
}

/// A duration: `90s`, `10m`, `1h30m`, `2d`, or a whole number of seconds.
pub(super) fn duration_of(value: &Located) -> Option<Duration> {
    match &value.node {
        Node::Number(number) => number.as_u64().map(Duration::from_secs),
        Node::Text(text) => duration_from(text),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => None,
    }
}

/// Reads `1h30m`, `90s`, `500ms`, `2d`.
pub(super) fn duration_from(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let unit = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        total = total.checked_add(match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        })?;
        rest = after;
    }
    Some(total)
}

/// Reads a key that can only be true; `so` says what is always so.
pub(super) fn always(
    fields: &mut Fields<'_>,
    key: &'static str,
    so: &str,
    problems: &mut Problems,
) {
    let Some(value) = fields.raw(key).filter(|value| matches!(value.node, Node::Bool(false)))
    else {
        return;
    };
    let message = format!("`{key}: false` has no effect: {so} in any case");
    problems.push(Problem::warning("no-effect", message).at(&value.span).help("remove it"));
}
