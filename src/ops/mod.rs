//! Use cases: load, look, plan, ask, execute. The only module that sees all below. A use case is a short list of the steps in
//! `ARCHITECTURE.md` 1; what they share lives in `scene` (what a run stands on) and `look` (what was seen).

mod accept;
mod adopt;
mod apply;
mod audit;
mod connect;
mod consent;
mod credentials;
mod deletes;
mod describe;
mod destroy;
mod draw;
mod forward;
mod history;
mod installation;
mod listing;
mod load;
mod lock;
mod look;
mod marking;
mod moved;
mod orphan;
mod power;
mod preflight;
mod protect;
mod requirement;
mod saved;
mod scene;
mod settings;
mod status;
mod target;
mod tools;
mod turn;
mod unlock;
mod validate;

pub use adopt::adopt;
pub use apply::{apply, plan, uninstall};
pub use connect::connect;
pub use credentials::credentials;
pub use destroy::destroy;
pub use draw::Goal;
pub use forward::forward;
pub use listing::{
    SchemaOf, components_list, components_show, flavours_list, flavours_show, post_render, schema,
};
pub use lock::{SavedLock, SavedPin, lock_list, lock_update};
pub use orphan::orphan;
pub use power::{start, stop};
pub use protect::protect;
pub use saved::{GOOD_FOR, SCHEMA, SavedGoal, SavedPlan, SavedRequest, SavedSetting, apply_saved};
pub use settings::{Confirm, Deferral, Manner, OutputFormat, Planned, Reach, Settings};
pub use status::status;
pub use tools::{tools, tools_install};
pub use unlock::unlock;
pub use validate::validate;

pub use crate::config::{LoadRequest, Location, SchemaKind};
pub use crate::engine::Cancel;
pub use crate::plan::preflight::Check;

/// How a command ended when it did not fail: the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All is as wanted: 0.
    Well,
    /// `plan --detailed-exitcode` found changes: 2.
    Changes,
    /// Only drift was found (`--refresh-only`): 3.
    Drift,
}
