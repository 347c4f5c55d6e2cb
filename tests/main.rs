//! The one integration binary: `mod` lines and the lint settings that only tests have.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail loudly and touches files of its own; clippy's in-tests settings do not cover helpers"
)]

mod architecture;
mod content;
