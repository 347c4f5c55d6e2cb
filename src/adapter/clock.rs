//! The one clock.
#![expect(clippy::disallowed_methods, reason = "the door to the clock")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Time since 1970 in UTC; zero on a machine whose clock stands before that.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
