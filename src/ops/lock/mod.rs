//! `datamill.lock`: which version of each chart was used and what it was, so that the next machine uses the same. Written beside
//! the project, meant to be committed. The cluster's own marks decide what is ours; this file never does.

mod learn;
mod pin;
mod saved;
mod target;
mod update;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::adapter::files;
use crate::model::{Digest, Failure, FailureKind, ResourceId};
use crate::yaml;

pub(super) use learn::Surroundings;
pub(super) use pin::Moved;
pub use saved::{SavedLock, SavedPin};
pub(super) use target::Answering;
pub(super) use update::asked;
pub use update::{lock_list, lock_update};

/// The file's format; older ones are read as well. Format 1 had neither charts by name, nor images, nor what surrounded them;
/// format 2 had no targets.
const VERSION: u32 = 3;

/// The lock file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    version: u32,
    /// The chart of each step, by the step's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    charts: BTreeMap<ResourceId, Pin>,
    /// SHA-256 of each chart and file that was fetched, by its address and version.
    #[serde(default)]
    digests: BTreeMap<String, Digest>,
    /// Images that rendered objects name by digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    images: BTreeMap<String, String>,
    /// The minor version of Kubernetes, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    kubernetes: BTreeMap<String, String>,
    /// Versions of the programs that were used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tools: BTreeMap<String, String>,
    /// The installation id of remote targets, by target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    installations: BTreeMap<String, String>,
    /// The existing clusters that each flavour was applied to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    targets: BTreeMap<String, target::Targets>,
}

/// The chart that a step uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pin {
    /// Where it comes from, without its version.
    chart: String,
    /// Its version, or the versions that are allowed.
    version: String,
}

impl Default for Lock {
    fn default() -> Self {
        Self {
            version: VERSION,
            charts: BTreeMap::new(),
            digests: BTreeMap::new(),
            images: BTreeMap::new(),
            kubernetes: BTreeMap::new(),
            tools: BTreeMap::new(),
            installations: BTreeMap::new(),
            targets: BTreeMap::new(),
        }
    }
}

impl Lock {
    /// Reads the file; one that is not there is empty.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = match files::read(path) {
            Ok(text) => text,
            Err(error) if error.is_missing() => return Ok(Self::default()),
            Err(error) => {
                return Err(
                    Failure::new(FailureKind::Usage, "cannot use the lock file").caused_by(&error)
                );
            }
        };
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self, Failure> {
        let broken = |because: String| {
            Failure::new(FailureKind::Usage, format!("cannot use `{}`", path.display()))
                .because(because)
                .hint("take the file back from version control, or remove it to pin anew")
        };
        let source = yaml::Source::new(path, text);
        let tree = yaml::parse(&source).map_err(|problem| {
            let line = problem.at.as_ref().map_or(1, yaml::Span::line);
            broken(format!("line {line}: {}", problem.message))
        })?;
        let json = tree.to_json();
        // The version first: a newer format may hold what this one does not know.
        match json.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if (1..=u64::from(VERSION)).contains(&version) => {}
            Some(version) => {
                let because = format!("its version is {version}, this program reads {VERSION}");
                return Err(broken(because));
            }
            None => return Err(broken("it has no `version`".to_owned())),
        }
        let lock: Self = serde_json::from_value(json).map_err(|error| broken(error.to_string()))?;
        Ok(Self { version: VERSION, ..lock })
    }

    /// The pinned digests.
    pub(super) fn digests(&self) -> &BTreeMap<String, Digest> {
        &self.digests
    }

    /// Writes the file when it differs from what is there.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let json = serde_json::to_value(self).map_err(|error| {
            Failure::new(FailureKind::Bug, "cannot write the lock file").caused_by(&error)
        })?;
        let text = format!(
            "# Written by datamill: which charts are used, and what was fetched, by its SHA-256. Commit this file.\n{}",
            yaml::to_yaml(&json)
        );
        if files::read(path).is_ok_and(|now| now == text) {
            return Ok(());
        }
        files::write(path, text).map_err(|error| {
            Failure::new(FailureKind::Partial, "cannot write the lock file").caused_by(&error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Lock, Failure> {
        Lock::parse(Path::new("datamill.lock"), text.to_owned())
    }

    #[test]
    fn a_lock_of_the_first_format_still_loads_and_is_written_in_this_one() {
        let digest = Digest::of("x");
        let old = format!("version: 1\ndigests:\n  https://c.example/x@1.2.3: {digest}\n");
        let lock = parsed(&old).unwrap();
        assert_eq!(lock.digests["https://c.example/x@1.2.3"], digest);
        assert_eq!(lock.version, VERSION);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("datamill.lock");
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
    }

    #[test]
    fn a_newer_format_and_a_broken_file_say_what_to_do() {
        let newer = parsed("version: 9\nnew: {}\n").unwrap_err();
        assert_eq!(newer.kind, FailureKind::Usage);
        assert!(newer.causes[0].contains("its version is 9"), "{newer:?}");
        assert!(parsed("charts: 3\n").unwrap_err().causes[0].contains("no `version`"));
        assert!(parsed("version: 2\ndigest: {}\n").unwrap_err().causes[0].contains("digest"));
    }
}
