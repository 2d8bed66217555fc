//! Where in a log something stands.

use std::fmt;

/// A record of a log, or a line that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The log.
    pub file: &'a str,
    /// Where it begins in it.
    pub at: At,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// In this line, from 1 on.
    Line(u64),
    /// At this byte, from 0 on: of a log that is followed from its end nobody has counted the lines.
    Byte(u64),
}

impl fmt::Display for Place<'_> {
    /// `eve.json:17`, or `eve.json at byte 4711`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Line(line) => write!(f, "{}:{line}", self.file),
            At::Byte(_) => write!(f, "{} at {}", self.file, self.at),
        }
    }
}

impl fmt::Display for At {
    /// `line 17`, or `byte 4711`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(byte) => write!(f, "byte {byte}"),
        }
    }
}
