//! Questions to the user. Without a terminal a question is a failure that names the flag which answers it, never a hang.

use crate::model::{Failure, FailureKind};

use super::paint::Colour;
use super::screen::Screen;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question itself.
    pub text: String,
    /// What counts as an answer.
    pub kind: AnswerKind,
    /// The flags that answer it where nobody can be asked.
    pub answered_by: String,
    /// Whether `each` is an answer, too.
    pub each: bool,
}

/// What counts as an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerKind {
    /// `y` or `yes`; anything else is no.
    YesNo,
    /// Exactly this name; anything else is no.
    TypeName(String),
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go ahead.
    Yes,
    /// Leave everything as it is.
    No,
    /// Ask about each deletion by itself.
    Each,
}

/// What came from the keyboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// A line.
    Line(String),
    /// The end of the input.
    End,
    /// An interrupt instead of an answer.
    Interrupted,
}

impl Question {
    /// A question for yes or no.
    pub fn yes_no(text: impl Into<String>, answered_by: impl Into<String>) -> Self {
        let kind = AnswerKind::YesNo;
        Self { text: text.into(), kind, answered_by: answered_by.into(), each: false }
    }

    /// A question that is answered by typing a name.
    pub fn type_name(
        text: impl Into<String>,
        name: impl Into<String>,
        answered_by: impl Into<String>,
    ) -> Self {
        let kind = AnswerKind::TypeName(name.into());
        Self { text: text.into(), kind, answered_by: answered_by.into(), each: false }
    }

    /// The same, where each deletion may be asked about by itself.
    #[must_use]
    pub fn or_each(self, each: bool) -> Self {
        Self { each, ..self }
    }

    /// What a typed line means.
    pub fn judge(&self, line: &str) -> Answer {
        let line = line.trim();
        // A project may be called `each`, and its name comes first.
        let name = matches!(&self.kind, AnswerKind::TypeName(name) if name == line);
        if self.each && !name && line.eq_ignore_ascii_case("each") {
            return Answer::Each;
        }
        let yes = match &self.kind {
            AnswerKind::YesNo => matches!(line.to_ascii_lowercase().as_str(), "y" | "yes"),
            AnswerKind::TypeName(name) => line == name,
        };
        if yes { Answer::Yes } else { Answer::No }
    }
}

impl Screen {
    /// Asks. Where nobody can answer, it fails with exit 10 and names the flags that do.
    pub fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        if !self.look().interactive {
            return Err(Failure::new(FailureKind::Usage, "cannot ask without a terminal")
                .because(format!("the question is: {}", question.text))
                .hint(format!("to answer it beforehand, add:\n    {}", question.answered_by)));
        }
        let suffix = match (&question.kind, question.each) {
            (AnswerKind::YesNo, false) => " [y/N] ",
            (AnswerKind::YesNo, true) => " [y/N/each] ",
            (AnswerKind::TypeName(_), false) => " ",
            (AnswerKind::TypeName(_), true) => " (or `each`, to be asked about each deletion) ",
        };
        let text = self.paint().text(Colour::Bold, &question.text);
        self.prompt(&format!("\n{text}{suffix}"));
        match self.typed() {
            Typed::Line(line) => Ok(question.judge(&line)),
            Typed::End => Ok(Answer::No),
            Typed::Interrupted => {
                Err(Failure::new(FailureKind::Interrupted, "interrupted; nothing was changed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::screen::tests::{Recorded, recorded};
    use super::super::{Look, Mode};
    use super::*;

    #[test]
    fn only_a_clear_yes_is_yes() {
        let question = Question::yes_no("Make these changes?", "--yes");
        for line in ["y", "Y", "yes", " YES \n"] {
            assert_eq!(question.judge(line), Answer::Yes, "{line}");
        }
        for line in ["", "n", "no", "yess", "demo"] {
            assert_eq!(question.judge(line), Answer::No, "{line}");
        }
        let question = Question::type_name("Type the name:", "demo", "--confirm-project demo");
        assert_eq!(question.judge("demo\n"), Answer::Yes);
        assert_eq!(question.judge("Demo"), Answer::No);
        assert_eq!(question.judge("y"), Answer::No);
        assert_eq!(question.judge("each"), Answer::No, "it was not offered");
        assert_eq!(question.or_each(true).judge("each"), Answer::Each);
        let called_each = Question::type_name("Type the name:", "each", "").or_each(true);
        assert_eq!(called_each.judge("each"), Answer::Yes);
    }

    #[test]
    fn without_a_terminal_the_failure_names_the_flag() {
        let Recorded { screen, .. } = recorded(Look::new(Mode::Plain));
        let failure = screen.ask(&Question::yes_no("Go on?", "--yes")).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Usage);
        assert!(failure.hints.concat().contains("    --yes"), "{failure:?}");
    }

    #[test]
    fn the_prompt_stands_on_standard_error() {
        let look = Look { interactive: true, ..Look::new(Mode::Plain) };
        let recorded = recorded(look);
        recorded.types(Typed::Line("yes".to_owned()));
        let answer = recorded.screen.ask(&Question::yes_no("Go on?", "--yes")).unwrap();
        assert_eq!(answer, Answer::Yes);
        assert_eq!(recorded.stderr(), "\nGo on? [y/N] ");
        assert_eq!(recorded.stdout(), "");
    }

    #[test]
    fn an_interrupt_at_the_prompt_ends_the_run_with_nothing_changed() {
        let look = Look { interactive: true, ..Look::new(Mode::Plain) };
        let recorded = recorded(look);
        recorded.types(Typed::Interrupted);
        let failure = recorded.screen.ask(&Question::yes_no("Go on?", "--yes")).unwrap_err();
        assert_eq!(failure.kind.exit_code(), 130);
    }
}
