//! Simulated nodes: a number, or a list of groups with sizes, labels and taints.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::reader::{Reader, flag_of, text_of, whole_of};
use crate::config::size::mebibytes;
use crate::config::target::{Gpu, LocalSettings};
use crate::model::{NodeSpec, Taint};
use crate::yaml::{Located, Node, Problem, Problems};

/// Simulated nodes cost nothing, so one that nobody sized takes most platforms.
const CPUS: u64 = 16;
const MEMORY_MIB: u64 = 64 * 1024;
const STORAGE_MIB: u64 = 500 * 1024;
/// More simulated nodes than anybody needs on one machine.
const MOST_NODES: u64 = 1000;
/// What a kubelet takes by default.
const PODS: u64 = 110;

/// The keys that give a node its size.
pub(super) fn size_keys() -> impl Iterator<Item = &'static str> {
    ["cpus", "memory", "storage", "gpus"].into_iter()
}

/// The labels and taints of a group; what is wrong with them is reported where the group is read.
pub(super) fn labels_and_taints(item: &Located) -> (BTreeMap<String, String>, Vec<Taint>) {
    let mut unheard = Problems::default();
    let Some(mut reader) = Reader::of(item, "local.nodes[]", &mut unheard) else {
        return (BTreeMap::new(), Vec::new());
    };
    let labels = reader.text_map("labels", &mut unheard);
    (labels, taints(&mut reader, &mut unheard))
}

/// One group of equal nodes.
struct Group {
    name: String,
    count: u64,
    cpus: u64,
    memory_mib: u64,
    storage_mib: u64,
    gpus: u64,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
}

impl Group {
    /// A group as the section `local:` sizes it.
    fn of(settings: &LocalSettings) -> Self {
        Self {
            name: "node".to_owned(),
            count: 1,
            cpus: settings.cpus.unwrap_or(CPUS),
            memory_mib: settings.memory_mib.unwrap_or(MEMORY_MIB),
            storage_mib: settings.storage_mib.unwrap_or(STORAGE_MIB),
            gpus: u64::from(settings.gpu == Gpu::Required),
            labels: BTreeMap::new(),
            taints: Vec::new(),
        }
    }

    fn node(&self, name: String) -> NodeSpec {
        let mut capacity = BTreeMap::from([
            ("cpu".to_owned(), self.cpus.to_string()),
            ("memory".to_owned(), format!("{}Mi", self.memory_mib)),
            ("ephemeral-storage".to_owned(), format!("{}Mi", self.storage_mib)),
            ("pods".to_owned(), PODS.to_string()),
        ]);
        if self.gpus > 0 {
            capacity.insert("nvidia.com/gpu".to_owned(), self.gpus.to_string());
        }
        NodeSpec { name, capacity, labels: self.labels.clone(), taints: self.taints.clone() }
    }
}

/// The nodes that `local.nodes` asks for; one without it.
pub(super) fn nodes(
    value: Option<&Located>,
    settings: &LocalSettings,
    problems: &mut Problems,
) -> Vec<NodeSpec> {
    let standard = Group::of(settings);
    let Some(value) = value else { return named(&[standard], problems, None) };
    if let Some(count) = whole_of(value) {
        if !(1..=MOST_NODES).contains(&count) {
            problems.push(
                Problem::error(
                    "wrong-value",
                    format!("`local.nodes` is a number from 1 to {MOST_NODES}"),
                )
                .at(&value.span),
            );
            return Vec::new();
        }
        return named(&[Group { count, ..standard }], problems, Some(value));
    }
    let Node::List(items) = &value.node else {
        let message =
            format!("`local.nodes` is a number or a list, and here stands {}", value.kind());
        problems.push(Problem::error("wrong-type", message).at(&value.span));
        return Vec::new();
    };
    let groups: Vec<_> = items.iter().filter_map(|item| group(item, settings, problems)).collect();
    named(&groups, problems, Some(value))
}

fn group(item: &Located, settings: &LocalSettings, problems: &mut Problems) -> Option<Group> {
    let mut reader = Reader::of(item, "local.nodes[]", problems)?;
    let standard = Group::of(settings);
    // What containers have beside; read for kind.
    for key in ["role", "mounts", "ports"] {
        reader.value(key);
    }
    let group = Group {
        name: reader.text("name", problems).unwrap_or(standard.name),
        count: reader.whole("count", 1, MOST_NODES, problems).unwrap_or(1),
        cpus: reader.whole("cpus", 1, 4096, problems).unwrap_or(standard.cpus),
        memory_mib: size(&mut reader, "memory", 1, problems).unwrap_or(standard.memory_mib),
        storage_mib: size(&mut reader, "storage", 1024, problems).unwrap_or(standard.storage_mib),
        gpus: reader.whole("gpus", 0, 64, problems).unwrap_or(standard.gpus),
        labels: reader.text_map("labels", problems),
        taints: taints(&mut reader, problems),
    };
    reader.finish(problems);
    Some(group)
}

/// A size in MiB; a bare number counts in `unit` MiB.
pub(super) fn size(
    reader: &mut Reader<'_>,
    key: &'static str,
    unit: u64,
    problems: &mut Problems,
) -> Option<u64> {
    let value = reader.value(key)?;
    let size = text_of(value).and_then(|text| mebibytes(&text, unit));
    if size.is_none() || flag_of(value).is_some() {
        let wanted =
            if unit == 1 { "a size in MiB, or one such as `16G`" } else { "a size such as `60G`" };
        reader.wrong(key, value, wanted, problems);
    }
    size
}

fn taints(reader: &mut Reader<'_>, problems: &mut Problems) -> Vec<Taint> {
    let items = reader.list("taints", problems);
    items.iter().filter_map(|item| taint(item, problems)).collect()
}

const EFFECTS: [(&str, &str); 3] = [
    ("NoSchedule", "NoSchedule"),
    ("PreferNoSchedule", "PreferNoSchedule"),
    ("NoExecute", "NoExecute"),
];

/// A taint as a map, or as `kubectl taint` writes it: `key=value:NoSchedule`.
fn taint(item: &Located, problems: &mut Problems) -> Option<Taint> {
    if let Some(text) = item.as_text() {
        let parsed = text.rsplit_once(':').and_then(|(left, effect)| {
            let effect = EFFECTS.iter().find(|(word, _)| *word == effect)?.1;
            let (key, value) = left.split_once('=').unwrap_or((left, ""));
            Some(Taint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned() })
        });
        if parsed.is_none() {
            problems.push(
                Problem::error("wrong-value", format!("`{text}` is no taint"))
                    .at(&item.span)
                    .help("write `key=value:NoSchedule`"),
            );
        }
        return parsed;
    }
    let mut reader = Reader::of(item, "taints[]", problems)?;
    let key = reader.text("key", problems);
    let value = reader.text("value", problems).unwrap_or_default();
    let effect = reader.word("effect", &EFFECTS, problems).unwrap_or("NoSchedule");
    reader.finish(problems);
    if key.is_none() {
        problems.push(Problem::error("missing-key", "a taint has a `key`").at(&item.span));
    }
    Some(Taint { key: key?, value, effect: effect.to_owned() })
}

/// Gives every node a name of its own: the group's when it stands alone, else with a number.
fn named(groups: &[Group], problems: &mut Problems, at: Option<&Located>) -> Vec<NodeSpec> {
    let total: u64 = groups.iter().map(|group| group.count).sum();
    let mut used = BTreeSet::new();
    let mut nodes = Vec::new();
    if total > MOST_NODES {
        problems.push(at.into_iter().fold(
            Problem::error("wrong-value", format!("{total} nodes are more than {MOST_NODES}")),
            |problem, value| problem.at(&value.span),
        ));
        return nodes;
    }
    for group in groups {
        let alone = group.count == 1
            && groups.iter().filter(|other| other.name == group.name).count() == 1
            && group.name != "node";
        for number in 1..=group.count {
            let mut name =
                if alone { group.name.clone() } else { format!("{}-{number}", group.name) };
            let mut next = number;
            while !used.insert(name.clone()) {
                next += 1;
                name = format!("{}-{next}", group.name);
            }
            if let Err(wrong) = name.parse::<crate::model::Name>() {
                let problem = Problem::error("wrong-value", format!("no name of a node: {wrong}"));
                problems.push(at.into_iter().fold(problem, |p, value| p.at(&value.span)));
                return nodes;
            }
            nodes.push(group.node(name));
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Source, parse};

    fn read(text: &str) -> (Vec<NodeSpec>, Problems) {
        let tree = parse(&Source::new("x.yaml", text)).unwrap();
        let mut problems = Problems::default();
        let settings = LocalSettings { cpus: Some(4), ..LocalSettings::default() };
        (nodes(tree.get("nodes"), &settings, &mut problems), problems)
    }

    #[test]
    fn without_nodes_there_is_one_of_the_sections_size() {
        let (nodes, _) = read("a: 1");
        assert_eq!(nodes.len(), 1);
        assert_eq!(nodes[0].name, "node-1");
        assert_eq!(nodes[0].capacity["cpu"], "4");
        assert_eq!(nodes[0].capacity["memory"], "65536Mi");
    }

    #[test]
    fn groups_have_sizes_labels_taints_and_names_of_their_own() {
        let (nodes, problems) = read(
            "nodes:\n  - {count: 2}\n  - {name: gpu, cpus: 8, memory: 32G, storage: 100G, gpus: 2, labels: {pool: gpu, n: 1}, \
             taints: ['nvidia.com/gpu=present:NoSchedule', {key: x, effect: NoExecute}]}\n  - {}\n",
        );
        assert!(problems.is_empty(), "{problems:?}");
        let names: Vec<_> = nodes.iter().map(|n| n.name.as_str()).collect();
        assert_eq!(names, ["node-1", "node-2", "gpu", "node-3"]);
        let gpu = &nodes[2];
        assert_eq!(gpu.capacity["nvidia.com/gpu"], "2");
        assert_eq!(gpu.capacity["memory"], "32768Mi");
        assert_eq!(gpu.capacity["ephemeral-storage"], "102400Mi");
        assert_eq!(gpu.labels["n"], "1");
        assert_eq!(gpu.taints[0].value, "present");
        assert_eq!(gpu.taints[1].effect, "NoExecute");
    }

    #[test]
    fn wrong_nodes_are_named() {
        assert_eq!(read("nodes: 0").1.sorted()[0].code, "wrong-value");
        assert_eq!(read("nodes: few").1.sorted()[0].code, "wrong-type");
        assert_eq!(
            read("nodes: [{gpu: 1}]").1.sorted()[0].help.as_deref(),
            Some("did you mean `gpus`?")
        );
        assert_eq!(read("nodes: [{taints: [x]}]").1.sorted()[0].code, "wrong-value");
        assert_eq!(read("nodes: [{name: A_b}]").1.sorted()[0].code, "wrong-value");
    }
}
