//! The document: versioned JSON, compressed, with a digest over all of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::request::SavedRequest;
use crate::adapter::gzip::{self, Compression};
use crate::model::{Digest, Failure, FailureKind};
use crate::ops::SavedLock;
use crate::ops::draw::Goal;
use crate::plan::SavedStep;

/// The version of the document's shape.
pub const SCHEMA: u32 = 1;

/// How long a saved plan is good.
pub const GOOD_FOR: Duration = Duration::from_hours(24);

/// Larger documents are no plans.
const LARGEST: u64 = 256 * 1024 * 1024;

/// A saved plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    /// The version of this shape.
    pub schema: u32,
    /// The version of datamill that made it.
    pub tool: String,
    /// The project.
    pub project: String,
    /// The flavour.
    pub flavour: String,
    /// The target's identity.
    pub target: String,
    /// The keyed digest of the cluster's uid; nothing when there was no cluster.
    #[schemars(with = "Option<String>")]
    pub fingerprint: Option<Digest>,
    /// The installation id: that of the cluster, or the one that the first apply gives to it; nothing when the cluster was
    /// stopped and could not tell.
    pub installation: Option<String>,
    /// What it is for.
    pub goal: SavedGoal,
    /// What was asked on the command line: components, permissions, settings.
    pub request: SavedRequest,
    /// The keyed digest of each file it was made from.
    #[schemars(with = "BTreeMap<String, String>")]
    pub inputs: BTreeMap<String, Digest>,
    /// The keyed digest of each variable of the environment that files name; nothing for those that were not set.
    #[schemars(with = "BTreeMap<String, Option<String>>")]
    pub environment: BTreeMap<String, Option<Digest>>,
    /// Pinned charts.
    pub lock: SavedLock,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// Until when it is good, in seconds since 1970.
    pub expires: u64,
    /// A random number of this document, for its keyed digests.
    pub number: String,
    /// The steps; what a step waits for stands before it.
    pub steps: Vec<SavedStep>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// SHA-256 of all the rest.
    #[schemars(with = "String")]
    pub digest: Digest,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SavedGoal {
    /// Everything of the flavour is there.
    Install,
    /// The flavour's instances are gone.
    Uninstall,
    /// Nothing is there.
    Destroy,
}

impl From<Goal> for SavedGoal {
    fn from(goal: Goal) -> Self {
        match goal {
            Goal::Install => Self::Install,
            Goal::Uninstall => Self::Uninstall,
            Goal::Destroy => Self::Destroy,
        }
    }
}

impl From<SavedGoal> for Goal {
    fn from(goal: SavedGoal) -> Self {
        match goal {
            SavedGoal::Install => Self::Install,
            SavedGoal::Uninstall => Self::Uninstall,
            SavedGoal::Destroy => Self::Destroy,
        }
    }
}

/// The JSON Schema of the document.
pub(in crate::ops) fn schema() -> Json {
    schemars::schema_for!(SavedPlan).to_value()
}

impl SavedPlan {
    /// The same with the digest of all the rest.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.digest = self.digest_of_rest();
        self
    }

    fn digest_of_rest(&self) -> Digest {
        // A document that serialises once does so again; should it not, no digest fits.
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(map) = json.as_object_mut() {
            map.remove("digest");
        }
        Digest::of_json(&json)
    }

    /// The document as it stands in a file.
    pub fn encode(&self) -> Result<Vec<u8>, Failure> {
        let broken = |error: &dyn std::error::Error| {
            Failure::new(FailureKind::Bug, "cannot write the plan").caused_by(error)
        };
        let json = serde_json::to_vec(self).map_err(|error| broken(&error))?;
        gzip::pack(&json, Compression::default()).map_err(|error| broken(&error))
    }

    /// Reads a document; checks its version and its digest, and nothing of what it says.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, Failure> {
        let file = path.display();
        let no_plan = |because: String| {
            Failure::new(FailureKind::Usage, format!("`{file}` is no saved plan"))
                .because(because)
                .hint("make one:\n    datamill plan --out FILE")
        };
        let stale = |what: String, because: String| {
            Failure::new(FailureKind::Stale, what)
                .because(because)
                .hint("make a new plan:\n    datamill plan --out FILE")
        };
        let text = gzip::unpack(bytes, LARGEST).map_err(|error| no_plan(error.to_string()))?;
        let json: Json =
            serde_json::from_slice(&text).map_err(|error| no_plan(error.to_string()))?;
        match json.get("schema").and_then(Json::as_u64) {
            Some(version) if version == u64::from(SCHEMA) => {}
            Some(version) => {
                let what = format!("this program cannot read `{file}`");
                let tool = json.get("tool").and_then(Json::as_str).unwrap_or("another version");
                let because = format!(
                    "datamill {tool} wrote it in format {version}; this one reads {SCHEMA}"
                );
                return Err(stale(what, because));
            }
            None => return Err(no_plan("it has no `schema`".to_owned())),
        }
        let damaged = || format!("`{file}` is not as it was written");
        let plan: Self =
            serde_json::from_value(json).map_err(|error| stale(damaged(), error.to_string()))?;
        if plan.digest == plan.digest_of_rest() {
            Ok(plan)
        } else {
            Err(stale(damaged(), "its digest does not fit its content".to_owned()))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ops::saved) fn sample() -> SavedPlan {
        SavedPlan {
            schema: SCHEMA,
            tool: "0.1.0".to_owned(),
            project: "demo".to_owned(),
            flavour: "demo".to_owned(),
            target: "local-kwok-datamill-demo".to_owned(),
            fingerprint: None,
            installation: Some("bcdfghjklm".to_owned()),
            goal: SavedGoal::Install,
            request: SavedRequest::default(),
            inputs: BTreeMap::new(),
            environment: BTreeMap::new(),
            lock: SavedLock::default(),
            created: 1_000_000,
            expires: 1_000_000 + GOOD_FOR.as_secs(),
            number: "1".to_owned(),
            steps: Vec::new(),
            notes: Vec::new(),
            digest: Digest::of(""),
        }
        .sealed()
    }

    fn decoded(bytes: &[u8]) -> Result<SavedPlan, Failure> {
        SavedPlan::decode(Path::new("x.plan"), bytes)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let plan = sample();
        assert_eq!(decoded(&plan.encode().unwrap()).unwrap(), plan);
    }

    #[test]
    fn a_changed_a_newer_and_a_foreign_file_are_told_apart() {
        let changed = SavedPlan { project: "other".to_owned(), ..sample() };
        let failure = decoded(&changed.encode().unwrap()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stale);
        assert!(failure.causes[0].contains("digest"), "{failure:?}");
        let newer = SavedPlan { schema: 9, ..sample() };
        let failure = decoded(&newer.encode().unwrap()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Stale);
        assert!(failure.causes[0].contains("format 9"), "{failure:?}");
        for foreign in [&b"project: {}"[..], b"", &[0x1f, 0x8b, 8, 0]] {
            let failure = decoded(foreign).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Usage, "{failure:?}");
        }
    }

    #[test]
    fn the_schema_names_every_field() {
        let schema = schema();
        let plan = serde_json::to_value(sample()).unwrap();
        for key in plan.as_object().unwrap().keys() {
            assert!(schema["properties"].get(key).is_some(), "{key}");
        }
        assert_eq!(schema["additionalProperties"], false);
    }
}
