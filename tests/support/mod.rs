//! What tests share.

pub(crate) mod lab;
pub(crate) mod world;
