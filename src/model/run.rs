//! A run as it is remembered: who ran what, what it began and did not end, how it ended. Memory only: it decides nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ResourceId, RunId};

/// Who runs what: what a lock and a journal say of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// `user@host`.
    pub who: String,
    /// The run.
    pub run: RunId,
    /// The command: `apply`, `destroy` and so on.
    pub command: String,
}

impl Runner {
    /// Reads what [`Runner`] displays: `user@host run command`.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (who, run) = (words.next()?, words.next()?);
        let command = words.collect::<Vec<_>>().join(" ");
        Some(Self { who: who.to_owned(), run: RunId(run.to_owned()), command })
    }

    /// The machine.
    pub fn host(&self) -> &str {
        self.who.rsplit('@').next().unwrap_or_default()
    }
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.who, self.run, self.command)
    }
}

/// A call that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What was to be done: a plan's verb.
    pub action: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// All was done.
    Done,
    /// Something failed.
    Failed,
    /// It was interrupted.
    Interrupted,
    /// It lost its lock and started nothing new.
    LockLost,
    /// It ended without a word; a later run found out.
    Died,
}

impl RunResult {
    /// The word for people and scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::LockLost => "lock-lost",
            Self::Died => "died",
        }
    }
}

/// The end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// How.
    pub result: RunResult,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// A line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JournalLine {
    /// The first line: who runs what.
    Begun {
        /// Who.
        by: Runner,
        /// The flavour.
        flavour: String,
        /// When, in seconds since 1970.
        at: u64,
    },
    /// A call is about to be made.
    Intent {
        /// For which resource.
        id: ResourceId,
        /// What is done: a plan's verb.
        action: String,
        /// When, in seconds since 1970.
        at: u64,
    },
    /// A call came back.
    Result {
        /// For which resource.
        id: ResourceId,
        /// Why it failed, if it did; secrets are masked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
        /// When, in seconds since 1970.
        at: u64,
    },
    /// The last line.
    Ended(RunEnd),
}

/// What is remembered of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Who ran what.
    pub by: Runner,
    /// The flavour.
    pub flavour: String,
    /// When it began, in seconds since 1970.
    pub begun: u64,
    /// How it ended; nothing while it runs, and for ever when it died and nobody noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<RunEnd>,
    /// Calls that were begun and did not come back.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<ResourceId, Intent>,
    /// Calls that failed, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<ResourceId, String>,
    /// How many calls came back well, by a plan's verb.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub done: BTreeMap<String, usize>,
}

impl RunRecord {
    /// A run that has done nothing yet.
    pub fn new(by: Runner, flavour: impl Into<String>, begun: u64) -> Self {
        Self {
            by,
            flavour: flavour.into(),
            begun,
            ended: None,
            open: BTreeMap::new(),
            failed: BTreeMap::new(),
            done: BTreeMap::new(),
        }
    }

    /// Reads a journal. Lines that make no sense are passed over: the last one may be torn. Nothing when the first line is.
    pub fn read(text: &str) -> Option<Self> {
        let mut record: Option<Self> = None;
        for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            match (&mut record, line) {
                (None, JournalLine::Begun { by, flavour, at }) => {
                    record = Some(Self::new(by, flavour, at));
                }
                (Some(record), line) => record.take(line),
                (
                    None,
                    JournalLine::Intent { .. } | JournalLine::Result { .. } | JournalLine::Ended(_),
                ) => {}
            }
        }
        record
    }

    /// Takes a line into account.
    pub fn take(&mut self, line: JournalLine) {
        match line {
            JournalLine::Begun { .. } => {}
            JournalLine::Intent { id, action, at } => {
                self.failed.remove(&id);
                self.open.insert(id, Intent { action, at });
            }
            JournalLine::Result { id, failed, .. } => {
                let Some(intent) = self.open.remove(&id) else { return };
                match failed {
                    Some(why) => {
                        self.failed.insert(id, why);
                    }
                    None => *self.done.entry(intent.action).or_default() += 1,
                }
            }
            JournalLine::Ended(end) => self.ended = Some(end),
        }
    }

    /// The last sign of life, in seconds since 1970.
    pub fn last_sign(&self) -> u64 {
        let ended = self.ended.map(|end| end.at);
        let intents = self.open.values().map(|intent| intent.at);
        intents.chain(ended).max().unwrap_or(self.begun).max(self.begun)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by() -> Runner {
        Runner {
            who: "ann@laptop".to_owned(),
            run: RunId("laptop.7.1.x".to_owned()),
            command: "apply".to_owned(),
        }
    }

    fn id(name: u8) -> ResourceId {
        format!("a{name}/objects/main").parse().unwrap()
    }

    fn journal() -> Vec<JournalLine> {
        let intent =
            |name| JournalLine::Intent { id: id(name), action: "create".to_owned(), at: 2 };
        let result = |name, failed: Option<&str>| JournalLine::Result {
            id: id(name),
            failed: failed.map(str::to_owned),
            at: 3,
        };
        vec![
            JournalLine::Begun { by: by(), flavour: "demo".to_owned(), at: 1 },
            intent(1),
            intent(2),
            result(1, None),
            intent(3),
            result(2, Some("no")),
            intent(2),
        ]
    }

    fn text(lines: &[JournalLine]) -> String {
        lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
    }

    #[test]
    fn a_holder_is_read_as_it_is_written() {
        assert_eq!(Runner::read(&by().to_string()), Some(by()));
        assert_eq!(by().host(), "laptop");
        assert_eq!(Runner::read(""), None);
        assert_eq!(Runner::read("somebody"), None);
    }

    #[test]
    fn what_did_not_come_back_is_open() {
        let record = RunRecord::read(&text(&journal())).unwrap();
        assert_eq!(record.open.keys().collect::<Vec<_>>(), [&id(2), &id(3)]);
        assert_eq!(record.done["create"], 1);
        assert_eq!((record.ended, record.failed.len(), record.last_sign()), (None, 0, 2));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&json).unwrap(), record);
    }

    proptest! {
        #[test]
        fn a_journal_cut_anywhere_is_a_run_that_did_less(cut in 0_usize..900, garbage in "[\\x00-\\x7f]{0,20}") {
            let whole = text(&journal());
            let cut = cut.min(whole.len());
            let kept = whole[..cut].matches('\n').count();
            let torn = format!("{}{garbage}", &whole[..cut]);
            let Some(record) = RunRecord::read(&torn) else {
                prop_assert_eq!(kept, 0);
                return Ok(());
            };
            // Every whole line counts; what is torn never closes an intent that is open.
            let mut least = RunRecord::new(by(), "demo", 1);
            journal().into_iter().take(kept).for_each(|line| least.take(line));
            let seen: Vec<_> = least.open.keys().collect();
            prop_assert!(seen.iter().all(|id| record.open.contains_key(id)) || cut == whole.len() || whole.as_bytes()[cut] == b'\n');
        }
    }
}
