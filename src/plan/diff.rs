//! Differences between two shapes of one thing, field by field. Knows nothing about decisions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::origin::{Holders, Moved, is_empty};
use super::{Effect, Shown};
use crate::model::{Object, Writer, Written, pointer_to, stands_for_secret};

/// One differing field.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where: a JSON pointer into the shape afterwards, or into the one before for what goes.
    pub path: String,
    /// Before.
    pub from: Shown,
    /// After.
    pub to: Shown,
    /// What it does to what runs.
    pub effect: Effect,
    /// Which side left what was applied last; nothing where that is not known.
    pub moved: Option<Moved>,
    /// Who holds the live value, if it is not datamill.
    pub by: Option<Writer>,
}

/// What the API server writes, or we as bookkeeping: never a difference.
const BOOKKEEPING: [&str; 11] = [
    "/status",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/creationTimestamp",
    "/metadata/managedFields",
    "/metadata/selfLink",
    "/metadata/annotations/datamill.dev~1run",
    "/metadata/annotations/datamill.dev~1spec-hash",
    "/metadata/annotations/deployment.kubernetes.io~1revision",
    "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
];

/// The fields in which two shapes of an object differ, status and bookkeeping aside, values of Secrets masked.
pub fn objects(live: &Object, after: &Object) -> Vec<Difference> {
    since(live, after, None, &[])
}

/// The same, each with what it was when we applied last and who holds it.
pub fn since(
    live: &Object,
    after: &Object,
    last: Option<&Object>,
    written: &[Written],
) -> Vec<Difference> {
    let kind = after.kind();
    let mut found = Vec::new();
    let sides = Sides {
        from: Some(&live.0),
        to: Some(&after.0),
        last: last.map(|last| &last.0),
        holders: Holders::new(written),
    };
    compare("", sides, &mut |path, sides| {
        let Sides { from, to, last: then, holders } = sides;
        let masked =
            kind == "Secret" && (path.starts_with("/data/") || path.starts_with("/stringData/"));
        let (from_shown, to_shown) = both(from, to, masked);
        found.push(Difference {
            path: path.to_owned(),
            from: from_shown,
            to: to_shown,
            effect: effect(kind, path),
            moved: last.map(|_| Moved::of(from, to, then)),
            by: from.and_then(|_| holders.newest()).cloned(),
        });
    });
    found
}

/// The wanted fields in which a live thing differs; what it has beyond them is its own.
pub fn fields(live: &Json, wanted: &Json) -> Vec<Difference> {
    let mut found = Vec::new();
    let narrowed = narrowed(live, wanted);
    let sides =
        Sides { from: Some(&narrowed), to: Some(wanted), last: None, holders: Holders::default() };
    compare("", sides, &mut |path, sides| {
        let (from, to) = both(sides.from, sides.to, false);
        found.push(Difference {
            path: path.to_owned(),
            from,
            to,
            effect: Effect::InPlace,
            moved: None,
            by: None,
        });
    });
    found
}

/// Live without the keys of maps that nobody wants.
fn narrowed(live: &Json, wanted: &Json) -> Json {
    match (live, wanted) {
        (Json::Object(live), Json::Object(wanted)) => Json::Object(
            wanted
                .iter()
                .filter_map(|(key, wanted)| Some((key.clone(), narrowed(live.get(key)?, wanted))))
                .collect(),
        ),
        (Json::Array(live), Json::Array(wanted)) => {
            let by_name = named(live).and(named(wanted));
            let item = |(at, item): (usize, &Json)| {
                let name = || item.get("name")?.as_str();
                let wanted = match &by_name {
                    Some(wanted) => name().and_then(|name| wanted.get(name)).map(|(_, w)| *w),
                    None => wanted.get(at),
                };
                wanted.map_or_else(|| item.clone(), |wanted| narrowed(item, wanted))
            };
            Json::Array(live.iter().enumerate().map(item).collect())
        }
        _ => live.clone(),
    }
}

/// One place in all shapes at once.
#[derive(Clone)]
struct Sides<'a> {
    from: Option<&'a Json>,
    to: Option<&'a Json>,
    /// As it was applied last.
    last: Option<&'a Json>,
    holders: Holders<'a>,
}

impl<'a> Sides<'a> {
    fn key(&self, key: &str) -> Self {
        let get = |side: Option<&'a Json>| side?.as_object()?.get(key);
        Self {
            from: get(self.from),
            to: get(self.to),
            last: get(self.last),
            holders: self.holders.key(key),
        }
    }

    fn at(&self, at: usize) -> Self {
        let get = |side: Option<&'a Json>| side?.as_array()?.get(at);
        let from = get(self.from);
        let holders = self.holders.item(from);
        Self { from, to: get(self.to), last: get(self.last), holders }
    }
}

/// Is told a place and what is there.
type Tell<'t> = &'t mut dyn FnMut(&str, Sides<'_>);

/// Tells each place where two shapes differ, from the top down, as deep as both are of one form.
fn compare(path: &str, sides: Sides<'_>, tell: Tell<'_>) {
    let (from, to) = (sides.from, sides.to);
    if from == to || BOOKKEEPING.contains(&path) || (is_empty(from) && is_empty(to)) {
        return;
    }
    match (from, to) {
        (Some(Json::Object(_)), Some(Json::Object(_))) => maps(path, &sides, tell),
        (None, Some(Json::Object(_))) | (Some(Json::Object(_)), None) if opens(path) => {
            maps(path, &sides, tell);
        }
        (Some(Json::Array(from)), Some(Json::Array(to))) => match (named(from), named(to)) {
            (Some(from), Some(to)) => named_lists(path, &sides, &from, &to, tell),
            _ => lists(path, &sides, from.len().max(to.len()), tell),
        },
        (_, _) => tell(path, sides),
    }
}

/// Maps whose keys are told one by one even where the whole map comes or goes.
fn opens(path: &str) -> bool {
    matches!(
        path,
        "/data" | "/stringData" | "/metadata" | "/metadata/labels" | "/metadata/annotations"
    )
}

fn maps(path: &str, sides: &Sides<'_>, tell: Tell<'_>) {
    let keys: BTreeSet<&String> = [sides.from, sides.to]
        .into_iter()
        .filter_map(|side| side?.as_object())
        .flat_map(Map::keys)
        .collect();
    for key in keys {
        let path = pointer_to(path, key);
        compare(&path, sides.key(key), tell);
    }
}

fn lists(path: &str, sides: &Sides<'_>, length: usize, tell: Tell<'_>) {
    for at in 0..length {
        compare(&format!("{path}/{at}"), sides.at(at), tell);
    }
}

/// Items of a list by their names, with the places where they stand.
type Named<'a> = BTreeMap<&'a str, (usize, &'a Json)>;

/// Items by their `name` and where they stand, when each has one of its own.
fn named(items: &[Json]) -> Option<Named<'_>> {
    let names: BTreeMap<_, _> = items
        .iter()
        .enumerate()
        .filter_map(|(at, item)| Some((item.get("name")?.as_str()?, (at, item))))
        .collect();
    (names.len() == items.len()).then_some(names)
}

fn named_lists<'a>(
    path: &str,
    sides: &Sides<'a>,
    from: &Named<'a>,
    to: &Named<'a>,
    tell: Tell<'_>,
) {
    let last = sides.last.and_then(Json::as_array).and_then(|items| named(items));
    let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    for name in names {
        let (before, after) = (from.get(name), to.get(name));
        if let Some((at, _)) = after.or(before) {
            let before = before.map(|(_, item)| *item);
            let here = Sides {
                from: before,
                to: after.map(|(_, item)| *item),
                last: last.as_ref().and_then(|last| last.get(name)).map(|(_, item)| *item),
                holders: sides.holders.item(before),
            };
            compare(&format!("{path}/{at}"), here, tell);
        }
    }
}

fn shown(json: Option<&Json>) -> Shown {
    match json {
        None => Shown::Absent,
        Some(Json::String(text)) if text.contains("(known after ") => Shown::Unknown,
        Some(Json::String(text)) => Shown::Text(text.clone()),
        Some(
            other @ (Json::Null
            | Json::Bool(_)
            | Json::Number(_)
            | Json::Array(_)
            | Json::Object(_)),
        ) => Shown::Text(other.to_string()),
    }
}

/// Both sides of a place. Where a secret stands on one, another may stand on the other, whoever knows it.
fn both(from: Option<&Json>, to: Option<&Json>, masked: bool) -> (Shown, Shown) {
    let (from, to) = (shown(from), shown(to));
    let stands = |side: &Shown| matches!(side, Shown::Text(text) if stands_for_secret(text));
    if masked || stands(&from) || stands(&to) {
        return (from.masked(), to.masked());
    }
    (from, to)
}

/// A change of a pod template restarts the pods made from it; anything else happens in place.
fn effect(kind: &str, path: &str) -> Effect {
    let makes_pods = matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet");
    if makes_pods && path.starts_with("/spec/template") { Effect::Restart } else { Effect::InPlace }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(live: Json, after: Json) -> Vec<(String, Shown, Shown, Effect)> {
        objects(&Object(live), &Object(after))
            .into_iter()
            .map(|d| (d.path, d.from, d.to, d.effect))
            .collect()
    }

    fn text(text: &str) -> Shown {
        Shown::Text(text.to_owned())
    }

    #[test]
    fn status_and_bookkeeping_are_no_difference() {
        let live = json!({"kind": "Pod", "status": {"phase": "Running"}, "metadata": {
            "uid": "1", "generation": 3, "annotations": {"datamill.dev/run": "a"}}});
        assert_eq!(told(live, json!({"kind": "Pod", "metadata": {"annotations": {}}})), []);
    }

    #[test]
    fn containers_are_compared_by_name_and_restart_the_pods() {
        let deployment = |containers: Json| {
            json!({"kind": "Deployment",
            "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}}})
        };
        let live = deployment(json!([{"name": "b", "image": "x:1"}, {"name": "a", "image": "y"}]));
        let after = deployment(json!([{"name": "a", "image": "y"}, {"name": "b", "image": "x:2"}]));
        assert_eq!(
            told(live, after),
            [(
                "/spec/template/spec/containers/1/image".to_owned(),
                text("x:1"),
                text("x:2"),
                Effect::Restart
            )]
        );
    }

    #[test]
    fn values_of_secrets_are_masked() {
        let secret = |data: Json| json!({"kind": "Secret", "data": data});
        let differences =
            told(secret(json!({"a": "aGk="})), secret(json!({"a": "aG8=", "b": "eA=="})));
        assert_eq!(
            differences,
            [
                ("/data/a".to_owned(), Shown::Masked, Shown::Masked, Effect::InPlace),
                ("/data/b".to_owned(), Shown::Absent, Shown::Masked, Effect::InPlace),
            ]
        );
        let all = told(json!({"kind": "Secret"}), secret(json!({"a": "aGk="})));
        assert_eq!(all[0].2, Shown::Masked, "the whole map is never shown");
    }

    #[test]
    fn where_a_secret_stands_on_one_side_the_other_is_masked_too() {
        let of = |text: &str| json!({"kind": "ConfigMap", "data": {"v": text, "w": "same"}});
        for (live, after) in [
            ("old", "(secret 12ab)"),
            ("(secret)", "new"),
            ("u:old@h", "u:(secret 12ab)@h"),
            ("(secret 12ab)", "(secret 34cd)"),
        ] {
            let found = told(of(live), of(after));
            let wanted = ("/data/v".to_owned(), Shown::Masked, Shown::Masked, Effect::InPlace);
            assert_eq!(found, [wanted]);
        }
    }

    #[test]
    fn what_is_known_later_is_unknown_and_slashes_are_escaped() {
        let differences = told(
            json!({"kind": "ConfigMap", "metadata": {"labels": {"a/b": "1"}}, "data": {}}),
            json!({"kind": "ConfigMap", "metadata": {"labels": {}},
                   "data": {"url": "http://(known after x/release/y: host)/"}}),
        );
        assert_eq!(differences[0].2, Shown::Unknown);
        assert_eq!(differences[1].0, "/metadata/labels/a~1b");
        assert_eq!(differences[1].2, Shown::Absent);
    }

    #[test]
    fn fields_beyond_the_wanted_ones_are_no_difference() {
        let live = json!({"size": 1, "zone": "a", "nodes": [{"name": "x", "ip": "1"}]});
        assert_eq!(fields(&live, &json!({"size": 1, "nodes": [{"name": "x"}]})), []);
        assert_eq!(fields(&live, &json!({"size": 2}))[0].path, "/size");
        assert_eq!(fields(&live, &json!({"nodes": []})).len(), 1);
        let two = json!({"nodes": [{"name": "y"}, {"name": "x"}]});
        assert_eq!(fields(&live, &two).len(), 1, "items are found by their names");
    }
}
