//! A plan as a person reads it at a glance: what goes first, then what comes and changes, then counts.

use std::fmt::Write as _;

use serde_json::json;

use crate::plan::{Action, Change, Effect, Origin, Plan, Shown, Step};

use super::json::{PlanDocument, because};
use super::paint::{Colour, Paint};
use super::screen::{Asked, Screen};
use super::text::{cut, wrap};

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
    /// Shows a plan: on standard output where it was asked for, else on standard error.
    pub fn show_plan(&self, plan: &Plan, header: &PlanHeader) {
        let asked = self.look().asked == Asked::Plan;
        if self.look().is_document() {
            let document = json!(PlanDocument::new(plan, header));
            if asked {
                self.print_document(&document, "");
            } else {
                self.event(&json!({"event": "plan", "plan": document}));
            }
        } else if asked {
            self.answer(&text(plan, header, self.look().width, self.paint_out()));
        } else {
            self.say(&text(plan, header, self.look().width, self.paint()));
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

/// The sections of a plan, in the order they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Section {
    LosesData,
    Destructive,
    Blocked,
    Changes,
    Waiting,
    Retained,
    Used,
    Kept,
}

impl Section {
    fn of(step: &Step) -> Self {
        let loses_data = step.changes.iter().any(|change| change.effect == Effect::LosesData);
        let is_data =
            step.found.as_ref().is_some_and(|found| found.class == crate::model::Class::Data);
        match &step.action {
            Action::Delete | Action::Replace if loses_data || is_data => Self::LosesData,
            Action::Delete | Action::Replace | Action::GoesWith { .. } => Self::Destructive,
            Action::Blocked { .. } => Self::Blocked,
            Action::Create
            | Action::Update
            | Action::Repair
            | Action::Adopt
            | Action::Start
            | Action::Deferred { .. } => Self::Changes,
            Action::Waiting { .. } => Self::Waiting,
            Action::Retain { .. } => Self::Retained,
            Action::Use => Self::Used,
            Action::Keep => Self::Kept,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::LosesData => "Data that goes",
            Self::Destructive => "Goes",
            Self::Blocked => "Cannot be done",
            Self::Changes => "Changes",
            Self::Waiting => "Waits for a job",
            Self::Retained => "Stays",
            Self::Used => "Used as it is",
            Self::Kept => "As wanted",
        }
    }
}

/// A plan as text.
pub(super) fn text(plan: &Plan, header: &PlanHeader, width: usize, paint: Paint) -> String {
    let mut text = header.lines("Plan for", width, paint);
    let mut steps: Vec<_> = plan.steps.iter().map(|step| (Section::of(step), step)).collect();
    steps.sort_by_key(|(section, _)| *section);
    let mut current = None;
    for (section, step) in steps {
        // What is as wanted is only counted; its notes are worth a line.
        if section == Section::Kept && step.notes.is_empty() {
            continue;
        }
        if current != Some(section) {
            let title = format!("\n{}:\n", section.title());
            text.push_str(&paint.text(Colour::Bold, title.trim_end()));
            text.push('\n');
            current = Some(section);
        }
        step_lines(&mut text, step, width, paint);
    }
    for (at, note) in plan.notes.iter().enumerate() {
        text.push_str(if at == 0 { "\n" } else { "" });
        text.push_str(&wrap(note, width, "note: ", "      "));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&wrap(&counts(plan), width, "", "  "));
    text.push('\n');
    text
}

fn step_lines(text: &mut String, step: &Step, width: usize, paint: Paint) {
    let (sign, colour) = sign(&step.action);
    let mut line = format!("{sign} {}  {}", step.id, step.action.verb());
    if let Some(size) = step.found.as_ref().and_then(|found| found.size.as_ref()) {
        // Writing to a `String` cannot fail.
        write!(line, " ({size})").ok();
    }
    text.push_str(&paint.text(colour, &format!("  {line}")));
    text.push('\n');
    if let Some(because) = because(&step.action) {
        text.push_str(&wrap(&because, width, "      ", "      "));
        text.push('\n');
    }
    let mut object = None;
    for change in &step.changes {
        if change.path.is_empty() {
            object = None;
            text.push_str(&whole(change, width, paint));
        } else {
            if change.object.is_some() && object != change.object.as_ref() {
                object = change.object.as_ref();
                let name = change.object.as_ref().map(ToString::to_string).unwrap_or_default();
                text.push_str(&paint.text(Colour::Yellow, &cut(&format!("    ~ {name}"), width)));
                text.push('\n');
            }
            text.push_str(&field(change, width));
        }
        text.push('\n');
    }
    for note in &step.notes {
        text.push_str(&wrap(note, width, "    note: ", "          "));
        text.push('\n');
    }
}

fn sign(action: &Action) -> (&'static str, Colour) {
    match action {
        Action::Create | Action::Start => ("+", Colour::Green),
        Action::Update | Action::Repair | Action::Adopt => ("~", Colour::Yellow),
        Action::Replace => ("±", Colour::Red),
        Action::Delete | Action::GoesWith { .. } => ("-", Colour::Red),
        Action::Blocked { .. } => ("!", Colour::Red),
        Action::Deferred { .. } | Action::Waiting { .. } => ("?", Colour::Cyan),
        Action::Keep | Action::Retain { .. } | Action::Use => ("=", Colour::Dim),
    }
}

/// A whole object that comes or goes.
fn whole(change: &Change, width: usize, paint: Paint) -> String {
    let name = change.object.as_ref().map_or_else(|| "all of it".to_owned(), ToString::to_string);
    let (sign, colour) = match (&change.from, &change.to) {
        (Shown::Absent, _) => ("+", Colour::Green),
        (_, Shown::Absent) => ("-", Colour::Red),
        (_, _) => ("~", Colour::Yellow),
    };
    paint.text(colour, &cut(&format!("    {sign} {name}{}", remarks(change)), width))
}

/// A field: on one line when it fits, else before and after below one another.
fn field(change: &Change, width: usize) -> String {
    let (from, to) = (shown(&change.from), shown(&change.to));
    let remarks = remarks(change);
    let line = format!("        {}: {from} → {to}{remarks}", change.path);
    if line.chars().count() <= width && !line.contains('\n') {
        return line;
    }
    let room = width.saturating_sub(12);
    format!(
        "{}\n          - {}\n          + {}",
        cut(&format!("        {}:{remarks}", change.path), width),
        cut(&from, room),
        cut(&to, room)
    )
}

fn shown(shown: &Shown) -> String {
    match shown {
        Shown::Absent => "(nothing)".to_owned(),
        Shown::Text(text) => text.clone(),
        Shown::Masked => "(secret)".to_owned(),
        Shown::Unknown => "(known later)".to_owned(),
    }
}

fn remarks(change: &Change) -> String {
    let effect = match change.effect {
        Effect::InPlace => None,
        Effect::Restart => Some("restarts"),
        Effect::Recreate => Some("made anew"),
        Effect::LosesData => Some("loses data"),
    };
    let origin = match change.origin {
        Origin::You => None,
        Origin::Somebody => Some("changed by somebody"),
        Origin::Unknown => Some("changed by: unknown"),
    };
    let remarks: Vec<_> = effect.into_iter().chain(origin).collect();
    if remarks.is_empty() { String::new() } else { format!("  ({})", remarks.join(", ")) }
}

/// `Plan: 3 to create, 1 to delete; 12 as wanted`, or that there is nothing to do.
fn counts(plan: &Plan) -> String {
    let count = |pick: fn(&Action) -> bool| plan.steps.iter().filter(|s| pick(&s.action)).count();
    let parts = [
        (count(|a| matches!(a, Action::Start)), "to start"),
        (count(|a| matches!(a, Action::Create)), "to create"),
        (count(|a| matches!(a, Action::Adopt)), "to adopt"),
        (count(|a| matches!(a, Action::Update)), "to update"),
        (count(|a| matches!(a, Action::Repair)), "to repair"),
        (count(|a| matches!(a, Action::Replace)), "to replace"),
        (count(|a| matches!(a, Action::Delete)), "to delete"),
        (count(|a| matches!(a, Action::GoesWith { .. })), "going with the cluster"),
        (count(|a| matches!(a, Action::Deferred { .. })), "deferred"),
        (count(|a| matches!(a, Action::Waiting { .. })), "waiting"),
        (count(|a| matches!(a, Action::Blocked { .. })), "blocked"),
    ];
    let rest = [
        (count(|a| matches!(a, Action::Keep)), "as wanted"),
        (count(|a| matches!(a, Action::Use)), "used"),
        (count(|a| matches!(a, Action::Retain { .. })), "staying"),
    ];
    let join = |parts: &[(usize, &str)]| {
        let parts = parts.iter().filter(|(number, _)| *number > 0);
        parts.map(|(number, what)| format!("{number} {what}")).collect::<Vec<_>>().join(", ")
    };
    let (todo, rest) = (join(&parts), join(&rest));
    match (todo.is_empty(), rest.is_empty()) {
        (true, true) => "Nothing to do.".to_owned(),
        (true, false) => format!("Nothing to do: {rest}."),
        (false, true) => format!("Plan: {todo}."),
        (false, false) => format!("Plan: {todo}; {rest}."),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::super::screen::tests::recorded;
    use super::super::{Look, Mode};
    use super::*;
    use crate::model::{Class, Found, ObjectRef, ResourceId};
    use crate::plan::{Block, Precondition};

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
        Change { object: Some(object), path: path.to_owned(), from, to, effect, origin }
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
    fn a_plan_reads_from_the_worst_to_the_best_in_80_columns() {
        let text = text(&sample(), &header(), 80, Paint { on: false });
        let wanted = "\
Plan for `demo`, flavour `demo`
  on kwok cluster `datamill-demo` with Kubernetes 1.35.4
  simulated: no container runs in this cluster

Data that goes:
  - minio/claim/data  delete (10Gi)

Goes:
  - old/release/old  delete

Cannot be done:
  ! x/objects/y  blocked
      Service x/y belongs to Helm release z

Changes:
  + mlflow/release/mlflow  create
    + Deployment data-mill/kafka
  ~ kafka/release/kafka  update
    ~ Deployment data-mill/kafka
        /spec/replicas: 1 → 3
        /spec/template/x: a → (secret)  (restarts)
        /spec/long:
          - aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
          + bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb

Stays:
  = efs/claim/sets  retain
      it holds data

note: a newer catalogue has kafka 4.1

Plan: 1 to create, 1 to update, 2 to delete, 1 blocked; 1 as wanted, 1 staying.
";
        assert_eq!(text, wanted);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_plan_without_changes_says_so() {
        let plan =
            Plan { steps: vec![step("kafka/release/kafka", Action::Keep)], ..Plan::default() };
        let text = text(&plan, &header(), 80, Paint { on: false });
        assert!(text.ends_with("\nNothing to do: 1 as wanted.\n"), "{text}");
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
        assert!(text.contains("\u{1b}[31m  - old/release/old  delete\u{1b}[0m"), "{text}");
        assert!(text.contains("\u{1b}[32m  + mlflow/release/mlflow  create\u{1b}[0m"), "{text}");
    }
}
