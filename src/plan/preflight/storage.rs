//! Storage classes that claims of a plan rely on.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::read::{list, name, text};
use super::wish::{Fate, Wishes};
use super::{Check, Facts, Finding, Severity};
use crate::model::{Object, ResourceId};

const DEFAULT: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// A claim and the class that it names.
struct Claim<'a> {
    step: &'a ResourceId,
    name: String,
    class: Option<&'a str>,
}

/// Judges claims by the classes there are and those that the plan brings.
pub(super) fn findings(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let Some(live) = &facts.storage_classes else { return Vec::new() };
    let planned: Vec<&Object> = wishes
        .written
        .iter()
        .filter(|written| written.name.kind == "StorageClass")
        .map(|written| written.object)
        .collect();
    let classes: BTreeMap<&str, &Object> =
        live.iter().chain(planned).map(|class| (name(class), class)).collect();
    let defaults: BTreeSet<&str> =
        classes.iter().filter(|(_, class)| is_default(class)).map(|(name, _)| *name).collect();
    let claims = claims(wishes);
    let mut found = Vec::new();
    let unnamed: Vec<&Claim<'_>> = claims.iter().filter(|claim| claim.class.is_none()).collect();
    if !unnamed.is_empty() && defaults.is_empty() {
        let what = "the cluster has no default storage class, and claims of the plan name none";
        found.push(listed(Finding::new(Check::Storage, Severity::Blocking, what), &unnamed).todo(
            match classes.keys().next() {
                Some(class) => format!(
                    "make one the default:\n    kubectl annotate storageclass {class} {}=true",
                    DEFAULT[0]
                ),
                None => "install a storage provisioner with a storage class".to_owned(),
            },
        ));
    }
    if !unnamed.is_empty() && defaults.len() > 1 {
        let names: Vec<_> = defaults.iter().copied().collect();
        let what = format!("several storage classes are the default: {}", names.join(", "));
        let finding = Finding::new(Check::Storage, Severity::Warning, what)
            .because("Kubernetes takes the one made last");
        found.push(finding.todo("keep one default, or name a class in the settings"));
    }
    let mut missing: BTreeMap<&str, Vec<&Claim<'_>>> = BTreeMap::new();
    for claim in &claims {
        if let Some(class) = claim.class.filter(|c| !c.is_empty() && !classes.contains_key(c)) {
            missing.entry(class).or_default().push(claim);
        }
    }
    for (class, claims) in missing {
        let what = format!("there is no storage class `{class}`");
        let there: Vec<_> = classes.keys().copied().collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let finding = Finding::new(Check::Storage, Severity::Blocking, what);
        found.push(
            listed(finding, &claims).todo(format!("name one of the classes there are: {there}")),
        );
    }
    found
}

fn listed(finding: Finding, claims: &[&Claim<'_>]) -> Finding {
    let names: Vec<_> = claims.iter().map(|claim| claim.name.as_str()).collect();
    finding.about(claims.iter().map(|claim| claim.step)).because(names.join(", "))
}

fn is_default(class: &Object) -> bool {
    DEFAULT.iter().any(|key| class.annotation(key) == Some("true"))
}

/// Claims that come: those that are there have their volume, or wait for it already.
fn claims<'a>(wishes: &Wishes<'a>) -> Vec<Claim<'a>> {
    let mut claims = Vec::new();
    for written in wishes.written.iter().filter(|written| written.fate == Fate::Comes) {
        let json = &written.object.0;
        match written.name.kind.as_str() {
            "PersistentVolumeClaim" => {
                claims.extend(claim(written.step, json, written.name.to_string()));
            }
            "StatefulSet" => {
                for template in list(json, "/spec/volumeClaimTemplates") {
                    let called = text(template, "/metadata/name");
                    claims.extend(claim(
                        written.step,
                        template,
                        format!("{} ({called})", written.name),
                    ));
                }
            }
            _ => {}
        }
    }
    claims
}

fn claim<'a>(step: &'a ResourceId, json: &'a Json, name: String) -> Option<Claim<'a>> {
    if !text(json, "/spec/volumeName").is_empty() {
        return None;
    }
    let old = json.pointer("/metadata/annotations").and_then(|map| map.get(OLD_CLASS));
    let class = json.pointer("/spec/storageClassName").or(old).and_then(Json::as_str);
    Some(Claim { step, name, class })
}
