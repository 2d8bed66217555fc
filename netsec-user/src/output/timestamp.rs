//! How points in time are written.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::WallTime;

/// UTC as Suricata's EVE writes it: `2026-11-23T01:31:02.114123+0000`, offset without a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EveTime(pub(super) WallTime);

/// The time of day in UTC with this many decimals of a second: `01:31:02.114123`.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeOfDay(pub(super) WallTime, pub(super) usize);

/// The date in UTC: `2026-11-23`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date(pub(super) WallTime);

const EVE_BYTES: usize = 31;

impl EveTime {
    fn write(self) -> [u8; EVE_BYTES] {
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        let at = civil(self.0);
        let [
            y0,
            y1,
            y2,
            y3,
            _,
            mo0,
            mo1,
            _,
            d0,
            d1,
            _,
            h0,
            h1,
            _,
            mi0,
            mi1,
            _,
            s0,
            s1,
            _,
            f0,
            f1,
            f2,
            f3,
            f4,
            f5,
            ..,
        ] = &mut text;
        digits([y0, y1, y2, y3], u32::from(at.year().unsigned_abs()));
        digits([mo0, mo1], u32::from(at.month().unsigned_abs()));
        digits([d0, d1], u32::from(at.day().unsigned_abs()));
        digits([h0, h1], u32::from(at.hour().unsigned_abs()));
        digits([mi0, mi1], u32::from(at.minute().unsigned_abs()));
        digits([s0, s1], u32::from(at.second().unsigned_abs()));
        digits(
            [f0, f1, f2, f3, f4, f5],
            at.subsec_nanosecond().unsigned_abs() / 1000,
        );
        text
    }
}

impl Serialize for EveTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.write();
        serializer.serialize_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for EveTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'_, str>>::deserialize(deserializer)?;
        let time = Timestamp::strptime("%Y-%m-%dT%H:%M:%S%.f%z", &*text);
        let ns = time.map_err(D::Error::custom)?.as_nanosecond();
        Ok(Self(WallTime::from_ns(
            i64::try_from(ns).map_err(D::Error::custom)?,
        )))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = EveTime(self.0).write();
        let end = if self.1 == 0 { 19 } else { 20 + self.1.min(6) };
        let part = text.get(11..end).unwrap_or_default();
        f.write_str(str::from_utf8(part).unwrap_or_default())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = EveTime(self.0).write();
        let part = text.get(..10).unwrap_or_default();
        f.write_str(str::from_utf8(part).unwrap_or_default())
    }
}

/// The calendar date and time of day in UTC.
fn civil(time: WallTime) -> DateTime {
    const SECOND_NS: i64 = 1_000_000_000;
    let (seconds, ns) = (
        time.as_ns().div_euclid(SECOND_NS),
        time.as_ns().rem_euclid(SECOND_NS),
    );
    let timestamp = Timestamp::new(seconds, i32::try_from(ns).unwrap_or_default());
    Offset::UTC.to_datetime(timestamp.unwrap_or_default())
}

/// Writes the last decimal digits of `value`.
fn digits<const N: usize>(places: [&mut u8; N], mut value: u32) {
    for place in places.into_iter().rev() {
        let [digit, ..] = (value % 10).to_le_bytes();
        *place = b'0' + digit;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eve(ns: i64) -> String {
        String::from_utf8(EveTime(WallTime::from_ns(ns)).write().to_vec()).unwrap()
    }

    #[test]
    fn eve_times_have_microseconds_and_no_colon_in_the_offset() {
        assert_eq!(
            eve(1_795_397_462_114_123_999),
            "2026-11-23T01:31:02.114123+0000"
        );
        assert_eq!(eve(0), "1970-01-01T00:00:00.000000+0000");
        assert_eq!(eve(-1), "1969-12-31T23:59:59.999999+0000");
        assert_eq!(
            eve(1_709_164_800_000_000_000),
            "2024-02-29T00:00:00.000000+0000"
        );
    }

    #[test]
    fn every_time_agrees_with_rfc_3339() {
        for ns in (i64::MIN..=i64::MAX).step_by(usize::MAX / 1000) {
            let rfc = WallTime::from_ns(ns).to_string();
            // Before 1970 the two round in different directions.
            if ns >= 0 {
                assert_eq!(eve(ns).replace("+0000", "Z"), rfc);
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for us in [0, 1_795_397_462_114_123, -1_000_001] {
            let time = EveTime(WallTime::from_ns(us * 1000));
            let text = serde_json::to_string(&time).unwrap();
            assert_eq!(serde_json::from_str::<EveTime>(&text).unwrap(), time);
        }
        assert!(serde_json::from_str::<EveTime>("\"yesterday\"").is_err());
    }

    #[test]
    fn a_time_of_day_is_cut_not_rounded() {
        let time = WallTime::from_ns(1_795_397_462_999_999_999);
        assert_eq!(TimeOfDay(time, 6).to_string(), "01:31:02.999999");
        assert_eq!(TimeOfDay(time, 1).to_string(), "01:31:02.9");
        assert_eq!(TimeOfDay(time, 0).to_string(), "01:31:02");
        assert_eq!(Date(time).to_string(), "2026-11-23");
    }
}
