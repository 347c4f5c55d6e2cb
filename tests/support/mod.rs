//! What tests share.

pub(crate) mod lab;
mod rules;
pub(crate) mod world;
