//! The lock of a release on this machine. A Helm call holds it as its standard input, so that it lives exactly as long as the
//! call, whatever becomes of us.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::adapter::files::{self, FileError};

/// A lock that is ours until this and every child that got it as standard input are gone.
#[derive(Debug, Clone)]
pub struct ReleaseLock(Arc<File>);

/// Who holds a lock, in the words it left there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(pub String);

impl ReleaseLock {
    /// Takes a lock, or says who holds it.
    pub fn take(path: &Path, as_whom: &str) -> Result<Result<Self, Holder>, FileError> {
        let failed = |what| move |source| FileError { what, path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            files::create_folder(folder)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed("open"))?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| file.write_all(as_whom.as_bytes()))
                    .map_err(failed("write"))?;
                Ok(Ok(Self(Arc::new(file))))
            }
            Err(TryLockError::WouldBlock) => {
                let mut words = String::new();
                // Who it is matters less than that it is held.
                file.read_to_string(&mut words).ok();
                Ok(Err(Holder(words.trim().to_owned())))
            }
            Err(TryLockError::Error(source)) => Err(failed("lock")(source)),
        }
    }

    /// Who holds a lock right now, if anybody.
    pub fn holder(path: &Path) -> Result<Option<Holder>, FileError> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FileError { what: "open", path: path.to_owned(), source }),
        };
        match file.try_lock() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut words = String::new();
                file.read_to_string(&mut words).ok();
                Ok(Some(Holder(words.trim().to_owned())))
            }
            Err(TryLockError::Error(source)) => {
                Err(FileError { what: "lock", path: path.to_owned(), source })
            }
        }
    }

    /// The file for a child's standard input.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::process::{Input, Invocation};
    use std::time::Duration;

    #[test]
    fn a_lock_is_held_once_and_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.lock");
        assert_eq!(ReleaseLock::holder(&path).unwrap(), None);
        let lock = ReleaseLock::take(&path, "run 1").unwrap().unwrap();
        let other = ReleaseLock::take(&path, "run 2").unwrap().unwrap_err();
        assert_eq!(other, Holder("run 1".to_owned()));
        assert_eq!(ReleaseLock::holder(&path).unwrap(), Some(other));
        drop(lock);
        assert_eq!(ReleaseLock::holder(&path).unwrap(), None);
        assert!(ReleaseLock::take(&path, "run 2").unwrap().is_ok());
    }

    #[tokio::test]
    async fn a_child_keeps_the_lock_when_we_let_go_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.lock");
        let lock = ReleaseLock::take(&path, "run 1").unwrap().unwrap();
        let call = Invocation {
            stdin: Input::File(lock.file()),
            outlives_us: true,
            ..Invocation::new("sleep", ["0.6"])
        };
        drop(lock);
        // Dropping the future before the child's end is what happens when we stop waiting.
        let cut = tokio::time::timeout(Duration::from_millis(200), async move { call.run().await });
        assert!(cut.await.is_err());
        assert!(ReleaseLock::holder(&path).unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert!(ReleaseLock::holder(&path).unwrap().is_none());
    }
}
