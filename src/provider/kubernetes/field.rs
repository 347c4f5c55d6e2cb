//! Outputs that are fields of live objects (`field:<version>/<Kind>/<namespace>/<name>:<pointer>`): read when they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::compare::{Live, read_live};
use super::render::values_of;
use crate::adapter::kube::{Cluster, KubeError};
use crate::model::{
    Known, KubernetesSpec, Leaf, ObjectRef, OutputName, Resource, ResourceId, Value,
};

/// What stands for a field that only a container could set, where none runs.
const STAND_IN: &str = "assumed-by-datamill";

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    of: ObjectRef,
    pointer: String,
}

impl Field {
    fn read(name: &str) -> Option<Self> {
        let (of, pointer) = name.strip_prefix("field:")?.split_once(":/")?;
        let mut parts = of.rsplitn(4, '/');
        let (name, namespace, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let of = ObjectRef {
            api_version: parts.next()?.to_owned(),
            kind: kind.to_owned(),
            namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
            name: name.to_owned(),
        };
        Some(Self { of, pointer: format!("/{pointer}") })
    }

    fn value(&self, live: &Live) -> Option<Json> {
        live.get(&self.of)?.0.pointer(&self.pointer).filter(|value| !value.is_null()).cloned()
    }
}

/// The fields that some resources use, by the output they are.
fn used<'r>(
    resources: impl IntoIterator<Item = &'r Resource>,
) -> BTreeMap<(ResourceId, OutputName), Field> {
    let values = |resource: &'r Resource| {
        let of_release = match resource.kubernetes() {
            Some(KubernetesSpec::Release(spec)) => Some(&spec.values),
            _ => None,
        };
        values_of(resource).into_iter().chain(of_release)
    };
    let leaves: BTreeSet<Leaf> =
        resources.into_iter().flat_map(values).flat_map(Value::leaves).collect();
    leaves
        .into_iter()
        .filter_map(|leaf| match leaf {
            Leaf::Output(of, name) => Field::read(&name).map(|field| ((of, name), field)),
            Leaf::Secret(_) => None,
        })
        .collect()
}

async fn live(
    cluster: &Cluster,
    fields: &BTreeMap<(ResourceId, OutputName), Field>,
) -> Result<Live, KubeError> {
    read_live(cluster, fields.values().map(|field| field.of.clone())).await
}

/// What is known with the fields that some resources use. One that is absent is left open, or stood in for when `stands_in` says
/// so of the resource that gives it.
pub(super) async fn known<'r>(
    cluster: &Cluster,
    resources: impl IntoIterator<Item = &'r Resource>,
    known: &Known,
    stands_in: impl Fn(&ResourceId) -> bool,
) -> Result<Known, KubeError> {
    let fields = used(resources);
    let mut known = known.clone();
    if fields.is_empty() {
        return Ok(known);
    }
    let live = live(cluster, &fields).await?;
    for ((of, name), field) in fields {
        let placeholder = || stands_in(&of).then(|| Json::from(STAND_IN));
        if let Some(value) = field.value(&live).or_else(placeholder) {
            let mut outputs = known.of(&of).cloned().unwrap_or_default();
            outputs.insert(name, value);
            known.insert(of, outputs);
        }
    }
    Ok(known)
}

/// Fields that are absent and stood in for, in words.
pub(super) async fn assumed(
    cluster: &Cluster,
    resource: &Resource,
) -> Result<Vec<String>, KubeError> {
    let fields = used([resource]);
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let live = live(cluster, &fields).await?;
    let absent = fields.values().filter(|field| field.value(&live).is_none());
    Ok(absent
        .map(|Field { of, pointer }| {
            format!("{pointer} of {of} is a placeholder: what would set it does not run here")
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_output_says_which_field_it_is() {
        let field = Field::read("field:apps/v1/Deployment/n/x:/spec/replicas").unwrap();
        assert_eq!(field.of.to_string(), "Deployment n/x");
        assert_eq!(
            (field.of.api_version.as_str(), field.pointer.as_str()),
            ("apps/v1", "/spec/replicas")
        );
        let field = Field::read("field:v1/Namespace//x:/status/phase").unwrap();
        assert_eq!((field.of.api_version.as_str(), field.of.namespace), ("v1", None));
        assert_eq!(Field::read("endpoint"), None);
    }
}
