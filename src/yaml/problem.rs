//! Problems found in files: collected, then reported all at once with file, line, snippet and a suggestion.

use miette::{LabeledSpan, NamedSource};

use super::{Entry, Located, Node, Source, Span};

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
    pub label: Box<str>,
    /// What to do.
    pub help: Option<Box<str>>,
    /// Whether a secret stands at the place: no snippet shows it.
    pub is_secret: bool,
    /// What most problems lack. Problems are carried in results, and small for that.
    rest: Box<Rest>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rest {
    /// What could be written in its place, best first.
    suggestions: Vec<String>,
    /// What may be a secret near the place: stars stand there in every snippet.
    hides: Vec<Span>,
}

impl Problem {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            at: None,
            label: "here".into(),
            help: None,
            is_secret: false,
            rest: Box::default(),
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

    /// Names the place that led to the file, where the problem has none in the file itself.
    #[must_use]
    pub fn or_at(mut self, span: Option<&Span>) -> Self {
        self.at = self.at.or_else(|| span.cloned());
        self
    }

    /// Says what stands at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<Box<str>>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names the place of a secret: no snippet shows it, whichever problem it is for.
    #[must_use]
    pub fn at_secret(self, span: &Span) -> Self {
        Self { is_secret: true, ..self.at(span) }
    }

    /// Names the place of a key that nobody knows. Its value is hidden where the key sounds like a secret or is nearly one of
    /// `secrets`: it may be a slip of the pen. So are those below that sound like one.
    #[must_use]
    pub fn at_key<'a>(self, entry: &Entry, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut problem = self.at(&entry.key_span);
        let hides = &mut problem.rest.hides;
        if nearest(&entry.key, secrets).is_some() {
            hides.push(entry.value.span.clone());
        } else {
            hide(entry, hides);
        }
        problem
    }

    fn suggesting<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.rest.suggestions = words.into_iter().map(str::to_owned).collect();
        self
    }

    /// What could be written in its place, best first.
    pub fn suggestions(&self) -> &[String] {
        &self.rest.suggestions
    }

    /// What no snippet shows of this problem.
    pub fn hidden(&self) -> impl Iterator<Item = &Span> {
        self.at.iter().filter(|_| self.is_secret).chain(&self.rest.hides)
    }

    /// Suggests the nearest of some candidates to a word, if one is near; otherwise lists them.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        let mut candidates: Vec<_> = candidates.into_iter().collect();
        candidates.sort_unstable();
        candidates.dedup();
        match nearest(word, candidates.iter().copied()) {
            Some(best) => self.suggesting([best]).help(format!("did you mean `{best}`?")),
            None if candidates.is_empty() => self,
            None => {
                let help = format!("known here: {}", candidates.join(", "));
                self.suggesting(candidates).help(help)
            }
        }
    }

    /// The problem as miette shows it: with a snippet when it has a place. `hidden` are the secrets that stand in files.
    pub fn report(&self, hidden: &[Span]) -> miette::Report {
        let severity = match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let mut diagnostic = miette::MietteDiagnostic::new(self.message.clone())
            .with_severity(severity)
            .with_code(self.code);
        if let Some(help) = &self.help {
            diagnostic = diagnostic.with_help(&**help);
        }
        match &self.at {
            None => miette::Report::new(diagnostic),
            // A snippet would show the secret, or fill the screen.
            Some(span) if self.is_secret || span.line_length() > LONGEST_LINE => {
                let (path, line) = (span.path().display(), span.line());
                diagnostic.message = format!("{path}:{line}:{}: {}", span.column(), self.message);
                miette::Report::new(diagnostic)
            }
            Some(span) => {
                let range = span.start..span.end.max(span.start);
                diagnostic = diagnostic
                    .with_label(LabeledSpan::new_with_span(Some(self.label.to_string()), range));
                let name = span.path().display().to_string();
                miette::Report::new(diagnostic)
                    .with_source_code(NamedSource::new(name, masked(&span.source, hidden)))
            }
        }
    }
}

/// Whether a key sounds like one of a secret, also with a slip of the pen in it.
pub fn sounds_secret(key: &str) -> bool {
    const WORDS: [&str; 6] = ["key", "password", "passwd", "secret", "token", "credential"];
    let key = key.to_lowercase();
    let near = |part: &str| WORDS.iter().any(|word| strsim::damerau_levenshtein(part, word) <= 1);
    WORDS.iter().any(|word| key.contains(word)) || key.split(['_', '-', '.']).any(near)
}

/// The values of keys that sound like secrets, at an entry and below it.
fn hide(entry: &Entry, into: &mut Vec<Span>) {
    if sounds_secret(&entry.key) {
        into.push(entry.value.span.clone());
    } else {
        hide_below(&entry.value, into);
    }
}

fn hide_below(tree: &Located, into: &mut Vec<Span>) {
    match &tree.node {
        Node::Map(entries) => entries.iter().for_each(|entry| hide(entry, into)),
        Node::List(items) => items.iter().for_each(|item| hide_below(item, into)),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) => {}
    }
}

/// The text of a file with stars in the place of secrets; every other byte stays where it is.
pub fn masked(source: &Source, hidden: &[Span]) -> String {
    let mut text = source.text.to_string();
    for secret in hidden.iter().filter(|secret| secret.source.path == source.path) {
        let range = secret.start..secret.end;
        let Some(shown) = text.get(range.clone()) else { continue };
        let stars: String =
            shown.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        text.replace_range(range, &stars);
    }
    text
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

    /// Those that another collection does not have.
    #[must_use]
    pub fn beyond(self, known: &Self) -> Self {
        Self(self.0.into_iter().filter(|problem| !known.0.contains(problem)).collect())
    }

    /// The same but for those of a code.
    #[must_use]
    pub fn without(self, code: &str) -> Self {
        Self(self.0.into_iter().filter(|problem| problem.code != code).collect())
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
