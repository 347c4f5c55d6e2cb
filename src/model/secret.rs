//! Secrets: values that are never printed, and references to where they are kept.

use std::fmt;
use std::sync::{Arc, RwLock};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

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
        f.write_str("(secret)")
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

/// Replaces every secret value of a run, plain and in base64, in text that is about to leave the program.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<Secret>>>);

/// Shorter values would mask ordinary words; nothing that short is a secret.
const SHORTEST: usize = 4;

impl Redactor {
    /// Adds a value to those that are masked.
    pub fn learn(&self, secret: &Secret) {
        if secret.reveal().len() < SHORTEST {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let encoded = Secret::new(BASE64.encode(secret.reveal().as_bytes()));
        for value in [secret.clone(), encoded] {
            if !known.contains(&value) {
                known.push(value);
            }
        }
        known.sort_by_key(|value| std::cmp::Reverse(value.reveal().len()));
    }

    /// The text with every known value replaced by `(secret)`.
    pub fn redact(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "(secret)"))
    }
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
}
