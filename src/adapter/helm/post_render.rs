//! What datamill changes in rendered manifests before Helm stores and applies them: marks, the keep policy, ignored fields.
//! Pure; Helm calls it through the plugin, and renderings for plans call it directly.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::model::{Digest, Failure, FailureKind, label};
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
    /// Objects of class *data*, `Kind/name` with `*` for any: kept, and marked so.
    pub data: BTreeSet<String>,
    /// Whether no container runs there: an `APIService` nobody answers for would block every deletion of a namespace.
    pub simulated: bool,
}

impl Rules {
    /// The digest that tells whether a release must be rendered anew.
    pub fn digest(&self) -> Digest {
        let rules = serde_json::to_value(self).unwrap_or_default();
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
        self.data.iter().any(|pattern| names(pattern, object))
    }
}

/// Changes manifests as the rules say. The answer is never empty, which Helm would refuse.
pub fn post_render(rules: &Rules, manifests: &str) -> Result<String, Failure> {
    let documents = yaml::manifests(manifests).map_err(|error| {
        Failure::new(FailureKind::Usage, "cannot read the manifests that Helm rendered")
            .caused_by(&error)
    })?;
    let objects = apply_rules(rules, documents);
    match objects.is_empty() {
        true => Ok("# nothing is left\n".to_owned()),
        false => Ok(yaml::print_manifests(&objects)),
    }
}

/// As [`post_render`], with the rules as the plugin's variable holds them.
pub fn post_render_by_variable(variable: &str, manifests: &str) -> Result<String, Failure> {
    let rules = serde_json::from_str(variable).map_err(|error| {
        let what = format!("cannot read the rules in `{RULES_VARIABLE}`");
        Failure::new(FailureKind::Bug, what).caused_by(&error)
    })?;
    post_render(&rules, manifests)
}

/// Changes objects as the rules say; lists are taken apart, what is dropped is not in the answer.
pub fn apply_rules(rules: &Rules, documents: Vec<Json>) -> Vec<Json> {
    let mut objects = Vec::new();
    for document in documents {
        take_apart(document, &mut objects);
    }
    objects.retain(|object| !rules.drops(object));
    for object in &mut objects {
        change(rules, object);
    }
    objects
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
    rules.ignore.iter().for_each(|rule| drop_ignored(rule, object));
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

/// Whether `Kind/name` means the object.
fn names(pattern: &str, object: &Json) -> bool {
    let (wanted_kind, wanted_name) = pattern.split_once('/').unwrap_or((pattern, "*"));
    let name = object.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
    (wanted_kind == "*" || wanted_kind == kind(object))
        && (wanted_name == "*" || wanted_name == name)
}

fn drop_ignored(rule: &str, object: &mut Json) {
    let Some((pattern, pointer)) = rule.split_once(":/") else { return };
    if names(pattern, object) {
        let parts: Vec<_> =
            pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        drop_at(object, &parts);
    }
}

fn drop_at(value: &mut Json, parts: &[String]) {
    let Some((first, rest)) = parts.split_first() else { return };
    match value {
        Json::Object(map) if rest.is_empty() && first == "*" => map.clear(),
        Json::Object(map) if rest.is_empty() => {
            map.remove(first);
        }
        Json::Object(map) if first == "*" => {
            map.values_mut().for_each(|value| drop_at(value, rest));
        }
        Json::Object(map) => {
            if let Some(value) = map.get_mut(first) {
                drop_at(value, rest);
            }
        }
        Json::Array(items) if first == "*" => match rest.is_empty() {
            true => items.clear(),
            false => items.iter_mut().for_each(|value| drop_at(value, rest)),
        },
        Json::Array(items) => {
            if let Some(at) = first.parse::<usize>().ok().filter(|at| *at < items.len()) {
                match (rest.is_empty(), items.get_mut(at)) {
                    (true, _) => {
                        items.remove(at);
                    }
                    (false, Some(value)) => drop_at(value, rest),
                    (false, None) => {}
                }
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
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
