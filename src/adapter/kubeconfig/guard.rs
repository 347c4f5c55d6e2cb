//! The lock that kubectl, kind and minikube take while they write a kubeconfig: a file of its name with `.lock` behind.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::{FileError, KubeconfigError, files};

/// A write takes milliseconds; a lock this old is one whose owner died.
const STALE: Duration = Duration::from_secs(10);
/// How long to wait for a living owner: longer than a lock may become old.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long between two tries.
const POLL: Duration = Duration::from_millis(20);

/// Holds the lock until it is dropped.
pub(super) struct Guard(PathBuf);

impl Guard {
    pub(super) async fn take(path: &Path) -> Result<Self, KubeconfigError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        if let Some(folder) = lock.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            files::create_folder(folder)?;
        }
        let begun = Instant::now();
        loop {
            let made = File::options().write(true).create_new(true).open(&lock);
            let Err(source) = made else { return Ok(Self(lock)) };
            if source.kind() != ErrorKind::AlreadyExists {
                return Err(FileError { what: "lock", path: path.to_owned(), source }.into());
            }
            if is_stale(&lock) {
                files::remove(&lock)?;
            } else if begun.elapsed() > PATIENCE {
                return Err(KubeconfigError::Locked { path: path.to_owned(), lock });
            } else {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // One that stays is taken for stale after a while.
        files::remove(&self.0).ok();
    }
}

fn is_stale(lock: &Path) -> bool {
    let age =
        lock.metadata().and_then(|found| found.modified()).ok().and_then(|t| t.elapsed().ok());
    age.is_some_and(|age| age > STALE)
}
