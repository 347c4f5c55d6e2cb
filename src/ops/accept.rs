//! Accepting what somebody changed: what to write into the flavour, so that the files say what lives. A field of a release is
//! traced to the value it comes from by trying: the chart is drawn with the live value in places that hold the present one. Where
//! none leads there, the field is named under `ignore:`.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::model::{
    Known, KubernetesSpec, Object, ObjectFound, ObjectRef, Resource, ResourceId, Spec, Value,
};
use crate::plan::{Change, Shown, Step};
use crate::provider::Renderer as _;
use crate::yaml;

use super::draw::Drawing;
use super::scene::Scene;

/// How many places are tried for a field.
const TRIES: usize = 12;

/// What is written for one instance.
#[derive(Debug, Default)]
struct Section {
    values: Json,
    ignore: Vec<Json>,
}

/// Prints what to write for all that somebody changed.
pub(super) async fn show(scene: &Scene<'_>, drawing: &Drawing) {
    let mut known = scene.known.clone();
    for (id, found) in &drawing.look.snapshot.discovered.found {
        known.insert(id.clone(), found.outputs.clone());
    }
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut gone = Vec::new();
    for step in &drawing.plan.steps {
        let Some(instance) = step.id.instance_name().map(ToString::to_string) else { continue };
        let drifted = |change: &&Change| change.origin.is_drift() && !change.path.is_empty();
        for change in step.changes.iter().filter(drifted) {
            let section = sections.entry(instance.clone()).or_default();
            match traced(scene, &known, step, change).await {
                Some((place, live)) => put(&mut section.values, &place, live),
                None => section.ignore.extend(rule(change)),
            }
        }
        let deleted = |change: &&Change| change.origin.is_drift() && change.path.is_empty();
        let deleted = step.changes.iter().filter(deleted).filter(|c| c.from == Shown::Absent);
        gone.extend(deleted.filter_map(|change| Some((step.id.clone(), change.object.clone()?))));
    }
    scene.screen.answer(&(text(&sections) + &gone_text(&gone)));
}

/// What is said of whole objects that somebody deleted: no line of a flavour says that a part is not wanted.
fn gone_text(gone: &[(ResourceId, ObjectRef)]) -> String {
    let lines = gone.iter().map(|(id, object)| {
        format!(
            "\n{object} of `{id}` was deleted, and `apply` makes it again: to do without it, turn it off in the values of its chart, or \
             take its instance out of the flavour."
        )
    });
    lines.collect()
}

/// The sections as YAML under a sentence.
fn text(sections: &BTreeMap<String, Section>) -> String {
    if sections.is_empty() {
        return "\nNothing to accept: nobody changed a field.".to_owned();
    }
    let section = |section: &Section| {
        let mut map = Map::new();
        if !section.values.is_null() {
            map.insert("values".to_owned(), section.values.clone());
        }
        if !section.ignore.is_empty() {
            map.insert("ignore".to_owned(), Json::Array(section.ignore.clone()));
        }
        Json::Object(map)
    };
    let all = sections.iter().map(|(name, one)| (name.clone(), section(one))).collect();
    let yaml = yaml::print_manifests(&[Json::Object(all)]);
    let yaml = yaml.trim_start_matches("---\n");
    format!("\nTo accept what somebody changed, write into the sections of the flavour:\n\n{yaml}")
}

/// The line that leaves a field to others.
fn rule(change: &Change) -> Option<Json> {
    let object = change.object.as_ref()?;
    let path = format!("{}/{}:{}", object.kind, object.name, change.path);
    let by = change.by.as_ref().map_or("somebody", |by| by.manager.as_str());
    Some(serde_json::json!({"path": path, "reason": format!("changed by {by}")}))
}

/// The place in the values that a field comes from, with the live value.
async fn traced(
    scene: &Scene<'_>,
    known: &Known,
    step: &Step,
    change: &Change,
) -> Option<(Vec<String>, Json)> {
    let resource = step.wanted.as_deref()?;
    let Some(KubernetesSpec::Release(spec)) = resource.kubernetes() else { return None };
    let live = live_value(step, change)?;
    let wanted = drawn(resource, change)?;
    let mut values = scene.kubernetes.chart_values(spec).await.ok()?;
    lay(&mut values, &spec.values.shown());
    for place in candidates(&values, &wanted, &change.path) {
        let mut tried = spec.clone();
        tried.values = with(&tried.values, &place, &live);
        let tried = Resource {
            spec: Spec::kubernetes(KubernetesSpec::Release(tried)),
            rendered: None,
            ..resource.clone()
        };
        if leads_to(scene, known, &tried, change, &live).await {
            return Some((place, live));
        }
    }
    None
}

/// The live value of a changed field, when it is no secret.
fn live_value(step: &Step, change: &Change) -> Option<Json> {
    let Shown::Text(text) = &change.from else { return None };
    let found = step.found.as_ref()?;
    let name = change.object.as_ref()?;
    let of = |object: &&ObjectFound| object.object == *name;
    let live = found.objects.iter().find(of)?.live.as_ref()?.0.pointer(&change.path).cloned();
    let same = |json: &Json| as_text(json) == *text;
    // The place is that in the shape to come; items may stand elsewhere in the live one.
    live.filter(same)
        .or_else(|| serde_json::from_str(text).ok())
        .or(Some(Json::String(text.clone())))
}

fn as_text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// What is drawn in the place of a change.
fn drawn(resource: &Resource, change: &Change) -> Option<Json> {
    let objects = &resource.rendered.as_ref()?.objects;
    let of = |object: &&Object| object.reference() == change.object;
    objects.iter().find(of)?.0.pointer(&change.path).cloned()
}

async fn leads_to(
    scene: &Scene<'_>,
    known: &Known,
    tried: &Resource,
    change: &Change,
    live: &Json,
) -> bool {
    let (who, facts) = (&scene.identity, &scene.facts);
    let drawing = scene.kubernetes.render(&[tried], who, facts, known).await;
    drawing.into_values().filter_map(Result::ok).any(|rendered| {
        let tried = Resource { rendered: Some(rendered), ..tried.clone() };
        drawn(&tried, change).is_some_and(|value| as_text(&value) == as_text(live))
    })
}

/// Places in values that hold a value, those whose names are most like the field's first.
fn candidates(values: &Json, wanted: &Json, path: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    leaves(values, &mut Vec::new(), &mut |place, value| {
        if as_text(value) == as_text(wanted) {
            found.push(place.to_vec());
        }
    });
    let names: Vec<String> = path.split('/').map(str::to_lowercase).collect();
    let unlike = |place: &Vec<String>| {
        let last = place.last().map(|last| last.to_lowercase()).unwrap_or_default();
        let like = |name: &String| {
            !name.is_empty() && (last.contains(name.as_str()) || name.contains(last.as_str()))
        };
        // The nearer to the end of the path the name stands, the better.
        names.iter().rev().position(like).unwrap_or(names.len())
    };
    found.sort_by_key(|place| (unlike(place), place.len()));
    found.truncate(TRIES);
    found
}

fn leaves(json: &Json, at: &mut Vec<String>, tell: &mut dyn FnMut(&[String], &Json)) {
    match json {
        Json::Object(map) => {
            for (key, value) in map {
                at.push(key.clone());
                leaves(value, at, tell);
                at.pop();
            }
        }
        // A list is replaced as a whole by Helm: a place in it cannot be written alone.
        Json::Array(_) | Json::Null => {}
        Json::Bool(_) | Json::Number(_) | Json::String(_) => tell(at, json),
    }
}

/// Lays values over others, map by map.
fn lay(base: &mut Json, over: &Json) {
    match (base, over) {
        (Json::Object(base), Json::Object(over)) => {
            for (key, value) in over {
                lay(base.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// Values with another one in a place.
fn with(values: &Value, place: &[String], value: &Json) -> Value {
    let Some((first, rest)) = place.split_first() else { return Value::from_json(value) };
    let mut map = match values {
        Value::Map(map) => map.clone(),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::List(_)
        | Value::Join(_)
        | Value::Output { .. }
        | Value::Secret(_) => indexmap::IndexMap::default(),
    };
    let inner = with(map.get(first).unwrap_or(&Value::Null), rest, value);
    map.insert(first.clone(), inner);
    Value::Map(map)
}

/// Puts a value into a place of plain values.
fn put(values: &mut Json, place: &[String], value: Json) {
    let whole = place
        .iter()
        .rev()
        .fold(value, |inner, key| Json::Object(Map::from_iter([(key.clone(), inner)])));
    lay(values, &whole);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_with_a_like_name_are_tried_first() {
        let values = json!({"a": {"port": 1}, "replicaCount": 1, "list": [1], "text": "1", "b": 2});
        let found = candidates(&values, &json!(1), "/spec/replicas");
        let names: Vec<String> = found.iter().map(|place| place.join(".")).collect();
        assert_eq!(names, ["replicaCount", "text", "a.port"]);
    }

    #[test]
    fn what_is_to_be_written_is_yaml_of_a_section() {
        let mut section = Section::default();
        put(&mut section.values, &["a".to_owned(), "b".to_owned()], json!(3));
        put(&mut section.values, &["a".to_owned(), "c".to_owned()], json!("x"));
        section.ignore.push(json!({"path": "Service/s:/spec/x", "reason": "why"}));
        let text = text(&BTreeMap::from([("demo-api".to_owned(), section)]));
        let expected = "\nTo accept what somebody changed, write into the sections of the flavour:\n\ndemo-api:\n  \
             ignore:\n  - path: \"Service/s:/spec/x\"\n    reason: why\n  \
             values:\n    a:\n      b: 3\n      c: x\n";
        assert_eq!(text, expected);
        let values = with(&Value::from_json(&json!({"a": 1})), &["b".to_owned()], &json!(2));
        assert_eq!(values.shown(), json!({"a": 1, "b": 2}));
    }
}
