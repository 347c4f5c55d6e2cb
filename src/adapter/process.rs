//! The one door to processes. `Ok` means exit status zero. Children run in a process group of their own, so that a terminal's
//! Ctrl-C does not reach them; values go by standard input or private files, never in arguments.
#![expect(clippy::disallowed_methods, reason = "the door to processes")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use backon::{ConstantBuilder, Retryable as _};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::model::Redactor;

/// How often, and how long after one another, a busy program is tried.
const BUSY: ConstantBuilder =
    ConstantBuilder::new().with_delay(Duration::from_millis(20)).with_max_times(100);

/// Is told each line that a child says.
pub type OnLine = Arc<dyn Fn(&str) + Send + Sync>;

/// A program call.
#[derive(Clone)]
pub struct Invocation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables set on top of the inherited environment.
    pub env: BTreeMap<String, OsString>,
    /// Variables taken out of the inherited environment.
    pub without: Vec<String>,
    /// The folder to run in; the current one when absent.
    pub folder: Option<PathBuf>,
    /// What it reads.
    pub stdin: Input,
    /// It is ended when it takes longer.
    pub deadline: Duration,
    /// Is told each line of standard error, masked, as it comes.
    pub on_line: Option<OnLine>,
    /// Ends the child when it turns true.
    pub stop: Option<watch::Receiver<bool>>,
    /// Masks secrets in what the child says.
    pub redactor: Redactor,
    /// Whether the child outlives us when we die or stop waiting (a Helm write must never be cut short by us).
    pub outlives_us: bool,
}

/// What a child reads.
#[derive(Clone, Default)]
pub enum Input {
    /// Nothing.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// An open file; a lock on it lives as long as the child.
    File(Arc<File>),
}

/// What a child that ended well said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Standard output, not masked: it is parsed, not shown.
    pub stdout: String,
    /// Standard error, masked.
    pub stderr: String,
}

/// A child did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("cannot start `{program}`: {because}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        because: String,
    },
    /// It ended with another status than zero.
    #[error("`{program}` ended with {status}: {says}")]
    Status {
        /// The program and its first argument.
        program: String,
        /// `exit status: 1`.
        status: String,
        /// The exit code, absent when a signal ended it.
        code: Option<i32>,
        /// Its last words, masked.
        says: String,
    },
    /// It took too long and was ended.
    #[error("`{program}` did not end within {} s and was ended", deadline.as_secs())]
    Deadline {
        /// The program and its first argument.
        program: String,
        /// The deadline.
        deadline: Duration,
    },
    /// It was ended because the user asked to stop.
    #[error("`{program}` was ended because the run was interrupted")]
    Stopped {
        /// The program and its first argument.
        program: String,
    },
}

impl Invocation {
    /// A call with a deadline of 60 seconds, reading nothing.
    pub fn new<A: Into<OsString>>(
        program: impl Into<PathBuf>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            env: BTreeMap::new(),
            without: Vec::new(),
            folder: None,
            stdin: Input::Nothing,
            deadline: Duration::from_mins(1),
            on_line: None,
            stop: None,
            redactor: Redactor::default(),
            outlives_us: false,
        }
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Sets the deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The program and its first argument, for messages.
    pub fn title(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy();
        match self.args.first() {
            Some(first) => format!("{name} {}", first.to_string_lossy()),
            None => name.into_owned(),
        }
    }

    fn command(&self, files: Option<&Files>) -> std::io::Result<Command> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(&self.env).process_group(0).kill_on_drop(!self.outlives_us);
        self.without.iter().for_each(|key| {
            command.env_remove(key);
        });
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command.stdin(match &self.stdin {
            Input::Nothing => Stdio::null(),
            Input::Bytes(_) => Stdio::piped(),
            Input::File(file) => file.try_clone()?.into(),
        });
        match files {
            Some(files) => {
                command.stdout(files.stdout.try_clone()?).stderr(files.stderr.try_clone()?);
            }
            None => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        Ok(command)
    }

    /// Runs the program to its end.
    pub async fn run(&self) -> Result<Output, ProcessError> {
        let start = |error: std::io::Error| ProcessError::Start {
            program: self.program.display().to_string(),
            because: error.to_string(),
        };
        let files = self.outlives_us.then(Files::new).transpose().map_err(start)?;
        // A program that was written a moment ago is busy while another thread's child, begun meanwhile, still holds it open.
        let busy = |error: &std::io::Error| error.kind() == ErrorKind::ExecutableFileBusy;
        let spawn = || async { self.command(files.as_ref())?.spawn() };
        let mut child = spawn.retry(BUSY).when(busy).await.map_err(start)?;
        let pid = child.id();
        let feed = self.feed(&mut child);
        let stdout = read_all(child.stdout.take());
        let stderr = self.read_lines(child.stderr.take());
        let ended = async {
            let ((), stdout, stderr) = tokio::join!(feed, stdout, stderr);
            let status = child.wait().await;
            match files {
                Some(files) => (status, files.stdout_text(), self.tell_lines(&files.stderr_text())),
                None => (status, stdout, stderr),
            }
        };
        tokio::select! {
            (status, stdout, stderr) = ended => {
                let status = status.map_err(start)?;
                if status.success() {
                    Ok(Output { stdout, stderr })
                } else {
                    let said = if stderr.trim().is_empty() { self.redactor.redact(&stdout) } else { stderr };
                    Err(ProcessError::Status {
                        program: self.title(),
                        status: status.to_string(),
                        code: status.code(),
                        says: last_words(&said),
                    })
                }
            }
            () = tokio::time::sleep(self.deadline) => {
                end_group(pid).await;
                Err(ProcessError::Deadline { program: self.title(), deadline: self.deadline })
            }
            () = stopped(self.stop.clone()) => {
                end_group(pid).await;
                Err(ProcessError::Stopped { program: self.title() })
            }
        }
    }

    fn feed(&self, child: &mut Child) -> impl Future<Output = ()> + use<> {
        let stdin = child.stdin.take();
        let bytes = match &self.stdin {
            Input::Bytes(bytes) => bytes.clone(),
            Input::Nothing | Input::File(_) => Vec::new(),
        };
        async move {
            if let Some(mut stdin) = stdin {
                // A child that ends without reading all closes the pipe; its status says whether that was right.
                drop(stdin.write_all(&bytes).await);
            }
        }
    }

    /// Masks and tells what a child that wrote to a file has said.
    fn tell_lines(&self, text: &str) -> String {
        let text = self.redactor.redact(text);
        if let Some(on_line) = &self.on_line {
            text.lines().for_each(|line| on_line(line));
        }
        text
    }

    async fn read_lines(&self, from: Option<impl AsyncRead + Unpin>) -> String {
        let mut all = String::new();
        let Some(from) = from else { return all };
        let mut reader = BufReader::new(from);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            let text = self.redactor.redact(&String::from_utf8_lossy(&line));
            if let Some(on_line) = &self.on_line {
                on_line(text.trim_end());
            }
            all.push_str(&text);
            line.clear();
        }
        all
    }
}

/// Where a child that outlives us writes: a pipe would break when we die, and end it at its next word.
struct Files {
    stdout: File,
    stderr: File,
}

impl Files {
    fn new() -> std::io::Result<Self> {
        Ok(Self { stdout: tempfile::tempfile()?, stderr: tempfile::tempfile()? })
    }

    fn stdout_text(&self) -> String {
        from_start(&self.stdout)
    }

    fn stderr_text(&self) -> String {
        from_start(&self.stderr)
    }
}

/// What can be read is what the child said; its status decides.
fn from_start(mut file: &File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    if file.rewind().is_ok() {
        file.read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read_all(from: Option<impl AsyncRead + Unpin>) -> String {
    use tokio::io::AsyncReadExt as _;
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        // What was read until an error is still what the child said; its status decides.
        drop(from.read_to_end(&mut bytes).await);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn stopped(stop: Option<watch::Receiver<bool>>) {
    match stop {
        Some(mut stop) => {
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}

/// Ends a child and what it started: asked first, made to after two seconds.
async fn end_group(pid: Option<u32>) {
    let Some(group) = pid.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw) else {
        return;
    };
    // A group that is gone already is what we want.
    killpg(group, Signal::SIGTERM).ok();
    tokio::time::sleep(Duration::from_secs(2)).await;
    killpg(group, Signal::SIGKILL).ok();
}

/// This machine's name, as it stands in run ids.
pub fn host() -> String {
    let name = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|_unnamed| "unknown".to_owned())
}

/// The last 20 lines: what a program says before it gives up is what matters.
fn last_words(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(20);
    lines.get(from..).unwrap_or_default().join("\n")
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("program", &self.program)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}
