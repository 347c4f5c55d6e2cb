//! How everything is: the cluster, each instance, what is kept, where things answer.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::model::Endpoint;

use super::endpoint::endpoint_json;
use super::paint::Colour;
use super::plan::PlanHeader;
use super::run::{LockView, RunView};
use super::screen::Screen;
use super::text::wrap;

/// What `status` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusView {
    /// The same as above a plan.
    pub header: PlanHeader,
    /// How the cluster is: `running`, `stopped`, `broken` (a part of it died), `absent`, `being made`, `half-made` (the run that
    /// made it died), `unreachable`.
    pub cluster: String,
    /// A row per instance.
    pub rows: Vec<StatusRow>,
    /// What holds data, with its size.
    pub kept: Vec<DataRow>,
    /// What holds data and is not in the flavour any more, with its size: it stays until somebody takes it away.
    pub orphaned: Vec<DataRow>,
    /// Where things answer.
    pub endpoints: Vec<Endpoint>,
    /// Who is at work, if anybody.
    pub lock: Option<LockView>,
    /// The last run.
    pub last_run: Option<RunView>,
    /// Earlier runs that ended without a word and that no run has settled since.
    pub died: Vec<RunView>,
    /// All runs that are remembered, the newest first.
    pub runs: Vec<RunView>,
}

/// What holds data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataRow {
    /// Its id.
    pub id: String,
    /// How much it holds.
    pub size: Option<String>,
    /// The namespace it lies in, of what lies in one.
    pub namespace: Option<String>,
}

impl DataRow {
    fn json(&self) -> Json {
        json!({"id": self.id, "size": self.size, "namespace": self.namespace})
    }
}

/// How one instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRow {
    /// Its name.
    pub instance: String,
    /// `ready`, `assumed`, `running`, `settling`, `incomplete`, `unmanaged`, `unknown` or `failed`.
    pub state: String,
    /// Why it is not ready, or what was assumed.
    pub says: Vec<String>,
}

impl Screen {
    /// Shows how everything is.
    pub fn show_status(&self, view: &StatusView) {
        let (width, paint) = (self.look().width, self.paint_out());
        let mut text = view.header.lines("Status of", width, paint);
        // Writing to a `String` cannot fail.
        writeln!(text, "  the cluster is {}", view.cluster).ok();
        text.push_str(&view.lock.as_ref().map(|lock| lock.lines(width)).unwrap_or_default());
        text.push_str(
            &view.last_run.as_ref().map(|run| run.lines("last run", width)).unwrap_or_default(),
        );
        view.died.iter().for_each(|run| text.push_str(&run.lines("earlier run", width)));
        if let Some(before) = view.runs.len().checked_sub(1).filter(|before| *before > 0) {
            let runs = if before == 1 { "run" } else { "runs" };
            writeln!(text, "  {before} {runs} before that: status --output json, `runs`").ok();
        }
        if !view.rows.is_empty() {
            text.push('\n');
        }
        let widest = view.rows.iter().map(|row| row.instance.chars().count()).max();
        let column = widest.unwrap_or_default().clamp(8, 40);
        for row in &view.rows {
            let colour = match row.state.as_str() {
                "ready" | "assumed" | "running" => Colour::Green,
                "failed" | "incomplete" => Colour::Red,
                _ => Colour::Yellow,
            };
            let state = paint.text(colour, &row.state);
            writeln!(text, "  {:column$}  {state}", row.instance).ok();
            for says in &row.says {
                text.push_str(&wrap(&self.completed(says), width, "      ", "        "));
                text.push('\n');
            }
        }
        let lists = [
            ("Holds data:", &view.kept),
            ("Holds data, kept though the flavour does not name it:", &view.orphaned),
        ];
        for (heading, list) in lists {
            for (at, DataRow { id, size, .. }) in list.iter().enumerate() {
                if at == 0 {
                    writeln!(text, "\n{}", paint.text(Colour::Bold, heading)).ok();
                }
                let size = size.as_ref().map(|size| format!(" ({size})")).unwrap_or_default();
                writeln!(text, "  {id}{size}").ok();
            }
        }
        text.push_str(&self.endpoints_text(&view.endpoints, view.header.simulated, None));
        let document = json!({
            "project": view.header.project,
            "flavour": view.header.flavour,
            "target": view.header.target,
            "simulated": view.header.simulated,
            "cluster": {"state": view.cluster, "says": view.header.cluster},
            "instances": view.rows.iter().map(|row| json!({
                "name": row.instance, "state": row.state, "says": row.says,
            })).collect::<Vec<_>>(),
            "data": view.kept.iter().map(DataRow::json).collect::<Vec<_>>(),
            "orphaned": view.orphaned.iter().map(DataRow::json).collect::<Vec<_>>(),
            "lock": view.lock.as_ref().map(LockView::json),
            "lastRun": view.last_run.as_ref().map(RunView::json),
            "died": view.died.iter().map(RunView::json).collect::<Vec<_>>(),
            "runs": view.runs.iter().map(RunView::json).collect::<Vec<_>>(),
            "endpoints": view.endpoints.iter().map(endpoint_json).collect::<Vec<_>>(),
        });
        self.print_document("status", &document, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::header;
    use super::super::screen::tests::recorded;
    use super::super::{Look, Mode};
    use super::*;

    fn view() -> StatusView {
        let row = |instance: &str, state: &str, says: &[&str]| StatusRow {
            instance: instance.to_owned(),
            state: state.to_owned(),
            says: says.iter().map(|says| (*says).to_owned()).collect(),
        };
        let data = |id: &str, size: Option<&str>| DataRow {
            id: id.to_owned(),
            size: size.map(str::to_owned),
            namespace: Some("data-mill".to_owned()),
        };
        StatusView {
            header: header(),
            cluster: "running".to_owned(),
            rows: vec![
                row("kafka", "failed", &["kafka/release/kafka ← Pod x: no image"]),
                row("minio-datalake", "ready", &[]),
            ],
            kept: vec![data("minio/claim/data", Some("10Gi"))],
            orphaned: vec![data("kafka/claim/log", None)],
            endpoints: Vec::new(),
            lock: None,
            last_run: Some(RunView {
                who: "ann@laptop".to_owned(),
                run: "laptop.7.1.x".to_owned(),
                command: "apply".to_owned(),
                flavour: "demo".to_owned(),
                begun: "2026-01-31 12:30:45 UTC".to_owned(),
                ended: None,
                result: "died".to_owned(),
                open: vec![("kafka/release/kafka".to_owned(), "create".to_owned())],
                failed: Vec::new(),
            }),
            died: Vec::new(),
            runs: Vec::new(),
        }
    }

    #[test]
    fn status_says_how_each_instance_is_and_why() {
        let recorded = recorded(Look::new(Mode::Plain));
        recorded.screen.show_status(&view());
        let wanted = "\
Status of `demo`, flavour `demo`
  on kwok cluster `datamill-demo` with Kubernetes 1.35.4
  simulated: no container runs in this cluster
  the cluster is running
  last run: `apply` by ann@laptop, begun 2026-01-31 12:30:45 UTC, it ended
    without a word (run laptop.7.1.x)
    begun and not ended: create kafka/release/kafka

  kafka           failed
      kafka/release/kafka ← Pod x: no image
  minio-datalake  ready

Holds data:
  minio/claim/data (10Gi)

Holds data, kept though the flavour does not name it:
  kafka/claim/log
";
        assert_eq!(recorded.stdout(), wanted);
    }

    #[test]
    fn scripts_read_the_same_facts() {
        let recorded = recorded(Look::new(Mode::Json));
        recorded.screen.show_status(&view());
        recorded.screen.finish(None);
        let document: serde_json::Value = serde_json::from_str(&recorded.stdout()).unwrap();
        assert_eq!(document["instances"][0]["state"], "failed");
        assert_eq!(document["cluster"]["state"], "running");
        assert_eq!(document["simulated"], true);
        assert_eq!(document["orphaned"][0]["namespace"], "data-mill");
        assert_eq!(document["lock"], serde_json::Value::Null);
        assert_eq!(document["lastRun"]["result"], "died");
        assert_eq!(document["lastRun"]["open"][0]["id"], "kafka/release/kafka");
    }
}
