//! Where an instance answers, and how to log in there.

use std::fmt;

use super::{Name, SecretRef, Value};

/// Where an instance answers inside its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Of which instance.
    pub instance: Name,
    /// Its id among the instance's.
    pub id: String,
    /// `ui`, `api`, `grpc`, `tcp` or `metrics`.
    pub kind: String,
    /// The Service.
    pub service: String,
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's port.
    pub port: u16,
    /// The path, with a slash; empty without.
    pub path: String,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// The port on this machine that `forward` takes first.
    pub forward: Option<u16>,
    /// Its address outside of the cluster, where the flavour exposes it.
    pub outside: Option<String>,
    /// How to log in.
    pub login: Option<Login>,
}

/// How to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: Option<LoginPart>,
    /// The password.
    pub password: Option<LoginPart>,
}

impl Endpoint {
    /// The address inside the cluster.
    pub fn address(&self) -> String {
        self.address_at(&format!("{}.{}:{}", self.service, self.namespace, self.port))
    }

    /// The address where `host:port` leads to it.
    pub fn address_at(&self, host: &str) -> String {
        match (self.kind.as_str(), self.tls) {
            ("ui" | "api" | "metrics", true) => format!("https://{host}{}", self.path),
            ("ui" | "api" | "metrics", false) => format!("http://{host}{}", self.path),
            (_, _) => format!("{host}{}", self.path),
        }
    }
}

/// In words: where a password is kept, never the password.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|password| match password {
            // A password that a component gives as plain text is not repeated on a screen.
            LoginPart::Text(_) => "as the component's settings say".to_owned(),
            LoginPart::Secret(_) => password.to_string(),
        });
        match (&self.user, password) {
            (Some(user), Some(password)) => write!(f, "user {user}, password: {password}"),
            (Some(user), None) => write!(f, "user {user}"),
            (None, Some(password)) => write!(f, "password: {password}"),
            (None, None) => f.write_str("no login"),
        }
    }
}

impl fmt::Display for LoginPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Secret(at) => write!(f, "key {} of Secret {}/{}", at.key, at.namespace, at.name),
        }
    }
}

/// A part of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginPart {
    /// No secret.
    Text(String),
    /// Kept in a Secret.
    Secret(SecretRef),
}

/// What opens something of an instance: a login at an address, or a key for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Of which instance.
    pub instance: Name,
    /// The id of the endpoint, or the name of the output.
    pub name: String,
    /// The user's name, where there is one.
    pub user: Option<LoginPart>,
    /// The password or key.
    pub secret: LoginPart,
}

/// How a client of an instance is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Of which instance.
    pub instance: Name,
    /// The client: `psql`, `s3`, `spark`.
    pub client: String,
    /// Its settings; secrets in them by reference.
    pub settings: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(kind: &str, tls: bool) -> Endpoint {
        Endpoint {
            instance: "a".parse().unwrap(),
            id: "b".to_owned(),
            kind: kind.to_owned(),
            service: "s".to_owned(),
            namespace: "n".to_owned(),
            port: 443,
            path: String::new(),
            tls,
            forward: None,
            outside: None,
            login: None,
        }
    }

    #[test]
    fn an_address_speaks_the_protocol_of_its_kind() {
        assert_eq!(endpoint("ui", true).address(), "https://s.n:443");
        assert_eq!(endpoint("api", false).address(), "http://s.n:443");
        assert_eq!(endpoint("tcp", false).address(), "s.n:443");
    }

    #[test]
    fn a_login_says_where_a_password_is_and_never_what_it_is() {
        let text = |text: &str| Some(LoginPart::Text(text.to_owned()));
        let login = Login { user: text("admin"), password: text("hunter2") };
        assert_eq!(login.to_string(), "user admin, password: as the component's settings say");
        let at = SecretRef { namespace: "n".to_owned(), name: "s".to_owned(), key: "k".to_owned() };
        let login = Login { user: None, password: Some(LoginPart::Secret(at)) };
        assert_eq!(login.to_string(), "password: key k of Secret n/s");
    }
}
