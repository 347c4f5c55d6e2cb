//! Objects without bookkeeping, and what of them is compared. Pure.

use serde_json::Value as Json;

use crate::model::{Digest, Object, annotation};

/// What the server or controllers write in `metadata`.
const BOOKKEEPING: [&str; 8] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
];

/// The object without status and bookkeeping. Default values stay: both sides of a comparison come from the server.
pub fn normal(object: &Object) -> Object {
    let mut json = object.0.clone();
    if let Some(map) = json.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = json.get_mut("metadata").and_then(Json::as_object_mut) {
        for key in BOOKKEEPING {
            metadata.remove(key);
        }
        // Memory of ours: it says who wrote what when, and is no part of what is wanted.
        if let Some(notes) = metadata.get_mut("annotations").and_then(Json::as_object_mut) {
            for key in [annotation::RUN, annotation::SPEC_HASH] {
                notes.remove(key);
            }
        }
    }
    Object(json)
}

/// The live value of the fields that are wanted: maps field by field, lists and leaves whole.
fn project(live: &Json, wanted: &Json) -> Json {
    match (live, wanted) {
        (Json::Object(live), Json::Object(wanted)) => Json::Object(
            wanted
                .iter()
                .map(|(key, wanted)| {
                    (key.clone(), live.get(key).map_or(Json::Null, |live| project(live, wanted)))
                })
                .collect(),
        ),
        (live, _) => live.clone(),
    }
}

/// The digest of the live fields that are wanted.
pub fn compared(live: &Object, wanted: &Object) -> Digest {
    Digest::of_json(&project(&normal(live).0, &normal(wanted).0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bookkeeping_is_no_difference() {
        let one = Object(
            json!({"kind": "X", "metadata": {"name": "a", "uid": "1", "generation": 2}, "status": {"x": 1}}),
        );
        let two = Object(json!({"kind": "X", "metadata": {"name": "a", "resourceVersion": "9"}}));
        assert_eq!(normal(&one), normal(&two));
    }

    #[test]
    fn only_wanted_fields_are_compared() {
        let wanted = Object(json!({"spec": {"replicas": 1}}));
        let live = Object(
            json!({"spec": {"replicas": 1, "added": true}, "metadata": {"labels": {"a": "b"}}}),
        );
        let moved = Object(json!({"spec": {"replicas": 2, "added": true}}));
        assert_eq!(
            compared(&live, &wanted),
            compared(&Object(json!({"spec": {"replicas": 1}})), &wanted)
        );
        assert_ne!(compared(&live, &wanted), compared(&moved, &wanted));
    }
}
