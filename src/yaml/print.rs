//! Writes YAML.

use super::{Entry, Located, Node, Span};

/// A JSON value as YAML text, in the form people know from kubectl and Helm.
pub fn to_yaml(json: &serde_json::Value) -> String {
    // A JSON value has text keys and finite numbers only, which serde_yaml always writes.
    serde_yaml::to_string(json).unwrap_or_else(|error| format!("# not printable: {error}\n"))
}

/// A located tree from JSON: every value stands at the same place, such as a `--set` flag.
pub fn from_json(json: &serde_json::Value, at: &Span) -> Located {
    use serde_json::Value as Json;
    let node = match json {
        Json::Null => Node::Null,
        Json::Bool(b) => Node::Bool(*b),
        Json::Number(n) => Node::Number(n.clone()),
        Json::String(s) => Node::Text(s.clone()),
        Json::Array(items) => Node::List(items.iter().map(|item| from_json(item, at)).collect()),
        Json::Object(map) => Node::Map(
            map.iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    key_span: at.clone(),
                    value: from_json(value, at),
                })
                .collect(),
        ),
    };
    Located { node, span: at.clone() }
}
