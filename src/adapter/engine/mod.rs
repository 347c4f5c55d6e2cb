//! The door to the container engine of this machine: `docker` as a program, so that contexts and addresses of the user count.
//! Podman and nerdctl would be other programs behind the same calls. What an engine cannot say is never "nothing there".

mod error;
mod inspect;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

use super::process::{Invocation, ProcessError};

pub use error::EngineError;
pub use inspect::{Container, Published, State};

/// How often containers that come or go are looked for in all, and how long is waited before each further look.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);
/// How long an engine may take for an answer; one that hangs is one that does not answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How long starting and removing containers may take.
const WORK: Duration = Duration::from_mins(2);
/// How long an image may take to arrive.
const PULL: Duration = Duration::from_mins(30);
/// The variable by which kind is told to use another engine.
const CHOICE: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// A container engine.
#[derive(Debug, Clone)]
pub struct Engine {
    program: PathBuf,
}

/// What an engine says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// Its version.
    pub version: String,
    /// Whether its machine has cgroup v1, which newer kubelets refuse.
    pub cgroup_v1: bool,
}

#[derive(Deserialize)]
struct RawInfo {
    #[serde(rename = "ServerVersion", default)]
    version: String,
    #[serde(rename = "CgroupVersion", default)]
    cgroup: String,
    #[serde(rename = "ServerErrors", default)]
    errors: Option<Vec<String>>,
}

impl Engine {
    /// The engine that kind would use, by the environment.
    pub fn of(environment: &BTreeMap<String, String>) -> Result<Self, EngineError> {
        match environment.get(CHOICE).map(String::as_str) {
            Some(other @ ("podman" | "nerdctl" | "finch" | "nerdctl.lima")) => {
                Err(EngineError::NotSupported { name: other.to_owned() })
            }
            // kind ignores words it does not know.
            Some(_) | None => Ok(Self { program: PathBuf::from("docker") }),
        }
    }

    /// Its name, for messages.
    pub fn name(&self) -> String {
        self.program.display().to_string()
    }

    /// Asks it who it is. Older clients end well without a server, so what they say about it counts.
    pub async fn info(&self) -> Result<EngineInfo, EngineError> {
        let said = self.call(["info", "--format", "{{json .}}"], ANSWER).await?;
        let raw: RawInfo = serde_json::from_str(said.trim())
            .map_err(|_unread| EngineError::Garbled { asked: "info".to_owned() })?;
        if let Some(says) = raw.errors.filter(|errors| !errors.is_empty()) {
            return Err(error::read(&says.join("; ")));
        }
        if raw.version.is_empty() {
            return Err(EngineError::Garbled { asked: "info".to_owned() });
        }
        let cgroup_v1 = match raw.cgroup.as_str() {
            "1" => true,
            "2" => false,
            _ => this_machine_has_cgroup_v1(),
        };
        Ok(EngineInfo { version: raw.version, cgroup_v1 })
    }

    /// All containers with a label, those that do not run included, by name.
    pub async fn containers(
        &self,
        label: &str,
        value: &str,
    ) -> Result<Vec<Container>, EngineError> {
        let filter = format!("label={label}={value}");
        // One that comes or goes is listed before it can be inspected, and after: it is looked for again.
        for left in (0..LOOKS).rev() {
            let listed = self
                .call(
                    ["ps", "--all", "--no-trunc", "--filter", &filter, "--format", "{{.ID}}"],
                    ANSWER,
                )
                .await?;
            let ids: Vec<_> = listed.split_whitespace().collect();
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let args = ["container", "inspect"].into_iter().chain(ids);
            match self.call(args, ANSWER).await {
                Ok(text) => return inspect::containers(&text),
                Err(EngineError::NoSuchThing { .. }) if left > 0 => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
        Ok(Vec::new())
    }

    /// Whether it has an image.
    pub async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.call(["image", "inspect", "--format", "{{.Id}}", image], ANSWER).await {
            Ok(_) => Ok(true),
            Err(EngineError::NoSuchThing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gets an image.
    pub async fn pull(&self, image: &str, stop: &watch::Receiver<bool>) -> Result<(), EngineError> {
        let mut call = self.invocation(["pull", "--quiet", image], PULL);
        call.stop = Some(stop.clone());
        Self::said(&call).await.map(drop)
    }

    /// Starts containers that do not run.
    pub async fn start(&self, containers: &[&Container]) -> Result<(), EngineError> {
        for (verb, paused) in [("unpause", true), ("start", false)] {
            let these = containers.iter().filter(|one| (one.state == State::Paused) == paused);
            let these: Vec<_> = these.filter(|one| one.state != State::Running).collect();
            if !these.is_empty() {
                let ids = these.iter().map(|one| one.id.as_str());
                self.call([verb].into_iter().chain(ids), WORK).await?;
            }
        }
        Ok(())
    }

    /// Removes containers with their volumes, running or not; those that are gone are fine.
    pub async fn remove(&self, containers: &[Container]) -> Result<(), EngineError> {
        if containers.is_empty() {
            return Ok(());
        }
        let ids = containers.iter().map(|one| one.id.as_str());
        match self.call(["rm", "--force", "--volumes"].into_iter().chain(ids), WORK).await {
            Ok(_) | Err(EngineError::NoSuchThing { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What a program in a container says.
    pub async fn exec<'a>(
        &self,
        container: &'a str,
        program: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, EngineError> {
        self.call(["exec", container].into_iter().chain(program), ANSWER).await
    }

    /// The last lines that a container said, on either stream.
    pub async fn last_words(&self, container: &str, lines: u32) -> String {
        let lines = lines.to_string();
        let call = self.invocation(["logs", "--tail", &lines, container], ANSWER);
        call.run().await.map(|said| said.stdout + &said.stderr).unwrap_or_default()
    }

    fn invocation<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
        deadline: Duration,
    ) -> Invocation {
        Invocation::new(&self.program, args).deadline(deadline)
    }

    async fn call<'a>(
        &self,
        args: impl IntoIterator<Item = &'a str>,
        deadline: Duration,
    ) -> Result<String, EngineError> {
        Self::said(&self.invocation(args, deadline)).await
    }

    async fn said(call: &Invocation) -> Result<String, EngineError> {
        match call.run().await {
            Ok(output) => Ok(output.stdout),
            Err(ProcessError::Status { says, .. }) => Err(error::read(&says)),
            Err(ProcessError::Start { program, because }) => {
                Err(EngineError::NotInstalled { program, because })
            }
            Err(ProcessError::Deadline { program, deadline }) => {
                Err(EngineError::NoAnswer { asked: program, seconds: deadline.as_secs() })
            }
            Err(ProcessError::Stopped { .. }) => Err(EngineError::Stopped),
        }
    }
}

/// The engine did not say, as older ones do not: what this machine has.
fn this_machine_has_cgroup_v1() -> bool {
    let root = std::path::Path::new("/sys/fs/cgroup");
    root.is_dir() && !root.join("cgroup.controllers").exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::files;

    fn engine(folder: &std::path::Path, script: &str) -> Engine {
        let program = folder.join("docker");
        files::write_executable(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        Engine { program }
    }

    #[tokio::test]
    async fn a_client_that_ends_well_without_a_server_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let says = r#"echo '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"]}'"#;
        let answer = engine(folder.path(), says).info().await;
        assert!(matches!(answer, Err(EngineError::NotRunning { .. })), "{answer:?}");
        let empty = engine(folder.path(), "echo '{}'").info().await;
        assert!(matches!(empty, Err(EngineError::Garbled { .. })), "{empty:?}");
    }

    #[tokio::test]
    async fn no_container_and_no_answer_are_two_things() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = engine(folder.path(), "exit 0").containers("a", "b").await;
        assert_eq!(nothing, Ok(Vec::new()));
        let down = engine(folder.path(), "echo 'Cannot connect to the Docker daemon' >&2; exit 1");
        assert!(down.containers("a", "b").await.is_err());
        let gone = Engine { program: folder.path().join("none") };
        assert!(matches!(gone.info().await, Err(EngineError::NotInstalled { .. })));
    }

    #[tokio::test]
    async fn the_cgroup_version_is_that_of_the_engines_machine() {
        let folder = tempfile::tempdir().unwrap();
        for (version, v1) in [("1", true), ("2", false)] {
            let says = format!(r#"echo '{{"ServerVersion":"20","CgroupVersion":"{version}"}}'"#);
            assert_eq!(engine(folder.path(), &says).info().await.unwrap().cgroup_v1, v1);
        }
    }

    #[test]
    fn other_engines_are_refused_by_name_and_unknown_words_ignored() {
        let with = |word: &str| Engine::of(&BTreeMap::from([(CHOICE.to_owned(), word.to_owned())]));
        assert!(matches!(with("podman"), Err(EngineError::NotSupported { .. })));
        assert!(with("docker").is_ok() && with("").is_ok() && with("typo").is_ok());
    }
}
