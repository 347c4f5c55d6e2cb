//! Reading JSON of the cluster: what is missing is empty, never an error.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::model::Object;

pub(super) fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

pub(super) fn list<'a>(json: &'a Json, pointer: &str) -> &'a [Json] {
    json.pointer(pointer).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn number(json: &Json, pointer: &str) -> Option<u64> {
    json.pointer(pointer).and_then(Json::as_u64)
}

pub(super) fn texts<'a>(json: &'a Json, pointer: &str) -> impl Iterator<Item = &'a str> {
    list(json, pointer).iter().filter_map(Json::as_str)
}

pub(super) fn map(json: &Json, pointer: &str) -> BTreeMap<String, String> {
    let entries = json.pointer(pointer).and_then(Json::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The name of an object.
pub(super) fn name(object: &Object) -> &str {
    text(&object.0, "/metadata/name")
}

/// The namespace of an object.
pub(super) fn namespace(object: &Object) -> &str {
    text(&object.0, "/metadata/namespace")
}

/// The status of a condition.
pub(super) fn condition<'a>(object: &'a Object, kind: &str) -> Option<&'a Json> {
    list(&object.0, "/status/conditions").iter().find(|c| text(c, "/type") == kind)
}

/// Whether a label selector takes labels; an absent or empty one takes all.
pub(super) fn selects(selector: Option<&Json>, labels: &BTreeMap<String, String>) -> bool {
    let Some(selector) = selector else { return true };
    let equal = map(selector, "/matchLabels");
    equal.iter().all(|(key, value)| labels.get(key) == Some(value))
        && list(selector, "/matchExpressions").iter().all(|expression| meets(expression, labels))
}

/// Whether labels meet one expression of a selector or of a node affinity.
pub(super) fn meets(expression: &Json, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(text(expression, "/key"));
    let has = || value.is_some_and(|value| texts(expression, "/values").any(|v| v == value));
    let numbers = || {
        let wanted = texts(expression, "/values").next()?.parse::<i64>().ok()?;
        Some((value?.parse::<i64>().ok()?, wanted))
    };
    match text(expression, "/operator") {
        "In" => has(),
        "NotIn" => !has(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => numbers().is_some_and(|(value, wanted)| value > wanted),
        "Lt" => numbers().is_some_and(|(value, wanted)| value < wanted),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_take_what_kubernetes_takes() {
        let labels =
            [("app", "x"), ("size", "3")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let cases = [
            (json!({}), true),
            (json!({"matchLabels": {"app": "x"}}), true),
            (json!({"matchLabels": {"app": "y"}}), false),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "y"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}),
                false,
            ),
            (
                json!({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["x"]}]}),
                true,
            ),
            (json!({"matchExpressions": [{"key": "none", "operator": "Exists"}]}), false),
            (json!({"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}), true),
            (
                json!({"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["2"]}]}),
                true,
            ),
            (
                json!({"matchExpressions": [{"key": "size", "operator": "Lt", "values": ["2"]}]}),
                false,
            ),
        ];
        for (selector, takes) in cases {
            assert_eq!(selects(Some(&selector), &labels), takes, "{selector}");
        }
        assert!(selects(None, &labels));
    }
}
