//! Tables of any kind, row by row: delimited text, Zeek's logs, flow records of Suricata and netsec.
//!
//! A row is a list of cells, and an [`Encoding`] turns it into numbers. The form is told by the
//! content, never by the name. Reading takes the memory of one row; standard input is kept whole,
//! because a table is read twice: to learn, and to score.

mod cell;
mod counts;
mod encode;
mod input;
mod scan;
mod sniff;

pub use self::encode::{ColumnError, Encoding, Feature, LeftOut, Unit};
pub use self::input::{Input, TableError};
pub use self::scan::{Scanned, scan};
