//! Why a row has its score, in words.

use ndarray::ArrayView1;
use serde::Serialize;

use super::model::{Model, Range};
use crate::features::Definition;
use crate::output::number::Si;
use crate::table::Unit;

/// What one feature has to do with a row's score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// The feature.
    pub feature: String,
    /// Its value; `None` when it is missing or infinite.
    pub value: Option<f64>,
    /// What 90 % of the training rows lie between.
    pub usual: [f64; 2],
    /// What it adds to log₂(score / 0.5): see [`contributions`](crate::forest::Forest::contributions).
    pub contribution: f64,
    /// The same for people.
    pub text: String,
}

impl Model {
    /// The features that make a row stranger, the strongest first, at most `most`. `cell` gives the
    /// text of a column of the row.
    #[must_use]
    pub fn reasons<'a>(
        &self,
        row: ArrayView1<'_, f64>,
        cell: impl Fn(&str) -> Option<&'a str>,
        most: usize,
    ) -> Vec<Reason> {
        let contributions = self.forest.contributions(row);
        let parts = self
            .features
            .iter()
            .zip(&self.ranges)
            .zip(row)
            .zip(contributions);
        let mut reasons: Vec<Reason> = parts
            .filter(|(_, contribution)| *contribution > 0.0)
            .map(|(((feature, range), value), contribution)| Reason {
                text: match feature.unit {
                    Unit::Rarity => rare(&feature.name, cell(&feature.column), *value),
                    Unit::Flag => flag(&feature.name, range, *value),
                    unit @ (Unit::Number
                    | Unit::Bytes
                    | Unit::Seconds
                    | Unit::Share
                    | Unit::TimeOfDay) => unusual(&feature.name, unit, range, *value),
                },
                feature: feature.name.clone(),
                value: value.is_finite().then_some(*value),
                usual: [range.low, range.high],
                contribution,
            })
            .collect();
        reasons.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
        reasons.truncate(most);
        reasons
    }
}

/// `score 0.81: bytes_out 37× usual (2.1 GB, usual 3 MB to 60 MB), …`.
#[must_use]
pub fn sentence(score: f64, reasons: &[Reason]) -> String {
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    format!("score {score:.2}: {}", texts.join(", "))
}

fn unusual(name: &str, unit: Unit, range: &Range, value: f64) -> String {
    if value.is_nan() {
        return format!("{name} is missing");
    }
    let usual = format!(
        "usual {} to {}",
        amount(unit, range.low),
        amount(unit, range.high)
    );
    let shown = amount(unit, value);
    let times = value / range.high;
    if value > range.high && range.high > 0.0 && times >= 1.5 && unit != Unit::TimeOfDay {
        let times = if times < 10.0 {
            format!("{times:.1}")
        } else {
            format!("{times:.0}")
        };
        format!("{name} {times}× usual ({shown}, {usual})")
    } else if value > range.high {
        format!("{name} above usual ({shown}, {usual})")
    } else if value < range.low {
        format!("{name} below usual ({shown}, {usual})")
    } else {
        format!("{name} {shown} together with the others ({usual})")
    }
}

/// `first contact with this network`; else `flag_rst is set (usually not)`.
fn flag(name: &str, range: &Range, value: f64) -> String {
    if value.is_nan() {
        return format!("{name} is missing");
    }
    let is_up = value >= 0.5;
    let usually = match (range.low >= 0.5, range.high >= 0.5) {
        (true, _) => "usually set",
        (false, true) => "sometimes set",
        (false, false) => "usually not",
    };
    match (is_up, Definition::phrase(name)) {
        (true, Some(phrase)) => phrase.to_owned(),
        (true, None) => format!("{name} is set ({usually})"),
        (false, _) => format!("{name} is not set ({usually})"),
    }
}

fn rare(name: &str, cell: Option<&str>, bits: f64) -> String {
    let shown = cell.map(printable).unwrap_or_default();
    if bits.is_nan() {
        return format!("{name} is missing");
    }
    let share = 100.0 * (-bits).exp2();
    format!("{name} {shown} (in about {} % of rows)", short(share))
}

/// A cell without control characters, cut when it is long.
fn printable(cell: &str) -> String {
    let chars = cell
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    chars.take(64).collect()
}

fn amount(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Bytes if (0.0..1e18).contains(&value) => Si::bytes(whole(value)).to_string(),
        Unit::Seconds => format!("{} s", short(value)),
        Unit::TimeOfDay => {
            let minutes = whole(value / 60.0);
            format!("{:02}:{:02} UTC", minutes / 60, minutes % 60)
        }
        Unit::Share if (0.0..=1.0).contains(&value) => format!("{:.1} %", 100.0 * value),
        Unit::Bytes | Unit::Number | Unit::Rarity | Unit::Share | Unit::Flag => short(value),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and fractions are not shown"
)]
const fn whole(value: f64) -> u64 {
    value as u64
}

/// Four significant digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e9 {
        format!("{value:.0}")
    } else if (0.001..1e6).contains(&size) {
        let digits: usize = if size >= 1000.0 {
            0
        } else if size >= 10.0 {
            1
        } else {
            3
        };
        format!("{value:.digits$}")
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: Range = Range {
        min: 0.0,
        low: 3e6,
        median: 1e7,
        high: 6e7,
        max: 1e8,
    };

    #[test]
    fn a_reason_names_value_and_usual_range() {
        let text = unusual("bytes_out", Unit::Bytes, &RANGE, 2.22e9);
        assert_eq!(
            text,
            "bytes_out 37× usual (2.2 GB, usual 3.0 MB to 60.0 MB)"
        );
        let text = unusual("bytes_out", Unit::Bytes, &RANGE, 10.0);
        assert_eq!(
            text,
            "bytes_out below usual (10 B, usual 3.0 MB to 60.0 MB)"
        );
        assert_eq!(unusual("x", Unit::Number, &RANGE, f64::NAN), "x is missing");
        assert_eq!(
            rare("proto.rarity", Some("icmp\x1b"), 10.0),
            "proto.rarity icmp\u{fffd} (in about 0.098 % of rows)"
        );
    }

    #[test]
    fn flags_and_shares_are_said_in_words() {
        let never = Range {
            low: 0.0,
            high: 0.0,
            ..RANGE
        };
        assert_eq!(
            flag("first_contact_network", &never, 1.0),
            "first contact with this network"
        );
        assert_eq!(
            flag("flag_rst", &never, 1.0),
            "flag_rst is set (usually not)"
        );
        let half = Range {
            low: 0.0,
            high: 0.5,
            ..RANGE
        };
        assert_eq!(
            unusual("source_failed_share", Unit::Share, &half, 0.6),
            "source_failed_share above usual (60.0 %, usual 0.0 % to 50.0 %)"
        );
    }

    #[test]
    fn times_of_day() {
        let night = Range {
            low: 28_800.0,
            high: 64_800.0,
            ..RANGE
        };
        let text = unusual("ts.time_of_day", Unit::TimeOfDay, &night, 11_000.0);
        assert_eq!(
            text,
            "ts.time_of_day below usual (03:03 UTC, usual 08:00 UTC to 18:00 UTC)"
        );
    }
}
