//! The programs datamill drives: their list, and the progress of getting one.

use std::collections::btree_map::Entry;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};

use super::paint::Colour;
use super::progress::{TURN, ToolRun, spinner};
use super::screen::{Mode, Screen};
use super::text::{cut, duration, length, wrap};

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
    /// Whether its checksum is pinned; nothing for what the user installed.
    pub pinned: Option<bool>,
    /// How long getting it takes.
    pub takes: Option<Duration>,
    /// How long Go takes to build it, should the download fail.
    pub build_takes: Option<Duration>,
    /// What was found and does not do, a line each.
    pub passed_over: Vec<String>,
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
        let widest = tools.iter().map(|tool| length(&tool.name)).max().unwrap_or_default();
        let column = widest.clamp(4, 30);
        let head = format!("{:column$}  {:9} {:9} HOW TO GET IT", "TOOL", "WANTED", "FOUND");
        let mut table = self.paint_out().text(Colour::Bold, &head);
        for tool in tools {
            let found = tool.found.as_deref().unwrap_or("-");
            let lead = format!("{:column$}  {:9} {found:9} ", tool.name, tool.wanted);
            let rest = " ".repeat(length(&lead));
            table.push('\n');
            table.push_str(&wrap(&how(tool), self.look().width, &lead, &rest));
            // A path stays on one line, so that it can be copied.
            if let Some(location) = &tool.location {
                table.push_str("\n    ");
                table.push_str(location);
            }
            for why in &tool.passed_over {
                table.push('\n');
                table.push_str(&wrap(why, self.look().width, "    passed over: ", "        "));
            }
        }
        self.print_document(&document, &table);
    }
}

fn how(tool: &ToolRow) -> String {
    let takes = tool.takes.map(|takes| format!("about {}", duration(takes)));
    let pinned = (tool.pinned == Some(false)).then(|| "not pinned".to_owned());
    let build = tool.build_takes.map(|t| format!("else built by Go in about {}", duration(t)));
    let parts = [Some(tool.how.clone()), takes, pinned, build];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
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
        "buildTakesSeconds": tool.build_takes.map(|takes| takes.as_secs()),
        "passedOver": tool.passed_over,
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
            "helm: downloading, 0 KiB of 19.0 MiB\nhelm: downloaded in 0 ms\n"
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
            pinned: Some(false),
            takes: Some(Duration::from_mins(5)),
            build_takes: Some(Duration::from_secs(145)),
            passed_over: vec![
                "`/usr/bin/kubectl` is version 1.33.4, and 1.34 to 1.36 is needed".to_owned(),
            ],
        };
        recorded.screen.show_tools(&[tool]);
        let text = recorded.stdout();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(
            text.contains("\n    /home/somebody/.cache/datamill/tools/1.35.4/helm\n"),
            "{text}"
        );
        assert!(text.contains("about 5") && text.contains("not pinned"), "{text}");
        assert!(text.contains("else built by Go"), "{text}");
        assert!(text.contains("\n    passed over: `/usr/bin/kubectl` is version 1.33.4"), "{text}");
    }
}
