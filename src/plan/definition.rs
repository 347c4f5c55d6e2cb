//! Custom resource definitions: what objects of a kind lose when its definition changes, and what to do where the server refuses
//! a change. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::model::Object;

/// The kind of a definition.
pub(super) const KIND: &str = "CustomResourceDefinition";
/// Losses that are named.
const NAMED: usize = 5;

/// What objects that are there may lose, or be refused for, when `live` becomes `after`; a line each.
pub(super) fn losses(live: &Object, after: &Object) -> Vec<String> {
    let mut lost = Vec::new();
    for (pointer, what) in
        [("/spec/scope", "scope"), ("/spec/names/kind", "kind"), ("/spec/names/plural", "plural")]
    {
        let text = |object: &'_ Object| {
            object.0.pointer(pointer).and_then(Json::as_str).map(str::to_owned)
        };
        if let (Some(from), Some(to)) = (text(live), text(after))
            && from != to
        {
            lost.push(format!("its {what} changes from {from} to {to}"));
        }
    }
    let then = versions(after);
    for (name, version) in versions(live) {
        if !is_served(version) {
            continue;
        }
        match then.get(name) {
            None => lost.push(format!("version {name} is gone")),
            Some(version) if !is_served(version) => {
                lost.push(format!("version {name} is served no more"));
            }
            Some(after) => {
                let schema =
                    |version: &'_ Json| version.pointer("/schema/openAPIV3Schema").cloned();
                if let (Some(live), Some(after)) = (schema(version), schema(after)) {
                    narrowed(&live, &after, "", name, &mut lost);
                }
            }
        }
    }
    if lost.len() > NAMED {
        let more = lost.len() - NAMED;
        lost.truncate(NAMED);
        lost.push(format!("{more} more"));
    }
    lost
}

/// What to do about a change of a definition that the server refuses.
pub(super) fn refusal(says: &str) -> String {
    let remedy = if says.contains("storedVersions") {
        "objects may still be stored in a version that would go: write them anew in the newest one, and take the old one out of `status.storedVersions`"
    } else {
        "it would be another definition: save its objects, delete it, and install again"
    };
    format!("{says}; {remedy}")
}

fn versions(definition: &Object) -> BTreeMap<&str, &Json> {
    let all = definition.0.pointer("/spec/versions").and_then(Json::as_array);
    let named = all.into_iter().flatten().filter_map(|v| Some((v.get("name")?.as_str()?, v)));
    named.collect()
}

fn is_served(version: &Json) -> bool {
    version.get("served").and_then(Json::as_bool) == Some(true)
}

/// Goes through two schemas of one version side by side. What controllers write (`status`) is theirs to write again.
fn narrowed(live: &Json, after: &Json, at: &str, version: &str, lost: &mut Vec<String>) {
    if at == "status" {
        return;
    }
    let field = if at.is_empty() { "the object".to_owned() } else { format!("field `{at}`") };
    let text = |schema: &'_ Json| schema.get("type").and_then(Json::as_str).map(str::to_owned);
    if let (Some(from), Some(to)) = (text(live), text(after))
        && from != to
    {
        lost.push(format!("{field} of {version} changes from {from} to {to}"));
        return;
    }
    let now = words(live, "enum");
    let then = words(after, "enum");
    if !then.is_empty() {
        for gone in now.difference(&then) {
            lost.push(format!("{field} of {version} takes {gone} no more"));
        }
    }
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let properties = |schema: &'_ Json| {
        schema.get("properties").and_then(Json::as_object).cloned().unwrap_or_default()
    };
    let (now, then) = (properties(live), properties(after));
    let keeps_others = after.get("x-kubernetes-preserve-unknown-fields") == Some(&Json::Bool(true))
        || after.get("additionalProperties").is_some_and(|more| more != &Json::Bool(false));
    for (name, schema) in &now {
        match then.get(name) {
            Some(after) => narrowed(schema, after, &below(name), version, lost),
            None if keeps_others || (at.is_empty() && name == "status") => {}
            None => lost.push(format!("field `{}` of {version} is gone", below(name))),
        }
    }
    let asked = words(live, "required");
    for name in words(after, "required").difference(&asked) {
        let name = name.trim_matches('"');
        let filled = then.get(name).is_some_and(|schema| schema.get("default").is_some());
        let of_status = at.is_empty() && name == "status";
        if !filled && !of_status {
            lost.push(format!("field `{}` of {version} must be given now", below(name)));
        }
    }
    for (key, sign) in [("items", "[]"), ("additionalProperties", ".*")] {
        if let (Some(live), Some(after)) = (live.get(key), after.get(key)) {
            narrowed(live, after, &format!("{at}{sign}"), version, lost);
        }
    }
}

/// The values of a list, as they are written.
fn words(schema: &Json, key: &str) -> BTreeSet<String> {
    let all = schema.get(key).and_then(Json::as_array);
    all.into_iter().flatten().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(versions: &Json) -> Object {
        Object(json!({"kind": KIND, "metadata": {"name": "pools.k.io"}, "spec": {
            "group": "k.io", "scope": "Namespaced", "names": {"kind": "Pool", "plural": "pools"},
            "versions": versions}}))
    }

    fn schema(spec: &Json) -> Object {
        let schema = json!({"type": "object", "properties": {"spec": spec, "status": {"type": "object",
            "properties": {"old": {"type": "string"}}}}});
        definition(&json!([{"name": "v1", "served": true, "schema": {"openAPIV3Schema": schema}}]))
    }

    #[test]
    fn growing_loses_nothing() {
        let small = schema(
            &json!({"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}}),
        );
        let large = schema(&json!({"type": "object", "required": ["b"], "properties": {
            "a": {"type": "string", "enum": ["x", "y"]}, "b": {"type": "integer", "default": 1}}}));
        assert_eq!(losses(&small, &large), Vec::<String>::new());
        assert_eq!(losses(&large, &large), Vec::<String>::new());
        let one = definition(&json!([{"name": "v1", "served": true}]));
        let two =
            definition(&json!([{"name": "v1", "served": true}, {"name": "v2", "served": true}]));
        assert_eq!(losses(&one, &two), Vec::<String>::new());
    }

    #[test]
    fn what_objects_may_use_and_is_gone_is_named() {
        let before = schema(&json!({"type": "object", "properties": {
            "size": {"type": "integer"}, "kind": {"type": "string", "enum": ["a", "b"]}, "name": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"x": {}, "y": {}}}}}}));
        let after = schema(&json!({"type": "object", "required": ["owner"], "properties": {
            "kind": {"type": "string", "enum": ["b"]}, "name": {"type": "integer"}, "owner": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"x": {}}}}}}));
        let lost = losses(&before, &after);
        let expected = [
            "field `spec.kind` of v1 takes \"a\" no more",
            "field `spec.list[].y` of v1 is gone",
            "field `spec.name` of v1 changes from string to integer",
            "field `spec.size` of v1 is gone",
            "field `spec.owner` of v1 must be given now",
        ];
        assert_eq!(lost, expected);
    }

    #[test]
    fn free_maps_and_status_lose_nothing() {
        let before = schema(&json!({"type": "object", "properties": {"a": {}}}));
        let free = schema(&json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
        assert_eq!(losses(&before, &free), Vec::<String>::new());
        let mut bare = before.clone();
        *bare.0.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/status").unwrap() =
            json!({"type": "object"});
        assert_eq!(losses(&before, &bare), Vec::<String>::new());
    }

    #[test]
    fn versions_and_names_that_go_are_losses() {
        let before = definition(&json!([
            {"name": "v1", "served": true}, {"name": "v1beta1", "served": true}, {"name": "v1alpha1", "served": false}]));
        let mut after = definition(&json!([{"name": "v1", "served": false}]));
        *after.0.pointer_mut("/spec/scope").unwrap() = json!("Cluster");
        assert_eq!(
            losses(&before, &after),
            [
                "its scope changes from Namespaced to Cluster",
                "version v1 is served no more",
                "version v1beta1 is gone",
            ]
        );
    }
}
