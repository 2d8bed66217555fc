//! What a single cell says.

use std::net::IpAddr;

use jiff::Timestamp;

/// Ports from here on are drawn by clients (Linux: 32768 to 60999).
const DRAWN_PORTS: u16 = 32_768;

/// Whether a cell stands for a missing value.
pub(super) fn is_missing(cell: &str) -> bool {
    const MISSING: [&str; 8] = ["", "-", "?", "na", "n/a", "nan", "null", "(empty)"];
    MISSING
        .iter()
        .any(|missing| cell.eq_ignore_ascii_case(missing))
        || cell == "None"
}

pub(super) fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| !number.is_nan())
}

/// An IP address.
pub(super) fn address(cell: &str) -> Option<IpAddr> {
    cell.parse().ok()
}

/// The /24 or /48 of an address; another text as it is.
pub(super) fn network(cell: &str) -> String {
    match address(cell) {
        Some(IpAddr::V4(v4)) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}")
        }
        Some(IpAddr::V6(v6)) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}")
        }
        None => cell.to_owned(),
    }
}

/// A port that says something, or that it was drawn by a client.
pub(super) fn port_class(cell: &str) -> String {
    match cell.parse::<u16>() {
        Ok(port) if port >= DRAWN_PORTS => "drawn".to_owned(),
        _ => cell.to_owned(),
    }
}

/// Whether a column's name says that it holds ports.
pub(super) fn is_named_port(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("port") || name.ends_with("_p") || name.ends_with(".p")
}

/// Whether a column's name says that it holds times.
pub(super) fn is_named_time(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["ts", "time", "start", "end", "date"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// From 2001 to 2100, in seconds, milliseconds or microseconds.
pub(super) fn is_epoch(number: f64) -> bool {
    (1e9..4.2e9).contains(&in_seconds(number))
}

fn in_seconds(epoch: f64) -> f64 {
    match epoch {
        epoch if epoch >= 1e15 => epoch / 1e6,
        epoch if epoch >= 1e12 => epoch / 1e3,
        epoch => epoch,
    }
}

/// Seconds since midnight UTC, of an epoch or of a time as text.
pub(super) fn time_of_day(cell: &str) -> Option<f64> {
    const DAY: f64 = 86_400.0;
    let epoch = match cell.parse::<f64>() {
        Ok(epoch) => in_seconds(epoch),
        Err(_) => cell
            .parse::<Timestamp>()
            .map(|time| time.as_nanosecond() as f64 / 1e9)
            .or_else(|_| {
                let civil = cell.parse::<jiff::civil::DateTime>()?;
                let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC)?;
                Ok::<_, jiff::Error>(zoned.timestamp().as_nanosecond() as f64 / 1e9)
            })
            .ok()?,
    };
    epoch.is_finite().then(|| epoch.rem_euclid(DAY))
}
