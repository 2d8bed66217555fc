//! Values out of text and JSON.

use std::borrow::Cow;

use memchr::memchr;

use super::super::super::moment;
use super::super::value::Value;
use crate::time::WallTime;

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
    bytes.iter().try_fold(0_u64, |value, byte| {
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
    if memchr(b'\\', bytes).is_none() {
        return String::from_utf8_lossy(bytes);
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
