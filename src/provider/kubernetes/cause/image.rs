//! Why an image cannot be pulled: what kubelet and runtime say, sorted.

/// Reasons for which a container waits since its image does not come.
pub(super) const REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];

/// What is wrong and what to do about it, from a kubelet's words.
pub(super) fn explain(image: &str, reason: &str, says: &str) -> (String, String) {
    let has = |words: &[&str]| words.iter().any(|word| says.contains(word));
    let (why, remedy) = if reason == "InvalidImageName" {
        ("that is no name of an image", "correct the name")
    } else if reason == "ErrImageNeverPull" {
        (
            "it is not on the node, and may not be pulled",
            "load it into the nodes, or let it be pulled (imagePullPolicy)",
        )
    } else if has(&[
        "401",
        "403",
        "authorization failed",
        "nauthorized",
        "access denied",
        "denied:",
    ]) {
        (
            "the registry wants a login",
            "give its namespace a pull secret (`kubectl create secret docker-registry`), and name it in imagePullSecrets",
        )
    } else if has(&[
        "no such host",
        "connection refused",
        "i/o timeout",
        "no route to host",
        "deadline exceeded",
        "network is unreachable",
    ]) {
        (
            "the node does not reach the registry",
            "see that the registry runs and the node's network and proxy lead there",
        )
    } else if has(&["x509", "tls:", "HTTP response to HTTPS client"]) {
        (
            "the node does not trust the registry's TLS",
            "give the nodes' container runtime the registry's certificate",
        )
    } else if has(&["toomanyrequests", "429"]) {
        ("the registry limits how often it is asked", "wait, log in, or use a mirror")
    } else if has(&["no space left"]) {
        ("the node's disk is full", "make room on the node")
    } else if has(&["no match for platform"]) {
        ("it is not made for the node's processor", "choose an image for this architecture")
    } else if has(&["not found", "manifest unknown", "does not exist"]) {
        ("the registry does not have it", "correct its name or tag, or push it")
    } else {
        ("", "check its name, the registry and its login")
    };
    let said = core(says);
    let told = match (why.is_empty(), said.is_empty()) {
        (true, true) => "nobody says why".to_owned(),
        (true, false) => said.to_owned(),
        (false, true) => why.to_owned(),
        (false, false) => format!("{why} ({said})"),
    };
    (format!("image {image} cannot be pulled: {told}"), format!("image {image}: {remedy}"))
}

/// The end of the runtime's words: whatever it says before repeats the image's name.
fn core(says: &str) -> &str {
    let mut rest = says.rsplit_once("desc = ").map_or(says, |(_, rest)| rest);
    for prefix in [
        "Failed to pull image \"",
        "failed to pull and unpack image \"",
        "failed to resolve reference \"",
        "failed to resolve image: ",
    ] {
        if let Some(tail) = rest.strip_prefix(prefix) {
            rest = tail.split_once("\": ").map_or(tail, |(_, tail)| tail);
        }
    }
    rest.trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_remedy_of_its_own() {
        let unpacked = "Failed to pull image \"r/x:1\": rpc error: code = X desc = failed to pull and unpack image \"r/x:1\": failed to resolve reference \"r/x:1\": ";
        let table = [
            ("ErrImagePull", "r/x:1: not found", "does not have it (r/x:1: not found)", "tag"),
            (
                "ImagePullBackOff",
                "pull access denied, repository does not exist or may require authorization",
                "wants a login",
                "pull secret",
            ),
            (
                "ErrImagePull",
                "unexpected status from HEAD request to http://r/v2/x/manifests/1: 401 Unauthorized",
                "wants a login",
                "pull secret",
            ),
            (
                "ErrImagePull",
                "failed to do request: dial tcp: lookup r: no such host",
                "does not reach",
                "network",
            ),
            ("ErrImagePull", "something new", "cannot be pulled: something new", "check its name"),
            ("ErrImageNeverPull", "", "not on the node", "load it"),
        ];
        for (reason, says, told, remedy) in table {
            let (cause, todo) = explain("r/x:1", reason, &format!("{unpacked}{says}"));
            assert!(cause.contains(told), "{cause}");
            assert!(todo.contains(remedy), "{todo}");
        }
        let (cause, _) = explain("x", "ImagePullBackOff", "");
        assert!(cause.ends_with("nobody says why"), "{cause}");
    }
}
