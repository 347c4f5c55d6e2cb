//! Where an OCI registry is, and whether it speaks HTTP without TLS: only on this machine, or where a mirror says `http://`.

use std::net::IpAddr;

/// A chart in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registry {
    /// `oci://…`.
    pub(crate) url: String,
    /// Whether it is asked without TLS.
    pub(crate) plain_http: bool,
}

impl Registry {
    /// From an address after mirrors: `oci://…`, or what a mirror over HTTP or HTTPS made of it.
    pub(super) fn at(address: &str) -> Self {
        let (scheme, rest) = address.split_once("://").unwrap_or(("oci", address));
        let host = rest.split('/').next().unwrap_or_default();
        let plain_http = scheme == "http" || scheme == "oci" && is_here(host);
        Self { url: format!("oci://{rest}"), plain_http }
    }
}

/// Whether a host, with or without a port, is this machine.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_a_mirror_that_says_so_are_asked_without_tls() {
        let cases = [
            ("oci://quay.io/strimzi/kafka", "oci://quay.io/strimzi/kafka", false),
            ("oci://127.0.0.1:5000/charts/thing", "oci://127.0.0.1:5000/charts/thing", true),
            ("oci://localhost/thing", "oci://localhost/thing", true),
            ("oci://[::1]:5000/thing", "oci://[::1]:5000/thing", true),
            ("oci://127.0.0.1.example.org/thing", "oci://127.0.0.1.example.org/thing", false),
            ("http://mirror.local:5000/x", "oci://mirror.local:5000/x", true),
            ("https://mirror.local/x", "oci://mirror.local/x", false),
        ];
        for (address, url, plain_http) in cases {
            assert_eq!(Registry::at(address), Registry { url: url.to_owned(), plain_http });
        }
    }
}
