//! Where things answer, and how to reach them from here.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::model::Endpoint;

use super::report::heading;
use super::screen::Screen;
use super::text::{length, wrap};

/// The command that brings an endpoint to this machine.
fn forward_command(endpoint: &Endpoint, context: Option<&str>) -> String {
    let context = context.map(|name| format!(" --context {name}")).unwrap_or_default();
    let Endpoint { port, service, namespace, .. } = endpoint;
    let local = endpoint.forward.unwrap_or(if *port < 1024 { 8080 } else { *port });
    format!("kubectl{context} -n {namespace} port-forward svc/{service} {local}:{port}")
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
            if let Some(outside) = &endpoint.outside {
                writeln!(text, "  {:column$}  {:7}  {outside}", "", "outside").ok();
            }
            if let Some(login) = &endpoint.login {
                text.push_str(&wrap(&login.to_string(), self.look().width, "      ", "      "));
                text.push('\n');
            }
        }
        if simulated {
            text.push_str("  nothing answers there: no container runs\n");
        } else {
            text.push_str("\nTo reach one from here, such as ");
            text.push_str(first.instance.as_str());
            text.push_str(", run:\n    ");
            text.push_str(&forward_command(first, context));
            text.push('\n');
        }
        text
    }
}

impl Screen {
    /// An address that is on this machine from now on: a person and a pipe read it now, a script gets an event.
    pub fn forwarded(&self, endpoint: &str, address: &str) {
        if self.look().is_document() {
            self.event(&json!({"event": "forwarded", "endpoint": endpoint, "address": address}));
        } else {
            self.answer(&format!("{endpoint}  {address}"));
        }
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
        "outside": endpoint.outside,
        "login": endpoint.login.as_ref().map(ToString::to_string),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forward_takes_a_port_that_everybody_may_open() {
        let mut endpoint = Endpoint {
            instance: "a".parse().unwrap(),
            id: "b".to_owned(),
            kind: "ui".to_owned(),
            service: "s".to_owned(),
            namespace: "n".to_owned(),
            port: 443,
            path: String::new(),
            tls: true,
            forward: None,
            outside: None,
            login: None,
        };
        let command = forward_command(&endpoint, None);
        assert_eq!(command, "kubectl -n n port-forward svc/s 8080:443");
        endpoint.forward = Some(8443);
        let command = forward_command(&endpoint, Some("c"));
        assert_eq!(command, "kubectl --context c -n n port-forward svc/s 8443:443");
    }
}
