//! Deep merge of located trees: later wins, `null` removes a key, lists are replaced. Places are kept.

use std::mem;

use super::{Located, Node};

/// Lays `over` on `under`: a `null` in `over` removes the key.
pub fn merge(under: Located, over: Located) -> Located {
    lay(under, over, true)
}

/// Lays one layer on another and keeps each `null`, so that it still removes a key of what the result is laid on.
pub fn layer(under: Located, over: Located) -> Located {
    lay(under, over, false)
}

fn lay(under: Located, over: Located, remove: bool) -> Located {
    let Located { node: Node::Map(mut entries), span: below } = under else {
        return if remove { without_nulls(over) } else { over };
    };
    let Located { node: Node::Map(newer), span } = over else { return over };
    for entry in newer {
        match entries.iter().position(|known| known.key == entry.key) {
            Some(at) if remove && entry.value.is_null() => {
                entries.remove(at);
            }
            Some(at) => {
                if let Some(slot) = entries.get_mut(at) {
                    let nothing = Located { node: Node::Null, span: entry.value.span.clone() };
                    let old = mem::replace(&mut slot.value, nothing);
                    *slot = super::Entry { value: lay(old, entry.value, remove), ..entry };
                }
            }
            None if remove && entry.value.is_null() => {}
            None => {
                let value = if remove { without_nulls(entry.value) } else { entry.value };
                entries.push(super::Entry { value, ..entry });
            }
        }
    }
    // An empty layer, such as a file without settings, says nothing about where the map stands.
    let span = if entries.is_empty() { below } else { span };
    Located { node: Node::Map(entries), span }
}

/// A `null` that had nothing to remove is gone as well.
fn without_nulls(tree: Located) -> Located {
    let Located { node: Node::Map(entries), span } = tree else { return tree };
    let kept = entries
        .into_iter()
        .filter(|entry| !entry.value.is_null())
        .map(|entry| super::Entry { value: without_nulls(entry.value), ..entry })
        .collect();
    Located { node: Node::Map(kept), span }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::{Source, parse};

    fn tree(text: &str) -> Located {
        parse(&Source::new("test.yaml", text)).unwrap()
    }

    #[test]
    fn later_wins_null_removes_and_lists_are_replaced() {
        let under = tree("a: {x: 1, y: 2}\nb: [1, 2]\nc: 3\n");
        let over = tree("a: {y: 5, z: null}\nb: [9]\nc: null\nd: {e: null, f: 1}\n");
        let merged = merge(under, over).to_json();
        assert_eq!(merged, json!({"a": {"x": 1, "y": 5}, "b": [9], "d": {"f": 1}}));
    }

    #[test]
    fn layers_may_be_merged_in_any_grouping() {
        let (low, mid, high) =
            (tree("a: 1\nm: {x: 1}"), tree("a: null\nm: null"), tree("m: {y: 2}"));
        let left = merge(merge(low.clone(), mid.clone()), high.clone()).to_json();
        assert_eq!(left, json!({"m": {"y": 2}}));
        assert_eq!(layer(mid, tree("b: 1")).to_json(), json!({"a": null, "m": null, "b": 1}));
        assert_eq!(merge(low, high).to_json(), json!({"a": 1, "m": {"x": 1, "y": 2}}));
    }

    #[test]
    fn a_merged_value_keeps_its_own_place() {
        let merged = merge(tree("a: 1\nb: 2\n"), tree("\n\nb: 3\n"));
        assert_eq!(merged.get("a").unwrap().span.line(), 1);
        assert_eq!(merged.get("b").unwrap().span.line(), 3);
    }
}
