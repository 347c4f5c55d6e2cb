//! All output: progress, plans, events, tables, questions. Nothing below this module prints, and nothing here decides.
//! Standard output carries what was asked for; everything else goes to standard error.

mod answer;
mod endpoint;
mod event;
mod failure;
pub mod json;
mod markdown;
mod paint;
mod picture;
mod plan;
mod problem;
mod progress;
mod question;
mod report;
mod run;
mod screen;
mod status;
mod text;
mod tool;

pub use paint::{Colour, Paint};
pub use plan::PlanHeader;
pub use question::{Answer, AnswerKind, Question, Typed};
pub use report::{Kept, LeftOut, NextCommand, Summary};
pub use run::{LockView, RunView};
pub use screen::{Asked, Busy, Completer, Look, Mode, Screen, Sink, Typist, terminal_width};
pub use status::{DataRow, StatusRow, StatusView};
pub use text::{duration, wrap};
pub use tool::{ToolEvent, ToolRow};
