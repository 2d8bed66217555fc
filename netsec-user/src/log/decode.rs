//! From a line to a record.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::clock::LogClock;
use super::eve::{self, Event};
use super::fast;
use super::record::Record;
use super::zeek::{self, Directive, Row, Schema, Zeek};

/// Most characters of a line that a reason repeats.
const SHOWN_CHARS: usize = 40;

/// Which records are worth reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// All that are known.
    #[default]
    Everything,
    /// Alerts of Suricata, in either form: other EVE types are not parsed, which is faster.
    Alerts,
}

/// What a line is.
#[derive(Debug)]
pub enum Line<'a> {
    /// A record.
    Record(Record<'a>),
    /// No record that is asked for.
    Ignored(Ignored<'a>),
    /// Not readable.
    Malformed(Malformed),
}

/// Why a line holds no record that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored<'a> {
    /// A header or comment.
    Header,
    /// An empty line.
    Blank,
    /// Of a kind that was not asked for.
    Unwanted,
    /// An EVE record of a type that is not read.
    Unknown(Cow<'a, str>),
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Like no log that is known.
    #[error("no line of eve.json, fast.log or a Zeek log: `{0}`")]
    Unrecognised(String),
    /// No valid JSON, or JSON of another shape.
    #[error("JSON: {0}")]
    Json(String),
    /// A row that does not fit the header.
    #[error("{found} columns where the header has {expected}: cut short, or of another log")]
    Columns {
        /// By the header.
        expected: usize,
        /// In the row.
        found: usize,
    },
    /// A tab-separated row without a header before it.
    #[error("a row without a `#fields` header before it: keep the lines that begin with `#`")]
    NoHeader,
    /// A header line that says nothing sensible.
    #[error("a Zeek header that cannot be used: {0}")]
    Header(&'static str),
    /// A value that is not of its type.
    #[error("{field} is `{text}`, which is not {expected}")]
    Field {
        /// The column.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        text: String,
    },
    /// A column that has to be there is not.
    #[error("{0} is not set")]
    Missing(&'static str),
    /// A row without a time.
    #[error("there is no time")]
    NoTime,
    /// A line of fast.log that ends early or is another program's.
    #[error("a line of fast.log without {0}")]
    Fast(&'static str),
    /// A line beyond [`LINE_BYTES_MAX`](super::LINE_BYTES_MAX).
    #[error("{0} bytes long, more than a record may have")]
    TooLong(u64),
}

impl Malformed {
    pub(super) fn field(field: &'static str, expected: &'static str, text: &str) -> Self {
        Self::Field {
            field,
            expected,
            text: shown(text),
        }
    }

    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Json(shown_up_to(&error.to_string(), 120))
    }
}

/// Reads the lines of one log, one after another: what a header says holds for the rows after it.
#[derive(Clone, Debug)]
pub struct Decoder {
    wanted: Wanted,
    clock: LogClock,
    schema: Schema,
    ends: Vec<u32>,
    event_type: Finder<'static>,
}

impl Decoder {
    /// A decoder that has seen no header yet; it takes the clock of a `fast.log` to show UTC.
    #[must_use]
    pub fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            clock: LogClock::default(),
            schema: Schema::default(),
            ends: Vec::new(),
            event_type: Finder::new(b"\"event_type\""),
        }
    }

    /// With another clock for a `fast.log`.
    #[must_use]
    pub fn with_clock(self, clock: LogClock) -> Self {
        Self { clock, ..self }
    }

    /// Says what a line is. Zero bytes in front are the caller's to strip.
    pub fn decode<'a>(&'a mut self, line: &'a [u8]) -> Line<'a> {
        match self.try_decode(line) {
            Ok(line) => line,
            Err(reason) => Line::Malformed(reason),
        }
    }

    fn try_decode<'a>(&'a mut self, line: &'a [u8]) -> Result<Line<'a>, Malformed> {
        match line.first() {
            None => Ok(Line::Ignored(Ignored::Blank)),
            Some(b'{') => self.json(line),
            Some(b'#') => match self.schema.take(line) {
                Directive::Taken => Ok(Line::Ignored(Ignored::Header)),
                Directive::Bad(why) => Err(Malformed::Header(why)),
            },
            Some(_) if self.schema.is_ready() => {
                let row = Row::tabbed(&self.schema, line, &mut self.ends)?;
                self.wanted.zeek(row)
            }
            Some(_) if fast::is_like(line) => {
                let event = fast::parse(line, &mut self.clock)?;
                Ok(Line::Record(Record::Event(Box::new(event))))
            }
            Some(_) => self.other(line),
        }
    }

    fn json<'a>(&self, line: &'a [u8]) -> Result<Line<'a>, Malformed> {
        let Some(at) = self.event_type.find(line) else {
            return self.wanted.zeek(Row::json(zeek::parse_json(line)?));
        };
        // What the type seems to be spares parsing; what it is, the parser says.
        let seems = eve::type_after(line, at + self.event_type.needle().len());
        if self.wanted == Wanted::Alerts && seems.is_some_and(|kind| kind != b"alert") {
            return Ok(Line::Ignored(Ignored::Unwanted));
        }
        Event::parse(line, seems)
    }

    fn other<'a>(&mut self, line: &[u8]) -> Result<Line<'a>, Malformed> {
        if line.trim_ascii().is_empty() {
            return Ok(Line::Ignored(Ignored::Blank));
        }
        if zeek::looks_like_names(line) {
            return match self.schema.set_names(line) {
                Directive::Taken => Ok(Line::Ignored(Ignored::Header)),
                Directive::Bad(why) => Err(Malformed::Header(why)),
            };
        }
        let has_epoch = |field: &[u8]| super::moment::epoch(field).is_some();
        if line.split(|byte| *byte == b'\t').take(2).any(has_epoch) {
            return Err(Malformed::NoHeader);
        }
        Err(Malformed::Unrecognised(shown(&String::from_utf8_lossy(
            line,
        ))))
    }
}

impl Wanted {
    fn zeek(self, row: Row<'_>) -> Result<Line<'_>, Malformed> {
        match self {
            Self::Everything => Ok(Line::Record(Record::Zeek(Box::new(Zeek::new(row)?)))),
            Self::Alerts => Ok(Line::Ignored(Ignored::Unwanted)),
        }
    }
}

/// The beginning of a text, on one line and without what a terminal obeys.
fn shown(text: &str) -> String {
    shown_up_to(text, SHOWN_CHARS)
}

fn shown_up_to(text: &str, most: usize) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(most).map(printable).collect();
    if text.chars().nth(most).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
