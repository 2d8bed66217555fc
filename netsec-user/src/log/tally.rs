//! What became of every line.

use std::fmt;

use super::decode::{Ignored, Malformed};
use super::place::{At, Place};

/// Bad lines that are remembered.
const SAMPLES: usize = 5;
/// Kinds of lines that are told apart; what a log calls its records is the writer's choice.
const KINDS: usize = 64;

/// Counts of one input: `read = used + ignored + malformed`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines, or records of a JSON document, that were looked at.
    pub read: u64,
    /// Handed on.
    pub used: u64,
    /// Headers and comments of Zeek's form, which carry no record.
    pub headers: u64,
    /// Empty lines.
    pub blank: u64,
    /// Records of a kind that was not asked for.
    pub unwanted: u64,
    /// EVE records of a type that is not read.
    pub unknown: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// Zero bytes that stood before a line, as truncation under an open writer leaves them.
    pub nul_bytes: u64,
    /// The first lines that could not be read.
    pub samples: Vec<BadLine>,
    /// Records used, by kind.
    kinds: Vec<(String, u64)>,
    /// EVE types that are not read.
    unknown_types: Vec<(String, u64)>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Where it is in the file.
    pub at: At,
    /// What is wrong with it.
    pub reason: Malformed,
}

impl BadLine {
    /// Where it is in the log of this name.
    #[must_use]
    pub const fn place<'a>(&self, file: &'a str) -> Place<'a> {
        Place { file, at: self.at }
    }
}

impl Tally {
    /// Lines without a record that was asked for.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.headers + self.blank + self.unwanted + self.unknown
    }

    /// Records used by kind: `eve alert`, `zeek conn`; in the order of their first line.
    #[must_use]
    pub fn kinds(&self) -> &[(String, u64)] {
        &self.kinds
    }

    /// EVE types that are not read, with their numbers of lines.
    #[must_use]
    pub fn unknown_types(&self) -> &[(String, u64)] {
        &self.unknown_types
    }

    /// Counts a record that is handed on.
    pub(super) fn use_record(&mut self, family: &str, kind: &str) {
        self.read += 1;
        self.used += 1;
        let is_it = |name: &str| {
            name.strip_prefix(family)
                .and_then(|rest| rest.strip_prefix(' '))
                .is_some_and(|rest| rest == kind)
        };
        if let Some((_, count)) = self.kinds.iter_mut().find(|(name, _)| is_it(name)) {
            *count += 1;
        } else if self.kinds.len() < KINDS {
            self.kinds.push((format!("{family} {kind}"), 1));
        }
    }

    /// Counts a line without a record.
    pub(super) fn ignore(&mut self, why: &Ignored<'_>) {
        self.read += 1;
        match why {
            Ignored::Header => self.headers += 1,
            Ignored::Blank => self.blank += 1,
            Ignored::Unwanted => self.unwanted += 1,
            Ignored::Unknown(kind) => {
                self.unknown += 1;
                let known = self.unknown_types.iter_mut().find(|(name, _)| name == kind);
                if let Some((_, count)) = known {
                    *count += 1;
                } else if self.unknown_types.len() < KINDS {
                    self.unknown_types.push((kind.to_string(), 1));
                }
            }
        }
    }

    /// Counts a line that could not be read; true when it is among the first.
    pub(super) fn reject(&mut self, at: At, reason: Malformed) -> bool {
        self.read += 1;
        self.malformed += 1;
        let early = self.samples.len() < SAMPLES;
        if early {
            self.samples.push(BadLine { at, reason });
        }
        early
    }
}

impl fmt::Display for Tally {
    /// `12 lines read = 9 used + 2 ignored + 1 malformed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            read,
            used,
            malformed,
            ..
        } = self;
        let ignored = self.ignored();
        write!(
            f,
            "{read} lines read = {used} used + {ignored} ignored + {malformed} malformed"
        )
    }
}
