//! A cluster's own folder: what lies where, and the two markers. The first is written before anything is made, the last when all
//! is; a folder without the last one is half-made.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::adapter::files::{self, FileError};
use crate::adapter::kubeconfig::Entry;
use crate::model::{InstallationId, Secret};

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
}

/// The paths of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    name: String,
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(clusters: &Path, name: &str) -> Self {
        Self { name: name.to_owned(), root: clusters.join(name) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where `kwokctl` keeps its things.
    pub(super) fn workdir(&self) -> PathBuf {
        self.root.join("kwok")
    }

    /// Where `kwokctl` keeps this cluster.
    fn cluster(&self) -> PathBuf {
        self.workdir().join("clusters").join(&self.name)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.root.join("kwokctl.yaml")
    }

    /// The private kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    pub(super) fn pids(&self) -> PathBuf {
        self.cluster().join("pids")
    }

    pub(super) fn programs(&self) -> PathBuf {
        self.cluster().join("bin")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.cluster().join("logs")
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

    /// The cluster as kubeconfigs name it.
    pub(super) fn entry(&self, marker: &Marker) -> Result<Entry, FileError> {
        let pem = |file: &str| {
            let bytes = files::read_bytes(&self.cluster().join("pki").join(file))?;
            Ok::<_, FileError>(BASE64.encode(&bytes))
        };
        Ok(Entry {
            name: self.name.clone(),
            server: format!("https://127.0.0.1:{}", marker.port),
            authority: pem("ca.crt")?,
            certificate: pem("admin.crt")?,
            key: Secret::new(pem("admin.key")?),
        })
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
