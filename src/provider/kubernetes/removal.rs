//! What must be so before something goes: read from what was written beside an instance, weighed when a plan is made, and
//! carried out when its node goes. What bears somebody else's mark is never deleted, only named.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::Instant;

use super::compare::absent_is;
use super::discover::{Marked, unwanted};
use super::failure::{provider_error, stale};
use super::finalizer;
use super::observe::link;
use super::owner::owner_of;
use super::session::Session;
use super::{claim, wait};
use crate::adapter::kube::{KubeError, Listing, Only, Propagation};
use crate::model::{
    Discovery, Failure, FailureKind, Found, Gone, Guard, Name, Object, ObjectRef, Owner,
    RemovalRules, ResourceId, ResourceKind, Selected, VolumeRule, annotation,
};
use crate::provider::ProviderError;

/// How long is waited for what must be gone, when nobody says otherwise.
const USUAL: Duration = Duration::from_mins(10);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(300);
/// How many are named.
const NAMED: usize = 5;

/// The rules that an object holds.
pub(super) fn rules_of(object: &Object) -> Option<RemovalRules> {
    serde_json::from_str(object.annotation(annotation::REMOVAL)?).ok()
}

fn rules_in(objects: &[Object]) -> Option<RemovalRules> {
    objects.iter().find_map(rules_of)
}

/// Adds to what was discovered what its rules say today: why it must not go, what goes with it, how long that may take, and
/// which volume claims are no data.
pub(super) async fn weigh(session: &Session, marked: &Marked, all: &mut Discovery) {
    let rules: Vec<(ResourceId, RemovalRules)> = marked
        .objects
        .iter()
        .filter(|(id, _)| id.kind == ResourceKind::Removal)
        .filter_map(|(id, objects)| Some((id.clone(), rules_in(objects)?)))
        .collect();
    for (id, rules) in &rules {
        if let Some(found) = all.found.get_mut(id)
            && let Err(error) = weigh_one(session, marked, rules, found).await
        {
            let says = session.redactor.redact(&error.to_string());
            found.refuses = Some(format!("it could not be seen whether it may go: {says}"));
        }
        let Some(instance) = id.instance_name() else { continue };
        if let Some(ceiling) = rules.ceiling() {
            hurry(all, instance, ceiling);
        }
        if let Some(rule) = &rules.volumes {
            class_volumes(marked, all, instance, rule);
        }
    }
}

async fn weigh_one(
    session: &Session,
    marked: &Marked,
    rules: &RemovalRules,
    found: &mut Found,
) -> Result<(), KubeError> {
    found.refuses = refused(session, &rules.guards).await?;
    for selected in &rules.selected {
        let objects = matching(session, &selected.of, Some(&selected.selector)).await?;
        let ours = objects.iter().filter(|object| may_go(session, object));
        found.objects.extend(ours.filter_map(unwanted));
    }
    let by_uid = marked.by_uid();
    for gone in &rules.gone {
        for object in matching(session, &gone.of, gone.selector.as_deref()).await? {
            let leaving = object.0.pointer("/metadata/deletionTimestamp").is_some();
            let ours = owner_of(&object, &session.identity, None) == Owner::Ours;
            if !leaving && !ours && claim::ancestor(session, &object, &by_uid).await?.is_none() {
                found.foreign.extend(object.reference());
            }
        }
    }
    Ok(())
}

fn hurry(all: &mut Discovery, instance: &Name, ceiling: Duration) {
    let own = all.found.iter_mut().filter(|(id, _)| id.instance_name() == Some(instance));
    own.for_each(|(_, found)| found.leaves_within = Some(ceiling));
}

/// Claims that no file names get their class from the instance's rule; those of the files have their own.
fn class_volumes(marked: &Marked, all: &mut Discovery, instance: &Name, rule: &VolumeRule) {
    for (id, found) in &mut all.found {
        let made = id.kind == ResourceKind::Claim && found.applied.is_none();
        if !made || id.instance_name() != Some(instance) {
            continue;
        }
        let claim = marked.claim_of(found);
        let labels = claim.and_then(|claim| claim.0.pointer("/metadata/labels"));
        let labels: BTreeMap<String, String> = labels
            .and_then(Json::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        found.class = rule.class(&labels);
        found.objects.iter_mut().for_each(|object| object.class = found.class);
    }
}

/// Why the guards do not let go, if they do not.
async fn refused(session: &Session, guards: &[Guard]) -> Result<Option<String>, KubeError> {
    let mut reasons = Vec::new();
    for guard in guards {
        if !wait::test(&link(session), &guard.test).await?.lets_go_on() {
            let words = wait::words(&guard.test);
            reasons.push(match &guard.because {
                Some(because) => format!("{because} (it must be so that {words})"),
                None => format!("it goes only when {words}"),
            });
        }
    }
    Ok((!reasons.is_empty()).then(|| reasons.join("; ")))
}

/// The objects that a reference and a selector mean. A kind that is not served has none.
async fn matching(
    session: &Session,
    of: &ObjectRef,
    selector: Option<&str>,
) -> Result<Vec<Object>, KubeError> {
    let mut listing = Listing::of(&of.api_version, &of.kind).metadata_only();
    listing.namespace.clone_from(&of.namespace);
    if let Some(selector) = selector {
        listing = listing.labels(selector);
    }
    let mut found = absent_is(session.cluster.list(&listing).await, Vec::new())?;
    found.retain(|object| {
        of.name == "*" || object.reference().is_some_and(|name| name.name == of.name)
    });
    Ok(found)
}

/// Whether something that a component selects may be deleted: what programs of ours made bears no mark, but what bears
/// somebody else's, Helm's included, is theirs.
fn may_go(session: &Session, object: &Object) -> bool {
    let theirs = matches!(owner_of(object, &session.identity, None), Owner::Other(_));
    let helm = object.label("app.kubernetes.io/managed-by") == Some("Helm");
    let ours = owner_of(object, &session.identity, None) == Owner::Ours;
    ours || !theirs && !helm
}

/// Does what the rules say before their node goes.
pub(super) async fn carry_out(
    session: &Session,
    id: &ResourceId,
    found: &Found,
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let what = || format!("cannot do what `{id}` says");
    let failed = |error: KubeError| provider_error(what(), &error, &session.redactor);
    let Some(rules) = read(session, found).await.map_err(failed)? else { return Ok(()) };
    if let Some(why) = refused(session, &rules.guards).await.map_err(failed)? {
        return Err(stale(format!("`{id}` is not as the plan saw it"), why));
    }
    let usual = rules.ceiling().or(found.leaves_within).unwrap_or(USUAL);
    for selected in &rules.selected {
        delete_selected(session, selected).await.map_err(failed)?;
        if selected.wait {
            let gone = Gone {
                of: selected.of.clone(),
                selector: Some(selected.selector.clone()),
                timeout: None,
            };
            let only = |object: &Object| may_go(session, object);
            until_gone(session, id, &gone, usual, &only, progress).await?;
        }
    }
    for gone in &rules.gone {
        let ceiling = gone.timeout.map_or(usual, Duration::from_secs);
        until_gone(session, id, gone, ceiling, &|_| true, progress).await?;
    }
    Ok(())
}

/// The rules as they are written now.
async fn read(session: &Session, found: &Found) -> Result<Option<RemovalRules>, KubeError> {
    let names = found.objects.iter().filter(|object| is_holder(&object.object));
    for name in names {
        let live = absent_is(session.cluster.get(&name.object).await, None)?;
        if let Some(rules) = live.as_ref().and_then(rules_of) {
            return Ok(Some(rules));
        }
    }
    Ok(None)
}

/// Whether an object is one that holds rules.
pub(super) fn is_holder(name: &ObjectRef) -> bool {
    name.kind == "ConfigMap" && name.api_version == "v1"
}

async fn delete_selected(session: &Session, selected: &Selected) -> Result<(), KubeError> {
    for object in matching(session, &selected.of, Some(&selected.selector)).await? {
        let (Some(name), true) = (object.reference(), may_go(session, &object)) else { continue };
        let only = Only { uid: object.uid(), version: None };
        let deleted = session.cluster.delete(&name, only, Propagation::Background).await;
        absent_is(deleted, false)?;
    }
    Ok(())
}

async fn until_gone(
    session: &Session,
    id: &ResourceId,
    gone: &Gone,
    ceiling: Duration,
    counts: &(dyn Fn(&Object) -> bool + Send + Sync),
    progress: &(dyn Fn(String) + Send + Sync),
) -> Result<(), ProviderError> {
    let begun = Instant::now();
    let mut said = String::new();
    loop {
        let left =
            matching(session, &gone.of, gone.selector.as_deref()).await.map_err(|error| {
                let what = format!("cannot see whether {} is gone", gone.of);
                provider_error(what, &error, &session.redactor)
            })?;
        let mut stripped = false;
        for object in left.iter().filter(|object| counts(object)) {
            stripped |= finalizer::strip_if_asked(session, object).await.map_err(|error| {
                let what = format!("cannot strip the finalizers of {}", gone.of);
                provider_error(what, &error, &session.redactor)
            })?;
        }
        if stripped {
            progress("stripped finalizers, as asked".to_owned());
            continue;
        }
        let remedies: Vec<String> = left
            .iter()
            .filter(|object| counts(object) && finalizer::keeps(object).is_some())
            .filter_map(|object| Some(finalizer::remedy(&object.reference()?)))
            .take(NAMED)
            .collect();
        let left: Vec<String> = left.iter().filter(|o| counts(o)).filter_map(keeps).collect();
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() >= ceiling {
            return Err(still_there(id, &left, ceiling, remedies));
        }
        let says = format!("waits until these are gone: {}", in_words(&left));
        if says != said {
            progress(says.clone());
            said = says;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// An object that is still there, and what keeps it.
fn keeps(object: &Object) -> Option<String> {
    let name = object.reference()?;
    let leaving = object.0.pointer("/metadata/deletionTimestamp").is_some();
    Some(match (leaving, finalizer::keeps(object)) {
        (false, _) => format!("{name} (nobody deleted it)"),
        (true, None) => name.to_string(),
        (true, Some(keeps)) => format!("{name} (kept by {keeps})"),
    })
}

fn in_words(left: &[String]) -> String {
    let more = left.len().saturating_sub(NAMED);
    let named: Vec<&str> = left.iter().take(NAMED).map(String::as_str).collect();
    if more == 0 { named.join(", ") } else { format!("{} and {more} more", named.join(", ")) }
}

fn still_there(
    id: &ResourceId,
    left: &[String],
    ceiling: Duration,
    remedies: Vec<String>,
) -> ProviderError {
    let what = format!("`{id}` does not let go: something must be gone before, and is not");
    let mut failure = Failure::new(FailureKind::Partial, what)
        .because(format!("after {} s these are still there: {}", ceiling.as_secs(), in_words(left)))
        .hint("see whether what handles their finalizers runs; the same command goes on from here");
    failure.hints.extend(remedies);
    ProviderError::permanent(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_still_there_says_what_keeps_it() {
        let object = |metadata: Json| {
            let mut object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata});
            object["metadata"]["name"] = "x".into();
            keeps(&Object(object)).unwrap()
        };
        assert!(object(json!({})).ends_with("(nobody deleted it)"));
        let leaving = object(json!({"deletionTimestamp": "t", "finalizers": ["a/b", "c/d"]}));
        assert!(leaving.ends_with("(kept by its finalizers a/b, c/d)"), "{leaving}");
    }

    #[test]
    fn a_long_list_is_cut() {
        let left: Vec<String> = (0..7).map(|n| n.to_string()).collect();
        assert_eq!(in_words(&left), "0, 1, 2, 3, 4 and 2 more");
    }

    #[test]
    fn a_claim_that_no_file_names_gets_its_class_from_the_rule() {
        let id: ResourceId = "db/claim/data-db-0".parse().unwrap();
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data-db-0", "uid": "1", "labels": {"app": "cache"}}});
        let mut marked = Marked::default();
        marked.objects.insert(id.clone(), vec![Object(claim)]);
        let mut all = Discovery::default();
        let object = unwanted(&marked.objects[&id][0]).unwrap();
        let class = crate::model::Class::Data;
        all.found.insert(id.clone(), Found { class, objects: vec![object], ..Found::ours() });
        let rule = VolumeRule { keep: false, selector: Some("app=cache".to_owned()) };
        class_volumes(&marked, &mut all, &"db".parse().unwrap(), &rule);
        assert_eq!(all.found[&id].class, crate::model::Class::Stateful);
    }
}
