//! What containers and nodes are, comparable with what is wanted of them. Pure.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::config;
use crate::adapter::engine::{Container, State};
use crate::model::{Digest, KindNode, KindRole, KindSpec, Mount, Object, Port, Taint};

/// The label by which kind tells clusters apart.
pub(super) const CLUSTER: &str = "io.x-k8s.kind.cluster";
/// The label by which kind tells roles apart.
const ROLE: &str = "io.x-k8s.kind.role";
/// The port of the API server in its container.
const API: u16 = 6443;
/// What kind mounts into every node.
const KINDS_OWN: [&str; 2] = ["/lib/modules:/lib/modules", "/dev/mapper:/dev/mapper"];
/// Taints that Kubernetes itself sets and takes away.
const PASSING: [&str; 2] = ["node.kubernetes.io/", "node-role.kubernetes.io/"];
/// On nodes: the labels and taints that were last wanted.
pub(super) const SPEC: &str = "datamill.dev/spec";

/// The role of a container, nothing for a load balancer.
pub(super) fn role(container: &Container) -> Option<KindRole> {
    let word = container.labels.get(ROLE)?;
    [KindRole::ControlPlane, KindRole::Worker].into_iter().find(|role| role.word() == word)
}

/// Node containers in the order in which kind makes them: by role, then by number.
pub(super) fn in_order(containers: &[Container]) -> Vec<(KindRole, &Container)> {
    let mut nodes: Vec<_> = containers.iter().filter_map(|one| Some((role(one)?, one))).collect();
    let number = |name: &str| {
        let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        name.get(name.len() - digits..).and_then(|text| text.parse::<u32>().ok()).unwrap_or(1)
    };
    nodes.sort_by_key(|(role, one)| (*role, number(&one.name)));
    nodes
}

/// Those that do not run.
pub(super) fn stopped(containers: &[Container]) -> Vec<&Container> {
    containers.iter().filter(|one| one.state != State::Running).collect()
}

/// What changes when the cluster is made anew.
pub(super) fn uid(containers: &[Container]) -> String {
    let ids: Vec<_> = in_order(containers)
        .into_iter()
        .filter(|(role, _)| *role == KindRole::ControlPlane)
        .map(|(_, one)| one.id.as_str())
        .collect();
    Digest::of_parts(ids).short(16).to_owned()
}

/// Where the API server listens on this machine: at the load balancer when there is one.
pub(super) fn server(containers: &[Container]) -> Option<(String, u16)> {
    let balancer = containers.iter().find(|one| role(one).is_none());
    let first = in_order(containers).into_iter().map(|(_, one)| one);
    balancer.into_iter().chain(first).find_map(|one| {
        // Docker Desktop says where a port really is.
        if let Some(at) = one.labels.get("desktop.docker.io/ports/6443/tcp")
            && let Some((address, port)) = at.rsplit_once(':')
        {
            return Some((address.to_owned(), port.parse().ok()?));
        }
        let port = one.ports.iter().find(|port| port.container == API)?;
        Some((port.address.clone(), port.host))
    })
}

/// The cluster's fields, as far as containers and nodes tell. `recorded` is what it was made from: patches stand nowhere else.
pub(super) fn fields(
    shown_name: &str,
    containers: &[Container],
    nodes: &[Object],
    recorded: Option<&KindSpec>,
    wanted: &KindSpec,
) -> Json {
    let found = in_order(containers);
    let image = found.first().map(|(_, one)| one.image.clone()).unwrap_or_default();
    let list: Vec<_> = found
        .iter()
        .enumerate()
        .map(|(at, (role, one))| {
            let object = nodes.iter().find(|node| name(node) == one.name);
            node(*role, one, object, wanted.nodes.get(at))
        })
        .collect();
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(shown_name));
    fields.insert("image".to_owned(), json!(image));
    fields.insert("nodes".to_owned(), Json::Array(list));
    if let Some(recorded) = recorded {
        fields.insert("kubeadm_patches".to_owned(), json!(recorded.kubeadm_patches));
        fields.insert("containerd_patches".to_owned(), json!(recorded.containerd_patches));
        fields.insert("load".to_owned(), json!(recorded.load));
    }
    json!({"Kind": fields})
}

fn node(
    role: KindRole,
    container: &Container,
    object: Option<&Object>,
    wanted: Option<&KindNode>,
) -> Json {
    let mut mounts: Vec<_> = container.binds.iter().filter_map(|bind| mount(bind)).collect();
    mounts.sort();
    let mut ports: Vec<_> = container
        .ports
        .iter()
        .filter(|port| port.container != API)
        .map(|port| Port {
            address: port.address.clone(),
            host: port.host,
            node: port.container,
            protocol: port.protocol.to_ascii_uppercase(),
        })
        .collect();
    ports.sort();
    let (labels, taints) = object.map(labels_and_taints).unwrap_or_default();
    // A plan looks at wanted keys alone, so a map that has more than is wanted is shown as text: then the two differ.
    let more =
        wanted.is_some_and(|wanted| labels.keys().any(|key| !wanted.labels.contains_key(key)));
    let labels = if more { Json::String(json!(labels).to_string()) } else { json!(labels) };
    json!({"role": role, "labels": labels, "taints": taints, "mounts": mounts, "ports": ports})
}

fn mount(bind: &str) -> Option<Mount> {
    if config::is_mark(bind) || KINDS_OWN.iter().any(|own| bind.starts_with(own)) {
        return None;
    }
    let mut parts = bind.split(':');
    let (host, node) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let read_only = parts.next().is_some_and(|options| options.split(',').any(|o| o == "ro"));
    Some(Mount { host, node, read_only })
}

/// Those labels that were wanted of a node, as they are now, and the taints that are not Kubernetes' own.
fn labels_and_taints(object: &Object) -> (BTreeMap<String, String>, Vec<Taint>) {
    let wanted: Option<KindNode> =
        object.annotation(SPEC).and_then(|text| serde_json::from_str(text).ok());
    let labels = wanted
        .into_iter()
        .flat_map(|node| node.labels.into_keys())
        .filter_map(|key| object.label(&key).map(str::to_owned).map(|value| (key, value)))
        .collect();
    (labels, taints(object, false))
}

/// The taints of a node: Kubernetes' own, or all others.
fn taints(object: &Object, passing: bool) -> Vec<Taint> {
    let live = object.0.pointer("/spec/taints").and_then(Json::as_array);
    let read = |taint: &Json| serde_json::from_value::<Taint>(taint.clone()).ok();
    let own = |taint: &Taint| PASSING.iter().any(|prefix| taint.key.starts_with(prefix));
    live.into_iter().flatten().filter_map(read).filter(|taint| own(taint) == passing).collect()
}

/// The name of an object.
pub(super) fn name(object: &Object) -> &str {
    object.0.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default()
}

/// What is written on a node: its wanted labels and taints, and a record of them.
pub(super) fn write(live: &Object, wanted: &KindNode) -> Object {
    let mut all: Vec<Json> = Vec::new();
    let own = taints(live, true);
    let given = wanted.taints.iter().filter(|taint| !own.contains(taint));
    for taint in own.iter().chain(given) {
        let mut one = json!({"key": taint.key, "effect": taint.effect});
        if let (false, Json::Object(map)) = (taint.value.is_empty(), &mut one) {
            map.insert("value".to_owned(), json!(taint.value));
        }
        all.push(one);
    }
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name(live),
            "labels": wanted.labels,
            "annotations": {SPEC: json!(wanted).to_string()},
        },
    });
    // Untouched where nobody ever asked for one: Kubernetes sets and takes away its own.
    let asked = !wanted.taints.is_empty() || !taints(live, false).is_empty();
    if let (true, Json::Object(map)) = (asked, &mut object) {
        map.insert("spec".to_owned(), json!({"taints": all}));
    }
    Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::engine::Published;

    fn containers() -> Vec<Container> {
        let one = |name: &str, role: &str| Container {
            id: format!("id-{name}"),
            name: name.to_owned(),
            state: State::Running,
            image: "node:v1.35.4".to_owned(),
            labels: [(ROLE, role), (CLUSTER, "x")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            binds: vec![
                "/a:/b:ro".to_owned(),
                "/dev/null:/etc/datamill.dev/demo/bcd:ro".to_owned(),
                "/lib/modules:/lib/modules:ro".to_owned(),
            ],
            ports: Vec::new(),
        };
        let mut all = vec![
            one("x-worker10", "worker"),
            one("x-worker2", "worker"),
            one("x-control-plane", "control-plane"),
            one("x-worker", "worker"),
        ];
        let port = |container, host, protocol: &str| Published {
            address: "127.0.0.1".to_owned(),
            host,
            container,
            protocol: protocol.to_owned(),
        };
        all[2].ports = vec![port(80, 8080, "tcp"), port(API, 40_000, "tcp")];
        all
    }

    #[test]
    fn nodes_stand_in_the_order_in_which_kind_makes_them() {
        let all = containers();
        let names: Vec<_> = in_order(&all).into_iter().map(|(_, one)| one.name.as_str()).collect();
        assert_eq!(names, ["x-control-plane", "x-worker", "x-worker2", "x-worker10"]);
        assert_eq!(server(&all), Some(("127.0.0.1".to_owned(), 40_000)));
    }

    #[test]
    fn the_server_is_behind_the_load_balancer_when_there_is_one() {
        let mut all = containers();
        let mut balancer = all[0].clone();
        balancer.labels.insert(ROLE.to_owned(), "external-load-balancer".to_owned());
        balancer.ports = vec![Published {
            address: "127.0.0.1".to_owned(),
            host: 41_000,
            container: API,
            protocol: "tcp".to_owned(),
        }];
        all.push(balancer);
        assert_eq!(server(&all).map(|(_, port)| port), Some(41_000));
        assert_eq!(in_order(&all).len(), 4);
    }

    #[test]
    fn what_was_made_as_wanted_shows_no_difference() {
        let wanted = config::tests::spec();
        let two: Vec<_> = containers()
            .into_iter()
            .filter(|one| !one.name.ends_with('0') && !one.name.ends_with('2'))
            .collect();
        let fields = fields("datamill-demo", &two, &[], Some(&wanted), &wanted);
        assert_eq!(fields["Kind"], json!(wanted));
    }

    #[test]
    fn labels_and_taints_are_read_back_as_they_were_written_and_kubernetes_keeps_its_own() {
        let mut wanted = config::tests::spec().nodes.remove(1);
        wanted.labels.insert("pool".to_owned(), "a".to_owned());
        let taint =
            Taint { key: "gpu".to_owned(), value: String::new(), effect: "NoSchedule".to_owned() };
        wanted.taints.push(taint.clone());
        let own = json!({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"});
        let live = Object(json!({"metadata": {"name": "x-worker"}, "spec": {"taints": [own]}}));
        let written = write(&live, &wanted);
        assert_eq!(written.0["spec"]["taints"].as_array().unwrap().len(), 2);
        let (labels, taints) = labels_and_taints(&written);
        assert_eq!((labels, taints), (wanted.labels.clone(), vec![taint]));
        let none = KindNode { labels: BTreeMap::new(), taints: Vec::new(), ..wanted };
        assert_eq!(write(&live, &none).0.get("spec"), None);
        assert_eq!(write(&written, &none).0["spec"]["taints"], json!([own]));
    }
}
