//! JSON Schemas of the files a user writes, for editors: built from the same lists that reading uses.

use serde_json::{Map, Value as Json, json};

use super::overlay::{Embedded, Overlay};
use super::resolve::{STORAGE_KINDS, load_components};
use super::target::{LocalProvider, RemoteProvider};
use crate::catalogue::{self, Catalogue, Component, Param, ParamType, Status};
use crate::yaml::Problems;

/// Which kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchemaKind {
    /// `flavours/*.yaml`.
    Flavour,
    /// `k8s/configs/*.yaml`.
    Target,
    /// `components/*/config.yaml`.
    Settings,
    /// `components/*/component.yaml`.
    Component,
}

impl SchemaKind {
    /// All of them with their words.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("flavour", Self::Flavour),
        ("target", Self::Target),
        ("settings", Self::Settings),
        ("component", Self::Component),
    ];
}

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The JSON Schema of a kind of file, with the components inside the binary.
pub fn schema(kind: SchemaKind) -> Json {
    match kind {
        SchemaKind::Component => catalogue::schema(),
        SchemaKind::Target => target(),
        SchemaKind::Flavour => flavour(&embedded_catalogue()),
        SchemaKind::Settings => settings(&embedded_catalogue()),
    }
}

fn embedded_catalogue() -> Catalogue {
    let embedded = Embedded::shipped();
    // No folder holds a project here, so only what is inside the binary is read.
    let nowhere = std::path::Path::new("/nonexistent/datamill");
    let overlay = Overlay {
        here: nowhere,
        root: nowhere.to_owned(),
        embedded: &embedded,
        seen: super::inputs::Seen::default(),
    };
    load_components(&overlay, nowhere, &mut Problems::default()).catalogue
}

fn flavour(catalogue: &Catalogue) -> Json {
    let mut properties = target_properties();
    properties.insert("project".to_owned(), project());
    properties.insert(
        "version".to_owned(),
        json!({"const": 1, "description": "The version of this format."}),
    );
    properties.insert("storage".to_owned(), storage());
    properties.insert("external".to_owned(), external());
    for (key, doc) in [
        ("claims", "Claims that the flavour itself makes."),
        ("images", "Images built from a context, by name."),
    ] {
        properties.insert(key.to_owned(), json!({"description": doc}));
    }
    properties.insert(
        "mirrors".to_owned(),
        json!({"type": "object", "additionalProperties": text(), "description": "Hosts and what stands in for them."}),
    );
    properties.extend(sections(catalogue));
    let mut instance = closed(&reserved());
    if let Some(map) = instance.as_object_mut() {
        map.insert("required".to_owned(), json!(["component"]));
        // The parameters are those of the component that is named.
        map.insert("additionalProperties".to_owned(), json!(true));
    }
    json!({
        "$schema": DRAFT,
        "title": "A flavour of datamill",
        "type": "object",
        "properties": properties,
        "additionalProperties": instance,
    })
}

fn target() -> Json {
    let mut properties = target_properties();
    properties.insert("version".to_owned(), json!({"const": 1}));
    let mut schema = closed(&properties);
    if let Some(map) = schema.as_object_mut() {
        map.insert("$schema".to_owned(), json!(DRAFT));
        map.insert("title".to_owned(), json!("A target of datamill"));
    }
    schema
}

fn settings(catalogue: &Catalogue) -> Json {
    json!({
        "$schema": DRAFT,
        "title": "Settings of a component of datamill",
        "type": "object",
        "properties": sections(catalogue),
    })
}

fn text() -> Json {
    json!({"type": ["string", "number", "boolean"]})
}

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Json {
    json!({"enum": words.into_iter().collect::<Vec<_>>()})
}

fn names() -> Json {
    json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
}

fn size(doc: &str) -> Json {
    json!({"type": ["integer", "string"], "description": doc})
}

fn described(schema: Json, doc: &str) -> Json {
    let mut schema = schema;
    if let Some(map) = schema.as_object_mut() {
        map.insert("description".to_owned(), json!(doc));
    }
    schema
}

/// A map with these keys only, or nothing.
fn closed(properties: &Map<String, Json>) -> Json {
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

fn map_of<const N: usize>(entries: [(&str, Json); N]) -> Map<String, Json> {
    entries.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect()
}

fn project() -> Json {
    closed(&map_of([
        ("name", described(text(), "Default: the folder above flavours/, else the file's stem.")),
        ("k8s_namespace", described(text(), "Default: data-mill.")),
        (
            "proxy_port",
            json!({"type": "integer", "minimum": 1, "maximum": 65535, "description": "Default: 8088."}),
        ),
        (
            "flavour",
            described(names(), "The components, by commas and blanks or as a list; or all."),
        ),
        ("k8s_default_config", described(text(), "A target file in k8s/configs/.")),
        ("component_default_config", described(text(), "Default: config.yaml.")),
        (
            "data_folder",
            described(text(), "Relative to the folder above flavours/. Default: data."),
        ),
        (
            "config_folder",
            described(text(), "Where values files are looked up; relative to this file."),
        ),
        ("environment", described(text(), "production: stricter protection.")),
        ("profiles", names()),
        ("extends", described(text(), "A flavour that is merged below this one.")),
        ("domain", text()),
        ("expose", words(["none", "loadbalancer", "ingress"])),
    ]))
}

fn target_properties() -> Map<String, Json> {
    map_of([("local", local()), ("remote", remote()), ("hybrid", hybrid())])
}

fn local() -> Json {
    let flag = || json!({"type": "boolean"});
    closed(&map_of([
        ("provider", words(LocalProvider::WORDS.map(|(word, _)| word))),
        ("cpus", json!({"type": "integer", "minimum": 1})),
        ("memory", size("In MiB, or such as 16G.")),
        ("storage", size("Such as 60G, which is GiB.")),
        ("gpu_support", json!({"enum": ["auto", "required", true, false]})),
        ("use_overlay", flag()),
        ("istio_support", flag()),
        ("vm_driver", text()),
        ("use_multipass", flag()),
        ("version", described(text(), "Of Kubernetes, such as 1.35.")),
        (
            "nodes",
            json!({"oneOf": [{"type": "integer", "minimum": 1}, {"type": "array", "items": node()}]}),
        ),
        (
            "node_image",
            json!({"type": ["string", "null"], "description": "kind: the image of its nodes; empty: the one of version."}),
        ),
        ("mounts", mounts()),
        ("ports", ports()),
        ("kubeadm_patches", patches("kind: YAML for kubeadm.")),
        ("containerd_patches", patches("kind: TOML for containerd.")),
        ("load", patches("kind: images of this machine, or archives of some, for the nodes.")),
    ]))
}

fn mounts() -> Json {
    let one = closed(&map_of([
        ("host", text()),
        ("node", text()),
        ("read_only", json!({"type": "boolean"})),
    ]));
    json!({
        "type": ["array", "null"], "items": {"anyOf": [{"type": "string"}, one]},
        "description": "kind: HOST:NODE or HOST:NODE:ro.",
    })
}

fn ports() -> Json {
    let one = closed(&map_of([
        ("address", text()),
        ("host", text()),
        ("node", text()),
        ("protocol", text()),
    ]));
    json!({
        "type": ["array", "null"], "items": {"anyOf": [{"type": "string"}, one]},
        "description": "kind: HOST:NODE, ADDRESS:HOST:NODE, or with /udp behind.",
    })
}

fn patches(doc: &str) -> Json {
    let one = json!({"type": ["string", "object"]});
    json!({"anyOf": [{"type": ["string", "object", "null"]}, {"type": "array", "items": one}], "description": doc})
}

fn node() -> Json {
    closed(&map_of([
        ("name", text()),
        ("count", json!({"type": "integer", "minimum": 1})),
        ("cpus", json!({"type": "integer", "minimum": 1})),
        ("memory", size("In MiB, or such as 16G.")),
        ("storage", size("Such as 60G, which is GiB.")),
        ("gpus", json!({"type": "integer", "minimum": 0})),
        ("labels", json!({"type": "object", "additionalProperties": text()})),
        (
            "taints",
            json!({"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "object"}]}}),
        ),
        ("role", described(words(["control-plane", "worker"]), "kind: default: worker.")),
        ("mounts", mounts()),
        ("ports", ports()),
    ]))
}

fn remote() -> Json {
    closed(&map_of([
        ("provider", words(RemoteProvider::WORDS.map(|(word, _)| word))),
        ("cluster_name", text()),
        ("bucket_name", described(text(), "The lake bucket.")),
        ("region", text()),
        ("zones", names()),
        ("no_nodes", json!({"type": "integer", "minimum": 1})),
        ("node_size", described(text(), "The machine type.")),
        ("project", described(text(), "Google's project.")),
        ("profile", described(text(), "AWS' profile of credentials.")),
        ("version", described(text(), "Of Kubernetes, such as 1.35.")),
        ("node_groups", json!({"type": "array"})),
    ]))
}

fn hybrid() -> Json {
    closed(&map_of([
        (
            "config",
            json!({"type": ["string", "null"], "description": "A kubeconfig; relative to this file, ~ expands."}),
        ),
        ("context", json!({"type": ["string", "null"]})),
        ("gpu_support", json!({"type": "boolean"})),
    ]))
}

fn storage() -> Json {
    json!({
        "type": "object",
        "additionalProperties": {"type": "object", "properties": {"kind": words(STORAGE_KINDS)}, "required": ["kind"]},
    })
}

fn external() -> Json {
    let one = json!({
        "type": "object",
        "properties": {
            "as": text(), "capability": {"type": "string"}, "outputs": {"type": "object"},
            "secret_from": text(), "secretFrom": text(), "variants": {"type": "object"},
        },
        "required": ["capability"],
        "additionalProperties": false,
    });
    json!({"oneOf": [{"type": "object", "additionalProperties": one}, {"type": "array", "items": one}]})
}

/// The sections of components, under their names and aliases.
fn sections(catalogue: &Catalogue) -> Map<String, Json> {
    let mut found = Map::new();
    for component in catalogue.components() {
        let schema = section(component);
        for alias in component.aliases() {
            found.insert(alias.clone(), schema.clone());
        }
        found.insert(component.name().to_owned(), schema);
    }
    found
}

fn section(component: &Component) -> Json {
    let mut properties = reserved();
    for param in component.params() {
        properties.insert(param.name.clone(), param_schema(param));
    }
    let mut schema = described(closed(&properties), component.summary());
    if let Some(map) = schema.as_object_mut() {
        if matches!(component.status(), Status::Retired | Status::Deprecated) {
            map.insert("deprecated".to_owned(), json!(true));
        }
        // Old keys are translated, so an editor must not mark them as wrong.
        let old: Map<String, Json> = component
            .legacy()
            .iter()
            .filter_map(|old| old.key.split('.').next())
            .map(|key| (key.to_owned(), json!({"deprecated": true})))
            .collect();
        if let Some(properties) = map.get_mut("properties").and_then(Json::as_object_mut) {
            for (key, schema) in old {
                properties.entry(key).or_insert(schema);
            }
        }
    }
    schema
}

/// The reserved keys of a section.
fn reserved() -> Map<String, Json> {
    map_of([
        ("component", described(text(), "The component of an instance under a name of its own.")),
        ("release", described(text(), "The name of the Helm release.")),
        ("namespace", text()),
        ("version", described(text(), "The chart's version.")),
        ("config_file", described(text(), "A file with Helm values.")),
        ("values", json!({"type": ["object", "null"], "description": "Helm values."})),
        (
            "setup_timeout",
            json!({"type": "integer", "minimum": 0, "description": "Seconds; 0 is the default."}),
        ),
        ("bind", json!({"type": ["object", "null"], "additionalProperties": text()})),
        ("profiles", names()),
        ("expose", json!({"enum": ["none", "loadbalancer", "ingress", true, false]})),
        ("moved", json!({})),
        ("ignore", ignored()),
    ])
}

/// Fields that are left to others.
fn ignored() -> Json {
    let rule = json!({
        "type": "object", "required": ["path"], "additionalProperties": false,
        "properties": {"path": text(), "reason": text()},
    });
    json!({
        "description": "Fields that are neither compared nor written: Kind/name:/path/to/field.",
        "oneOf": [text(), {"type": "array", "items": {"oneOf": [text(), rule]}}],
    })
}

fn param_schema(param: &Param) -> Json {
    let mut schema = match param.kind {
        ParamType::String => text(),
        ParamType::Int => json!({"type": "integer"}),
        ParamType::Bool => json!({"type": "boolean"}),
        ParamType::Quantity | ParamType::Duration => json!({"type": ["string", "number"]}),
        ParamType::List => json!({"type": "array"}),
        ParamType::Map => json!({"type": "object"}),
        ParamType::Enum => words(param.words.iter().map(String::as_str)),
    };
    if param.secret {
        schema = json!({"oneOf": [
            schema,
            closed(&map_of([("env", text())])),
            closed(&map_of([("file", text())])),
            closed(&map_of([("secret", text()), ("key", text())])),
        ]});
    }
    let mut schema = described(schema, &param.doc);
    if let (Some(map), Some(default)) = (schema.as_object_mut(), &param.default) {
        map.insert("default".to_owned(), default.to_json());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::RESERVED_KEYS;
    use crate::config::resolve::TOP_LEVEL;

    #[test]
    fn a_flavours_schema_knows_every_top_level_and_reserved_key() {
        let schema = schema(SchemaKind::Flavour);
        for key in TOP_LEVEL {
            assert!(schema["properties"].get(key).is_some(), "{key}");
        }
        let instance = &schema["additionalProperties"]["properties"];
        for key in RESERVED_KEYS {
            assert!(instance.get(key).is_some(), "{key}");
        }
    }

    #[test]
    fn the_target_schema_is_closed() {
        let schema = schema(SchemaKind::Target);
        assert_eq!(schema["additionalProperties"], json!(false));
        assert_eq!(schema["properties"]["local"]["properties"]["provider"]["enum"][4], "kwok");
    }
}
