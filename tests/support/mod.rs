//! What tests share.

pub(crate) mod charts;
pub(crate) mod lab;
pub(crate) mod node;
mod rules;
pub(crate) mod sandbox;
pub(crate) mod schema;
pub(crate) mod slot;
pub(crate) mod weather;
pub(crate) mod world;
