//! Saved plans: a document that holds what was approved, and nothing secret. `plan --out` writes it, `apply FILE` carries it out,
//! here or on another machine.

mod apply;
mod document;
mod make;
mod next;
mod request;
mod verify;

pub use apply::apply_saved;
pub use document::{GOOD_FOR, SCHEMA, SavedGoal, SavedPlan};
pub use request::{SavedRequest, SavedSetting};

pub(super) use document::schema;
pub(super) use make::{may_write, write};
