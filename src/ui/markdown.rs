//! A plan as a comment for a pull request: counts, what goes first, the rest in brief, all details folded.

use crate::plan::{LineKind, Plan, lines_within};

use super::plan::{PlanHeader, SIMULATED};

/// The width of the folded details.
const WIDTH: usize = 100;

/// Comments longer than this are refused by the sites that show them.
const LONGEST: usize = 60_000;

/// A plan as Markdown.
pub(super) fn markdown(plan: &Plan, header: &PlanHeader) -> String {
    let lines = lines_within(plan, WIDTH);
    let counts = lines.iter().find(|line| line.kind == LineKind::Counts);
    let counts = counts.map_or("", |line| line.text.trim_start_matches("Plan: "));
    let mut parts = vec![format!(
        "### Plan for {}, flavour {}\n\non {}\n",
        code(&header.project),
        code(&header.flavour),
        escaped(&header.cluster)
    )];
    if header.simulated {
        parts.push(format!("\n_{SIMULATED}_\n"));
    }
    parts.push(format!("\n**{}**\n", escaped(counts)));
    let mut kind = LineKind::Blank;
    for line in &lines {
        match line.kind {
            LineKind::Section => {
                kind = LineKind::Section;
                if let Some(heading) = line.text.strip_suffix(':') {
                    parts.push(format!("\n**{}**\n\n", escaped(heading)));
                }
            }
            LineKind::Destroyed
            | LineKind::Kept
            | LineKind::Replaced
            | LineKind::Changed
            | LineKind::Created
            | LineKind::Repaired
            | LineKind::Drifted
            | LineKind::Deferred
            | LineKind::Skipped
            | LineKind::Blocked
                if kind == LineKind::Section =>
            {
                parts.push(item(&line.text));
            }
            LineKind::Destroyed
            | LineKind::Kept
            | LineKind::Replaced
            | LineKind::Changed
            | LineKind::Created
            | LineKind::Repaired
            | LineKind::Drifted
            | LineKind::Deferred
            | LineKind::Skipped
            | LineKind::Blocked
            | LineKind::Counts
            | LineKind::Detail
            | LineKind::Note
            | LineKind::Blank => {}
        }
    }
    parts.extend(plan.notes.iter().map(|note| format!("\n> {}\n", escaped(note))));
    parts.push(folded(&lines));
    parts.concat()
}

/// A step as an item: its sign and id as code, its remark behind.
fn item(line: &str) -> String {
    let line = line.trim();
    let mut words = line.splitn(3, ' ');
    let sign = words.next().unwrap_or_default();
    let id = words.next().unwrap_or_default();
    let rest = words.next().unwrap_or_default().trim();
    let rest = if rest.is_empty() { String::new() } else { format!(": {}", escaped(rest)) };
    format!("- {}{rest}\n", code(&format!("{sign} {id}")))
}

/// The whole plan, folded, cut where a comment would grow too long.
fn folded(lines: &[crate::plan::Line]) -> String {
    let mut details = String::new();
    let mut left_out = 0;
    for line in lines.iter().filter(|line| line.kind != LineKind::Counts) {
        if details.len() + line.text.len() > LONGEST {
            left_out += 1;
        } else {
            details.push_str(&line.text);
            details.push('\n');
        }
    }
    let fence = fence(&details);
    let more =
        if left_out > 0 { format!("\n… and {left_out} more lines\n") } else { String::new() };
    format!(
        "\n<details><summary>Details</summary>\n\n{fence}text\n{}\n{fence}\n{more}\n</details>\n",
        details.trim_matches('\n')
    )
}

/// A fence that nothing inside can close.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Text as code, whatever it holds.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let space = if text.contains('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// Text that Markdown and HTML leave as it is, apart from code marks around names.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '*' | '_' | '[' | ']' | '|' | '#' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
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
    fn counts_come_first_what_goes_before_what_comes_and_details_are_folded() {
        let text = markdown(&sample(), &header());
        let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}: {text}"));
        assert!(text.starts_with("### Plan for `demo`, flavour `demo`\n"), "{text}");
        let counts = at("to destroy");
        let (goes, comes) = (at("- `- old/release/old`"), at("- `+ mlflow/release/mlflow`"));
        let details = at("<details>");
        assert!(counts < goes && goes < comes && comes < details, "{text}");
        assert!(text.contains("(secret)") && text.ends_with("</details>\n"), "{text}");
        assert!(text.contains("> a newer catalogue has kafka 4.1"), "{text}");
    }

    #[test]
    fn nothing_in_a_plan_leaves_its_place() {
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(fence("x ```` y"), "`````");
        assert_eq!(escaped("<b> *x* [y](z)"), "&lt;b&gt; \\*x\\* \\[y\\](z)");
        assert_eq!(item("  - a/claim/x  it holds data"), "- `- a/claim/x`: it holds data\n");
    }

    #[test]
    fn a_long_plan_is_cut_and_says_so() {
        let line = crate::plan::Line { kind: LineKind::Detail, text: "x".repeat(500) };
        let text = folded(&vec![line; 500]);
        assert!(text.len() < LONGEST + 1000);
        assert!(text.contains("more lines"), "{}", text.len());
    }
}
