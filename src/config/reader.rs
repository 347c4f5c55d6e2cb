//! Reads maps with fixed keys: each value by its type, each key that nobody asked for reported with a suggestion.

use std::collections::BTreeMap;

use crate::yaml::{Entry, Located, Node, Problem, Problems, Span};

/// A map that is being read.
pub(super) struct Reader<'a> {
    tree: &'a Located,
    title: String,
    asked: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Begins to read a map; nothing counts as an empty one, anything else is a problem. `title` names it in messages.
    pub(super) fn of(
        tree: &'a Located,
        title: impl Into<String>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let title = title.into();
        if matches!(tree.node, Node::Map(_) | Node::Null) {
            return Some(Self { tree, title, asked: Vec::new() });
        }
        let message = format!("`{title}` is a map of settings, and here stands {}", tree.kind());
        problems.push(Problem::error("not-a-map", message).at(&tree.span));
        None
    }

    /// Where the map stands.
    pub(super) fn at(&self) -> &'a Span {
        &self.tree.span
    }

    /// The value of a key; `null` counts as nothing.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'a Located> {
        self.asked.push(key);
        self.tree.get(key).filter(|value| !value.is_null())
    }

    /// Text; a number or flag counts as it is written.
    pub(super) fn text(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let value = self.value(key)?;
        let text = text_of(value);
        if text.is_none() {
            self.wrong(key, value, "text", problems);
        }
        text
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        let value = self.value(key)?;
        let flag = flag_of(value);
        if flag.is_none() {
            self.wrong(key, value, "true or false", problems);
        }
        flag
    }

    /// A whole number from `least` to `most`.
    pub(super) fn whole(
        &mut self,
        key: &'static str,
        least: u64,
        most: u64,
        problems: &mut Problems,
    ) -> Option<u64> {
        let value = self.value(key)?;
        let number = whole_of(value).filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let wanted = format!("a whole number from {least} to {most}");
            self.wrong(key, value, &wanted, problems);
        }
        number
    }

    /// A word of a closed set.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        problems: &mut Problems,
    ) -> Option<T> {
        let value = self.value(key)?;
        let Some(text) = text_of(value) else {
            self.wrong(key, value, "text", problems);
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            problems.push(
                Problem::error("wrong-value", format!("`{}.{key}` cannot be `{text}`", self.title))
                    .at(&value.span)
                    .suggest(&text, words.iter().map(|(word, _)| *word)),
            );
        }
        found
    }

    /// A list of texts; a lone text is split at commas and blanks.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> Vec<(String, Span)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let (words, all_text) = words_of(value);
        if !all_text {
            self.wrong(key, value, "a list of names", problems);
        }
        words
    }

    /// A map of texts.
    pub(super) fn text_map(
        &mut self,
        key: &'static str,
        problems: &mut Problems,
    ) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for entry in self.map(key, problems) {
            match text_of(&entry.value) {
                Some(text) => drop(found.insert(entry.key.clone(), text)),
                None => self.wrong(&format!("{key}.{}", entry.key), &entry.value, "text", problems),
            }
        }
        found
    }

    /// The entries of a map.
    pub(super) fn map(&mut self, key: &'static str, problems: &mut Problems) -> &'a [Entry] {
        let Some(value) = self.value(key) else { return &[] };
        if !matches!(value.node, Node::Map(_)) {
            self.wrong(key, value, "a map", problems);
        }
        value.entries()
    }

    /// The items of a list.
    pub(super) fn list(&mut self, key: &'static str, problems: &mut Problems) -> &'a [Located] {
        let Some(value) = self.value(key) else { return &[] };
        if !matches!(value.node, Node::List(_)) {
            self.wrong(key, value, "a list", problems);
        }
        value.items()
    }

    /// Reports a value of the wrong kind.
    pub(super) fn wrong(&self, key: &str, value: &Located, wanted: &str, problems: &mut Problems) {
        let message =
            format!("`{}.{key}` is {wanted}, and here stands {}", self.title, seen(value));
        problems.push(Problem::error("wrong-type", message).at(&value.span));
    }

    /// Reports the keys that nobody asked for.
    pub(super) fn finish(self, problems: &mut Problems) {
        for entry in self.tree.entries() {
            if !self.asked.contains(&entry.key.as_str()) {
                problems.push(
                    Problem::error(
                        "unknown-key",
                        format!("`{}` has no key `{}`", self.title, entry.key),
                    )
                    .at_key(entry, [])
                    .label("unknown key")
                    .suggest(&entry.key, self.asked.iter().copied()),
                );
            }
        }
    }
}

/// What stands there, in words; a short value itself.
pub(super) fn seen(value: &Located) -> String {
    match &value.node {
        Node::Text(text) if text.len() <= 40 => format!("`{text}`"),
        Node::Number(number) => format!("`{number}`"),
        Node::Bool(flag) => format!("`{flag}`"),
        Node::Null | Node::Text(_) | Node::List(_) | Node::Map(_) => value.kind().to_owned(),
    }
}

/// Text, or a number or flag as it is written in the file (`1.10` stays `1.10`).
pub(super) fn text_of(value: &Located) -> Option<String> {
    match &value.node {
        Node::Text(text) => Some(text.clone()),
        Node::Number(_) | Node::Bool(_) => Some(as_written(value)),
        Node::Null | Node::List(_) | Node::Map(_) => None,
    }
}

fn as_written(value: &Located) -> String {
    let span = &value.span;
    let written = span.source.text.get(span.start..span.end).unwrap_or_default().trim();
    // A value from the environment or a flag stands at the place of something longer than itself.
    if crate::yaml::plain_scalar(written) == value.node {
        return written.to_owned();
    }
    value.to_json().to_string()
}

/// True or false, also as text from the environment.
pub(super) fn flag_of(value: &Located) -> Option<bool> {
    match &value.node {
        Node::Bool(flag) => Some(*flag),
        Node::Text(text) if text == "true" => Some(true),
        Node::Text(text) if text == "false" => Some(false),
        Node::Null | Node::Number(_) | Node::Text(_) | Node::List(_) | Node::Map(_) => None,
    }
}

/// A whole number, also as text from the environment.
pub(super) fn whole_of(value: &Located) -> Option<u64> {
    match &value.node {
        Node::Number(number) => number.as_u64(),
        Node::Text(text) => text.parse().ok(),
        Node::Null | Node::Bool(_) | Node::List(_) | Node::Map(_) => None,
    }
}

/// The words of a list, or of a text split at commas and blanks; and whether all of it was text.
pub(super) fn words_of(value: &Located) -> (Vec<(String, Span)>, bool) {
    match &value.node {
        Node::Text(text) => {
            let words = text.split(|c: char| c == ',' || c.is_whitespace());
            let words = words.filter(|word| !word.is_empty());
            (words.map(|word| (word.to_owned(), word_span(value, word))).collect(), true)
        }
        Node::List(items) => {
            let words: Vec<_> = items
                .iter()
                .filter_map(|item| text_of(item).map(|text| (text, item.span.clone())))
                .collect();
            let complete = words.len() == items.len();
            (words, complete)
        }
        Node::Null => (Vec::new(), true),
        Node::Bool(_) | Node::Number(_) | Node::Map(_) => {
            let word = text_of(value).map(|text| (text, value.span.clone()));
            let complete = word.is_some();
            (word.into_iter().collect(), complete)
        }
    }
}

/// The place of a word within its text, as far as the file still shows it there.
fn word_span(value: &Located, word: &str) -> Span {
    let span = &value.span;
    let written = span.source.text.get(span.start..span.end).unwrap_or_default();
    let whole = |at: usize| {
        let part = |c: char| !(c == ',' || c.is_whitespace() || c == '"' || c == '\'');
        let before = written.get(..at).unwrap_or_default().chars().next_back();
        let after = written.get(at + word.len()..).unwrap_or_default().chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    };
    match written.match_indices(word).map(|(at, _)| at).find(|at| whole(*at)) {
        Some(at) => Span {
            source: span.source.clone(),
            start: span.start + at,
            end: span.start + at + word.len(),
        },
        None => span.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse};

    #[test]
    fn every_wrong_value_and_key_is_reported_at_once() {
        let text = "cpus: many\nmemry: 5\nflag: 7\nword: b\n";
        let tree = parse(&Source::new("x.yaml", text)).unwrap();
        let mut problems = Problems::default();
        let mut reader = Reader::of(&tree, "local", &mut problems).unwrap();
        assert_eq!(reader.whole("cpus", 1, 9, &mut problems), None);
        assert_eq!(reader.whole("memory", 1, 9, &mut problems), None);
        assert_eq!(reader.flag("flag", &mut problems), None);
        assert_eq!(reader.word("word", &[("a", 1)], &mut problems), None);
        reader.finish(&mut problems);
        let sorted = problems.sorted();
        let found: Vec<_> =
            sorted.iter().map(|p| (p.code, p.at.as_ref().unwrap().line())).collect();
        assert_eq!(
            found,
            [("wrong-type", 1), ("unknown-key", 2), ("wrong-type", 3), ("wrong-value", 4)]
        );
        assert_eq!(sorted[1].help.as_deref(), Some("did you mean `memory`?"));
    }

    #[test]
    fn words_are_split_at_commas_and_blanks_and_know_their_places() {
        let tree = parse(&Source::new("x.yaml", "f: minio,  pachyderm spark\n")).unwrap();
        let (words, complete) = words_of(tree.get("f").unwrap());
        let places: Vec<_> = words.iter().map(|(word, at)| (word.as_str(), at.start)).collect();
        assert_eq!(places, [("minio", 3), ("pachyderm", 11), ("spark", 21)]);
        assert!(complete);
    }

    #[test]
    fn numbers_keep_their_spelling_as_text() {
        let tree = parse(&Source::new("x.yaml", "v: 1.10\n")).unwrap();
        assert_eq!(text_of(tree.get("v").unwrap()).as_deref(), Some("1.10"));
    }
}
