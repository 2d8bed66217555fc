//! Wall time, and the one place that reads a clock.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// A point in UTC wall time: nanoseconds since 1970, from 1677 to 2262.
///
/// Kernel ticks and `CLOCK_MONOTONIC` readings are other types; sources convert them, so that
/// everything behind a source works in wall time, live or replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// A point in time from nanoseconds since 1970.
    #[must_use]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// The clock's reading. Only the outermost loops of the command may ask for it.
    #[must_use]
    pub fn now() -> Self {
        Self(i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
    }

    /// Nanoseconds from `earlier` to `self`; negative when `self` is the earlier one.
    #[must_use]
    pub const fn ns_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The duration from `earlier` to `self`, zero when `self` is the earlier one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.ns_since(earlier)).unwrap_or_default())
    }

    /// `ns` nanoseconds later, or earlier when negative.
    #[must_use]
    pub const fn plus_ns(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_ns(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default()
    }
}

impl fmt::Display for WallTime {
    /// RFC 3339 in UTC with microseconds: `2026-11-23T01:31:02.114000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_rfc3339_with_microseconds() {
        assert_eq!(
            WallTime::from_ns(1_000_000_123_456_789).to_string(),
            "1970-01-12T13:46:40.123456Z"
        );
        assert_eq!(
            WallTime::from_ns(0).to_string(),
            "1970-01-01T00:00:00.000000Z"
        );
    }

    #[test]
    fn differences_do_not_wrap() {
        let far = WallTime::from_ns(i64::MAX);
        assert_eq!(far.plus(Duration::from_secs(1)), far);
        assert_eq!(WallTime::from_ns(5).since(far), Duration::ZERO);
        assert_eq!(
            far.since(WallTime::from_ns(i64::MAX - 7)),
            Duration::from_nanos(7)
        );
    }
}
