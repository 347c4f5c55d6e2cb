//! Who made a difference: what is wanted and what lives, each against what we applied last; and who holds the live value, as the
//! server knows it. Pure.

use serde_json::Value as Json;

use super::Origin;
use crate::model::{LastApplied, Object, ObjectRef, Writer, Written};

/// What is remembered of one object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Memory<'a> {
    /// Nobody remembers the last apply.
    None,
    /// It was not among what we wrote.
    NotWritten,
    /// We wrote it; how it looked is not known.
    Written,
    /// We wrote it, and then it was this.
    Shape(&'a Object),
}

impl<'a> Memory<'a> {
    /// What is remembered of an object.
    pub(super) fn of(last: Option<&'a LastApplied>, object: &ObjectRef) -> Self {
        match last.map(|last| last.get(object)) {
            None => Self::None,
            Some(None) => Self::NotWritten,
            Some(Some(None)) => Self::Written,
            Some(Some(Some(shape))) => Self::Shape(shape),
        }
    }

    /// The shape, if it is known.
    pub(super) fn shape(self) -> Option<&'a Object> {
        match self {
            Self::Shape(shape) => Some(shape),
            Self::None | Self::NotWritten | Self::Written => None,
        }
    }
}

/// Which of both sides left what was applied last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// What is wanted now is another than what was applied last: you changed it.
    pub wanted: bool,
    /// What lives is another than what was applied last: somebody changed it.
    pub live: bool,
}

impl Moved {
    /// Compares both sides with the last apply.
    pub(super) fn of(live: Option<&Json>, wanted: Option<&Json>, last: Option<&Json>) -> Self {
        Self { wanted: !same(wanted, last), live: !same(live, last) }
    }

    /// Whose change that is. Two values that differ cannot both be what was applied last.
    pub(super) fn origin(self) -> Origin {
        match (self.wanted, self.live) {
            (true, false) => Origin::You,
            (false, true) => Origin::Somebody,
            (true, true) => Origin::Both,
            (false, false) => Origin::Unknown,
        }
    }
}

/// Whether two values mean the same: nothing, `null` and what is empty cannot be told apart.
fn same(one: Option<&Json>, two: Option<&Json>) -> bool {
    one == two || (is_empty(one) && is_empty(two))
}

/// Whether there is nothing to tell from an absent field.
pub(super) fn is_empty(json: Option<&Json>) -> bool {
    match json {
        None | Some(Json::Null) => true,
        Some(Json::Object(map)) => map.is_empty(),
        Some(Json::Array(items)) => items.is_empty(),
        Some(Json::Bool(_) | Json::Number(_) | Json::String(_)) => false,
    }
}

/// Those who hold a place, each with the fields it holds below.
#[derive(Debug, Clone, Default)]
pub(super) struct Holders<'a>(Vec<(&'a Writer, &'a Json)>);

impl<'a> Holders<'a> {
    /// All who hold anything of an object.
    pub(super) fn new(written: &'a [Written]) -> Self {
        Self(written.iter().map(|one| (&one.by, &one.fields)).collect())
    }

    /// Those who hold a key of a map.
    pub(super) fn key(&self, key: &str) -> Self {
        let name = format!("f:{key}");
        self.below(|fields| fields.get(&name))
    }

    /// Those who hold an item of a list: the server names it by its keys (`k:{"name":"x"}`) or its value (`v:"x"`).
    pub(super) fn item(&self, item: Option<&Json>) -> Self {
        let means = |key: &str| {
            let parsed = |text: &str| serde_json::from_str::<Json>(text).ok();
            match (key.strip_prefix("k:"), key.strip_prefix("v:")) {
                (Some(text), _) => parsed(text).is_some_and(|keys| has_keys(item, &keys)),
                (None, Some(text)) => parsed(text).as_ref() == item,
                (None, None) => false,
            }
        };
        self.below(|fields| {
            fields.as_object()?.iter().find(|(key, _)| means(key)).map(|(_, below)| below)
        })
    }

    fn below(&self, find: impl Fn(&'a Json) -> Option<&'a Json>) -> Self {
        let step = |(by, fields): &(&'a Writer, &'a Json)| {
            // Nothing below: the whole value is held.
            let whole = fields.as_object().is_none_or(serde_json::Map::is_empty);
            if whole { Some((*by, *fields)) } else { Some((*by, find(fields)?)) }
        };
        Self(self.0.iter().filter_map(step).collect())
    }

    /// The newest holder that is not datamill.
    pub(super) fn newest(&self) -> Option<&'a Writer> {
        let others = self.0.iter().map(|(by, _)| *by);
        others.filter(|by| !by.manager.starts_with("datamill/")).max_by(|one, two| {
            // Times of one form are ordered as texts.
            one.at.cmp(&two.at).then_with(|| two.manager.cmp(&one.manager))
        })
    }
}

/// Whether an item has all of some keys with their values.
fn has_keys(item: Option<&Json>, keys: &Json) -> bool {
    let (Some(item), Some(keys)) = (item, keys.as_object()) else { return false };
    keys.iter().all(|(key, value)| item.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::diff;
    use super::*;

    fn config(data: &Json) -> Object {
        Object(json!({"kind": "ConfigMap", "data": data}))
    }

    fn origins(live: &Object, after: &Object, last: &Object) -> Vec<(String, Origin)> {
        diff::since(live, after, Some(last), &[])
            .into_iter()
            .map(|d| (d.path, d.moved.unwrap().origin()))
            .collect()
    }

    #[test]
    fn each_field_has_an_origin_of_its_own() {
        let last = config(&json!({"mine": "1", "theirs": "1", "both": "1", "same": "1"}));
        let live = config(&json!({"mine": "1", "theirs": "2", "both": "2", "same": "1"}));
        let after = config(&json!({"mine": "3", "theirs": "1", "both": "3", "same": "1"}));
        let of = |name: &str, origin| (format!("/data/{name}"), origin);
        assert_eq!(
            origins(&live, &after, &last),
            [of("both", Origin::Both), of("mine", Origin::You), of("theirs", Origin::Somebody)]
        );
    }

    #[test]
    fn a_default_that_we_never_wrote_is_nobodys_change() {
        // The server filled `replicas` in when we wrote last; now the files set it.
        let of =
            |replicas: u8| Object(json!({"kind": "Deployment", "spec": {"replicas": replicas}}));
        assert_eq!(origins(&of(1), &of(2), &of(1)), [("/spec/replicas".to_owned(), Origin::You)]);
    }

    #[test]
    fn named_items_are_found_wherever_they_stand() {
        let pod = |items: Json| {
            Object(
                json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": items}}}}),
            )
        };
        let (a, b) = (
            |v: &str| json!({"name": "a", "image": v}),
            |v: &str| json!({"name": "b", "image": v}),
        );
        let last = pod(json!([a("1"), b("1")]));
        let live = pod(json!([{"name": "mesh", "image": "m"}, b("2"), a("1")]));
        let after = pod(json!([b("1"), a("3")]));
        let found = origins(&live, &after, &last);
        let of = |place: &str, origin| (format!("/spec/template/spec/containers/{place}"), origin);
        assert_eq!(
            found,
            [
                of("1/image", Origin::You),
                of("0/image", Origin::Somebody),
                of("0", Origin::Somebody)
            ]
        );
    }

    #[test]
    fn the_newest_holder_of_a_field_is_named() {
        let writer = |manager: &str, at: &str| Writer {
            manager: manager.to_owned(),
            at: Some(at.to_owned()),
            ago: None,
        };
        let written =
            |manager: &str, at: &str, fields: Json| Written { by: writer(manager, at), fields };
        let live =
            Object(json!({"kind": "Deployment", "spec": {"replicas": 3, "template": {"spec":
            {"containers": [{"name": "a", "image": "x", "args": ["1"]}], "x": {"y": 2}}}}}));
        let after =
            Object(json!({"kind": "Deployment", "spec": {"replicas": 1, "template": {"spec":
            {"containers": [{"name": "a", "image": "y", "args": ["2"]}], "x": {"y": 1}}}}}));
        let held = [
            written("helm", "2026-01-01T00:00:00Z", json!({"f:spec": {"f:replicas": {}}})),
            written("kubectl", "2026-01-02T00:00:00Z", json!({"f:spec": {"f:replicas": {}}})),
            written("datamill/x/y", "2026-01-09T00:00:00Z", json!({"f:spec": {"f:replicas": {}}})),
            written(
                "kubectl-edit",
                "2026-01-03T00:00:00Z",
                json!({"f:spec": {"f:template":
                {"f:spec": {"f:x": {}, "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:args": {}}}}}}}),
            ),
        ];
        let found: Vec<_> = diff::since(&live, &after, None, &held)
            .into_iter()
            .map(|d| (d.path, d.by.map(|by| by.manager)))
            .collect();
        let of = |path: &str, by: Option<&str>| (path.to_owned(), by.map(str::to_owned));
        assert_eq!(
            found,
            [
                of("/spec/replicas", Some("kubectl")),
                of("/spec/template/spec/containers/0/args/0", Some("kubectl-edit")),
                of("/spec/template/spec/containers/0/image", None),
                of("/spec/template/spec/x/y", Some("kubectl-edit")),
            ]
        );
    }

    proptest! {
        #[test]
        fn the_origin_is_right_for_any_edits_of_both_sides(
            fields in proptest::collection::btree_map("[a-d]", (0_u8..3, 0_u8..3, 0_u8..3), 0..6),
            shuffled in any::<bool>(),
        ) {
            // 0 is absent. Once as a map, once as a list of named items in another order on each side.
            type Side = fn(&(u8, u8, u8)) -> u8;
            let sides: [Side; 3] = [|f| f.0, |f| f.1, |f| f.2];
            let map = |side: Side| {
                let present = fields.iter().filter(|(_, f)| side(f) > 0);
                config(&present.map(|(k, f)| (k.clone(), json!(side(f).to_string()))).collect())
            };
            let list = |side: Side, reverse: bool| {
                let present = fields.iter().filter(|(_, f)| side(f) > 0);
                let mut items: Vec<_> =
                    present.map(|(k, f)| json!({"name": k, "value": side(f)})).collect();
                if reverse { items.reverse(); }
                Object(json!({"kind": "X", "spec": {"items": items, "fixed": 1}}))
            };
            let [last, live, after] = sides;
            let expected: Vec<_> = fields.iter().filter(|(_, f)| live(f) != after(f)).map(|(_, f)| {
                match (after(f) != last(f), live(f) != last(f)) {
                    (true, false) => Origin::You,
                    (false, true) => Origin::Somebody,
                    (true, true) => Origin::Both,
                    (false, false) => unreachable!(),
                }
            }).collect();
            let found: Vec<_> = origins(&map(live), &map(after), &map(last))
                .into_iter().map(|(_, origin)| origin).collect();
            prop_assert_eq!(&found, &expected);
            // A list that is empty on one side is told as a whole.
            if fields.values().any(|f| live(f) > 0) && fields.values().any(|f| after(f) > 0) {
                let found: Vec<_> = origins(&list(live, shuffled), &list(after, false), &list(last, !shuffled))
                    .into_iter().map(|(_, origin)| origin).collect();
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}
