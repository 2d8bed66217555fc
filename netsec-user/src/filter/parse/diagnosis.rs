//! What to say when the next token is not what it has to be.

use super::super::error::{FilterError, Problem, shortened};
use super::super::lex::{Token, TokenKind};
use super::super::{names, refuse, value};
use super::{Kind, Parser, Qualifiers};

impl<'a> Parser<'a> {
    pub(in super::super) fn error_at(&self, problem: Problem, token: Token<'a>) -> FilterError {
        self.error_between(problem, token, token.end())
    }

    /// An error about everything from a token to `end`, bytes from the start.
    pub(in super::super) fn error_between(
        &self,
        problem: Problem,
        first: Token<'a>,
        end: usize,
    ) -> FilterError {
        FilterError::new(problem, self.text, first.at..end)
    }

    /// The next token is not what has to stand behind `after`.
    pub(in super::super) fn expected(
        &self,
        expected: &'static str,
        after: Token<'a>,
    ) -> FilterError {
        let problem = Problem::Expected {
            expected,
            after: shortened(after.text),
            found: self.peeked.quoted(),
        };
        self.error_at(problem, self.peeked)
    }

    pub(super) fn expected_value(&self, qualifiers: &Qualifiers<'a>) -> FilterError {
        if self.peeked.kind == TokenKind::Arithmetic {
            return self.arithmetic();
        }
        self.expected(qualifiers.kind.noun(), qualifiers.last)
    }

    /// Something stands where `and`, `or` or the end has to be.
    pub(super) fn trailing(&self) -> FilterError {
        let found = self.peeked;
        if found.kind == TokenKind::Arithmetic {
            return self.arithmetic();
        }
        if found.kind == TokenKind::Word
            && let Some(why) = refuse::reason(found.text)
        {
            return self.refused(found, why);
        }
        self.error_at(
            Problem::ExpectedOperator {
                found: found.quoted(),
            },
            found,
        )
    }

    pub(super) fn arithmetic(&self) -> FilterError {
        self.refused(self.peeked, refuse::arithmetic())
    }

    pub(in super::super) fn refused(&self, token: Token<'a>, why: &'static str) -> FilterError {
        let problem = Problem::Refused {
            word: shortened(token.text),
            why,
        };
        self.error_at(problem, token)
    }

    /// The next word begins no test.
    pub(super) fn stray(&self) -> FilterError {
        let word = self.peeked;
        if let Some(why) = refuse::reason(word.text) {
            return self.refused(word, why);
        }
        let problem = match value::qualified(word.text) {
            Some(instead) => Problem::Unqualified {
                value: shortened(word.text),
                instead,
            },
            None if names::is_reserved(word.text) => Problem::ExpectedTest {
                found: word.quoted(),
            },
            None => Problem::UnknownWord {
                word: shortened(word.text),
                instead: names::similar(word.text),
            },
        };
        self.error_at(problem, word)
    }
}

impl Kind {
    const fn noun(self) -> &'static str {
        match self {
            Self::Host => "an address",
            Self::Net => "a network such as 10.0.0.0/8",
            Self::Port => "a port",
            Self::PortRange => "a range such as 1-1024",
            Self::Proto => "a protocol's number or name",
        }
    }
}
