//! A JSON document against a JSON Schema of ours.

use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

/// What of a document is not as its schema says, each with its place; nothing when all is.
pub(crate) fn violations(schema: &Json, document: &Json) -> Vec<String> {
    let validator = jsonschema::options().offline().build(schema).unwrap();
    let lines = validator.iter_errors(document).flat_map(|error| {
        let place = error.instance_path();
        if let Kind::AdditionalProperties { unexpected } = error.kind() {
            return unexpected.iter().map(|key| format!("{place}/{key}: no such key")).collect();
        }
        vec![format!("{place}: {error}")]
    });
    lines.collect()
}
