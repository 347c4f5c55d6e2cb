//! What the screen shows of an expansion: addresses with how to log in, and what was left out.

use crate::catalogue::{Expansion, Login, LoginPart};
use crate::config::Project;
use crate::ui::{Endpoint, LeftOut};

/// Where the instances answer.
pub(super) fn endpoints(expansion: &Expansion) -> Vec<Endpoint> {
    expansion
        .endpoints
        .iter()
        .map(|endpoint| Endpoint {
            instance: endpoint.instance.to_string(),
            id: endpoint.id.clone(),
            kind: endpoint.kind.clone(),
            service: endpoint.service.clone(),
            namespace: endpoint.namespace.clone(),
            port: endpoint.port,
            path: endpoint.path.clone(),
            tls: endpoint.tls,
            forward: endpoint.forward,
            login: endpoint.login.as_ref().map(login),
        })
        .collect()
}

/// How to log in, in words: where a password is kept, never the password.
fn login(login: &Login) -> String {
    let part = |part: &LoginPart| match part {
        LoginPart::Text(text) => text.clone(),
        LoginPart::Secret(at) => {
            format!("key {} of Secret {}/{}", at.key, at.namespace, at.name)
        }
    };
    match (&login.user, &login.password) {
        (Some(user), Some(password)) => {
            format!("user {}, password: {}", part(user), secret(password, part))
        }
        (Some(user), None) => format!("user {}", part(user)),
        (None, Some(password)) => format!("password: {}", secret(password, part)),
        (None, None) => "no login".to_owned(),
    }
}

/// A password that a component gives as plain text is not repeated on a screen.
fn secret(password: &LoginPart, part: impl Fn(&LoginPart) -> String) -> String {
    match password {
        LoginPart::Text(_) => "as the component's settings say".to_owned(),
        LoginPart::Secret(_) => part(password),
    }
}

/// What was left out of the platform, with the reasons.
pub(super) fn left_out(project: &Project) -> Vec<LeftOut> {
    project
        .left_out
        .iter()
        .map(|left| LeftOut { name: left.name.clone(), why: left.why.clone() })
        .collect()
}
