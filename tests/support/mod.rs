//! What tests share.

pub(crate) mod charts;
pub(crate) mod lab;
pub(crate) mod sandbox;
mod rules;
pub(crate) mod world;
