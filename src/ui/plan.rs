//! A plan on the screen: the header, the colours, and the document for scripts. Its lines come from `plan`.

use serde_json::json;

use crate::plan::{LineKind, Plan, lines_within};

use super::json::PlanDocument;
use super::markdown::markdown;
use super::paint::{Colour, Paint};
use super::picture::svg;
use super::screen::{Asked, Mode, Screen};
use super::text::wrap;

/// What stands above a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanHeader {
    /// The project.
    pub project: String,
    /// The flavour.
    pub flavour: String,
    /// The target.
    pub target: String,
    /// The cluster in words: `a new kwok cluster with Kubernetes 1.35.4`.
    pub cluster: String,
    /// Whether no container runs there; every screen says so.
    pub simulated: bool,
}

/// What every screen of a simulated cluster says.
pub(super) const SIMULATED: &str = "simulated: no container runs in this cluster";

impl Screen {
    /// Shows a plan: on standard output where it was asked for, else on standard error. For a script, a plan that cannot be
    /// carried out is all that comes of a command, hence its document.
    pub fn show_plan(&self, plan: &Plan, header: &PlanHeader) {
        let notes = plan.notes.iter().map(|note| self.completed(note)).collect();
        let plan = &Plan { notes, ..plan.clone() };
        let asked = self.look().asked == Asked::Plan;
        if self.look().is_document() {
            let document = PlanDocument::new(plan, header);
            if asked || !document.blocked.is_empty() {
                self.print_document("plan", &json!(document), "");
            } else {
                self.event(&json!({"event": "plan", "plan": document}));
            }
        } else if asked && self.look().mode == Mode::Markdown {
            self.answer(&markdown(plan, header));
        } else if asked && self.look().mode == Mode::Svg {
            self.answer(&svg(plan, header));
        } else if asked {
            self.answer(&text(plan, header, self.look().width, self.paint_out()));
        } else {
            // A blank line stands between the plan and what comes of it.
            let text = text(plan, header, self.look().width, self.paint());
            self.say(&format!("{text}\n"));
        }
    }
}

impl PlanHeader {
    /// The header as lines.
    pub(super) fn lines(&self, title: &str, width: usize, paint: Paint) -> String {
        let first = format!("{title} `{}`, flavour `{}`", self.project, self.flavour);
        let mut text = format!("{}\n", paint.text(Colour::Bold, &first));
        text.push_str(&wrap(&format!("on {}", self.cluster), width, "  ", "  "));
        if self.simulated {
            text.push('\n');
            text.push_str(&paint.text(Colour::Yellow, &format!("  {SIMULATED}")));
        }
        text.push('\n');
        text
    }
}

/// A plan as text: the header, then what goes, what comes, what stays.
pub(super) fn text(plan: &Plan, header: &PlanHeader, width: usize, paint: Paint) -> String {
    let mut text = header.lines("Plan for", width, paint);
    text.push('\n');
    // Lines below a step that goes are as red as the step.
    let mut above = LineKind::Blank;
    for line in lines_within(plan, width) {
        let kind = if line.kind == LineKind::Detail { above } else { line.kind };
        above = kind;
        let painted = match colour(kind) {
            Some(colour) if line.kind != LineKind::Detail || colour == Colour::Red => {
                paint.text(colour, &line.text)
            }
            Some(_) | None => line.text,
        };
        text.push_str(&painted);
        text.push('\n');
    }
    text
}

fn colour(kind: LineKind) -> Option<Colour> {
    match kind {
        LineKind::Counts | LineKind::Section => Some(Colour::Bold),
        LineKind::Destroyed | LineKind::Replaced | LineKind::Blocked => Some(Colour::Red),
        LineKind::Changed | LineKind::Repaired | LineKind::Drifted | LineKind::Skipped => {
            Some(Colour::Yellow)
        }
        LineKind::Created => Some(Colour::Green),
        LineKind::Deferred => Some(Colour::Cyan),
        LineKind::Kept | LineKind::Detail | LineKind::Note | LineKind::Blank => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::super::Look;
    use super::super::screen::tests::recorded;
    use super::*;
    use crate::model::{Class, Found, ObjectRef, ResourceId};
    use crate::plan::{Action, Block, Change, Effect, Origin, Precondition, Shown, Step};

    pub(in crate::ui) fn header() -> PlanHeader {
        PlanHeader {
            project: "demo".to_owned(),
            flavour: "demo".to_owned(),
            target: "local-kwok-datamill-demo".to_owned(),
            cluster: "kwok cluster `datamill-demo` with Kubernetes 1.35.4".to_owned(),
            simulated: true,
        }
    }

    pub(in crate::ui) fn step(id: &str, action: Action) -> Step {
        Step {
            id: id.parse().unwrap(),
            action,
            wanted: None,
            found: None,
            after: BTreeSet::new(),
            precondition: Precondition::Nothing,
            changes: Vec::new(),
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    fn change(path: &str, from: Shown, to: Shown, effect: Effect) -> Change {
        let object = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("data-mill".to_owned()),
            name: "kafka".to_owned(),
        };
        let origin = Origin::You;
        let by = None;
        Change { object: Some(object), path: path.to_owned(), from, to, effect, origin, by }
    }

    pub(in crate::ui) fn sample() -> Plan {
        let text = |text: &str| Shown::Text(text.to_owned());
        let mut update = step("kafka/release/kafka", Action::Update);
        let cluster: ResourceId = "target/cluster/datamill-demo".parse().unwrap();
        update.after = BTreeSet::from([cluster]);
        update.changes = vec![
            change("/spec/replicas", text("1"), text("3"), Effect::InPlace),
            change("/spec/template/x", text("a"), Shown::Masked, Effect::Restart),
            change("/spec/long", text(&"a".repeat(60)), text(&"b".repeat(60)), Effect::InPlace),
        ];
        let mut create = step("mlflow/release/mlflow", Action::Create);
        create.changes = vec![change("", Shown::Absent, text("{}"), Effect::InPlace)];
        let mut delete = step("minio/claim/data", Action::Delete);
        let mut found = Found::ours();
        found.class = Class::Data;
        found.size = Some("10Gi".to_owned());
        delete.found = Some(Arc::new(found));
        let block =
            Block::Foreign { object: "Service x/y".to_owned(), owner: "Helm release z".to_owned() };
        Plan {
            steps: vec![
                step("target/cluster/datamill-demo", Action::Keep),
                create,
                update,
                delete,
                step("old/release/old", Action::Delete),
                step("x/objects/y", Action::Blocked { by: block }),
                step("efs/claim/sets", Action::Retain { why: "it holds data".to_owned() }),
            ],
            notes: vec!["a newer catalogue has kafka 4.1".to_owned()],
        }
    }

    #[test]
    fn a_plan_fits_80_columns_under_a_header_that_says_where() {
        let text = text(&sample(), &header(), 80, Paint { on: false });
        let head = "\
Plan for `demo`, flavour `demo`
  on kwok cluster `datamill-demo` with Kubernetes 1.35.4
  simulated: no container runs in this cluster

Plan: ";
        assert!(text.starts_with(head), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("(secret)"), "{text}");
        let (goes, comes) = (text.find("old/release/old"), text.find("mlflow/release/mlflow"));
        assert!(goes < comes, "{text}");
    }

    #[test]
    fn a_plan_that_was_asked_for_stands_on_standard_output() {
        let asked = recorded(Look { asked: Asked::Plan, ..Look::new(Mode::Plain) });
        asked.screen.show_plan(&sample(), &header());
        assert!(asked.stdout().starts_with("Plan for"));
        assert_eq!(asked.stderr(), "");
        let shown = recorded(Look::new(Mode::Plain));
        shown.screen.show_plan(&sample(), &header());
        assert!(shown.stderr().starts_with("Plan for"));
        assert_eq!(shown.stdout(), "");
    }

    #[test]
    fn what_goes_is_red_and_what_comes_is_green() {
        let text = text(&sample(), &header(), 80, Paint { on: true });
        let line = |id: &str| text.lines().find(|line| line.contains(id)).unwrap().to_owned();
        assert!(line("- old/release/old").starts_with("\u{1b}[31m"), "{text}");
        assert!(line("+ mlflow/release/mlflow").starts_with("\u{1b}[32m"), "{text}");
        let bare = super::text(&sample(), &header(), 80, Paint { on: false });
        let mut stripped = text;
        for code in ["31", "32", "33", "36", "1", "0"] {
            stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(stripped, bare);
    }
}
