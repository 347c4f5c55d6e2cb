//! What kind and its nodes say: the words for a progress line, and why something failed. Pure.

use super::reasons::{OF_ALL, OF_AN_IMAGE, Reason};
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

/// Adds what a log tells about a failure: the reason in plain words when it is a known one, the lines that matter.
pub(super) fn explain(failure: Failure, log: &str) -> Failure {
    told_by(OF_ALL.iter(), failure, log)
}

/// The same for what was said while an image was fetched. Only then are the words of networks and registries about it: a node
/// that does not come up says `connection refused` of its own parts.
pub(super) fn explain_image(failure: Failure, log: &str) -> Failure {
    told_by(OF_AN_IMAGE.iter().chain(&OF_ALL), failure, log)
}

fn told_by<'a>(
    mut reasons: impl Iterator<Item = &'a Reason>,
    failure: Failure,
    log: &str,
) -> Failure {
    let lines: Vec<_> = log.lines().map(|line| (line, line.to_lowercase())).collect();
    let known = reasons.find_map(|reason| {
        let line = lines.iter().find(|(_, low)| reason.is_told_by(low))?.0;
        Some((reason, line))
    });
    match known {
        Some((reason, line)) => {
            failure.because(reason.why).because(cut(line.trim())).hint(reason.todo)
        }
        None => last_words(log, 4).into_iter().fold(failure, Failure::because),
    }
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
            ("inotify_add_watch /sys: no space left on device", "inotify"),
            (
                "docker: Error response from daemon: open /dev/dma_heap: permission denied",
                "SELinux",
            ),
            (
                "Error response from daemon: iptables: No chain/target/match by that name.",
                "a firewall",
            ),
            (
                "failed to save image: invalid output path: directory \"/tmp/images-tar1\" does not exist",
                "as a snap",
            ),
            (
                "failed to get device for dir \"/var/lib/kubelet\": could not find device with major: 0, minor: 31 in cached partitions map",
                "btrfs and zfs",
            ),
            (
                "docker: Error response from daemon: failed to create shim task: operation not permitted",
                "rights",
            ),
            ("could not find a log line that matches \"Reached\"", "did not boot"),
        ] {
            let failure = explain(Failure::new(FailureKind::Preflight, "x"), log);
            assert!(failure.causes[0].contains(why), "{log}: {failure:?}");
            assert_eq!(failure.hints.len(), 1);
        }
    }

    #[test]
    fn what_a_registry_says_counts_while_an_image_is_fetched() {
        for (log, why) in [
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
            ("write /var/lib/docker/tmp: no space left on device", "full"),
        ] {
            let failure = explain_image(Failure::new(FailureKind::Preflight, "x"), log);
            assert!(failure.causes[0].contains(why), "{log}: {failure:?}");
        }
    }

    #[test]
    fn a_node_that_does_not_come_up_is_not_taken_for_an_image_that_does_not_come() {
        let log = "[kubelet-check] The kubelet is not healthy after 4m0s\n\
            ERROR: failed to create cluster: failed to init node with kubeadm\n\
            dial tcp 127.0.0.1:10248: connect: connection refused\n\
            Failed to watch: Get \"https://x-control-plane:6443\": dial tcp: i/o timeout\n\
            lookup x-control-plane: no such host\nUnable to register node: Unauthorized\n\
            failed to set oom_score_adj: operation not permitted\n";
        let failure = explain(Failure::new(FailureKind::Preflight, "x"), log);
        assert!(failure.causes[0].contains("did not come up in a node"), "{failure:?}");
        assert!(failure.causes[1].contains("The kubelet is not healthy"), "{failure:?}");
    }

    #[test]
    fn an_unknown_reason_is_told_in_its_own_words() {
        let failure =
            explain(Failure::new(FailureKind::Preflight, "x"), "one\ntwo failed: why\nthree\n");
        assert_eq!(failure.causes, ["two failed: why"]);
    }
}
