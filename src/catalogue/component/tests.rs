//! What a component file may hold, and what its slips are answered with.

use crate::catalogue::fixture::{KAFKA, MINIO, MLFLOW, component, file, load, messages, tree};
use crate::catalogue::{Catalogue, LegacyMeaning, Status, UseOf};

fn problems(rest: &str) -> Vec<String> {
    messages(&load(&[&component("x", rest)]).1)
}

#[test]
fn the_examples_are_read_without_a_word() {
    let (catalogue, problems) = load(&[MINIO, MLFLOW, KAFKA]);
    assert!(problems.is_empty(), "{:?}", messages(&problems));
    assert_eq!(catalogue.components().count(), 3);
    assert_eq!(catalogue.component("tracking").unwrap().name(), "mlflow");
    let minio = catalogue.component("minio").unwrap();
    assert_eq!(minio.pinned_version(), Some("5.4.0"));
    assert_eq!(minio.outputs().count(), 5);
    assert_eq!(minio.profiles().collect::<Vec<_>>(), ["cloud"]);
}

#[test]
fn every_field_of_the_format_is_accepted_and_kept() {
    let (catalogue, problems) = load(&[r#"
schema: component/v1
name: full
title: Full
summary: All fields
categories: [a, b]
home: https://example.org
license: MIT
status: deprecated
replacedBy: [other]
scope: cluster
conflicts: [s3]
aliases: [voll]
all: false
legacy: [{key: a.b, to: bind.store}, {key: c, drop: pinned by the catalogue}]
namespace: {name: n, labels: {a: b}, annotations: {c: d}}
requires: {kubernetes: ">=1.25, <2", helm: ">=4", nodes: {cpu: 1}, storage: {size: 1Gi}}
uses: [{as: store, capability: s3, optional: true, soft: true, default: minio, auth: [keys], when: cluster.simulated}]
params: {licence: {type: string, secret: true, required: true, doc: from the maker}, n: {type: int, default: 1}}
profiles: {cloud: {params: {n: 2}, values: {a: {x: 1}}}}
steps: [{id: a, kind: helm, chart: {path: chart}, timeout: 1m, retry: 3, onDelete: keep, crds: skip, waitFor: hooks, hooks: true, rollback: false}]
runs: {load: {job: {image: x}, done: [], fails: [], logs: x}}
verify: [{job: {image: x}, expect: ok}]
connect: {psql: "psql ${out.url}"}
images: {own: {context: ., file: Containerfile, args: {A: b}}}
gpu: {resource: nvidia.com/gpu, runtimeClass: nvidia, when: has(use.store), values: {a: {}}}
metrics: {when: false, values: {a: {}}}
upgrade: {crdsFirst: true, maxMinorStep: 1, immutable: [param.n], notes: slowly}
delete: {pvcs: ask, secrets: keep, crds: remove, claims: keep, namespace: keep, timeout: 5m}
fails: [{exists: v1/Pod/x}]
notes: done
source: [https://example.org]
"#]);
    assert!(problems.is_empty(), "{:?}", messages(&problems));
    let full = catalogue.component("voll").unwrap();
    assert_eq!(
        (full.status(), full.in_all(), full.once_per_cluster()),
        (Status::Deprecated, false, true)
    );
    assert_eq!(full.licence_param().map(|p| p.name.as_str()), Some("licence"));
    assert_eq!(full.legacy()[0].meaning, LegacyMeaning::MovedTo("bind.store".into()));
    assert_eq!(full.uses()[0].of, UseOf::Capability("s3".into()));
    assert!(full.upgrade().immutable.contains("n"));
    assert_eq!((full.runs().count(), full.checks(), full.clients().count()), (1, 1, 1));
}

/// What is written, and the answer.
const SLIPS: &[(&str, &str)] = &[
    ("stats: active", "a component has no key `stats` | did you mean `status`?"),
    ("status: retried", "`status` cannot be `retried` | did you mean `retired`?"),
    (
        "steps: [{id: a, kind: helmm, chart: {path: x}}]",
        "`kind` cannot be `helmm` | did you mean `helm`?",
    ),
    (
        "steps: [{id: a, kind: helm, chart: {path: x}, value: {}}]",
        "a step has no key `value` | did you mean `values`?",
    ),
    ("steps: [{id: a, kind: helm}]", "a step lacks `chart`"),
    (
        "steps: [{id: a, kind: helm, chart: {repo: x}}]",
        "a chart names exactly one source | write one of: {repo, name}, {oci}, {url, sha256}, {path}",
    ),
    (
        "steps: [{id: a, kind: crds, from: {}}]",
        "`from` names exactly one source | write one of: step, chart, url with sha256, files",
    ),
    (
        "steps: [{id: a, kind: manifests, url: x, sha256: abc}]",
        "`sha256` is 64 hexadecimal digits, or `lock`, and here stands text",
    ),
    (
        "steps: [{id: a, kind: wait}]",
        "this step waits for nothing | add: until: [{rollout: deployment/name}]",
    ),
    (
        "steps: [{id: a, kind: helm, chart: {path: x}}, {id: a, kind: helm, chart: {path: x}}]",
        "two entries of this list are called `a`",
    ),
    (
        "steps: [{id: A_b, kind: helm, chart: {path: x}}]",
        "the id `A_b` of a step is no name of small letters, digits and `-`",
    ),
    (
        "steps: [{id: a, kind: helm, chart: {path: x}, timeout: soon}]",
        "`timeout` is a duration such as `10m` or `1h30m`, and here stands text",
    ),
    (
        "steps: [{id: a, kind: helm, chart: {path: x}, rollback: true}]",
        "a release that fails is not rolled back | take `rollback` out: what failed stays as it is, with its cause, and the next apply goes on from there; `helm rollback` by hand works",
    ),
    (
        "steps: [{id: a, kind: job, image: x, rerun: always}]",
        "a job that runs at every apply would leave something to do for ever | write `rerun: onChange`, or bring it as a hook of a chart or as a CronJob",
    ),
    (
        "secrets: [{id: a, keys: {k: {value: x, generate: hex}}}]",
        "key `k` says 2 times where its value comes from | write exactly one of: generate, value, param, template, copy",
    ),
    (
        "secrets: [{id: a, keys: {k: {generate: alnum, length: 0}}}]",
        "`length` is a number from 1 to 4096, and here stands a number",
    ),
    (
        "outputs: {o: {}}",
        "output `o` says 0 times what it is | write exactly one of: secretKey, service, field, value",
    ),
    ("uses: [{as: x}]", "a use names either a `capability` or a `component`"),
    ("uses: [{capability: s4}]", "no contract describes the capability `s4` | did you mean `s3`?"),
    ("uses: [{capability: s3, auth: [key]}]", "`s3` has no `auth: key` | did you mean `keys`?"),
    (
        "params: {release: {type: string}}",
        "`release` is a reserved key of every section and no parameter | the name of a release is `${self.release}`",
    ),
    ("params: {e: {type: enum}}", "parameter `e` is an enum without words | add: enum: [one, two]"),
    ("profiles: {p: {params: {q: 1}}}", "there is no parameter `q`"),
    ("metrics: {values: {a: {}}}", "`a` is no Helm step of this component"),
    (
        "requires: {kubernetes: new}",
        "`new` is no range of versions: unexpected character 'n' while parsing major version number",
    ),
    ("claims: [{id: a, kind: volume}]", "a claim lacks `size`"),
    (
        "claims: [{id: a, kind: disk, size: 1Gi}]",
        "`kind` cannot be `disk` | known here: bucket, database, topic, user, volume",
    ),
    (
        "endpoints: [{id: a, kind: web, service: x, port: 1}]",
        "`kind` cannot be `web` | known here: api, grpc, metrics, tcp, ui",
    ),
    ("delete: {pvcs: never}", "`pvcs` cannot be `never` | known here: ask, keep, remove"),
    ("runs: {data: {job: {}}}", "`data` is a reserved name of a run"),
    ("legacy: [{key: a}]", "an old key has either `to` or `drop`"),
    ("steps: {a: 1}", "`steps` is a list, and here stands a map"),
    ("secrets: [a]", "a secret is a map, and here stands text"),
    (
        "claims: [{id: a, kind: volume, size: 1Gi, when: 'param.a ='}]",
        "`param.a =` is no condition: `=` has no meaning here | a condition looks like: param.mode == \"standalone\" && has(use.store)",
    ),
];

#[test]
fn a_slip_is_named_with_a_suggestion() {
    for (rest, message) in SLIPS {
        assert_eq!(problems(rest), [*message], "{rest}");
    }
}

#[test]
fn a_problem_knows_its_file_and_line() {
    let (_, problems) = load(&[&component("x", "title: X\nstats: active")]);
    let at = problems.sorted()[0].at.clone().unwrap();
    assert_eq!(
        (at.path().display().to_string().as_str(), at.line()),
        ("components/x/component.yaml", 4)
    );
}

#[test]
fn names_and_aliases_mean_one_component() {
    let (_, problems) =
        load(&[&component("x", "aliases: [y]"), &component("y", ""), &component("x", "")]);
    let found = messages(&problems);
    assert!(found.contains(&"alias `y` of `x` already means `y`".to_owned()), "{found:?}");
    assert!(found.iter().any(|m| m.starts_with("component `x` is described twice")), "{found:?}");
    let mut moved = file(&component("x", ""));
    moved.folder = "/components/z".into();
    let (_, problems) = Catalogue::load(vec![moved], None);
    assert_eq!(
        messages(&problems),
        ["component `x` lies in a folder called `z` | folder and component bear the same name"]
    );
    let (_, problems) = Catalogue::load(vec![file("name: x")], None);
    assert_eq!(messages(&problems), ["a component lacks `schema`"]);
}

#[test]
fn a_provider_keeps_its_contract() {
    let table = [
        (
            "provides: [{capability: kafka}]",
            "`x` provides `kafka` and lacks its output `bootstrap`",
        ),
        (
            "provides: [{capability: kafka}]\noutputs: {bootstrap: {value: 1}}",
            "output `bootstrap` does not give what `kafka` wants of `bootstrap`: string",
        ),
        (
            "provides: [{capability: kafka, map: {bootstrap: url}}]\noutputs: {url: {secretKey: {name: a, key: b}}}",
            "output `url` does not give what `kafka` wants of `bootstrap`: string",
        ),
        (
            "provides: [{capability: kafka, map: {boostrap: url}}]\noutputs: {bootstrap: {value: a}}",
            "the contract of `kafka` has no output `boostrap` | did you mean `bootstrap`?",
        ),
        (
            "provides: [{capability: s3}]\noutputs: {endpoint: {value: a}, url: {value: a}, tls: {value: true}, accessKey: {secretKey: {name: a, key: b}}}",
            "`x` provides `s3` and lacks its output `secretKey` | known here: accessKey, endpoint, tls, url",
        ),
        (
            "provides: [{capability: s3, auth: none}]",
            "`s3` has no `auth: none` | known here: keys, workload-identity",
        ),
    ];
    for (rest, message) in table {
        let found = problems(rest);
        assert!(found.iter().any(|found| found.starts_with(message)), "{rest}: {found:?}");
    }
    let without_keys = "provides: [{capability: s3, auth: workload-identity}]\noutputs: {endpoint: {value: a}, url: {value: a}, tls: {value: true}}";
    assert!(problems(without_keys).is_empty(), "{:?}", problems(without_keys));
}

#[test]
fn a_contract_always_carries_its_namespace() {
    let (catalogue, problems) =
        Catalogue::load(Vec::new(), Some(tree("capabilities: {gpu: {outputs: {}}}")));
    assert!(problems.is_empty());
    assert!(catalogue.contract("gpu").unwrap().outputs.contains_key("namespace"));
    let wrong =
        "capabilities: {a: {outputs: {x: {type: strin}, y: {type: int, only: {auth: keys}}}}}";
    let (_, problems) = Catalogue::load(Vec::new(), Some(tree(wrong)));
    assert_eq!(
        messages(&problems),
        [
            "output `y` exists with `auth: keys`, which the contract does not know",
            "`type` cannot be `strin` | did you mean `string`?",
        ]
    );
}
