//! How Helm stores a release: JSON, gzipped, base64 in the key `release` of a Secret, whose own data is base64 again.

use data_encoding::BASE64;
use serde_json::{Value as Json, json};

use crate::adapter::gzip::{self, Compression};
use crate::model::{Object, ReleaseStatus};
use crate::yaml;

/// More than an API server stores in one object, unpacked a thousandfold.
const MOST_BYTES: u64 = 512 * 1024 * 1024;
/// The first bytes of gzip.
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// One revision of a release, as Helm stores it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRelease(Json);

/// A stored release that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The Secret holds no release.
    #[error("the Secret has no key `release`")]
    NoRelease,
    /// It is not in Helm's form.
    #[error("the stored release is damaged: {0}")]
    Damaged(String),
}

fn damaged(error: &dyn std::fmt::Display) -> StorageError {
    StorageError::Damaged(error.to_string())
}

impl StoredRelease {
    /// Reads the release in a Secret.
    pub fn decode(secret: &Object) -> Result<Self, StorageError> {
        let data = secret.0.pointer("/data/release").and_then(Json::as_str);
        let outer = BASE64.decode(data.ok_or(StorageError::NoRelease)?.as_bytes());
        let inner = BASE64.decode(&outer.map_err(|e| damaged(&e))?).map_err(|e| damaged(&e))?;
        let text = if inner.starts_with(&GZIP) {
            gzip::unpack(&inner, MOST_BYTES).map_err(|e| damaged(&e))?
        } else {
            inner
        };
        serde_json::from_slice(&text).map(Self).map_err(|e| damaged(&e))
    }

    /// The text that belongs under `data.release`.
    pub fn encode(&self) -> Result<String, StorageError> {
        let packed = gzip::pack(self.0.to_string().as_bytes(), Compression::best());
        let packed = packed.map_err(|e| damaged(&e))?;
        Ok(BASE64.encode(BASE64.encode(&packed).as_bytes()))
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
    }

    /// The revision.
    pub fn revision(&self) -> u64 {
        self.0.get("version").and_then(Json::as_u64).unwrap_or_default()
    }

    /// The status in Helm's words.
    pub fn status(&self) -> &str {
        self.text("/info/status")
    }

    /// What the run that made it wrote about it.
    pub fn description(&self) -> &str {
        self.text("/info/description")
    }

    /// Marks the revision as failed, so that an upgrade may follow.
    pub fn set_failed(&mut self, because: &str) {
        if let Some(info) = self.0.get_mut("info").and_then(Json::as_object_mut) {
            info.insert("status".to_owned(), json!("failed"));
            info.insert("description".to_owned(), json!(because));
        }
    }

    /// The values that it was made with.
    pub fn config(&self) -> &Json {
        self.0.get("config").unwrap_or(&Json::Null)
    }

    /// The objects of the manifest, hooks left out.
    pub fn objects(&self) -> Result<Vec<Json>, StorageError> {
        yaml::manifests(self.text("/manifest")).map_err(|e| damaged(&e))
    }

    /// The hooks.
    pub fn hooks(&self) -> Result<Vec<Json>, StorageError> {
        let hooks = self.0.get("hooks").and_then(Json::as_array);
        let mut objects = Vec::new();
        for hook in hooks.into_iter().flatten() {
            let manifest = hook.get("manifest").and_then(Json::as_str).unwrap_or_default();
            objects.extend(yaml::manifests(manifest).map_err(|e| damaged(&e))?);
        }
        Ok(objects)
    }
}

/// The status of ours that a status of Helm's means.
pub fn status_from_word(word: &str) -> ReleaseStatus {
    match word {
        "deployed" | "superseded" => ReleaseStatus::Deployed,
        "uninstalled" | "uninstalling" => ReleaseStatus::Uninstalling,
        pending if pending.starts_with("pending") => ReleaseStatus::Pending,
        _ => ReleaseStatus::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_reads_back_as_it_was_written() {
        let release = StoredRelease(json!({"name": "r", "version": 3,
            "info": {"status": "pending-upgrade", "description": "d"},
            "manifest": "---\n# Source: x\nkind: Service\nmetadata: {name: s}\n",
            "hooks": [{"manifest": "kind: Job\nmetadata: {name: h}\n"}]}));
        let secret = Object(json!({"data": {"release": release.encode().unwrap()}}));
        let mut back = StoredRelease::decode(&secret).unwrap();
        assert_eq!(back, release);
        assert_eq!((back.revision(), back.status()), (3, "pending-upgrade"));
        assert_eq!(back.objects().unwrap()[0]["metadata"]["name"], "s");
        assert_eq!(back.hooks().unwrap()[0]["kind"], "Job");
        back.set_failed("its run died");
        assert_eq!((back.status(), back.description()), ("failed", "its run died"));
    }

    #[test]
    fn a_damaged_release_is_an_error() {
        for data in [json!({}), json!({"release": "%"}), json!({"release": "YWJj"})] {
            assert!(StoredRelease::decode(&Object(json!({"data": data}))).is_err());
        }
    }
}
