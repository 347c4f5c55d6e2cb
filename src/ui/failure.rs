//! A failure as a person reads it, and as a script does.

use serde_json::{Value as Json, json};

use crate::model::{Failure, FailureKind};

use super::paint::{Colour, Paint};
use super::text::wrap;

/// What could not be done, why, and what to do; commands in hints stand alone on indented lines.
pub(super) fn failure_text(failure: &Failure, width: usize, paint: Paint) -> String {
    failure_with(failure, "error: ", Colour::Red, width, paint)
}

/// The same under another word than `error: `.
pub(super) fn failure_with(
    failure: &Failure,
    word: &str,
    colour: Colour,
    width: usize,
    paint: Paint,
) -> String {
    let mut text = labelled(word, "       ", &failure.what, colour, width, paint);
    for cause in &failure.causes {
        text.push('\n');
        text.push_str(&labelled("  cause: ", "         ", cause, Colour::Red, width, paint));
    }
    for (at, hint) in failure.hints.iter().enumerate() {
        text.push_str(if at == 0 { "\n\n" } else { "\n" });
        text.push_str(&labelled("hint: ", "      ", hint, Colour::Cyan, width, paint));
    }
    if failure.kind == FailureKind::Bug {
        let hint = "this is a fault in datamill; report it with the command that led here";
        text.push_str(if failure.hints.is_empty() { "\n\n" } else { "\n" });
        text.push_str(&labelled("hint: ", "      ", hint, Colour::Cyan, width, paint));
    }
    text.push('\n');
    text
}

/// Wraps first and paints then, so that colour codes do not count as width.
fn labelled(
    label: &str,
    rest: &str,
    text: &str,
    colour: Colour,
    width: usize,
    paint: Paint,
) -> String {
    let wrapped = wrap(text, width, label, rest);
    match wrapped.strip_prefix(label) {
        Some(tail) => {
            let word = label.trim();
            let lead = label.len() - label.trim_start().len();
            format!("{}{} {tail}", " ".repeat(lead), paint.text(colour, word))
        }
        None => wrapped,
    }
}

/// The failure as JSON: `kind`, `exit`, `message`, `causes`, `hints`.
pub(super) fn failure_json(failure: &Failure) -> Json {
    json!({
        "kind": kind_word(failure.kind),
        "exit": failure.kind.exit_code(),
        "message": failure.what,
        "causes": failure.causes,
        "hints": failure.hints,
    })
}

/// The kind as scripts know it.
pub(super) fn kind_word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Bug => "bug",
        FailureKind::Stale => "stale",
        FailureKind::Locked => "locked",
        FailureKind::Partial => "partial",
        FailureKind::NotReady => "not-ready",
        FailureKind::Preflight => "preflight",
        FailureKind::Protected => "protected",
        FailureKind::Usage => "usage",
        FailureKind::Foreign => "foreign",
        FailureKind::Verify => "verify",
        FailureKind::Interrupted => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adopted() -> Failure {
        Failure::new(FailureKind::Foreign, "cannot create `component/kafka`")
            .because("`helm` ended with exit status: 1: cannot re-use a name that is still in use")
            .hint(
                "release `kafka` exists in namespace `data-mill` but datamill did not create it; \
                 to see what it is, run:\n    helm status kafka -n data-mill",
            )
    }

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let text = failure_text(&adopted(), 80, Paint { on: false });
        let wanted = "\
error: cannot create `component/kafka`
  cause: `helm` ended with exit status: 1: cannot re-use a name that is still in
         use

hint: release `kafka` exists in namespace `data-mill` but datamill did not
      create it; to see what it is, run:
          helm status kafka -n data-mill
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn colour_adds_nothing_but_colour() {
        let plain = failure_text(&adopted(), 60, Paint { on: false });
        let painted = failure_text(&adopted(), 60, Paint { on: true });
        let mut bare = painted;
        for code in ["\u{1b}[31m", "\u{1b}[36m", "\u{1b}[0m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, plain);
    }

    #[test]
    fn a_bug_asks_to_be_reported() {
        let text = failure_text(&Failure::new(FailureKind::Bug, "x"), 80, Paint { on: false });
        assert!(text.contains("report it"), "{text}");
    }

    #[test]
    fn scripts_read_kind_and_exit() {
        let json = failure_json(&adopted());
        assert_eq!(json["kind"], "foreign");
        assert_eq!(json["exit"], 11);
        assert_eq!(json["causes"].as_array().unwrap().len(), 1);
    }
}
