//! Digests: SHA-256 over canonical text.

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 in lower-case hexadecimal, 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(bytes.as_ref())))
    }

    /// The digest of a JSON value, the same whatever the order of the keys in its maps.
    pub fn of_json(json: &serde_json::Value) -> Self {
        Self::of(canonical(json).to_string())
    }

    /// The digest of several parts; parts are kept apart, so that `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part.len().to_string());
            hasher.update(":");
            hasher.update(part);
        }
        Self(HEXLOWER.encode(&hasher.finalize()))
    }

    /// Takes a digest that was written down before, as it is.
    pub fn recorded(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// All 64 characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first `length` characters.
    pub fn short(&self, length: usize) -> &str {
        self.0.get(..length).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Sorts the keys of every map, so that equal values print equally whatever the map of `serde_json` is built on.
fn canonical(json: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match json {
        Json::Object(map) => {
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            Json::Object(sorted.into_iter().map(|(k, v)| (k.clone(), canonical(v))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(canonical).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => json.clone(),
    }
}
