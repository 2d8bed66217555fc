//! An interface's units of time.

use crate::time::WallTime;

const NS_PER_SECOND: u64 = 1_000_000_000;
const NS_PER_SECOND_SIGNED: i64 = 1_000_000_000;
const NS_DIGITS: u32 = 9;

/// How an interface's timestamps become wall time: `if_tsresol` and `if_tsoffset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    offset_seconds: i64,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// So many nanoseconds.
    Coarse(u64),
    /// So many of them are a nanosecond.
    Fine(u64),
    /// Two to this power of them are a second.
    Binary(u8),
    /// So short that 2⁶⁴ of them are less than a nanosecond.
    Zero,
}

impl Clock {
    /// A clock with a resolution as in `if_tsresol`: a negative power of ten, or of two when the
    /// highest bit is set.
    pub(super) const fn new(resolution: u8, offset_seconds: i64) -> Self {
        let exponent = resolution & 0x7f;
        let digits = exponent as u32;
        let unit = if resolution & 0x80 != 0 {
            Unit::Binary(exponent)
        } else if digits <= NS_DIGITS {
            Unit::Coarse(10_u64.pow(NS_DIGITS - digits))
        } else {
            match 10_u64.checked_pow(digits - NS_DIGITS) {
                Some(ticks) => Unit::Fine(ticks),
                None => Unit::Zero,
            }
        };
        Self {
            unit,
            offset_seconds,
        }
    }

    /// The time of a timestamp; as an error, the nearest to one out of [`WallTime`]'s range.
    #[inline]
    pub(super) fn time(self, ticks: u64) -> Result<WallTime, WallTime> {
        match self.exact(ticks) {
            Some(ns) => Ok(WallTime::from_ns(ns)),
            None => self.wide(ticks),
        }
    }

    /// Nanoseconds since 1970, unless some step leaves the 64 bits.
    #[inline]
    fn exact(self, ticks: u64) -> Option<i64> {
        let ns = match self.unit {
            Unit::Coarse(ns) => ticks.checked_mul(ns)?,
            Unit::Fine(ticks_per_ns) => ticks / ticks_per_ns,
            Unit::Binary(power) => binary_ns(ticks, power)?,
            Unit::Zero => 0,
        };
        let offset = self.offset_seconds.checked_mul(NS_PER_SECOND_SIGNED)?;
        i64::try_from(ns).ok()?.checked_add(offset)
    }

    /// As [`Self::time`] in 128 bits, where no step overflows: a timestamp beyond 2262 may have an
    /// offset that brings it back.
    #[cold]
    fn wide(self, ticks: u64) -> Result<WallTime, WallTime> {
        let ticks = i128::from(ticks);
        let ns = match self.unit {
            Unit::Coarse(ns) => ticks * i128::from(ns),
            Unit::Fine(ticks_per_ns) => ticks / i128::from(ticks_per_ns),
            Unit::Binary(power) => (ticks * i128::from(NS_PER_SECOND)) >> power,
            Unit::Zero => 0,
        };
        let ns = ns + i128::from(self.offset_seconds) * i128::from(NS_PER_SECOND);
        match i64::try_from(ns) {
            Ok(ns) => Ok(WallTime::from_ns(ns)),
            Err(_) if ns < 0 => Err(WallTime::from_ns(i64::MIN)),
            Err(_) => Err(WallTime::from_ns(i64::MAX)),
        }
    }
}

fn binary_ns(ticks: u64, power: u8) -> Option<u64> {
    let ns = (u128::from(ticks) * u128::from(NS_PER_SECOND)) >> power;
    u64::try_from(ns).ok()
}
