//! Gets a tool by Go: pinned modules, verified by Go's checksum database or our go.sum, under a temporary name first.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::find::Origin;
use super::folders::go_folders;
use super::{How, OnToolEvent, Recipe, Tool, ToolEvent, Toolchain};
use crate::adapter::files::{self, FileError};
use crate::adapter::lock;
use crate::adapter::process::{Invocation, ProcessError};

/// The module that brings the Kubernetes programs and etcd: made by `go mod tidy`.
const MODULE: [(&str, &str); 2] = [
    ("go.mod", include_str!("go/kubernetes/go.mod")),
    ("go.sum", include_str!("go/kubernetes/go.sum")),
];
/// A build on a slow machine with nothing in Go's caches may take long.
const LONGEST: Duration = Duration::from_hours(1);

/// Why a tool could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    #[error("Go is not installed")]
    NoGo,
    #[error(transparent)]
    Go(#[from] ProcessError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("Go ended well and left no `{0}`")]
    Nothing(&'static str),
}

impl Toolchain {
    /// Builds a tool's pinned version into the cache. One build at a time, here and in other runs.
    pub(super) async fn build(
        &self,
        tool: Tool,
        progress: OnToolEvent<'_>,
    ) -> Result<PathBuf, BuildError> {
        let go = self.go().ok_or(BuildError::NoGo)?;
        let waiting = |what: &str| {
            let what = what.to_owned();
            progress(ToolEvent::Waiting { tool, what });
        };
        let _turn = if let Ok(turn) = self.building.try_lock() {
            turn
        } else {
            waiting("Go, which builds another tool");
            self.building.lock().await
        };
        let door = self.settings.cache.join("tools/go.lock");
        let _lock = lock::lock(&door, || waiting("another run, which builds a tool")).await?;
        let takes = tool.build_takes();
        progress(ToolEvent::Started { tool, how: How::Build, takes });
        let workplace = self.workplace(tool)?;
        let program = workplace.path().join(tool.name());
        let (call, package) = self.call(tool, go, workplace.path().to_owned())?;
        run(call, tool, progress).await?;
        if !program.exists() {
            return Err(BuildError::Nothing(tool.name()));
        }
        Ok(self.settle(tool, &program, &Origin { how: How::Built, from: package })?)
    }

    /// The call of Go that puts the program into a folder, and what it is built from.
    fn call(
        &self,
        tool: Tool,
        go: PathBuf,
        into: PathBuf,
    ) -> Result<(Invocation, String), BuildError> {
        let flags = tool.linker_flags();
        let mut args: Vec<OsString> = Vec::new();
        let mut folder = into.clone();
        let from = match tool.recipe() {
            Recipe::Install { package } => {
                let from = format!("{package}@v{}", tool.wanted());
                args.extend(["install", "-v", "-trimpath", "-ldflags", &flags].map(Into::into));
                args.push(from.clone().into());
                from
            }
            Recipe::Module { package } => {
                folder = into.join("module");
                for (name, text) in MODULE {
                    files::write(&folder.join(name), text)?;
                }
                args.extend(["build", "-v", "-trimpath", "-ldflags", &flags, "-o"].map(Into::into));
                args.push(into.join(tool.name()).into());
                args.push(package.into());
                format!("{package}@v{}", tool.wanted())
            }
        };
        let mut call = Invocation::new(go, args).deadline(LONGEST);
        call.folder = Some(folder);
        call.redactor = self.settings.redactor.clone();
        // Flags and targets that a user set for work of their own would change what comes out; GOPROXY and its like stay.
        call.without =
            ["GOOS", "GOARCH", "GOEXPERIMENT", "GOARM64", "GOAMD64"].map(str::to_owned).into();
        let folders = go_folders(&self.settings.environment, &self.settings.cache.join("go"));
        let mut flags = "-mod=readonly -buildvcs=false".to_owned();
        if folders.own_modules {
            // Go writes modules read-only, and a cache must be easy to delete.
            flags.push_str(" -modcacherw");
        }
        call.env = folders.env;
        call.env.extend([
            ("CGO_ENABLED".to_owned(), OsString::from("0")),
            ("GO111MODULE".to_owned(), "on".into()),
            ("GOFLAGS".to_owned(), flags.into()),
            ("GOWORK".to_owned(), "off".into()),
            ("GOBIN".to_owned(), into.into()),
            ("PATH".to_owned(), self.settings.path.clone()),
        ]);
        Ok((call, from))
    }
}

/// Runs Go and tells each package that it compiles.
async fn run(
    mut call: Invocation,
    tool: Tool,
    progress: OnToolEvent<'_>,
) -> Result<(), BuildError> {
    let (says, mut said) = mpsc::channel::<(usize, String)>(64);
    let count = AtomicUsize::new(0);
    call.on_line = Some(Arc::new(move |line: &str| {
        let done = count.fetch_add(1, Ordering::Relaxed) + 1;
        // A screen that is slow misses some packages, and Go does not wait for it.
        says.try_send((done, line.to_owned())).ok();
    }));
    let tell = async {
        while let Some((done, last)) = said.recv().await {
            progress(ToolEvent::Packages { tool, done, last });
        }
    };
    let work = async move { call.run().await };
    let (result, ()) = tokio::join!(work, tell);
    result?;
    Ok(())
}
