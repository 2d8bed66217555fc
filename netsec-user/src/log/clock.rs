//! The clock of a log that does not say its zone.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use crate::time::WallTime;

const SECOND_NS: i64 = 1_000_000_000;

/// Local time in which the offset from UTC is the same, seconds: zones change theirs at quarters of
/// an hour.
const QUARTER_SECONDS: i64 = 15 * 60;

/// The zone of a `fast.log`, whose lines do not say it: Suricata writes the local time of its machine.
#[derive(Clone, Debug)]
pub struct LogClock {
    zone: TimeZone,
    /// A quarter of an hour of local time, by its number since 1970, and how far it is ahead of UTC.
    last: Option<(i64, i64)>,
}

/// A text that names no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no offset from UTC: write hours such as +02:00, -5.5 or 2, a zone such as \
     Europe/Berlin, utc, or local for this machine's"
)]
pub struct LogClockError(String);

impl LogClock {
    /// The zone of this machine, as `TZ` or `/etc/localtime` has it.
    #[must_use]
    pub fn local() -> Self {
        Self::of(TimeZone::system())
    }

    const fn of(zone: TimeZone) -> Self {
        Self { zone, last: None }
    }

    /// The time at which this clock showed `shown`. An hour that comes twice is taken as the first.
    pub(super) fn instant(&mut self, shown: WallTime) -> WallTime {
        let quarter = shown.as_ns().div_euclid(QUARTER_SECONDS * SECOND_NS);
        let ahead = match self.last {
            Some((known, ahead)) if known == quarter => ahead,
            _ => {
                let ahead = self.ahead_seconds(quarter * QUARTER_SECONDS);
                self.last = Some((quarter, ahead));
                ahead
            }
        };
        shown.plus_ns(-ahead * SECOND_NS)
    }

    /// How far it is ahead of UTC when it shows so many seconds since 1970.
    fn ahead_seconds(&self, shown_seconds: i64) -> i64 {
        let Ok(shown) = Timestamp::from_second(shown_seconds) else {
            return 0;
        };
        let shown = Offset::UTC.to_datetime(shown);
        let instant = self.zone.to_ambiguous_timestamp(shown).compatible();
        instant.map_or(0, |instant| shown_seconds - instant.as_second())
    }
}

impl Default for LogClock {
    fn default() -> Self {
        Self::of(TimeZone::UTC)
    }
}

impl fmt::Display for LogClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.zone.iana_name(), self.zone.to_fixed_offset()) {
            (Some(name), _) => f.write_str(name),
            (None, Ok(offset)) => write!(f, "UTC{offset}"),
            (None, Err(_)) => f.write_str("local time"),
        }
    }
}

impl FromStr for LogClock {
    type Err = LogClockError;

    /// `+02:00`, `-0530`, `2`, `-5.5`, `Europe/Berlin` where this machine knows zones, a POSIX `TZ`,
    /// `utc`, `local`.
    fn from_str(text: &str) -> Result<Self, LogClockError> {
        let zone = match text {
            "local" => TimeZone::system(),
            "utc" | "UTC" | "Z" => TimeZone::UTC,
            _ => match offset(text) {
                Some(offset) => TimeZone::fixed(offset),
                None => TimeZone::get(text)
                    .or_else(|_| TimeZone::posix(text))
                    .map_err(|_error| LogClockError(text.to_owned()))?,
            },
        };
        Ok(Self::of(zone))
    }
}

/// Hours, with minutes or decimals.
fn offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let with_minutes = digits
        .split_once(':')
        .or_else(|| (digits.len() == 4 && !digits.contains('.')).then(|| digits.split_at(2)));
    let seconds = match with_minutes {
        Some((hours, minutes)) => {
            let minutes: i32 = minutes.parse().ok().filter(|minutes| *minutes < 60)?;
            hours.parse::<i32>().ok()?.checked_mul(3600)? + minutes * 60
        }
        None => {
            let hours: f64 = digits.parse().ok().filter(|hours| *hours <= 24.0)?;
            #[expect(clippy::cast_possible_truncation, reason = "at most a day")]
            let seconds = (hours * 3600.0).round() as i32;
            seconds
        }
    };
    (seconds <= 24 * 3600)
        .then(|| Offset::from_seconds(sign * seconds).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::moment;

    /// As a machine without a database of zones knows it.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn instant(clock: &str, shown: &str) -> String {
        let mut clock: LogClock = clock.parse().unwrap();
        let shown = moment::american(shown.as_bytes()).unwrap();
        clock.instant(shown).to_string()
    }

    #[test]
    fn offsets_as_people_write_them() {
        for (clock, utc) in [
            ("utc", "13:46:44"),
            ("0", "13:46:44"),
            ("2", "11:46:44"),
            ("+02:00", "11:46:44"),
            ("-0530", "19:16:44"),
            ("-5.5", "19:16:44"),
            (BERLIN, "12:46:44"),
        ] {
            let expected = format!("2011-11-11T{utc}.032484Z");
            assert_eq!(
                instant(clock, "11/11/2011-13:46:44.032484"),
                expected,
                "{clock}"
            );
        }
        for wrong in ["", "x", "25", "+2:75", "Mars/Olympus", "1e9", "-"] {
            assert!(wrong.parse::<LogClock>().is_err(), "{wrong}");
        }
    }

    /// The night summer time ends: 02:30 comes twice, and the first is taken.
    #[test]
    fn a_zone_changes_its_offset() {
        for (shown, utc) in [
            ("10/25/2026-01:59:59.9", "2026-10-24T23:59:59.900000Z"),
            ("10/25/2026-02:30:00.0", "2026-10-25T00:30:00.000000Z"),
            ("10/25/2026-03:00:00.0", "2026-10-25T02:00:00.000000Z"),
        ] {
            assert_eq!(instant(BERLIN, shown), utc, "{shown}");
        }
    }

    #[test]
    fn it_says_what_it_is() {
        for (clock, said) in [("utc", "UTC"), ("2", "UTC+02"), (BERLIN, "local time")] {
            assert_eq!(clock.parse::<LogClock>().unwrap().to_string(), said);
        }
    }
}
