//! The last runs and the lock of a target, as `status` shows them.

use serde_json::{Value as Json, json};

use super::text::wrap;

/// A run that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunView {
    /// `user@host`.
    pub who: String,
    /// Its id.
    pub run: String,
    /// The command.
    pub command: String,
    /// The flavour.
    pub flavour: String,
    /// When it began.
    pub begun: String,
    /// When it ended, if it did.
    pub ended: Option<String>,
    /// `done`, `failed`, `interrupted`, `lock-lost`, `died` or `at work`.
    pub result: String,
    /// What it had begun and not ended: the resource, and what was done to it.
    pub open: Vec<(String, String)>,
    /// What failed, and why.
    pub failed: Vec<(String, String)>,
}

/// The lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockView {
    /// `user@host`.
    pub who: String,
    /// The run.
    pub run: String,
    /// Its command.
    pub command: String,
    /// Since when, by the holder's clock.
    pub since: Option<String>,
    /// The last sign of life, by the holder's clock.
    pub last_sign: Option<String>,
}

impl RunView {
    pub(super) fn lines(&self, title: &str, width: usize) -> String {
        let ended = match (&self.ended, self.result.as_str()) {
            (Some(at), result) => format!("{result} at {at}"),
            (None, "died") => "it ended without a word".to_owned(),
            (None, result) => result.to_owned(),
        };
        let first = format!(
            "{title}: `{}` by {}, begun {}, {ended} (run {})",
            self.command, self.who, self.begun, self.run
        );
        let mut text = wrap(&first, width, "  ", "    ") + "\n";
        for (id, action) in &self.open {
            let line = format!("begun and not ended: {action} {id}");
            text.push_str(&wrap(&line, width, "    ", "      "));
            text.push('\n');
        }
        for (id, why) in &self.failed {
            text.push_str(&wrap(&format!("failed: {id}: {why}"), width, "    ", "      "));
            text.push('\n');
        }
        text
    }

    pub(super) fn json(&self) -> Json {
        let open = self.open.iter().map(|(id, action)| json!({"id": id, "action": action}));
        let failed = self.failed.iter().map(|(id, why)| json!({"id": id, "because": why}));
        json!({
            "run": self.run, "by": self.who, "command": self.command, "flavour": self.flavour,
            "begun": self.begun, "ended": self.ended, "result": self.result,
            "open": open.collect::<Vec<_>>(), "failed": failed.collect::<Vec<_>>(),
        })
    }
}

impl LockView {
    pub(super) fn lines(&self, width: usize) -> String {
        let unknown = || "an unknown time".to_owned();
        let line = format!(
            "locked: {} is at work since {} (`{}`, run {}, last sign of life {})",
            self.who,
            self.since.clone().unwrap_or_else(unknown),
            self.command,
            self.run,
            self.last_sign.clone().unwrap_or_else(unknown),
        );
        wrap(&line, width, "  ", "    ") + "\n"
    }

    pub(super) fn json(&self) -> Json {
        json!({
            "run": self.run, "by": self.who, "command": self.command,
            "since": self.since, "lastSign": self.last_sign,
        })
    }
}
