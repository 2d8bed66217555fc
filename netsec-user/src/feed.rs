//! Lists of addresses as the world writes them: one a line, CSV with a header, and CrowdSec's
//! decisions.
//!
//! A list is read as a stream. A line that cannot be used is reported with its number and the reason,
//! and does not stop the rest: `entries' sources + invalid + ignored = records`.

mod address;
mod crowdsec;
mod csv;
mod duration;
mod lines;
mod objects;
mod write;

use std::io::{self, BufRead};
use std::time::Duration;

use netsec_common::block::Prefix;

pub use self::address::{AddressError, Prefixes, prefix, prefixes};
pub use self::crowdsec::DecisionError;
use self::csv::Columns;
use self::lines::{Line, Lines};
pub use self::write::{CrowdsecDecision, CrowdsecWriter};

/// One prefix of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// The line it is from, beginning with 1.
    pub line: u64,
    /// The addresses; IPv4-mapped IPv6 is IPv4 here.
    pub prefix: Prefix,
    /// How long the list wants it blocked.
    pub lifetime: Option<Duration>,
    /// Why, in the list's words.
    pub reason: Option<Box<str>>,
}

/// Something of a list that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Its line, beginning with 1.
    pub line: u64,
    /// The beginning of what is there, free of control characters.
    pub text: String,
    /// Why it cannot be used.
    pub reason: InvalidReason,
}

/// Why something of a list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    /// No address, network or range.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A CrowdSec decision that names no addresses, or not as CrowdSec does.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// More bytes in a line than any list has.
    #[error("the line has more than {} bytes", lines::LINE_BYTES_MAX)]
    TooLong,
    /// No UTF-8.
    #[error("the line is not UTF-8")]
    NotText,
    /// A CSV line without the column that holds the address.
    #[error("the line has no column {column}, which holds the address")]
    NoColumn {
        /// The column's number, beginning with 1.
        column: usize,
    },
}

/// Takes what a list holds.
pub trait FeedSink {
    /// Takes one prefix. A range comes as several.
    fn entry(&mut self, entry: FeedEntry);

    /// Learns of something that cannot be used.
    fn invalid(&mut self, invalid: Invalid);
}

/// What a list held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedCounts {
    /// Lines, or JSON decisions: used, invalid or ignored.
    pub records: u64,
    /// Prefixes delivered: more than the records used, where those hold ranges.
    pub entries: u64,
    /// Records that cannot be used.
    pub invalid: u64,
    /// Empty lines, comments, headers; decisions that CrowdSec only simulates or has withdrawn.
    pub ignored: u64,
}

/// Reads a list to its end. The first byte that is no blank tells JSON from lines, the first line that
/// is no comment tells CSV from plain lines.
///
/// # Errors
///
/// When the input cannot be read; what came before was delivered.
pub fn read(mut input: impl BufRead, sink: &mut impl FeedSink) -> io::Result<FeedCounts> {
    let mut counter = Counter {
        counts: FeedCounts::default(),
        sink,
    };
    if is_json(&mut input)? {
        crowdsec::read(input, &mut counter)?;
    } else {
        read_lines(input, &mut counter)?;
    }
    Ok(counter.counts)
}

fn is_json(input: &mut impl BufRead) -> io::Result<bool> {
    let start = input.fill_buf()?;
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    Ok(matches!(first, Some(b'[' | b'{')))
}

fn read_lines(input: impl BufRead, counter: &mut Counter<'_, impl FeedSink>) -> io::Result<()> {
    let mut lines = Lines::new(input);
    let mut columns = None;
    let mut is_first = true;
    while let Some((number, line)) = lines.next()? {
        counter.counts.records += 1;
        let text = match line {
            Line::Text(text) => text,
            Line::TooLong(start) => {
                counter.invalid(number, start, InvalidReason::TooLong);
                continue;
            }
            Line::NotText(start) => {
                counter.invalid(number, &start, InvalidReason::NotText);
                continue;
            }
        };
        if is_comment(text) {
            counter.counts.ignored += 1;
            continue;
        }
        if std::mem::take(&mut is_first) {
            columns = Columns::from_header(text);
            if columns.is_some() {
                counter.counts.ignored += 1;
                continue;
            }
        }
        match &columns {
            Some(columns) => counter.csv(number, text, columns),
            None => counter.plain(number, text),
        }
    }
    Ok(())
}

fn is_comment(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with(['#', ';']) || text.starts_with("//")
}

/// Counts what it passes on.
#[derive(Debug)]
struct Counter<'a, S> {
    counts: FeedCounts,
    sink: &'a mut S,
}

impl<S: FeedSink> Counter<'_, S> {
    fn invalid(&mut self, line: u64, text: &str, reason: InvalidReason) {
        self.counts.invalid += 1;
        self.sink.invalid(Invalid {
            line,
            text: printable(text),
            reason,
        });
    }

    /// Passes on what `text` names.
    fn prefixes(
        &mut self,
        line: u64,
        text: &str,
        lifetime: Option<Duration>,
        reason: Option<&str>,
    ) -> Result<(), AddressError> {
        for prefix in prefixes(text)? {
            self.counts.entries += 1;
            self.sink.entry(FeedEntry {
                line,
                prefix,
                lifetime,
                reason: reason.map(|reason| printable(reason).into()),
            });
        }
        Ok(())
    }

    /// An address and, behind a blank, comma or comment sign, what the list says of it.
    fn plain(&mut self, line: u64, text: &str) {
        let content = text.split(['#', ';', ',']).next().unwrap_or_default();
        let content = without_remark(content.trim());
        if let Err(error) = self.prefixes(line, content, None, None) {
            self.invalid(line, text, error.into());
        }
    }

    fn csv(&mut self, line: u64, text: &str, columns: &Columns) {
        if let Err(reason) = self.csv_record(line, text, columns) {
            self.invalid(line, text, reason);
        }
    }

    fn csv_record(
        &mut self,
        line: u64,
        text: &str,
        columns: &Columns,
    ) -> Result<(), InvalidReason> {
        let record = columns.record(text)?;
        let lifetime = match record.duration.as_deref() {
            None | Some("") => None,
            Some(text) => Some(
                duration::parse(text).ok_or_else(|| DecisionError::Duration {
                    text: printable(text),
                })?,
            ),
        };
        let reason = record.reason.as_deref().filter(|text| !text.is_empty());
        self.prefixes(line, record.address.trim(), lifetime, reason)?;
        Ok(())
    }
}

/// What stands before the first blank, but for a range written `a - b`.
fn without_remark(content: &str) -> &str {
    let Some((first, rest)) = content.split_once(char::is_whitespace) else {
        return content;
    };
    if rest.trim_start().starts_with('-') || first.ends_with('-') {
        content
    } else {
        first
    }
}

/// The beginning of a text, without characters that could do something to a terminal.
fn printable(text: &str) -> String {
    const CHARACTERS_MAX: usize = 120;
    text.chars()
        .take(CHARACTERS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
