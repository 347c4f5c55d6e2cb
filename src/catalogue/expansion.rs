//! What instances become: resources, addresses, notes.

use super::Requirement;
use crate::model::{Desired, Name, SecretRef};
use crate::yaml::Problems;

/// What a platform becomes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expansion {
    /// Namespaces and the resources of instances; cluster and installation are not among them.
    pub desired: Desired,
    /// Where things are reached.
    pub endpoints: Vec<Endpoint>,
    /// What an instance has to say after its installation.
    pub notes: Vec<(Name, String)>,
    /// What instances require of the cluster.
    pub requirements: Vec<Requirement>,
    /// What is worth knowing and no error.
    pub warnings: Problems,
}

/// An address of an instance.
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
    /// Whether it is meant to be reached from outside of the cluster.
    pub expose: bool,
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

/// A part of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginPart {
    /// No secret.
    Text(String),
    /// Kept in a Secret.
    Secret(SecretRef),
}
