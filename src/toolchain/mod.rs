//! Finds, checks and gets the programs that datamill drives: on `PATH`, in the cache, by download, by `go build` of pinned
//! modules, in this order. Nothing half written is ever used: what is got lies under a temporary name until it is whole and
//! checked. Two runs at once share the work: the second waits for the first.

mod build;
mod fetch;
mod find;
mod folders;
mod platform;
mod tool;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use semver::Version;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::adapter::download::Downloads;
use crate::adapter::{files, lock};
use crate::model::{Failure, FailureKind, Redactor};

pub use platform::Platform;
pub use tool::{ETCD, HELM, KIND, KUBERNETES, KWOK, Recipe, Release, Sources, Tool};
pub use tool::{checksum_in, version_in};

/// Where tools are looked for and kept.
#[derive(Debug, Clone)]
pub struct ToolSettings {
    /// The user's cache folder for datamill; tools lie in `tools/` below it.
    pub cache: PathBuf,
    /// `PATH`.
    pub path: OsString,
    /// The environment, read once. Go's own settings (`GOPROXY` and so on) are respected.
    pub environment: BTreeMap<String, String>,
    /// Masks secrets in what programs say.
    pub redactor: Redactor,
    /// Where releases are downloaded from.
    pub sources: Sources,
}

impl ToolSettings {
    /// Settings with the official addresses.
    pub fn new(cache: PathBuf, environment: BTreeMap<String, String>, redactor: Redactor) -> Self {
        let path = environment.get("PATH").map(OsString::from).unwrap_or_default();
        Self { cache, path, environment, redactor, sources: Sources::default() }
    }
}

/// How a tool is had, or would be got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It stands on `PATH`.
    Path,
    /// An earlier run downloaded it.
    Downloaded,
    /// An earlier run built it.
    Built,
    /// It would be downloaded, and built by Go if that fails.
    Download,
    /// Go would build it.
    Build,
    /// There is no way: no release for this machine, and no Go.
    Nowhere,
}

impl How {
    /// In words, for tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Path => "on PATH",
            Self::Downloaded => "downloaded",
            Self::Built => "built by Go",
            Self::Download => "to be downloaded",
            Self::Build => "to be built by Go",
            Self::Nowhere => "not to be had here",
        }
    }
}

/// A tool as `datamill tools` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolState {
    /// Which.
    pub tool: Tool,
    /// The version that datamill would get.
    pub wanted: Version,
    /// The version that is there and does.
    pub found: Option<Version>,
    /// Where it is.
    pub location: Option<PathBuf>,
    /// How it is had, or would be got.
    pub how: How,
    /// Whether its checksum stands in our own files (go.sum), rather than only beside the release; nothing for what the user
    /// put on `PATH`.
    pub pinned: Option<bool>,
    /// How long getting it takes, about; nothing when it is there.
    pub takes: Duration,
    /// How long Go takes, about, should the download fail.
    pub build_takes: Option<Duration>,
    /// What was found and does not do, a line each.
    pub passed_over: Vec<String>,
}

/// What happens while tools are got.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolEvent {
    /// A way is tried.
    Started {
        /// Which.
        tool: Tool,
        /// `Download` or `Build`.
        how: How,
        /// How long it takes, about.
        takes: Duration,
    },
    /// A download goes on.
    Bytes {
        /// Which.
        tool: Tool,
        /// Bytes that have come.
        done: u64,
        /// Of how many, when the host says so.
        total: Option<u64>,
    },
    /// A build goes on.
    Packages {
        /// Which.
        tool: Tool,
        /// Packages compiled so far by this build.
        done: usize,
        /// The last of them.
        last: String,
    },
    /// Another run or another build is at it.
    Waiting {
        /// Which.
        tool: Tool,
        /// For what.
        what: String,
    },
    /// A way did not work; the next is tried.
    Failed {
        /// Which.
        tool: Tool,
        /// `Download` or `Build`.
        how: How,
        /// Why.
        because: String,
    },
    /// It is there.
    Done {
        /// Which.
        tool: Tool,
        /// `Downloaded` or `Built`.
        how: How,
        /// Where.
        location: PathBuf,
        /// How long it took.
        took: Duration,
    },
}

/// Is told what happens while tools are got.
pub type OnToolEvent<'a> = &'a (dyn Fn(ToolEvent) + Send + Sync);

/// Tools that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolSet(BTreeMap<Tool, PathBuf>);

impl ToolSet {
    /// Where a tool is; its bare name when it was not asked for.
    pub fn path(&self, tool: Tool) -> PathBuf {
        self.0.get(&tool).cloned().unwrap_or_else(|| PathBuf::from(tool.name()))
    }
}

impl FromIterator<(Tool, PathBuf)> for ToolSet {
    fn from_iter<I: IntoIterator<Item = (Tool, PathBuf)>>(found: I) -> Self {
        Self(found.into_iter().collect())
    }
}

/// The tools of a run.
#[derive(Debug)]
pub struct Toolchain {
    settings: ToolSettings,
    downloads: Downloads,
    /// Go uses all cores for one build; two at a time only need more memory.
    building: Mutex<()>,
}

impl Toolchain {
    /// Sets up; nothing is looked for yet.
    pub fn new(settings: ToolSettings) -> Self {
        Self::with_downloads(settings, Downloads::new())
    }

    /// Sets up with downloads of other limits.
    pub fn with_downloads(settings: ToolSettings, downloads: Downloads) -> Self {
        Self { settings, downloads, building: Mutex::new(()) }
    }

    /// How every tool stands, in the order of [`Tool::ALL`].
    pub async fn states(&self) -> Vec<ToolState> {
        let go = self.go();
        let go = go.as_ref();
        let looks = Tool::ALL.map(|tool| self.find(tool));
        let looked = join_all(looks).await;
        Tool::ALL.into_iter().zip(looked).map(|(tool, look)| self.state(tool, look, go)).collect()
    }

    fn state(&self, tool: Tool, look: find::Look, go: Option<&PathBuf>) -> ToolState {
        let released =
            Platform::current().and_then(|at| self.settings.sources.release(tool, at)).is_some();
        let (how, takes) = match (&look.found, released, go) {
            (Some(found), _, _) => (found.how, Duration::ZERO),
            (None, true, _) => (How::Download, tool.download_takes()),
            (None, false, Some(_)) => (How::Build, tool.build_takes()),
            (None, false, None) => (How::Nowhere, Duration::ZERO),
        };
        let (found, location) = match look.found {
            Some(found) => (Some(found.version), Some(found.path)),
            None => (None, None),
        };
        ToolState {
            tool,
            wanted: tool.wanted(),
            found,
            location,
            how,
            pinned: match how {
                How::Built | How::Build => Some(true),
                How::Downloaded | How::Download => Some(false),
                How::Path | How::Nowhere => None,
            },
            takes,
            build_takes: (how == How::Download && go.is_some()).then(|| tool.build_takes()),
            passed_over: look.passed_over,
        }
    }

    /// The version of a tool that is there.
    pub async fn version_of(&self, tool: Tool) -> Option<Version> {
        self.find(tool).await.found.map(|found| found.version)
    }

    /// Makes sure that tools are there, and gets those that are not.
    pub async fn ensure(
        &self,
        tools: &[Tool],
        progress: OnToolEvent<'_>,
    ) -> Result<ToolSet, Failure> {
        let got = join_all(tools.iter().map(|tool| self.one(*tool, progress))).await;
        let mut failures = Vec::new();
        let mut found = BTreeMap::new();
        for (tool, result) in tools.iter().zip(got) {
            match result {
                Ok(path) => {
                    found.insert(*tool, path);
                }
                Err(failure) => failures.push(failure),
            }
        }
        match together(failures) {
            Some(failure) => Err(failure),
            None => Ok(ToolSet(found)),
        }
    }

    async fn one(&self, tool: Tool, progress: OnToolEvent<'_>) -> Result<PathBuf, Failure> {
        let look = self.find(tool).await;
        if let Some(found) = look.found {
            return Ok(found.path);
        }
        let folder = self.folder(tool);
        let waiting = || {
            let what = "another run, which gets it".to_owned();
            progress(ToolEvent::Waiting { tool, what });
        };
        let held = lock::lock(&folder.join("lock"), waiting).await;
        let _held = held.map_err(|error| failure(tool).caused_by(&error))?;
        // The run that held the lock may have got it.
        if let Some(found) = self.in_cache(tool) {
            return Ok(found.path);
        }
        clear_leftovers(&self.home(tool));
        let mut reasons = look.passed_over;
        if reasons.is_empty() {
            reasons.push("it is neither on PATH nor in the cache".to_owned());
        }
        self.get(tool, progress, reasons).await
    }

    async fn get(
        &self,
        tool: Tool,
        progress: OnToolEvent<'_>,
        mut reasons: Vec<String>,
    ) -> Result<PathBuf, Failure> {
        let begun = Instant::now();
        let arrived = |how, location: PathBuf| {
            progress(ToolEvent::Done {
                tool,
                how,
                location: location.clone(),
                took: begun.elapsed(),
            });
            Ok(location)
        };
        let error = match self.download(tool, progress).await {
            Ok(path) => return arrived(How::Downloaded, path),
            Err(error) => error,
        };
        let because = chain(&error);
        progress(ToolEvent::Failed { tool, how: How::Download, because: because.clone() });
        reasons.push(format!("download: {because}"));
        let full = error.is_full_disk();
        if !full {
            match self.build(tool, progress).await {
                Ok(path) => return arrived(How::Built, path),
                Err(error) => {
                    let because = chain(&error);
                    progress(ToolEvent::Failed { tool, how: How::Build, because: because.clone() });
                    reasons.push(format!("build: {because}"));
                }
            }
        }
        Err(self.hints(tool, reasons, full))
    }

    fn hints(&self, tool: Tool, reasons: Vec<String>, full: bool) -> Failure {
        let full = full
            || reasons
                .iter()
                .any(|reason| reason.to_lowercase().contains("no space left on device"));
        let mut failed = failure(tool);
        failed.causes = reasons;
        if full {
            let cache = self.settings.cache.display();
            return failed.hint(format!("free some space for `{cache}`: all tools need 1 GB there, and 4 GB in Go's own cache when they are built"));
        }
        failed
            .hint(format!("put `{}` {} on PATH", tool.name(), tool.accepted()))
            .hint("or connect to the internet, or to a proxy by HTTPS_PROXY")
            .hint("or install Go 1.25 or newer, which builds it: https://go.dev/dl")
    }

    /// The folder of a tool, all versions.
    fn folder(&self, tool: Tool) -> PathBuf {
        self.settings.cache.join("tools").join(tool.name())
    }

    /// The folder of a tool's pinned version.
    fn home(&self, tool: Tool) -> PathBuf {
        self.folder(tool).join(tool.wanted().to_string())
    }

    /// A fresh place for what is not whole yet, in the file system of the cache.
    fn workplace(&self, tool: Tool) -> Result<tempfile::TempDir, files::FileError> {
        let home = self.home(tool);
        files::create_folder(&home)?;
        let made = tempfile::Builder::new().prefix(PARTIAL).tempdir_in(&home);
        made.map_err(|source| files::FileError { what: "create", path: home, source })
    }

    /// Puts a whole and checked program in its place.
    fn settle(
        &self,
        tool: Tool,
        program: &Path,
        origin: &find::Origin,
    ) -> Result<PathBuf, files::FileError> {
        use std::os::unix::fs::PermissionsExt as _;
        let failed = |source| files::FileError { what: "write", path: program.to_owned(), source };
        let file = std::fs::File::open(program).map_err(failed)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o755)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let home = self.home(tool);
        files::write(&home.join("origin.json"), origin.to_json().to_string())?;
        let place = home.join(tool.name());
        files::rename(program, &place)?;
        Ok(place)
    }
}

/// How names of what is not whole yet begin.
const PARTIAL: &str = ".partial-";

/// Removes what a run that was killed left behind; the caller holds the tool's lock, so nobody works on it.
fn clear_leftovers(home: &Path) {
    for path in files::list(home).unwrap_or_default() {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PARTIAL)) {
            // Whatever cannot be removed is only space; the tool itself is not affected.
            files::remove_folder(&path).ok();
        }
    }
}

fn failure(tool: Tool) -> Failure {
    let what = format!("cannot get `{}` {}", tool.name(), tool.wanted());
    Failure::new(FailureKind::Preflight, what)
}

/// An error and its sources on one line.
fn chain(error: &dyn std::error::Error) -> String {
    Failure::new(FailureKind::Preflight, "").caused_by(error).causes.join(": ")
}

/// Several failures as one: the first tool by name, the others beside it.
fn together(failures: Vec<Failure>) -> Option<Failure> {
    let mut failures = failures.into_iter();
    let mut first = failures.next()?;
    for other in failures {
        let tool = other.what.trim_start_matches("cannot get ");
        first.what = format!("{}, {tool}", first.what);
        for cause in other.causes {
            if !first.causes.contains(&cause) {
                first.causes.push(cause);
            }
        }
        for hint in other.hints {
            if !first.hints.contains(&hint) {
                first.hints.push(hint);
            }
        }
    }
    Some(first)
}
