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
    /// Whether it is known to be dead: it ran on this machine, and its process is gone.
    pub dead: bool,
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
        let Self { who, command, run, .. } = self;
        let since = self.since.clone().unwrap_or_else(unknown);
        let sign = self.last_sign.clone().unwrap_or_else(unknown);
        let line = if self.dead {
            format!(
                "still locked by a run that is dead: `{command}` by {who} on this machine since {since} (run {run}, last sign of life {sign}); nobody is at work, and the next run takes the lock over"
            )
        } else {
            format!(
                "locked: {who} is at work since {since} (`{command}`, run {run}, last sign of life {sign})"
            )
        };
        wrap(&line, width, "  ", "    ") + "\n"
    }

    pub(super) fn json(&self) -> Json {
        json!({
            "run": self.run, "by": self.who, "command": self.command,
            "since": self.since, "lastSign": self.last_sign, "dead": self.dead,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_holder_is_not_said_to_be_at_work() {
        let text = |value: &str| Some(value.to_owned());
        let mut lock = LockView {
            who: "ann@one".to_owned(),
            run: "r-1".to_owned(),
            command: "apply".to_owned(),
            dead: false,
            since: text("10:00"),
            last_sign: text("10:01"),
        };
        let says = |lock: &LockView| lock.lines(400);
        assert!(says(&lock).contains("ann@one is at work since 10:00"), "{}", says(&lock));
        lock.dead = true;
        assert!(says(&lock).contains("the next run takes the lock over"), "{}", says(&lock));
        assert!(!says(&lock).contains("ann@one is at work"), "{}", says(&lock));
        assert_eq!(lock.json()["dead"], true);
    }
}
