//! What the section `local:` says about a cluster of kind: nodes with roles, mounts and ports, the node image, patches.

use std::path::{Path, PathBuf};

use super::nodes::{labels_and_taints, size_keys};
use crate::config::reader::{Reader, text_of, whole_of};
use crate::config::target::{KindSettings, LocalProvider};
use crate::model::{KindNode, KindRole, Mount, NodeImage, Port};
use crate::yaml::{Located, Node, Problem, Problems, Span};

/// The node images that kind 0.33.0 was released with, by the release's own notes
/// (<https://github.com/kubernetes-sigs/kind/releases/tag/v0.33.0>).
const IMAGES: [(&str, &str); 4] = [
    ("1.34.11", "44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"),
    ("1.35.8", "07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0"),
    ("1.36.4", "099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed"),
    ("1.37.0", "a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"),
];
/// The minor version of the simulated clusters, so that a flavour meets the same Kubernetes on both.
const USUAL: &str = "1.35";
/// More containers than a machine takes.
const MOST_NODES: u64 = 50;

/// The path that a place in a file names.
pub(super) type Beside<'a> = &'a dyn Fn(&Span, &str) -> PathBuf;

/// Reads the keys of kind. `provider` decides whether what cannot be is an error.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &Located,
    provider: LocalProvider,
    version: Option<&str>,
    beside: Beside<'_>,
    problems: &mut Problems,
) -> KindSettings {
    let chosen = reader.text("node_image", problems).filter(|image| !image.trim().is_empty());
    let mounts = mounts(reader, beside, problems);
    let ports = ports(reader, problems);
    let kubeadm_patches = patches(reader, "kubeadm_patches", problems);
    let containerd_patches = patches(reader, "containerd_patches", problems);
    let load = images(reader, beside, problems);
    let meant = provider == LocalProvider::Kind;
    let mut own = Problems::default();
    let image = chosen.clone().or_else(|| image_of(version, section, &mut own));
    let mut nodes = nodes(section.get("nodes"), beside, &mut own);
    if meant {
        problems.append(own);
        contradicts(chosen.as_deref(), version, section, problems);
    }
    for node in &mut nodes {
        node.mounts.extend(mounts.iter().cloned());
        node.mounts.sort();
        node.mounts.dedup();
    }
    if let Some(first) = nodes.first_mut() {
        first.ports.extend(ports);
        first.ports.sort();
        first.ports.dedup();
    }
    if meant {
        taken_twice(&nodes, section, problems);
    }
    KindSettings { image, nodes, kubeadm_patches, containerd_patches, load }
}

/// The version that an image's tag names, without the `v`.
pub fn version_of(image: &str) -> Option<&str> {
    let named = image.split('@').next()?;
    let tag = named.rsplit('/').next()?.split_once(':')?.1.strip_prefix('v')?;
    let plain = tag.split(['-', '_']).next()?;
    let numbers = plain.split('.').filter(|part| part.parse::<u32>().is_ok()).count();
    (numbers == 3 && plain.split('.').count() == 3).then_some(plain)
}

/// The image of a version of Kubernetes: pinned where kind's release names it.
fn image_of(version: Option<&str>, section: &Located, problems: &mut Problems) -> Option<String> {
    let version = version.unwrap_or(USUAL);
    let whole = version.split('.').count() == 3;
    let is_it =
        |known: &str| known == version || !whole && known.starts_with(&format!("{version}."));
    if let Some((known, digest)) = IMAGES.iter().find(|(known, _)| is_it(known)) {
        return Some(format!("kindest/node:v{known}@sha256:{digest}"));
    }
    if whole {
        return Some(format!("kindest/node:v{version}"));
    }
    let known: Vec<_> = IMAGES.iter().map(|(known, _)| *known).collect();
    let at = section.get("version").map_or(&section.span, |value| &value.span);
    problems.push(
        Problem::error(
            "no-node-image",
            format!("kind 0.33 brings no node image for Kubernetes {version}"),
        )
        .at(at)
        .help(format!(
            "write one of {}, a whole version of which there is an image, or `node_image`",
            known.join(", ")
        )),
    );
    None
}

/// An image whose tag names another version than the file wants.
fn contradicts(
    image: Option<&str>,
    version: Option<&str>,
    section: &Located,
    problems: &mut Problems,
) {
    if let (Some(image), Some(version)) = (image, version)
        && let Some(tagged) = version_of(image)
        && tagged != version
        && !tagged.starts_with(&format!("{version}."))
    {
        let at = section.get("version").map_or(&section.span, |value| &value.span);
        let message =
            format!("`local.version` is {version}, and `node_image` holds Kubernetes {tagged}");
        problems.push(Problem::error("wrong-value", message).at(at).help("remove one of the two"));
    }
}

/// A port of this machine leads to one place only.
fn taken_twice(nodes: &[KindNode], section: &Located, problems: &mut Problems) {
    let mut seen = std::collections::BTreeSet::new();
    for port in nodes.iter().flat_map(|node| &node.ports) {
        if !seen.insert((port.address.as_str(), port.host, port.protocol.as_str())) {
            let message = format!(
                "port {} of {} is given to more than one port of the nodes",
                port.host, port.address
            );
            problems.push(
                Problem::error("wrong-value", message)
                    .at(&section.span)
                    .help("a group with `count` above 1 cannot have `ports`"),
            );
        }
    }
}

/// The nodes: as many as a number says, the first being the control plane; or groups, which are workers unless they say
/// otherwise, with a control plane before them.
fn nodes(value: Option<&Located>, beside: Beside<'_>, problems: &mut Problems) -> Vec<KindNode> {
    let plain = |role| KindNode {
        role,
        labels: std::collections::BTreeMap::new(),
        taints: Vec::new(),
        mounts: Vec::new(),
        ports: Vec::new(),
    };
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return vec![plain(KindRole::ControlPlane)];
    };
    let mut nodes = Vec::new();
    let mut total = 0;
    if let Some(count) = whole_of(value) {
        total = count;
        let workers = count.saturating_sub(1).min(MOST_NODES);
        nodes.push(plain(KindRole::ControlPlane));
        nodes.extend((0..workers).map(|_| plain(KindRole::Worker)));
    }
    for item in value.items() {
        let Some((count, node)) = group(item, beside, problems) else { continue };
        total += count;
        nodes.extend((0..count.min(MOST_NODES)).map(|_| node.clone()));
    }
    if total > MOST_NODES {
        let message =
            format!("{total} nodes are more than kind is asked for; {MOST_NODES} at most");
        problems.push(Problem::error("wrong-value", message).at(&value.span));
        return vec![plain(KindRole::ControlPlane)];
    }
    if !nodes.iter().any(|node| node.role == KindRole::ControlPlane) {
        nodes.insert(0, plain(KindRole::ControlPlane));
    }
    nodes.sort_by_key(|node| node.role);
    nodes
}

const ROLES: [(&str, KindRole); 2] =
    [("control-plane", KindRole::ControlPlane), ("worker", KindRole::Worker)];

/// A group; its wrong values of keys that every provider knows are reported where those are read.
fn group(item: &Located, beside: Beside<'_>, problems: &mut Problems) -> Option<(u64, KindNode)> {
    if !matches!(item.node, Node::Map(_)) {
        return None;
    }
    let mut reader = Reader::of(item, "local.nodes[]", problems)?;
    let role = reader.word("role", &ROLES, problems).unwrap_or(KindRole::Worker);
    let count = item.get("count").and_then(whole_of).unwrap_or(1);
    let (labels, taints) = labels_and_taints(item);
    let node = KindNode {
        role,
        labels,
        taints,
        mounts: mounts(&mut reader, beside, problems),
        ports: ports(&mut reader, problems),
    };
    if item.get("name").is_some() {
        does_nothing(
            item,
            "name",
            "kind names its nodes itself; labels tell groups apart",
            problems,
        );
    }
    for key in size_keys().filter(|key| item.get(key).is_some()) {
        does_nothing(item, key, "its nodes see the whole machine", problems);
    }
    Some((count, node))
}

fn does_nothing(item: &Located, key: &str, why: &str, problems: &mut Problems) {
    if let Some(value) = item.get(key) {
        let message = format!("`local.nodes[].{key}` does nothing on kind: {why}");
        problems.push(Problem::warning("unused-key", message).at(&value.span).help("remove it"));
    }
}

/// Patches: one text, or a list of texts or maps.
fn patches(reader: &mut Reader<'_>, key: &'static str, problems: &mut Problems) -> Vec<String> {
    let Some(value) = reader.value(key) else { return Vec::new() };
    let items = if matches!(value.node, Node::List(_)) {
        value.items()
    } else {
        std::slice::from_ref(value)
    };
    let mut all = Vec::new();
    for item in items {
        match (&item.node, key) {
            (Node::Text(text), _) => all.push(text.trim_end().to_owned()),
            (Node::Map(_), "kubeadm_patches") => all.push(item.to_json().to_string()),
            _ => reader.wrong(key, item, "a text, or a list of texts", problems),
        }
    }
    all
}

/// Images for the nodes: names of the container engine, or archives beside the file.
fn images(reader: &mut Reader<'_>, beside: Beside<'_>, problems: &mut Problems) -> Vec<NodeImage> {
    let items = reader.list("load", problems);
    let mut images = Vec::new();
    for item in items {
        match item.as_text().map(str::trim).filter(|text| !text.is_empty()) {
            Some(text) if Path::new(text).extension().is_some_and(|end| end == "tar") => {
                images.push(NodeImage::Archive(beside(&item.span, text)));
            }
            Some(text) => images.push(NodeImage::OfEngine(text.to_owned())),
            None => reader.wrong("load", item, "an image, or a file that ends in `.tar`", problems),
        }
    }
    images
}

/// Mounts: `HOST:NODE`, `HOST:NODE:ro`, or maps.
fn mounts(reader: &mut Reader<'_>, beside: Beside<'_>, problems: &mut Problems) -> Vec<Mount> {
    let items = reader.list("mounts", problems);
    let mount = |item: &Located, problems: &mut Problems| {
        let (host, node, read_only) = if let Some(text) = item.as_text() {
            let mut parts = text.split(':');
            let pair = (parts.next()?.to_owned(), parts.next()?.to_owned());
            let read_only = match (parts.next(), parts.next()) {
                (None | Some("rw"), None) => false,
                (Some("ro"), None) => true,
                _ => return None,
            };
            (pair.0, pair.1, read_only)
        } else {
            let mut reader = Reader::of(item, "mounts[]", problems)?;
            let host = reader.text("host", problems);
            let node = reader.text("node", problems);
            let read_only = reader.flag("read_only", problems).unwrap_or(false);
            reader.finish(problems);
            (host?, node?, read_only)
        };
        let absolute = node.starts_with('/') && !host.is_empty();
        let host = beside(&item.span, &host).to_string_lossy().into_owned();
        // A colon ends a path for container engines.
        let plain = !host.contains(':') && !node.contains(':');
        (absolute && plain).then_some(Mount { host, node, read_only })
    };
    let mut all = Vec::new();
    for item in items {
        let Some(mount) = mount(item, problems) else {
            let help = "write `./folder:/path/in/the/node`, with `:ro` behind when it is only read";
            let problem = Problem::error("wrong-value", "this is no mount").at(&item.span);
            problems.push(problem.help(help));
            continue;
        };
        all.push(mount);
    }
    all.sort();
    all
}

/// Ports: `HOST:NODE`, `ADDRESS:HOST:NODE`, with `/udp` behind; or maps. Only this machine reaches them unless an address says more.
fn ports(reader: &mut Reader<'_>, problems: &mut Problems) -> Vec<Port> {
    let items = reader.list("ports", problems);
    let mut all = Vec::new();
    for item in items {
        match port(item, problems) {
            Some(port) => all.push(port),
            None => problems.push(
                Problem::error("wrong-value", "this is no mapping of ports")
                    .at(&item.span)
                    .help("write `8080:30080` (this machine's port, the node's port), `127.0.0.1:8080:30080` or `5353:30053/udp`"),
            ),
        }
    }
    all.sort();
    all
}

fn port(item: &Located, problems: &mut Problems) -> Option<Port> {
    const LOOPBACK: &str = "127.0.0.1";
    let (address, host, node, protocol) = if let Node::Map(_) = item.node {
        let mut reader = Reader::of(item, "ports[]", problems)?;
        let address = reader.text("address", problems).unwrap_or_else(|| LOOPBACK.to_owned());
        let host = reader.text("host", problems);
        let node = reader.text("node", problems);
        let protocol = reader.text("protocol", problems).unwrap_or_else(|| "TCP".to_owned());
        reader.finish(problems);
        (address, host?, node?, protocol)
    } else {
        let text = text_of(item)?;
        let (pair, protocol) = text.rsplit_once('/').unwrap_or((&text, "TCP"));
        let (left, node) = pair.rsplit_once(':')?;
        let (address, host) = left.rsplit_once(':').unwrap_or((LOOPBACK, left));
        let address = address.trim_start_matches('[').trim_end_matches(']');
        (address.to_owned(), host.to_owned(), node.to_owned(), protocol.to_owned())
    };
    let protocol = protocol.to_ascii_uppercase();
    let known = ["TCP", "UDP", "SCTP"].contains(&protocol.as_str());
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let address = address.parse::<std::net::IpAddr>().ok()?.to_string();
    known.then_some(Port { address, host: number(&host)?, node: number(&node)?, protocol })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse};

    fn settings(text: &str, provider: LocalProvider) -> (KindSettings, Vec<String>) {
        let tree = parse(&Source::new("x.yaml", text)).unwrap();
        let mut problems = Problems::default();
        let mut reader = Reader::of(&tree, "local", &mut problems).unwrap();
        let version = tree.get("version").and_then(text_of);
        let beside = |_: &Span, path: &str| PathBuf::from("/base").join(path);
        let settings =
            read(&mut reader, &tree, provider, version.as_deref(), &beside, &mut problems);
        let messages = problems.sorted().iter().map(|p| p.message.clone()).collect();
        (settings, messages)
    }

    fn kind(text: &str) -> (KindSettings, Vec<String>) {
        settings(text, LocalProvider::Kind)
    }

    #[test]
    fn without_a_word_there_is_one_node_of_the_pinned_image() {
        let (settings, problems) = kind("a: 1");
        assert_eq!(problems, Vec::<String>::new());
        let image = settings.image.unwrap();
        assert!(image.starts_with("kindest/node:v1.35.8@sha256:"), "{image}");
        assert_eq!(settings.nodes.len(), 1);
        assert_eq!(settings.nodes[0].role, KindRole::ControlPlane);
    }

    #[test]
    fn a_version_names_its_image_and_an_unknown_one_is_an_error_where_it_counts() {
        let image = |text| kind(text).0.image.unwrap();
        assert!(image("version: 1.36").starts_with("kindest/node:v1.36.4@sha256:"));
        assert_eq!(image("version: 1.35.4"), "kindest/node:v1.35.4");
        assert_eq!(image("{version: 1.30, node_image: mine:v1.30.2}"), "mine:v1.30.2");
        assert_eq!(image("node_image: ''"), image("a: 1"));
        assert!(kind("version: 1.30").1[0].contains("no node image"));
        assert_eq!(settings("version: 1.30", LocalProvider::Auto).1, Vec::<String>::new());
        assert!(
            kind("{version: 1.36, node_image: mine:v1.30.2}").1[0]
                .contains("holds Kubernetes 1.30.2")
        );
    }

    #[test]
    fn the_version_stands_in_the_tag() {
        assert_eq!(version_of("kindest/node:v1.35.8@sha256:aa"), Some("1.35.8"));
        assert_eq!(version_of("registry:5000/node:v1.35.4-2"), Some("1.35.4"));
        for none in ["registry:5000/node", "node:latest", "node:v1", "node@sha256:aa"] {
            assert_eq!(version_of(none), None, "{none}");
        }
    }

    #[test]
    fn a_number_counts_the_control_plane_and_groups_are_workers_behind_it() {
        let roles = |text| kind(text).0.nodes.iter().map(|n| n.role.word()).collect::<Vec<_>>();
        assert_eq!(roles("nodes: 3"), ["control-plane", "worker", "worker"]);
        assert_eq!(roles("nodes: [{count: 2}]"), ["control-plane", "worker", "worker"]);
        assert_eq!(roles("nodes: [{}, {role: control-plane}]"), ["control-plane", "worker"]);
        assert_eq!(kind("nodes: 99").1.len(), 1);
        assert_eq!(kind("nodes: [{role: master}]").1.len(), 1);
    }

    #[test]
    fn mounts_and_ports_are_read_in_both_forms_and_land_where_they_belong() {
        let (settings, problems) = kind(
            "mounts: [data:/data, {host: /x, node: /y, read_only: true}]\nports: ['8080:30080', '0.0.0.0:53:30053/udp']\n\
             nodes: [{role: worker, ports: [{host: 9090, node: 30090}], mounts: ['a:/a:ro'], labels: {p: q}, taints: ['k=v:NoSchedule']}]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let [first, worker] = settings.nodes.as_slice() else { panic!("{settings:?}") };
        assert_eq!(first.mounts.len(), 2);
        assert_eq!(first.mounts[0].host, "/base/data");
        assert!(first.mounts[1].read_only);
        assert_eq!(first.ports.len(), 2);
        assert_eq!(
            (first.ports[0].address.as_str(), first.ports[0].protocol.as_str()),
            ("0.0.0.0", "UDP")
        );
        assert_eq!(first.ports[1].address, "127.0.0.1");
        assert_eq!(worker.mounts.len(), 3);
        assert_eq!((worker.ports[0].host, worker.labels["p"].as_str()), (9090, "q"));
        assert_eq!(worker.taints[0].value, "v");
    }

    #[test]
    fn what_cannot_be_is_said_with_how_to_write_it() {
        for wrong in [
            "ports: [x]",
            "ports: ['0:1']",
            "ports: ['1:2/icmp']",
            "mounts: [a]",
            "mounts: ['a:b']",
            "mounts: ['a:/b:rx']",
            "nodes: [{count: 2, ports: ['1:1']}]",
            "containerd_patches: [{a: b}]",
        ] {
            assert_eq!(kind(wrong).1.len(), 1, "{wrong}: {:?}", kind(wrong).1);
        }
    }

    #[test]
    fn what_only_simulated_nodes_have_is_answered_with_a_warning() {
        let (_, problems) = kind("nodes: [{name: big, cpus: 4, gpus: 1}]");
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems.iter().all(|message| message.contains("does nothing on kind")));
    }

    #[test]
    fn images_to_be_loaded_are_names_or_archives_beside_the_file() {
        let (settings, _) = kind("load: ['mine:1', ./all.tar]\n");
        let archive = NodeImage::Archive("/base/all.tar".into());
        assert_eq!(settings.load, [NodeImage::OfEngine("mine:1".to_owned()), archive]);
        let (_, problems) = kind("load: [{a: b}]\n");
        assert!(problems[0].contains("an image, or a file that ends in `.tar`"), "{problems:?}");
    }

    #[test]
    fn patches_are_texts_or_maps() {
        let (settings, _) = kind(
            "kubeadm_patches:\n- |\n  kind: KubeletConfiguration\n  maxPods: 9\n- {kind: ClusterConfiguration}\ncontainerd_patches: 'a = 1'\n",
        );
        assert_eq!(settings.kubeadm_patches[1], r#"{"kind":"ClusterConfiguration"}"#);
        assert!(settings.kubeadm_patches[0].ends_with("maxPods: 9"));
        assert_eq!(settings.containerd_patches, ["a = 1"]);
    }
}
