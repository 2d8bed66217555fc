//! How numbers are written for people.

use std::fmt;
use std::time::Duration;

pub use crate::time::Span;

/// A number with a comma between thousands: `12,345`.
#[derive(Clone, Copy, Debug)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thousands = self.0 / 1000;
        if thousands == 0 {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{},{:03}", Self(thousands), self.0 % 1000)
        }
    }
}

/// A quantity in SI units, with three digits or one decimal: `999 B`, `1.2 kB`, `12.3 MB`.
#[derive(Clone, Copy, Debug)]
pub struct Si {
    value: f64,
    unit: &'static str,
    whole: bool,
}

impl Si {
    /// Bytes; below 1,000 exact.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self {
            value: bytes as f64,
            unit: "B",
            whole: true,
        }
    }

    /// `amount` of something `per` second, `None` when no time has passed.
    #[must_use]
    pub fn rate(amount: u64, time: Duration, unit: &'static str) -> Option<Self> {
        let seconds = time.as_secs_f64();
        (seconds > 0.0).then(|| Self {
            value: amount as f64 / seconds,
            unit,
            whole: false,
        })
    }
}

impl fmt::Display for Si {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
        let mut value = self.value;
        let mut prefixes = PREFIXES.into_iter();
        let mut prefix = prefixes.next().unwrap_or_default();
        // 999.5 would be written 1000.
        while value >= 999.5 {
            let Some(next) = prefixes.next() else { break };
            prefix = next;
            value /= 1000.0;
        }
        let whole = value >= 99.95 || (self.whole && prefix.is_empty()) || value == 0.0;
        if !whole && value < 0.05 {
            return write!(f, "<0.1 {}", self.unit);
        }
        let decimals = usize::from(!whole);
        write!(f, "{value:.decimals$} {prefix}{}", self.unit)
    }
}

/// A part of a whole in percent, with `decimals` digits, rounded down.
///
/// Thus `100 %` is only written for all of it, and what is too small to show is written `<0.1 %`.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The part; more than `whole` is written as if one were missing.
    pub part: u64,
    /// The whole; of nothing, everything is 100 %.
    pub whole: u64,
    /// Digits after the point, at most 6.
    pub decimals: u8,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.decimals.min(6));
        let unit = 10_u128.pow(u32::from(self.decimals.min(6)));
        let hundred = 100 * unit;
        let scaled = if self.part == self.whole {
            hundred
        } else {
            let scaled = u128::from(self.part) * hundred / u128::from(self.whole.max(1));
            scaled.min(hundred - 1)
        };
        if scaled == 0 && self.part != 0 {
            return write!(f, "<0.{:0>digits$} %", 1);
        }
        write!(f, "{}.{:0>digits$} %", scaled / unit, scaled % unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let written = [0, 7, 999, 1000, 1_002_003, u64::MAX].map(|n| Grouped(n).to_string());
        assert_eq!(
            written,
            [
                "0",
                "7",
                "999",
                "1,000",
                "1,002,003",
                "18,446,744,073,709,551,615"
            ]
        );
    }

    #[test]
    fn bytes_have_three_digits() {
        let written = [
            0,
            74,
            999,
            1000,
            1049,
            9_960,
            99_949,
            99_950,
            999_499,
            999_500,
            1_234_567_890,
            u64::MAX,
        ]
        .map(|n| Si::bytes(n).to_string());
        assert_eq!(
            written,
            [
                "0 B", "74 B", "999 B", "1.0 kB", "1.0 kB", "10.0 kB", "99.9 kB", "100 kB",
                "999 kB", "1.0 MB", "1.2 GB", "18.4 EB"
            ]
        );
    }

    #[test]
    fn rates_need_time() {
        let rate =
            |n, ms| Si::rate(n, Duration::from_millis(ms), "bit/s").map(|rate| rate.to_string());
        assert_eq!(rate(5, 0), None);
        assert_eq!(rate(0, 5000).unwrap(), "0 bit/s");
        assert_eq!(rate(1, 3_600_000).unwrap(), "<0.1 bit/s");
        assert_eq!(rate(2, 5000).unwrap(), "0.4 bit/s");
        assert_eq!(rate(61_700, 500).unwrap(), "123 kbit/s");
        assert_eq!(rate(1_230_000_000, 1000).unwrap(), "1.2 Gbit/s");
    }

    #[test]
    fn durations_have_two_units() {
        let written = [
            0,
            900,
            640_000,
            12_999_999,
            3_299_999_999,
            59_999_999_999,
            123_000_000_000,
            11_045_000_000_000,
            1_047_600_000_000_000,
        ]
        .map(|ns| Span(Duration::from_nanos(ns)).to_string());
        assert_eq!(
            written,
            [
                "0s", "0us", "640us", "12ms", "3.2s", "59.9s", "2m03s", "3h04m", "12d03h"
            ]
        );
    }

    #[test]
    fn a_hundred_percent_is_all_of_it() {
        let share = |part, whole, decimals| {
            Share {
                part,
                whole,
                decimals,
            }
            .to_string()
        };
        assert_eq!(share(999_999_999, 1_000_000_000, 3), "99.999 %");
        assert_eq!(share(u64::MAX - 1, u64::MAX, 3), "99.999 %");
        assert_eq!(share(7, 7, 3), "100.000 %");
        assert_eq!(share(0, 0, 3), "100.000 %");
        assert_eq!(share(8, 7, 3), "99.999 %", "more than all is not all");
        assert_eq!(share(1, 3, 1), "33.3 %");
        assert_eq!(share(1, 10_000, 1), "<0.1 %");
        assert_eq!(share(0, 10_000, 1), "0.0 %");
        assert_eq!(share(1, 2_000_000, 3), "<0.001 %");
    }
}
