//! Looks for a tool on `PATH` and in the cache.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use semver::Version;
use serde_json::{Value as Json, json};

use super::{How, Tool, Toolchain, version_in};
use crate::adapter::files;
use crate::adapter::process::Invocation;

/// A shim that switches versions is smaller; what it runs may change while it does not.
const PROGRAM: u64 = 1 << 20;

/// What looking for a tool found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// What does.
    pub(super) found: Option<Found>,
    /// What was there and does not do, a line each.
    pub(super) passed_over: Vec<String>,
}

/// A tool that is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) version: Version,
    pub(super) how: How,
}

/// Where a tool in the cache came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) how: How,
    /// The address or the package.
    pub(super) from: String,
}

impl Origin {
    pub(super) fn to_json(&self) -> Json {
        json!({"how": if self.how == How::Built { "built" } else { "downloaded" }, "from": self.from})
    }
}

impl Toolchain {
    /// Looks on `PATH`, then in the cache.
    pub(super) async fn find(&self, tool: Tool) -> Look {
        let mut look = Look::default();
        for path in self.on_path(tool.name()) {
            match self.version(tool, &path).await {
                Ok(version) if tool.accepts(&version) => {
                    look.found = Some(Found { path, version, how: How::Path });
                    return look;
                }
                Ok(version) => look.passed_over.push(format!(
                    "`{}` is version {version}, and {} is needed",
                    path.display(),
                    tool.accepted()
                )),
                Err(because) => {
                    look.passed_over.push(format!("`{}` {because}", path.display()));
                }
            }
        }
        look.found = self.in_cache(tool);
        look
    }

    /// Go itself, if there is one.
    pub(super) fn go(&self) -> Option<PathBuf> {
        let usual = ["/usr/local/go/bin/go", "/opt/homebrew/bin/go"].map(PathBuf::from);
        let root = self.settings.environment.get("GOROOT");
        let rooted = root.map(|root| Path::new(root).join("bin/go"));
        let mut all = self.on_path("go").into_iter().chain(rooted).chain(usual);
        all.find(|path| is_executable(path))
    }

    fn on_path(&self, name: &str) -> Vec<PathBuf> {
        // An empty entry means the current folder, which is never searched for programs.
        std::env::split_paths(&self.settings.path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(name))
            .filter(|path| is_executable(path))
            .collect()
    }

    /// What an earlier run got; it is whole, since it lies under its name.
    pub(super) fn in_cache(&self, tool: Tool) -> Option<Found> {
        let path = self.home(tool).join(tool.name());
        let origin = files::read(&self.home(tool).join("origin.json")).unwrap_or_default();
        let built = origin.contains("\"built\"");
        let how = if built { How::Built } else { How::Downloaded };
        is_executable(&path).then(|| Found { path, version: tool.wanted(), how })
    }

    /// The version of a program, asked once as long as its file does not change.
    async fn version(&self, tool: Tool, path: &Path) -> Result<Version, String> {
        let memory = self.settings.cache.join("tools/found").join(format!("{}.json", tool.name()));
        let stamp = stamp(path);
        if let Some(stamp) = &stamp
            && let Some(known) = files::read(&memory).ok().and_then(|text| remembered(&text, stamp))
        {
            return Ok(known);
        }
        let mut call = Invocation::new(path, tool.version_args().iter().copied())
            .deadline(Duration::from_secs(20));
        call.redactor = self.settings.redactor.clone();
        let said =
            call.run().await.map_err(|error| format!("does not say its version: {error}"))?;
        let version = version_in(&said.stdout)
            .or_else(|| version_in(&said.stderr))
            .ok_or_else(|| "does not say its version".to_owned())?;
        if let Some(stamp) = stamp {
            let record = json!({"file": stamp, "version": version.to_string()});
            // Without a memory it is asked again.
            files::write(&memory, record.to_string()).ok();
        }
        Ok(version)
    }
}

/// What changes when a program's file does; nothing for what is no program of its own.
fn stamp(path: &Path) -> Option<String> {
    let real = path.canonicalize().ok()?;
    let metadata = real.metadata().ok().filter(|metadata| metadata.len() > PROGRAM)?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", real.display(), metadata.len(), changed.as_nanos()))
}

fn remembered(text: &str, stamp: &str) -> Option<Version> {
    let record: Json = serde_json::from_str(text).ok()?;
    let same = record.get("file")?.as_str()? == stamp;
    same.then(|| record.get("version")?.as_str()?.parse().ok())?
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
