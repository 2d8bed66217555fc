//! Points in time as logs write them.

use crate::time::WallTime;

const SECOND_NS: i64 = 1_000_000_000;

/// `2021-06-06T15:59:46.457984+0200`, the offset with or without a colon, or `Z`; RFC 3339 too.
///
/// Without an offset the time is taken as UTC.
pub(super) fn iso(text: &[u8]) -> Option<WallTime> {
    if let Some(time) = as_suricata_writes(text) {
        return Some(time);
    }
    let date = (
        number(text, 0, 4)?,
        number(text, 5, 2)?,
        number(text, 8, 2)?,
    );
    let separators = (text.get(4)?, text.get(7)?, text.get(10)?);
    if !matches!(separators, (b'-', b'-', b'T' | b't' | b' ')) {
        return None;
    }
    let (ns_of_day, rest) = time_of_day(text.get(11..)?)?;
    at(date, ns_of_day, offset_seconds(rest)?)
}

/// `2021-06-06T15:59:46.457984+0200` to the letter, which nearly every line has.
#[inline]
fn as_suricata_writes(text: &[u8]) -> Option<WallTime> {
    let text: &[u8; 31] = text.try_into().ok()?;
    let (date, rest) = text.split_first_chunk::<10>()?;
    let (clock, rest) = rest.split_first_chunk::<16>()?;
    let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1] = date else {
        return None;
    };
    let [b'T', h0, h1, b':', mi0, mi1, b':', s0, s1, b'.', us @ ..] = clock else {
        return None;
    };
    let [sign @ (b'+' | b'-'), zone @ ..] = rest else {
        return None;
    };
    let date = (
        decimal([y0, y1, y2, y3])?,
        decimal([mo0, mo1])?,
        decimal([d0, d1])?,
    );
    let (hour, minute) = (decimal([h0, h1])?, decimal([mi0, mi1])?);
    let second = decimal([s0, s1])?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let [u0, u1, u2, u3, u4, u5] = us;
    let us = decimal([u0, u1, u2, u3, u4, u5])?;
    let [z0, z1, z2, z3] = zone else { return None };
    let ahead = decimal([z0, z1])? * 3600 + decimal([z2, z3])? * 60;
    let ahead = if *sign == b'-' { -ahead } else { ahead };
    let ns = ((hour * 60 + minute) * 60 + second) * SECOND_NS + us * 1000;
    at(date, ns, ahead)
}

#[inline]
fn decimal<const N: usize>(digits: [&u8; N]) -> Option<i64> {
    let mut value = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// `11/11/2011-13:46:44.032484`: what the writer's clock showed, as if it showed UTC.
pub(super) fn american(text: &[u8]) -> Option<WallTime> {
    let date = (
        number(text, 6, 4)?,
        number(text, 0, 2)?,
        number(text, 3, 2)?,
    );
    if (text.get(2)?, text.get(5)?, text.get(10)?) != (&b'/', &b'/', &b'-') {
        return None;
    }
    let (ns_of_day, rest) = time_of_day(text.get(11..)?)?;
    rest.is_empty().then(|| at(date, ns_of_day, 0))?
}

/// Seconds since 1970 in decimal: `1713484847.780173`.
pub(super) fn epoch(text: &[u8]) -> Option<WallTime> {
    decimal_ns(text).map(WallTime::from_ns)
}

/// A decimal number of seconds, in nanoseconds: `-1.5`, `0.000064`, `3`. Digits beyond the ninth
/// decimal are cut.
pub(super) fn decimal_ns(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (whole, whole_digits, rest) = leading(digits);
    if whole_digits == 0 || whole_digits > 10 {
        return None;
    }
    let ns = match rest {
        [] => 0,
        // As Zeek writes them.
        [b'.', u0, u1, u2, u3, u4, u5] => decimal([u0, u1, u2, u3, u4, u5])? * 1000,
        [b'.', fraction @ ..] => fraction_ns(fraction)?,
        _ => return None,
    };
    let value = whole.checked_mul(SECOND_NS)?.checked_add(ns)?;
    Some(if negative { -value } else { value })
}

/// The number that leading digits are, as far as it fits, how many they are, and what is behind them.
#[inline]
fn leading(mut text: &[u8]) -> (i64, usize, &[u8]) {
    let (mut value, mut count) = (0_i64, 0);
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
        count += 1;
        text = rest;
    }
    (value, count, text)
}

/// Seconds since 1970, or of an interval, as JSON numbers have them; to the microsecond, which is
/// what Zeek writes and what a double still holds.
pub(super) fn seconds_ns(seconds: f64) -> Option<i64> {
    let us = (seconds * 1e6).round();
    if !us.is_finite() || us.abs() > 9.2e15 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in range, as was just checked"
    )]
    let us = us as i64;
    us.checked_mul(1000)
}

/// `13:46:44.032484`, and what stands behind it.
fn time_of_day(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, minute, second) = (
        number(text, 0, 2)?,
        number(text, 3, 2)?,
        number(text, 6, 2)?,
    );
    if (text.get(2)?, text.get(5)?) != (&b':', &b':') || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut ns = ((hour * 60 + minute) * 60 + second) * SECOND_NS;
    let mut rest = text.get(8..)?;
    if let [b'.', behind @ ..] = rest {
        let digits = behind.iter().take_while(|b| b.is_ascii_digit()).count();
        ns += fraction_ns(behind.get(..digits)?)?;
        rest = behind.get(digits..)?;
    }
    Some((ns, rest))
}

/// Decimals of a second: at least one.
fn fraction_ns(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let used = digits.len().min(9);
    let missing = u32::try_from(9 - used).ok()?;
    Some(number(digits, 0, used)? * 10_i64.pow(missing))
}

/// `+0200`, `+02:00`, `+02`, `Z` or nothing.
fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let minutes = match digits {
        [_, _] => 0,
        [_, _, b':', _, _] => number(digits, 3, 2)?,
        [_, _, _, _] => number(digits, 2, 2)?,
        _ => return None,
    };
    Some(sign * (number(digits, 0, 2)? * 3600 + minutes * 60))
}

fn at(date: (i64, i64, i64), ns_of_day: i64, offset_seconds: i64) -> Option<WallTime> {
    let (year, month, day) = date;
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 - offset_seconds;
    let ns = seconds.checked_mul(SECOND_NS)?.checked_add(ns_of_day)?;
    Some(WallTime::from_ns(ns))
}

/// Days from 1970-01-01 in the Gregorian calendar, with the year beginning in March so that the
/// leap day is its last.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let century_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + century_days + day_of_year - 719_468
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// `length` decimal digits from `at` on, and nothing else.
fn number(text: &[u8], at: usize, length: usize) -> Option<i64> {
    let digits = text.get(at..at.checked_add(length)?)?;
    digits.iter().try_fold(0_i64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_with_and_without_colon_are_one_time() {
        for text in [
            "2021-06-06T15:59:46.457984+0200",
            "2021-06-06T15:59:46.457984+02:00",
            "2021-06-06T13:59:46.457984Z",
            "2021-06-06T13:59:46.457984",
            "2021-06-06T07:59:46.457984-0600",
        ] {
            let time = iso(text.as_bytes()).unwrap();
            assert_eq!(time.to_string(), "2021-06-06T13:59:46.457984Z", "{text}");
        }
        assert_eq!(
            american(b"06/06/2021-13:59:46.457984"),
            iso(b"2021-06-06T13:59:46.457984Z")
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2021",
            "2021-13-06T15:59:46Z",
            "2021-02-29T15:59:46Z",
            "2021-06-06T24:00:00Z",
            "2021-06-06T15:59:46.Z",
            "2021-06-06T15:59:46+2",
            "2021-06-06T15:59:46 ",
        ] {
            assert_eq!(iso(text.as_bytes()), None, "{text}");
        }
        for text in ["", "-", ".5", "1.", "1e5", "12345678901"] {
            assert_eq!(decimal_ns(text.as_bytes()), None, "{text}");
        }
        assert_eq!(american(b"06/06/2021-15:59:46.1+0200"), None);
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(decimal_ns(b"0.000064"), Some(64_000));
        assert_eq!(decimal_ns(b"-1.5"), Some(-1_500_000_000));
        assert_eq!(decimal_ns(b"1.9999999999"), Some(1_999_999_999));
        assert_eq!(seconds_ns(6.4e-05), Some(64_000));
        assert_eq!(seconds_ns(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn every_time_is_read_as_it_is_written(us in 0_i64..7_258_118_400_000_000) {
            let time = WallTime::from_ns(us * 1000);
            prop_assert_eq!(iso(time.to_string().as_bytes()), Some(time));
            let seconds = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
            prop_assert_eq!(epoch(seconds.as_bytes()), Some(time));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            iso(&bytes);
            american(&bytes);
            decimal_ns(&bytes);
        }
    }
}
