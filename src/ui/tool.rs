//! The programs datamill drives: their list, and the progress of getting one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value as Json, json};

use super::paint::Colour;
use super::progress::{HEARTBEAT, TURN, ToolRun, spinner};
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
    /// It waits for somebody else's work.
    Waiting {
        /// The tool.
        tool: String,
        /// For what.
        says: String,
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
                self.tool_goes_on(tool, says, Some((*done, *total)), false);
            }
            ToolEvent::Waiting { tool, says } => self.tool_goes_on(tool, says.clone(), None, true),
            ToolEvent::Building { tool, says } => {
                self.tool_goes_on(tool, says.clone(), None, false);
            }
            ToolEvent::Ready { tool, says } => self.tool_ended(tool, says, "ready"),
            ToolEvent::Failed { tool, says } => self.tool_ended(tool, says, "failed"),
        }
    }

    /// Notes what a tool is at. In a log it is news when the tool begins, and when its own work begins after a wait; of several
    /// that wait for the same, the first says so.
    fn tool_goes_on(
        &self,
        tool: &str,
        says: String,
        bytes: Option<(u64, Option<u64>)>,
        waits: bool,
    ) {
        let now = Instant::now();
        let is_document = self.look().is_document();
        let mut run = self.run();
        let known = run.tools.get(tool).map(|run| run.waits);
        let somebody_said_it = run.tools.values().any(|other| other.waits && other.says == says);
        let begins = known.is_none_or(|waited| waited && !waits);
        let is_news = begins && (is_document || !waits || !somebody_said_it);
        let step = run.tools.entry(tool.to_owned()).or_insert_with(|| {
            let bar = (self.look().mode == Mode::Terminal).then(|| self.tool_bar(tool));
            ToolRun { says: String::new(), since: now, spoke: now, waits, bar }
        });
        if begins {
            (step.since, step.spoke) = (now, now);
        }
        step.waits = waits;
        step.says.clone_from(&says);
        let bar = step.bar.clone();
        drop(run);
        match (bar, bytes) {
            (Some(bar), Some((done, total))) => {
                if let Some(total) = total
                    && bar.length() != Some(total)
                {
                    bar.set_style(bytes_style());
                    bar.set_length(total);
                }
                bar.set_message(says);
                bar.set_position(done);
            }
            (Some(bar), None) => bar.set_message(says),
            (None, _) if is_news && is_document => self.event(&tool_event(tool, waits, &says)),
            (None, _) if is_news => self.say(&format!("{tool}: {says}")),
            (None, _) => {}
        }
    }

    fn tool_bar(&self, tool: &str) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_style(spinner(self.look().colour_err));
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
            let time = time.filter(|_| state == "ready").unwrap_or_default();
            self.say(&format!("{tool}: {says}{time}"));
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
            if let Some(takes) = tool.build_takes {
                write!(table, "\n{rest}else by Go, about {}", duration(takes)).ok();
            }
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
        let unpinned = tools.iter().filter(|tool| tool.pinned == Some(false));
        let unpinned: Vec<_> = unpinned.map(|tool| tool.name.as_str()).collect();
        if !unpinned.is_empty() {
            let text = format!("no checksum is pinned for {}", unpinned.join(", "));
            table.push_str("\n\n");
            table.push_str(&wrap(&text, self.look().width, "", "  "));
        }
        self.print_document("tools", &document, &table);
    }
}

fn how(tool: &ToolRow) -> String {
    let takes = tool.takes.map(|takes| format!("about {}", duration(takes)));
    let parts = [Some(tool.how.clone()), takes];
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

/// What a script reads of a tool under way.
fn tool_event(tool: &str, waits: bool, says: &str) -> Json {
    let state = if waits { "waiting" } else { "getting" };
    json!({"event": "tool", "tool": tool, "state": state, "says": says})
}

fn bytes_style() -> ProgressStyle {
    ProgressStyle::with_template("  {prefix} [{bar:30}] {bytes} of {total_bytes}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// What a heartbeat says of tools: a line for each that is worked on; where none is, one for all that wait for the same. Each
/// is a text for a log, with an event for scripts.
pub(super) fn beat(tools: &mut BTreeMap<String, ToolRun>, now: Instant) -> Vec<(String, Json)> {
    let mut lines = Vec::new();
    let mut waiting: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let number = tools.values().filter(|run| run.waits).count();
    let all_wait = number == tools.len();
    for (name, run) in tools {
        if run.waits && !all_wait {
            continue;
        }
        if now.saturating_duration_since(run.spoke) < HEARTBEAT {
            continue;
        }
        run.spoke = now;
        if run.waits {
            waiting.entry(run.says.clone()).or_default().push(name.clone());
        } else {
            let since = duration(now.saturating_duration_since(run.since));
            let says = cut(&run.says, 100);
            let wait = if number == 0 { String::new() } else { format!(" ({number} more wait)") };
            let line = format!("{name}: still at it after {since}: {says}{wait}");
            lines.push((line, tool_event(name, false, &run.says)));
        }
    }
    lines.extend(waiting.into_iter().map(|(says, names)| {
        let names = names.join(", ");
        let event = tool_event(&names, true, &says);
        (format!("{names}: still {says}"), event)
    }));
    lines
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

    fn goes_on(tool: &str, says: &str, waits: bool) -> ToolEvent {
        let (tool, says) = (tool.to_owned(), says.to_owned());
        if waits { ToolEvent::Waiting { tool, says } } else { ToolEvent::Building { tool, says } }
    }

    #[test]
    fn tools_that_wait_for_the_same_are_one_line() {
        let recorded = recorded(Look::new(Mode::Plain));
        recorded.screen.tool_event(&goes_on("helm", "building, about 2 min", false));
        for tool in ["kwok", "kubectl", "etcd"] {
            recorded.screen.tool_event(&goes_on(tool, "waiting for Go", true));
        }
        let begin = Instant::now();
        for seconds in [5, 12, 15] {
            recorded.screen.beat(begin + Duration::from_secs(seconds));
        }
        let (tool, says) = ("helm".to_owned(), "built".to_owned());
        recorded.screen.tool_event(&ToolEvent::Ready { tool, says });
        for seconds in [16, 20] {
            recorded.screen.beat(begin + Duration::from_secs(seconds));
        }
        recorded.screen.tool_event(&goes_on("etcd", "building, about 10 s", false));
        recorded.screen.tool_event(&goes_on("etcd", "7 packages", false));
        let wanted = "\
helm: building, about 2 min
kwok: waiting for Go
helm: still at it after 12 s: building, about 2 min (3 more wait)
helm: built in 0 ms
etcd, kubectl, kwok: still waiting for Go
etcd: building, about 10 s
";
        assert_eq!(recorded.stderr(), wanted);
    }

    #[test]
    fn scripts_know_each_tool_that_waits() {
        let recorded = recorded(Look::new(Mode::Json));
        for tool in ["kwok", "kubectl"] {
            recorded.screen.tool_event(&goes_on(tool, "waiting for Go", true));
        }
        let events: Vec<Json> =
            recorded.stderr().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1]["tool"], "kubectl");
        assert_eq!(events[1]["state"], "waiting");
    }

    #[test]
    fn the_list_fits_80_columns() {
        let recorded = recorded(Look::new(Mode::Plain));
        let tool = ToolRow {
            name: "kube-controller-manager".to_owned(),
            wanted: "1.35.4".to_owned(),
            found: None,
            location: Some("/home/somebody/.cache/datamill/tools/1.35.4/helm".to_owned()),
            how: "download".to_owned(),
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
        assert!(
            text.contains("about 5 min") && text.contains("no checksum is pinned for"),
            "{text}"
        );
        assert!(text.contains(" else by Go, about 2 min 25 s\n"), "{text}");
        assert!(text.contains("\n    passed over: `/usr/bin/kubectl` is version 1.33.4"), "{text}");
    }
}
