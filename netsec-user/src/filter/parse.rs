//! From tokens to an expression.
//!
//! The grammar is libpcap's `grammar.y`, and so is what a value alone inherits: the words of the
//! test before it, none after a protocol or `vlan` alone, and after a parenthesis those from before
//! the parenthesis.

use super::error::{FilterError, Problem};
use super::expression::{Expression, Operator, Side, Test};
use super::lex::{Lexer, Token, TokenKind};
use super::names::{self, Meaning, ethertype};
use super::refuse;
use super::value;

mod diagnosis;

/// How deep parentheses and `not` may nest: this bounds the stack of everything that recurses.
const DEPTH_MAX: usize = 64;
/// How many tests an expression may hold.
const TESTS_MAX: usize = 4096;

/// Reads a whole expression; `None` when it is empty.
pub(super) fn parse(text: &str) -> Result<Option<Expression>, FilterError> {
    let mut lexer = Lexer::new(text);
    let peeked = lexer.next();
    let mut parser = Parser {
        text,
        lexer,
        peeked,
        taken: 0,
        depth: 0,
        tests: 0,
    };
    if peeked.kind == TokenKind::End {
        return Ok(None);
    }
    let expression = parser.chain(None, false)?;
    let end = parser.peeked;
    if end.kind == TokenKind::End {
        Ok(Some(expression))
    } else if end.kind == TokenKind::Close {
        Err(parser.error_at(Problem::Unopened, end))
    } else {
        Err(parser.trailing())
    }
}

/// The words before a value: what it is a value of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Qualifiers<'a> {
    pub(super) protocol: Option<(Token<'a>, Meaning)>,
    pub(super) side: Side,
    pub(super) kind: Kind,
    /// The last of the words.
    pub(super) last: Token<'a>,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

#[derive(Debug)]
pub(super) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    pub(super) peeked: Token<'a>,
    /// Where the last taken token ends, bytes from the start.
    taken: usize,
    depth: usize,
    tests: usize,
}

type Parsed<'a> = (Expression, Option<Qualifiers<'a>>);

impl<'a> Parser<'a> {
    /// Items joined by `and` and `or`. `inherited` is what a value in front would be a value of;
    /// with `values_only` no item may bring its own words.
    fn chain(
        &mut self,
        inherited: Option<Qualifiers<'a>>,
        values_only: bool,
    ) -> Result<Expression, FilterError> {
        let (first, mut carried) = self.item(inherited, values_only)?;
        let mut rest = Vec::new();
        while let Some(operator) = operator(self.peeked) {
            self.next();
            let (item, next) = self.item(carried, values_only)?;
            rest.push((operator, item));
            carried = next;
        }
        Ok(Expression::chain(first, rest))
    }

    /// A test, a value with inherited words, or a group, with `not` before it or without.
    fn item(
        &mut self,
        inherited: Option<Qualifiers<'a>>,
        values_only: bool,
    ) -> Result<Parsed<'a>, FilterError> {
        match (self.peeked.kind, inherited) {
            (TokenKind::Not, _) => {
                self.enter()?;
                let (inner, carried) = self.item(inherited, values_only)?;
                self.depth -= 1;
                Ok((Expression::Not(Box::new(inner)), carried))
            }
            (TokenKind::Open, _) => {
                let open = self.enter()?;
                let values_only = values_only || (inherited.is_some() && self.value_ahead());
                let inner = self.chain(inherited, values_only)?;
                self.close(open)?;
                self.depth -= 1;
                Ok((inner, inherited))
            }
            (TokenKind::Word | TokenKind::Escaped, Some(qualifiers))
                if is_value(self.peeked) || (values_only && qualifiers.takes(self.peeked)) =>
            {
                Ok((self.value(&qualifiers)?, inherited))
            }
            (_, Some(qualifiers)) if values_only => Err(self.expected_value(&qualifiers)),
            (TokenKind::Word | TokenKind::Escaped, _) => self.term(),
            (TokenKind::Arithmetic, _) => Err(self.arithmetic()),
            _ => Err(self.error_at(
                Problem::ExpectedTest {
                    found: self.peeked.quoted(),
                },
                self.peeked,
            )),
        }
    }

    /// A test that begins with a word of its own.
    fn term(&mut self) -> Result<Parsed<'a>, FilterError> {
        let word = self.peeked;
        if word.kind == TokenKind::Escaped {
            return Err(self.stray());
        }
        let protocol = names::keyword(word.text);
        if let Some(meaning) = protocol {
            self.next();
            if self.peeked.kind == TokenKind::Word
                && let Some(parsed) = self.behind_protocol(word, meaning)?
            {
                return Ok(parsed);
            }
            if self.peeked.kind == TokenKind::Arithmetic {
                return Err(self.arithmetic());
            }
            let test = match meaning {
                Meaning::Ethertype(number) => Test::Ethertype(number),
                Meaning::Protocol(ethertype, number) => Test::Protocol { ethertype, number },
                Meaning::Link => return Err(self.expected("`proto` and an Ethernet type", word)),
            };
            return Ok((self.test(test, word)?, None));
        }
        if word.text == "vlan" {
            self.next();
            let id = value::vlan(self)?;
            return Ok((self.test(Test::Vlan(id), word)?, None));
        }
        match self.qualifiers(None)? {
            Some(qualifiers) => self.item(Some(qualifiers), true),
            None => Err(self.stray()),
        }
    }

    /// What goes on behind a protocol's word, if anything does.
    fn behind_protocol(
        &mut self,
        word: Token<'a>,
        meaning: Meaning,
    ) -> Result<Option<Parsed<'a>>, FilterError> {
        if self.peeked.text == "multicast"
            && let Meaning::Ethertype(number @ (ethertype::IPV4 | ethertype::IPV6)) = meaning
        {
            self.next();
            let test = value::multicast(number);
            return Ok(Some((self.test(test, word)?, None)));
        }
        if let Some(why) = refuse::reason(self.peeked.text) {
            return Err(self.refused(self.peeked, why));
        }
        if let Some(qualifiers) = self.qualifiers(Some((word, meaning)))? {
            return self.item(Some(qualifiers), true).map(Some);
        }
        if is_value(self.peeked) {
            return Err(self.stray());
        }
        Ok(None)
    }

    /// `[src|dst|orig|resp|…] [host|net|port|portrange]` or `proto`; `None` when nothing of it is there.
    fn qualifiers(
        &mut self,
        protocol: Option<(Token<'a>, Meaning)>,
    ) -> Result<Option<Qualifiers<'a>>, FilterError> {
        let mut last = self.peeked;
        let side = self.side(&mut last);
        let kind = match self.peeked.text {
            "host" => Some(Kind::Host),
            "net" => Some(Kind::Net),
            "port" => Some(Kind::Port),
            "portrange" => Some(Kind::PortRange),
            "proto" if side.is_none() => Some(Kind::Proto),
            _ => None,
        };
        if self.peeked.kind == TokenKind::Word && kind.is_some() {
            last = self.next();
        } else if side.is_none() {
            return Ok(None);
        }
        let qualifiers = Qualifiers {
            protocol,
            side: side.unwrap_or(Side::Either),
            kind: kind.unwrap_or(Kind::Host),
            last,
        };
        value::check_protocol(self, &qualifiers)?;
        Ok(Some(qualifiers))
    }

    /// `src`, `dst`, `orig`, `resp`, or a pair of them with `or` or `and` between; `last` becomes the last of these words.
    fn side(&mut self, last: &mut Token<'a>) -> Option<Side> {
        let (first, other) = match (self.peeked.kind, self.peeked.text) {
            (TokenKind::Word, "src") => (Side::Source, "dst"),
            (TokenKind::Word, "dst") => (Side::Destination, "src"),
            (TokenKind::Word, "orig") => (Side::Originator, "resp"),
            (TokenKind::Word, "resp") => (Side::Responder, "orig"),
            _ => return None,
        };
        *last = self.next();
        let Some(operator) = operator(self.peeked) else {
            return Some(first);
        };
        let mut ahead = self.lexer;
        let ahead = ahead.next();
        if ahead.kind != TokenKind::Word || ahead.text != other {
            return Some(first);
        }
        self.next();
        *last = self.next();
        Some(match operator {
            Operator::And => Side::Both,
            Operator::Or => Side::Either,
        })
    }

    /// A value and the words it has or inherits.
    fn value(&mut self, qualifiers: &Qualifiers<'a>) -> Result<Expression, FilterError> {
        let word = self.peeked;
        let test = value::test(self, qualifiers)?;
        self.test(test, word)
    }

    fn test(&mut self, test: Test, word: Token<'a>) -> Result<Expression, FilterError> {
        self.tests += 1;
        if self.tests > TESTS_MAX {
            return Err(self.error_at(Problem::TooLong { max: TESTS_MAX }, word));
        }
        Ok(Expression::Test(test))
    }

    /// Whether the first word behind parentheses and `not` is a value.
    fn value_ahead(&self) -> bool {
        let mut ahead = self.lexer;
        let mut token = self.peeked;
        while matches!(token.kind, TokenKind::Open | TokenKind::Not) {
            token = ahead.next();
        }
        is_value(token)
    }

    /// Takes `(` or `not` and counts the depth.
    fn enter(&mut self) -> Result<Token<'a>, FilterError> {
        let token = self.next();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error_at(Problem::TooDeep { max: DEPTH_MAX }, token));
        }
        Ok(token)
    }

    fn close(&mut self, open: Token<'a>) -> Result<(), FilterError> {
        if self.peeked.kind == TokenKind::End {
            return Err(self.error_at(Problem::Unclosed, open));
        }
        if self.peeked.kind != TokenKind::Close {
            return Err(self.trailing());
        }
        self.next();
        Ok(())
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Token<'a> {
        let token = self.peeked;
        self.taken = token.end();
        self.peeked = self.lexer.next();
        token
    }

    /// Where the last taken token ends, bytes from the start of the expression.
    pub(super) const fn taken(&self) -> usize {
        self.taken
    }

    /// The expression from a token to `end`, as it is written.
    pub(super) fn text_between(&self, first: Token<'a>, end: usize) -> &'a str {
        self.text.get(first.at..end).unwrap_or_default()
    }
}

impl Qualifiers<'_> {
    /// Whether the word is a value right behind these words though it is one of the language:
    /// `proto tcp`, for which tcpdump wants `proto \tcp`.
    fn takes(&self, word: Token<'_>) -> bool {
        self.kind == Kind::Proto && names::keyword(word.text).is_some()
    }
}

/// Whether a word could be an address, a port or a name.
fn is_value(token: Token<'_>) -> bool {
    token.kind == TokenKind::Escaped
        || token.kind == TokenKind::Word
            && !names::is_reserved(token.text)
            && refuse::reason(token.text).is_none()
}

fn operator(token: Token<'_>) -> Option<Operator> {
    if token.kind == TokenKind::And {
        Some(Operator::And)
    } else if token.kind == TokenKind::Or {
        Some(Operator::Or)
    } else {
        None
    }
}
