//! A cluster's own folder, whoever makes the cluster: the two markers and the private kubeconfig. The first marker is written
//! before anything is made, the last when all is; a folder without the last one is half-made.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Says;
use crate::adapter::files::{self, FileError};
use crate::adapter::lock::{self, Lock};
use crate::model::{Digest, InstallationId, KindSpec};

/// What is written on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The project it belongs to.
    pub project: String,
    /// The installation that made it.
    pub owner: InstallationId,
    /// The version of Kubernetes in it.
    pub version: String,
    /// The port of the API server.
    pub port: u16,
    /// Who makes it: `kwok` or `kind`.
    #[serde(default = "kwok")]
    pub provider: String,
    /// What a kind cluster was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<KindSpec>,
}

/// Markers of old do not name their provider.
fn kwok() -> String {
    "kwok".to_owned()
}

/// The paths of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) name: String,
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(clusters: &Path, name: &str) -> Self {
        Self { name: name.to_owned(), root: clusters.join(name) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The private kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// The marker of a cluster that is wholly made.
    pub(super) fn marker(&self) -> Option<Marker> {
        read(&self.root.join("cluster.json"))
    }

    /// The marker of a cluster that was begun, made or not.
    pub(super) fn begun(&self) -> Option<Marker> {
        read(&self.root.join("begun.json"))
    }

    pub(super) fn begin(&self, marker: &Marker) -> Result<(), FileError> {
        files::write_private(&self.root.join("begun.json"), text(marker))
    }

    pub(super) fn complete(&self, marker: &Marker) -> Result<(), FileError> {
        files::write_private(&self.root.join("cluster.json"), text(marker))
    }

    /// Others on the machine must not read keys.
    pub(super) fn make_private(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o700);
        // The keys themselves are written for their owner and group alone.
        std::fs::set_permissions(&self.root, mode).ok();
    }

    /// One run at a time works on a cluster.
    pub(super) async fn lock(&self, locks: &Path, says: &Says) -> Result<Lock, FileError> {
        let waiting = || says("waiting: another run works on this cluster".to_owned());
        lock::lock(&self.place(locks), waiting).await
    }

    /// Whether a run works on it, or a program that a dead one left.
    pub(super) fn is_locked(&self, locks: &Path) -> Result<bool, FileError> {
        lock::is_held(&self.place(locks))
    }

    fn place(&self, locks: &Path) -> PathBuf {
        let digest = Digest::of(self.root.to_string_lossy().as_ref());
        locks.join(format!("cluster-{}", digest.short(16)))
    }
}

fn read(path: &Path) -> Option<Marker> {
    serde_json::from_str(&files::read(path).ok()?).ok()
}

fn text(marker: &Marker) -> String {
    // Plain data always becomes JSON; what is not would read as no marker, hence as half-made.
    serde_json::to_string(marker).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_made_when_the_last_marker_is_written() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path(), "datamill-demo");
        let marker = Marker {
            project: "demo".to_owned(),
            owner: InstallationId("abc".to_owned()),
            version: "1.35.4".to_owned(),
            port: 20_000,
            provider: "kwok".to_owned(),
            kind: None,
        };
        assert_eq!((folder.begun(), folder.marker()), (None, None));
        folder.begin(&marker).unwrap();
        assert_eq!((folder.begun(), folder.marker()), (Some(marker.clone()), None));
        folder.complete(&marker).unwrap();
        assert_eq!(folder.marker(), Some(marker));
        files::write(&folder.root().join("cluster.json"), "{").unwrap();
        assert_eq!(folder.marker(), None);
    }
}
