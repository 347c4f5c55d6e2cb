//! A plan as a picture: the steps as boxes by phase, lines from what comes first to what waits for it. SVG without scripts,
//! styles from elsewhere or fonts to load.

use std::fmt::Write as _;

use crate::plan::{Action, Layout, Phase, Placed, Plan, layout};

use super::plan::{PlanHeader, SIMULATED};

const BOX: (usize, usize) = (220, 40);
const GAP: (usize, usize) = (60, 16);
const MARGIN: usize = 24;
/// Room for the title and the headings of phases.
const HEAD: usize = 96;
/// Characters that fit into a box.
const ROOM: usize = 32;

/// The picture of a plan.
pub(super) fn svg(plan: &Plan, header: &PlanHeader) -> String {
    let layout = layout(plan);
    let columns = layout.placed.iter().map(|placed| placed.column + 1).max().unwrap_or(1);
    let rows = layout.placed.iter().map(|placed| placed.row + 1).max().unwrap_or(1);
    let width = 2 * MARGIN + columns * (BOX.0 + GAP.0) - GAP.0;
    let height = HEAD + rows * (BOX.1 + GAP.1) + 2 * MARGIN;
    let width = width.max(640);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n"
    );
    line(&mut text, &format!("<title>Plan for {}</title>", escaped(&header.project)));
    line(&mut text, "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>");
    let title = format!("Plan for {}, flavour {}", header.project, header.flavour);
    line(&mut text, &label(MARGIN, 28, 16, "#111111", &title));
    line(&mut text, &label(MARGIN, 48, 12, "#555555", &subtitle(plan, header, &layout)));
    headings(&mut text, &layout);
    for (from, to) in &layout.lines {
        if let (Some(from), Some(to)) = (layout.placed.get(*from), layout.placed.get(*to)) {
            line(&mut text, &curve(from, to));
        }
    }
    for placed in &layout.placed {
        step(&mut text, placed);
    }
    text.push_str("</svg>\n");
    text
}

fn line(text: &mut String, one: &str) {
    text.push_str(one);
    text.push('\n');
}

fn subtitle(plan: &Plan, header: &PlanHeader, layout: &Layout<'_>) -> String {
    let counts: Vec<_> =
        plan.counts().into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let mut words = format!("on {}; {}", header.cluster, counts.join(", "));
    if layout.left_out > 0 {
        words.push_str(" (what is left alone is not drawn)");
    }
    if header.simulated {
        words.push_str("; ");
        words.push_str(SIMULATED);
    }
    words
}

/// Each phase's word above the first of its columns.
fn headings(text: &mut String, layout: &Layout<'_>) {
    for phase in Phase::ALL {
        let of_phase = layout.placed.iter().filter(|placed| placed.phase == phase);
        if let Some(first) = of_phase.map(|placed| placed.column).min() {
            let x = MARGIN + first * (BOX.0 + GAP.0);
            line(text, &label(x, HEAD - 16, 13, "#555555", phase.word()));
        }
    }
}

fn corner(placed: &Placed<'_>) -> (usize, usize) {
    (MARGIN + placed.column * (BOX.0 + GAP.0), HEAD + placed.row * (BOX.1 + GAP.1))
}

fn curve(from: &Placed<'_>, to: &Placed<'_>) -> String {
    let ((x, y), (right, below)) = (corner(from), corner(to));
    let (x, y, below) = (x + BOX.0, y + BOX.1 / 2, below + BOX.1 / 2);
    let middle = usize::midpoint(x, right);
    format!(
        "<path d=\"M{x},{y} C{middle},{y} {middle},{below} {right},{below}\" fill=\"none\" stroke=\"#b0b0b0\"/>"
    )
}

fn step(text: &mut String, placed: &Placed<'_>) {
    let (x, y) = corner(placed);
    let (fill, stroke) = colours(&placed.step.action);
    let id = placed.step.id.to_string();
    let (width, height) = BOX;
    let mut one = String::from("<g>");
    // Writing to a text does not fail.
    write!(one, "<title>{}: {}</title>", escaped(&id), placed.step.action.verb()).ok();
    write!(
        one,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{fill}\" stroke=\"{stroke}\"/>"
    )
    .ok();
    one.push_str(&label(x + 10, y + 17, 12, "#111111", &shortened(&id)));
    one.push_str(&label(x + 10, y + 33, 11, stroke, placed.step.action.verb()));
    one.push_str("</g>");
    line(text, &one);
}

fn label(x: usize, y: usize, size: usize, colour: &str, words: &str) -> String {
    let words = escaped(words);
    format!("<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{colour}\">{words}</text>")
}

/// The beginning and the end of a long id.
fn shortened(id: &str) -> String {
    let length = id.chars().count();
    if length <= ROOM {
        return id.to_owned();
    }
    let tail = ROOM / 2;
    let head = ROOM - tail - 1;
    id.chars().take(head).chain(['…']).chain(id.chars().skip(length - tail)).collect()
}

/// Background and border by what is done.
fn colours(action: &Action) -> (&'static str, &'static str) {
    match action {
        Action::Delete | Action::GoesWith { .. } => ("#fdecea", "#b3261e"),
        Action::Replace => ("#fff1e0", "#b45309"),
        Action::Update | Action::Adopt | Action::Mark { .. } | Action::Start | Action::Repair => {
            ("#fff8d6", "#8a6d00")
        }
        Action::Create => ("#e7f6ea", "#1b7f37"),
        Action::Deferred { .. } | Action::Waiting { .. } => ("#e3f4fb", "#0b6e8f"),
        Action::Blocked { .. } => ("#f6e6f8", "#86198f"),
        Action::Keep | Action::Use | Action::Retain { .. } => ("#f2f2f2", "#6b6b6b"),
    }
}

/// Text as it stands between tags or in an attribute; what XML does not allow at all is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::{header, sample};
    use super::*;

    #[test]
    fn every_step_that_does_something_is_a_box_with_its_word() {
        let text = svg(&sample(), &header());
        for words in
            ["old/release/old", "mlflow/release/mlflow", ">create<", ">delete<", ">blocked<"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains(">keep<"), "what is left alone is not drawn: {text}");
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        assert_eq!(text.matches("<g>").count(), text.matches("</g>").count());
    }

    #[test]
    fn nothing_in_a_name_becomes_markup() {
        let header = PlanHeader {
            project: "<script>alert('x')</script> & \"y\"\u{1}".to_owned(),
            ..header()
        };
        let text = svg(&sample(), &header);
        assert!(!text.contains("<script"), "{text}");
        assert!(
            text.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;")
        );
        assert!(!text.contains('\u{1}'));
    }
}
