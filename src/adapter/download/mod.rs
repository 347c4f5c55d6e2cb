//! The one door to downloads over HTTP: streamed to a file with their digest, never held in memory. A host that did not answer
//! is not asked again in the same run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::files::FileError;
use crate::model::Digest;

/// How long to connect, names included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long until an answer begins, and between two pieces of it.
const SILENCE: Duration = Duration::from_secs(30);
/// More than any checksum file or release description has, in bytes.
const LONGEST_TEXT: usize = 8 << 20;

/// A download failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The host does not answer.
    #[error("`{host}` does not answer: {because}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// Why.
        because: String,
    },
    /// The host answers something else than the file.
    #[error("`{url}` answers {status}")]
    Status {
        /// The address.
        url: String,
        /// The HTTP status, such as `404 Not Found`.
        status: String,
    },
    /// It broke off.
    #[error("`{url}` broke off after {bytes} bytes: {because}")]
    Broken {
        /// The address.
        url: String,
        /// What had come.
        bytes: u64,
        /// Why.
        because: String,
    },
    /// It could not be written.
    #[error("the file could not be written")]
    File(#[from] FileError),
}

impl DownloadError {
    /// Whether the disk is full.
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::File(error) => error.source.kind() == io::ErrorKind::StorageFull,
            Self::Unreachable { .. } | Self::Status { .. } | Self::Broken { .. } => false,
        }
    }
}

/// Downloads of one run. Cheap to clone; clones share what is known about hosts.
#[derive(Debug, Clone)]
pub struct Downloads {
    client: reqwest::Client,
    silence: Duration,
    dead: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Downloads {
    /// Sets up downloads with the usual limits.
    pub fn new() -> Self {
        Self::with_limits(CONNECT, SILENCE)
    }

    /// Sets up downloads with other limits: to connect, and for silence in between.
    pub fn with_limits(connect: Duration, silence: Duration) -> Self {
        let client = reqwest::Client::builder()
            .connect_timeout(connect)
            .read_timeout(silence)
            .user_agent(concat!("datamill/", env!("CARGO_PKG_VERSION")))
            .build()
            .unwrap_or_default();
        Self { client, silence, dead: Arc::default() }
    }

    /// Fetches a file; `on_bytes` is told how much has come, and of how much when the host says so. Gives its SHA-256.
    pub async fn file(
        &self,
        url: &str,
        into: &Path,
        on_bytes: &(dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Result<Digest, DownloadError> {
        let mut response = self.ask(url).await?;
        let total = response.content_length();
        let failed = |source| FileError { what: "write", path: into.to_owned(), source };
        let mut file = File::create(into).map_err(failed)?;
        let (mut hasher, mut bytes) = (Sha256::new(), 0_u64);
        on_bytes(0, total);
        while let Some(piece) = self.piece(&mut response, url, bytes).await? {
            file.write_all(&piece).map_err(failed)?;
            hasher.update(&piece);
            bytes += u64::try_from(piece.len()).unwrap_or_default();
            on_bytes(bytes, total);
        }
        file.sync_all().map_err(failed)?;
        Ok(Digest::recorded(HEXLOWER.encode(&hasher.finalize())))
    }

    /// Fetches a short text.
    pub async fn text(&self, url: &str) -> Result<String, DownloadError> {
        let mut response = self.ask(url).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(&mut response, url, 0).await? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > LONGEST_TEXT {
                let because = "it is longer than any such text".to_owned();
                return Err(DownloadError::Broken { url: url.to_owned(), bytes: 0, because });
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn ask(&self, url: &str) -> Result<reqwest::Response, DownloadError> {
        let host = host_of(url);
        if let Some(because) = self.dead().get(&host).cloned() {
            return Err(DownloadError::Unreachable { host, because });
        }
        let answer = tokio::time::timeout(self.silence, self.client.get(url).send()).await;
        let because = match answer {
            Ok(Ok(response)) if response.status().is_success() => return Ok(response),
            Ok(Ok(response)) => {
                let status = response.status().to_string();
                return Err(DownloadError::Status { url: url.to_owned(), status });
            }
            Ok(Err(error)) => last_cause(&error),
            Err(_) => format!("nothing came within {} s", self.silence.as_secs()),
        };
        self.dead().insert(host.clone(), because.clone());
        Err(DownloadError::Unreachable { host, because })
    }

    async fn piece(
        &self,
        response: &mut reqwest::Response,
        url: &str,
        bytes: u64,
    ) -> Result<Option<Vec<u8>>, DownloadError> {
        let broken = |because| DownloadError::Broken { url: url.to_owned(), bytes, because };
        match tokio::time::timeout(self.silence, response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece.map(|piece| piece.to_vec())),
            Ok(Err(error)) => Err(broken(last_cause(&error))),
            Err(_) => Err(broken(format!("nothing more came within {} s", self.silence.as_secs()))),
        }
    }

    fn dead(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Downloads {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes one file out of a `.tar.gz`.
pub fn unpack(archive: &Path, member: &str, into: &Path) -> Result<(), FileError> {
    let failed = |path: &Path, what: &'static str| {
        let path: PathBuf = path.to_owned();
        move |source| FileError { what, path, source }
    };
    let packed = File::open(archive).map_err(failed(archive, "read"))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(BufReader::new(packed)));
    for entry in tar.entries().map_err(failed(archive, "read"))? {
        let mut entry = entry.map_err(failed(archive, "read"))?;
        if entry.path().is_ok_and(|path| path == Path::new(member)) {
            let mut file = File::create(into).map_err(failed(into, "write"))?;
            copy(&mut entry, &mut file, archive, into)?;
            return file.sync_all().map_err(failed(into, "write"));
        }
    }
    let missing = io::Error::other(format!("there is no `{member}` in it"));
    Err(FileError { what: "unpack", path: archive.to_owned(), source: missing })
}

/// Copies piece by piece, so that an error names the side it is on.
fn copy(
    from: &mut impl io::Read,
    to: &mut File,
    archive: &Path,
    into: &Path,
) -> Result<(), FileError> {
    let mut piece = Vec::with_capacity(1 << 16);
    loop {
        piece.clear();
        let read = from.by_ref().take(1 << 16).read_to_end(&mut piece);
        let error = |what, path: &Path, source| FileError { what, path: path.to_owned(), source };
        if read.map_err(|source| error("read", archive, source))? == 0 {
            return Ok(());
        }
        to.write_all(&piece).map_err(|source| error("write", into, source))?;
    }
}

/// `scheme://host:port` of an address: what is dead when it does not answer.
fn host_of(url: &str) -> String {
    let after = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(after..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| after + at);
    url.get(after..end).unwrap_or(url).to_owned()
}

/// The innermost words of an error: the outer ones repeat the address.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

#[cfg(test)]
mod tests;
