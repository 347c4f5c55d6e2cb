//! What lives inside a cluster. Comparison, ownership and readiness are shared by all kinds; each kind has a file.

pub mod compare;
mod failure;
mod normal;
mod owner;
pub mod release;
pub mod session;

pub use failure::{failure, foreign, provider_error, stale};
pub use normal::{compared, normal};
pub use owner::{class_of, manager_of, owner_of};
