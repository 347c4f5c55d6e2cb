//! A JSON document against a JSON Schema, as far as ours go: a word of the schema that is not known here is an error.

use serde_json::Value as Json;

/// Words that say nothing about what is allowed.
const SILENT: [&str; 6] = ["$schema", "$defs", "title", "description", "default", "format"];

/// What of a document is not as its schema says, each with its place; nothing when all is.
pub(crate) fn violations(schema: &Json, document: &Json) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, document, "", &mut found);
    found
}

fn check(root: &Json, schema: &Json, value: &Json, place: &str, found: &mut Vec<String>) {
    let Some(words) = schema.as_object() else {
        assert_eq!(*schema, true, "a schema is a mapping or true");
        return;
    };
    for (word, rule) in words {
        let mut wrong = |is_wrong: bool| {
            if is_wrong {
                found.push(format!("{place}: {word} {rule}"));
            }
        };
        match word.as_str() {
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value, place, found);
            }
            "type" => {
                let types = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                wrong(!types.iter().any(|name| is_a(name.as_str().unwrap(), value)));
            }
            "const" => wrong(value != rule),
            "enum" => wrong(!rule.as_array().unwrap().contains(value)),
            "minimum" => wrong(value.as_f64().is_some_and(|n| n < rule.as_f64().unwrap())),
            "minItems" => wrong(length(value).is_some_and(|n| n < rule.as_u64().unwrap())),
            "maxItems" => wrong(length(value).is_some_and(|n| n > rule.as_u64().unwrap())),
            "uniqueItems" => {
                let items = value.as_array().cloned().unwrap_or_default();
                wrong((1..items.len()).any(|n| items[..n].contains(&items[n])));
            }
            "required" => {
                let lacks = |name: &Json| value.get(name.as_str().unwrap()).is_none();
                wrong(value.is_object() && rule.as_array().unwrap().iter().any(lacks));
            }
            "oneOf" | "anyOf" => {
                let fits = |one: &&Json| violations_of(root, one, value).is_empty();
                let fit = rule.as_array().unwrap().iter().filter(fits).count();
                wrong(if word == "oneOf" { fit != 1 } else { fit == 0 });
            }
            "properties" | "additionalProperties" => {
                inside(root, schema, (word, rule), value, place, found);
            }
            "items" | "prefixItems" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    let rule = if word == "items" { Some(rule) } else { rule.get(number) };
                    let place = format!("{place}/{number}");
                    if let Some(rule) = rule {
                        check(root, rule, item, &place, found);
                    }
                }
            }
            word => assert!(SILENT.contains(&word), "`{word}` is not checked here"),
        }
    }
}

fn violations_of(root: &Json, schema: &Json, value: &Json) -> Vec<String> {
    let mut found = Vec::new();
    check(root, schema, value, "", &mut found);
    found
}

/// The keys of a mapping: those that are named, and the others.
fn inside(
    root: &Json,
    schema: &Json,
    (word, rule): (&str, &Json),
    value: &Json,
    place: &str,
    found: &mut Vec<String>,
) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let place = format!("{place}/{key}");
        let named = schema.get("properties").and_then(|all| all.get(key));
        match (word, named) {
            ("properties", Some(rule)) => check(root, rule, value, &place, found),
            ("additionalProperties", None) if *rule == false => {
                found.push(format!("{place}: no such key"));
            }
            ("additionalProperties", None) => check(root, rule, value, &place, found),
            _ => {}
        }
    }
}

fn is_a(name: &str, value: &Json) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("no type `{other}`"),
    }
}

fn length(value: &Json) -> Option<u64> {
    value.as_array().and_then(|items| u64::try_from(items.len()).ok())
}
