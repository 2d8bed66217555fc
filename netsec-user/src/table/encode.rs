//! Cells to numbers.
//!
//! | column | becomes |
//! |---|---|
//! | numbers | themselves |
//! | times (RFC 3339, or seconds since 1970 in a column named like one) | seconds since midnight UTC |
//! | ports (0 to 65535 in a column named like one) | how rare the port is; the ports from 32768 on, which clients draw at random, are one |
//! | addresses, v4 or v6 | how rare the address is, and how rare its network (/24 or /48) |
//! | other text | how rare the value is |
//!
//! How rare a value is, is told in whole bits: `log₂((rows + 1) / (rows with it + 1))` in the rows
//! that were learned from, rounded, because a forest would make much of the chance differences
//! between values that are about as frequent. Left out are columns with one value only, and texts that nearly every row has of its
//! own, such as identifiers. Of each column the most frequent [`VALUES_MAX`] values are kept.

use csv::StringRecord;
use serde::{Deserialize, Serialize};

use super::cell::{
    address, is_epoch, is_missing, is_named_port, is_named_time, network, number, port_class,
    time_of_day,
};
use super::counts::{Counts, VALUES_MAX};

/// What a feature's numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A number as it stands.
    Number,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Seconds since midnight UTC.
    TimeOfDay,
    /// How rare a value is, bits.
    Rarity,
    /// A part of a whole, 0 to 1.
    Share,
    /// Whether something is so: 1 or 0.
    Flag,
}

/// One number that is made of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// The column's name, and behind a dot what of it, unless the value itself.
    pub name: String,
    /// What the numbers mean.
    pub unit: Unit,
    /// The column that it is made of.
    pub column: String,
}

/// A column that is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The column.
    pub column: String,
    /// Why.
    pub reason: &'static str,
}

/// Columns that a table should have and has not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no column `{missing}`; the columns are {}", columns.join(", "))]
pub struct ColumnError {
    missing: String,
    columns: Vec<String>,
}

/// How the rows of one kind of table become numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    columns: Vec<Column>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Column {
    name: String,
    coder: Coder,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Coder {
    Number { unit: Unit },
    Time,
    Port { values: Counts },
    Address { values: Counts, networks: Counts },
    Text { values: Counts },
}

impl Encoding {
    /// Learns from rows how to encode the columns named, or all; also says which are left out.
    ///
    /// # Errors
    ///
    /// [`ColumnError`], when a column that is named is not there.
    pub fn learn(
        names: &[String],
        rows: &[StringRecord],
        wanted: Option<&[String]>,
        label: Option<&str>,
    ) -> Result<(Self, Vec<LeftOut>), ColumnError> {
        let all: Vec<usize> = (0..names.len()).collect();
        let chosen = match wanted {
            Some(wanted) => positions(wanted.iter().map(String::as_str), names)?,
            None => all,
        };
        let (mut columns, mut left_out) = (Vec::new(), Vec::new());
        for at in chosen {
            let Some(name) = names.get(at).filter(|name| Some(name.as_str()) != label) else {
                continue;
            };
            let cells = || {
                rows.iter()
                    .map(|row| row.get(at).unwrap_or_default().trim())
            };
            let column = name.clone();
            match Coder::learn(name, cells) {
                Ok(coder) => columns.push(Column {
                    name: column,
                    coder,
                }),
                Err(reason) => left_out.push(LeftOut { column, reason }),
            }
        }
        Ok((Self { columns }, left_out))
    }

    /// The features, in the order of [`encode`](Self::encode)'s numbers.
    #[must_use]
    pub fn features(&self) -> Vec<Feature> {
        let feature = |column: &Column, suffix: &str, unit| Feature {
            name: format!("{}{suffix}", column.name),
            unit,
            column: column.name.clone(),
        };
        let of_column = |column: &Column| match &column.coder {
            Coder::Number { unit } => vec![feature(column, "", *unit)],
            Coder::Time => vec![feature(column, ".time_of_day", Unit::TimeOfDay)],
            Coder::Port { .. } | Coder::Text { .. } => {
                vec![feature(column, ".rarity", Unit::Rarity)]
            }
            Coder::Address { .. } => vec![
                feature(column, ".rarity", Unit::Rarity),
                feature(column, ".network_rarity", Unit::Rarity),
            ],
        };
        self.columns.iter().flat_map(of_column).collect()
    }

    /// Where the columns are in a table with these names.
    ///
    /// # Errors
    ///
    /// [`ColumnError`], when one is not there.
    pub fn places(&self, names: &[String]) -> Result<Vec<usize>, ColumnError> {
        positions(
            self.columns.iter().map(|column| column.name.as_str()),
            names,
        )
    }

    /// The encoding of rows that are numbers already, a column a feature.
    #[must_use]
    pub fn of_numbers(columns: impl IntoIterator<Item = (&'static str, Unit)>) -> Self {
        let column = |(name, unit): (&str, Unit)| Column {
            name: name.to_owned(),
            coder: Coder::Number { unit },
        };
        Self {
            columns: columns.into_iter().map(column).collect(),
        }
    }

    /// Appends the numbers of a row whose columns are at `places`; NaN stands for a missing value.
    pub fn encode(&self, row: &StringRecord, places: &[usize], numbers: &mut Vec<f64>) {
        for (column, place) in self.columns.iter().zip(places) {
            let cell = row.get(*place).unwrap_or_default().trim();
            column.coder.encode(cell, numbers);
        }
    }
}

fn positions<N: AsRef<str>>(
    wanted: impl Iterator<Item = N>,
    names: &[String],
) -> Result<Vec<usize>, ColumnError> {
    let position = |wanted: N| {
        let wanted = wanted.as_ref();
        let found = names.iter().position(|name| name == wanted);
        found.ok_or_else(|| ColumnError {
            missing: wanted.to_owned(),
            columns: names.to_vec(),
        })
    };
    wanted.map(position).collect()
}

impl Coder {
    fn learn<'a, I: Iterator<Item = &'a str>>(
        name: &str,
        cells: impl Fn() -> I,
    ) -> Result<Self, &'static str> {
        let present = || cells().filter(|cell| !is_missing(cell));
        let Some(first) = present().next() else {
            return Err("every row lacks it");
        };
        if cells().all(|cell| cell == first) {
            return Err("every row has the same value");
        }
        let rows = present().count();
        let most = |is: &dyn Fn(&str) -> bool| {
            let count = present().filter(|cell| is(cell)).count();
            count as f64 >= 0.95 * rows as f64
        };
        if most(&|cell| address(cell).is_some()) {
            return Ok(Self::Address {
                values: Counts::of(cells()),
                networks: Counts::of(cells().map(network)),
            });
        }
        if most(&|cell| number(cell).is_some()) {
            if is_named_port(name) && most(&|cell| cell.parse::<u16>().is_ok()) {
                let values = Counts::of(cells().map(port_class));
                return Ok(Self::Port { values });
            }
            if is_named_time(name) && most(&|cell| number(cell).is_some_and(is_epoch)) {
                return Ok(Self::Time);
            }
            let unit = unit_of(name);
            return Ok(Self::Number { unit });
        }
        if most(&|cell| time_of_day(cell).is_some()) {
            return Ok(Self::Time);
        }
        let values = Counts::of(cells());
        if rows > 100 && values.different() as f64 > 0.9 * rows.min(VALUES_MAX) as f64 {
            return Err("nearly every row has a text of its own");
        }
        Ok(Self::Text { values })
    }

    fn encode(&self, cell: &str, numbers: &mut Vec<f64>) {
        let missing = is_missing(cell);
        match self {
            Self::Number { .. } => numbers.push(number(cell).unwrap_or(f64::NAN)),
            Self::Time => numbers.push(time_of_day(cell).unwrap_or(f64::NAN)),
            Self::Address { .. } if missing => numbers.extend([f64::NAN; 2]),
            Self::Address { values, networks } => {
                numbers.extend([values.rarity(cell), networks.rarity(&network(cell))]);
            }
            Self::Port { .. } if missing => numbers.push(f64::NAN),
            Self::Port { values } => numbers.push(values.rarity(&port_class(cell))),
            // That a text is missing says something: `-` is a value among others.
            Self::Text { values } => numbers.push(values.rarity(cell)),
        }
    }
}

fn unit_of(name: &str) -> Unit {
    let name = name.to_ascii_lowercase();
    if name.contains("byte") || name.contains("octet") {
        Unit::Bytes
    } else if name.contains("duration") {
        Unit::Seconds
    } else {
        Unit::Number
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "equal means equal to the last bit")]

    use super::*;

    fn learn(name: &str, cells: &[&str]) -> Result<(Vec<Feature>, Vec<f64>), &'static str> {
        let rows: Vec<StringRecord> = cells.iter().map(|cell| [*cell].iter().collect()).collect();
        let names = [name.to_owned()];
        let learned = Encoding::learn(&names, &rows, None, None);
        let (encoding, left_out) = learned.map_err(|_missing| "no such column")?;
        if let Some(left_out) = left_out.first() {
            return Err(left_out.reason);
        }
        let mut numbers = Vec::new();
        rows.iter()
            .for_each(|row| encoding.encode(row, &[0], &mut numbers));
        Ok((encoding.features(), numbers))
    }

    #[test]
    fn numbers_stand_for_themselves() {
        let (features, numbers) = learn("bytes_out", &["1", " 2.5", "inf", "16"]).unwrap();
        assert_eq!(
            (features[0].name.as_str(), features[0].unit),
            ("bytes_out", Unit::Bytes)
        );
        assert_eq!(numbers, [1.0, 2.5, f64::INFINITY, 16.0]);
    }

    #[test]
    fn missing_numbers_are_nan() {
        let (_, numbers) = learn("x", &["1", "2", "", "-", "NaN", "null"]).unwrap();
        assert_eq!(numbers.iter().filter(|number| number.is_nan()).count(), 4);
    }

    #[test]
    fn a_frequent_text_is_less_rare() {
        let (features, numbers) = learn("proto", &["tcp", "tcp", "tcp", "udp"]).unwrap();
        assert_eq!(features[0].name, "proto.rarity");
        assert_eq!(numbers, [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn addresses_are_rare_by_host_and_by_network() {
        let cells = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "10.0.0.3"];
        let (features, numbers) = learn("src_ip", &cells).unwrap();
        let names: Vec<_> = features
            .iter()
            .map(|feature| feature.name.as_str())
            .collect();
        assert_eq!(names, ["src_ip.rarity", "src_ip.network_rarity"]);
        assert!(numbers[1] < numbers[5], "{numbers:?}");
    }

    #[test]
    fn client_ports_are_one() {
        let (features, numbers) = learn("src_port", &["40000", "50000", "22", "60000"]).unwrap();
        assert_eq!(features[0].name, "src_port.rarity");
        assert!(
            numbers[0] == numbers[3] && numbers[2] > numbers[0],
            "{numbers:?}"
        );
    }

    #[test]
    fn times_are_times_of_day() {
        let cells = ["2024-04-19T00:00:10Z", "2024-04-20T00:00:20.5Z"];
        assert_eq!(learn("ts", &cells).unwrap().1, [10.0, 20.5]);
        assert_eq!(
            learn("seen", &["2024-04-19 00:01:00", "2024-04-19 01:00:00"])
                .unwrap()
                .1,
            [60.0, 3600.0]
        );
        assert_eq!(
            learn("ts", &["1713484800.5", "1713484801"]).unwrap().1,
            [0.5, 1.0]
        );
        // Another column of large numbers is no time.
        assert_eq!(
            learn("bytes", &["1713484800", "5"]).unwrap().1[0],
            1_713_484_800.0
        );
    }

    #[test]
    fn columns_without_use_are_left_out() {
        assert_eq!(learn("x", &["7", "7"]), Err("every row has the same value"));
        assert_eq!(learn("x", &["", "-"]), Err("every row lacks it"));
        let ids: Vec<String> = (0..200).map(|id| format!("C{id}x")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(
            learn("uid", &ids),
            Err("nearly every row has a text of its own")
        );
    }

    #[test]
    fn a_column_that_is_not_there_is_named() {
        let names = ["a".to_owned(), "b".to_owned()];
        let wanted = ["c".to_owned()];
        let error = Encoding::learn(&names, &[], Some(&wanted), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no column `c`; the columns are a, b"
        );
    }
}
