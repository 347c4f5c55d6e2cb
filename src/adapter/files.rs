//! The one door to files: errors name the path, writes are whole or not at all.
#![expect(clippy::disallowed_methods, reason = "the door to files")]

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file could not be read, written or removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`", path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, `create`, `remove`, `list`, `rename`.
    pub what: &'static str,
    /// The path.
    pub path: PathBuf,
    /// The reason.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Whether the path is not there.
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

fn error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError { what, path, source }
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<String, FileError> {
    std::fs::read_to_string(path).map_err(error("read", path))
}

/// Reads a file's bytes.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(error("read", path))
}

/// Writes a file whole or not at all: a temporary file beside it, then a rename. Missing folders are made.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    write_with_mode(path, bytes.as_ref(), 0o644)
}

/// As [`write()`], readable by its owner alone.
pub fn write_private(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    write_with_mode(path, bytes.as_ref(), 0o600)
}

/// As [`write()`], executable.
pub fn write_executable(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), FileError> {
    write_with_mode(path, bytes.as_ref(), 0o755)
}

fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    create_folder(folder)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(mode))
        .tempfile_in(folder)
        .map_err(error("write", path))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(error("write", path))?;
    file.persist(path).map(drop).map_err(|failed| error("write", path)(failed.error))
}

/// Makes a folder and those above it.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    std::fs::create_dir_all(path).map_err(error("create", path))
}

/// Removes a file; one that is not there is fine.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(error("remove", path)),
    }
}

/// Removes a folder with all in it; one that is not there is fine.
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_dir_all(path) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(error("remove", path)),
    }
}

/// Removes a folder that holds nothing; one that holds something stays, which is no failure.
pub fn remove_empty_folder(path: &Path) {
    std::fs::remove_dir(path).ok();
}

/// Renames a file or folder within a file system.
pub fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    std::fs::rename(from, to).map_err(error("rename", from))
}

/// The entries of a folder, sorted by name.
pub fn list(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = std::fs::read_dir(path).map_err(error("list", path))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(error("list", path))?;
    paths.sort();
    Ok(paths)
}

/// Whether a file is there.
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Whether a folder is there.
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// Puts a folder with files in place, whole or not at all: a temporary folder beside it, then a rename. When another run was
/// faster, its folder stays. The paths of the files are relative to the folder.
pub fn place_folder<'a>(
    path: &Path,
    files: impl IntoIterator<Item = (&'a Path, &'a [u8])>,
) -> Result<(), FileError> {
    if is_folder(path) {
        return Ok(());
    }
    let above = path.parent().unwrap_or(Path::new("."));
    create_folder(above)?;
    let unfinished = tempfile::Builder::new()
        .prefix(".unfinished-")
        .tempdir_in(above)
        .map_err(error("create", path))?;
    for (relative, bytes) in files {
        let file = unfinished.path().join(relative);
        create_folder(file.parent().unwrap_or(unfinished.path()))?;
        std::fs::write(&file, bytes).map_err(error("write", &file))?;
    }
    match std::fs::rename(unfinished.path(), path) {
        Err(_) if is_folder(path) => Ok(()),
        Err(failed) => Err(error("rename", path)(failed)),
        Ok(()) => {
            // The folder moved away under its new name; nothing is left to remove.
            drop(unfinished.keep());
            Ok(())
        }
    }
}
