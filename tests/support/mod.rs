//! What tests share.

pub(crate) mod lab;
pub(crate) mod world;
pub(crate) mod charts;
pub(crate) mod sandbox;
