//! One line for what became of a reason to block somebody.

use std::io::Write;

use super::super::timestamp::TimeOfDay;
use super::Text;
use super::line::Paint;
use crate::decide::{Decided, Deed};

impl<W: Write> Text<W> {
    /// `decision 01:31:07.1 blocked 192.0.2.1 until 2026-11-23T01:41:07.000000Z (offence 1) because ...`.
    pub(super) fn decision_line(&mut self, decided: &Decided) {
        let paint = match decided.deed() {
            Deed::Block => Paint::Bad,
            Deed::Limit => Paint::Notice,
            Deed::Spare => Paint::Plain,
        };
        self.line.word(Paint::Bold, "decision");
        self.line.word(Paint::Dim, TimeOfDay(decided.time, 1));
        self.line.word(paint, Printable(decided));
    }
}

/// Without control characters: a reason holds words of a log.
struct Printable<'a>(&'a Decided);

impl std::fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        if text.chars().any(char::is_control) {
            write!(f, "{}", text.escape_debug())
        } else {
            f.write_str(&text)
        }
    }
}
