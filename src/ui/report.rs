//! What came of a run: counts and time, what failed and why, what was assumed, what stays, where things are, what to do next.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::engine::{Outcome, Report};
use crate::model::{Endpoint, Name, ResourceId};

use super::endpoint::endpoint_json;
use super::event::millis;
use super::failure::failure_with;
use super::json::{OutcomeDocument, skipped};
use super::paint::{Colour, Paint};
use super::plan::{PlanHeader, SIMULATED};
use super::screen::Screen;
use super::text::{duration, length, wrap};

/// A component that is not installed though it was named, or `all` was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What stays of a run: the resource, how much it holds, and why it stays.
pub type Kept = (ResourceId, Option<String>, String);

/// A command that a person may want next, and what it does.
pub type NextCommand = (String, String);

/// What stands below the counts of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The same as above the plan.
    pub header: PlanHeader,
    /// The context under which kubectl reaches the cluster.
    pub context: Option<String>,
    /// Where things answer.
    pub endpoints: Vec<Endpoint>,
    /// What components have to say, by instance.
    pub notes: Vec<(Name, String)>,
    /// What stays.
    pub kept: Vec<Kept>,
    /// What reads values that were drawn anew, and whether it does so by now.
    pub readers: Vec<String>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
    /// What to do next.
    pub next: Vec<NextCommand>,
}

/// What a run did, as far as the screen was told.
struct Done {
    tally: BTreeMap<&'static str, usize>,
    took: Option<Duration>,
}

impl Screen {
    /// Shows what came of a run, with what stands below it.
    pub fn show_report(&self, report: &Report, summary: &Summary) {
        let done = self.done();
        let (report, mut summary) = (self.completed_report(report), summary.clone());
        for (command, _) in &mut summary.next {
            *command = self.completed(command);
        }
        if self.look().is_document() {
            self.print_document("report", &document(&report, &done, Some(&summary)), "");
            return;
        }
        let (width, paint) = (self.look().width, self.paint_out());
        let mut text = outcome_text(&report, &done, width, paint);
        if summary.header.simulated {
            text.push_str(&paint.text(Colour::Yellow, &format!("  {SIMULATED}")));
            text.push('\n');
        }
        text.push_str(&details(&report, width, paint));
        text.push_str(&self.summary_text(&summary));
        self.answer(&text);
    }

    /// Shows what came of a run, and nothing below it.
    pub fn show_short_report(&self, report: &Report) {
        let (done, report) = (self.done(), self.completed_report(report));
        if self.look().is_document() {
            self.print_document("report", &document(&report, &done, None), "");
            return;
        }
        let (width, paint) = (self.look().width, self.paint_out());
        let mut text = outcome_text(&report, &done, width, paint);
        text.push_str(&details(&report, width, paint));
        self.answer(&text);
    }

    fn completed_report(&self, report: &Report) -> Report {
        let mut report = report.clone();
        for outcome in report.outcomes.values_mut() {
            if let Outcome::Failed(failure) = outcome {
                *failure = self.completed_failure(failure);
            }
        }
        report
    }

    fn done(&self) -> Done {
        self.end_run();
        let run = self.run();
        Done { tally: run.tally.clone(), took: run.since.map(|since| since.elapsed()) }
    }

    fn summary_text(&self, summary: &Summary) -> String {
        let (width, paint) = (self.look().width, self.paint_out());
        let mut text = String::new();
        let kept = summary.kept.iter().map(|(id, size, why)| {
            let size = size.as_ref().map(|size| format!(" ({size})")).unwrap_or_default();
            format!("{id}{size}: {why}")
        });
        section(&mut text, "Stays:", kept, width, paint);
        let readers = summary.readers.iter().cloned();
        section(&mut text, "Secrets that were drawn anew:", readers, width, paint);
        let left_out = summary.left_out.iter().map(|left| format!("{}: {}", left.name, left.why));
        section(&mut text, "Left out:", left_out, width, paint);
        text.push_str(&self.endpoints_text(
            &summary.endpoints,
            summary.header.simulated,
            summary.context.as_deref(),
        ));
        let notes = summary.notes.iter().map(|(name, note)| format!("{name}: {note}"));
        section(&mut text, "Notes:", notes, width, paint);
        if !summary.next.is_empty() {
            text.push_str(&heading("Next:", paint));
            let widest = summary.next.iter().map(|(command, _)| length(command)).max();
            let column = widest.unwrap_or_default();
            for (command, what) in &summary.next {
                // A command stays whole, so that it can be copied. Writing to a `String` cannot fail.
                let line = format!("  {command:column$}   {what}");
                if length(&line) <= width {
                    text.push_str(&line);
                } else {
                    write!(text, "  {command}\n      {what}").ok();
                }
                text.push('\n');
            }
        }
        text
    }
}

pub(super) fn heading(title: &str, paint: Paint) -> String {
    format!("\n{}\n", paint.text(Colour::Bold, title))
}

fn section(
    text: &mut String,
    title: &str,
    lines: impl Iterator<Item = String>,
    width: usize,
    paint: Paint,
) {
    for (at, line) in lines.enumerate() {
        if at == 0 {
            text.push_str(&heading(title, paint));
        }
        text.push_str(&wrap(&line, width, "  ", "    "));
        text.push('\n');
    }
}

/// The first lines: how it ended, in counts and time.
fn outcome_text(report: &Report, done: &Done, width: usize, paint: Paint) -> String {
    let failed = report.outcomes.values().any(|o| matches!(o, Outcome::Failed(_)));
    let mut tally = done.tally.clone();
    if tally.is_empty() {
        // What was left as it is and ready is told by no event, and is nothing that was done.
        report.outcomes.values().filter(|outcome| **outcome != Outcome::Done).for_each(|outcome| {
            *tally.entry(OutcomeDocument::new(outcome).outcome).or_insert(0) += 1;
        });
    }
    let counts: Vec<_> = tally.iter().map(|(word, number)| format!("{number} {word}")).collect();
    let counts = if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") };
    let took = done.took.filter(|_| !tally.is_empty());
    let took = took.map(|took| format!(" in {}", duration(took))).unwrap_or_default();
    let (word, colour) = match (report.interrupted, failed) {
        (true, _) => ("Interrupted", Colour::Yellow),
        (false, true) => ("Not all was done", Colour::Red),
        (false, false) => ("Done", Colour::Green),
    };
    let wrapped = wrap(&format!("{word}{took}: {counts}."), width, "", "  ");
    let tail = wrapped.strip_prefix(word).unwrap_or(&wrapped);
    format!("\n{}{tail}\n", paint.text(colour, word))
}

/// What failed and why, what was skipped, what goes on, what was assumed.
fn details(report: &Report, width: usize, paint: Paint) -> String {
    let mut text = String::new();
    let mut skips: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut assumed = Vec::new();
    let mut going_on = Vec::new();
    let mut is_first = true;
    for (id, outcome) in &report.outcomes {
        match outcome {
            Outcome::Done => {}
            Outcome::Assumed(what) if what.is_empty() => assumed.push(format!("{id}: ready")),
            Outcome::Assumed(what) => {
                assumed.extend(what.iter().map(|what| format!("{id}: {what}")));
            }
            Outcome::Started => going_on.push(id.to_string()),
            Outcome::Skipped(reason) => {
                skips.entry(skipped(reason)).or_default().push(id.to_string());
            }
            Outcome::Failed(failure) => {
                if is_first {
                    text.push_str(&heading("Failed:", paint));
                    is_first = false;
                }
                text.push_str(&failure_with(
                    failure,
                    &format!("{id}: "),
                    Colour::Red,
                    width,
                    paint,
                ));
            }
        }
    }
    let skips = skips.into_iter().map(|(why, ids)| format!("{why}: {}", ids.join(", ")));
    section(&mut text, "Skipped, because", skips, width, paint);
    section(&mut text, "Goes on after this command:", going_on.into_iter(), width, paint);
    let title = "Assumed, since no container runs:";
    section(&mut text, title, assumed.into_iter(), width, paint);
    text
}

/// The document of a run that had nothing to do.
pub(super) fn nothing_done() -> Json {
    document(&Report::default(), &Done { tally: BTreeMap::new(), took: None }, None)
}

/// The document of a run: `result` (`done`, `failed`, `interrupted`), `counts` by past participle, `tookMs`, `outcomes` by
/// resource id, and with a summary `project flavour target cluster simulated context endpoints notes kept readers leftOut next`.
fn document(report: &Report, done: &Done, summary: Option<&Summary>) -> Json {
    let failed = report.outcomes.values().any(|o| matches!(o, Outcome::Failed(_)));
    let result = match (report.interrupted, failed) {
        (true, _) => "interrupted",
        (false, true) => "failed",
        (false, false) => "done",
    };
    let outcomes: BTreeMap<_, _> = report
        .outcomes
        .iter()
        .map(|(id, outcome)| (id.to_string(), OutcomeDocument::new(outcome)))
        .collect();
    let mut document = json!({
        "result": result,
        "counts": done.tally,
        "tookMs": done.took.map(millis),
        "outcomes": outcomes,
    });
    if let (Some(summary), Some(all)) = (summary, document.as_object_mut()) {
        all.extend(summary_json(summary));
    }
    document
}

fn summary_json(summary: &Summary) -> serde_json::Map<String, Json> {
    let header = &summary.header;
    let kept = summary.kept.iter();
    let kept: Vec<_> =
        kept.map(|(id, size, why)| json!({"id": id, "size": size, "why": why})).collect();
    let left_out = summary.left_out.iter();
    let left_out: Vec<_> =
        left_out.map(|left| json!({"name": left.name, "why": left.why})).collect();
    let notes: Vec<_> =
        summary.notes.iter().map(|(name, says)| json!({"instance": name, "says": says})).collect();
    let next: Vec<_> = summary
        .next
        .iter()
        .map(|(command, what)| json!({"command": command, "what": what}))
        .collect();
    let endpoints: Vec<_> = summary.endpoints.iter().map(endpoint_json).collect();
    let pairs = [
        ("project", json!(header.project)),
        ("flavour", json!(header.flavour)),
        ("target", json!(header.target)),
        ("cluster", json!(header.cluster)),
        ("simulated", json!(header.simulated)),
        ("context", json!(summary.context)),
        ("endpoints", json!(endpoints)),
        ("notes", json!(notes)),
        ("kept", json!(kept)),
        ("readers", json!(summary.readers)),
        ("leftOut", json!(left_out)),
        ("next", json!(next)),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::header;
    use super::super::screen::tests::recorded;
    use super::super::{Look, Mode};
    use super::*;
    use crate::engine::{Event, Observer as _, SkipReason};
    use crate::model::{Failure, FailureKind};
    use crate::plan::Action;

    fn summary(simulated: bool) -> Summary {
        let endpoint = Endpoint {
            instance: "jupyterhub".parse().unwrap(),
            id: "hub".to_owned(),
            kind: "ui".to_owned(),
            service: "proxy-public".to_owned(),
            namespace: "data-mill".to_owned(),
            port: 80,
            path: "/hub".to_owned(),
            tls: false,
            forward: Some(8000),
            outside: None,
            login: None,
        };
        Summary {
            header: PlanHeader { simulated, ..header() },
            context: Some("datamill-demo".to_owned()),
            endpoints: vec![endpoint],
            notes: vec![("kafka".parse().unwrap(), "topics are made at first use".to_owned())],
            kept: vec![(
                "minio/claim/data".parse().unwrap(),
                Some("10Gi".to_owned()),
                "it holds data".to_owned(),
            )],
            readers: vec!["Deployment lab/ui goes on".to_owned()],
            left_out: vec![LeftOut { name: "nifi".to_owned(), why: "retired".to_owned() }],
            next: vec![("datamill status -l".to_owned(), "how everything is".to_owned())],
        }
    }

    fn report() -> Report {
        let failure = Failure::new(FailureKind::NotReady, "it has stalled")
            .because("Deployment data-mill/kafka: 0 of 1 ready")
            .because("PersistentVolumeClaim data-mill/kafka: no storage class `fast`");
        let need = SkipReason::NeedFailed("kafka/release/kafka".parse().unwrap());
        let outcomes = [
            ("kafka/release/kafka", Outcome::Failed(failure)),
            ("mlflow/release/mlflow", Outcome::Skipped(need.clone())),
            ("mlflow/health/installed", Outcome::Skipped(need)),
            ("minio/health/installed", Outcome::Assumed(vec!["http check".to_owned()])),
        ];
        let outcomes =
            outcomes.into_iter().map(|(id, outcome)| (id.parse().unwrap(), outcome)).collect();
        Report { outcomes, ..Report::default() }
    }

    #[test]
    fn a_report_says_what_failed_why_and_what_was_skipped() {
        let recorded = recorded(Look::new(Mode::Plain));
        recorded.screen.show_report(&report(), &summary(true));
        let text = recorded.stdout();
        for part in [
            "Not all was done",
            "kafka/release/kafka: it has stalled\n  cause: Deployment data-mill/kafka: 0 of 1 ready",
            "  `kafka/release/kafka` failed: mlflow/release/mlflow, mlflow/health/installed",
            "Assumed, since no container runs:\n  minio/health/installed: http check",
            "  minio/claim/data (10Gi): it holds data",
            "Secrets that were drawn anew:\n  Deployment lab/ui goes on",
            "http://proxy-public.data-mill:80/hub",
            "simulated: no container runs in this cluster",
            "  datamill status -l   how everything is",
        ] {
            assert!(text.contains(part), "{part}\n---\n{text}");
        }
        assert!(text.lines().all(|line| length(line) <= 80), "{text}");
        assert!(!text.contains("port-forward"), "{text}");
    }

    #[test]
    fn where_containers_run_a_command_reaches_them() {
        let recorded = recorded(Look::new(Mode::Plain));
        recorded.screen.show_report(&Report::default(), &summary(false));
        let text = recorded.stdout();
        let command = "\n    kubectl --context datamill-demo -n data-mill port-forward svc/proxy-public 8000:80\n";
        assert!(text.contains(command), "{text}");
        assert!(!text.contains("simulated"), "{text}");
    }

    #[test]
    fn counts_come_from_the_events_of_the_run() {
        let recorded = recorded(Look::new(Mode::Json));
        recorded.screen.on_event(&Event::RunStarted { steps: 1 });
        recorded.screen.on_event(&Event::Finished {
            id: "kafka/release/kafka".parse().unwrap(),
            action: Action::Create,
            outcome: Outcome::Done,
            took: Duration::from_secs(1),
        });
        recorded.screen.show_report(&Report::default(), &summary(true));
        recorded.screen.finish(None);
        let document: Json = serde_json::from_str(&recorded.stdout()).unwrap();
        assert_eq!(document["result"], "done");
        assert_eq!(document["counts"]["created"], 1);
        assert_eq!(document["kept"][0]["size"], "10Gi");
        assert_eq!(document["endpoints"][0]["address"], "http://proxy-public.data-mill:80/hub");
        assert_eq!(document["simulated"], true);
    }
}
