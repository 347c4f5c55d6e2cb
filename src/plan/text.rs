//! A plan as plain text that a person reads at a glance: counts, then sections, what is destroyed first. Colour is the
//! screen's affair, so lines say of what kind they are.

use std::collections::BTreeMap;

use super::objects::IGNORED;
use super::parts::Whole;
use super::skipped::{Skipped, needs};
use super::words::{fitted, origin_and_effect, values};
use super::{Action, Change, Effect, Marking, Plan, Step};
use crate::model::ObjectRef;

/// A line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub kind: LineKind,
    /// The text, indented, without a line end.
    pub text: String,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LineKind {
    /// All counts.
    Counts,
    /// The heading of a section.
    Section,
    /// Goes.
    Destroyed,
    /// Stays though it left the file.
    Kept,
    /// Goes and is made anew.
    Replaced,
    /// Changes.
    Changed,
    /// Comes.
    Created,
    /// Is put back as it was.
    Repaired,
    /// Is decided or done later.
    Deferred,
    /// Is not done, since something it needs is out of date.
    Skipped,
    /// Cannot be done.
    Blocked,
    /// Was changed by somebody and stays so: data is not overwritten unasked.
    Drifted,
    /// Part of the line above.
    Detail,
    /// Something a person should know.
    Note,
    /// Nothing.
    Blank,
}

/// The width that plans are made for, in characters.
const WIDTH: usize = 80;

/// The lines of a plan for a screen of 80 characters.
pub fn lines(plan: &Plan) -> Vec<Line> {
    lines_within(plan, WIDTH)
}

/// The whole plan as text, each line ended.
pub fn text(plan: &Plan, width: usize) -> String {
    lines_within(plan, width).into_iter().map(|line| line.text + "\n").collect()
}

/// The lines of a plan, within a width where possible.
pub fn lines_within(plan: &Plan, width: usize) -> Vec<Line> {
    let mut page = Page { lines: Vec::new(), width: width.max(40) };
    let skipped = plan.skipped();
    page.add(LineKind::Counts, counts(plan, &skipped));
    for kind in SECTIONS {
        let in_it = |step: &&Step| section(step, &skipped) == Some(kind);
        let steps: Vec<_> = plan.steps.iter().filter(in_it).collect();
        let parts: Vec<_> = plan.steps.iter().filter(|step| sheds(step, kind, &skipped)).collect();
        if steps.is_empty() && parts.is_empty() {
            continue;
        }
        page.add(LineKind::Blank, "");
        let number = steps.len() + parts.len();
        page.add(LineKind::Section, format!("{} ({number}):", heading(kind)));
        let longest = steps.iter().map(|step| step.id.to_string().len()).max().unwrap_or(0);
        for step in steps {
            let words =
                skipped.get(&step.id).map_or_else(|| remark(step), |stale| needs(step, stale));
            page.step(kind, step, longest, &words);
        }
        for step in parts {
            page.parts(kind, step);
        }
    }
    page.left_alone(plan);
    page.not_ready(plan);
    if !plan.notes.is_empty() {
        page.add(LineKind::Blank, "");
    }
    for note in &plan.notes {
        page.wrapped(LineKind::Note, "note: ", note);
    }
    page.lines
}

/// Destructive lines first; what stops the run last, where it is read.
const SECTIONS: [LineKind; 10] = [
    LineKind::Destroyed,
    LineKind::Kept,
    LineKind::Replaced,
    LineKind::Changed,
    LineKind::Created,
    LineKind::Repaired,
    LineKind::Drifted,
    LineKind::Deferred,
    LineKind::Skipped,
    LineKind::Blocked,
];

fn heading(kind: LineKind) -> &'static str {
    match kind {
        LineKind::Destroyed => "Will be destroyed",
        LineKind::Kept => "Kept",
        LineKind::Replaced => "Will be made anew",
        LineKind::Changed => "Will change",
        LineKind::Created => "Will be created",
        LineKind::Repaired => "Will be repaired",
        LineKind::Drifted => "Data that somebody changed, left as it is",
        LineKind::Deferred => "Later",
        LineKind::Skipped => "Not done",
        LineKind::Blocked => "Blocked",
        LineKind::Counts
        | LineKind::Section
        | LineKind::Detail
        | LineKind::Note
        | LineKind::Blank => "",
    }
}

/// The section a step stands in; nothing for what is left alone.
fn section(step: &Step, skipped: &Skipped<'_>) -> Option<LineKind> {
    if skipped.contains_key(&step.id) {
        return Some(LineKind::Skipped);
    }
    match &step.action {
        Action::Delete | Action::GoesWith { .. } => Some(LineKind::Destroyed),
        Action::Retain { .. } => Some(LineKind::Kept),
        Action::Replace => Some(LineKind::Replaced),
        Action::Update | Action::Adopt | Action::Mark { .. } | Action::Start => {
            Some(LineKind::Changed)
        }
        Action::Create => Some(LineKind::Created),
        Action::Repair => Some(LineKind::Repaired),
        Action::Deferred { .. } | Action::Waiting { .. } => Some(LineKind::Deferred),
        Action::Blocked { .. } => Some(LineKind::Blocked),
        // What differs and is kept all the same.
        Action::Keep if !step.changes.is_empty() => Some(LineKind::Drifted),
        Action::Keep | Action::Use => None,
    }
}

/// Whether a section names what goes of a step that stands elsewhere.
fn sheds(step: &Step, kind: LineKind, skipped: &Skipped<'_>) -> bool {
    kind == LineKind::Destroyed && step.takes_parts_away() && !skipped.contains_key(&step.id)
}

/// Whether a thing is as it should be. What only looks is no thing.
fn is_left_alone(step: &Step) -> bool {
    section(step, &Skipped::new()).is_none() && !step.id.kind.only_looks()
}

fn symbol(kind: LineKind) -> char {
    match kind {
        LineKind::Destroyed => '-',
        LineKind::Kept => '=',
        LineKind::Replaced => '±',
        LineKind::Changed => '~',
        LineKind::Created => '+',
        LineKind::Repaired => '^',
        LineKind::Drifted => '?',
        LineKind::Deferred => '…',
        LineKind::Skipped => '·',
        LineKind::Blocked => '!',
        LineKind::Counts
        | LineKind::Section
        | LineKind::Detail
        | LineKind::Note
        | LineKind::Blank => ' ',
    }
}

/// All counts in one line.
fn counts(plan: &Plan, skipped: &Skipped<'_>) -> String {
    let mut by_section: BTreeMap<LineKind, usize> = BTreeMap::new();
    for kind in plan.steps.iter().filter_map(|step| section(step, skipped)) {
        *by_section.entry(kind).or_default() += 1;
    }
    let parts = plan.steps.iter().filter(|step| sheds(step, LineKind::Destroyed, skipped)).count();
    if parts > 0 {
        *by_section.entry(LineKind::Destroyed).or_default() += parts;
    }
    let words = [
        (LineKind::Destroyed, "to destroy"),
        (LineKind::Kept, "kept"),
        (LineKind::Replaced, "to make anew"),
        (LineKind::Changed, "to change"),
        (LineKind::Created, "to create"),
        (LineKind::Repaired, "to repair"),
        (LineKind::Drifted, "changed by somebody"),
        (LineKind::Deferred, "later"),
        (LineKind::Skipped, "not done"),
        (LineKind::Blocked, "blocked"),
    ];
    let mut parts: Vec<_> = words
        .into_iter()
        .filter_map(|(kind, word)| Some(format!("{} {word}", by_section.get(&kind)?)))
        .collect();
    let alone = plan.steps.iter().filter(|step| is_left_alone(step)).count();
    if alone > 0 {
        parts.push(format!("{alone} unchanged"));
    }
    let not_ready = plan.steps.iter().filter(|step| step.trouble().is_some()).count();
    if not_ready > 0 {
        parts.push(format!("{not_ready} of them not ready"));
    }
    if !plan.has_changes() && plan.blocked().is_none() {
        parts.insert(0, "nothing to do".to_owned());
    }
    format!("Plan: {}", parts.join(", "))
}

struct Page {
    lines: Vec<Line>,
    width: usize,
}

impl Page {
    fn add(&mut self, kind: LineKind, text: impl Into<String>) {
        self.lines.push(Line { kind, text: text.into() });
    }

    /// A text behind a lead, broken at blanks, continued under where it began.
    fn wrapped(&mut self, kind: LineKind, lead: &str, text: &str) {
        let indent = " ".repeat(lead.chars().count());
        let mut line = lead.to_owned();
        let mut used = indent.len();
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if used > indent.len() && used + 1 + length > self.width {
                self.add(kind, std::mem::replace(&mut line, indent.clone()));
                used = indent.len();
            }
            if used > indent.len() {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += length;
        }
        self.add(kind, line);
    }

    fn step(&mut self, kind: LineKind, step: &Step, longest: usize, words: &str) {
        let id = step.id.to_string();
        if words.is_empty() {
            self.add(kind, format!("  {} {id}", symbol(kind)));
        } else if longest + 8 + words.chars().count() <= self.width {
            self.add(kind, format!("  {} {id:<longest$}  {words}", symbol(kind)));
        } else {
            self.add(kind, format!("  {} {id}", symbol(kind)));
            self.wrapped(LineKind::Detail, "      ", words);
        }
        self.whole_objects(step);
        self.field_changes(&step.changes);
        for note in step.all_notes() {
            self.wrapped(LineKind::Note, "      note: ", note);
        }
    }

    /// What goes of a step that comes or changes itself.
    fn parts(&mut self, kind: LineKind, step: &Step) {
        self.add(kind, format!("  {} {}  a part of it", symbol(kind), step.id));
        self.wrapped(LineKind::Detail, "      ", &step.in_words(Whole::Goes));
    }

    /// Objects that come, go or are made anew, by kind in a compact list.
    fn whole_objects(&mut self, step: &Step) {
        for (effect, lead) in [
            (Whole::Comes, if step.action == Action::Create { "" } else { "new: " }),
            (Whole::Anew, "made anew: "),
            (Whole::Goes, if step.action == Action::Delete { "" } else { "goes: " }),
        ] {
            // What goes of a thing that stays is read among what is destroyed.
            let told = effect == Whole::Goes && step.takes_parts_away();
            let words = step.in_words(effect);
            if !told && !words.is_empty() {
                self.wrapped(LineKind::Detail, &format!("      {lead}"), &words);
            }
        }
    }

    fn field_changes(&mut self, changes: &[Change]) {
        let mut last: Option<&ObjectRef> = None;
        for change in changes.iter().filter(|change| !change.path.is_empty()) {
            if let Some(object) = change.object.as_ref().filter(|object| last != Some(object)) {
                self.add(LineKind::Detail, format!("      {} {}", object.kind, object.name));
                last = Some(object);
            }
            self.field(change);
        }
    }

    fn field(&mut self, change: &Change) {
        let indent = if change.object.is_some() { "        " } else { "      " };
        let (place, from, to) = values(change);
        let words = format!("({})", origin_and_effect(change));
        let room = self.width.saturating_sub(indent.len() + 6);
        let (from, to) = fitted(&from, &to, room);
        let head = format!("{indent}{}{place}:", change.path);
        let values = format!("{from} -> {to}");
        let length =
            |parts: &[&str]| parts.iter().map(|part| part.chars().count() + 1).sum::<usize>();
        if length(&[&head, &values, &words]) <= self.width + 1 {
            self.add(LineKind::Detail, format!("{head} {values} {words}"));
        } else {
            if length(&[&head, &words]) <= self.width + 1 {
                self.add(LineKind::Detail, format!("{head} {words}"));
            } else {
                self.add(LineKind::Detail, head);
                self.wrapped(LineKind::Detail, &format!("{indent}  "), &words);
            }
            self.add(LineKind::Detail, format!("{indent}  {values}"));
        }
    }

    /// What is as it should be, in one line.
    fn left_alone(&mut self, plan: &Plan) {
        let kept = plan.steps.iter().filter(|step| is_left_alone(step)).count();
        let used: Vec<_> = plan
            .steps
            .iter()
            .filter(|step| step.action == Action::Use)
            .map(|step| step.id.to_string())
            .collect();
        if kept == 0 {
            return;
        }
        self.add(LineKind::Blank, "");
        let unchanged = format!("Unchanged: {}", kept - used.len());
        let text = if used.is_empty() {
            unchanged
        } else {
            format!("{unchanged}; used, not ours: {}", used.join(", "))
        };
        self.wrapped(LineKind::Section, "", &text);
        for step in plan.steps.iter().filter(|step| is_left_alone(step)) {
            // That a thing is not ours is said in the line above.
            let said = |note: &&String| step.action == Action::Keep || note.starts_with(IGNORED);
            for note in step.all_notes().filter(said) {
                self.wrapped(LineKind::Note, "  note: ", &format!("{}: {note}", step.id));
            }
        }
    }

    /// What is as the files say and does not work all the same: a run waits for it.
    fn not_ready(&mut self, plan: &Plan) {
        let troubles: Vec<_> =
            plan.steps.iter().filter_map(|step| Some((&step.id, step.trouble()?))).collect();
        if troubles.is_empty() {
            return;
        }
        self.add(LineKind::Blank, "");
        let heading = format!("Unchanged, but not ready ({}):", troubles.len());
        self.add(LineKind::Section, heading);
        for (id, says) in troubles {
            self.add(LineKind::Blocked, format!("  {} {id}", symbol(LineKind::Blocked)));
            self.wrapped(LineKind::Detail, "      ", &says);
        }
    }
}

/// What stands behind a step's id.
fn remark(step: &Step) -> String {
    let data = step.changes.iter().any(|change| change.effect == Effect::LosesData);
    let size = step.found.as_ref().and_then(|found| found.size.as_deref());
    match &step.action {
        Action::Delete | Action::Replace if data => {
            size.map_or("DATA IS LOST".to_owned(), |size| format!("DATA IS LOST ({size})"))
        }
        Action::Retain { why } => why.clone(),
        Action::GoesWith { host } => format!("goes with {host}"),
        Action::Start => "is started".to_owned(),
        Action::Adopt => "becomes ours".to_owned(),
        Action::Mark { how: Marking::Orphan } => "stays, and is ours no more".to_owned(),
        Action::Mark { how: Marking::Protect { said } } if said.on => "must stay".to_owned(),
        Action::Mark { how: Marking::Protect { .. } } => "may go".to_owned(),
        Action::Mark { how: Marking::Volume } => "is wanted again".to_owned(),
        Action::Deferred { on } => format!("known after {on}"),
        Action::Waiting { on } => format!("waiting for {on}"),
        Action::Blocked { by } => by.says(),
        Action::Create
        | Action::Update
        | Action::Repair
        | Action::Replace
        | Action::Delete
        | Action::Keep
        | Action::Use => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::{Origin, Precondition, Shown};

    fn change(path: &str, from: &str, to: &str, effect: Effect) -> Change {
        let object = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("lab".to_owned()),
            name: "ui".to_owned(),
        };
        let text = |text: &str| Shown::Text(text.to_owned());
        let (path, origin) = (path.to_owned(), Origin::Somebody);
        let (from, to, by) = (text(from), text(to), None);
        Change { object: Some(object), path, from, to, effect, origin, by }
    }

    fn step(id: &str, action: Action, changes: Vec<Change>) -> Step {
        Step {
            id: id.parse().unwrap(),
            action,
            wanted: None,
            found: None,
            after: BTreeSet::new(),
            precondition: Precondition::Absent,
            changes,
            notes: Vec::new(),
            readers: Vec::new(),
        }
    }

    #[test]
    fn destructive_lines_come_first_and_no_line_is_too_long() {
        let long = "registry.example.org/a/rather/long/path/to/an/image/of/something:1.2.3";
        let changes = vec![
            change("/spec/replicas", "1", "2", Effect::InPlace),
            change("/spec/template/spec/containers/0/image", long, "short:2", Effect::Restart),
            change("/data/script", "a\nb\nc", "a\nB\nc", Effect::InPlace),
        ];
        let why = "it holds data (10Gi), and a reason that is so long that it needs a second line";
        let plan = Plan {
            steps: vec![
                step("a/release/ui", Action::Update, changes),
                step("b/claim/data", Action::Retain { why: why.to_owned() }, Vec::new()),
                step("b/release/old", Action::Delete, Vec::new()),
                step("c/release/same", Action::Keep, Vec::new()),
            ],
            notes: vec!["something to know".to_owned()],
        };
        let text = text(&plan, 80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text, @r"
        Plan: 1 to destroy, 1 kept, 1 to change, 1 unchanged

        Will be destroyed (1):
          - b/release/old

        Kept (1):
          = b/claim/data
              it holds data (10Gi), and a reason that is so long that it needs a second
              line

        Will change (1):
          ~ a/release/ui
              Deployment ui
                /spec/replicas: 1 -> 2 (by somebody)
                /spec/template/spec/containers/0/image: (by somebody, restarts pods)
                  registry.example.org/a/rather…o/an/image/of/something:1.2.3 -> short:2
                /data/script (line 2): b -> B (by somebody)

        Unchanged: 1

        note: something to know
        ");
        let nothing = Plan {
            steps: vec![step("c/release/same", Action::Keep, Vec::new())],
            notes: Vec::new(),
        };
        assert!(super::text(&nothing, 80).starts_with("Plan: nothing to do, 1 unchanged\n"));
    }
}
