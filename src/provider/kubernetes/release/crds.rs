//! Custom resource definitions that come with a chart.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::failure::{failure, provider_error};
use super::super::session::Session;
use super::{RenderContext, own_manager};
use crate::adapter::helm::Template;
use crate::adapter::helm::chart::Chart;
use crate::adapter::kube::{KubeError, Write};
use crate::model::{
    ChartSource, Failure, FailureKind, Identity, Marks, Object, ObjectFound, Owner, POLICY,
    Resource, label,
};
use crate::provider::ProviderError;
use crate::yaml;

use super::super::compare::{observe_objects, read_live};
use super::super::owner::owner_of;

/// How long an applied definition may take until it is served.
const ESTABLISHED: Duration = Duration::from_secs(20);
/// How long between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// The objects of the `crds/` folder and the CRD templates of a chart, for a step `crds`.
pub async fn chart_crds(
    context: &RenderContext<'_>,
    chart: &ChartSource,
) -> Result<Vec<Object>, Failure> {
    let helm = context.helm;
    let chart = helm.chart(chart).await?;
    let files = chart.content().await?;
    let what = "cannot read the CRDs of a chart";
    let mut crds =
        files.crds().map_err(|error| Failure::new(FailureKind::Usage, what).caused_by(&error))?;
    if files.templates().any(|text| text.contains("CustomResourceDefinition")) {
        let _turn = helm.turn().await;
        let template = Template {
            release: "crds",
            namespace: "default",
            chart: &chart.path,
            values: &json!({"installCRDs": true, "crds": {"enabled": true, "install": true}}),
            hooks: false,
            is_upgrade: false,
            kube_version: &context.facts.version,
            apis: context.facts.apis.iter().map(String::as_str).collect(),
            cluster: None,
        };
        // A chart that does not render without its user's values has its CRDs rendered with the release.
        if let Ok(text) = helm.template(&template).await {
            let documents = yaml::manifests(&text).unwrap_or_default();
            let named = |json: &Json| json.pointer("/metadata/name").cloned();
            let templated = documents.into_iter().filter(is_definition);
            let new: Vec<_> = templated
                .filter(|one| !crds.iter().any(|known| named(known) == named(one)))
                .collect();
            crds.extend(new);
        }
    }
    Ok(crds.into_iter().filter(is_definition).map(Object).collect())
}

/// The objects of a folder of a chart, for a step `crds` with `subpath`.
pub async fn chart_crds_below(
    context: &RenderContext<'_>,
    chart: &ChartSource,
    folder: &str,
) -> Result<Vec<Object>, Failure> {
    let files = context.helm.chart(chart).await?.content().await?;
    let what = format!("cannot read the CRDs in `{folder}` of a chart");
    let crds = files
        .crds_below(folder)
        .map_err(|error| Failure::new(FailureKind::Usage, what.clone()).caused_by(&error))?;
    let crds: Vec<Object> = crds.into_iter().filter(is_definition).map(Object).collect();
    if crds.is_empty() {
        return Err(Failure::new(FailureKind::Usage, what)
            .because("no custom resource definition lies there")
            .hint("correct `from.subpath` of the step"));
    }
    Ok(crds)
}

fn is_definition(json: &Json) -> bool {
    json.get("kind").and_then(Json::as_str) == Some("CustomResourceDefinition")
}

/// The CRDs in the `crds/` folder of a release's chart, with our marks.
pub(super) async fn of_chart(
    chart: &Chart,
    identity: &Identity,
    resource: &Resource,
) -> Result<Vec<Object>, Failure> {
    let content = chart.content().await?;
    let what = format!("cannot read the CRDs of `{}`", resource.id);
    let crds =
        content.crds().map_err(|error| Failure::new(FailureKind::Usage, what).caused_by(&error))?;
    let marks = Marks::of(identity, resource);
    let marked = crds.into_iter().filter(is_definition).map(|mut crd| {
        super::super::compare::merge(
            &mut crd,
            &json!({"metadata": {"labels": marks.labels, "annotations": marks.annotations}}),
        );
        Object(crd)
    });
    Ok(marked.collect())
}

/// Whether an object of a rendering is a definition that datamill applies itself: Helm's own bear the keep policy.
pub(super) fn is_ours_to_apply(object: &Object) -> bool {
    object.kind() == "CustomResourceDefinition" && object.annotation(POLICY).is_none()
}

/// Looks at definitions; one that is somebody else's is used as it is and does not count.
pub(super) async fn observe(
    session: &Session,
    resource: &Resource,
    definitions: &[Object],
) -> Result<Vec<ObjectFound>, KubeError> {
    let manager = own_manager(&session.identity, &resource.id);
    let found = observe_objects(session, &resource.id, definitions, &manager, None).await?;
    Ok(found.into_iter().filter(|object| matches!(object.owner, Owner::Ours)).collect())
}

/// Applies definitions and waits until they are served. One that somebody else brought stays as it is.
pub(super) async fn apply(
    session: &Session,
    resource: &Resource,
    definitions: &[Object],
) -> Result<(), ProviderError> {
    if definitions.is_empty() {
        return Ok(());
    }
    let what = || format!("cannot apply the CRDs of `{}`", resource.id);
    let failed = |error: KubeError| provider_error(what(), &error, &session.redactor);
    let live = read_live(&session.cluster, definitions.iter().filter_map(Object::reference))
        .await
        .map_err(failed)?;
    let write = Write::by(own_manager(&session.identity, &resource.id)).forced();
    for definition in definitions {
        let name = definition.reference();
        let there = name.as_ref().and_then(|name| live.get(name));
        // Several instances of one component bring the same definitions: whoever of us came first holds them.
        let foreign = there.is_some_and(|live| {
            live.label(label::OWNER) != Some(session.identity.owner.0.as_str())
                && !matches!(owner_of(live, &session.identity, None), Owner::Ours)
        });
        if !foreign {
            session.cluster.apply(definition, &write).await.map_err(failed)?;
        }
    }
    until_served(session, definitions)
        .await
        .map_err(|error| ProviderError::transient(failure(what(), &error, &session.redactor)))?;
    session.cluster.refresh_kinds();
    Ok(())
}

async fn until_served(session: &Session, definitions: &[Object]) -> Result<(), KubeError> {
    let deadline = tokio::time::Instant::now() + ESTABLISHED;
    loop {
        let names = definitions.iter().filter_map(Object::reference);
        let live = read_live(&session.cluster, names).await?;
        let waiting = live.iter().find(|(_, definition)| !is_established(definition));
        match waiting {
            None => return Ok(()),
            Some((name, _)) if tokio::time::Instant::now() > deadline => {
                let what = format!("{name} to be established");
                return Err(KubeError::Timeout { what, seconds: ESTABLISHED.as_secs() });
            }
            Some(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn is_established(definition: &Object) -> bool {
    let conditions = definition.0.pointer("/status/conditions").and_then(Json::as_array);
    conditions.into_iter().flatten().any(|condition| {
        condition.get("type").and_then(Json::as_str) == Some("Established")
            && condition.get("status").and_then(Json::as_str) == Some("True")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_helm_keeps_are_helm_s() {
        let crd = |annotations: Json| {
            Object(
                json!({"kind": "CustomResourceDefinition", "metadata": {"annotations": annotations}}),
            )
        };
        assert!(is_ours_to_apply(&crd(json!({}))));
        assert!(!is_ours_to_apply(&crd(json!({"helm.sh/resource-policy": "keep"}))));
        assert!(!is_ours_to_apply(&Object(json!({"kind": "Service"}))));
    }

    #[test]
    fn established_is_read_from_the_conditions() {
        let crd = |status: &str| {
            Object(json!({"status": {"conditions": [{"type": "Established", "status": status}]}}))
        };
        assert!(is_established(&crd("True")) && !is_established(&crd("False")));
        assert!(!is_established(&Object(json!({}))));
    }
}
