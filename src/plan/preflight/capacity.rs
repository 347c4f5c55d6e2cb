//! Whether all pods of a plan find room on the nodes there are, and in words which do not and why.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{self, Node, lacks};
use super::pack::{Ask, Room, filled, pack};
use super::pod::{self, Count, Workload};
use super::quantity::{Amounts, shown, take};
use super::wish::Wishes;
use super::{Check, Facts, Finding, Severity};

/// Workloads named in one finding.
const NAMED: usize = 8;
/// Nodes named for one workload.
const NODES_NAMED: usize = 4;
/// More pods of one workload than this are no longer told apart.
const MOST: usize = 5_000;

/// Judges the room that there is.
pub(super) fn findings(wishes: &Wishes<'_>, facts: &Facts) -> Vec<Finding> {
    let (Some(nodes), Some(pods)) = (&facts.nodes, &facts.pods) else { return Vec::new() };
    let ranges = facts.limit_ranges.as_deref().unwrap_or_default();
    let workloads = pod::workloads(wishes, ranges, &facts.runtime_classes);
    if workloads.is_empty() {
        return Vec::new();
    }
    let replaced = |pod: &crate::model::Object, made: Option<&(String, String)>| {
        workloads.iter().any(|workload| node::is_of(pod, made, &workload.name))
            || wishes.gone.iter().any(|gone| node::is_of(pod, made, &gone.name))
    };
    let nodes = node::nodes(nodes, pods, |pod, made| !replaced(pod, made.as_ref()));
    let impossible: Vec<&Workload<'_>> =
        workloads.iter().filter(|workload| fits_nowhere(workload, &nodes)).collect();
    let mut found = Vec::new();
    found.extend(too_large(&impossible, &nodes, facts));
    let rest: Vec<&Workload<'_>> = workloads
        .iter()
        .filter(|workload| !workload.passing && !fits_nowhere(workload, &nodes))
        .collect();
    found.extend(short(&rest, nodes));
    found
}

/// Whether a pod of a workload would not even fit on an empty node.
fn fits_nowhere(workload: &Workload<'_>, nodes: &[Node]) -> bool {
    workload.count != Count::EachNode
        && workload.count != Count::Of(0)
        && !nodes.iter().any(|node| {
            node.refuses(&workload.shape).is_none()
                && lacks(&node.room, &workload.shape.asks).is_none()
        })
}

/// Pods that no node could take even if it were empty.
fn too_large(workloads: &[&Workload<'_>], nodes: &[Node], facts: &Facts) -> Option<Finding> {
    if workloads.is_empty() {
        return None;
    }
    let awaited = workloads.iter().any(|workload| workload.awaited);
    let severity = if facts.autoscaler || !awaited || nodes.is_empty() {
        Severity::Warning
    } else {
        Severity::Blocking
    };
    let pods: usize = workloads.iter().map(|workload| number(workload)).sum();
    let what = if nodes.is_empty() {
        "the cluster has no nodes".to_owned()
    } else {
        let fit = if pods == 1 { "1 pod fits".to_owned() } else { format!("{pods} pods fit") };
        format!("{fit} on no node, even an empty one")
    };
    let mut finding = Finding::new(Check::Capacity, severity, what)
        .about(workloads.iter().filter(|w| w.awaited).map(|workload| workload.step));
    for workload in workloads.iter().take(NAMED) {
        let why = each_node(nodes, |node| {
            node.refuses(&workload.shape).or_else(|| lacks(&node.room, &workload.shape.asks))
        });
        let why = if why.is_empty() { why } else { format!(": {why}") };
        finding = finding.because(format!("{}{why}", described(workload)));
    }
    finding = more(finding, workloads.len());
    let todo = if facts.autoscaler {
        "check that the autoscaler may add a node that is large enough"
    } else {
        "add a node that takes it, or let the component ask for less"
    };
    Some(finding.todo(todo))
}

fn more(finding: Finding, all: usize) -> Finding {
    if all > NAMED { finding.because(format!("and {} more", all - NAMED)) } else { finding }
}

/// Pods that find no room beside the others.
fn short(workloads: &[&Workload<'_>], mut nodes: Vec<Node>) -> Option<Finding> {
    let (daemons, others): (Vec<&Workload<'_>>, Vec<&Workload<'_>>) =
        workloads.iter().copied().partition(|workload| workload.count == Count::EachNode);
    let mut left: Vec<(&Workload<'_>, usize)> = Vec::new();
    for workload in daemons {
        let mut missed = 0;
        for node in &mut nodes {
            if node.refuses(&workload.shape).is_some() {
                continue;
            }
            if lacks(&node.free, &workload.shape.asks).is_some() {
                missed += 1;
            } else {
                take(&mut node.free, &workload.shape.asks);
            }
        }
        if missed > 0 {
            left.push((workload, missed));
        }
    }
    let rooms: Vec<Room> = nodes.iter().map(room).collect();
    let mut asks = Vec::new();
    let mut whose = Vec::new();
    for (group, workload) in others.iter().enumerate() {
        let ask = ask(group, workload, &nodes);
        for _ in 0..number(workload).min(MOST) {
            asks.push(ask.clone());
            whose.push(group);
        }
    }
    let places = pack(&rooms, &asks);
    let mut missed: BTreeMap<usize, usize> = BTreeMap::new();
    for (group, place) in whose.iter().zip(&places) {
        if place.is_none() {
            *missed.entry(*group).or_default() += 1;
        }
    }
    left.extend(missed.iter().filter_map(|(group, n)| Some((*others.get(*group)?, *n))));
    if left.is_empty() {
        return None;
    }
    for (node, room) in nodes.iter_mut().zip(filled(&rooms, &asks, &places)) {
        node.free = room.free;
    }
    Some(told(&left, &nodes))
}

fn room(node: &Node) -> Room {
    Room { free: node.free.clone(), places: node.labels.clone() }
}

fn ask(group: usize, workload: &Workload<'_>, nodes: &[Node]) -> Ask {
    let shape = &workload.shape;
    let may = |node: &Node| node.refuses(shape).is_none() && node.rests(shape).is_none();
    Ask {
        wants: shape.asks.clone(),
        may: nodes.iter().map(may).collect(),
        apart: (!shape.apart.is_empty()).then(|| (group, shape.apart.clone())),
    }
}

fn told(left: &[(&Workload<'_>, usize)], nodes: &[Node]) -> Finding {
    let pods: usize = left.iter().map(|(_, missed)| missed).sum();
    let mut what = format!("{} beside the others", fit(pods));
    if let Some(most) = largest_free(left, nodes) {
        what = format!("{}: {most}", fit(pods));
    }
    let mut finding = Finding::new(Check::Capacity, Severity::Warning, what)
        .about(left.iter().map(|(workload, _)| workload.step));
    for (workload, missed) in left.iter().take(NAMED) {
        let shape = &workload.shape;
        let why = each_node(nodes, |node| {
            node.refuses(shape)
                .or_else(|| node.rests(shape))
                .or_else(|| lacks(&node.free, &shape.asks))
                .or_else(|| Some("another pod of its kind is there".to_owned()))
        });
        let of = number(workload);
        let part = if of > *missed && workload.count != Count::EachNode {
            format!("{missed} of {of}: ")
        } else {
            String::new()
        };
        finding = finding.because(format!("{part}{}: {why}", described(workload)));
    }
    more(finding, left.len()).todo(
        "add a node, let the components ask for less, or go on where nodes come by themselves",
    )
}

/// What is free at most of what the pods left over lack: `largest free 11.2 GiB`.
fn largest_free(left: &[(&Workload<'_>, usize)], nodes: &[Node]) -> Option<String> {
    let scarce: BTreeSet<&String> = left
        .iter()
        .flat_map(|(workload, _)| &workload.shape.asks)
        .filter(|(resource, asked)| {
            resource.as_str() != "pods" && nodes.iter().all(|node| free(node, resource) < **asked)
        })
        .map(|(resource, _)| resource)
        .collect();
    let most = |resource: &&String| {
        let most = nodes.iter().map(|node| free(node, resource)).max()?.max(0);
        Some(match resource.as_str() {
            "memory" => format!("largest free {}", shown(resource, most)),
            _ => format!("largest free {} of {resource}", shown(resource, most)),
        })
    };
    let words: Vec<_> = scarce.iter().filter_map(most).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn free(node: &Node, resource: &str) -> i128 {
    node.free.get(resource).copied().unwrap_or_default()
}

fn number(workload: &Workload<'_>) -> usize {
    match workload.count {
        Count::Of(pods) => pods,
        Count::EachNode => 1,
    }
}

fn fit(pods: usize) -> String {
    if pods == 1 { "1 pod does not fit".to_owned() } else { format!("{pods} pods do not fit") }
}

/// `Deployment data-mill/spark asks for cpu 4, memory 14 GiB`.
fn described(workload: &Workload<'_>) -> String {
    format!("{} asks for {}", workload.name, listed(&workload.shape.asks))
}

fn listed(asks: &Amounts) -> String {
    let words: Vec<_> = asks
        .iter()
        .filter(|(resource, asked)| resource.as_str() != "pods" && **asked > 0)
        .map(|(resource, asked)| format!("{resource} {}", shown(resource, *asked)))
        .collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Why each node takes no pod; nodes with the same reason together.
pub(super) fn each_node(nodes: &[Node], why: impl Fn(&Node) -> Option<String>) -> String {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for node in nodes {
        if let Some(reason) = why(node) {
            reasons.entry(reason).or_default().push(&node.name);
        }
    }
    let told: Vec<_> = reasons
        .iter()
        .take(NODES_NAMED)
        .map(|(reason, names)| match names.as_slice() {
            [one] => format!("{one} ({reason})"),
            [first, rest @ ..] => format!("{first} and {} more ({reason})", rest.len()),
            [] => String::new(),
        })
        .collect();
    told.join(", ")
}
