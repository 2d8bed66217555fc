//! The engine's 32-bit clock.

/// A point in traffic time, in ticks of a unit that the caller fixes: kernel jiffies (1/`CONFIG_HZ`
/// seconds) on live traffic, microseconds of capture time in replay.
///
/// The value wraps. Differences are taken as signed 32-bit numbers, so two points can be compared
/// while they are less than 2³¹ ticks apart (24 days of jiffies at 1000 Hz, 35 minutes of
/// microseconds).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Ticks(pub u32);

impl Ticks {
    /// Ticks from `earlier` to `self`: negative when `self` is in fact the earlier one.
    #[inline(always)]
    #[must_use]
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// The later of two points in time.
    #[inline(always)]
    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        if self.since(other) >= 0 { self } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let before = Ticks(u32::MAX - 1);
        let after = Ticks(3);
        assert_eq!(after.since(before), 5);
        assert_eq!(before.since(after), -5);
        assert_eq!(before.max(after), after);
        assert_eq!(after.max(before), after);
    }
}
