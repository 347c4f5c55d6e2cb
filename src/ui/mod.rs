//! All output: progress, plans, events, tables, questions. Nothing below this module prints.

/// The screen: text on a terminal, plain lines in a pipe, or JSON events.
#[derive(Debug)]
pub struct Screen {}
