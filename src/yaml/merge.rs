//! Deep merge of located trees: later wins, `null` removes a key, lists are replaced. Places are kept.

use super::{Located, Node};

/// Lays `over` on `under`.
pub fn merge(under: Located, over: Located) -> Located {
    match (under.node, over.node) {
        (Node::Map(mut entries), Node::Map(newer)) => {
            for entry in newer {
                let old = entries.iter().position(|known| known.key == entry.key);
                match (old, entry.value.is_null()) {
                    (Some(at), true) => {
                        entries.remove(at);
                    }
                    (Some(at), false) => {
                        if let Some(slot) = entries.get_mut(at) {
                            let below = slot.value.clone();
                            *slot = super::Entry { value: merge(below, entry.value), ..entry };
                        }
                    }
                    (None, true) => {}
                    (None, false) => entries.push(entry),
                }
            }
            Located { node: Node::Map(entries), span: over.span }
        }
        (_, node) => Located { node, span: over.span },
    }
}
