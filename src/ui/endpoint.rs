//! Where things answer, and how to reach them from here.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::report::heading;
use super::screen::Screen;
use super::text::{length, wrap};

/// Where something answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Of which instance.
    pub instance: String,
    /// Its id among the instance's.
    pub id: String,
    /// `ui`, `api`, `grpc`, `tcp` or `metrics`.
    pub kind: String,
    /// The Service.
    pub service: String,
    /// Its namespace.
    pub namespace: String,
    /// Its port.
    pub port: u16,
    /// The path, with a slash; empty without.
    pub path: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The port on this machine to take first.
    pub forward: Option<u16>,
    /// How to log in, in words; never a password.
    pub login: Option<String>,
}

impl Endpoint {
    /// The address inside the cluster.
    pub fn address(&self) -> String {
        let host = format!("{}.{}:{}", self.service, self.namespace, self.port);
        match (self.kind.as_str(), self.tls) {
            ("ui" | "api" | "metrics", true) => format!("https://{host}{}", self.path),
            ("ui" | "api" | "metrics", false) => format!("http://{host}{}", self.path),
            (_, _) => format!("{host}{}", self.path),
        }
    }

    /// The command that brings it to this machine.
    fn forward_command(&self, context: Option<&str>) -> String {
        let context = context.map(|name| format!(" --context {name}")).unwrap_or_default();
        let local = self.forward.unwrap_or(if self.port < 1024 { 8080 } else { self.port });
        format!(
            "kubectl{context} -n {} port-forward svc/{} {local}:{}",
            self.namespace, self.service, self.port
        )
    }
}

impl Screen {
    /// Where things answer, and how to reach one of them from here.
    pub(super) fn endpoints_text(
        &self,
        endpoints: &[Endpoint],
        simulated: bool,
        context: Option<&str>,
    ) -> String {
        let Some(first) = endpoints.iter().find(|e| e.kind == "ui").or(endpoints.first()) else {
            return String::new();
        };
        let paint = self.paint_out();
        let mut text = heading("Where things are, inside the cluster:", paint);
        let what = |endpoint: &Endpoint| format!("{}/{}", endpoint.instance, endpoint.id);
        let widest = endpoints.iter().map(|e| length(&what(e))).max();
        let column = widest.unwrap_or_default().min(40);
        for endpoint in endpoints {
            // An address stays on one line, so that it can be copied.
            let (what, address) = (what(endpoint), endpoint.address());
            writeln!(text, "  {what:column$}  {:7}  {address}", endpoint.kind).ok();
            if let Some(login) = &endpoint.login {
                text.push_str(&wrap(login, self.look().width, "      ", "      "));
                text.push('\n');
            }
        }
        if simulated {
            text.push_str("  nothing answers there: no container runs\n");
        } else {
            text.push_str("\nTo reach one from here, such as ");
            text.push_str(&first.instance);
            text.push_str(", run:\n    ");
            text.push_str(&first.forward_command(context));
            text.push('\n');
        }
        text
    }
}

/// An endpoint for scripts.
pub(super) fn endpoint_json(endpoint: &Endpoint) -> Json {
    json!({
        "instance": endpoint.instance,
        "id": endpoint.id,
        "kind": endpoint.kind,
        "service": endpoint.service,
        "namespace": endpoint.namespace,
        "port": endpoint.port,
        "path": endpoint.path,
        "tls": endpoint.tls,
        "address": endpoint.address(),
        "login": endpoint.login,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_speaks_the_protocol_of_its_kind() {
        let endpoint = |kind: &str, tls| Endpoint {
            instance: "a".to_owned(),
            id: "b".to_owned(),
            kind: kind.to_owned(),
            service: "s".to_owned(),
            namespace: "n".to_owned(),
            port: 443,
            path: String::new(),
            tls,
            forward: None,
            login: None,
        };
        assert_eq!(endpoint("ui", true).address(), "https://s.n:443");
        assert_eq!(endpoint("api", false).address(), "http://s.n:443");
        assert_eq!(endpoint("tcp", false).address(), "s.n:443");
        assert_eq!(
            endpoint("ui", true).forward_command(None),
            "kubectl -n n port-forward svc/s 8080:443"
        );
    }
}
