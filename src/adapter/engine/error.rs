//! What an engine's program says when something is wrong, in our words. Pure.

/// An engine did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Its program is not there.
    #[error("`{program}` cannot be started: {because}")]
    NotInstalled {
        /// The program.
        program: String,
        /// Why.
        because: String,
    },
    /// Another engine was chosen, which datamill does not drive.
    #[error("KIND_EXPERIMENTAL_PROVIDER names `{name}`, which this version does not drive")]
    NotSupported {
        /// Its name.
        name: String,
    },
    /// Its daemon does not run, or not where the program looks for it.
    #[error("the container engine does not run: {says}")]
    NotRunning {
        /// In its words.
        says: String,
    },
    /// The user may not talk to it.
    #[error("no permission to talk to the container engine: {says}")]
    NoPermission {
        /// In its words.
        says: String,
    },
    /// It hangs.
    #[error("the container engine did not answer within {seconds} s (`{asked}`)")]
    NoAnswer {
        /// The call.
        asked: String,
        /// How long we waited.
        seconds: u64,
    },
    /// There is no such container or image.
    #[error("{says}")]
    NoSuchThing {
        /// In its words.
        says: String,
    },
    /// The run was interrupted.
    #[error("the run was interrupted")]
    Stopped,
    /// Anything else.
    #[error("{says}")]
    Refused {
        /// In its words.
        says: String,
    },
    /// Its answer makes no sense.
    #[error("the container engine's answer to `{asked}` cannot be read")]
    Garbled {
        /// The question.
        asked: String,
    },
}

impl EngineError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotInstalled { .. } => {
                "install Docker: https://docs.docker.com/engine/install; or simulate the platform:\n    add --provider kwok"
            }
            Self::NotSupported { .. } => {
                "unset KIND_EXPERIMENTAL_PROVIDER to use docker, or make the cluster yourself and use it by `-k`"
            }
            Self::NotRunning { .. } => {
                "start it (`sudo systemctl start docker`, or Docker Desktop), or name another one by DOCKER_HOST or `docker context use`; or simulate the platform:\n    add --provider kwok"
            }
            Self::NoPermission { .. } => {
                "let your user talk to it, and log in again:\n    sudo usermod -aG docker $USER"
            }
            Self::NoAnswer { .. } | Self::Garbled { .. } => {
                "see whether `docker ps` answers; if it hangs, restart the engine"
            }
            Self::NoSuchThing { .. } | Self::Stopped | Self::Refused { .. } => return None,
        };
        Some(text.to_owned())
    }

    /// Whether it says that there is no engine to be used, rather than that something went wrong with it.
    pub fn is_no_engine(&self) -> bool {
        matches!(
            self,
            Self::NotInstalled { .. }
                | Self::NotRunning { .. }
                | Self::NoPermission { .. }
                | Self::NotSupported { .. }
        )
    }
}

/// Reads the last words of the program.
pub(super) fn read(says: &str) -> EngineError {
    let says = says.trim().trim_start_matches("Error response from daemon: ").to_owned();
    let low = says.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| low.contains(word));
    if has(&["permission denied while trying to connect", "connect: permission denied"]) {
        EngineError::NoPermission { says }
    } else if has(&[
        "cannot connect to the docker daemon",
        "is the docker daemon running",
        "error during connect",
        "docker daemon is not running",
        "failed to connect to the docker api",
        "connect: connection refused",
    ]) {
        EngineError::NotRunning { says }
    } else if has(&["no such container", "no such image", "no such object"]) {
        EngineError::NoSuchThing { says }
    } else if says.is_empty() {
        EngineError::Refused { says: "it failed without a word".to_owned() }
    } else {
        EngineError::Refused { says }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_says_becomes_what_it_means() {
        let socket = "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
        assert!(matches!(read(socket), EngineError::NoPermission { .. }));
        for down in [
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "error during connect: Get \"http://x\": dial tcp: lookup x: no such host",
            "failed to connect to the docker API at unix:///x; check if the path is correct",
        ] {
            assert!(matches!(read(down), EngineError::NotRunning { .. }), "{down}");
            assert!(read(down).hint().is_some() && read(down).is_no_engine());
        }
        assert!(matches!(read("Error: No such object: x"), EngineError::NoSuchThing { .. }));
        assert_eq!(
            read("Error response from daemon: boom"),
            EngineError::Refused { says: "boom".to_owned() }
        );
        assert!(!read("").to_string().is_empty());
    }
}
