//! Who acts: project, flavour, target, installation and run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The random id of an installation (project + target): 10 characters of base 32, drawn at the first apply.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstallationId(pub String);

/// The id of one run: host, process and a random part, so that a later run can tell whether it may still live.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for InstallationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is written on everything datamill makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `project.name` or what stands for it.
    pub project: String,
    /// The flavour file's stem.
    pub flavour: String,
    /// `local-<provider>-<cluster>`, `hybrid-<first 10 of the kube-system UID>` and so on; never a file name.
    pub target: String,
    /// The installation.
    pub owner: InstallationId,
    /// This run.
    pub run: RunId,
    /// Whether it acts for every flavour of the project (`--all-flavours`), not for its own alone.
    #[serde(default)]
    pub every_flavour: bool,
}
