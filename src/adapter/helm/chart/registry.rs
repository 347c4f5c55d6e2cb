//! Where an OCI registry is, and whether it speaks HTTP without TLS: only on this machine, or where a mirror says `http://`.

use std::net::IpAddr;

use crate::adapter::process::ProcessError;
use crate::model::{Failure, FailureKind};

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

impl Registry {
    fn host(&self) -> &str {
        self.url.trim_start_matches("oci://").split('/').next().unwrap_or_default()
    }

    /// Why a chart could not be got from here.
    pub(super) fn explain(&self, what: &str, error: &ProcessError) -> Failure {
        let host = self.host();
        let says = error.to_string();
        let has = |words: &[&str]| words.iter().any(|word| says.contains(word));
        let preflight = Failure::new(FailureKind::Preflight, what);
        if has(&["credential not found", "unauthorized", "status code 401", "denied"]) {
            return preflight
                .because(format!("the registry `{host}` wants a login"))
                .caused_by(error)
                .hint(format!("log in as you do for helm:\n    helm registry login {host}"));
        }
        if has(&["server gave HTTP response to HTTPS client"]) {
            return preflight
                .because(format!("the registry `{host}` does not speak TLS"))
                .hint(format!("if that is meant to be so, say it in the flavour:\n    mirrors: {{{host}: \"http://{host}\"}}"));
        }
        if has(&[": not found", "status code 404", "could not locate a version"]) {
            return Failure::new(FailureKind::Usage, what)
                .because("the registry does not have it")
                .caused_by(error)
                .hint("check name and version");
        }
        preflight
            .caused_by(error)
            .hint("check the address; logins of `helm registry login` are used")
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
    fn what_a_registry_says_is_explained() {
        let registry = Registry::at("oci://registry.local:5000/x");
        let kind_of = |says: &str| {
            let error = ProcessError::Status {
                program: "helm pull".to_owned(),
                status: "exit status: 1".to_owned(),
                code: Some(1),
                says: says.to_owned(),
            };
            let failure = registry.explain("cannot get it", &error);
            (failure.kind, failure.hints.join(" "))
        };
        let (kind, hint) = kind_of("GET \"x\": basic credential not found");
        assert_eq!(kind, FailureKind::Preflight);
        assert!(hint.ends_with("helm registry login registry.local:5000"), "{hint}");
        let (_, hint) = kind_of("http: server gave HTTP response to HTTPS client");
        assert!(hint.contains("mirrors: {registry.local:5000: "), "{hint}");
        assert_eq!(kind_of("registry.local:5000/x:1.0.0: not found").0, FailureKind::Usage);
        assert_eq!(kind_of("connection refused").0, FailureKind::Preflight);
    }

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
