//! The binary in a sandbox: own HOME, own folders, tools found once for all tests. What a test starts ends with it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

/// A folder of its own with HOME, project and environment.
pub(crate) struct Sandbox {
    root: TempDir,
    env: BTreeMap<String, OsString>,
    /// What stands before every program.
    prefix: Vec<String>,
    turn: Option<Turn>,
}

/// What a run of the binary gave.
#[derive(Debug)]
#[must_use = "look at the exit code"]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    /// A sandbox without tools: whatever needs one must get it itself, which fails.
    pub(crate) fn bare() -> Self {
        let root = tempfile::Builder::new().prefix(&mark()).tempdir().unwrap();
        let mut sandbox = Self { root, env: BTreeMap::new(), prefix: Vec::new(), turn: None };
        for folder in ["home", "project"] {
            std::fs::create_dir_all(sandbox.root.path().join(folder)).unwrap();
        }
        sandbox.set("HOME", sandbox.home());
        sandbox.set("PATH", "/usr/bin:/bin");
        let root = sandbox.root.path().to_owned();
        sandbox.set("TMPDIR", root.clone());
        // Whatever engine runs on this machine is not the sandbox's.
        sandbox.set("DOCKER_HOST", format!("unix://{}", root.join("no-docker.sock").display()));
        sandbox
    }

    /// A sandbox with the tools on its PATH, and a turn among the tests that start clusters.
    pub(crate) fn with_tools() -> Self {
        let mut sandbox = Self::bare();
        let mut path = OsString::from(tools());
        path.push(":/usr/bin:/bin");
        sandbox.set("PATH", path);
        sandbox.turn = Some(Turn::take());
        sandbox
    }

    /// Another machine: the same project and environment, an empty HOME.
    pub(crate) fn elsewhere(&self) -> Self {
        let mut other = Self::bare();
        for (key, value) in &self.env {
            if !matches!(key.as_str(), "HOME" | "TMPDIR") {
                other.set(key, value.clone());
            }
        }
        copy(&self.project(), &other.project());
        other
    }

    /// The sandbox's HOME.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The folder commands run in.
    pub(crate) fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// Sets a variable for all later commands.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<OsString>) {
        self.env.insert(key.to_owned(), value.into());
    }

    /// Puts words before every later command: a program that starts it somewhere else.
    pub(crate) fn start_by(&mut self, prefix: Vec<String>) {
        self.prefix = prefix;
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Copies a folder of the repository into the project.
    pub(crate) fn copy(&self, folder: &str) {
        copy(&repository().join(folder), &self.project().join(folder));
    }

    /// The command, ready to run.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = if let Some((first, rest)) = self.prefix.split_first() {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.env_clear().envs(&self.env).current_dir(self.project()).stdin(Stdio::null());
        command
    }

    /// Runs datamill to its end.
    pub(crate) fn datamill<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        self.run(BINARY, args)
    }

    /// Starts datamill, output piped.
    pub(crate) fn start<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Child {
        let mut command = self.command(BINARY);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs a program of the sandbox's PATH to its end.
    pub(crate) fn run(
        &self,
        program: &str,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Run {
        let program = which::which_in(program, self.env.get("PATH"), self.project())
            .unwrap_or(program.into());
        let mut command = self.command(program);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command.spawn().unwrap())
    }

    /// Runs kubectl against the sandbox's cluster and expects it to go well.
    pub(crate) fn kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let context = self.context();
        // Its cache is this helper's, and no residue of datamill.
        let cache = self.root.path().join("kubectl").display().to_string();
        let first = ["--context".to_owned(), context, "--cache-dir".to_owned(), cache];
        let run = self.run("kubectl", first.into_iter().chain(args.into_iter().map(str::to_owned)));
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stdout
    }

    /// Runs helm against the sandbox's cluster and expects it to go well.
    pub(crate) fn helm<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> String {
        let context = self.context();
        let first = ["--kube-context".to_owned(), context];
        let run = self.run("helm", first.into_iter().chain(args.into_iter().map(str::to_owned)));
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stdout
    }

    /// The context of the project's cluster.
    pub(crate) fn context(&self) -> String {
        let text = std::fs::read_to_string(self.home().join(".kube/config")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("name: "))
            .find(|name| name.starts_with("datamill-"))
            .unwrap_or("no-context")
            .to_owned()
    }

    /// Processes that run with a file below the sandbox in their arguments.
    pub(crate) fn processes(&self) -> Vec<String> {
        let root = self.root.path().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let pid = entry.file_name().to_string_lossy().into_owned();
            if !pid.chars().all(|c| c.is_ascii_digit()) || pid == std::process::id().to_string() {
                continue;
            }
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&root) {
                found.push(format!("{pid} {line}"));
            }
        }
        found
    }
}

impl Drop for Sandbox {
    /// Ends what the test left running, by process id.
    fn drop(&mut self) {
        for _ in 0..3 {
            for process in self.processes() {
                let pid = process.split(' ').next().and_then(|pid| pid.parse().ok()).unwrap();
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL)
                    .ok();
            }
        }
    }
}

/// What the folders of this process's sandboxes begin with. On Linux its id and start time are in it, so that a later run can
/// tell those of dead processes and sweep them up.
fn mark() -> String {
    #[cfg(target_os = "linux")]
    return format!("{}-", super::node::Mark::own().name());
    #[cfg(not(target_os = "linux"))]
    "datamill-test-".to_owned()
}

/// The program under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_datamill");

/// The repository's root.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Waits for a child and takes what it said.
pub(crate) fn finish(mut child: Child) -> Run {
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut text = Vec::new();
    stdout.read_to_end(&mut text).unwrap();
    let status = child.wait().unwrap();
    Run {
        code: status.code(),
        stdout: String::from_utf8_lossy(&text).into_owned(),
        stderr: reader.join().unwrap(),
    }
}

/// The folder with links to all tools, got once: by the same command as any user's, into the user's own cache, so that
/// `cargo run` and `cargo test` share them.
pub(crate) fn tools() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let output =
            Command::new(BINARY).args(["tools", "install", "--output", "json"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools");
        std::fs::create_dir_all(&folder).unwrap();
        for tool in listed["tools"].as_array().unwrap() {
            let name = tool["name"].as_str().unwrap();
            // At one stroke: other test processes use these links too.
            let link = folder.join(format!("{name}.{}", std::process::id()));
            std::os::unix::fs::symlink(tool["location"].as_str().unwrap(), &link).unwrap();
            std::fs::rename(&link, folder.join(name)).unwrap();
        }
        folder
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// At most this many clusters at a time: each is five processes.
const CLUSTERS: usize = 2;

/// A turn among the tests that start clusters.
struct Turn;

static RUNNING: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

impl Turn {
    fn take() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = FREE
            .wait_while(running, |running| *running >= CLUSTERS)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREE.notify_one();
    }
}
