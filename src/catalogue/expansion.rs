//! What instances become: resources, addresses, notes.

use crate::model::{Desired, Endpoint, Name};
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
    /// What is worth knowing and no error.
    pub warnings: Problems,
    /// Who uses what of whom.
    pub wiring: Vec<Wire>,
}

/// One binding: `user` uses `provider` under the name `alias`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wire {
    /// The instance that uses.
    pub user: Name,
    /// The name it gives to what it uses.
    pub alias: String,
    /// The instance or external that gives.
    pub provider: String,
    /// What is given: a capability, or a component's outputs.
    pub capability: Option<String>,
    /// Whether it only adds wiring and does not order.
    pub soft: bool,
}
