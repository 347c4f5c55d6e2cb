//! Where the steps of a plan stand in a picture: columns by phase and by how far a step is from the first, rows so that lines
//! are short. Pure, and small: for the hundreds of steps of a plan the barycentre of what comes before is good enough.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Plan, Step};
use crate::graph::Graph;
use crate::model::{ResourceId, ResourceKind};

/// The phases in which a plan is read; steps are carried out by their needs alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What a cloud's API makes.
    Cloud,
    /// The cluster and what makes it ours.
    Cluster,
    /// Definitions, and what everything else stands on.
    Foundation,
    /// Components.
    Components,
    /// What only looks.
    Verify,
}

impl Phase {
    /// All of them in order.
    pub const ALL: [Self; 5] =
        [Self::Cloud, Self::Cluster, Self::Foundation, Self::Components, Self::Verify];

    /// Its heading.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Cluster => "cluster",
            Self::Foundation => "definitions and secrets",
            Self::Components => "components",
            Self::Verify => "health",
        }
    }

    /// The phase of a step.
    pub fn of(step: &Step) -> Self {
        match step.id.kind {
            ResourceKind::Network
            | ResourceKind::FileSystem
            | ResourceKind::MountTarget
            | ResourceKind::Bucket => Self::Cloud,
            ResourceKind::Cluster | ResourceKind::Installation | ResourceKind::Namespace => {
                Self::Cluster
            }
            ResourceKind::Crds | ResourceKind::Secret | ResourceKind::Claim => Self::Foundation,
            ResourceKind::Release
            | ResourceKind::Objects
            | ResourceKind::Job
            | ResourceKind::Removal => Self::Components,
            ResourceKind::Wait | ResourceKind::Health => Self::Verify,
        }
    }
}

/// A step in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed<'a> {
    /// The step.
    pub step: &'a Step,
    /// Its phase.
    pub phase: Phase,
    /// Its column, counted from 0.
    pub column: usize,
    /// Its row, counted from 0.
    pub row: usize,
}

/// The steps of a picture, and which stands before which.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout<'a> {
    /// The steps, column by column.
    pub placed: Vec<Placed<'a>>,
    /// From which place to which, by their numbers; what follows from others is left out.
    pub lines: Vec<(usize, usize)>,
    /// How many steps that are left alone are not in it.
    pub left_out: usize,
}

/// Lays out the steps that do something, or all of them when none does.
pub fn layout(plan: &Plan) -> Layout<'_> {
    let idle = |step: &Step| matches!(step.action, Action::Keep | Action::Use);
    let mut shown: Vec<&Step> = plan.steps.iter().filter(|step| !idle(step)).collect();
    if shown.is_empty() {
        shown = plan.steps.iter().collect();
    }
    let graph = edges(plan, &shown);
    let columns = columns(&shown, &graph);
    let mut by_column: BTreeMap<usize, Vec<&Step>> = BTreeMap::new();
    for step in &shown {
        let column = columns.get(&step.id).copied().unwrap_or(0);
        by_column.entry(column).or_default().push(step);
    }
    let mut rows: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    let mut placed = Vec::new();
    for (column, mut steps) in by_column {
        steps.sort_by_key(|step| (barycentre(&graph, &rows, &step.id), step.id.clone()));
        for (row, step) in steps.into_iter().enumerate() {
            rows.insert(&step.id, row);
            placed.push(Placed { step, phase: Phase::of(step), column, row });
        }
    }
    let number: BTreeMap<_, _> =
        placed.iter().enumerate().map(|(at, placed)| (&placed.step.id, at)).collect();
    let mut lines = Vec::new();
    for (to, place) in placed.iter().enumerate() {
        for before in direct(&graph, &place.step.id) {
            lines.extend(number.get(before).map(|from| (*from, to)));
        }
    }
    let left_out = plan.steps.len() - placed.len();
    Layout { placed, lines, left_out }
}

/// What waits for what among the shown steps, through those that are not shown.
fn edges(plan: &Plan, shown: &[&Step]) -> Graph<ResourceId> {
    let names: BTreeSet<_> = shown.iter().map(|step| &step.id).collect();
    let mut seen_through: BTreeMap<&ResourceId, BTreeSet<&ResourceId>> = BTreeMap::new();
    let mut graph = Graph::default();
    // What a step waits for stands before it, so one way through is enough.
    for step in &plan.steps {
        let mut before = BTreeSet::new();
        for after in &step.after {
            if names.contains(after) {
                before.insert(after);
            } else {
                before.extend(seen_through.get(after).into_iter().flatten());
            }
        }
        if names.contains(&step.id) {
            graph.add_node(step.id.clone());
            for other in before {
                // Steps are in order, so no edge closes a circle.
                graph.add_edge(step.id.clone(), other.clone()).ok();
            }
        } else {
            seen_through.insert(&step.id, before);
        }
    }
    graph
}

/// The column of each step: behind all it waits for, and each phase behind the one before it, unless its steps must come first.
fn columns(shown: &[&Step], graph: &Graph<ResourceId>) -> BTreeMap<ResourceId, usize> {
    let phases: BTreeMap<_, _> = shown.iter().map(|step| (&step.id, Phase::of(step))).collect();
    let depth = |of: &dyn Fn(&ResourceId) -> usize| {
        let mut found: BTreeMap<ResourceId, usize> = BTreeMap::new();
        for id in graph.order() {
            let behind = graph.before(&id).filter_map(|before| found.get(before)).max();
            let least = behind.map_or(0, |column| column + 1);
            found.insert(id.clone(), least.max(of(&id)));
        }
        found
    };
    // How many columns each phase needs by itself, then each phase begins where those before it end.
    let inner = depth(&|_| 0);
    let mut first: BTreeMap<Phase, usize> = BTreeMap::new();
    let mut next = 0;
    for phase in Phase::ALL {
        let of_phase: BTreeSet<_> = inner
            .iter()
            .filter(|(id, _)| phases.get(id) == Some(&phase))
            .map(|(_, depth)| *depth)
            .collect();
        if !of_phase.is_empty() {
            first.insert(phase, next);
            next += 1;
        }
    }
    depth(&|id| phases.get(id).and_then(|phase| first.get(phase)).copied().unwrap_or(0))
}

/// The middle of the rows of what a step waits for, in hundredths.
fn barycentre(
    graph: &Graph<ResourceId>,
    rows: &BTreeMap<&ResourceId, usize>,
    id: &ResourceId,
) -> usize {
    let before: Vec<_> = graph.before(id).filter_map(|other| rows.get(other)).collect();
    if before.is_empty() { 0 } else { before.iter().copied().sum::<usize>() * 100 / before.len() }
}

/// What a step waits for and nothing else it waits for waits for as well.
fn direct<'a>(graph: &'a Graph<ResourceId>, id: &ResourceId) -> Vec<&'a ResourceId> {
    let all: Vec<_> = graph.before(id).collect();
    let implied = |one: &ResourceId| {
        all.iter().any(|other| *other != one && graph.closure([*other]).contains(one))
    };
    all.iter().copied().filter(|one| !implied(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Precondition;

    fn step(id: &str, action: Action, after: &[&str]) -> Step {
        Step {
            id: id.parse().unwrap(),
            action,
            wanted: None,
            found: None,
            after: after.iter().map(|id| id.parse().unwrap()).collect(),
            precondition: Precondition::Nothing,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    #[test]
    fn a_step_stands_behind_all_it_waits_for_and_lines_are_direct() {
        let plan = Plan {
            steps: vec![
                step("target/cluster/x", Action::Create, &[]),
                step("target/namespace/x", Action::Create, &["target/cluster/x"]),
                step("a/secret/a", Action::Keep, &["target/namespace/x"]),
                step("a/release/a", Action::Create, &["a/secret/a", "target/cluster/x"]),
                step("b/release/b", Action::Create, &["target/namespace/x", "a/release/a"]),
            ],
            notes: Vec::new(),
        };
        let layout = layout(&plan);
        assert_eq!(layout.left_out, 1);
        let column =
            |id: &str| layout.placed.iter().find(|p| p.step.id.to_string() == id).unwrap().column;
        let order = ["target/cluster/x", "target/namespace/x", "a/release/a", "b/release/b"];
        assert!(order.windows(2).all(|pair| column(pair[0]) < column(pair[1])));
        let lines: Vec<_> = layout
            .lines
            .iter()
            .map(|(from, to)| {
                let id = |at: usize| layout.placed[at].step.id.to_string();
                (id(*from), id(*to))
            })
            .collect();
        let pairs: Vec<_> = lines.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let wanted: Vec<_> = order.windows(2).map(|pair| (pair[0], pair[1])).collect();
        assert_eq!(pairs, wanted, "through what is left alone, and nothing twice");
    }

    #[test]
    fn no_two_steps_share_a_place() {
        let names: Vec<_> = (0..30).map(|at| format!("c{at}/release/r")).collect();
        let mut steps = vec![step("target/cluster/x", Action::Create, &[])];
        steps.extend(names.iter().map(|n| step(n, Action::Create, &["target/cluster/x"])));
        let plan = Plan { steps, notes: Vec::new() };
        let layout = layout(&plan);
        let places: BTreeSet<_> = layout.placed.iter().map(|p| (p.column, p.row)).collect();
        assert_eq!(places.len(), 31);
    }

    #[test]
    fn a_plan_without_changes_shows_everything() {
        let plan = Plan { steps: vec![step("a/release/a", Action::Keep, &[])], notes: Vec::new() };
        assert_eq!(layout(&plan).placed.len(), 1);
        assert_eq!(layout(&Plan::default()).placed, []);
    }
}
