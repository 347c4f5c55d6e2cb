//! Secrets: values that are never printed, and references to where they are kept.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, RwLock};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What stands where a secret would.
const SECRET: &str = "(secret)";
/// How what stands for a secret begins, also where it tells two of them apart.
const STANDS: &str = "(secret";

/// Whether something stands for a secret in a text.
pub fn stands_for_secret(text: &str) -> bool {
    text.contains(STANDS)
}

/// A secret value. `Debug` prints `(secret)`; [`Secret::reveal`] is the one way out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself: for the hands that need it, never for a screen, a log or an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET)
    }
}

/// Where a secret is kept: a key of a Secret in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecretRef {
    /// The Secret's namespace.
    pub namespace: String,
    /// The Secret's name.
    pub name: String,
    /// The key in its data.
    pub key: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.namespace, self.name, self.key)
    }
}

/// Replaces every secret value of a run, in all forms in which it may be said, in text that is about to leave the program.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<Secret>>>);

/// Shorter values would mask ordinary words; nothing that short is a secret.
const SHORTEST: usize = 4;
/// Shorter lines of a value of many lines are brackets and the like.
const SHORTEST_LINE: usize = 8;

impl Redactor {
    /// Adds a value to those that are masked.
    pub fn learn(&self, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if known.contains(secret) {
            return;
        }
        let had: BTreeSet<&str> = known.iter().map(Secret::reveal).collect();
        let fresh: BTreeSet<String> = forms(secret.reveal())
            .into_iter()
            .filter(|form| !had.contains(form.as_str()))
            .collect();
        known.extend(fresh.into_iter().map(Secret));
        known.sort_by_key(|value| std::cmp::Reverse(value.reveal().len()));
    }

    /// Whether a known value stands in the text.
    pub fn finds(&self, text: &str) -> bool {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.iter().any(|secret| text.contains(secret.reveal()))
    }

    /// The text with every known value replaced by `(secret)`.
    pub fn redact(&self, text: &str) -> String {
        self.redact_with(text, &mut |_| SECRET.to_owned())
    }

    /// The same with what `mask` gives in place of each value.
    pub fn redact_with(&self, text: &str, mask: &mut dyn FnMut(&Secret) -> String) -> String {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in known.iter() {
            if text.contains(secret.reveal()) {
                text = text.replace(secret.reveal(), &mask(secret));
            }
        }
        text
    }
}

/// The ways in which a value is said: as it is, in base64, as a quoted text of JSON and Go (also inside another one), with its
/// lines folded into one, and line by line.
fn forms(value: &str) -> Vec<String> {
    let trimmed = value.trim();
    let mut forms = Vec::new();
    for whole in [value, trimmed].into_iter().filter(|whole| whole.len() >= SHORTEST) {
        let once = quoted(whole);
        forms.extend([whole.to_owned(), BASE64.encode(whole.as_bytes()), quoted_for_html(&once)]);
        forms.extend([quoted(&once), once]);
    }
    let lines: Vec<&str> = trimmed.lines().map(str::trim).collect();
    if lines.len() > 1 {
        let folded = lines.join(" ");
        let lines = lines.into_iter().filter(|line| line.len() >= SHORTEST_LINE);
        forms.extend(lines.flat_map(|line| [line.to_owned(), quoted(line)]));
        forms.extend((folded.len() >= SHORTEST).then_some(folded));
    }
    forms
}

/// The text as it stands between the quotes of JSON.
fn quoted(text: &str) -> String {
    let quoted = Json::from(text).to_string();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(text).to_owned()
}

/// Quoted text as Go's JSON writes it.
fn quoted_for_html(quoted: &str) -> String {
    quoted.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learned_value_is_masked_plain_and_in_base64() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("hunter2hunter2"));
        let text = format!("a hunter2hunter2 b {} c", BASE64.encode(b"hunter2hunter2"));
        assert_eq!(redactor.redact(&text), "a (secret) b (secret) c");
        assert!(!format!("{redactor:?}").contains("hunter2"));
    }

    #[test]
    fn a_value_of_many_lines_is_masked_quoted_folded_and_line_by_line() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("mline1aaa\n}\nmline2 \"<b>\"\n"));
        for text in [
            r#"Value:[]interface {}{"mline1aaa\n}\nmline2 \"<b>\""}"#,
            r#"msg="Value: \"mline1aaa\\n}\\nmline2 \\\"<b>\\\"\"""#,
            r#""mline1aaa\n}\nmline2 \"\u003cb\u003e\"""#,
            "bad mline1aaa } mline2 \"<b>\"",
            "one: mline1aaa",
            "two: mline2 \"<b>\"",
        ] {
            let said = redactor.redact(text);
            assert!(said.contains("(secret)") && !said.contains("mline"), "{text}: {said}");
        }
        assert_eq!(redactor.redact("}"), "}", "a bracket is no secret");
    }

    #[test]
    fn a_short_value_masks_no_words() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("on"));
        redactor.learn(&Secret::new("a\nb"));
        assert_eq!(redactor.redact("on a b"), "on a b");
    }
}
