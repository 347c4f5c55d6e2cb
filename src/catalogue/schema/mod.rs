//! The JSON Schema of `component.yaml`, for editors. A test holds it against the reader.

mod part;
#[cfg(test)]
mod tests;

use part::{claim, condition, delete, endpoint, grant, output, secret, step};
use serde_json::{Map, Value as Json, json};

/// The JSON Schema of a component file.
pub fn schema() -> Json {
    let mut properties = catalogue_data();
    properties.extend(needs_and_gifts());
    properties.extend(parts());
    properties.extend(later_parts());
    let mut root = object(&["schema", "name"], properties);
    if let Json::Object(root) = &mut root {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("datamill component"));
    }
    root
}

type Properties = Map<String, Json>;

/// A map that takes the given keys and no others.
fn object(required: &[&str], properties: impl IntoIterator<Item = (String, Json)>) -> Json {
    let properties: Properties = properties.into_iter().collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let (Json::Object(schema), false) = (&mut schema, required.is_empty()) {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

fn keys<const N: usize>(entries: [(&str, Json); N]) -> Properties {
    entries.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect()
}

fn text(doc: &str) -> Json {
    json!({"type": "string", "description": doc})
}

fn flag(doc: &str) -> Json {
    json!({"type": "boolean", "description": doc})
}

fn any(doc: &str) -> Json {
    json!({"description": doc})
}

fn words(doc: &str, words: &[&str]) -> Json {
    json!({"enum": words, "description": doc})
}

fn list(doc: &str, of: &Json) -> Json {
    json!({"type": "array", "items": of, "description": doc})
}

fn texts(doc: &str) -> Json {
    json!({
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        "description": doc,
    })
}

fn named(doc: &str, of: &Json) -> Json {
    json!({"type": "object", "additionalProperties": of, "description": doc})
}

fn free(doc: &str) -> Json {
    json!({"type": "object", "description": doc})
}

/// A number or flag, or text with `${…}`.
fn scalar(doc: &str) -> Json {
    json!({"type": ["string", "number", "boolean", "null"], "description": doc})
}

fn when() -> Json {
    json!({
        "type": ["string", "boolean"],
        "description": "a condition such as: param.mode == \"standalone\" && has(use.store)",
    })
}

fn catalogue_data() -> Properties {
    let legacy_when = object(
        &["key"],
        keys([
            ("key", text("another old key")),
            ("is", texts("the words with which this one counts")),
            ("is_not", texts("the words with which it does not")),
        ]),
    );
    let legacy = object(
        &["key"],
        keys([
            ("key", text("the old key, dotted")),
            ("to", text("where it is written now")),
            ("drop", text("why it has no meaning any more")),
            ("quiet", texts("values for which nobody needs to be told")),
            ("when", legacy_when),
        ]),
    );
    keys([
        ("schema", words("the format of this file", &["component/v1"])),
        ("name", text("the folder's name and the key of its section")),
        ("title", text("its name for people")),
        ("summary", text("what it is, in a line")),
        ("categories", texts("what it belongs to")),
        ("home", text("its home page")),
        ("license", text("its licence")),
        (
            "status",
            words(
                "how far it is kept alive",
                &["active", "frozen", "deprecated", "retired", "experimental"],
            ),
        ),
        ("replacedBy", texts("what to take in its place")),
        ("aliases", texts("other names of its section")),
        ("all", flag("whether `all` includes it")),
        ("legacy", list("old keys of its section", &legacy)),
        ("source", any("addresses that were checked, and when")),
        ("notes", text("what is said after the installation")),
    ])
}

fn needs_and_gifts() -> Properties {
    let requires = object(
        &[],
        keys([
            ("kubernetes", text("a range of versions such as >=1.30")),
            ("helm", text("a range of versions")),
            ("nodes", any("sizes, architectures, host packages")),
            ("storage", any("class, access mode, size")),
        ]),
    );
    let uses = object(
        &[],
        keys([
            ("as", text("the name by which it is called here")),
            ("capability", text("what is used, whoever provides it")),
            ("component", text("whose outputs are used")),
            ("optional", flag("whether the component does without it")),
            ("soft", flag("whether it only adds wiring and does not order")),
            ("default", text("the provider to take when several are in the flavour")),
            ("auth", texts("accepted variants")),
            ("dialect", texts("accepted variants")),
            ("when", when()),
            ("doc", text("what it is for")),
        ]),
    );
    let provides = object(
        &["capability"],
        keys([
            ("capability", text("a contract of capabilities.yaml")),
            ("map", named("output of the contract: output of this component", &text("an output"))),
            ("auth", text("the variant")),
            ("dialect", text("the variant")),
            ("when", when()),
        ]),
    );
    let namespace = json!({"anyOf": [{"type": "string"}, object(&[], keys([
        ("name", text("its name")),
        ("labels", free("labels, such as those of pod security")),
        ("annotations", free("annotations")),
    ]))]});
    keys([
        ("scope", words("cluster: a cluster takes one of it", &["namespace", "cluster"])),
        ("conflicts", texts("components and capabilities that exclude it")),
        ("namespace", namespace),
        ("requires", requires),
        ("uses", list("what it uses", &uses)),
        ("provides", list("what it provides", &provides)),
    ])
}

fn parts() -> Properties {
    let parameter = object(
        &[],
        keys([
            (
                "type",
                words(
                    "its type",
                    &["string", "int", "bool", "quantity", "duration", "list", "map", "enum"],
                ),
            ),
            ("default", any("its value when nobody sets it")),
            ("secret", flag("whether its value is a secret")),
            (
                "fromValues",
                text("a secret's place in the user's Helm values, from where it is taken"),
            ),
            ("required", flag("whether it must be set")),
            ("enum", texts("the words an enum takes")),
            ("doc", text("what it is for")),
        ]),
    );
    let profile = object(
        &[],
        keys([
            ("params", free("parameters")),
            ("values", named("Helm values by step", &free("values"))),
        ]),
    );
    let overlay = |more: Properties| {
        let own =
            keys([("when", when()), ("values", named("Helm values by step", &free("values")))]);
        object(&[], own.into_iter().chain(more))
    };
    let gpu = overlay(keys([
        ("resource", text("the resource's name")),
        ("runtimeClass", text("the runtime class")),
    ]));
    let upgrade = object(
        &[],
        keys([
            ("crdsFirst", flag("CRDs before their release, which is always so")),
            ("maxMinorStep", scalar("how many minor versions one step may take")),
            ("immutable", texts("parameters that cannot change once installed")),
            ("notes", text("what a person should know")),
        ]),
    );
    keys([
        ("params", named("what the user may set", &parameter)),
        ("profiles", named("parameters and values for a kind of target", &profile)),
        ("secrets", list("Secrets, drawn once", &secret())),
        ("claims", list("what it asks for", &claim())),
        ("grants", named("how it grants what others claim of it, by kind", &grant())),
        ("steps", list("what is done, in this order", &step())),
        ("outputs", named("facts for others and for the user", &output())),
        ("endpoints", list("where it is reached", &endpoint())),
        ("health", list("when it counts as installed", &condition())),
        ("fails", list("when it counts as failed", &condition())),
        ("gpu", gpu),
        ("metrics", overlay(Properties::new())),
        ("upgrade", upgrade),
        ("delete", delete()),
    ])
}

/// What later issues run.
fn later_parts() -> Properties {
    let image = object(
        &[],
        keys([
            ("context", text("the folder")),
            ("file", text("the file of instructions")),
            ("args", any("arguments")),
            ("when", when()),
        ]),
    );
    let run = object(
        &[],
        keys([
            ("job", any("a job")),
            ("objects", any("objects")),
            ("done", any("conditions")),
            ("fails", any("conditions")),
            ("logs", any("whose logs are shown")),
            ("doc", text("what it does")),
            ("params", any("parameters")),
        ]),
    );
    let check = object(
        &[],
        keys([
            ("id", text("its name")),
            ("job", any("a job")),
            ("http", any("a request")),
            ("call", any("a request through a tunnel")),
            ("expect", any("what must come")),
            ("when", when()),
            ("doc", text("what it checks")),
        ]),
    );
    keys([
        ("images", named("images that are built", &image)),
        ("runs", named("what `datamill run` starts", &run)),
        ("verify", list("checks after an installation", &check)),
        ("connect", named("how a client connects", &text("text with ${out…}"))),
    ])
}
