//! What a person said about whether a thing may go: a mark on the thing itself.

use serde::{Deserialize, Serialize};

use super::RunId;

/// Whether a thing is protected, who said so, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Whether it must stay; if not, a protection that it would have by its class is lifted.
    pub on: bool,
    /// Who: `ann@laptop`.
    pub by: String,
    /// When, for people.
    pub at: String,
    /// The run that wrote it.
    pub run: RunId,
}

impl Protection {
    /// Reads what stands on a thing. What cannot be read protects: unknown is not absent.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Self {
            on: true,
            by: "somebody".to_owned(),
            at: "an unknown time".to_owned(),
            run: RunId("unknown".to_owned()),
        })
    }

    /// As it is written.
    pub fn written(&self) -> String {
        // Plain data always becomes JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Who said it and when.
    pub fn says(&self) -> String {
        format!("{} on {}", self.by, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_what_nobody_can_read_protects() {
        let said = Protection {
            on: false,
            by: "ann@laptop".to_owned(),
            at: "2026-01-31 12:30:45 UTC".to_owned(),
            run: RunId("r".to_owned()),
        };
        assert_eq!(Protection::read(&said.written()), said);
        for text in ["", "yes", "{}", "{\"on\": false}"] {
            assert!(Protection::read(text).on, "{text}");
        }
    }
}
