//! The one integration binary: `mod` lines and the lint settings that only tests have.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly and touches files of its own; clippy's in-tests settings do not cover helpers"
)]

mod architecture;
mod cluster;
mod content;
mod engine;
mod node;
mod program;
mod scenarios;
mod support;
