//! The schemas of the lists in a component: secrets, claims, steps and so on.

use serde_json::{Value as Json, json};

use super::{
    Properties, any, flag, free, keys, list, named, object, scalar, text, texts, when, words,
};

pub(super) fn secret() -> Json {
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
            ("names", texts("of tls: names and addresses; those of the release without")),
            ("days", scalar("of tls: how long it is valid, 3650 without")),
            ("user", text("of htpasswd: admin without")),
            ("password", text("of htpasswd: the key with the password, `password` without")),
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

pub(super) fn claim() -> Json {
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

/// How claims of a kind are granted.
pub(super) fn grant() -> Json {
    object(
        &[],
        keys([
            ("secrets", list("Secrets of the one that asks, drawn or copied once", &secret())),
            ("steps", list("what is done: objects, job, wait", &step())),
            ("outputs", named("what the one that asks gets", &output())),
        ]),
    )
}

pub(super) fn output() -> Json {
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

pub(super) fn endpoint() -> Json {
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

pub(super) fn condition() -> Json {
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
        ("matches", text("a regular expression")),
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

pub(super) fn delete() -> Json {
    let keeping = || words("what becomes of them", &["keep", "remove", "ask"]);
    let chosen = object(&[], keys([("keep", text("a selector")), ("remove", text("a selector"))]));
    let gone = object(
        &["ref"],
        keys([
            ("ref", text("the object; its name may be *")),
            ("selector", text("a label selector")),
            ("before", text("the step that goes after it; the first one without")),
            ("timeout", scalar("how long is waited")),
        ]),
    );
    let selected = object(
        &["kind", "selector"],
        keys([("kind", text("such as Pod")), ("selector", text("a label selector"))]),
    );
    let before = object(
        &[],
        keys([
            ("deleteSelected", selected),
            ("wait", flag("whether it is waited until they are gone; yes without")),
            ("patch", any("built later")),
            ("call", any("built later")),
            ("pipelines", any("built later")),
        ]),
    );
    let mut guard = condition();
    if let Some(properties) = guard.pointer_mut("/properties").and_then(Json::as_object_mut) {
        properties.insert("because".to_owned(), text("what is said when it does not hold"));
    }
    object(
        &[],
        keys([
            ("pvcs", json!({"anyOf": [keeping(), chosen]})),
            ("secrets", keeping()),
            ("crds", keeping()),
            ("claims", keeping()),
            ("namespace", keeping()),
            ("waitGone", list("what must be gone before a step goes", &gone)),
            ("guards", list("what must hold, or nothing goes", &guard)),
            ("before", list("what is done first", &before)),
            ("timeout", scalar("how long anything may take to go")),
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
        ("stall", scalar("how long it may stand still: a duration")),
        ("onDelete", words("what becomes of it", &["remove", "keep", "skip"])),
        ("class", words("what it is worth", &["data", "stateful", "stateless"])),
        ("retry", scalar("how often it is tried in all when an error may pass: 1 to 100")),
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
            ("mirrors", texts("of a url: other addresses, files of this component, or vendored")),
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

pub(super) fn step() -> Json {
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
        ("rollback", json!({"const": false, "description": "a failure is never rolled back"})),
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
        ("rerun", words("when it runs again", &["once", "onChange"])),
    ])
}
