//! The expression as tokens.

use super::error::shortened;

/// Reads tokens one at a time. A copy looks ahead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// A piece of the expression.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    /// As written, without a backslash in front; empty at the end.
    pub(super) text: &'a str,
    /// Bytes from the start of the expression.
    pub(super) at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    /// A word behind a backslash: never a keyword.
    Escaped,
    And,
    Or,
    Not,
    Open,
    Close,
    Slash,
    /// Part of tcpdump's arithmetic.
    Arithmetic,
    End,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token; [`TokenKind::End`] from the end on.
    pub(super) fn next(&mut self) -> Token<'a> {
        let rest = self.rest();
        let rest = self.advance(rest.len() - rest.trim_start().len());
        let at = self.at;
        let (kind, length) = match rest.as_bytes() {
            [] => (TokenKind::End, 0),
            [b'(', ..] => (TokenKind::Open, 1),
            [b')', ..] => (TokenKind::Close, 1),
            [b'&', b'&', ..] => (TokenKind::And, 2),
            [b'|', b'|', ..] => (TokenKind::Or, 2),
            [b'!', ..] => (TokenKind::Not, 1),
            [b'/', ..] => (TokenKind::Slash, 1),
            [b'\\', ..] => {
                let word = self.advance(1);
                return self.take(TokenKind::Escaped, at + 1, word_length(word));
            }
            _ => match word_length(rest) {
                0 => (
                    TokenKind::Arithmetic,
                    rest.chars().next().map_or(0, char::len_utf8),
                ),
                length => (TokenKind::Word, length),
            },
        };
        let token = self.take(kind, at, length);
        Token {
            kind: match (kind, token.text) {
                (TokenKind::Word, "and") => TokenKind::And,
                (TokenKind::Word, "or") => TokenKind::Or,
                (TokenKind::Word, "not") => TokenKind::Not,
                (kind, _) => kind,
            },
            ..token
        }
    }

    fn take(&mut self, kind: TokenKind, at: usize, length: usize) -> Token<'a> {
        let text = self.rest().get(..length).unwrap_or_default();
        self.advance(length);
        Token { kind, text, at }
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        self.at += bytes;
        self.rest()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

impl Token<'_> {
    /// Where it ends, bytes from the start of the expression.
    pub(super) const fn end(&self) -> usize {
        self.at + self.text.len()
    }

    /// As an error names it.
    pub(super) fn quoted(&self) -> String {
        match self.kind {
            TokenKind::End => "the end".to_owned(),
            TokenKind::Word
            | TokenKind::Escaped
            | TokenKind::And
            | TokenKind::Or
            | TokenKind::Not
            | TokenKind::Open
            | TokenKind::Close
            | TokenKind::Slash
            | TokenKind::Arithmetic => format!("`{}`", shortened(self.text)),
        }
    }
}

/// Bytes of the word that `text` begins with. Dots, colons and hyphens belong to words.
fn word_length(text: &str) -> usize {
    text.find(|c: char| c.is_whitespace() || "()!&|/[]<>=+*^\\".contains(c))
        .unwrap_or(text.len())
}
