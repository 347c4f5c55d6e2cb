//! A rendering with stand-ins against the one with real values: whether they differ beyond the places that were open.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde_json::Value as Json;

use crate::model::{Leaf, Object, ObjectRef, Rendered};

/// Shorter texts of hexadecimal digits are no digests.
const DIGEST: usize = 32;

/// The first difference beyond the open places, in words.
pub(super) fn beyond(planned: &Rendered, now: &Rendered) -> Option<String> {
    if planned.objects.is_empty() {
        // Nothing could be drawn, and the plan said so.
        return None;
    }
    let stand_ins: Vec<_> = planned.unknown.iter().map(Leaf::shown).collect();
    let named = |rendered: &'_ Rendered| -> BTreeMap<ObjectRef, Object> {
        let objects = rendered.objects.iter();
        objects.filter_map(|object| Some((object.reference()?, object.clone()))).collect()
    };
    let (before, after) = (named(planned), named(now));
    // A name may hold a value that was open.
    let open_names = before.keys().any(|name| is_open(&name.name, &stand_ins));
    if !open_names {
        if let Some(gone) = before.keys().find(|name| !after.contains_key(name)) {
            return Some(format!("{gone} is no longer in it"));
        }
        if let Some(new) = after.keys().find(|name| !before.contains_key(name)) {
            return Some(format!("{new} is new in it"));
        }
    }
    let unstable = !planned.unstable.is_empty();
    before.iter().filter_map(|(name, object)| Some((name, object, after.get(name)?))).find_map(
        |(name, before, after)| {
            let place = difference(&before.0, &after.0, &stand_ins, unstable, "")?;
            Some(format!("{name} differs at `{place}`"))
        },
    )
}

fn difference(
    before: &Json,
    after: &Json,
    stand_ins: &[String],
    unstable: bool,
    at: &str,
) -> Option<String> {
    match (before, after) {
        (Json::Object(before), Json::Object(after)) => {
            let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
            keys.into_iter().find_map(|key| {
                let at = format!("{at}/{key}");
                match (before.get(key), after.get(key)) {
                    (Some(before), Some(after)) => {
                        difference(before, after, stand_ins, unstable, &at)
                    }
                    (Some(Json::Null) | None, None) | (None, Some(Json::Null)) => None,
                    (Some(_), None) | (None, Some(_)) => Some(at),
                }
            })
        }
        (Json::Array(before), Json::Array(after)) if before.len() == after.len() => {
            before.iter().zip(after).enumerate().find_map(|(index, (before, after))| {
                difference(before, after, stand_ins, unstable, &format!("{at}/{index}"))
            })
        }
        (before, after) if before == after => None,
        (Json::String(before), _) if is_open(before, stand_ins) => None,
        (Json::String(before), Json::String(after)) if unstable || both_digests(before, after) => {
            None
        }
        (_, _) => Some(at.to_owned()),
    }
}

/// Whether a text holds a stand-in, plain or in base64.
fn is_open(text: &str, stand_ins: &[String]) -> bool {
    let holds = |text: &str| stand_ins.iter().any(|stand_in| text.contains(stand_in.as_str()));
    let decoded = || BASE64.decode(text.as_bytes()).ok();
    holds(text) || decoded().is_some_and(|bytes| holds(&String::from_utf8_lossy(&bytes)))
}

/// Checksums of what holds an open place, as charts write them in annotations.
fn both_digests(before: &str, after: &str) -> bool {
    let is_digest =
        |text: &str| text.len() >= DIGEST && text.chars().all(|c| c.is_ascii_hexdigit());
    before.len() == after.len() && is_digest(before) && is_digest(after)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::model::{Digest, ResourceId, ResourceKind};

    fn rendered(spec: &Json) -> Rendered {
        let leaf = Leaf::Output(ResourceId::target(ResourceKind::Bucket, "b"), "name".to_owned());
        Rendered {
            objects: vec![Object(
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}),
            )],
            hooks: vec![],
            ignored: Vec::new(),
            inputs: Digest::of(""),
            unknown: BTreeSet::from([leaf]),
            unstable: BTreeSet::new(),
            chart: None,
            findings: vec![],
            warnings: vec![],
        }
    }

    #[test]
    fn open_places_may_change_and_nothing_else() {
        let open = "(known after target/bucket/b: name)";
        let sum = |text: &str| Digest::of(text).as_str().to_owned();
        let planned = rendered(
            &json!({"a": format!("s3://{open}"), "b": BASE64.encode(open.as_bytes()), "sum": sum("1"), "n": 1, "l": [1]}),
        );
        let now = |change: Json| {
            let mut spec =
                json!({"a": "s3://real", "b": "cmVhbA==", "sum": sum("2"), "n": 1, "l": [1]});
            for (key, value) in change.as_object().unwrap() {
                spec[key] = value.clone();
            }
            beyond(&planned, &rendered(&spec))
        };
        assert_eq!(now(json!({})), None);
        assert_eq!(now(json!({"n": 2})).unwrap(), "Pod x differs at `/spec/n`");
        assert!(now(json!({"l": [1, 2]})).is_some());
        assert!(now(json!({"new": 1})).is_some());
        let gone = Rendered { objects: vec![], ..rendered(&json!({})) };
        assert!(beyond(&planned, &gone).unwrap().contains("no longer"));
        assert_eq!(beyond(&gone, &planned), None);
    }
}
