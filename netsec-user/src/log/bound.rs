//! Times an operator asks for: `--since`, `--until`.

use std::str::FromStr;
use std::time::Duration;

use super::moment;
use crate::time::WallTime;

/// A point in time, or so long before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBound {
    /// A date and time.
    At(WallTime),
    /// So long ago.
    Ago(Duration),
}

/// A text that says no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time: write 2026-11-23T01:30:00Z, 2026-11-23, or how long ago, such as 10m")]
pub struct TimeBoundError(String);

impl TimeBound {
    /// The point in time it means at `now`.
    #[must_use]
    pub fn resolve(self, now: WallTime) -> WallTime {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => now.plus_ns(-i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX)),
        }
    }
}

impl FromStr for TimeBound {
    type Err = TimeBoundError;

    fn from_str(text: &str) -> Result<Self, TimeBoundError> {
        let day = || moment::iso(format!("{text}T00:00:00Z").as_bytes());
        if let Some(time) = moment::iso(text.as_bytes()).or_else(day) {
            return Ok(Self::At(time));
        }
        text.parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|ago| Duration::try_from(ago).ok())
            .map(Self::Ago)
            .ok_or_else(|| TimeBoundError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_spans() {
        let now = WallTime::from_ns(1_000_000_000_000);
        let at = |text: &str| text.parse::<TimeBound>().unwrap().resolve(now).to_string();
        assert_eq!(at("2026-11-23"), "2026-11-23T00:00:00.000000Z");
        assert_eq!(at("2026-11-23T01:30:00Z"), "2026-11-23T01:30:00.000000Z");
        assert_eq!(at("10m"), "1970-01-01T00:06:40.000000Z");
        assert!("yesterday".parse::<TimeBound>().is_err());
        assert!("-5m".parse::<TimeBound>().is_err());
    }
}
