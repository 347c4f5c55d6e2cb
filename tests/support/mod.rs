//! What tests share.

pub(crate) mod charts;
pub(crate) mod lab;
mod rules;
pub(crate) mod sandbox;
pub(crate) mod slot;
pub(crate) mod world;
