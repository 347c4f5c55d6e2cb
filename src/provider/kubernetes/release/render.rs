//! Draws a release: the chart is fetched, its values are filled in, the real Helm renders it, the post-renderer's changes are
//! made, and all of it is cached.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::super::compare::merge;
use super::cache::{self, Drawing};
use super::scope::Scopes;
use super::values::{self, Filled};
use super::{RenderContext, access, crds, random, rules, stored};
use crate::adapter::helm::chart::{Chart, Findings, unknown_keys};
use crate::adapter::helm::{Dropped, Rules, Template, apply_rules_told, explain};
use crate::adapter::process::ProcessError;
use crate::model::{
    CrdPolicy, Digest, Failure, FailureKind, Ignored, Object, ReleaseSpec, Rendered, Resource,
    ignore,
};
use crate::yaml;

/// What Helm says when the cluster does not know a kind that the plan brings.
const KIND_COMES_LATER: [&str; 2] = ["no matches for kind", "resource mapping not found"];

/// Draws a release as it will be.
pub async fn render(
    context: &RenderContext<'_>,
    resource: &Resource,
    spec: &ReleaseSpec,
) -> Result<Rendered, Failure> {
    let helm = context.helm;
    let chart = helm.chart(&spec.chart).await?;
    let filled =
        values::fill(&spec.values, context.known, context.session, context.identity).await?;
    let rules = rules(context.identity, resource, context.facts.simulated);
    let findings = cache::findings(helm, &chart).await?;
    let inputs = inputs(&chart, &filled, &rules, spec);
    let mut others = Vec::new();
    for source in &spec.shared_with {
        others.push(helm.chart(source).await?);
    }
    let subject = Subject {
        spec,
        chart: &chart,
        others: &others,
        filled: &filled,
        rules: &rules,
        findings: &findings,
    };
    let (drawing, late) = match draw(context, &subject).await {
        Ok(drawing) => (drawing, None),
        // A chart that cannot work with a stand-in is drawn when the value is there.
        Err(failure) if !filled.unknown.is_empty() && failure.kind == FailureKind::Usage => {
            let reason = failure.causes.first().cloned().unwrap_or(failure.what);
            let nothing = Drawing::default();
            (nothing, Some(format!("its objects are known only later: {reason}")))
        }
        Err(failure) => return Err(failure),
    };
    let definitions = match spec.crds {
        CrdPolicy::Chart => crds::of_chart(&chart, context.identity, resource).await?,
        CrdPolicy::Skip => Vec::new(),
    };
    let kinds = match context.session {
        // Without an answer the well-known kinds must do.
        Some(session) => session.cluster.kinds().await.ok(),
        None => None,
    };
    let defined = drawing.objects.iter().chain(definitions.iter().map(|object| &object.0));
    let scopes = Scopes::new(kinds.as_deref(), defined);
    let place = |objects: Vec<Json>| -> Vec<Object> {
        objects.into_iter().map(|object| scopes.placed(object, &spec.namespace)).collect()
    };
    let hooks = place(drawing.hooks.clone());
    let mut objects = place(drawing.objects.clone());
    objects.extend(definitions);
    let lines = drawing.warnings.iter().map(|line| format!("release `{}`: {line}", spec.release));
    Ok(Rendered {
        objects,
        hooks,
        ignored: ignored(resource, place, &drawing.dropped),
        inputs,
        unknown: filled.unknown.clone(),
        unstable: findings.unstable.clone(),
        chart: Some(chart.digest.clone()),
        findings: lines.collect(),
        warnings: late
            .into_iter()
            .chain(drawing.drawn_anew)
            .chain(marked(&findings.unstable, context.session.is_some()))
            .collect(),
    })
}

/// What makes a chart's later renderings differ though it draws nothing at random, as lines for people.
fn marked(unstable: &BTreeSet<String>, asked: bool) -> Vec<String> {
    let by_revision: Vec<_> =
        unstable.iter().filter(|word| word.starts_with(".Release.")).map(String::as_str).collect();
    let mut lines = Vec::new();
    if !by_revision.is_empty() {
        lines.push(format!("its chart renders each revision anew: {}", by_revision.join(", ")));
    }
    if unstable.contains("lookup") {
        lines.push(if asked {
            "its chart looks into the cluster (lookup): what it renders depends on what is there"
                .to_owned()
        } else {
            "its chart looks into the cluster (lookup), which is not there yet: what it renders then may differ"
                .to_owned()
        });
    }
    lines
}

/// What was taken out, each in its object as it lies in the cluster.
fn ignored(
    resource: &Resource,
    place: impl Fn(Vec<Json>) -> Vec<Object>,
    dropped: &[Dropped],
) -> Vec<Ignored> {
    let placed = place(dropped.iter().map(|one| one.object.clone()).collect());
    let one = |(dropped, object): (&Dropped, Object)| {
        let rule = || {
            let mut rules = resource.ignore.iter();
            rules.find(|rule| ignore::means(&rule.path, &dropped.object, &dropped.path))
        };
        let reason = dropped.reason.clone().or_else(|| {
            let rule = rule()?;
            Some(rule.reason.clone().unwrap_or_else(|| rule.path.clone()))
        });
        Some(Ignored {
            object: object.reference()?,
            path: dropped.path.clone(),
            wanted: dropped.value.clone(),
            reason: reason.unwrap_or_default(),
        })
    };
    dropped.iter().zip(placed).filter_map(one).collect()
}

/// The digest that decides whether a release changed.
fn inputs(chart: &Chart, filled: &Filled, rules: &Rules, spec: &ReleaseSpec) -> Digest {
    let crds = match spec.crds {
        CrdPolicy::Skip => "skip",
        CrdPolicy::Chart => "chart",
    };
    let mut inputs = json!({
        "chart": chart.digest.as_str(),
        "values": filled.hashed,
        "rules": rules.digest().as_str(),
        "crds": crds,
    });
    // What is usual is not named, so that releases made before somebody could say otherwise stay as they are.
    if !spec.hooks {
        merge(&mut inputs, &json!({"hooks": false}));
    }
    Digest::of_json(&inputs)
}

/// What is drawn.
pub(super) struct Subject<'a> {
    pub(super) spec: &'a ReleaseSpec,
    pub(super) chart: &'a Chart,
    /// The charts that get the same values file.
    others: &'a [Chart],
    pub(super) filled: &'a Filled,
    rules: &'a Rules,
    findings: &'a Findings,
}

async fn draw(context: &RenderContext<'_>, of: &Subject<'_>) -> Result<Drawing, Failure> {
    let is_upgrade = is_upgrade(context, of).await;
    let (spec, facts) = (of.spec, context.facts);
    let apis: Vec<_> = facts.apis.iter().map(String::as_str).collect();
    let others = Digest::of_parts(of.others.iter().map(|chart| chart.digest.as_str()));
    let key = cache::key([
        others.as_str(),
        of.chart.digest.as_str(),
        &of.filled.json.to_string(),
        of.rules.digest().as_str(),
        &spec.release,
        &spec.namespace,
        &facts.version,
        Digest::of_parts(apis.iter().copied()).as_str(),
        if is_upgrade { "upgrade" } else { "install" },
        if context.session.is_some() { "server" } else { "client" },
        if spec.hooks { "hooks" } else { "no hooks" },
    ]);
    // What holds secrets is not written to the disk.
    let keep = !of.filled.has_secrets;
    if let Some(drawing) = cache::load(context.helm, &key).filter(|_| keep) {
        return Ok(drawing);
    }
    let what = || format!("cannot render release `{}`", spec.release);
    let manner = Manner { is_upgrade, apis };
    let text = run_helm(context, of, &manner, &of.filled.json)
        .await
        .map_err(|error| explain(&what(), &error).failure)?;
    let documents = yaml::manifests(&text).map_err(|error| {
        Failure::new(FailureKind::Usage, what())
            .because("the chart renders no YAML")
            .caused_by(&error)
    })?;
    let drawn_anew = if of.findings.is_random() {
        random::drawn_anew(context, of, &manner, &text).await?
    } else {
        Vec::new()
    };
    let (documents, dropped) = apply_rules_told(of.rules, documents);
    let (hooks, objects): (Vec<_>, Vec<_>) = documents.into_iter().partition(is_hook);
    if let Some(nameless) = objects.iter().find(|json| !is_object(json)) {
        let cause = format!("the chart renders what is no object: {}", beginning(nameless));
        return Err(Failure::new(FailureKind::Usage, what()).because(cause));
    }
    let files = of.chart.content().await?;
    let mut others = Vec::new();
    for chart in of.others {
        others.push(chart.content().await?);
    }
    let warnings = unknown_keys(&files, &of.filled.json, &others);
    let drawing = Drawing { objects, hooks, dropped, warnings, drawn_anew };
    if keep {
        cache::save(context.helm, &key, &drawing);
    }
    Ok(drawing)
}

/// For what a chart is drawn, besides its values.
pub(super) struct Manner<'a> {
    is_upgrade: bool,
    apis: Vec<&'a str>,
}

/// The manifests that Helm makes of a chart with some values.
pub(super) async fn run_helm(
    context: &RenderContext<'_>,
    of: &Subject<'_>,
    manner: &Manner<'_>,
    values: &Json,
) -> Result<String, ProcessError> {
    let _turn = context.helm.turn().await;
    let cluster = context.session.filter(|_| of.findings.asks_cluster).map(access);
    let template = Template {
        release: &of.spec.release,
        namespace: &of.spec.namespace,
        chart: &of.chart.path,
        values,
        hooks: of.spec.hooks,
        is_upgrade: manner.is_upgrade,
        kube_version: &context.facts.version,
        apis: manner.apis.clone(),
        cluster: cluster.as_ref(),
    };
    match context.helm.template(&template).await {
        Err(ProcessError::Status { says, .. })
            if template.cluster.is_some()
                && KIND_COMES_LATER.iter().any(|words| says.contains(words)) =>
        {
            context.helm.template(&Template { cluster: None, ..template }).await
        }
        other => other,
    }
}

/// Whether the chart is drawn as an upgrade: asked only where it makes a difference.
async fn is_upgrade(context: &RenderContext<'_>, of: &Subject<'_>) -> bool {
    let cares = of.findings.unstable.iter().any(|word| word.starts_with(".Release."));
    match context.session {
        Some(session) if cares => stored::head(session, &of.spec.namespace, &of.spec.release)
            .await
            .is_ok_and(|h| h.is_some()),
        Some(_) | None => false,
    }
}

fn is_hook(object: &Json) -> bool {
    object.pointer("/metadata/annotations").is_some_and(|map| map.get("helm.sh/hook").is_some())
}

/// Whether API version, kind and name are there as text: an unquoted `n` or `1` is none.
fn is_object(json: &Json) -> bool {
    let text = |pointer: &str| json.pointer(pointer).is_some_and(Json::is_string);
    let named = text("/metadata/name") || text("/metadata/generateName");
    text("/apiVersion") && text("/kind") && named
}

/// As much of a document as helps to find it.
fn beginning(json: &Json) -> String {
    let (kind, name) = (json.get("kind"), json.pointer("/metadata/name"));
    let shown = json!({"apiVersion": json.get("apiVersion"), "kind": kind, "name": name});
    shown.to_string()
}

/// The events of hooks.
pub(super) fn hook_events(hooks: &[Object]) -> BTreeSet<String> {
    let events = hooks.iter().filter_map(|hook| hook.annotation("helm.sh/hook"));
    events.flat_map(|list| list.split(',')).map(|event| event.trim().to_owned()).collect()
}
