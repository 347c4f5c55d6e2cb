//! The container engine: one that runs, or a dockerd in namespaces of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::run::{Mark, children, keeper, said, text_of};
use super::{Image, Stop, build};
use crate::support::sandbox::tools;

/// An engine, and how programs get into its network.
pub(crate) struct Engine {
    /// The address of its socket, where one is known.
    host: Option<String>,
    /// The first process in its namespaces.
    inside: Option<u32>,
    /// Whatever holds it; lets go when this end closes.
    keeper: Child,
    mark: Mark,
}

impl Engine {
    /// The engine that runs. What is made in it is deleted when this process is gone.
    pub(super) fn running() -> Result<Self, Stop> {
        let mark = Mark::own();
        let name = mark.name();
        let kind = tools().join("kind");
        let keeper = hold(&mark, &[OsStr::new("cluster")], &[kind.as_os_str(), name.as_ref()])?;
        let engine = Self { host: socket(), inside: None, keeper, mark };
        engine.probe()?;
        Ok(engine)
    }

    /// A dockerd of our own.
    pub(super) fn own() -> Result<Self, Stop> {
        let mark = Mark::own();
        let name = mark.name();
        let runtime = if lacks_sys_resource() { Some(build::runtime()?) } else { None };
        let mut last = vec![OsStr::new(&name)];
        last.extend(runtime.as_deref().map(Path::as_os_str));
        let keeper = hold(&mark, &[OsStr::new("engine")], &last)?;
        let host = Some(format!("unix://{}", mark.folder().join("docker.sock").display()));
        let mut engine = Self { host, inside: None, keeper, mark };
        engine.wait()?;
        engine.inside =
            children(engine.keeper.id()).into_iter().find_map(|unshare| children(unshare).pop());
        if engine.inside.is_none() {
            return Err(Stop::Failure("the dockerd's namespaces are gone".to_owned()));
        }
        engine.probe()?;
        Ok(engine)
    }

    /// Waits until dockerd answers. Where it ends instead, the machine cannot run it; one that lives and does not answer is no
    /// reason to leave the tests out.
    fn wait(&mut self) -> Result<(), Stop> {
        const PATIENCE: Duration = Duration::from_mins(2);
        let ended = self.mark.folder().join("dockerd.ended");
        let begun = Instant::now();
        let mut last = String::new();
        let mut lives = true;
        while lives && begun.elapsed() < PATIENCE {
            match said(self.docker().args(["info", "--format", "{{.ServerVersion}}"])) {
                Ok(version) if !version.trim().is_empty() => return Ok(()),
                Ok(_) => {}
                Err(why) => last = why,
            }
            lives = self.keeper.try_wait().ok().flatten().is_none() && !ended.exists();
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = text_of(&self.mark.folder().join("dockerd.log"));
        let line = log.lines().next_back().map_or(last, str::to_owned);
        Err(if lives {
            Stop::Failure(format!("dockerd does not answer in {} s: {line}", PATIENCE.as_secs()))
        } else {
            Stop::Skip(format!("dockerd does not start here: {line}"))
        })
    }

    /// An engine may answer and run nothing, or nothing that has the rights of a node.
    fn probe(&self) -> Result<(), Stop> {
        let archive = self.folder().join("probe.tar");
        let image = Image::answer()?;
        image.save(&archive).map_err(|error| error.to_string())?;
        let said = said(self.docker().args(["load", "--quiet", "--input"]).arg(&archive));
        fs::remove_file(archive).map_err(|error| error.to_string())?;
        said?;
        let name = format!("{}-probe", self.name());
        let why = refuses_privileged(&|| self.docker(), &name, &image.names[0]);
        // Where other runs use it, it stays until the last of them.
        self.forget(&image.names[0]);
        why.map_or(Ok(()), |why| Err(Stop::Skip(why)))
    }

    /// Removes an image; one that a container still needs stays.
    pub(super) fn forget(&self, image: &str) {
        said(self.docker().args(["rmi", image])).ok();
    }

    /// The docker client for this engine.
    pub(super) fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        command.stdin(Stdio::null());
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// The address of its socket, where one is known.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// What stands before a program so that it reaches the engine's networks.
    pub(crate) fn prefix(&self) -> Vec<String> {
        let Some(inside) = self.inside else { return Vec::new() };
        vec!["nsenter".to_owned(), format!("--net=/proc/{inside}/ns/net"), "--".to_owned()]
    }

    /// A program in the engine's network.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let prefix = self.prefix();
        let mut command = if let Some((first, rest)) = prefix.split_first() {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.stdin(Stdio::null());
        if let Some(host) = &self.host {
            command.env("DOCKER_HOST", host);
        }
        command
    }

    /// Brings the calling thread into the engine's network.
    pub(crate) fn enter(&self) {
        if let Some(inside) = self.inside {
            let network = File::open(format!("/proc/{inside}/ns/net")).unwrap();
            nix::sched::setns(network, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        }
    }

    /// Whether it is the tests' own.
    pub(crate) fn is_own(&self) -> bool {
        self.inside.is_some()
    }

    /// The name that everything of this run carries.
    pub(crate) fn name(&self) -> String {
        self.mark.name()
    }

    /// The folder of the run.
    pub(crate) fn folder(&self) -> PathBuf {
        self.mark.folder()
    }
}

/// The socket that the docker client talks to: by `DOCKER_HOST`, or by its current context, which a sandbox does not know.
fn socket() -> Option<String> {
    let format = "{{.Endpoints.docker.Host}}";
    let host = said(Command::new("docker").args(["context", "inspect", "--format", format]));
    host.ok().map(|host| host.trim().to_owned()).filter(|host| host.starts_with("unix://"))
}

/// Starts the keeper in a process group of its own, so that Ctrl-C does not reach it. It shares no output with us: whoever
/// waits for the end of ours does not wait for it.
fn hold(mark: &Mark, first: &[&OsStr], last: &[&OsStr]) -> Result<Child, String> {
    fs::create_dir_all(mark.folder()).map_err(|error| error.to_string())?;
    let mut command = Command::new(keeper());
    command.args(first).arg(mark.folder()).args(last).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| format!("{}: {error}", keeper().display()))
}

/// Why no container of an image that is there runs with all rights; nothing when one does.
fn refuses_privileged(
    docker: &dyn Fn() -> Command,
    container: &str,
    image: &str,
) -> Option<String> {
    let start = ["run", "--detach", "--privileged", "--network", "none", "--name", container];
    let started = said(docker().args(start).arg(image));
    said(docker().args(["rm", "--force", "--volumes", container])).ok();
    let why = started.err()?;
    let line = why.lines().rev().find(|line| line.contains(": ")).unwrap_or(&why);
    Some(format!("the container engine answers, and runs no privileged container: {line}"))
}

/// Whether nobody here can give a container `CAP_SYS_RESOURCE`, which `--privileged` asks for.
fn lacks_sys_resource() -> bool {
    const SYS_RESOURCE: u64 = 1 << 24;
    let status = text_of("/proc/self/status".as_ref());
    let bounds = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bounds = bounds.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bounds.is_some_and(|bounds| bounds & SYS_RESOURCE == 0)
}

mod tests {
    use super::*;

    #[test]
    fn an_engine_that_runs_no_privileged_container_is_told_from_one_that_does() {
        let docker = |script: &'static str| {
            move || {
                let mut command = Command::new("sh");
                command.args(["-c", script, "docker"]);
                command
            }
        };
        let says = "docker: Error response from daemon: runc create failed: unable to apply caps: operation not permitted.";
        let refuses = "[ \"$1\" = rm ] || { echo 'docker: Error response from daemon: runc create failed: unable to apply caps: operation not permitted.' >&2; exit 125; }";
        let why = refuses_privileged(&docker(refuses), "c", "i").unwrap();
        assert!(why.contains("privileged") && why.ends_with(says), "{why}");
        assert_eq!(refuses_privileged(&docker("exit 0"), "c", "i"), None);
    }
}
