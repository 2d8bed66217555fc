//! The table's clock in time that user space knows.

use super::entry::BlockTime;
use super::memory::BlockMemory;

/// The table's clock and the clock that user space has: the kernel moves both by the same source, so
/// one pair of readings tells all others to a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockClock {
    /// A tick.
    pub ticks: u64,
    /// When it began: `CLOCK_MONOTONIC`, or in replay wall time; nanoseconds.
    pub monotonic_ns: u64,
    /// Length of a tick, nanoseconds.
    pub tick_ns: u64,
}

impl BlockClock {
    /// The tick of a moment of the other clock, nanoseconds.
    #[must_use]
    pub fn ticks_at(&self, monotonic_ns: i64) -> BlockTime {
        let since = i128::from(monotonic_ns) - i128::from(self.monotonic_ns);
        let ticks = since.div_euclid(i128::from(self.tick_ns.max(1))) + i128::from(self.ticks);
        BlockTime(u64::try_from(ticks.max(1)).unwrap_or(u64::MAX))
    }

    /// When a tick begins on the other clock, nanoseconds.
    #[must_use]
    pub fn ns_of(&self, time: BlockTime) -> i64 {
        let ticks = i128::from(time.0) - i128::from(self.ticks);
        let ns = ticks * i128::from(self.tick_ns) + i128::from(self.monotonic_ns);
        i64::try_from(ns.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or_default()
    }

    /// Ticks in a duration, the last begun one included.
    #[must_use]
    pub const fn ticks_in(&self, ns: u64) -> u64 {
        let tick_ns = if self.tick_ns == 0 { 1 } else { self.tick_ns };
        ns.div_ceil(tick_ns)
    }
}

impl BlockMemory<'_> {
    /// Says which tick began when, and how long a tick is.
    pub fn set_clock(&self, clock: BlockClock) {
        let [ticks, monotonic_ns, tick_ns] = &self.control.clock;
        ticks.store(clock.ticks);
        monotonic_ns.store(clock.monotonic_ns);
        tick_ns.store(clock.tick_ns);
        let tick_ns = clock.tick_ns.max(1);
        self.control.ticks_per_s.store(1_000_000_000 / tick_ns);
    }

    /// The clock that was set.
    #[must_use]
    pub fn clock(&self) -> BlockClock {
        let [ticks, monotonic_ns, tick_ns] = &self.control.clock;
        BlockClock {
            ticks: ticks.load(),
            monotonic_ns: monotonic_ns.load(),
            tick_ns: tick_ns.load(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_times_are_told_from_each_other() {
        let clock = BlockClock {
            ticks: 0xffff_fb6c,
            monotonic_ns: 5_000_000_000,
            tick_ns: 4_000_000,
        };
        assert_eq!(clock.ticks_at(5_000_000_000), BlockTime(0xffff_fb6c));
        assert_eq!(clock.ticks_at(5_003_999_999), BlockTime(0xffff_fb6c));
        assert_eq!(clock.ticks_at(5_004_000_000), BlockTime(0xffff_fb6d));
        assert_eq!(clock.ticks_at(4_999_999_999), BlockTime(0xffff_fb6b));
        assert_eq!(clock.ns_of(BlockTime(0xffff_fb6c + 250)), 6_000_000_000);
        assert_eq!(clock.ns_of(BlockTime(u64::MAX)), i64::MAX);
        assert_eq!(clock.ticks_at(i64::MIN), BlockTime(1), "never zero");
        assert_eq!((clock.ticks_in(4_000_001), clock.ticks_in(0)), (2, 0));
    }

    /// Ten years from now, to the tick.
    #[test]
    fn years_do_not_wrap() {
        let clock = BlockClock {
            ticks: 0xffff_ffff,
            monotonic_ns: 1_000,
            tick_ns: 1_000_000,
        };
        let years_ns = 10 * 365 * 86_400 * 1_000_000_000_i64;
        let end = clock.ticks_at(1_000 + years_ns);
        assert_eq!(end.0 - clock.ticks, 10 * 365 * 86_400 * 1_000);
        assert_eq!(clock.ns_of(end), 1_000 + years_ns);
    }
}
