//! The one clock, and how times are written.
#![expect(clippy::disallowed_methods, reason = "the door to the clock")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Time since 1970 in UTC; zero on a machine whose clock stands before that.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A time since 1970 as Kubernetes writes it in Leases: `2026-01-31T12:30:45.123456Z`.
pub fn micro_time(since: Duration) -> String {
    format!("{:.6}", timestamp(since))
}

/// Reads what [`micro_time`] writes, and other times of that form.
pub fn read_time(text: &str) -> Option<Duration> {
    let time: Timestamp = text.parse().ok()?;
    let micros = u64::try_from(time.as_microsecond()).ok()?;
    Some(Duration::from_micros(micros))
}

/// Seconds since 1970 for people: `2026-01-31 12:30:45 UTC`.
pub fn words(seconds: u64) -> String {
    timestamp(Duration::from_secs(seconds)).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time beyond what a calendar knows is the last one.
fn timestamp(since: Duration) -> Timestamp {
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let time = Duration::from_micros(1_769_862_645_123_456);
        assert_eq!(micro_time(time), "2026-01-31T12:30:45.123456Z");
        assert_eq!(read_time(&micro_time(time)), Some(time));
        assert_eq!(read_time("2026-01-31T12:30:45Z"), Some(Duration::from_secs(1_769_862_645)));
        assert_eq!(read_time("yesterday"), None);
        assert_eq!(words(1_769_862_645), "2026-01-31 12:30:45 UTC");
        assert!(micro_time(Duration::MAX).starts_with("9999-"));
    }
}
