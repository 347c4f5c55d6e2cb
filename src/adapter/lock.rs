//! Locks between runs: a locked file. The operating system lets go when its holder dies, however it dies.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::{self, FileError};

/// How long between two tries for a lock that another run holds.
const POLL: Duration = Duration::from_millis(100);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// The lock's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file: a child that inherits it holds the lock as long as it lives.
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// Takes a lock if nobody holds it. The file and its folder are made when missing, and stay.
pub fn try_lock(path: &Path) -> Result<Option<Lock>, FileError> {
    let failed = |source: io::Error| FileError { what: "lock", path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        files::create_folder(folder)?;
    }
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { file, path: path.to_owned() })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Takes a lock and leaves words in it for others, or gives the words of the one who holds it.
pub fn try_lock_as(path: &Path, words: &str) -> Result<Result<Lock, String>, FileError> {
    let failed = |source: io::Error| FileError { what: "write", path: path.to_owned(), source };
    if let Some(lock) = try_lock(path)? {
        let mut file = lock.file();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(words.as_bytes()))
            .map_err(failed)?;
        return Ok(Ok(lock));
    }
    let mut words = String::new();
    // Who it is matters less than that it is held.
    if let Ok(mut file) = File::open(path) {
        file.read_to_string(&mut words).ok();
    }
    Ok(Err(words.trim().to_owned()))
}

/// Whether somebody holds a lock; nobody holds one without a file.
pub fn is_held(path: &Path) -> Result<bool, FileError> {
    let failed = |source: io::Error| FileError { what: "look at", path: path.to_owned(), source };
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Waits for a lock as long as it takes; `on_wait` is told once when another run holds it.
pub async fn lock(path: &Path, on_wait: impl FnOnce()) -> Result<Lock, FileError> {
    let mut on_wait = Some(on_wait);
    loop {
        if let Some(lock) = try_lock(path)? {
            return Ok(lock);
        }
        if let Some(on_wait) = on_wait.take() {
            on_wait();
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_learns_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/lock");
        assert!(!is_held(&path).unwrap());
        let first = try_lock_as(&path, "somebody with a long name").unwrap().unwrap();
        assert!(is_held(&path).unwrap());
        assert_eq!(try_lock_as(&path, "b").unwrap().unwrap_err(), "somebody with a long name");
        drop(first);
        let _second = try_lock_as(&path, "b").unwrap().unwrap();
        assert_eq!(try_lock_as(&path, "c").unwrap().unwrap_err(), "b");
    }

    #[tokio::test]
    async fn the_second_waits_until_the_first_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/lock");
        let first = try_lock(&path).unwrap().unwrap();
        assert!(try_lock(&path).unwrap().is_none());
        let mut waited = false;
        let second = lock(&path, || waited = true);
        let release = async {
            tokio::time::sleep(POLL * 2).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, release);
        assert!(second.is_ok());
        assert!(waited);
    }
}
