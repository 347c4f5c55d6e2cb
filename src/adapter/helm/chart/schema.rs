//! Values against a chart's own schema, without helm: what helm would refuse is said when files are checked. A place that is
//! filled in later fits everywhere, and nothing is fetched: what a schema takes from elsewhere forbids nothing.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "jsonschema has words for what we have none for"
)]

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::Location;
use jsonschema::{JsonType, Retrieve, Uri, ValidationError, Validator};
use serde_json::{Map, Value as Json};

use super::content::ChartContent;
use super::inspect::{defaults, subcharts};
use crate::model::Value;
use crate::yaml::nearest;

/// A value that the schema does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The keys down to it.
    pub path: Vec<String>,
    /// What is wrong.
    pub says: String,
    /// The key that is meant, where one is near.
    pub near: Option<String>,
}

/// What a chart's `values.schema.json` refuses of the values as helm has them, the chart's defaults below; nothing where it has no
/// schema, or one that helm cannot read either.
pub fn misfits(content: &ChartContent, values: &Value) -> Vec<Misfit> {
    let schema = content.text("values.schema.json");
    let Some(schema) = schema.and_then(|text| serde_json::from_str::<Json>(&text).ok()) else {
        return Vec::new();
    };
    let Some(validator) = validator(&schema) else { return Vec::new() };
    let mut later = Vec::new();
    let mut whole = so_far(values, &mut Vec::new(), &mut later);
    let below = defaults_below(content, &schema, &whole);
    lay_over(&mut whole, below);
    let mut found: Vec<Misfit> = Vec::new();
    for error in validator.iter_errors(&whole).filter(|error| is_certain(error, &later)) {
        for misfit in misfits_of(&error, &schema) {
            if !found.contains(&misfit) {
                found.push(misfit);
            }
        }
    }
    found
}

/// Stands for what a schema takes from elsewhere: it forbids nothing.
struct Anything;

impl Retrieve for Anything {
    fn retrieve(&self, _: &Uri<String>) -> Result<Json, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Json::Bool(true))
    }
}

/// Nothing for a schema that is none: helm says so when it runs.
fn validator(schema: &Json) -> Option<Validator> {
    let mut inside = schema.clone();
    let mut names = Vec::new();
    collect_names(schema, &mut names);
    forget_elsewhere(&mut inside, &names);
    jsonschema::options().with_retriever(Anything).build(&inside).ok()
}

/// The names that parts of a schema have, by which others refer to them.
fn collect_names<'a>(schema: &'a Json, names: &mut Vec<&'a str>) {
    match schema {
        Json::Object(map) => {
            names.extend(["$id", "id"].into_iter().filter_map(|word| map.get(word)?.as_str()));
            map.values().for_each(|part| collect_names(part, names));
        }
        Json::Array(parts) => parts.iter().for_each(|part| collect_names(part, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Points each reference to another document at all of it, which forbids nothing: what lies in it is not known.
fn forget_elsewhere(schema: &mut Json, names: &[&str]) {
    match schema {
        Json::Object(map) => {
            if let Some(Json::String(to)) = map.get_mut("$ref")
                && let Some((document, _)) = to.split_once('#')
                && !document.is_empty()
                && !names.iter().any(|name| name.trim_end_matches('#').ends_with(document))
            {
                *to = document.to_owned();
            }
            map.values_mut().for_each(|part| forget_elsewhere(part, names));
        }
        Json::Array(parts) => parts.iter_mut().for_each(|part| forget_elsewhere(part, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The values as far as they are known. `later` gets the places of the others, at which something stands meanwhile.
fn so_far(value: &Value, at: &mut Vec<String>, later: &mut Vec<Vec<String>>) -> Json {
    match value {
        Value::Map(map) => {
            let known = map.iter().map(|(key, value)| {
                at.push(key.clone());
                let known = so_far(value, at, later);
                at.pop();
                (key.clone(), known)
            });
            Json::Object(known.collect())
        }
        Value::List(items) => {
            let known = items.iter().enumerate().map(|(number, item)| {
                at.push(number.to_string());
                let known = so_far(item, at, later);
                at.pop();
                known
            });
            Json::Array(known.collect())
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Text(_)
        | Value::Join(_)
        | Value::Output { .. }
        | Value::Secret(_) => {
            if !value.is_plain() {
                later.push(at.clone());
            }
            value.to_json(&mut |_| Json::String(String::new()))
        }
    }
}

/// The defaults of a chart. Those of a subchart that nobody speaks of are left out: whether it is in use is not known.
fn defaults_below(content: &ChartContent, schema: &Json, values: &Json) -> Map<String, Json> {
    let Json::Object(mut all) = defaults(content, "") else { return Map::new() };
    let own = content.document("values.yaml").unwrap_or_default();
    let properties = schema.get("properties").unwrap_or(&Json::Null);
    for (name, _) in subcharts(content, "") {
        if [&own, values, properties].iter().all(|one| one.get(&name).is_none()) {
            all.remove(&name);
        }
    }
    all
}

/// Lays values over defaults as helm 4 does: `null` takes a default away, and stays where there is none.
fn lay_over(values: &mut Json, defaults: Map<String, Json>) {
    let Some(values) = values.as_object_mut() else { return };
    for (key, default) in defaults {
        match (values.get_mut(&key), default) {
            (_, Json::Null) => {}
            (Some(Json::Null), _) => {
                values.remove(&key);
            }
            (Some(value), Json::Object(defaults)) => lay_over(value, defaults),
            (Some(_), _) => {}
            (None, Json::Object(defaults)) => {
                let mut empty = Json::Object(Map::new());
                lay_over(&mut empty, defaults);
                values.insert(key, empty);
            }
            (None, default) => {
                values.insert(key, default);
            }
        }
    }
}

/// Whether an error stays, whatever comes to stand at the places that are filled in later.
fn is_certain(error: &ValidationError<'_>, later: &[Vec<String>]) -> bool {
    let at = keys(error.instance_path());
    let below = later.iter().any(|place| at.starts_with(place));
    let above = later.iter().any(|place| place.starts_with(&at));
    // Which branch is taken may rest on what is not known, wherever that stands.
    let branch = |key: &String| key == "then" || key == "else";
    let in_branch = !later.is_empty() && keys(error.evaluation_path()).iter().any(branch);
    !below && !in_branch && (!above || rests_on_shape(error.kind()))
}

/// Whether an error rests on which keys or how many parts there are, and not on what they hold.
fn rests_on_shape(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::AdditionalItems { .. }
            | Kind::AdditionalProperties { .. }
            | Kind::MaxItems { .. }
            | Kind::MaxProperties { .. }
            | Kind::MinItems { .. }
            | Kind::MinProperties { .. }
            | Kind::PropertyNames { .. }
            | Kind::Required { .. }
            | Kind::Type { .. }
    )
}

fn keys(place: &Location) -> Vec<String> {
    let parts = place.as_str().split('/').skip(1);
    parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

/// An error in words. Of the values only kinds and names of keys are told.
fn misfits_of(error: &ValidationError<'_>, schema: &Json) -> Vec<Misfit> {
    let path = keys(error.instance_path());
    let below = |key: &str| path.iter().cloned().chain([key.to_owned()]).collect();
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known = siblings(error.schema_path(), schema);
            let misfit = |key: &String| Misfit {
                path: below(key),
                says: "the chart does not know this key".to_owned(),
                near: nearest(key, known.iter().map(String::as_str)).map(str::to_owned),
            };
            unexpected.iter().map(misfit).collect()
        }
        Kind::Required { property } => {
            let says = "the chart needs this key, and nothing gives it".to_owned();
            let path = property.as_str().map_or_else(|| path.clone(), below);
            vec![Misfit { path, says, near: None }]
        }
        kind => {
            let says = refusal(kind, error);
            says.map(|says| Misfit { path, says, near: None }).into_iter().collect()
        }
    }
}

/// The keys that the part of a schema knows in which an error arose.
fn siblings(place: &Location, schema: &Json) -> Vec<String> {
    let part = place.as_str().rsplit_once('/').and_then(|(part, _)| schema.pointer(part));
    let properties = part.and_then(|part| part.get("properties")?.as_object());
    properties.into_iter().flat_map(Map::keys).cloned().collect()
}

/// Why a value does not fit; nothing where that could not be found out.
fn refusal(kind: &Kind, error: &ValidationError<'_>) -> Option<String> {
    Some(match kind {
        Kind::Type { kind } => {
            let wanted: Vec<JsonType> = match kind {
                TypeKind::Single(one) => vec![*one],
                TypeKind::Multiple(several) => several.iter().collect(),
            };
            let wanted: Vec<&str> = wanted.into_iter().map(JsonType::as_str).collect();
            format!("the chart wants {}, and here stands {}", wanted.join(" or "), word(error))
        }
        Kind::Enum { options } => {
            let all = options.as_array().map_or(&[][..], Vec::as_slice);
            let words: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!("the chart takes one of {}", words.join(", "))
        }
        Kind::Constant { expected_value } => {
            format!("the chart takes nothing but {expected_value}")
        }
        Kind::Pattern { pattern } => format!("the chart wants what matches `{pattern}`"),
        Kind::Format { format } => format!("the chart wants a text of the format `{format}`"),
        Kind::Minimum { limit } => format!("the chart takes nothing below {limit}"),
        Kind::Maximum { limit } => format!("the chart takes nothing above {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("the chart takes only what is above {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("the chart takes only what is below {limit}"),
        Kind::MinLength { limit } => format!("the chart wants {limit} characters or more"),
        Kind::MaxLength { limit } => format!("the chart wants {limit} characters at most"),
        Kind::MinItems { limit } => format!("the chart wants {limit} items or more"),
        Kind::MaxItems { limit } => format!("the chart wants {limit} items at most"),
        Kind::FalseSchema => "the chart allows nothing here".to_owned(),
        Kind::OneOfNotValid { .. } | Kind::AnyOf { .. } => {
            "it is none of what the chart allows here".to_owned()
        }
        Kind::BacktrackLimitExceeded { .. }
        | Kind::RegexEngineFailure { .. }
        | Kind::Referencing(_) => return None,
        _ => format!("the chart does not take it: {}", error.masked_with("it")),
    })
}

/// The kind of a value in the schema's words.
fn word(error: &ValidationError<'_>) -> &'static str {
    match error.instance().as_ref() {
        Json::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0) => "integer",
        value @ (Json::Null
        | Json::Bool(_)
        | Json::Number(_)
        | Json::String(_)
        | Json::Array(_)
        | Json::Object(_)) => JsonType::from(value).as_str(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::adapter::files;
    use crate::model::SecretRef;

    fn chart(files: &[(&str, &str)]) -> ChartContent {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            files::write(&folder.path().join(path), text).unwrap();
        }
        ChartContent::read(folder.path()).unwrap()
    }

    /// What is said of each value by its place, in the order of the places.
    fn told(defaults: &str, schema: &Json, values: &Value) -> Vec<String> {
        let schema = schema.to_string();
        let content = chart(&[("values.yaml", defaults), ("values.schema.json", &schema)]);
        let found = misfits(&content, values).into_iter();
        let mut lines: Vec<_> =
            found.map(|misfit| format!("{}: {}", misfit.path.join("."), misfit.says)).collect();
        lines.sort();
        lines
    }

    fn says(defaults: &str, schema: &Json, values: &Json) -> Vec<String> {
        told(defaults, schema, &Value::from_json(values))
    }

    fn nothing() -> Vec<String> {
        Vec::new()
    }

    #[test]
    fn what_helm_would_refuse_is_named_and_nothing_else() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "required": ["page"],
            "properties": {
                "page": {"type": "object", "additionalProperties": false, "properties": {"title": {"type": "string"}}},
                "replicas": {"type": "integer", "minimum": 1},
                "policy": {"enum": ["Always", "Never"]},
                "list": {"type": "array", "items": {"$ref": "#/$defs/port"}},
                "any": {"type": ["string", "null"], "unheardOf": 1},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "image": {"type": "string", "pattern": "^[a-z]+$"}
            },
            "$defs": {"port": {"type": "integer", "maximum": 65535}}
        });
        let good = json!({"page": {"title": "x"}, "replicas": 2, "policy": "Never", "list": [1],
            "any": null, "labels": {"a": "b"}, "gone": null, "image": "nginx"});
        assert_eq!(says("gone: 1", &schema, &good), nothing());
        let bad = json!({"page": {"titel": "x"}, "replicas": 0, "policy": "Now", "list": [1, 70000],
            "any": 1, "labels": {"a": 1}, "more": true, "image": "NGINX"});
        assert_eq!(
            says("", &schema, &bad),
            [
                "any: the chart wants null or string, and here stands integer",
                "image: the chart wants what matches `^[a-z]+$`",
                "labels.a: the chart wants string, and here stands integer",
                "list.1: the chart takes nothing above 65535",
                "more: the chart does not know this key",
                "page.titel: the chart does not know this key",
                "policy: the chart takes one of \"Always\", \"Never\"",
                "replicas: the chart takes nothing below 1",
            ]
        );
        let content = chart(&[("values.schema.json", &schema.to_string())]);
        let found = misfits(&content, &Value::from_json(&json!({"page": {"titel": "x"}})));
        assert_eq!(found[0].near.as_deref(), Some("title"));
    }

    #[test]
    fn keys_that_a_pattern_takes_are_known() {
        let schema = json!({"additionalProperties": false, "patternProperties": {"^x-": {"type": "string"}}});
        assert_eq!(says("", &schema, &json!({"x-a": "b"})), nothing());
        let found = says("", &schema, &json!({"x-a": 1, "y": 1}));
        assert_eq!(
            found,
            [
                "x-a: the chart wants string, and here stands integer",
                "y: the chart does not know this key"
            ]
        );
    }

    #[test]
    fn the_draft_says_what_stands_beside_a_reference() {
        let schema = |draft: &str| {
            json!({"$schema": draft, "definitions": {"text": {"type": "string"}},
                "properties": {"a": {"$ref": "#/definitions/text", "maxLength": 1}}})
        };
        let values = json!({"a": "long"});
        let found = |draft: &str| says("", &schema(draft), &values);
        assert_eq!(found("http://json-schema.org/draft-07/schema#"), nothing());
        let newer = found("https://json-schema.org/draft/2020-12/schema");
        assert_eq!(newer, ["a: the chart wants 1 characters at most"]);
    }

    #[test]
    fn defaults_of_the_chart_count_and_null_takes_them_away() {
        let schema = json!({"required": ["a"], "properties": {
            "a": {"required": ["b"]}, "sub": {"required": ["size"]}, "n": {"type": "string"}}});
        let defaults = "a: {b: 1}\nn: null\n";
        assert_eq!(says(defaults, &schema, &json!({"a": {"c": 1}})), nothing());
        let gone = says(defaults, &schema, &json!({"a": {"b": null}}));
        assert_eq!(gone, ["a.b: the chart needs this key, and nothing gives it"]);
        let gone = says(defaults, &schema, &json!({"a": null}));
        assert_eq!(gone, ["a: the chart needs this key, and nothing gives it"]);
        // Where there is no default, helm keeps it.
        let kept = says(defaults, &schema, &json!({"n": null}));
        assert_eq!(kept, ["n: the chart wants string, and here stands null"]);
        let content = chart(&[
            ("values.schema.json", &schema.to_string()),
            ("values.yaml", defaults),
            ("charts/sub/Chart.yaml", "name: sub\nversion: 1.0.0\n"),
            ("charts/sub/values.yaml", "size: 1\n"),
            ("charts/other/Chart.yaml", "name: other\nversion: 1.0.0\n"),
        ]);
        assert_eq!(misfits(&content, &Value::from_json(&json!({"sub": {}}))), []);
    }

    #[test]
    fn one_of_several_has_to_fit() {
        let schema =
            json!({"properties": {"size": {"oneOf": [{"type": "integer"}, {"enum": ["auto"]}]}}});
        assert_eq!(says("", &schema, &json!({"size": "auto"})), nothing());
        let found = says("", &schema, &json!({"size": "hunter2"}));
        assert_eq!(found, ["size: it is none of what the chart allows here"]);
        let unlike = json!({"properties": {"size": {"not": {"type": "string"}}}});
        let found = says("", &unlike, &json!({"size": "hunter2"}));
        assert!(found.len() == 1 && !found[0].contains("hunter2"), "{found:?}");
    }

    #[test]
    fn what_is_filled_in_later_fits_everywhere_and_hides_nothing_else() {
        let secret = Value::Secret(SecretRef {
            namespace: "a".to_owned(),
            name: "b".to_owned(),
            key: "c".to_owned(),
        });
        let join = Value::Join(vec![Value::text("x-"), secret.clone()]);
        let map = |entries: &[(&str, Value)]| {
            Value::Map(
                entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            )
        };
        let schema = json!({
            "additionalProperties": false, "required": ["missing"],
            "oneOf": [{"properties": {"port": {"minimum": 5}}}, {"not": {"required": ["port"]}}],
            "if": {"properties": {"port": {"const": 80}}}, "then": {"properties": {"size": false}},
            "else": {"properties": {"size": {"minimum": 100}}},
            "properties": {"port": {"type": "integer"}, "url": {"pattern": "^http"}, "missing": {},
                "size": {"type": "integer"}, "more": {"type": "array", "items": {"type": "integer"}}}
        });
        let values =
            [("port", secret.clone()), ("url", join), ("more", Value::List(vec![secret.clone()]))];
        let mut values = values.to_vec();
        values.extend([("size", Value::Number(1.into())), ("missing", Value::Bool(true))]);
        assert_eq!(told("", &schema, &map(&values)), nothing());
        values.pop();
        values.push(("mroe", secret));
        values.push(("size", Value::text("big")));
        assert_eq!(
            told("", &schema, &map(&values)),
            [
                "missing: the chart needs this key, and nothing gives it",
                "mroe: the chart does not know this key",
                "size: the chart wants integer, and here stands string",
            ]
        );
    }

    #[test]
    fn what_a_schema_takes_from_elsewhere_forbids_nothing() {
        let schema = json!({"properties": {
            "a": {"$ref": "https://schemas.invalid/k8s.json#/definitions/io.k8s.Pod"},
            "b": {"$ref": "other.json"},
            "c": {"$ref": "port"},
            "d": {"type": "string"}
        }, "$defs": {"port": {"$id": "https://schemas.invalid/port", "type": "integer"}},
            "$id": "https://schemas.invalid/values"});
        let found = says("", &schema, &json!({"a": 1, "b": 1, "c": "x", "d": 1}));
        assert_eq!(
            found,
            [
                "c: the chart wants integer, and here stands string",
                "d: the chart wants string, and here stands integer"
            ]
        );
        for broken in [json!({"type": "text"}), json!({"$ref": "#/$defs/none"}), json!(1)] {
            assert_eq!(says("", &broken, &json!({"a": 1})), nothing(), "{broken}");
        }
    }
}
