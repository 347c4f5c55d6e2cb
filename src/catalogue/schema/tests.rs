//! The schema against the reader.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::schema;
use crate::catalogue::fixture::{component, load, messages};

/// The keys that the reader takes at a place, by the suggestion for one that it does not.
fn taken(rest: &str) -> BTreeSet<String> {
    let (_, problems) = load(&[&component("x", rest)]);
    let found = messages(&problems);
    let line = found.iter().find(|m| m.contains("has no key `zzzzzzzzzzzz`"));
    let line = line.unwrap_or_else(|| panic!("{rest}: {found:?}"));
    let known = line.split("known here: ").nth(1).unwrap();
    known.split(", ").map(str::to_owned).collect()
}

fn written(schema: &Json) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_has_the_keys_that_the_reader_takes() {
    let root = schema();
    let at = |pointer: &str| root.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
    let table = [
        ("zzzzzzzzzzzz: 1", ""),
        ("params: {p: {zzzzzzzzzzzz: 1}}", "/properties/params/additionalProperties"),
        ("secrets: [{id: a, keys: {}, zzzzzzzzzzzz: 1}]", "/properties/secrets/items"),
        ("uses: [{component: y, zzzzzzzzzzzz: 1}]", "/properties/uses/items"),
        ("provides: [{capability: y, zzzzzzzzzzzz: 1}]", "/properties/provides/items"),
        ("outputs: {o: {value: 1, zzzzzzzzzzzz: 1}}", "/properties/outputs/additionalProperties"),
        (
            "endpoints: [{id: a, kind: ui, service: x, port: 1, zzzzzzzzzzzz: 1}]",
            "/properties/endpoints/items",
        ),
        ("delete: {zzzzzzzzzzzz: 1}", "/properties/delete"),
        ("upgrade: {zzzzzzzzzzzz: 1}", "/properties/upgrade"),
        ("requires: {zzzzzzzzzzzz: 1}", "/properties/requires"),
        ("gpu: {zzzzzzzzzzzz: 1}", "/properties/gpu"),
        ("metrics: {zzzzzzzzzzzz: 1}", "/properties/metrics"),
        ("profiles: {p: {zzzzzzzzzzzz: 1}}", "/properties/profiles/additionalProperties"),
        ("legacy: [{key: a, to: b, zzzzzzzzzzzz: 1}]", "/properties/legacy/items"),
        ("images: {i: {zzzzzzzzzzzz: 1}}", "/properties/images/additionalProperties"),
        ("runs: {i: {zzzzzzzzzzzz: 1}}", "/properties/runs/additionalProperties"),
        ("verify: [{zzzzzzzzzzzz: 1}]", "/properties/verify/items"),
        (
            "steps: [{id: a, kind: crds, from: {url: x}, zzzzzzzzzzzz: 1}]",
            "/properties/steps/items/oneOf/0",
        ),
        (
            "steps: [{id: a, kind: helm, chart: {path: x}, zzzzzzzzzzzz: 1}]",
            "/properties/steps/items/oneOf/1",
        ),
        (
            "steps: [{id: a, kind: helm, chart: {path: x, zzzzzzzzzzzz: 1}}]",
            "/properties/steps/items/oneOf/1/properties/chart",
        ),
        (
            "steps: [{id: a, kind: manifests, url: x, zzzzzzzzzzzz: 1}]",
            "/properties/steps/items/oneOf/2",
        ),
        (
            "steps: [{id: a, kind: objects, objects: [], zzzzzzzzzzzz: 1}]",
            "/properties/steps/items/oneOf/3",
        ),
        (
            "steps: [{id: a, kind: job, image: x, zzzzzzzzzzzz: 1}]",
            "/properties/steps/items/oneOf/4",
        ),
        ("steps: [{id: a, kind: wait, zzzzzzzzzzzz: 1}]", "/properties/steps/items/oneOf/5"),
        ("steps: [{id: a, kind: kustomize, zzzzzzzzzzzz: 1}]", "/properties/steps/items/oneOf/6"),
        ("steps: [{id: a, kind: patch, zzzzzzzzzzzz: 1}]", "/properties/steps/items/oneOf/7"),
        ("steps: [{id: a, kind: call, zzzzzzzzzzzz: 1}]", "/properties/steps/items/oneOf/8"),
        (
            "steps: [{id: a, kind: crds, from: {url: x, zzzzzzzzzzzz: 1}}]",
            "/properties/steps/items/oneOf/0/properties/from",
        ),
    ];
    for (rest, pointer) in table {
        assert_eq!(taken(rest), written(at(pointer)), "{pointer}");
    }
}
