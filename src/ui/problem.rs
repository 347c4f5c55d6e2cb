//! Problems of files: with frames on a terminal, as `file:line:column` in a log, as a list for scripts.

use std::fmt::Write as _;

use miette::{GraphicalReportHandler, GraphicalTheme};
use serde_json::{Value as Json, json};

use crate::yaml::{LONGEST_LINE, Problem, Problems, Severity, Span, masked};

use super::paint::{Colour, Paint};
use super::screen::{Mode, Screen};
use super::text::{count, length, wrap};

impl Screen {
    /// Shows problems, each once, however often they are found; a script reads them in the document.
    pub fn show_problems(&self, problems: &Problems) {
        let sorted = problems.sorted();
        let secrets = sorted.into_iter().flat_map(Problem::hidden).cloned();
        self.answers().hidden.extend(secrets);
        let hidden = self.answers().hidden.clone();
        for problem in problems.sorted() {
            let document = problem_json(problem, &hidden);
            let mut answers = self.answers();
            if answers.problems.contains(&document) {
                continue;
            }
            answers.problems.push(document);
            drop(answers);
            if self.look().is_document() {
                continue;
            }
            let text = match self.look().mode {
                Mode::Terminal => self.framed(problem, &hidden),
                Mode::Plain | Mode::Json | Mode::Yaml | Mode::Markdown | Mode::Svg => {
                    plain(problem, &hidden, self.look().width, self.paint())
                }
            };
            self.say(&text);
        }
    }

    /// Says that the files are in order.
    pub fn show_valid(&self, project: &str, flavour: &str, resources: usize) {
        let document = json!({
            "valid": true, "project": project, "flavour": flavour, "resources": resources,
        });
        let resources = count(resources, "resource");
        let ok = self.paint_out().text(Colour::Green, "valid:");
        let text = format!("{ok} project `{project}`, flavour `{flavour}`, {resources}");
        self.print_document("validation", &document, &text);
    }

    fn framed(&self, problem: &Problem, hidden: &[Span]) -> String {
        let theme = if self.look().colour_err {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let mut text = String::new();
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(self.look().width)
            .with_links(false)
            .without_syntax_highlighting();
        match handler.render_report(&mut text, problem.report(hidden).as_ref()) {
            Ok(()) => text,
            Err(_) => plain(problem, hidden, self.look().width, self.paint()),
        }
    }
}

/// A problem in a log:
///
/// ```text
/// error[unknown-key]: unknown key `prot`
///   --> flavours/demo.yaml:3:3
///    3 |   prot: 8088
///      |   ^^^^ here
///   help: did you mean `port`?
/// ```
fn plain(problem: &Problem, hidden: &[Span], width: usize, paint: Paint) -> String {
    let (word, colour) = match problem.severity {
        Severity::Error => ("error", Colour::Red),
        Severity::Warning => ("warning", Colour::Yellow),
    };
    let label = format!("{word}[{}]:", problem.code);
    let first = wrap(&problem.message, width, &format!("{label} "), "  ");
    let tail = first.strip_prefix(&label).unwrap_or(&first);
    let mut text = format!("{}{tail}\n", paint.text(colour, &label));
    if let Some(at) = &problem.at {
        let (line, column) = (at.line(), at.column());
        let text_of_file = masked(&at.source, hidden);
        let shown = text_of_file.lines().nth(line - 1).unwrap_or_default();
        let before: String =
            shown.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let rest = shown.chars().count().saturating_sub(column - 1).max(1);
        let marked = at.source.text.get(at.start..at.end).unwrap_or_default();
        let first = marked.lines().next().unwrap_or_default().chars().count();
        let arrow = "^".repeat(first.clamp(1, rest));
        let number = format!("{line:>4}");
        let blank = " ".repeat(number.len());
        let path = at.path().display();
        // Writing to a `String` cannot fail.
        writeln!(text, "  --> {path}:{line}:{column}").ok();
        // A longer line would fill the screen, and nobody sees a secret.
        if !problem.is_secret && length(shown) <= LONGEST_LINE {
            writeln!(text, "{number} | {shown}").ok();
            writeln!(text, "{blank} | {before}{arrow} {}", problem.label).ok();
        }
    }
    if let Some(help) = &problem.help {
        text.push_str(&wrap(help, width, "  help: ", "        "));
        text.push('\n');
    }
    text
}

/// The line of a place as scripts get it, without secrets; of a long line what is around the place.
fn snippet(at: &Span, hidden: &[Span]) -> String {
    let text = masked(&at.source, hidden);
    let line = text.lines().nth(at.line() - 1).unwrap_or_default();
    if length(line) <= LONGEST_LINE {
        return line.to_owned();
    }
    let first = at.column().saturating_sub(LONGEST_LINE / 2);
    let cut: String = line.chars().skip(first).take(LONGEST_LINE).collect();
    let (before, after) = (if first > 0 { "…" } else { "" }, first + LONGEST_LINE < length(line));
    format!("{before}{cut}{}", if after { "…" } else { "" })
}

fn problem_json(problem: &Problem, hidden: &[Span]) -> Json {
    let place = problem.at.as_ref();
    let shown = place.filter(|_| !problem.is_secret);
    json!({
        "severity": problem.severity,
        "code": problem.code,
        "message": problem.message,
        "file": place.map(|at| at.path().display().to_string()),
        "line": place.map(Span::line),
        "column": place.map(Span::column),
        "snippet": shown.map(|at| snippet(at, hidden)),
        "label": shown.map(|_| &*problem.label),
        "help": problem.help,
        "suggestions": problem.suggestions(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::screen::tests::recorded;
    use super::super::{Asked, Look};
    use super::*;
    use crate::yaml::Source;

    fn problems() -> Problems {
        let source = Source::new("flavours/demo.yaml", "project:\n  name: demo\n  prot: 8088\n");
        let span = Span { source, start: 24, end: 28 };
        let mut problems = Problems::default();
        problems.push(
            Problem::error("unknown-key", "unknown key `prot`")
                .at(&span)
                .suggest("prot", ["port", "name"]),
        );
        problems
    }

    #[test]
    fn a_log_names_file_line_and_column() {
        let recorded = recorded(Look::new(Mode::Plain));
        recorded.screen.show_problems(&problems());
        let wanted = "\
error[unknown-key]: unknown key `prot`
  --> flavours/demo.yaml:3:3
   3 |   prot: 8088
     |   ^^^^ here
  help: did you mean `port`?
";
        assert_eq!(recorded.stderr(), wanted);
    }

    #[test]
    fn a_terminal_gets_a_frame_within_its_width() {
        let recorded = recorded(Look::new(Mode::Terminal));
        recorded.screen.show_problems(&problems());
        let text = recorded.stderr();
        assert!(text.contains("flavours/demo.yaml:3:3"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn validate_gives_scripts_one_document() {
        let recorded = recorded(Look { asked: Asked::Problems, ..Look::new(Mode::Json) });
        recorded.screen.show_problems(&problems());
        recorded.screen.show_problems(&problems());
        recorded.screen.finish(None);
        let document: Json = serde_json::from_str(&recorded.stdout()).unwrap();
        assert_eq!(document["valid"], false);
        assert_eq!(document["problems"].as_array().unwrap().len(), 1);
        assert_eq!(document["problems"][0]["line"], 3);
        assert_eq!(document["problems"][0]["column"], 3);
        assert_eq!(document["problems"][0]["code"], "unknown-key");
        assert_eq!(recorded.stderr(), "");
    }

    #[test]
    fn scripts_get_line_label_and_suggestions_without_secrets_and_cut() {
        let look = || Look { asked: Asked::Problems, ..Look::new(Mode::Json) };
        let document = |problems: &Problems| -> Json {
            let recorded = recorded(look());
            recorded.screen.show_problems(problems);
            recorded.screen.finish(None);
            serde_json::from_str(&recorded.stdout()).unwrap()
        };
        let first = document(&problems())["problems"][0].clone();
        assert_eq!(first["snippet"], "  prot: 8088");
        assert_eq!(first["label"], "here");
        assert_eq!(first["suggestions"], json!(["port"]));

        let text = "a: {login: hunter2, prot: 1}\n";
        let source = Source::new("flavours/demo.yaml", text);
        let of = |part: &str| {
            let start = text.find(part).unwrap();
            Span { source: source.clone(), start, end: start + part.len() }
        };
        let mut both = Problems::default();
        both.push(Problem::warning("plain-secret", "a secret").at_secret(&of("hunter2")));
        both.push(Problem::error("unknown-key", "unknown").at(&of("prot")));
        let shown = document(&both);
        assert_eq!(shown["problems"][1]["snippet"], "a: {login: *******, prot: 1}");
        assert_eq!(shown["problems"][0]["snippet"], Json::Null);
        for mode in [Mode::Plain, Mode::Terminal] {
            let recorded = recorded(Look::new(mode));
            recorded.screen.show_problems(&both);
            let text = recorded.stderr();
            assert!(text.contains("prot: 1") && !text.contains("hunter2"), "{text}");
        }

        let long = format!("{}x\n", "[".repeat(9_000));
        let source = Source::new("flavours/demo.yaml", &*long);
        let mut problems = Problems::default();
        problems.push(Problem::error("yaml", "no").at(&Span { source, start: 9_000, end: 9_001 }));
        let shown = document(&problems)["problems"][0]["snippet"].as_str().unwrap().to_owned();
        assert!(shown.starts_with('…') && shown.ends_with('x'), "{shown}");
        assert!(shown.chars().count() <= LONGEST_LINE + 2, "{shown}");
    }

    #[test]
    fn a_valid_flavour_says_so() {
        let recorded = recorded(Look { asked: Asked::Problems, ..Look::new(Mode::Json) });
        recorded.screen.show_problems(&Problems::default());
        recorded.screen.show_valid("demo", "demo", 12);
        recorded.screen.finish(None);
        let document: Json = serde_json::from_str(&recorded.stdout()).unwrap();
        assert_eq!(document["valid"], true);
        assert_eq!(document["resources"], 12);
    }
}
