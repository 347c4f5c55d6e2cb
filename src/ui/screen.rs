//! The screen: where text goes, how wide it is, and in which form. Its other methods stand with what they show.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::{Value as Json, json};

use super::answer::{Answers, VERSION};
use super::paint::{Colour, Paint};
use super::progress::Run;
use super::question::Typed;
use super::text::wrap;
use crate::model::{Failure, FailureKind};

/// Where text goes: a stream, or a buffer in tests.
pub type Sink = Arc<Mutex<dyn Write + Send>>;

/// Waits for a line from the keyboard, or for an interrupt.
pub type Typist = Box<dyn FnMut() -> Typed + Send>;

/// Completes commands in a text with the options that the user gave, so that they work when they are pasted.
pub type Completer = Box<dyn Fn(&str) -> String + Send + Sync>;

/// The width of the terminal that standard error, or else standard output, goes to, in characters.
pub fn terminal_width(of_stderr: bool) -> Option<usize> {
    let mut table = Table::new();
    let width = if of_stderr { table.use_stderr().width() } else { table.width() };
    // Some terminals do not know their width and say 0.
    width.map(usize::from).filter(|width| *width > 0)
}

/// In which form things are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For a person at a terminal: bars and colour.
    Terminal,
    /// For a log: one line per event.
    Plain,
    /// For a script: events as JSON lines on standard error, one JSON document on standard output, however it ends.
    Json,
    /// The same with a YAML document.
    Yaml,
    /// As a log, with the plan as a comment for a pull request.
    Markdown,
    /// As a log, with the plan as a picture.
    Svg,
}

/// What was asked for, hence belongs on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The plan (`plan`).
    Plan,
    /// What came of a run (`apply`, `uninstall`, `destroy`, `start`, `stop`).
    Report,
    /// The problems of the files (`validate`).
    Problems,
    /// A document that the command prints by itself.
    Document,
}

/// How a screen looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// In which form.
    pub mode: Mode,
    /// Characters in a line.
    pub width: usize,
    /// Whether standard output takes colour.
    pub colour_out: bool,
    /// Whether standard error takes colour.
    pub colour_err: bool,
    /// Whether a question can be answered.
    pub interactive: bool,
    /// What was asked for.
    pub asked: Asked,
}

impl Look {
    /// 80 characters, no colour, nobody to ask, a report.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            width: 80,
            colour_out: false,
            colour_err: false,
            interactive: false,
            asked: Asked::Report,
        }
    }

    /// Whether scripts read what is written.
    pub fn is_document(&self) -> bool {
        matches!(self.mode, Mode::Json | Mode::Yaml)
    }
}

/// The screen. Clones share it.
#[derive(Clone)]
pub struct Screen(Arc<Inner>);

struct Inner {
    look: Look,
    out: Sink,
    err: Sink,
    typist: Mutex<Typist>,
    bars: MultiProgress,
    run: Mutex<Run>,
    answers: Mutex<Answers>,
    completer: OnceLock<Completer>,
    busy: AtomicUsize,
    /// Why part of the answer could not be written.
    unanswered: OnceLock<std::io::Error>,
}

/// As long as this lives, an interrupt waits for what is under way.
#[must_use = "it counts as long as it is held"]
pub struct Busy(Screen);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.0.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

fn held<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Screen {
    /// A screen on two streams.
    pub fn new(look: Look, out: Sink, err: Sink, typist: Typist) -> Self {
        let target = match look.mode {
            Mode::Terminal => ProgressDrawTarget::stderr_with_hz(10),
            Mode::Plain | Mode::Json | Mode::Yaml | Mode::Markdown | Mode::Svg => {
                ProgressDrawTarget::hidden()
            }
        };
        Self(Arc::new(Inner {
            look,
            out,
            err,
            typist: Mutex::new(typist),
            bars: MultiProgress::with_draw_target(target),
            run: Mutex::new(Run::default()),
            answers: Mutex::new(Answers::default()),
            completer: OnceLock::new(),
            busy: AtomicUsize::new(0),
            unanswered: OnceLock::new(),
        }))
    }

    /// Says how commands in hints are completed; the first word counts.
    pub fn complete_by(&self, completer: Completer) {
        self.0.completer.set(completer).ok();
    }

    /// A text with its commands completed.
    pub(super) fn completed(&self, text: &str) -> String {
        self.0.completer.get().map_or_else(|| text.to_owned(), |complete| complete(text))
    }

    /// How it looks.
    pub fn look(&self) -> &Look {
        &self.0.look
    }

    /// The colours of standard error.
    pub fn paint(&self) -> Paint {
        Paint { on: self.look().colour_err }
    }

    /// The colours of standard output.
    pub fn paint_out(&self) -> Paint {
        Paint { on: self.look().colour_out }
    }

    /// Something that must come to its end is under way: an interrupt must not cut it off.
    pub fn busy(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::SeqCst);
        Busy(self.clone())
    }

    pub(super) fn is_busy(&self) -> bool {
        self.0.busy.load(Ordering::SeqCst) > 0
    }

    pub(super) fn bars(&self) -> &MultiProgress {
        &self.0.bars
    }

    pub(super) fn run(&self) -> MutexGuard<'_, Run> {
        held(&self.0.run)
    }

    pub(super) fn answers(&self) -> MutexGuard<'_, Answers> {
        held(&self.0.answers)
    }

    pub(super) fn typed(&self) -> Typed {
        let mut typist = held(&self.0.typist);
        typist()
    }

    /// Writes lines to standard error, above the bars if there are any.
    pub fn say(&self, text: &str) {
        // Where nobody can be told, nobody can be told that.
        self.write(&self.0.err, text, "\n").ok();
    }

    /// Writes what was asked for to standard output. A reader that went away (`| head`) is no error: what it does not read
    /// need not be written.
    pub fn answer(&self, text: &str) {
        match self.write(&self.0.out, text, "\n") {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                self.0.unanswered.set(error).ok();
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// What was asked for and could not be written.
    pub fn unanswered(&self) -> Option<Failure> {
        let error = self.0.unanswered.get()?;
        let what = "cannot write the answer to standard output";
        Some(Failure::new(FailureKind::Preflight, what).because(error.to_string()))
    }

    pub(super) fn prompt(&self, text: &str) {
        self.write(&self.0.err, text, "").ok();
    }

    fn write(&self, sink: &Sink, text: &str, end: &str) -> std::io::Result<()> {
        let text = text.strip_suffix('\n').filter(|_| !end.is_empty()).unwrap_or(text);
        self.0.bars.suspend(|| {
            let mut sink = held(sink);
            write!(sink, "{text}{end}").and_then(|()| sink.flush())
        })
    }

    /// Writes an event as a JSON line to standard error.
    pub(super) fn event(&self, event: &Json) {
        let mut event = event.clone();
        if let Some(event) = event.as_object_mut() {
            event.insert("version".to_owned(), json!(VERSION));
        }
        self.say(&event.to_string());
    }

    /// Something worth knowing.
    pub fn note(&self, message: &str) {
        let message = &self.completed(message);
        if self.look().is_document() {
            self.event(&json!({"event": "note", "message": message}));
        } else {
            self.say(&wrap(message, self.look().width, "", "  "));
        }
    }

    /// Something that may be wrong; the command goes on.
    pub fn warn(&self, message: &str) {
        let message = &self.completed(message);
        if self.look().is_document() {
            self.event(&json!({"event": "warning", "message": message}));
        } else {
            let text = wrap(message, self.look().width, "warning: ", "         ");
            let tail = text.strip_prefix("warning:").unwrap_or(&text);
            self.say(&format!("{}{tail}", self.paint().text(Colour::Yellow, "warning:")));
        }
    }

    /// A table as text, within the width of the screen.
    pub fn table(&self, headings: &[&str], rows: &[Vec<String>]) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .force_no_tty()
            .set_width(u16::try_from(self.look().width).unwrap_or(u16::MAX))
            .set_header(headings.iter().copied().map(str::to_uppercase));
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text = table.trim_fmt();
        let mut lines = text.lines();
        let heading = lines.next().unwrap_or_default();
        let mut all = self.paint_out().text(Colour::Bold, heading);
        for line in lines {
            all.push('\n');
            all.push_str(line.trim_end());
        }
        all
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("look", &self.0.look).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A screen whose streams can be read.
    pub(in crate::ui) struct Recorded {
        pub(in crate::ui) screen: Screen,
        out: Arc<Mutex<Vec<u8>>>,
        err: Arc<Mutex<Vec<u8>>>,
        typed: Arc<Mutex<Vec<Typed>>>,
    }

    impl Recorded {
        pub(in crate::ui) fn stdout(&self) -> String {
            String::from_utf8(held(&self.out).clone()).unwrap()
        }

        pub(in crate::ui) fn stderr(&self) -> String {
            String::from_utf8(held(&self.err).clone()).unwrap()
        }

        pub(in crate::ui) fn types(&self, typed: Typed) {
            held(&self.typed).push(typed);
        }
    }

    pub(in crate::ui) fn recorded(look: Look) -> Recorded {
        let out = Arc::new(Mutex::new(Vec::new()));
        let err = Arc::new(Mutex::new(Vec::new()));
        let typed: Arc<Mutex<Vec<Typed>>> = Arc::default();
        let keyboard = Arc::clone(&typed);
        let typist: Typist = Box::new(move || held(&keyboard).pop().unwrap_or(Typed::End));
        let screen = Screen::new(look, out.clone(), err.clone(), typist);
        Recorded { screen, out, err, typed }
    }

    /// A stream whose reader went away.
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let broken: Sink = Arc::new(Mutex::new(Broken));
        let screen =
            Screen::new(Look::new(Mode::Plain), broken.clone(), broken, Box::new(|| Typed::End));
        screen.answer("nobody reads this");
        screen.warn("nor this");
    }

    #[test]
    fn only_what_was_asked_for_stands_on_standard_output() {
        let recorded = recorded(Look::new(Mode::Plain));
        recorded.screen.note("a note");
        recorded.screen.warn("a warning");
        recorded.screen.print_document("thing", &json!({"a": 1}), "a is 1");
        assert_eq!(recorded.stdout(), "a is 1\n");
        assert_eq!(recorded.stderr(), "a note\nwarning: a warning\n");
    }

    #[test]
    fn a_table_keeps_to_the_width() {
        let recorded = recorded(Look::new(Mode::Plain));
        let rows = vec![
            vec!["helm".to_owned(), "a sentence that goes on ".repeat(8)],
            vec!["kwok".to_owned(), "short".to_owned()],
        ];
        let table = recorded.screen.table(&["name", "what"], &rows);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.starts_with("NAME"), "{table}");
        assert!(!table.contains('\u{1b}'));
    }
}
