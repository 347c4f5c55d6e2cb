//! What kind and its nodes say: the words for a progress line, and why something failed. Pure.

use crate::model::Failure;

/// The words of a line for people; nothing for pictures, advice and blank lines.
pub(super) fn words(line: &str) -> Option<String> {
    const ADVICE: [&str; 7] = [
        "Set kubectl context",
        "You can now use",
        "kubectl cluster-info",
        "Have a ",
        "Thanks for",
        "Not sure what",
        "using docker due to",
    ];
    // kind writes a line when a part begins and again when it is done.
    if line.trim_start().starts_with('✓') {
        return None;
    }
    let plain: String = line.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect();
    let text = plain.trim().trim_end_matches('.').trim();
    let text = text.trim_start_matches(['*', '-']).trim();
    if text.is_empty() || ADVICE.iter().any(|advice| text.starts_with(advice)) {
        return None;
    }
    let mut letters = text.chars();
    Some(letters.next()?.to_lowercase().chain(letters).collect())
}

/// A known reason: words of which one is there, why that is, what to do.
struct Reason {
    words: &'static [&'static str],
    why: &'static str,
    todo: &'static str,
}

/// From the most telling to the least: a log holds many words.
const REASONS: [Reason; 13] = [
    Reason {
        words: &["node(s) already exist for a cluster with the name"],
        why: "containers of a kind cluster of this name are there",
        todo: "run the same command again; if they are not datamill's, remove them:\n    kind delete cluster --name CLUSTER",
    },
    Reason {
        words: &["no space left on device", "disk quota exceeded"],
        why: "the disk that holds the container engine's data is full",
        todo: "see what takes the space, and free some:\n    docker system df\n    docker system prune",
    },
    Reason {
        words: &["port is already allocated", "address already in use", "ports are not available"],
        why: "a port of this machine is taken",
        todo: "free it, or write another one under `ports:` of the target",
    },
    Reason {
        words: &["too many open files", "inotify"],
        why: "this machine allows too few inotify instances or watches for the nodes",
        todo: "allow more, and keep it in /etc/sysctl.d:\n    sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
    },
    Reason {
        words: &[
            "configured to not run on a host using cgroup v1",
            "cgroup v1 support is unsupported",
        ],
        why: "the kubelet of this version refuses this machine's cgroup v1",
        todo: "move the machine to cgroup v2 (`systemd.unified_cgroup_hierarchy=1`), or write `version: 1.34`",
    },
    Reason {
        words: &[
            "unable to apply caps",
            "running kind with rootless provider requires",
            "operation not permitted",
        ],
        why: "the container engine may not give a node the rights it needs",
        todo: "run the engine as root, or set up what kind asks for: https://kind.sigs.k8s.io/docs/user/rootless/",
    },
    Reason {
        words: &[
            "bind source path does not exist",
            "mounts denied",
            "invalid mount config",
            "are not shared from the host",
        ],
        why: "a folder of `mounts:` cannot be given to the nodes",
        todo: "make the folder, and share it with the engine's virtual machine if it has one",
    },
    Reason {
        words: &[
            "unauthorized",
            "authentication required",
            "pull access denied",
            "requested access to the resource is denied",
        ],
        why: "the registry refuses the node image: it does not exist there, or needs a login",
        todo: "check `node_image`, or log in:\n    docker login REGISTRY",
    },
    Reason {
        words: &[
            "manifest unknown",
            "manifest for",
            "not found: manifest",
            "failed to resolve reference",
        ],
        why: "the registry has no such node image",
        todo: "check `version` and `node_image` of the target",
    },
    Reason {
        words: &["no matching manifest", "exec format error"],
        why: "the node image is not built for this machine's processor",
        todo: "name one that is by `node_image`",
    },
    Reason {
        words: &[
            "no such host",
            "i/o timeout",
            "tls handshake timeout",
            "connection refused",
            "failed to pull image",
        ],
        why: "the node image cannot be fetched",
        todo: "check the network and the engine's proxy; or name an image that is there by `node_image`",
    },
    Reason {
        words: &["all predefined address pools", "pool overlaps"],
        why: "the container engine has no network left for kind",
        todo: "remove networks that nobody uses:\n    docker network prune",
    },
    Reason {
        words: &["could not find a log line that matches"],
        why: "a node did not boot within 30 s",
        todo: "often too few inotify instances, or a machine under load:\n    sudo sysctl fs.inotify.max_user_instances=512",
    },
];

/// Adds what a log tells about a failure: the reason in plain words when it is a known one, the lines that matter.
pub(super) fn explain(failure: Failure, log: &str) -> Failure {
    let low = log.to_lowercase();
    let known = REASONS.iter().find(|reason| reason.words.iter().any(|word| low.contains(word)));
    let Some(reason) = known else {
        return last_words(log, 4).into_iter().fold(failure, Failure::because);
    };
    let told = log.lines().find(|line| {
        let line = line.to_lowercase();
        reason.words.iter().any(|word| line.contains(word))
    });
    let failure = failure.because(reason.why);
    let failure = match told {
        Some(line) => failure.because(cut(line.trim())),
        None => failure,
    };
    failure.hint(reason.todo)
}

/// The last lines that tell why something failed.
fn last_words(log: &str, most: usize) -> Vec<String> {
    let lines: Vec<_> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let telling = |line: &&&str| {
        let low = line.to_lowercase();
        ["error", "fatal", "failed", "cannot", "refused", "timed out"]
            .iter()
            .any(|w| low.contains(w))
    };
    let worth: Vec<_> = lines.iter().filter(telling).collect();
    let chosen: Vec<&str> =
        if worth.is_empty() { lines } else { worth.into_iter().copied().collect() };
    let from = chosen.len().saturating_sub(most);
    chosen.into_iter().skip(from).map(cut).collect()
}

/// A line as long as a person reads.
fn cut(line: &str) -> String {
    const LONGEST: usize = 300;
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    line.chars().take(LONGEST).chain(" …".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FailureKind;

    #[test]
    fn lines_of_kind_become_words() {
        for (line, told) in [
            (
                " • Ensuring node image (kindest/node:v1.35.8) 🖼  ...",
                Some("ensuring node image (kindest/node:v1.35.8)"),
            ),
            (" • Starting control-plane 🕹️  ...", Some("starting control-plane")),
            (" ✓ Starting control-plane 🕹️", None),
            ("Creating cluster \"x\" ...", Some("creating cluster \"x\"")),
            ("Have a nice day! 👋", None),
            ("", None),
        ] {
            assert_eq!(words(line).as_deref(), told, "{line}");
        }
    }

    #[test]
    fn known_reasons_are_told_with_what_to_do() {
        for (log, why) in [
            (
                "ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"x\"",
                "of this name",
            ),
            (
                "docker: Error response from daemon: driver failed programming external connectivity: Bind for 127.0.0.1:80 failed: port is already allocated.",
                "taken",
            ),
            ("Failed to create inotify object: Too many open files", "inotify"),
            ("write /var/lib/docker/tmp: no space left on device", "full"),
            ("kubelet is configured to not run on a host using cgroup v1", "cgroup v1"),
            (
                "Error response from daemon: manifest for kindest/node:v9 not found: manifest unknown",
                "no such node image",
            ),
            (
                "pull access denied for mine/node, repository does not exist",
                "refuses the node image",
            ),
            (
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup x: no such host",
                "cannot be fetched",
            ),
            ("could not find a log line that matches \"Reached\"", "did not boot"),
        ] {
            let failure = explain(Failure::new(FailureKind::Preflight, "x"), log);
            assert!(failure.causes[0].contains(why), "{log}: {failure:?}");
            assert_eq!(failure.hints.len(), 1);
        }
    }

    #[test]
    fn an_unknown_reason_is_told_in_its_own_words() {
        let failure =
            explain(Failure::new(FailureKind::Preflight, "x"), "one\ntwo failed: why\nthree\n");
        assert_eq!(failure.causes, ["two failed: why"]);
    }
}
