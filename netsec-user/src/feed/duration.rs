//! Durations as Go prints them, which is what CrowdSec writes: `3h59m45.123s`, `-12m0s`, `1.5h`.

use std::time::Duration;

/// Nanoseconds in each unit, the longer names before those that begin them.
const UNITS: [(&str, u128); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Reads a duration; a negative one, which CrowdSec has for what is over, is zero. `None` for what is
/// none or has no unit.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let &(name, unit) = UNITS.iter().find(|(name, _)| after.starts_with(name))?;
        rest = after.strip_prefix(name)?;
        // Nine decimals of an hour are exact to microseconds.
        total = total.checked_add(number.checked_mul(unit)? / BILLION)?;
    }
    let whole = u64::try_from(total / BILLION).ok()?;
    let fraction = u32::try_from(total % BILLION).ok()?;
    Some(if is_negative {
        Duration::ZERO
    } else {
        Duration::new(whole, fraction)
    })
}

const BILLION: u128 = 1_000_000_000;

/// The decimal number at the start, in billionths, and what follows it.
fn number(text: &str) -> Option<(u128, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, after) = text.split_at_checked(end)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut billionths: u128 = 0;
    let mut scale = BILLION;
    for digit in fraction.chars() {
        scale /= 10;
        billionths += u128::from(digit.to_digit(10)?) * scale;
    }
    Some((whole.checked_mul(BILLION)?.checked_add(billionths)?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_prints_them() {
        for (text, wanted) in [
            ("4h", Duration::from_secs(4 * 3600)),
            ("3h59m45.5s", Duration::from_millis(14_385_500)),
            ("1.5h", Duration::from_secs(5400)),
            ("167h59m58.123456789s", Duration::new(604_798, 123_456_789)),
            ("1ms2us3ns", Duration::from_nanos(1_002_003)),
            ("7\u{b5}s", Duration::from_micros(7)),
            ("-12m0s", Duration::ZERO),
            ("0", Duration::ZERO),
            ("7d", Duration::from_secs(7 * 86_400)),
        ] {
            assert_eq!(parse(text), Some(wanted), "{text}");
        }
        for wrong in [
            "",
            "-",
            "4",
            "4x",
            "h",
            ".",
            ".h",
            "4h5",
            "9999999999999999999999999999h",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
