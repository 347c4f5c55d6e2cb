//! Test fixtures: components and flavours written as text, shaped like the catalogue's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{Catalogue, ComponentFile, Expansion, External, Instance, Platform, expand};
use crate::model::{
    ClusterFacts, KubernetesSpec, Name, ReleaseSpec, Resource, ResourceId, ResourceKind,
};
use crate::yaml::{Located, Node, Problems, Source, parse};

pub(super) const CAPABILITIES: &str = r#"
capabilities:
  s3:
    variants: {auth: [keys, workload-identity]}
    outputs:
      endpoint: string
      url: {type: string}
      tls: {type: bool}
      accessKey: {type: secret, only: {auth: keys}}
      secretKey: {type: secret, only: {auth: keys}}
    claims:
      bucket:
        options: {versioning: {type: bool, default: false}}
        outputs: {accessKey: secret}
        grant:
          secrets:
            - {id: keys, keys: {accessKey: {copy: "${from.accessKey.ref}"}}}
          steps:
            - id: make
              kind: job
              image: example.org/client:1
              command: [make, "${asked.name}", --versioning, "${asked.versioning}"]
              env: {URL: "${from.url}", KEY: "${secret.keys.accessKey.ref}"}
          outputs:
            accessKey: {secretKey: {name: "${secret.keys.name}", key: accessKey}}
  object-store:
    variants: {dialect: [s3, gcs]}
    outputs: {url: string}
  kafka:
    outputs: {bootstrap: string, ca: {type: secret, optional: true}}
    claims:
      topic: {options: {partitions: {type: int, required: true, doc: how many}}, outputs: {}}
  postgres:
    outputs: {host: string}
    claims:
      database:
        options: {owner: {type: string, default: "${asked.name}"}}
        outputs: {}
        grant: {}
  ingress:
    outputs: {class: string}
  certificates:
    outputs: {issuer: {type: string, optional: true}}
"#;

pub(super) const MINIO: &str = r#"
schema: component/v1
name: minio
provides: [{capability: s3}]
params:
  size: {type: quantity, default: 10Gi}
  storage_class: {type: string, default: null}
  mode: {type: enum, enum: [standalone, distributed], default: standalone}
profiles:
  cloud: {params: {mode: distributed, size: 200Gi}}
secrets:
  - id: root
    name: "${self.release}-root"
    keep: true
    keys:
      user: {generate: alnum, length: 20}
      password: {generate: alnum, length: 40}
claims:
  - id: data
    kind: volume
    when: param.mode == "standalone"
    name: "${self.release}-data"
    size: "${param.size}"
    storageClass: "${param.storage_class?}"
    accessMode: ReadWriteOnce
steps:
  - id: server
    kind: helm
    release: "${self.release}"
    chart: {repo: "https://charts.example.org", name: minio}
    version: 5.4.0
    timeout: 10m
    values:
      fullnameOverride: "${self.release}"
      mode: "${param.mode}"
      existingSecret: "${secret.root.name}"
      users: []
      persistence:
        existingClaim: "${claim.data.name?}"
        storageClass: "${param.storage_class}"
        size: "${param.size}"
outputs:
  endpoint: {service: {name: "${self.release}", port: 9000, format: hostPort}}
  url: {service: {name: "${self.release}", port: 9000, format: url}}
  tls: {value: false}
  accessKey: {secretKey: {name: "${secret.root.name}", key: user}}
  secretKey: {secretKey: {name: "${secret.root.name}", key: password}}
endpoints:
  - {id: console, kind: ui, service: "${self.release}-console", port: 9001, forward: 9001, login: {user: admin, password: "${out.secretKey.ref}"}}
health:
  - http: {service: "${self.release}", port: 9000, path: /ready, expect: 200}
delete: {secrets: keep}
notes: "S3 at ${out.url}"
"#;

pub(super) const MLFLOW: &str = r#"
schema: component/v1
name: mlflow
aliases: [tracking]
uses:
  - {as: store, capability: s3, default: minio}
params:
  replicas: {type: int, default: 1}
secrets:
  - id: s3
    name: mlflow-s3
    keys:
      AWS_ACCESS_KEY_ID: {copy: "${use.store.accessKey.ref}"}
      AWS_SECRET_ACCESS_KEY: {copy: "${use.store.secretKey.ref}"}
steps:
  - id: server
    kind: helm
    chart: {oci: "oci://charts.example.org/mlflow"}
    version: 1.11.5
    values:
      replicaCount: "${param.replicas}"
      artifacts: {endpoint: "${use.store.url}", secret: "${secret.s3.name}"}
outputs:
  url: {service: {name: mlflow, port: 80, format: url}}
health:
  - rollout: deployment/mlflow
"#;

pub(super) const KAFKA: &str = r#"
schema: component/v1
name: kafka
provides: [{capability: kafka}]
requires: {kubernetes: ">=1.30"}
params:
  nodes: {type: int, default: 1}
steps:
  - id: crds
    kind: crds
    from: {step: operator}
    names: [kafkas.kafka.strimzi.io]
  - id: operator
    kind: helm
    release: "${self.release}-operator"
    chart: {oci: "oci://charts.example.org/strimzi"}
    version: 1.2.0
    crds: skip
    values: {dashboards: {enabled: false}}
  - id: cluster
    kind: objects
    timeout: 15m
    objects:
      - apiVersion: kafka.strimzi.io/v1
        kind: KafkaNodePool
        class: data
        metadata: {name: dual-role}
        spec: {replicas: "${param.nodes}"}
      - apiVersion: kafka.strimzi.io/v1
        kind: Kafka
        metadata: {name: "${self.release}"}
    wait:
      - condition: {ref: "kafka.strimzi.io/v1/Kafka/${self.release}", type: Ready}
outputs:
  bootstrap: {service: {name: "${self.release}-kafka-bootstrap", port: 9092}}
  ca: {secretKey: {name: "${self.release}-cluster-ca-cert", key: ca.crt}}
metrics:
  when: cluster.api("monitoring.coreos.com/v1")
  values: {operator: {dashboards: {enabled: true}}}
"#;

/// A tree from text.
pub(super) fn tree(text: &str) -> Located {
    parse(&Source::new("flavour.yaml", text)).unwrap()
}

/// A component's file; the folder bears the name it has in the text.
pub(super) fn file(text: &str) -> ComponentFile {
    let name = text.lines().find_map(|line| line.strip_prefix("name: ")).unwrap_or("x").to_owned();
    let source = Source::new(format!("components/{name}/component.yaml"), text);
    ComponentFile {
        folder: PathBuf::from("/components").join(name),
        tree: parse(&source).unwrap(),
        settings: BTreeMap::new(),
    }
}

/// What is found in components.
pub(super) fn load(components: &[&str]) -> (Catalogue, Problems) {
    let files = components.iter().map(|text| file(text)).collect();
    Catalogue::load(files, Some(tree(CAPABILITIES)))
}

/// A component with a name and the rest of its file.
pub(super) fn component(name: &str, rest: &str) -> String {
    format!("schema: component/v1\nname: {name}\n{rest}\n")
}

/// A component with one Helm step `server` and its values.
pub(super) fn chart(name: &str, rest: &str, values: &str) -> String {
    component(
        name,
        &format!(
            "{rest}\nsteps:\n- {{id: server, kind: helm, chart: {{path: chart}}, values: {values}}}"
        ),
    )
}

/// An instance from a line such as `mlflow {bind: {store: minio}, replicas: 2}`; `name=component` names both.
fn instance(line: &str) -> Instance {
    let (name, rest) = line.split_once(' ').unwrap_or((line, "{}"));
    let (name, component) = name.split_once('=').unwrap_or((name, name));
    let section = tree(rest);
    let text = |key: &str| section.get(key).and_then(Located::as_text).map(str::to_owned);
    let reserved =
        ["bind", "release", "namespace", "version", "values", "file", "profiles", "ceiling"];
    let params = section.entries().iter().filter(|e| !reserved.contains(&e.key.as_str())).cloned();
    let params = Located { node: Node::Map(params.collect()), span: section.span.clone() };
    let bind = section.get("bind").map(Located::entries).unwrap_or_default();
    let bind = bind
        .iter()
        .map(|e| (e.key.clone(), (e.value.as_text().unwrap().to_owned(), e.value.span.clone())))
        .collect();
    let profiles = section.get("profiles").map(Located::items).unwrap_or_default();
    Instance {
        section: Some(section.span.clone()),
        bind,
        release: text("release"),
        namespace: text("namespace"),
        version: text("version"),
        values: section.get("values").cloned(),
        values_file: section.get("file").cloned(),
        profiles: profiles.iter().map(|p| p.as_text().unwrap().to_owned()).collect(),
        ceiling: text("ceiling").map(|text| super::fields::duration_from(&text).unwrap()),
        ..Instance::new(name.parse().unwrap(), component, params)
    }
}

/// A platform of instances.
pub(super) fn platform(lines: &[&str]) -> Platform {
    Platform {
        project: "demo".to_owned(),
        namespace: "data-mill".to_owned(),
        instances: lines.iter().map(|line| instance(line)).collect(),
        ..Platform::default()
    }
}

/// An external provider.
pub(super) fn external(capability: &str, outputs: &str, secret_from: Option<&str>) -> External {
    let outputs = tree(outputs);
    External {
        capability: capability.to_owned(),
        outputs: outputs.entries().iter().map(|e| (e.key.clone(), e.value.clone())).collect(),
        secret_from: secret_from.map(str::to_owned),
        variants: BTreeMap::new(),
        at: outputs.span.clone(),
    }
}

pub(super) fn facts() -> ClusterFacts {
    ClusterFacts {
        provider: "kwok".to_owned(),
        location: "local".to_owned(),
        version: "1.35.4".to_owned(),
        apis: BTreeSet::from(["apps/v1".to_owned()]),
        simulated: true,
    }
}

/// Expands a platform of components.
pub(super) fn expanded(components: &[&str], platform: &Platform) -> Result<Expansion, Problems> {
    expanded_on(components, platform, &facts())
}

/// Expands a platform of components on a cluster.
pub(super) fn expanded_on(
    components: &[&str],
    platform: &Platform,
    facts: &ClusterFacts,
) -> Result<Expansion, Problems> {
    let (catalogue, problems) = load(components);
    assert!(!problems.has_errors(), "{}", messages(&problems).join("\n"));
    let cluster = ResourceId::target(ResourceKind::Cluster, "datamill-demo");
    let installation = ResourceId::target(ResourceKind::Installation, "demo");
    expand(&catalogue, platform, facts, &cluster, &installation)
}

/// The expansion of what must go well.
pub(super) fn well(components: &[&str], lines: &[&str]) -> Expansion {
    expanded(components, &platform(lines))
        .unwrap_or_else(|problems| panic!("{}", messages(&problems).join("\n")))
}

/// Every problem as `message` or `message | help`.
pub(super) fn messages(problems: &Problems) -> Vec<String> {
    let line = |p: &&crate::yaml::Problem| match &p.help {
        Some(help) => format!("{} | {help}", p.message),
        None => p.message.clone(),
    };
    problems.sorted().iter().map(line).collect()
}

/// The problems of what must not go well.
pub(super) fn errors(components: &[&str], lines: &[&str]) -> Vec<String> {
    match expanded(components, &platform(lines)) {
        Ok(expansion) => panic!("no error: {:?}", expansion.desired.resources.keys()),
        Err(problems) => messages(&problems),
    }
}

pub(super) fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

pub(super) fn resource<'e>(expansion: &'e Expansion, text: &str) -> &'e Resource {
    expansion
        .desired
        .get(&id(text))
        .unwrap_or_else(|| panic!("no {text} in {:?}", expansion.desired.resources.keys()))
}

/// The needs of a resource as text, but for cluster, installation and namespaces.
pub(super) fn needs(expansion: &Expansion, text: &str) -> Vec<String> {
    let needs = resource(expansion, text).needs.iter().map(ToString::to_string);
    needs.filter(|need| !need.starts_with("target/")).collect()
}

pub(super) fn release<'e>(expansion: &'e Expansion, text: &str) -> &'e ReleaseSpec {
    match resource(expansion, text).kubernetes() {
        Some(KubernetesSpec::Release(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

/// The values of a release as a plan shows them.
pub(super) fn values(expansion: &Expansion, text: &str) -> serde_json::Value {
    release(expansion, text).values.shown()
}

/// The values of the only chart of a component with some parameters.
pub(super) fn values_of(params: &str, given: &str, values: &str) -> serde_json::Value {
    let text = chart("x", params, values);
    let expansion = well(&[&text], &[&format!("x {given}")]);
    self::values(&expansion, "x/release/server")
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}
