//! What lies where in the folder of a simulated cluster.

use std::path::PathBuf;

use data_encoding::BASE64;

use crate::adapter::files::{self, FileError};
use crate::adapter::kubeconfig::Entry;
use crate::model::Secret;
use crate::provider::local::folder::{Folder, Marker};

impl Folder {
    /// Where `kwokctl` keeps its things.
    pub(super) fn workdir(&self) -> PathBuf {
        self.root().join("kwok")
    }

    /// Where `kwokctl` keeps this cluster.
    fn cluster(&self) -> PathBuf {
        self.workdir().join("clusters").join(&self.name)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.root().join("kwokctl.yaml")
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
