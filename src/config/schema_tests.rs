//! The published schemas against the files that are shipped, and against the keys that reading knows.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::{SchemaKind, schema};
use crate::adapter::files;
use crate::yaml::{Source, parse};

fn tree(path: &Path) -> Json {
    parse(&Source::new(path, files::read(path).unwrap())).unwrap().to_json()
}

/// What a schema has against a value, as `place: reason`; the keywords that our schemas use.
fn faults(schema: &Json, value: &Json, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |why: &str| found.push(format!("{at}: {why}"));
    let known = [
        "$schema",
        "title",
        "description",
        "deprecated",
        "default",
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "oneOf",
        "anyOf",
    ];
    for key in schema.as_object().unwrap().keys() {
        assert!(known.contains(&key.as_str()), "this test knows no `{key}`");
    }
    if let Some(types) = schema.get("type") {
        let types = types.as_array().cloned().unwrap_or_else(|| vec![types.clone()]);
        if !types.iter().any(|kind| is(value, kind.as_str().unwrap())) {
            say(&format!("{value} is none of {types:?}"));
        }
    }
    if schema.get("enum").is_some_and(|words| !words.as_array().unwrap().contains(value)) {
        say(&format!("{value} is no word"));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        say("is another");
    }
    if let (Some(least), Some(number)) = (schema.get("minimum"), value.as_f64())
        && number < least.as_f64().unwrap()
    {
        say("is too small");
    }
    for (word, most) in [("oneOf", 1), ("anyOf", usize::MAX)] {
        let Some(all) = schema.get(word).and_then(Json::as_array) else { continue };
        let tried: Vec<_> = all.iter().map(|one| faults(one, value, at)).collect();
        let fits = tried.iter().filter(|faults| faults.is_empty()).count();
        if fits == 0 || fits > most {
            say(&format!("fits {fits} of {word}: {tried:?}"));
        }
    }
    found.extend(faults_of_keys(schema, value, at));
    if let (Some(of), Some(items)) = (schema.get("items"), value.as_array()) {
        for (n, item) in items.iter().enumerate() {
            found.extend(faults(of, item, &format!("{at}[{n}]")));
        }
    }
    found
}

fn faults_of_keys(schema: &Json, value: &Json, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Some(map) = value.as_object() else { return found };
    for key in schema.get("required").and_then(Json::as_array).into_iter().flatten() {
        if !map.contains_key(key.as_str().unwrap()) {
            found.push(format!("{at}: lacks {key}"));
        }
    }
    for (key, value) in map {
        let place = format!("{at}.{key}");
        let own = schema.get("properties").and_then(|all| all.get(key));
        match own.or(schema.get("additionalProperties")) {
            Some(Json::Bool(false)) => found.push(format!("{place}: no such key")),
            Some(of @ Json::Object(_)) => found.extend(faults(of, value, &place)),
            _ => {}
        }
    }
    found
}

fn is(value: &Json, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

fn yaml_in(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let all = files::list(&folder).unwrap();
    all.into_iter().filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect()
}

#[test]
fn every_shipped_file_satisfies_its_schema() {
    let mut cases: Vec<(SchemaKind, PathBuf)> = Vec::new();
    cases.extend(yaml_in("flavours").into_iter().map(|path| (SchemaKind::Flavour, path)));
    cases.extend(yaml_in("k8s/configs").into_iter().map(|path| (SchemaKind::Target, path)));
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("components");
    for folder in files::list(&components).unwrap().into_iter().filter(|p| files::is_folder(p)) {
        cases.push((SchemaKind::Component, folder.join("component.yaml")));
        // What is retired has nothing to set.
        let settings = Some(folder.join("config.yaml")).filter(|path| path.exists());
        cases.extend(settings.map(|path| (SchemaKind::Settings, path)));
    }
    assert!(cases.len() > 15, "{cases:?}");
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|(kind, path)| (faults(&schema(kind), &tree(&path), ""), path))
        .filter(|(found, _)| !found.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_target_of_kind_may_say_all_that_is_read() {
    let node = json!({
        "role": "control-plane", "count": 1, "labels": {"a": "b"}, "taints": ["a=b:NoSchedule"],
        "mounts": ["./a:/b:ro"], "ports": [{"host": 1, "node": 2}],
    });
    let target = json!({"local": {
        "provider": "kind", "node_image": "kindest/node:v1.35.8", "nodes": [node], "ports": ["1:2"],
        "mounts": [{"host": "a", "node": "/b", "read_only": true}], "kubeadm_patches": [{"kind": "x"}, "y"],
        "containerd_patches": "[a]",
        "load": ["a:1"],
    }});
    let found = faults(&schema(SchemaKind::Target), &target, "");
    assert!(found.is_empty(), "{found:#?}");
    let wrong = json!({"local": {"prts": []}});
    assert_eq!(faults(&schema(SchemaKind::Target), &wrong, "").len(), 1);
}
