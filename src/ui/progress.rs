//! A run as it goes: a line per running step and totals below on a terminal, lines in a log, events for scripts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::engine::{Event, Observer, Outcome};
use crate::model::ResourceId;
use crate::plan::Action;

use super::event::{self, done_word};
use super::paint::Colour;
use super::screen::{Mode, Screen};
use super::text::{cut, duration, wrap};
use super::tool;

/// A step that takes longer says so this often.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often spinners turn.
pub(super) const TURN: Duration = Duration::from_millis(120);

/// What is known of the run so far.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) steps: usize,
    pub(super) finished: usize,
    pub(super) failed: usize,
    pub(super) running: BTreeMap<ResourceId, Running>,
    pub(super) tally: BTreeMap<&'static str, usize>,
    pub(super) since: Option<Instant>,
    pub(super) tools: BTreeMap<String, ToolRun>,
    total: Option<ProgressBar>,
}

/// A step under way.
#[derive(Debug)]
pub(super) struct Running {
    says: String,
    since: Instant,
    spoke: Instant,
    bar: Option<ProgressBar>,
}

/// A tool that is got.
#[derive(Debug)]
pub(super) struct ToolRun {
    pub(super) says: String,
    pub(super) since: Instant,
    pub(super) spoke: Instant,
    /// Whether it waits for somebody else's work.
    pub(super) waits: bool,
    pub(super) bar: Option<ProgressBar>,
}

/// The look of a line with a spinner.
pub(super) fn spinner(colour: bool) -> ProgressStyle {
    let template = if colour {
        "{spinner:.cyan} {prefix}  {wide_msg:.dim} {elapsed:.dim}"
    } else {
        "{spinner} {prefix}  {wide_msg} {elapsed}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn total_style() -> ProgressStyle {
    ProgressStyle::with_template("  [{bar:24}] {pos}/{len} {msg}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

impl Observer for Screen {
    fn on_event(&self, event: &Event) {
        let mut event = event.clone();
        if let Event::Finished { outcome: Outcome::Failed(failure), .. } = &mut event {
            *failure = self.completed_failure(failure);
        }
        let event = &event;
        let is_news = self.remember(event);
        match self.look().mode {
            Mode::Terminal => self.draw(event),
            Mode::Plain | Mode::Markdown | Mode::Svg if is_news => self.say(&event::line(event)),
            Mode::Json | Mode::Yaml if is_news => self.event(&event::json_line(event)),
            Mode::Plain | Mode::Json | Mode::Yaml | Mode::Markdown | Mode::Svg => {}
        }
    }
}

impl Screen {
    /// The observer of a run.
    pub fn observer(&self) -> &dyn Observer {
        self
    }

    /// Whether a run is under way: an interrupt then lets running steps end.
    pub fn is_running(&self) -> bool {
        if self.is_busy() {
            return true;
        }
        let run = self.run();
        run.since.is_some() && (run.finished < run.steps || !run.running.is_empty())
    }

    /// The steps under way.
    pub fn under_way(&self) -> Vec<String> {
        self.run().running.keys().map(ToString::to_string).collect()
    }

    /// Whether a run was begun.
    pub fn has_run(&self) -> bool {
        self.run().since.is_some()
    }

    /// Says of each step that has been silent for ten seconds that it is still at it. Called about once a second.
    pub fn beat(&self, now: Instant) {
        if self.look().mode == Mode::Terminal {
            return;
        }
        let mut lines = Vec::new();
        let mut run = self.run();
        for (id, step) in &mut run.running {
            if now.saturating_duration_since(step.spoke) >= HEARTBEAT {
                step.spoke = now;
                let since = now.saturating_duration_since(step.since);
                let line = format!("{id}: still at it after {}", duration(since));
                let says =
                    if step.says.is_empty() { String::new() } else { format!(": {}", step.says) };
                let json = json!({"event": "still", "id": id, "says": step.says, "sinceMs": event::millis(since)});
                lines.push((line + &says, json));
            }
        }
        lines.extend(tool::beat(&mut run.tools, now));
        drop(run);
        for (line, json) in lines {
            if self.look().is_document() { self.event(&json) } else { self.say(&line) }
        }
    }

    /// Takes an event into account; tells whether it says something new.
    fn remember(&self, event: &Event) -> bool {
        let now = Instant::now();
        let mut run = self.run();
        match event {
            Event::RunStarted { steps } => {
                if let Some(total) = run.total.take() {
                    total.finish_and_clear();
                }
                *run = Run { steps: *steps, since: Some(now), ..Run::default() };
            }
            Event::Started { id, .. } => {
                let step = Running { says: String::new(), since: now, spoke: now, bar: None };
                run.running.insert(id.clone(), step);
            }
            Event::Progress { id, says } => {
                let Some(step) = run.running.get_mut(id) else { return true };
                if step.says == *says {
                    return false;
                }
                step.says.clone_from(says);
                step.spoke = now;
            }
            Event::Retrying { id, because, .. } => {
                if let Some(step) = run.running.get_mut(id) {
                    step.says.clone_from(because);
                    step.spoke = now;
                }
            }
            Event::Finished { id, action, outcome, .. } => {
                run.finished += 1;
                run.failed += usize::from(matches!(outcome, Outcome::Failed(_)));
                *run.tally.entry(done_word(id, action, outcome)).or_insert(0) += 1;
                // On a terminal the line is taken off the screen first, see `draw`.
                if self.look().mode != Mode::Terminal {
                    run.running.remove(id);
                }
            }
            Event::Interrupted | Event::LockLost => {}
        }
        true
    }

    fn draw(&self, event: &Event) {
        match event {
            Event::RunStarted { steps } => {
                let length = u64::try_from(*steps).unwrap_or(u64::MAX);
                let total = ProgressBar::new(length).with_style(total_style());
                let total = self.bars().add(total);
                total.enable_steady_tick(TURN);
                self.run().total = Some(total);
            }
            Event::Started { id, action } => self.draw_step(id, action),
            Event::Progress { id, says } => self.draw_message(id, says),
            Event::Retrying { id, because, after } => {
                let says = format!("tries again in {}: {because}", duration(*after));
                self.draw_message(id, &says);
            }
            Event::Finished { id, action, outcome, took } => {
                let step = self.run().running.remove(id);
                if let Some(bar) = step.and_then(|step| step.bar) {
                    bar.finish_and_clear();
                    self.bars().remove(&bar);
                }
                let (sign, colour) = match outcome {
                    Outcome::Done | Outcome::Started => ("✓", Colour::Green),
                    Outcome::Assumed(_) => ("≈", Colour::Green),
                    Outcome::Failed(_) => ("✗", Colour::Red),
                    Outcome::Skipped(_) => ("-", Colour::Dim),
                };
                let ending = event::ending(id, action, outcome, *took);
                let text = wrap(&format!("{id}  {ending}"), self.look().width - 2, "", "    ");
                self.say(&format!("{} {text}", self.paint().text(colour, sign)));
                self.draw_total();
            }
            Event::Interrupted => self.warn(event::interrupted()),
            Event::LockLost => self.warn(event::lock_lost()),
        }
    }

    fn draw_step(&self, id: &ResourceId, action: &Action) {
        let bar = ProgressBar::new_spinner()
            .with_style(spinner(self.look().colour_err))
            .with_prefix(cut(&id.to_string(), self.look().width / 2))
            .with_message(action.verb());
        let total = self.run().total.clone();
        let bar = match total {
            Some(total) => self.bars().insert_before(&total, bar),
            None => self.bars().add(bar),
        };
        bar.enable_steady_tick(TURN);
        if let Some(step) = self.run().running.get_mut(id) {
            step.bar = Some(bar);
        }
        self.draw_total();
    }

    fn draw_message(&self, id: &ResourceId, says: &str) {
        let bar = self.run().running.get(id).and_then(|step| step.bar.clone());
        if let Some(bar) = bar {
            bar.set_message(cut(says, 200));
        }
    }

    fn draw_total(&self) {
        let run = self.run();
        let Some(total) = run.total.clone() else { return };
        let (running, failed) = (run.running.len(), run.failed);
        let done = u64::try_from(run.finished).unwrap_or(u64::MAX);
        drop(run);
        total.set_position(done);
        let failed = if failed == 0 { String::new() } else { format!(", {failed} failed") };
        total.set_message(format!("done, {running} running{failed}"));
    }

    /// Takes the bars away, so that a report stands alone.
    pub(super) fn end_run(&self) {
        let mut run = self.run();
        let total = run.total.take();
        let bars: Vec<_> = std::mem::take(&mut run.running).into_values().collect();
        run.steps = run.finished;
        drop(run);
        let bars = bars.into_iter().filter_map(|step| step.bar);
        total.into_iter().chain(bars).for_each(|bar| bar.finish_and_clear());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Look;
    use super::super::screen::tests::recorded;
    use super::*;

    fn id() -> ResourceId {
        "kafka/release/kafka".parse().unwrap()
    }

    fn play(screen: &Screen) {
        let says = |says: &str| Event::Progress { id: id(), says: says.to_owned() };
        let events = [
            Event::RunStarted { steps: 1 },
            Event::Started { id: id(), action: Action::Create },
            says("Deployment kafka: 0 of 1 ready"),
            says("Deployment kafka: 0 of 1 ready"),
            Event::Finished {
                id: id(),
                action: Action::Create,
                outcome: Outcome::Done,
                took: Duration::from_secs(12),
            },
        ];
        for event in &events {
            screen.observer().on_event(event);
        }
    }

    #[test]
    fn a_log_has_one_line_per_fact_and_repeats_nothing() {
        let recorded = recorded(Look::new(Mode::Plain));
        play(&recorded.screen);
        let wanted = "\
1 step
kafka/release/kafka: create
kafka/release/kafka: Deployment kafka: 0 of 1 ready
kafka/release/kafka: created in 12 s
";
        assert_eq!(recorded.stderr(), wanted);
        assert_eq!(recorded.stdout(), "");
    }

    #[test]
    fn scripts_get_an_event_per_line() {
        let recorded = recorded(Look::new(Mode::Json));
        play(&recorded.screen);
        let events: Vec<serde_json::Value> =
            recorded.stderr().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let words: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
        assert_eq!(words, ["run-started", "started", "progress", "finished"]);
    }

    #[test]
    fn a_long_step_says_every_ten_seconds_that_it_is_still_at_it() {
        let recorded = recorded(Look::new(Mode::Plain));
        let screen = &recorded.screen;
        screen.on_event(&Event::RunStarted { steps: 1 });
        screen.on_event(&Event::Started { id: id(), action: Action::Create });
        let begin = Instant::now();
        let before = recorded.stderr();
        for seconds in [5, 12, 15, 24] {
            screen.beat(begin + Duration::from_secs(seconds));
        }
        let after = recorded.stderr();
        let beats: Vec<_> = after.strip_prefix(&before).unwrap().lines().collect();
        assert_eq!(beats.len(), 2, "{beats:?}");
        assert!(beats[0].starts_with("kafka/release/kafka: still at it after 12 s"), "{beats:?}");
    }

    #[test]
    fn a_run_is_running_until_its_last_step_ended() {
        let recorded = recorded(Look::new(Mode::Plain));
        assert!(!recorded.screen.is_running());
        recorded.screen.on_event(&Event::RunStarted { steps: 1 });
        assert!(recorded.screen.is_running());
        recorded.screen.on_event(&Event::Started { id: id(), action: Action::Create });
        assert!(recorded.screen.is_running());
        play(&recorded.screen);
        assert!(!recorded.screen.is_running());
    }

    #[test]
    fn a_terminal_keeps_a_line_of_what_ended() {
        let recorded = recorded(Look::new(Mode::Terminal));
        play(&recorded.screen);
        assert_eq!(recorded.stderr(), "✓ kafka/release/kafka  created in 12 s\n");
        assert!(recorded.screen.run().running.is_empty());
    }
}
