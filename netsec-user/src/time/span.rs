//! Lengths of time as settings and command lines have them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, SpanRelativeTo};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, in text `5s`, `200ms`, `1m 30s`, `24h`, `7d`; a bare number is seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(Duration);

/// A text that is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a duration such as 5s, 200ms, 1m or 7d")]
pub struct NotATimeSpan;

impl TimeSpan {
    /// So many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As a duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Nanoseconds, 292 years at most.
    #[must_use]
    pub fn as_ns(self) -> i64 {
        i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX)
    }
}

impl FromStr for TimeSpan {
    type Err = NotATimeSpan;

    fn from_str(text: &str) -> Result<Self, NotATimeSpan> {
        if let Ok(seconds) = text.parse::<u32>() {
            return Ok(Self::from_secs(seconds.into()));
        }
        let days = SpanRelativeTo::days_are_24_hours();
        let span = text.parse::<jiff::Span>().ok();
        let signed = span.and_then(|span| span.to_duration(days).ok());
        let duration = signed.and_then(|signed| Duration::try_from(signed).ok());
        duration.map(Self).ok_or(NotATimeSpan)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        write!(f, "{signed:#}")
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A duration in its two largest units: `640us`, `12ms`, `3.2s`, `2m03s`, `3h04m`, `12d03h`.
///
/// Always rounded down.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0 if self.0.is_zero() => f.write_str("0s"),
            0 if self.0.as_micros() < 1000 => write!(f, "{}us", self.0.as_micros()),
            0 => write!(f, "{}ms", self.0.as_millis()),
            1..60 => write!(f, "{seconds}.{}s", self.0.subsec_millis() / 100),
            60..3600 => write!(f, "{}m{:02}s", seconds / 60, seconds % 60),
            3600..86400 => write!(f, "{}h{:02}m", seconds / 3600, seconds / 60 % 60),
            _ => write!(f, "{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        let parsed = |text: &str| text.parse::<TimeSpan>().map(TimeSpan::get);
        assert_eq!(parsed("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parsed("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(parsed("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parsed("0"), Ok(Duration::ZERO));
        assert_eq!(parsed("1d 1h"), Ok(Duration::from_secs(90_000)));
        assert_eq!(parsed("1w"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "-5s", "-1d", "soon", "1 month", "5 parsecs"] {
            assert_eq!(parsed(wrong), Err(NotATimeSpan), "{wrong}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for seconds in [0, 1, 59, 300, 3600, 86_400, 90_061] {
            let span = TimeSpan::from_secs(seconds);
            assert_eq!(span.to_string().parse(), Ok(span), "{span}");
        }
        assert_eq!(TimeSpan::from_secs(300).to_string(), "5m");
    }
}
