//! The programs datamill drives: their list, and the progress of getting one.

use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};

use super::progress::{TURN, ToolRun, spinner};
use super::screen::{Mode, Screen};
use super::text::{cut, duration};

/// What happens while a tool is got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolEvent {
    /// Bytes come in.
    Downloading {
        /// The tool.
        tool: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, when the server says so.
        total: Option<u64>,
    },
    /// It is compiled, or something else that has no measure.
    Building {
        /// The tool.
        tool: String,
        /// What is going on.
        says: String,
    },
    /// It is there.
    Ready {
        /// The tool.
        tool: String,
        /// How it was got: `downloaded`, `built with Go`.
        says: String,
    },
    /// It could not be got this way.
    Failed {
        /// The tool.
        tool: String,
        /// Why, and what is tried next.
        says: String,
    },
}

/// A line of the list of tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolRow {
    /// Its name.
    pub name: String,
    /// The version wanted.
    pub wanted: String,
    /// The version found.
    pub found: Option<String>,
    /// Where it was found.
    pub location: Option<String>,
    /// How it would be got.
    pub how: String,
    /// Whether its checksum is pinned.
    pub pinned: bool,
    /// How long getting it takes.
    pub takes: Option<Duration>,
}

impl Screen {
    /// Shows what happens while a tool is got.
    pub fn tool_event(&self, event: &ToolEvent) {
        match event {
            ToolEvent::Downloading { tool, done, total } => {
                let says = match total {
                    Some(total) => format!("downloading, {} of {}", bytes(*done), bytes(*total)),
                    None => format!("downloading, {} so far", bytes(*done)),
                };
                self.tool_goes_on(tool, says, Some((*done, *total)));
            }
            ToolEvent::Building { tool, says } => self.tool_goes_on(tool, says.clone(), None),
            ToolEvent::Ready { tool, says } => self.tool_ended(tool, says, "ready"),
            ToolEvent::Failed { tool, says } => self.tool_ended(tool, says, "failed"),
        }
    }

    fn tool_goes_on(&self, tool: &str, says: String, bytes: Option<(u64, Option<u64>)>) {
        let now = Instant::now();
        let mut run = self.run();
        let first = match run.tools.entry(tool.to_owned()) {
            Entry::Occupied(mut known) => {
                known.get_mut().says.clone_from(&says);
                false
            }
            Entry::Vacant(free) => {
                let bar = (self.look().mode == Mode::Terminal).then(|| self.tool_bar(tool, bytes));
                free.insert(ToolRun { says: says.clone(), since: now, spoke: now, bar });
                true
            }
        };
        let bar = run.tools.get(tool).and_then(|tool| tool.bar.clone());
        drop(run);
        match (bar, bytes) {
            (Some(bar), Some((done, total))) => {
                if let Some(total) = total {
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
            (Some(bar), None) => bar.set_message(says),
            (None, _) if first && self.look().is_document() => {
                self.event(
                    &json!({"event": "tool", "tool": tool, "state": "getting", "says": says}),
                );
            }
            (None, _) if first => self.say(&format!("{tool}: {says}")),
            (None, _) => {}
        }
    }

    fn tool_bar(&self, tool: &str, bytes: Option<(u64, Option<u64>)>) -> ProgressBar {
        let bar = if let Some((_, Some(total))) = bytes {
            let style = "  {prefix} [{bar:30}] {bytes} of {total_bytes}, {eta} left";
            let style = ProgressStyle::with_template(style)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style.progress_chars("=> "))
        } else {
            ProgressBar::new_spinner().with_style(spinner(self.look().colour_err))
        };
        let bar = self.bars().add(bar.with_prefix(tool.to_owned()));
        bar.enable_steady_tick(TURN);
        bar
    }

    fn tool_ended(&self, tool: &str, says: &str, state: &str) {
        let run = self.run().tools.remove(tool);
        let time = run.as_ref().map(|run| format!(" in {}", duration(run.since.elapsed())));
        if let Some(bar) = run.and_then(|run| run.bar) {
            bar.finish_and_clear();
        }
        if self.look().is_document() {
            self.event(&json!({"event": "tool", "tool": tool, "state": state, "says": says}));
        } else {
            self.say(&format!("{tool}: {says}{}", time.unwrap_or_default()));
        }
    }

    /// Shows the list of tools.
    pub fn show_tools(&self, tools: &[ToolRow]) {
        let document = json!({"tools": tools.iter().map(tool_json).collect::<Vec<_>>()});
        let rows: Vec<_> = tools.iter().map(tool_row).collect();
        let table = self.table(&["tool", "wanted", "found", "where", "how to get it"], &rows);
        self.print_document(&document, &table);
    }
}

fn tool_row(tool: &ToolRow) -> Vec<String> {
    let mut how = tool.how.clone();
    if let Some(takes) = tool.takes {
        how = format!("{how}, about {}", duration(takes));
    }
    if !tool.pinned {
        how.push_str(", not pinned");
    }
    vec![
        tool.name.clone(),
        tool.wanted.clone(),
        tool.found.clone().unwrap_or_else(|| "-".to_owned()),
        tool.location.clone().unwrap_or_else(|| "-".to_owned()),
        how,
    ]
}

fn tool_json(tool: &ToolRow) -> Json {
    json!({
        "name": tool.name,
        "wanted": tool.wanted,
        "found": tool.found,
        "location": tool.location,
        "how": tool.how,
        "pinned": tool.pinned,
        "takesSeconds": tool.takes.map(|takes| takes.as_secs()),
    })
}

/// Bytes as people say them.
fn bytes(number: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if number < MIB {
        format!("{} KiB", number / 1024)
    } else {
        format!("{}.{} MiB", number / MIB, number % MIB * 10 / MIB)
    }
}

/// What a heartbeat says of a tool.
pub(super) fn still(tool: &str, run: &ToolRun, now: Instant) -> String {
    let since = duration(now.saturating_duration_since(run.since));
    format!("{tool}: still at it after {since}: {}", cut(&run.says, 100))
}

#[cfg(test)]
mod tests {
    use super::super::Look;
    use super::super::screen::tests::recorded;
    use super::*;

    #[test]
    fn a_log_says_when_getting_begins_and_ends_and_not_each_chunk() {
        let recorded = recorded(Look::new(Mode::Plain));
        for done in [0, 1_000_000, 2_000_000] {
            let tool = "helm".to_owned();
            recorded.screen.tool_event(&ToolEvent::Downloading {
                tool,
                done,
                total: Some(20_000_000),
            });
        }
        let (tool, says) = ("helm".to_owned(), "downloaded".to_owned());
        recorded.screen.tool_event(&ToolEvent::Ready { tool, says });
        assert_eq!(
            recorded.stderr(),
            "helm: downloading, 0 KiB of 19.0 MiB\nhelm: downloaded in 0.0 s\n"
        );
    }

    #[test]
    fn the_list_fits_80_columns() {
        let recorded = recorded(Look::new(Mode::Plain));
        let tool = ToolRow {
            name: "kube-controller-manager".to_owned(),
            wanted: "1.35.4".to_owned(),
            found: None,
            location: Some("/home/somebody/.cache/datamill/tools/1.35.4/helm".to_owned()),
            how: "download, else `go build`".to_owned(),
            pinned: false,
            takes: Some(Duration::from_mins(5)),
        };
        recorded.screen.show_tools(&[tool]);
        let text = recorded.stdout();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
