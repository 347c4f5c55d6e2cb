//! Processes by their ids: which run a program from a folder, and ending them. Never by name, never by a bare id out of a file,
//! which may be somebody else's by now.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use super::files;
use super::process::Invocation;

/// How long between two looks at processes that are on their way out.
const POLL: Duration = Duration::from_millis(50);

/// A living process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its id.
    pub id: i32,
    /// The program, as it was called.
    pub program: String,
}

impl Process {
    /// The program's file name.
    pub fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or(&self.program)
    }
}

/// The living processes whose program was called by a path inside a folder.
pub async fn running_in(folder: &Path) -> BTreeSet<Process> {
    let all = if Path::new("/proc/self/cmdline").exists() { from_proc() } else { from_ps().await };
    let inside = |process: &Process| Path::new(&process.program).starts_with(folder);
    all.into_iter().filter(inside).collect()
}

fn from_proc() -> Vec<Process> {
    let read = |path: std::path::PathBuf| {
        let id = path.file_name()?.to_str()?.parse().ok()?;
        // A process that ends meanwhile has no such file; one that waits to be collected has an empty one.
        let line = files::read_bytes(&path.join("cmdline")).ok()?;
        let program = line.split(|byte| *byte == 0).next().filter(|word| !word.is_empty())?;
        Some(Process { id, program: String::from_utf8_lossy(program).into_owned() })
    };
    files::list(Path::new("/proc")).unwrap_or_default().into_iter().filter_map(read).collect()
}

async fn from_ps() -> Vec<Process> {
    let listing = Invocation::new("/bin/ps", ["-axww", "-o", "pid=,command="]).run().await;
    let read = |line: &str| {
        let (id, command) = line.trim().split_once(char::is_whitespace)?;
        let id = id.parse().ok()?;
        // The path may hold blanks; its arguments begin with the first dash behind one.
        let program = command.trim().split(" -").next().unwrap_or(command).trim();
        Some(Process { id, program: program.to_owned() })
    };
    listing.map(|said| said.stdout.lines().filter_map(read).collect()).unwrap_or_default()
}

/// Asks processes to end.
pub fn ask_to_end<'a>(processes: impl IntoIterator<Item = &'a Process>) {
    signal(processes, Signal::SIGTERM);
}

/// Ends processes at once.
pub fn end<'a>(processes: impl IntoIterator<Item = &'a Process>) {
    signal(processes, Signal::SIGKILL);
}

fn signal<'a>(processes: impl IntoIterator<Item = &'a Process>, signal: Signal) {
    for process in processes {
        // One that is gone already is what we want.
        kill(Pid::from_raw(process.id), signal).ok();
    }
}

/// Waits until nothing that is meant runs from a folder, or the time is over. Gives what still runs.
pub async fn until_gone(
    folder: &Path,
    meant: impl Fn(&Process) -> bool,
    patience: Duration,
) -> BTreeSet<Process> {
    let start = Instant::now();
    loop {
        let mut left = running_in(folder).await;
        left.retain(|process| meant(process));
        if left.is_empty() || start.elapsed() > patience {
            return left;
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_runs_from_the_folder_is_found_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink("/bin/sleep", root.join("sleep")).unwrap();
        let ours = Invocation::new(root.join("sleep"), ["30"]);
        let call = ours.run();
        tokio::pin!(call);
        let look = async {
            loop {
                let found = running_in(&root).await;
                if !found.is_empty() {
                    return found;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        let found =
            tokio::select! { found = look => found, ended = &mut call => panic!("{ended:?}") };
        assert_eq!(found.first().map(Process::name), Some("sleep"));
        assert!(running_in(&root.join("other")).await.is_empty());
        end(&found);
        assert!(call.await.is_err());
        assert!(until_gone(&root, |_| true, Duration::from_secs(2)).await.is_empty());
    }
}
