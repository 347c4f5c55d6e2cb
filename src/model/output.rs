//! What a resource tells those that need it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::ResourceId;

/// The name of an output, such as `kubeconfig` or `endpoint`.
pub type OutputName = String;

/// The outputs of one resource.
pub type Outputs = BTreeMap<OutputName, Json>;

/// The outputs of all resources that are known so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known(BTreeMap<ResourceId, Outputs>);

impl Known {
    /// Notes the outputs of a resource, in place of earlier ones.
    pub fn insert(&mut self, id: ResourceId, outputs: Outputs) {
        self.0.insert(id, outputs);
    }

    /// All outputs of a resource.
    pub fn of(&self, id: &ResourceId) -> Option<&Outputs> {
        self.0.get(id)
    }

    /// The ids of all whose outputs are known.
    pub fn ids(&self) -> impl Iterator<Item = &ResourceId> {
        self.0.keys()
    }

    /// One output of a resource.
    pub fn get(&self, id: &ResourceId, name: &str) -> Option<&Json> {
        self.0.get(id)?.get(name)
    }

    /// One output of a resource, when it is text.
    pub fn text(&self, id: &ResourceId, name: &str) -> Option<&str> {
        self.get(id, name)?.as_str()
    }
}
