//! A file that only grows, a line at a time, and is locked by whoever writes it as long as that one lives.

use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::files::{self, FileError};

/// A journal that is written. Clones share it; the lock is held until the last is gone.
#[derive(Debug, Clone)]
pub struct JournalFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Mutex<File>,
    path: std::path::PathBuf,
}

impl JournalFile {
    /// Begins a new journal; one of that name must not be there.
    pub fn begin(path: &Path) -> Result<Self, FileError> {
        let failed =
            |what| move |source: io::Error| FileError { what, path: path.to_owned(), source };
        let folder = path.parent().unwrap_or(Path::new("."));
        files::create_folder(folder)?;
        let options = File::options().append(true).create_new(true).mode(0o600).open(path);
        let file = options.map_err(failed("create"))?;
        file.lock().map_err(failed("lock"))?;
        // A file whose name is lost in a crash is no journal.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write"))?;
        Ok(Self(Arc::new(Inner { file: Mutex::new(file), path: path.to_owned() })))
    }

    /// Adds a line. A durable one is on the disk when this returns.
    pub async fn append(&self, line: String, durable: bool) -> Result<(), FileError> {
        let inner = Arc::clone(&self.0);
        let path = self.0.path.clone();
        let write = move || {
            let mut file = inner.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(line.as_bytes())?;
            if durable { file.sync_data() } else { Ok(()) }
        };
        let written = tokio::task::spawn_blocking(write)
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|source| FileError { what: "write", path, source })
    }
}

/// Whether whoever writes a journal lives; nothing when there is no such file.
pub fn is_written(path: &Path) -> Result<Option<bool>, FileError> {
    let failed = |what| move |source: io::Error| FileError { what, path: path.to_owned(), source };
    let file = match File::options().append(true).open(path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed("read")(source)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(false)),
        Err(TryLockError::WouldBlock) => Ok(Some(true)),
        Err(TryLockError::Error(source)) => Err(failed("lock")(source)),
    }
}

/// Adds a line to the journal of one who is dead.
pub fn close(path: &Path, line: &str) -> Result<(), FileError> {
    let failed = |source| FileError { what: "write", path: path.to_owned(), source };
    let mut file = File::options().append(true).open(path).map_err(failed)?;
    // What it wrote last may be torn.
    file.write_all(format!("\n{line}").as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_journal_is_written_as_long_as_its_writer_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/run.jsonl");
        assert_eq!(is_written(&path).unwrap(), None);
        let journal = JournalFile::begin(&path).unwrap();
        journal.append("one\n".to_owned(), true).await.unwrap();
        journal.append("tw".to_owned(), false).await.unwrap();
        assert_eq!(is_written(&path).unwrap(), Some(true));
        assert!(JournalFile::begin(&path).is_err(), "no run writes into another's journal");
        drop(journal);
        assert_eq!(is_written(&path).unwrap(), Some(false));
        close(&path, "three\n").unwrap();
        assert_eq!(files::read(&path).unwrap(), "one\ntw\nthree\n");
    }
}
