//! A line of words and columns.

use std::fmt::{Display, Write as _};

use anstyle::{AnsiColor, Style as Escape};
use netsec_common::packet::protocol;

use super::style::{Colour, Style};

/// What a word is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Data.
    Plain,
    /// What is always there: times, arrows, labels.
    Dim,
    /// A heading.
    Bold,
    /// The name of a protocol with this IP protocol number.
    Protocol(u8),
    /// An ARP or other message without IP.
    WithoutIp,
    /// As it should be; a connection is opened.
    Good,
    /// Worth a look; a connection ends in order.
    Notice,
    /// Wrong, lost, refused.
    Bad,
    /// A name somebody chose.
    Name,
}

impl Paint {
    const fn escape(self) -> Escape {
        let plain = Escape::new();
        match self {
            Self::Plain => plain,
            Self::Dim => plain.dimmed(),
            Self::Bold => plain.bold(),
            Self::Protocol(protocol::TCP) => colour(AnsiColor::Cyan),
            Self::Protocol(protocol::UDP) => colour(AnsiColor::Blue),
            Self::Protocol(protocol::ICMP | protocol::ICMPV6) => colour(AnsiColor::Magenta),
            Self::Protocol(_) => colour(AnsiColor::BrightBlue),
            Self::WithoutIp | Self::Notice => colour(AnsiColor::Yellow),
            Self::Good => colour(AnsiColor::Green),
            Self::Bad => colour(AnsiColor::Red).bold(),
            Self::Name => plain.underline(),
        }
    }
}

const fn colour(colour: AnsiColor) -> Escape {
    Escape::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

/// Builds a line; its buffers are used again for the next one.
#[derive(Debug)]
pub(super) struct Line {
    text: String,
    word: String,
    /// Spaces owed before the next word, which are not written at the end of a line.
    owed: usize,
    style: Style,
}

impl Line {
    pub(super) const fn new(style: Style) -> Self {
        Self {
            text: String::new(),
            word: String::new(),
            owed: 0,
            style,
        }
    }

    pub(super) const fn is_aligned(&self) -> bool {
        self.style.aligned
    }

    /// A word, after a space.
    pub(super) fn word(&mut self, paint: Paint, word: impl Display) {
        self.put(paint, 0, false, word);
    }

    /// A word in a column of this many characters.
    pub(super) fn cell(&mut self, paint: Paint, width: usize, word: impl Display) {
        self.put(paint, width, false, word);
    }

    /// A word at the right edge of a column of this many characters.
    pub(super) fn right(&mut self, paint: Paint, width: usize, word: impl Display) {
        self.put(paint, width, true, word);
    }

    /// Fills the rest of a line of this many characters, where there are columns.
    pub(super) fn rule(&mut self, width: usize, used: usize) {
        if self.style.aligned {
            let rest = width.saturating_sub(used);
            self.put(Paint::Dim, 0, false, "─".repeat(rest));
        }
    }

    /// More space before the next word, where there are columns.
    pub(super) const fn gap(&mut self) {
        if self.style.aligned {
            self.owed += 1;
        }
    }

    /// Ends the line and gives its bytes.
    pub(super) fn end(&mut self) -> &[u8] {
        // The line before was handed out, so it is dropped when the next one begins.
        self.text.push('\n');
        self.owed = usize::MAX;
        self.text.as_bytes()
    }

    fn put(&mut self, paint: Paint, width: usize, right: bool, word: impl Display) {
        if self.owed == usize::MAX {
            self.text.clear();
            self.owed = 0;
        }
        self.word.clear();
        // Writing to a String does not fail.
        write!(self.word, "{word}").unwrap_or_default();
        let padding = if self.style.aligned {
            width.saturating_sub(self.word.chars().count())
        } else {
            0
        };
        let (before, after) = if right { (padding, 0) } else { (0, padding) };
        self.text
            .extend(std::iter::repeat_n(' ', self.owed + before));
        let escape = paint.escape();
        if self.style.colour == Colour::Never || escape.is_plain() || self.word.is_empty() {
            self.text.push_str(&self.word);
        } else {
            write!(self.text, "{escape}{}{escape:#}", self.word).unwrap_or_default();
        }
        self.owed = after + 1;
    }
}
