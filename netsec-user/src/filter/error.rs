//! What is wrong with an expression, and where.

use std::fmt;
use std::ops::Range;

/// Characters of the expression an error shows on either side of the place.
const CONTEXT: usize = 36;
/// Most characters of a word that an error repeats.
const WORD_MAX: usize = 48;

/// An expression that cannot be a filter: what is wrong, where, and what to write instead.
///
/// `Display` is three lines: the problem, the expression, and a mark under the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("filter: {problem}\n  {}\n  {}", .excerpt.text, .excerpt.mark)]
pub struct FilterError {
    problem: Box<Problem>,
    offset: usize,
    excerpt: Box<Excerpt>,
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A word wants another behind it.
    #[error("expected {expected} after `{after}`, found {found}")]
    Expected {
        /// What could stand there.
        expected: &'static str,
        /// The word in front.
        after: String,
        /// What stands there.
        found: String,
    },
    /// There is no test where one has to be.
    #[error("expected a test such as `tcp` or `host 10.0.0.1`, found {found}")]
    ExpectedTest {
        /// What stands there.
        found: String,
    },
    /// Two tests without `and` or `or` between.
    #[error("expected `and` or `or` before {found}")]
    ExpectedOperator {
        /// What stands there.
        found: String,
    },
    /// A value without the word that says what it is a value of.
    #[error("`{value}` could be many things: write `{instead}`")]
    Unqualified {
        /// The value.
        value: String,
        /// With a word in front.
        instead: String,
    },
    /// A word that is no part of the language.
    #[error("unknown word `{word}`{}", suggestion(.instead.as_deref()))]
    UnknownWord {
        /// The word.
        word: String,
        /// A word that is.
        instead: Option<String>,
    },
    /// Part of tcpdump's language that has no meaning for a flow.
    #[error("`{word}` is not supported: {why}")]
    Refused {
        /// The word.
        word: String,
        /// The reason, and what to use instead.
        why: &'static str,
    },
    /// A word that changes the meaning of another does not go with it.
    #[error("`{word}` does not go with {with}: write `{instead}`")]
    Modifier {
        /// The word.
        word: String,
        /// What it stands before.
        with: &'static str,
        /// How to say what was likely meant.
        instead: String,
    },
    /// A host name.
    #[error("host names are not resolved: write an address in place of `{name}`")]
    HostName {
        /// The name.
        name: String,
    },
    /// A word that begins like an address and is none.
    #[error("`{text}` is no address: {why}")]
    Address {
        /// The word.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A prefix where one address is wanted.
    #[error("a prefix is no host: write `net {network}`")]
    PrefixOfHost {
        /// The prefix.
        network: String,
    },
    /// A network's address has bits outside its mask.
    #[error("`{text}` has bits set outside the prefix: write `{instead}`")]
    HostBits {
        /// The network as it was written.
        text: String,
        /// The network it lies in.
        instead: String,
    },
    /// A name that is in no table.
    #[error("unknown {kind} `{name}`: write its number")]
    UnknownName {
        /// What it should be the name of.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A number that is none, or not in a form that has one meaning.
    #[error("`{text}` is not a {kind}: {why}")]
    Number {
        /// What the number is for.
        kind: &'static str,
        /// As it was written.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A number outside its range.
    #[error("{kind} {text} is out of range: it is {low} to {high}")]
    Range {
        /// What the number is for.
        kind: &'static str,
        /// As it was written.
        text: String,
        /// The smallest.
        low: u32,
        /// The largest.
        high: u32,
    },
    /// A parenthesis without its partner.
    #[error("this parenthesis is not closed")]
    Unclosed,
    /// A parenthesis without its partner.
    #[error("this parenthesis was not opened")]
    Unopened,
    /// Parentheses and `not` inside each other.
    #[error("nested more than {max} deep: take out parentheses or double `not`")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Very many tests.
    #[error("more than {max} tests: join addresses to networks and ports to ranges")]
    TooLong {
        /// The limit.
        max: usize,
    },
}

impl FilterError {
    /// `place` in bytes of `expression`.
    pub(super) fn new(problem: Problem, expression: &str, place: Range<usize>) -> Self {
        Self {
            problem: Box::new(problem),
            offset: place.start,
            excerpt: Box::new(Excerpt::new(expression, place)),
        }
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Where it is wrong, bytes from the start of the expression.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

/// The part of the expression around a place, on one line, and a line that marks the place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    text: String,
    mark: Mark,
}

/// Columns to skip, columns to mark.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark(usize, usize);

impl Excerpt {
    fn new(expression: &str, place: Range<usize>) -> Self {
        let before = expression.get(..place.start).unwrap_or_default();
        let inside = expression.get(place.clone()).unwrap_or_default();
        let behind = expression.get(place.end..).unwrap_or_default();

        let mut text = String::new();
        let skipped = before.chars().count().saturating_sub(CONTEXT);
        if skipped > 0 {
            text.push('…');
        }
        text.extend(before.chars().skip(skipped).map(printable));
        let column = text.chars().count();
        text.push_str(&shortened(inside));
        let width = text.chars().count() - column;
        text.extend(behind.chars().take(CONTEXT).map(printable));
        if behind.chars().nth(CONTEXT).is_some() {
            text.push('…');
        }
        text.truncate(text.trim_end().len());
        Self {
            text,
            mark: Mark(column, width.max(1)),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(column, width) = *self;
        write!(
            f,
            "{:column$}^{:~<tail$}",
            "",
            "",
            tail = width.saturating_sub(1)
        )
    }
}

/// A word of the expression as an error repeats it: on one line and not too long.
pub(super) fn shortened(word: &str) -> String {
    let mut text: String = word.chars().take(WORD_MAX).map(printable).collect();
    if word.chars().nth(WORD_MAX).is_some() {
        text.push('…');
    }
    text
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

fn suggestion(instead: Option<&str>) -> String {
    instead.map_or_else(String::new, |word| format!(", did you mean `{word}`?"))
}
