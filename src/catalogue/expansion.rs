//! What instances become: resources, addresses, notes.

use super::Requirement;
use crate::model::{Connection, Credential, Desired, Endpoint, Name};
use crate::yaml::Problems;

/// What a platform becomes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expansion {
    /// Namespaces and the resources of instances; cluster and installation are not among them.
    pub desired: Desired,
    /// Where things are reached.
    pub endpoints: Vec<Endpoint>,
    /// What opens what was installed: logins of addresses, and the Secrets that outputs name.
    pub credentials: Vec<Credential>,
    /// How clients are set up.
    pub connections: Vec<Connection>,
    /// What an instance has to say after its installation.
    pub notes: Vec<(Name, String)>,
    /// What instances require of the cluster.
    pub requirements: Vec<Requirement>,
    /// What is worth knowing and no error.
    pub warnings: Problems,
}
