//! The marks of a run: a folder and a cgroup named by process id and start time, so that the next run can tell the dead from
//! the living; and what calls of programs give.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::place::Place;
use crate::support::sandbox::{repository, tools};

/// Whose something is: a process, told from a later one with the same id by when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pid: u32,
    started: String,
}

const PREFIX: &str = "datamill-test-";

impl Mark {
    /// The mark of a process that lives.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, started: stat(pid)?.1 })
    }

    /// This process's.
    pub(crate) fn own() -> Self {
        Self::of(std::process::id()).expect("this process has a line in /proc")
    }

    /// The name of what carries it: cluster, cgroup, folder.
    pub(crate) fn name(&self) -> String {
        format!("{PREFIX}{}-{}", self.pid, self.started)
    }

    /// Reads it from a name, which may go on behind it.
    fn read(name: &str) -> Option<Self> {
        let (pid, started) = name.strip_prefix(PREFIX)?.split_once('-')?;
        let started = started.split_once('-').map_or(started, |(started, _)| started);
        let digits = !started.is_empty() && started.chars().all(|c| c.is_ascii_digit());
        Some(Self { pid: pid.parse().ok().filter(|_| digits)?, started: started.to_owned() })
    }

    /// The process that holds what its run started.
    pub(crate) fn keeper(&self) -> Option<u32> {
        let path = keeper().display().to_string();
        let is_keeper = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&path)
        };
        children(self.pid).into_iter().find(is_keeper)
    }

    fn lives(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now == *self)
    }

    /// The folder of the run.
    pub(crate) fn folder(&self) -> PathBuf {
        base().join(self.name())
    }
}

/// Where the folders of runs lie: on disk beside what is built, or, where that makes the path of a socket too long, among
/// the machine's temporary files.
fn base() -> PathBuf {
    let near = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    if near.as_os_str().len() < 60 { near } else { std::env::temp_dir() }
}

/// Parent and start time of a process that lives and is no zombie.
fn stat(pid: u32) -> Option<(u32, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows is words.
    let words: Vec<_> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let zombie = matches!(*words.first()?, "Z" | "X");
    (!zombie).then_some((words.get(1)?.parse().ok()?, (*words.get(19)?).to_owned()))
}

/// The processes whose parent this is.
pub(super) fn children(pid: u32) -> Vec<u32> {
    processes().filter(|child| stat(*child).is_some_and(|(parent, _)| parent == pid)).collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The script that holds what a run started.
pub(super) fn keeper() -> PathBuf {
    repository().join("tests/support/node/keeper")
}

/// Takes away what dead runs left: folders and cgroups of engines, clusters in an engine that is not ours.
pub(super) fn sweep(place: Place) -> Result<(), String> {
    if place == Place::Running {
        sweep_clusters()?;
    }
    // Sandboxes lie among the machine's temporary files.
    let folders = BTreeSet::from([base(), std::env::temp_dir()]);
    let entries = folders.iter().map(fs::read_dir).collect::<Result<Vec<_>, _>>();
    let entries = entries.map_err(|error| error.to_string())?;
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(mark) = Mark::read(&name).filter(|mark| !mark.lives()) else { continue };
        let name = mark.name();
        // Its keeper may be at it.
        for _ in 0..600 {
            if !entry.path().exists() || !keepers(&name) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        if entry.path().exists() {
            let mut call = Command::new(keeper());
            said(call.arg("sweep").arg(entry.path()).arg(&name))?;
        }
    }
    Ok(())
}

/// Deletes clusters of dead runs in an engine that is not ours. Their keepers may be at it.
fn sweep_clusters() -> Result<(), String> {
    let kind = |args: &[&str]| said(Command::new(tools().join("kind")).args(args));
    let mut why = String::new();
    for _ in 0..60 {
        let all = kind(&["get", "clusters"])?;
        let dead = |name: &&str| Mark::read(name).is_some_and(|mark| !mark.lives());
        let Some(name) = all.lines().find(dead) else { return Ok(()) };
        if let Err(error) = kind(&["delete", "cluster", "--name", name]) {
            why = error;
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
    Err(format!("clusters of dead runs stay: {why}"))
}

/// Whether a process other than this one has a name in its arguments.
fn keepers(name: &str) -> bool {
    !named("cmdline", name).is_empty()
}

/// Processes with a name in their arguments or environment.
fn named(place: &str, name: &str) -> Vec<String> {
    let own = std::process::id();
    let line = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/{place}")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ")
    };
    let others = processes().filter(|pid| *pid != own);
    others.map(|pid| format!("{pid} {}", line(pid))).filter(|line| line.contains(name)).collect()
}

/// What of a run is still there: processes, mounts, cgroups, its folder.
pub(crate) fn leftovers(mark: &Mark) -> Vec<String> {
    let name = mark.name();
    let mut left = named("cmdline", &name);
    left.extend(named("environ", &name));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    left.extend(mounts.lines().filter(|line| line.contains(&name)).map(str::to_owned));
    let mut find = Command::new("find");
    find.args(["/sys/fs/cgroup", "-type", "d", "-name", &name]).stdin(Stdio::null());
    let found = find.output().map(|output| output.stdout).unwrap_or_default();
    left.extend(String::from_utf8_lossy(&found).lines().map(str::to_owned));
    for folder in [base(), std::env::temp_dir()] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let own = entries.filter(|one| one.file_name().to_string_lossy().starts_with(&name));
        left.extend(own.map(|one| one.path().display().to_string()));
    }
    left
}

/// What a program says on standard output; else what it said on both, and why.
pub(super) fn said(command: &mut Command) -> Result<String, String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown}: {}\n{text}{errors}", output.status))
}

/// A file's text.
pub(super) fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_name_and_dies_with_its_process() {
        let own = Mark::own();
        assert_eq!(Mark::read(&own.name()), Some(own.clone()));
        assert_eq!(Mark::read(&format!("{}-demo", own.name())), Some(own.clone()));
        assert!(own.lives());
        let earlier = Mark { started: "1".to_owned(), ..own };
        assert!(!earlier.lives());
        assert_eq!(Mark::read("datamill-test-demo"), None);
        assert_eq!(Mark::read("datamill-test-12-"), None);
        assert_eq!(Mark::read("somebody-12-34"), None);
    }
}
