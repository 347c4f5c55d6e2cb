//! Gets a tool by download: the release, checked against the checksum published beside it, under a temporary name first.

use std::path::PathBuf;

use super::find::Origin;
use super::{How, OnToolEvent, Platform, Tool, ToolEvent, Toolchain, checksum_in};
use crate::adapter::download::{DownloadError, unpack};
use crate::adapter::files::FileError;

/// Why a tool could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no release of it is published for this machine")]
    NoRelease,
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error("`{url}` does not name a checksum of `{file}`")]
    NoChecksum { url: String, file: String },
    #[error("`{url}` has the SHA-256 {found}, and its publisher says {wanted}")]
    WrongChecksum { url: String, wanted: String, found: String },
    #[error(transparent)]
    File(#[from] FileError),
}

impl FetchError {
    pub(super) fn is_full_disk(&self) -> bool {
        match self {
            Self::Download(error) => error.is_full_disk(),
            Self::File(error) => error.source.kind() == std::io::ErrorKind::StorageFull,
            Self::NoRelease | Self::NoChecksum { .. } | Self::WrongChecksum { .. } => false,
        }
    }
}

impl Toolchain {
    /// Downloads a tool's pinned version into the cache.
    pub(super) async fn download(
        &self,
        tool: Tool,
        progress: OnToolEvent<'_>,
    ) -> Result<PathBuf, FetchError> {
        let release = Platform::current()
            .and_then(|platform| self.settings.sources.release(tool, platform))
            .ok_or(FetchError::NoRelease)?;
        let takes = tool.download_takes();
        progress(ToolEvent::Started { tool, how: How::Download, takes });
        let published = self.downloads.text(&release.checksum).await?;
        let wanted = checksum_in(&published, &release.file).ok_or_else(|| {
            FetchError::NoChecksum { url: release.checksum.clone(), file: release.file.clone() }
        })?;
        let workplace = self.workplace(tool)?;
        let file = workplace.path().join("download");
        let on_bytes = |done, total| progress(ToolEvent::Bytes { tool, done, total });
        let found = self.downloads.file(&release.url, &file, &on_bytes).await?;
        if found.as_str() != wanted {
            let found = found.as_str().to_owned();
            return Err(FetchError::WrongChecksum { url: release.url, wanted, found });
        }
        let program = match &release.member {
            None => file,
            Some(member) => {
                let program = workplace.path().join(tool.name());
                unpack(&file, member, &program)?;
                program
            }
        };
        let origin = Origin { how: How::Downloaded, from: release.url };
        Ok(self.settle(tool, &program, &origin)?)
    }
}
