//! Ordering over edges. Knows no nouns of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Nodes and what each of them waits for. Never holds a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph<N: Ord> {
    before: BTreeMap<N, BTreeSet<N>>,
}

/// An edge that would close a circle; the chain begins and ends with the same node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle<N> {
    /// Each waits for the next.
    pub chain: Vec<N>,
}

impl<N: fmt::Display> fmt::Display for Cycle<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.chain.iter().map(ToString::to_string).collect();
        write!(f, "these need one another: {}", names.join(" → "))
    }
}

impl<N: fmt::Debug + fmt::Display> std::error::Error for Cycle<N> {}

impl<N: Ord> Default for Graph<N> {
    fn default() -> Self {
        Self { before: BTreeMap::new() }
    }
}

impl<N: Ord + Clone> Graph<N> {
    /// Adds a node that waits for nothing, unless it is there.
    pub fn add_node(&mut self, node: N) {
        self.before.entry(node).or_default();
    }

    /// Makes `node` wait for `before`; both are added where needed. An edge that would close a circle is not added.
    pub fn add_edge(&mut self, node: N, before: N) -> Result<(), Cycle<N>> {
        if let Some(mut chain) = self.path(&before, &node) {
            chain.insert(0, node);
            return Err(Cycle { chain });
        }
        self.add_node(before.clone());
        self.before.entry(node).or_default().insert(before);
        Ok(())
    }

    /// What a node waits for directly.
    pub fn before(&self, node: &N) -> impl Iterator<Item = &N> {
        self.before.get(node).into_iter().flatten()
    }

    /// Whether a node is there.
    pub fn contains(&self, node: &N) -> bool {
        self.before.contains_key(node)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &N> {
        self.before.keys()
    }

    /// The nodes that are not done and wait for nothing that is not done.
    pub fn ready(&self, done: &BTreeSet<N>) -> BTreeSet<N> {
        self.before
            .iter()
            .filter(|(node, before)| !done.contains(node) && before.is_subset(done))
            .map(|(node, _)| node.clone())
            .collect()
    }

    /// Every node once, behind all it waits for; the smallest first wherever there is a choice.
    pub fn order(&self) -> Vec<N> {
        let after = self.reverse();
        let mut open: BTreeMap<&N, usize> =
            self.before.iter().map(|(node, before)| (node, before.len())).collect();
        let mut free: BTreeSet<&N> =
            self.before.iter().filter(|(_, b)| b.is_empty()).map(|(node, _)| node).collect();
        let mut order = Vec::with_capacity(open.len());
        while let Some(node) = free.pop_first() {
            order.push(node.clone());
            for next in after.before.get(node).into_iter().flatten() {
                let Some((next, _)) = self.before.get_key_value(next) else { continue };
                let Some(left) = open.get_mut(next) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0 {
                    free.insert(next);
                }
            }
        }
        order
    }

    /// The same nodes with every edge turned round.
    #[must_use]
    pub fn reverse(&self) -> Self {
        let mut reversed = Self::default();
        for (node, before) in &self.before {
            reversed.add_node(node.clone());
            for other in before {
                reversed.before.entry(other.clone()).or_default().insert(node.clone());
            }
        }
        reversed
    }

    /// All that some nodes wait for, directly or not, themselves included.
    pub fn closure<'a>(&'a self, from: impl IntoIterator<Item = &'a N>) -> BTreeSet<N> {
        let mut open: Vec<&N> = from.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(node) = open.pop() {
            if seen.insert(node.clone()) {
                open.extend(self.before(node));
            }
        }
        seen
    }

    /// A way from one node along what it waits for to another, both included.
    fn path(&self, from: &N, to: &N) -> Option<Vec<N>> {
        let mut came_from: BTreeMap<&N, &N> = BTreeMap::new();
        let mut open = vec![from];
        let mut seen = BTreeSet::from([from]);
        while let Some(node) = open.pop() {
            if node == to {
                let mut chain = vec![node.clone()];
                let mut at = node;
                while let Some(previous) = came_from.get(at) {
                    chain.push((*previous).clone());
                    at = previous;
                }
                chain.reverse();
                return Some(chain);
            }
            for next in self.before(node) {
                if seen.insert(next) {
                    came_from.insert(next, node);
                    open.push(next);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&'static str, &'static str)]) -> Graph<&'static str> {
        let mut graph = Graph::default();
        for (node, before) in edges {
            graph.add_edge(*node, *before).unwrap();
        }
        graph
    }

    #[test]
    fn a_circle_is_refused_and_named() {
        let mut graph = graph(&[("b", "a"), ("c", "b")]);
        let cycle = graph.add_edge("a", "c").unwrap_err();
        assert_eq!(cycle.chain, ["a", "c", "b", "a"]);
        assert_eq!(graph.add_edge("a", "a").unwrap_err().chain, ["a", "a"]);
        assert_eq!(graph.order(), ["a", "b", "c"], "the refused edges left nothing behind");
    }

    #[test]
    fn a_node_is_ready_when_its_own_needs_are_done() {
        let graph = graph(&[("b", "a"), ("c", "a"), ("d", "b"), ("d", "c")]);
        let ready = |done: &[&'static str]| graph.ready(&done.iter().copied().collect());
        assert_eq!(ready(&[]), BTreeSet::from(["a"]));
        assert_eq!(ready(&["a"]), BTreeSet::from(["b", "c"]));
        assert_eq!(ready(&["a", "b"]), BTreeSet::from(["c"]));
        assert_eq!(ready(&["a", "b", "c"]), BTreeSet::from(["d"]));
    }

    #[test]
    fn the_order_keeps_edges_and_is_the_smallest_one() {
        let graph = graph(&[("a", "z"), ("b", "a"), ("c", "z")]);
        assert_eq!(graph.order(), ["z", "a", "b", "c"]);
        assert_eq!(graph.reverse().order(), ["b", "a", "c", "z"]);
    }

    #[test]
    fn a_closure_holds_all_that_is_waited_for() {
        let graph = graph(&[("b", "a"), ("c", "b"), ("x", "a")]);
        assert_eq!(graph.closure([&"c"]), BTreeSet::from(["a", "b", "c"]));
    }
}
