//! Values against a chart's own schema, without helm: what helm would refuse is said when files are checked. A word of the schema
//! that is not known here forbids nothing, and a place that is filled in later fits everywhere.

use serde_json::Value as Json;

use super::content::ChartContent;
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

/// The values that a chart's `values.schema.json` refuses; none where it has no schema. Its own defaults are not looked at.
pub fn misfits(content: &ChartContent, values: &Value) -> Vec<Misfit> {
    let mut found = Vec::new();
    if let Some(schema) = content.document("values.schema.json") {
        Check { root: &schema, found: &mut found }.at(&schema, values, &mut Vec::new(), 0);
    }
    found
}

struct Check<'a> {
    root: &'a Json,
    found: &'a mut Vec<Misfit>,
}

impl Check<'_> {
    fn at(&mut self, schema: &Json, value: &Value, path: &mut Vec<String>, depth: usize) {
        /// References may go round in circles.
        const DEEPEST: usize = 64;
        // `null` takes a default away, and is no value.
        if depth > DEEPEST || *value == Value::Null {
            return;
        }
        let reference = schema.get("$ref").and_then(Json::as_str);
        let target = reference.and_then(|to| self.root.pointer(to.strip_prefix('#')?)).cloned();
        if let Some(target) = target {
            self.at(&target, value, path, depth + 1);
        }
        for part in schema.get("allOf").and_then(Json::as_array).into_iter().flatten() {
            self.at(part, value, path, depth + 1);
        }
        if let Some(says) = refusal(schema, value) {
            self.found.push(Misfit { path: path.clone(), says, near: None });
            return;
        }
        match value {
            Value::Map(map) => {
                for (key, value) in map {
                    path.push(key.clone());
                    self.key(schema, key, value, path, depth);
                    path.pop();
                }
            }
            Value::List(items) => {
                let Some(schema) = schema.get("items") else { return };
                for (number, item) in items.iter().enumerate() {
                    path.push(number.to_string());
                    self.at(schema, item, path, depth + 1);
                    path.pop();
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Text(_)
            | Value::Join(_)
            | Value::Output { .. }
            | Value::Secret(_) => {}
        }
    }

    fn key(
        &mut self,
        schema: &Json,
        key: &str,
        value: &Value,
        path: &mut Vec<String>,
        depth: usize,
    ) {
        let properties = schema.get("properties").and_then(Json::as_object);
        if let Some(schema) = properties.and_then(|properties| properties.get(key)) {
            self.at(schema, value, path, depth + 1);
            return;
        }
        let closed = schema.get("additionalProperties") == Some(&Json::Bool(false))
            && schema.get("patternProperties").is_none();
        if closed && *value != Value::Null {
            let known = properties.into_iter().flat_map(|properties| properties.keys());
            let near = nearest(key, known.map(String::as_str)).map(str::to_owned);
            let says = "the chart does not know this key".to_owned();
            self.found.push(Misfit { path: path.clone(), says, near });
        } else if let Some(schema) = schema.get("additionalProperties").filter(|s| s.is_object()) {
            self.at(schema, value, path, depth + 1);
        }
    }
}

/// Why one value by itself does not fit.
fn refusal(schema: &Json, value: &Value) -> Option<String> {
    let is = kind(value)?;
    if let Some(wanted) = schema.get("type") {
        let one = std::slice::from_ref(wanted);
        let words = wanted.as_array().map_or(one, Vec::as_slice).iter().filter_map(Json::as_str);
        let words: Vec<&str> = words.collect();
        let fits = |word: &&str| *word == is || (*word == "number" && is == "integer");
        if !words.is_empty() && !words.iter().any(fits) {
            return Some(format!("the chart wants {}, and here stands {is}", words.join(" or ")));
        }
    }
    let plain = plain(value)?;
    if let Some(allowed) = schema.get("enum").and_then(Json::as_array)
        && !allowed.contains(&plain)
    {
        let words: Vec<String> = allowed.iter().map(ToString::to_string).collect();
        return Some(format!("the chart takes one of {}", words.join(", ")));
    }
    let limit = |word: &str| schema.get(word).and_then(Json::as_f64);
    let number = plain.as_f64();
    if let (Some(least), Some(number)) = (limit("minimum"), number)
        && number < least
    {
        return Some(format!("the chart takes nothing below {least}"));
    }
    if let (Some(most), Some(number)) = (limit("maximum"), number)
        && number > most
    {
        return Some(format!("the chart takes nothing above {most}"));
    }
    let shortest = schema.get("minLength").and_then(Json::as_u64);
    let length = plain.as_str().and_then(|text| u64::try_from(text.chars().count()).ok());
    (length? < shortest?).then(|| "the chart wants a longer text".to_owned())
}

/// The kind of a value in the schema's words; nothing for what is filled in later.
fn kind(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0) => "integer",
        Value::Number(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        Value::Null | Value::Join(_) | Value::Output { .. } | Value::Secret(_) => return None,
    })
}

fn plain(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Number(number) => Json::Number(number.clone()),
        Value::Text(text) => Json::String(text.clone()),
        Value::Null
        | Value::List(_)
        | Value::Map(_)
        | Value::Join(_)
        | Value::Output { .. }
        | Value::Secret(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(schema: &Json, values: &Json) -> Vec<String> {
        let mut found = Vec::new();
        let values = Value::from_json(values);
        Check { root: schema, found: &mut found }.at(schema, &values, &mut Vec::new(), 0);
        found
            .into_iter()
            .map(|misfit| format!("{}: {}", misfit.path.join("."), misfit.says))
            .collect()
    }

    #[test]
    fn what_helm_would_refuse_is_named_and_nothing_else() {
        let schema = json!({
            "type": "object", "additionalProperties": false,
            "required": ["page", "absent"],
            "properties": {
                "page": {"type": "object", "additionalProperties": false, "properties": {"title": {"type": "string"}}},
                "replicas": {"type": "integer", "minimum": 1},
                "policy": {"enum": ["Always", "Never"]},
                "list": {"type": "array", "items": {"$ref": "#/$defs/port"}},
                "any": {"type": ["string", "null"], "unheardOf": 1},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}}
            },
            "$defs": {"port": {"type": "integer", "maximum": 65535}}
        });
        let good = json!({"page": {"title": "x"}, "replicas": 2, "policy": "Never", "list": [1],
            "any": null, "labels": {"a": "b"}, "gone": null});
        assert_eq!(says(&schema, &good), Vec::<String>::new());
        let bad = json!({"page": {"titel": "x"}, "replicas": 0, "policy": "Now", "list": [1, 70000],
            "any": 1, "labels": {"a": 1}, "more": true});
        let found = says(&schema, &bad);
        let mut places: Vec<&str> =
            found.iter().map(|line| line.split(':').next().unwrap()).collect();
        places.sort_unstable();
        let all = ["any", "labels.a", "list.1", "more", "page.titel", "policy", "replicas"];
        assert_eq!(places, all, "{found:?}");
    }
}
