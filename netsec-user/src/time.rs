//! Wall time, and the one place that reads a clock.

mod span;

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use nix::time::{ClockId, clock_gettime};

pub use self::span::{NotATimeSpan, Span, TimeSpan};

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

    /// A reading of `CLOCK_MONOTONIC`, nanoseconds, in wall time, given [`monotonic_offset_ns`].
    #[must_use]
    pub fn from_monotonic(monotonic_ns: u64, offset_ns: i64) -> Self {
        let monotonic_ns = i64::try_from(monotonic_ns).unwrap_or(i64::MAX);
        Self(monotonic_ns.saturating_add(offset_ns))
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

    /// The last whole multiple of `unit` since 1970 that is not after it.
    #[must_use]
    pub fn whole(self, unit: Duration) -> Self {
        let unit = i64::try_from(unit.as_nanos()).unwrap_or(i64::MAX).max(1);
        Self(self.0.saturating_sub(self.0.rem_euclid(unit)))
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default()
    }
}

/// How far `CLOCK_MONOTONIC` is behind wall time at this moment, nanoseconds, to well under a
/// microsecond. It changes when the wall clock is set or slewed.
///
/// # Errors
///
/// None on Linux.
pub fn monotonic_offset_ns() -> nix::Result<i64> {
    /// The process may be interrupted between two readings; hardly so often.
    const TRIES: usize = 5;
    let mut best = (i64::MAX, 0);
    for _ in 0..TRIES {
        let before = monotonic_ns()?;
        let wall = WallTime::now();
        let gap = monotonic_ns()?.saturating_sub(before);
        best = best.min((gap, wall.0.saturating_sub(before + gap / 2)));
    }
    Ok(best.1)
}

/// [`monotonic_offset_ns`], learnt anew when it is older than a tenth of a second: that takes fifteen
/// readings of clocks.
#[derive(Debug, Default)]
pub struct MonotonicOffset {
    /// When it was learnt, on the monotonic clock, and what.
    learnt: Cell<Option<(i64, i64)>>,
}

impl MonotonicOffset {
    const FRESH_NS: i64 = 100_000_000;

    /// Nanoseconds; 0 when the clocks cannot be read.
    #[must_use]
    pub fn ns(&self) -> i64 {
        let Ok(now) = monotonic_ns() else {
            return 0;
        };
        if let Some((then, offset)) = self.learnt.get()
            && now - then < Self::FRESH_NS
        {
            return offset;
        }
        let offset = monotonic_offset_ns().unwrap_or_default();
        self.learnt.set(Some((now, offset)));
        offset
    }
}

fn monotonic_ns() -> nix::Result<i64> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    Ok(now.tv_sec().saturating_mul(1_000_000_000) + now.tv_nsec())
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
