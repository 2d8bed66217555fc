//! Values out of text and JSON.

use std::borrow::Cow;

use super::super::super::moment;
use super::super::value::Value;
use crate::time::WallTime;

const ONES: u64 = 0x0101_0101_0101_0101;
const LOWS: u64 = 0x7f7f_7f7f_7f7f_7f7f;

/// Where each column of a line ends, eight bytes at a time: columns are short, and a call of a vector
/// search for each costs more than they do.
#[inline]
pub(super) fn columns(line: &[u8], separator: u8, ends: &mut Vec<u32>) {
    let pattern = ONES * u64::from(separator);
    let (words, rest) = line.as_chunks::<8>();
    let mut at = 0;
    for word in words {
        let differs = u64::from_le_bytes(*word) ^ pattern;
        // The high bit of every byte that is a separator, and of no other.
        let mut found = !(((differs & LOWS) + LOWS) | differs | LOWS);
        while found != 0 {
            ends.push(at + found.trailing_zeros() / 8);
            found &= found - 1;
        }
        at = at.saturating_add(8);
    }
    for byte in rest {
        if *byte == separator {
            ends.push(at);
        }
        at = at.saturating_add(1);
    }
    ends.push(at);
}

/// Points in time of the JSON form: seconds, milliseconds or ISO 8601, as `json_timestamps` says.
pub(super) fn json_time(value: &Value<'_>) -> Option<WallTime> {
    match value {
        Value::Text(text) => moment::iso(text.as_bytes()),
        // Seconds since 1970 have ten digits until 2286; milliseconds have thirteen since 2001.
        Value::Count(ms) if *ms > 100_000_000_000 => {
            let ns = i64::try_from(*ms).ok()?.checked_mul(1_000_000)?;
            Some(WallTime::from_ns(ns))
        }
        Value::Number(ms) if *ms > 100_000_000_000.0 => {
            moment::seconds_ns(*ms / 1000.0).map(WallTime::from_ns)
        }
        Value::Unset
        | Value::Flag(_)
        | Value::Count(_)
        | Value::Number(_)
        | Value::Time(_)
        | Value::List(_) => json_ns(value).map(WallTime::from_ns),
    }
}

pub(super) fn json_ns(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Number(seconds) => moment::seconds_ns(*seconds),
        Value::Count(seconds) => i64::try_from(*seconds).ok()?.checked_mul(1_000_000_000),
        Value::Unset | Value::Flag(_) | Value::Time(_) | Value::Text(_) | Value::List(_) => None,
    }
}

/// A value of the JSON form, with the columns that are known to be times read as such.
pub(super) fn in_time<'a>(name: &str, value: &Value<'a>) -> Value<'a> {
    let is_time = matches!(name, "ts" | "_write_ts");
    let time = is_time.then(|| json_time(value)).flatten();
    time.map_or_else(|| value.clone(), Value::Time)
}

pub(super) fn flag(bytes: &[u8]) -> Option<bool> {
    match bytes {
        b"T" => Some(true),
        b"F" => Some(false),
        _ => None,
    }
}

#[inline]
pub(super) fn count(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    // Nineteen digits always fit.
    let (safe, rest) = bytes.split_at(bytes.len().min(19));
    let mut value = 0_u64;
    for byte in safe {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    rest.iter().try_fold(value, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        let value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
        (digit < 10).then_some(value)
    })
}

pub(super) fn number(bytes: &[u8]) -> Option<f64> {
    str::from_utf8(bytes).ok()?.parse().ok()
}

/// Text with `\xNN` written out; bytes that are no UTF-8 become U+FFFD.
pub(super) fn unescaped(bytes: &[u8]) -> Cow<'_, str> {
    if !bytes.contains(&b'\\') {
        return match str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        };
    }
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => hex(*high, *low).map(|byte| (byte, 4)),
            [b'\\', b'\\', ..] => Some((b'\\', 2)),
            _ => None,
        };
        match escaped {
            Some((byte, length)) => {
                plain.push(byte);
                rest = rest.get(length..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_written_out() {
        assert_eq!(unescaped(br"a\x09b\\c\x23"), "a\tb\\c#");
        assert_eq!(unescaped(br"\x2d"), "-");
        assert_eq!(unescaped(br"C:\xyz"), r"C:\xyz");
        assert_eq!(unescaped(br"\xe2\x82\xac"), "€");
        assert_eq!(unescaped(b"\xff"), "\u{fffd}");
        assert!(matches!(unescaped(b"plain"), Cow::Borrowed("plain")));
    }

    #[test]
    fn columns_end_at_every_separator() {
        for line in [
            "",
            "a",
            "\t",
            "a\tb\t\tc",
            "12345678\t0123456\t\t\t\t\t\t\t\t\u{80}\u{8}\n",
        ] {
            let mut ends = Vec::new();
            columns(line.as_bytes(), b'\t', &mut ends);
            let mut expected = 0;
            let expected: Vec<_> = line
                .as_bytes()
                .split(|byte| *byte == b'\t')
                .map(|column| {
                    expected += column.len();
                    let end = u32::try_from(expected).unwrap();
                    expected += 1;
                    end
                })
                .collect();
            assert_eq!(ends, expected, "{line:?}");
        }
    }

    #[test]
    fn counts_are_digits_that_fit() {
        assert_eq!(count(b"18446744073709551615"), Some(u64::MAX));
        for wrong in [&b"18446744073709551616"[..], b"", b"-1", b"1.0", b"x"] {
            assert_eq!(count(wrong), None);
        }
    }

    #[test]
    fn json_times_have_three_forms() {
        let expected = moment::epoch(b"1713484847.780173");
        for (value, expected) in [
            (Value::Number(1_713_484_847.780_173), expected),
            (Value::Text("2024-04-19T00:00:47.780173Z".into()), expected),
            (
                Value::Count(1_713_484_847_780),
                moment::epoch(b"1713484847.78"),
            ),
            (Value::Number(22.335_172), moment::epoch(b"22.335172")),
        ] {
            assert_eq!(json_time(&value), expected, "{value:?}");
        }
    }
}
