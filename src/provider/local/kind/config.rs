//! What kind is told, and how a container says whose it is. Pure.

use serde_json::{Value as Json, json};

use crate::adapter::engine::Container;
use crate::model::{Identity, KindNode, KindSpec, label, label_value};

/// Where the mark lies in a node: a mount of nothing, whose place names project and installation. kind has no labels for
/// containers; a mount is there from the first moment, and can be read when nothing in the container runs.
const MARK: &str = "/etc/datamill.dev/";

/// Whose a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) project: String,
    pub(super) owner: String,
}

/// The mark of a container, if it bears one.
pub(super) fn mark(container: &Container) -> Option<Mark> {
    let place = |bind: &String| bind.split(':').nth(1)?.strip_prefix(MARK).map(str::to_owned);
    let place = container.binds.iter().find_map(place)?;
    let (project, owner) = place.split_once('/')?;
    Some(Mark { project: project.to_owned(), owner: owner.to_owned() })
}

/// Whether a mount is the mark.
pub(super) fn is_mark(bind: &str) -> bool {
    bind.split(':').nth(1).is_some_and(|place| place.starts_with(MARK))
}

/// The configuration file: JSON, which is YAML.
pub(super) fn text(spec: &KindSpec, who: &Identity, cgroup_v1: bool) -> String {
    let nodes: Vec<_> = spec.nodes.iter().map(|one| node(one, &spec.image, who)).collect();
    let (mut kubeadm, mut containerd) = (Vec::new(), Vec::new());
    if cgroup_v1 {
        kubeadm.push(KUBELET_ON_CGROUP_V1.to_owned());
        containerd.extend(containerd_on_cgroup_v1());
    }
    // The user's come last and win.
    kubeadm.extend(spec.kubeadm_patches.iter().cloned());
    containerd.extend(spec.containerd_patches.iter().cloned());
    let config = json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": spec.name,
        "networking": {"apiServerAddress": "127.0.0.1"},
        "nodes": nodes,
        "kubeadmConfigPatches": kubeadm,
        "containerdConfigPatches": containerd,
    });
    format!("{config:#}\n")
}

/// Kubelets from 1.35 on refuse cgroup v1 unless they are told otherwise; there systemd does not manage the groups.
const KUBELET_ON_CGROUP_V1: &str =
    "kind: KubeletConfiguration\nfailCgroupV1: false\ncgroupDriver: cgroupfs\n";

/// One patch for each form of containerd's configuration; kind takes those whose version fits.
fn containerd_on_cgroup_v1() -> impl Iterator<Item = String> {
    let options = "containerd.runtimes.runc.options]\n  SystemdCgroup = false\n";
    [
        (2, "io.containerd.grpc.v1.cri"),
        (3, "io.containerd.cri.v1.runtime"),
        (4, "io.containerd.cri.v1.runtime"),
    ]
    .into_iter()
    .map(move |(version, plugin)| format!("version = {version}\n[plugins.\"{plugin}\".{options}"))
}

fn node(node: &KindNode, image: &str, who: &Identity) -> Json {
    let mark = format!("{MARK}{}/{}", who.project, who.owner);
    let mut mounts =
        vec![json!({"hostPath": "/dev/null", "containerPath": mark, "readOnly": true})];
    mounts.extend(node.mounts.iter().map(|mount| {
        json!({"hostPath": mount.host, "containerPath": mount.node, "readOnly": mount.read_only})
    }));
    let ports: Vec<_> = node
        .ports
        .iter()
        .map(|port| {
            json!({"listenAddress": port.address, "hostPort": port.host, "containerPort": port.node, "protocol": port.protocol})
        })
        .collect();
    json!({
        "role": node.role.word(),
        "image": image,
        // The user's labels come later, so that they can be changed.
        "labels": {label::PROJECT: label_value(&who.project), label::OWNER: label_value(&who.owner.to_string())},
        "extraMounts": mounts,
        "extraPortMappings": ports,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::adapter::engine::State;
    use crate::model::{InstallationId, KindRole, Mount, Port, RunId};

    pub(in crate::provider::local::kind) fn who() -> Identity {
        Identity::new("demo", "f", "t", InstallationId("bcd".to_owned()), RunId("r".to_owned()))
    }

    pub(in crate::provider::local::kind) fn spec() -> KindSpec {
        let node = |role| KindNode {
            role,
            labels: BTreeMap::new(),
            taints: Vec::new(),
            mounts: vec![Mount { host: "/a".to_owned(), node: "/b".to_owned(), read_only: true }],
            ports: Vec::new(),
        };
        let mut first = node(KindRole::ControlPlane);
        first.ports.push(Port {
            address: "127.0.0.1".to_owned(),
            host: 8080,
            node: 80,
            protocol: "TCP".to_owned(),
        });
        KindSpec {
            name: "datamill-demo".to_owned(),
            image: "node:v1.35.4".to_owned(),
            nodes: vec![first, node(KindRole::Worker)],
            kubeadm_patches: vec!["kind: ClusterConfiguration".to_owned()],
            containerd_patches: Vec::new(),
            load: Vec::new(),
        }
    }

    fn config(cgroup_v1: bool) -> Json {
        serde_json::from_str(&text(&spec(), &who(), cgroup_v1)).unwrap()
    }

    #[test]
    fn kind_is_told_what_the_file_says() {
        let config = config(false);
        assert_eq!(config["nodes"][0]["role"], "control-plane");
        assert_eq!(config["nodes"][1]["image"], "node:v1.35.4");
        assert_eq!(config["nodes"][0]["extraPortMappings"][0]["hostPort"], 8080);
        assert_eq!(config["nodes"][0]["extraMounts"][1]["hostPath"], "/a");
        assert_eq!(config["nodes"][0]["labels"]["datamill.dev/project"], "demo");
        assert_eq!(config["networking"]["apiServerAddress"], "127.0.0.1");
        assert_eq!(config["kubeadmConfigPatches"], json!(["kind: ClusterConfiguration"]));
    }

    #[test]
    fn a_machine_with_cgroup_v1_gets_what_it_needs_and_the_users_patches_come_last() {
        let config = config(true);
        let kubeadm = config["kubeadmConfigPatches"].as_array().unwrap();
        assert!(kubeadm[0].as_str().unwrap().contains("failCgroupV1: false"));
        assert_eq!(kubeadm[1], "kind: ClusterConfiguration");
        let containerd = config["containerdConfigPatches"].as_array().unwrap();
        assert!(containerd.iter().all(|p| p.as_str().unwrap().contains("SystemdCgroup = false")));
    }

    #[test]
    fn a_container_says_whose_it_is_by_a_mount() {
        let config = config(false);
        let place = config["nodes"][1]["extraMounts"][0]["containerPath"].as_str().unwrap();
        let container = |binds: Vec<String>| Container {
            id: String::new(),
            name: String::new(),
            state: State::Stopped,
            image: String::new(),
            labels: BTreeMap::new(),
            binds,
            ports: Vec::new(),
        };
        let ours = mark(&container(vec!["/a:/b".to_owned(), format!("/dev/null:{place}:ro")]));
        assert_eq!(ours, Some(Mark { project: "demo".to_owned(), owner: "bcd".to_owned() }));
        assert_eq!(mark(&container(vec!["/lib/modules:/lib/modules:ro".to_owned()])), None);
    }
}
