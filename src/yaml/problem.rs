//! Problems found in files: collected, then reported all at once with file, line, snippet and a suggestion.

use miette::{LabeledSpan, NamedSource};

use super::Span;

/// A longer line is not shown as a snippet, in characters.
pub const LONGEST_LINE: usize = 400;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is done.
    Error,
    /// It is said, and the run goes on.
    Warning,
}

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for scripts, such as `unknown-key`.
    pub code: &'static str,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// Where, when it is about a place in a file.
    pub at: Option<Span>,
    /// What stands at the place, for the arrow below the snippet.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            at: None,
            label: "here".to_owned(),
            help: None,
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Names the place.
    #[must_use]
    pub fn at(mut self, span: &Span) -> Self {
        self.at = Some(span.clone());
        self
    }

    /// Says what stands at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Suggests the nearest of some candidates to a word, if one is near; otherwise lists them.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let mut candidates: Vec<_> = candidates.into_iter().collect();
        candidates.sort_unstable();
        candidates.dedup();
        match nearest(word, candidates.iter().copied()) {
            Some(best) => self.help(format!("did you mean `{best}`?")),
            None if candidates.is_empty() => self,
            None => self.help(format!("known here: {}", candidates.join(", "))),
        }
    }

    /// The problem as miette shows it: with a snippet when it has a place.
    pub fn report(&self) -> miette::Report {
        let severity = match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let mut diagnostic = miette::MietteDiagnostic::new(self.message.clone())
            .with_severity(severity)
            .with_code(self.code);
        if let Some(help) = &self.help {
            diagnostic = diagnostic.with_help(help.clone());
        }
        match &self.at {
            None => miette::Report::new(diagnostic),
            // A snippet of such a line would fill the screen.
            Some(span) if span.line_length() > LONGEST_LINE => {
                let (path, line) = (span.path().display(), span.line());
                diagnostic.message = format!("{path}:{line}:{}: {}", span.column(), self.message);
                miette::Report::new(diagnostic)
            }
            Some(span) => {
                let range = span.start..span.end.max(span.start);
                diagnostic = diagnostic
                    .with_label(LabeledSpan::new_with_span(Some(self.label.clone()), range));
                let name = span.path().display().to_string();
                miette::Report::new(diagnostic)
                    .with_source_code(NamedSource::new(name, span.source.text.to_string()))
            }
        }
    }
}

/// A collection of problems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem, unless the same was added before.
    pub fn push(&mut self, problem: Problem) {
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Adds all of another collection.
    pub fn append(&mut self, other: Self) {
        other.0.into_iter().for_each(|problem| self.push(problem));
    }

    /// The same with every error turned into a warning: for parts of a file that this run does not use.
    #[must_use]
    pub fn as_warnings(self) -> Self {
        let mut warnings = Self::default();
        for problem in self.0 {
            warnings.push(Problem { severity: Severity::Warning, ..problem });
        }
        warnings
    }

    /// Whether one is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of files and lines; those without a place first.
    pub fn sorted(&self) -> Vec<&Problem> {
        let mut all: Vec<_> = self.0.iter().collect();
        all.sort_by_key(|p| p.at.as_ref().map(|at| (at.path().to_owned(), at.start)));
        all
    }

    /// The value when no error was found; all problems otherwise. Warnings stay with the caller.
    pub fn finish<T>(self, value: impl FnOnce() -> T) -> Result<(T, Self), Self> {
        if self.has_errors() { Err(self) } else { Ok((value(), self)) }
    }
}

/// The candidate that a word was probably meant to be: the nearest, when one is near; of equals the first by name.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(distance, c)| *distance <= 1 + c.len().min(word.len()) / 4);
    near.min().map(|(_, best)| best)
}
