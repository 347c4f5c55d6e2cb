//! The JSON Schema of `component.yaml`, for editors. A test holds it against the reader.

use serde_json::{Map, Value as Json, json};

/// The JSON Schema of a component file.
pub fn schema() -> Json {
    let mut properties = catalogue_data();
    properties.extend(needs_and_gifts());
    properties.extend(parts());
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
        ("params", named("what the user may set", &parameter)),
        ("profiles", named("parameters and values for a kind of target", &profile)),
        ("secrets", list("Secrets, drawn once", &secret())),
        ("claims", list("what it asks for", &claim())),
        ("steps", list("what is done, in this order", &step())),
        ("outputs", named("facts for others and for the user", &output())),
        ("endpoints", list("where it is reached", &endpoint())),
        ("health", list("when it counts as installed", &condition())),
        ("fails", list("when it counts as failed", &condition())),
        ("gpu", gpu),
        ("metrics", overlay(Properties::new())),
        ("upgrade", upgrade),
        ("delete", delete()),
        ("images", named("images that are built", &image)),
        ("runs", named("what `datamill run` starts", &run)),
        ("verify", list("checks after an installation", &check)),
        ("connect", named("how a client connects", &text("text with ${out…}"))),
    ])
}

fn secret() -> Json {
    let key = object(
        &[],
        keys([
            (
                "generate",
                words(
                    "drawn when absent",
                    &["alnum", "hex", "base64", "uuid", "rsa", "tls", "htpasswd"],
                ),
            ),
            ("length", json!({"type": "integer", "minimum": 1, "maximum": 4096})),
            ("value", scalar("as it is")),
            ("param", text("a parameter")),
            ("template", text("text with ${…}")),
            ("copy", text("a reference such as ${use.store.password.ref}")),
            ("when", when()),
        ]),
    );
    object(
        &["id", "keys"],
        keys([
            ("id", text("its id")),
            ("name", text("its name in the cluster")),
            ("namespace", text("its namespace")),
            ("type", text("Opaque without")),
            ("keep", flag("whether it stays when the component goes")),
            ("keys", named("its keys", &key)),
            ("when", when()),
        ]),
    )
}

fn claim() -> Json {
    object(
        &["id", "kind"],
        keys([
            ("id", text("its id")),
            (
                "kind",
                words("what is asked for", &["volume", "bucket", "database", "user", "topic"]),
            ),
            ("name", text("its name")),
            ("namespace", text("its namespace")),
            ("when", when()),
            ("size", scalar("of a volume: a quantity")),
            ("storageClass", scalar("of a volume")),
            ("accessMode", text("of a volume")),
            ("accessModes", texts("of a volume")),
            ("labels", free("of a volume")),
            ("from", text("the use that grants it")),
            ("owner", text("of a database")),
            ("seed", text("of a bucket: a folder")),
            ("keys", any("of a user")),
            ("versioning", any("of a bucket")),
            ("partitions", any("of a topic")),
            ("replicas", any("of a topic")),
            ("config", any("of a topic")),
        ]),
    )
}

fn output() -> Json {
    let secret_key = object(
        &["name", "key"],
        keys([
            ("name", text("the Secret")),
            ("key", text("its key")),
            ("namespace", text("its namespace")),
        ]),
    );
    let service = object(
        &["name", "port"],
        keys([
            ("name", text("the Service")),
            ("namespace", text("its namespace")),
            ("port", scalar("its port")),
            ("format", words("how it is written", &["hostPort", "url", "host", "port"])),
            ("scheme", text("of a url: http without")),
            ("path", text("of a url")),
        ]),
    );
    let field =
        object(&["ref", "path"], keys([("ref", text("the object")), ("path", text("the field"))]));
    object(
        &[],
        keys([
            ("secretKey", secret_key),
            ("service", service),
            ("field", field),
            ("value", any("any value")),
            ("when", when()),
            ("doc", text("what it is")),
        ]),
    )
}

fn endpoint() -> Json {
    let login = object(
        &[],
        keys([
            ("user", text("text, or a reference")),
            ("password", text("a reference such as ${out.password.ref}")),
        ]),
    );
    object(
        &["id", "kind", "service", "port"],
        keys([
            ("id", text("its id")),
            ("kind", words("what speaks there", &["ui", "api", "grpc", "tcp", "metrics"])),
            ("service", text("the Service")),
            ("namespace", text("its namespace")),
            ("port", scalar("its port")),
            ("path", text("a path, with a slash")),
            ("tls", scalar("whether it speaks TLS")),
            ("login", login),
            ("forward", scalar("the port on this machine")),
            ("expose", flag("whether it is meant for the outside")),
            ("when", when()),
        ]),
    )
}

fn condition() -> Json {
    let of = |more: Properties| {
        object(&["ref"], keys([("ref", text("which object"))]).into_iter().chain(more))
    };
    let reference = || json!({"anyOf": [{"type": "string"}, of(Properties::new())]});
    let status =
        of(keys([("type", text("the condition's type")), ("status", scalar("True without"))]));
    let field = of(keys([
        ("path", text("the field")),
        ("equals", any("the wanted value")),
        ("oneOf", list("accepted values", &any("a value"))),
        ("matches", text("a pattern")),
    ]));
    let address = |more: Properties| {
        let own = keys([
            ("service", text("the Service")),
            ("port", scalar("its port")),
            ("namespace", text("its namespace")),
        ]);
        object(&["service", "port"], own.into_iter().chain(more))
    };
    let http = address(keys([
        ("path", text("the path")),
        ("expect", scalar("the status code, 200 without")),
    ]));
    object(
        &[],
        keys([
            ("rollout", reference()),
            ("condition", status),
            ("field", field),
            ("exists", reference()),
            ("gone", reference()),
            ("established", texts("names of CRDs")),
            ("jobDone", text("the name of a Job")),
            ("http", http),
            ("tcp", address(Properties::new())),
            ("namespace", text("of what is named without one")),
            ("when", when()),
        ]),
    )
}

fn delete() -> Json {
    let keeping = || {
        json!({"anyOf": [
            {"enum": ["keep", "remove", "ask"]},
            {"type": "object", "description": "keep or remove: a selector"},
        ]})
    };
    object(
        &[],
        keys([
            ("pvcs", keeping()),
            ("secrets", keeping()),
            ("crds", keeping()),
            ("claims", keeping()),
            ("namespace", keeping()),
            ("waitGone", any("what must be gone first")),
            ("guards", any("what must hold")),
            ("before", any("what is done first")),
            ("timeout", scalar("a duration")),
        ]),
    )
}

/// The keys that every step may have.
fn common(kind: &str) -> Properties {
    keys([
        ("id", text("its id")),
        ("kind", json!({"const": kind})),
        ("when", when()),
        ("namespace", text("its namespace")),
        ("timeout", scalar("its ceiling: a duration, or none")),
        ("ceiling", scalar("the same as timeout")),
        ("onDelete", words("what becomes of it", &["remove", "keep", "skip"])),
        ("class", words("what it is worth", &["data", "stateful", "stateless"])),
        ("retry", any("how often it is tried")),
        ("doc", text("what it is for")),
        ("wait", list("what must hold before the next step", &condition())),
        ("fails", list("what ends the wait", &condition())),
    ])
}

fn chart() -> Json {
    object(
        &[],
        keys([
            ("repo", text("a chart repository")),
            ("name", text("the chart's name there")),
            ("oci", text("an OCI registry")),
            ("url", text("an archive")),
            ("sha256", text("its checksum, or lock")),
            ("mirrors", any("other places")),
            ("path", text("a folder of this component")),
        ]),
    )
}

fn from() -> Json {
    object(
        &[],
        keys([
            ("step", text("a Helm step of this component: its chart")),
            ("chart", chart()),
            ("subpath", text("a folder in it")),
            ("url", text("an address")),
            ("sha256", text("its checksum, or lock")),
            ("files", texts("files of this component")),
        ]),
    )
}

fn step() -> Json {
    let of = |kind: &str, required: &[&str], own: Properties| {
        let required: Vec<&str> =
            ["id", "kind"].into_iter().chain(required.iter().copied()).collect();
        object(&required, common(kind).into_iter().chain(own))
    };
    let anything = |names: &[&str]| -> Properties {
        names.iter().map(|name| ((*name).to_owned(), any("built later"))).collect()
    };
    let crds = keys([
        ("from", from()),
        ("names", texts("those that must be established")),
        ("serverSide", flag("applied server-side, which is always so")),
    ]);
    let manifests = keys([
        ("url", text("an address")),
        ("sha256", text("its checksum, or lock")),
        ("files", texts("files")),
        ("labels", free("labels")),
    ]);
    let objects = list("Kubernetes objects; `class: data` keeps one", &free("an object"));
    json!({"oneOf": [
        of("crds", &["from"], crds),
        of("helm", &["chart"], helm()),
        of("manifests", &[], manifests),
        of("objects", &["objects"], keys([("objects", objects)])),
        of("job", &["image"], job()),
        of("wait", &[], keys([("until", list("what must hold", &condition()))])),
        of("kustomize", &[], anything(&["url", "ref", "path", "sha", "serverSide", "forceConflicts", "names"])),
        of("patch", &[], anything(&["target", "type", "patch", "revert"])),
        of("call", &[], anything(&["service", "port", "method", "path", "body", "auth", "expect", "unless", "tls", "headers"])),
    ]})
}

fn helm() -> Properties {
    keys([
        ("release", text("its name, `${self.release}` without")),
        ("chart", chart()),
        ("version", scalar("the chart's version")),
        ("values", free("Helm values with ${…} and helpers")),
        ("valueFiles", texts("files of this component below them")),
        ("crds", words("who applies the chart's CRDs", &["skip", "chart"])),
        ("waitFor", words("what must be ready", &["ready", "hooks", "none"])),
        ("exposesSecret", text("why secret values may stand in the values")),
        ("main", flag("whether the user's values are for this step")),
        ("ignore", texts("paths that are not compared")),
        ("hooks", flag("whether hooks run")),
        ("rollback", flag("whether a failure is rolled back")),
    ])
}

fn job() -> Properties {
    keys([
        ("name", text("its name but for the hash")),
        ("image", text("the image")),
        ("command", any("a list, or a text that writes one")),
        ("args", any("a list")),
        ("env", any("a map of names and values or references")),
        ("envFrom", any("a list of Secrets and ConfigMaps")),
        ("mounts", any("a list of {path, claim | secret | configMap | emptyDir}")),
        ("resources", any("requests and limits")),
        ("serviceAccount", text("its service account")),
        ("securityContext", any("of the pod")),
        ("backoffLimit", scalar("how often it is tried")),
        ("ready", words("when it counts as ready", &["started", "complete"])),
        ("rerun", words("when it runs again", &["always", "once", "onChange"])),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
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
            (
                "outputs: {o: {value: 1, zzzzzzzzzzzz: 1}}",
                "/properties/outputs/additionalProperties",
            ),
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
            (
                "steps: [{id: a, kind: kustomize, zzzzzzzzzzzz: 1}]",
                "/properties/steps/items/oneOf/6",
            ),
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
}
