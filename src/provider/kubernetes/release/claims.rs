//! Volume claims that `StatefulSets` of a release make: they hold data and bear no mark, so they get ours as soon as they are
//! seen.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::discover::moved_from;
use super::super::session::Session;
use super::own_manager;
use crate::adapter::kube::{KubeError, Listing};
use crate::model::{Class, Marks, Object, ReleaseSpec, Resource, ResourceId, annotation, label};

/// How long the first claims may take to appear.
const APPEAR: Duration = Duration::from_secs(2);
/// How long between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// The beginning of the names of a StatefulSet's claims, with its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    namespace: String,
    prefix: String,
}

/// Marks the claims of a release's `StatefulSets` as data of ours, after waiting a moment for the first to appear. Returns how
/// many were marked.
pub async fn mark_claims(
    session: &Session,
    resource: &Resource,
    spec: &ReleaseSpec,
    objects: &[Object],
) -> Result<usize, KubeError> {
    let templates = templates(objects, &spec.namespace);
    if templates.is_empty() {
        return Ok(0);
    }
    let marks = Marks::new(&session.identity, &resource.id, Class::Data, &resource.needs);
    let marks = json!({"labels": marks.labels, "annotations": marks.annotations});
    let deadline = tokio::time::Instant::now() + APPEAR;
    loop {
        let (seen, marked) = mark(session, &resource.id, &templates, &marks).await?;
        if seen >= templates.len() || tokio::time::Instant::now() > deadline {
            return Ok(marked);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Marks what is there now, with the marks of the release's storage.
pub(super) async fn mark_now(
    session: &Session,
    id: &ResourceId,
    secret: &Object,
    namespace: &str,
    objects: &[Object],
) -> Result<(), KubeError> {
    let templates = templates(objects, namespace);
    if templates.is_empty() {
        return Ok(());
    }
    let labels = secret.0.pointer("/metadata/labels").and_then(Json::as_object);
    let mut labels: serde_json::Map<String, Json> = labels
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with("datamill.dev/"))
        .filter(|(key, _)| ![label::SPEC_HASH, label::RUN].contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    labels.insert(label::CLASS.to_owned(), json!(Class::Data.word()));
    let marks = json!({"labels": labels, "annotations": {annotation::NODE: id.to_string()}});
    mark(session, id, &templates, &marks).await.map(drop)
}

async fn mark(
    session: &Session,
    id: &ResourceId,
    templates: &[Template],
    marks: &Json,
) -> Result<(usize, usize), KubeError> {
    let mut namespaces: Vec<_> = templates.iter().map(|t| t.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let (mut seen, mut marked) = (0, 0);
    for namespace in namespaces {
        let listing = Listing::of("v1", "PersistentVolumeClaim").namespace(namespace);
        for claim in session.cluster.list(&listing.metadata_only()).await? {
            let Some(name) = claim.reference() else { continue };
            if !templates.iter().any(|template| template.takes(namespace, &name.name)) {
                continue;
            }
            seen += 1;
            if claim.label(label::OWNER).is_some() && moved_from(session, &claim).is_none() {
                continue;
            }
            let manager = own_manager(&session.identity, id);
            session.cluster.merge(&name, &json!({"metadata": marks}), &manager).await?;
            marked += 1;
        }
    }
    Ok((seen, marked))
}

fn templates(objects: &[Object], namespace: &str) -> Vec<Template> {
    let sets = objects.iter().filter(|object| object.kind() == "StatefulSet");
    sets.flat_map(|set| {
        let name = set.reference();
        let templates = set.0.pointer("/spec/volumeClaimTemplates").and_then(Json::as_array);
        templates.into_iter().flatten().filter_map(move |template| {
            let volume = template.pointer("/metadata/name")?.as_str()?;
            let name = name.as_ref()?;
            Some(Template {
                namespace: name.namespace.clone().unwrap_or_else(|| namespace.to_owned()),
                prefix: format!("{volume}-{}-", name.name),
            })
        })
    })
    .collect()
}

impl Template {
    fn takes(&self, namespace: &str, name: &str) -> bool {
        let ordinal = name.strip_prefix(&self.prefix);
        namespace == self.namespace
            && ordinal.is_some_and(|o| !o.is_empty() && o.chars().all(|c| c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_of_a_stateful_set_are_known_by_their_names() {
        let set = Object(
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}),
        );
        let found = templates(&[set], "ns");
        assert!(found[0].takes("ns", "data-db-0") && found[0].takes("ns", "data-db-12"));
        for (namespace, name) in
            [("other", "data-db-0"), ("ns", "data-db-x"), ("ns", "data-db-"), ("ns", "data-db-0-1")]
        {
            assert!(!found[0].takes(namespace, name), "{name}");
        }
    }
}
