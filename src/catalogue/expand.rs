//! Instances to resources.

use super::{Catalogue, Expansion, Platform};
use crate::model::{ClusterFacts, ResourceId};
use crate::yaml::{Problem, Problems};

/// Expands a platform to resources; all problems come at once. `cluster` is the host, `installation` what everything needs.
pub fn expand(
    catalogue: &Catalogue,
    platform: &Platform,
    facts: &ClusterFacts,
    cluster: &ResourceId,
    installation: &ResourceId,
) -> Result<Expansion, Problems> {
    let (_, _, _) = (facts, cluster, installation);
    let mut problems = Problems::default();
    for instance in &platform.instances {
        if catalogue.component(&instance.component).is_none() {
            let message = format!("there is no component `{}`", instance.component);
            problems.push(Problem::error("unknown-component", message));
        }
    }
    problems
        .finish(Expansion::default)
        .map(|(expansion, warnings)| Expansion { warnings, ..expansion })
}
