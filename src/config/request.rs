//! What `load` is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// `-l`, `-r` or `-k`: which section of the target is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// The section `local:`.
    Local,
    /// The section `remote:`.
    Remote,
    /// The section `hybrid:`.
    Hybrid,
}

impl Location {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Remote, Self::Hybrid];

    /// The name of the section.
    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Hybrid => "hybrid",
        }
    }

    /// The flag that selects it.
    pub fn flag(self) -> &'static str {
        match self {
            Self::Local => "-l",
            Self::Remote => "-r",
            Self::Hybrid => "-k",
        }
    }
}

/// What the command line says about files and settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadRequest {
    /// The folder the user stands in, absolute.
    pub folder: PathBuf,
    /// The user's home.
    pub home: PathBuf,
    /// The environment, for `${env.NAME}` and `{env: NAME}`.
    pub environment: BTreeMap<String, String>,
    /// The user's cache folder for datamill: tools, charts, rendered manifests, locks, and what the binary carries. Safe to delete
    /// when no cluster of ours runs.
    pub cache: PathBuf,
    /// `-f`.
    pub flavour: Option<PathBuf>,
    /// `-t`.
    pub target: Option<String>,
    /// `-l`, `-r`, `-k`.
    pub location: Option<Location>,
    /// `--provider`.
    pub provider: Option<String>,
    /// `--kubeconfig`, for hybrid.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`, for hybrid.
    pub context: Option<String>,
    /// `-c`, as often as given.
    pub components: Vec<String>,
    /// `--profile`.
    pub profiles: Vec<String>,
    /// `--set PATH=VALUE`, split at the first `=`.
    pub set: Vec<(String, String)>,
    /// `--values NAME=FILE`.
    pub values: Vec<(String, PathBuf)>,
}
