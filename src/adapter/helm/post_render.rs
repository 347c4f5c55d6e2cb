//! What datamill changes in rendered manifests before Helm stores and applies them: marks, the keep policy, ignored fields.
//! Pure; Helm calls it through the plugin, and renderings for plans call it directly.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::model::{Digest, Failure, FailureKind, Object, ScaleTarget, ignore, label};
use crate::yaml;

/// The variable that holds the rules as JSON for the plugin.
pub const RULES_VARIABLE: &str = "DATAMILL_POST_RENDER_RULES";
/// Grows when the same rules give another result: releases are then upgraded.
const VERSION: u32 = 1;
/// Kinds that Helm must never delete: they hold data, or other people's objects.
const KEPT: [&str; 4] =
    ["PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition", "Namespace"];
/// Helm's annotation for what it keeps.
const POLICY: &str = "helm.sh/resource-policy";
/// Helm's annotation for hooks.
pub(super) const HOOK: &str = "helm.sh/hook";

/// What is changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Added to every object, hooks included, never to pod templates.
    pub labels: BTreeMap<String, String>,
    /// Added to every object.
    pub annotations: BTreeMap<String, String>,
    /// Dropped: `Kind/name:/json/pointer`, with `*` for any kind, any name, or any one part of the pointer.
    pub ignore: Vec<String>,
    /// Live values of fields that are left to others, `Kind/name:/json/pointer`: what lives stays as it is. No input: they say
    /// nothing about what is wanted.
    #[serde(default)]
    pub live: BTreeMap<String, Json>,
    /// Objects of class *data*, `Kind/name` with `*` for any: kept, and marked so.
    pub data: BTreeSet<String>,
    /// Whether no container runs there: an `APIService` nobody answers for would block every deletion of a namespace.
    pub simulated: bool,
}

impl Rules {
    /// The digest that tells whether a release must be rendered anew.
    pub fn digest(&self) -> Digest {
        let mut rules = serde_json::to_value(self).unwrap_or_default();
        if let Some(map) = rules.as_object_mut() {
            map.remove("live");
        }
        Digest::of_json(&json!({"version": VERSION, "rules": rules}))
    }

    /// The rules as the plugin's variable holds them.
    pub fn to_variable(&self) -> String {
        serde_json::to_value(self).unwrap_or_default().to_string()
    }

    fn drops(&self, object: &Json) -> bool {
        self.simulated && kind(object) == "APIService"
    }

    fn is_data(&self, object: &Json) -> bool {
        self.data.iter().any(|pattern| ignore::names(pattern, object))
    }
}

/// Changes manifests as the rules say. The answer is never empty, which Helm would refuse.
pub fn post_render(rules: &Rules, manifests: &str) -> Result<String, Failure> {
    let documents = yaml::manifests(manifests).map_err(|error| {
        Failure::new(FailureKind::Usage, "cannot read the manifests that Helm rendered")
            .caused_by(&error)
    })?;
    let (objects, _) = apply_rules_told(rules, documents);
    if objects.is_empty() {
        return Ok("# nothing is left\n".to_owned());
    }
    Ok(yaml::print_manifests(&objects))
}

/// As [`post_render`], with the rules as the plugin's variable holds them.
pub fn post_render_by_variable(variable: &str, manifests: &str) -> Result<String, Failure> {
    let rules = serde_json::from_str(variable).map_err(|error| {
        let what = format!("cannot read the rules in `{RULES_VARIABLE}`");
        Failure::new(FailureKind::Bug, what).caused_by(&error)
    })?;
    post_render(&rules, manifests)
}

/// A field that was taken out of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The object's API version, kind, name and namespace, as an object.
    pub object: Json,
    /// Where: a JSON pointer.
    pub path: String,
    /// What stood there.
    pub value: Json,
    /// Why; nothing where a rule of the flavour or the component says so.
    pub reason: Option<String>,
}

/// Changes objects as the rules say, and tells what was taken out of them; lists are taken apart, what is dropped is not in the
/// answer.
pub fn apply_rules_told(rules: &Rules, documents: Vec<Json>) -> (Vec<Json>, Vec<Dropped>) {
    let mut objects = Vec::new();
    for document in documents {
        take_apart(document, &mut objects);
    }
    objects.retain(|object| !rules.drops(object));
    let scaled: Vec<ScaleTarget> = objects.iter().filter_map(ScaleTarget::of).collect();
    let mut dropped = Vec::new();
    for object in &mut objects {
        dropped.extend(leave_to_others(rules, &scaled, object));
        change(rules, object);
    }
    (objects, dropped)
}

/// Takes out of an object what is not ours to decide; where it is known what lives, that stands there instead.
fn leave_to_others(rules: &Rules, scaled: &[ScaleTarget], object: &mut Json) -> Vec<Dropped> {
    let by_rule = rules.ignore.iter().flat_map(|rule| ignore::drop_at(rule, object));
    let mut taken: Vec<_> = by_rule.map(|(path, value)| (path, value, None)).collect();
    let by_itself = ignore::drop_built_in(object, scaled);
    taken.extend(by_itself.into_iter().map(|(path, value, why)| (path, value, Some(why))));
    for (place, value) in &rules.live {
        let Some((pattern, pointer)) = place.split_once(":/") else { continue };
        if ignore::names(pattern, object) {
            *object = ignore::with(&Object(object.take()), &format!("/{pointer}"), Some(value)).0;
        }
    }
    let head = json!({
        "apiVersion": object.get("apiVersion"),
        "kind": object.get("kind"),
        "metadata": {
            "name": object.pointer("/metadata/name"),
            "namespace": object.pointer("/metadata/namespace"),
        },
    });
    let told = |(path, value, reason)| Dropped { object: head.clone(), path, value, reason };
    taken.into_iter().map(told).collect()
}

/// A `List` becomes its items: marks belong on each of them. Annotations of the list, by which Helm remembers the template,
/// go to the items.
fn take_apart(document: Json, into: &mut Vec<Json>) {
    let is_list = kind(&document) == "List" && document.get("items").is_some_and(Json::is_array);
    if !is_list {
        into.push(document);
        return;
    }
    let annotations = document.pointer("/metadata/annotations").and_then(Json::as_object).cloned();
    let items = document.get("items").and_then(Json::as_array).cloned().unwrap_or_default();
    for mut item in items {
        for (key, value) in annotations.iter().flatten() {
            if let Some(map) = child(&mut item, "metadata").and_then(|m| child_of(m, "annotations"))
            {
                map.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        take_apart(item, into);
    }
}

fn change(rules: &Rules, object: &mut Json) {
    let data = rules.is_data(object) || kind(object) == "PersistentVolumeClaim";
    let is_hook = annotation(object, HOOK).is_some();
    let kept = !is_hook && (data || KEPT.contains(&kind(object)));
    let Some(metadata) = child(object, "metadata") else { return };
    if let Some(labels) = child_of(metadata, "labels") {
        add(labels, &rules.labels);
        if data {
            labels.insert(label::CLASS.to_owned(), json!("data"));
        }
    }
    if let Some(annotations) = child_of(metadata, "annotations") {
        add(annotations, &rules.annotations);
        if kept {
            annotations.insert(POLICY.to_owned(), json!("keep"));
        }
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

fn add(map: &mut Map<String, Json>, more: &BTreeMap<String, String>) {
    for (key, value) in more {
        map.insert(key.clone(), Json::String(value.clone()));
    }
}

/// The map under a key, made when it is absent or nothing.
fn child<'o>(object: &'o mut Json, key: &str) -> Option<&'o mut Map<String, Json>> {
    child_of(object.as_object_mut()?, key)
}

fn child_of<'o>(map: &'o mut Map<String, Json>, key: &str) -> Option<&'o mut Map<String, Json>> {
    let slot = map.entry(key).or_insert_with(|| json!({}));
    if slot.is_null() {
        *slot = json!({});
    }
    slot.as_object_mut()
}

fn kind(object: &Json) -> &str {
    object.get("kind").and_then(Json::as_str).unwrap_or_default()
}

pub(super) fn annotation<'o>(object: &'o Json, key: &str) -> Option<&'o str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            labels: BTreeMap::from([(label::OWNER.to_owned(), "abc".to_owned())]),
            annotations: BTreeMap::from([(
                "datamill.dev/id".to_owned(),
                "a/release/main".to_owned(),
            )]),
            ..Rules::default()
        }
    }

    fn rendered(rules: &Rules, text: &str) -> Vec<Json> {
        yaml::manifests(&post_render(rules, text).unwrap()).unwrap()
    }

    #[test]
    fn every_object_bears_the_marks_and_no_pod_template_does() {
        let text = "kind: Deployment\nmetadata: {name: d}\nspec: {template: {metadata: {labels: {app: d}}}}\n---\n\
                    kind: Job\nmetadata: {name: h, labels: ~, annotations: {helm.sh/hook: pre-install}}\n---\n\
                    kind: List\nitems: [{kind: Service, metadata: {name: s}}]\n";
        let objects = rendered(&rules(), text);
        assert_eq!(objects.len(), 3);
        for object in &objects {
            assert_eq!(object["metadata"]["labels"][label::OWNER], "abc", "{object}");
            assert_eq!(object["metadata"]["annotations"]["datamill.dev/id"], "a/release/main");
        }
        assert_eq!(objects[0]["spec"]["template"]["metadata"]["labels"], json!({"app": "d"}));
    }

    #[test]
    fn data_is_kept_and_hooks_are_not() {
        let text = "kind: PersistentVolumeClaim\nmetadata: {name: p}\n---\nkind: Namespace\nmetadata: {name: n}\n---\n\
                    kind: Kafka\nmetadata: {name: k}\n---\nkind: Secret\nmetadata: {name: s}\n---\n\
                    kind: PersistentVolumeClaim\nmetadata: {name: h, annotations: {helm.sh/hook: pre-install}}\n";
        let rules = Rules { data: ["Kafka/*".to_owned()].into(), ..rules() };
        let objects = rendered(&rules, text);
        let keeps: Vec<_> = objects.iter().map(|o| annotation(o, POLICY) == Some("keep")).collect();
        assert_eq!(keeps, [true, true, true, false, false]);
        let class = |at: usize| objects[at]["metadata"]["labels"][label::CLASS].as_str();
        assert_eq!((class(0), class(1), class(2)), (Some("data"), None, Some("data")));
    }

    #[test]
    fn ignored_fields_go_and_api_services_go_where_nothing_runs() {
        let text = "kind: Deployment\nmetadata: {name: d}\nspec: {replicas: 3, c: [{x: 1, y_: 2}, {x: 3}]}\n---\n\
                    kind: APIService\nmetadata: {name: v1}\n---\nkind: Deployment\nmetadata: {name: e}\nspec: {replicas: 3}\n";
        let ignore =
            ["Deployment/d:/spec/replicas", "*/*:/spec/c/*/x", "*/*:/spec/c/9", "nonsense"];
        let rules = Rules {
            ignore: ignore.map(str::to_owned).to_vec(),
            simulated: true,
            ..Rules::default()
        };
        let objects = rendered(&rules, text);
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[0]["spec"], json!({"c": [{"y_": 2}, {}]}));
        assert_eq!(objects[1]["spec"], json!({"replicas": 3}));
    }

    #[test]
    fn nothing_left_is_no_empty_text() {
        let text = "kind: APIService\nmetadata: {name: v1}\n";
        let rules = Rules { simulated: true, ..Rules::default() };
        assert!(!post_render(&rules, text).unwrap().trim().is_empty());
    }

    #[test]
    fn rules_survive_the_variable() {
        let text = "kind: Service\nmetadata: {name: s}\n";
        let there = post_render_by_variable(&rules().to_variable(), text).unwrap();
        assert_eq!(there, post_render(&rules(), text).unwrap());
        assert!(post_render_by_variable("{", text).is_err());
    }
}
