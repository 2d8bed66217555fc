//! A quick way through the JSON that Suricata writes: one object without escapes, whole numbers, no
//! white space but single blanks.
//!
//! It reads what it is sure of and gives up on everything else, malformed lines included: what a line is
//! then, and what is wrong with it, `serde_json` says. So both give the same records, which a test over
//! changed lines holds.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

/// Objects within one another that are followed.
const DEPTH_MAX: u8 = 16;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Reads a line; `None` when it is not as plain as it has to be for that.
pub(super) fn from_line<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Option<T> {
    let mut quick = Quick {
        rest: line,
        depth: 0,
    };
    let value = T::deserialize(&mut quick).ok()?;
    quick.rest.is_empty().then_some(value)
}

/// What is still to be read.
struct Quick<'a> {
    rest: &'a [u8],
    depth: u8,
}

/// Something that it is not sure of.
#[derive(Debug)]
struct Odd;

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not as Suricata writes it")
    }
}

impl std::error::Error for Odd {}

impl de::Error for Odd {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

impl<'a> Quick<'a> {
    #[inline]
    fn peek(&self) -> Result<u8, Odd> {
        self.rest.first().copied().ok_or(Odd)
    }

    /// Takes a byte that has to be there.
    #[inline]
    fn take(&mut self, byte: u8) -> Result<(), Odd> {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(Odd),
        }
    }

    #[inline]
    fn blank(&mut self) {
        if let [b' ', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// A text without escapes and control characters.
    #[inline]
    fn text(&mut self) -> Result<&'a [u8], Odd> {
        self.take(b'"')?;
        let length = plain_bytes(self.rest);
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Odd)?;
        self.rest = rest;
        self.take(b'"')?;
        Ok(text)
    }

    /// A number's digits: not empty, and without a zero in front of others.
    #[inline]
    fn digits(&mut self) -> Result<u64, Odd> {
        let mut value = 0_u64;
        let mut rest = self.rest;
        while let [digit @ b'0'..=b'9', behind @ ..] = rest {
            let digit = u64::from(digit - b'0');
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(digit))
                .ok_or(Odd)?;
            rest = behind;
        }
        let length = self.rest.len() - rest.len();
        if length == 0 || length > 1 && self.rest.starts_with(b"0") {
            return Err(Odd);
        }
        self.rest = rest;
        Ok(value)
    }

    /// A whole number that is not negative; others are odd.
    #[inline]
    fn number(&mut self) -> Result<u64, Odd> {
        let value = self.digits()?;
        match self.rest {
            [b'.' | b'e' | b'E', ..] => Err(Odd),
            _ => Ok(value),
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Result<(), Odd> {
        self.rest = self.rest.strip_prefix(word).ok_or(Odd)?;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), Odd> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Odd);
        }
        Ok(())
    }

    /// Passes over a value.
    fn skip(&mut self) -> Result<(), Odd> {
        match self.peek()? {
            b'"' => self.text().map(|_text| ()),
            b'{' => {
                self.take(b'{')?;
                self.skip_items(b'}')
            }
            b'[' => {
                self.take(b'[')?;
                self.skip_items(b']')
            }
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' => {
                self.take(b'-')?;
                self.skip_number()
            }
            _ => self.skip_number(),
        }
    }

    fn skip_number(&mut self) -> Result<(), Odd> {
        self.digits()?;
        if let [b'.', rest @ ..] = self.rest {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            self.rest = rest.get(digits..).filter(|_| digits > 0).ok_or(Odd)?;
        }
        match self.rest {
            [b'e' | b'E', ..] => Err(Odd),
            _ => Ok(()),
        }
    }

    fn skip_items(&mut self, end: u8) -> Result<(), Odd> {
        self.deeper()?;
        let mut first = true;
        while self.item(&mut first, end)? {
            if end == b'}' {
                self.text()?;
                self.take(b':')?;
                self.blank();
            }
            self.skip()?;
        }
        Ok(())
    }

    /// Whether another item follows; takes the comma before it, or the end.
    #[inline]
    fn item(&mut self, first: &mut bool, end: u8) -> Result<bool, Odd> {
        if self.peek()? == end {
            self.take(end)?;
            self.depth -= 1;
            return Ok(false);
        }
        if !std::mem::replace(first, false) {
            self.take(b',')?;
            self.blank();
            // A comma before the end is malformed.
            if self.peek()? == end {
                return Err(Odd);
            }
        }
        Ok(true)
    }
}

impl<'de> Deserializer<'de> for &mut Quick<'de> {
    type Error = Odd;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Odd> {
        match self.peek()? {
            b'"' => {
                let text = str::from_utf8(self.text()?).map_err(|_error| Odd)?;
                visitor.visit_borrowed_str(text)
            }
            b'0'..=b'9' => visitor.visit_u64(self.number()?),
            b'{' => {
                self.take(b'{')?;
                self.deeper()?;
                visitor.visit_map(Items::new(self))
            }
            b'[' => {
                self.take(b'[')?;
                self.deeper()?;
                visitor.visit_seq(Items::new(self))
            }
            b't' => self.word(b"true").and_then(|()| visitor.visit_bool(true)),
            b'f' => self.word(b"false").and_then(|()| visitor.visit_bool(false)),
            _ => Err(Odd),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Odd> {
        if self.peek()? == b'n' {
            self.word(b"null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Odd> {
        visitor.visit_newtype_struct(self)
    }

    /// Names are compared as bytes; one that is no text makes a line malformed.
    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Odd> {
        let name = self.text()?;
        if !name.is_ascii() {
            return Err(Odd);
        }
        visitor.visit_borrowed_bytes(name)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Odd> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum
    }
}

/// The items of an object or of an array.
struct Items<'q, 'a> {
    quick: &'q mut Quick<'a>,
    first: bool,
}

impl<'q, 'a> Items<'q, 'a> {
    const fn new(quick: &'q mut Quick<'a>) -> Self {
        Self { quick, first: true }
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Odd;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Odd> {
        if !self.quick.item(&mut self.first, b'}')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.quick).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Odd> {
        self.quick.take(b':')?;
        self.quick.blank();
        seed.deserialize(&mut *self.quick)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Odd;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Odd> {
        if !self.quick.item(&mut self.first, b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.quick).map(Some)
    }
}

/// Bytes before the first quote, backslash or control character, eight at a time: texts are short, and
/// a call of a vector search costs more than they do.
#[inline]
fn plain_bytes(bytes: &[u8]) -> usize {
    let mut at = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * 0x22);
        let backslash = word ^ (ONES * 0x5c);
        // The lowest bit that is set stands at the first such byte; those above it may be wrong.
        let found = (quote.wrapping_sub(ONES) & !quote
            | backslash.wrapping_sub(ONES) & !backslash
            | word.wrapping_sub(ONES * 0x20) & !word)
            & HIGHS;
        if found != 0 {
            return at + usize::try_from(found.trailing_zeros() / 8).unwrap_or_default();
        }
        at += 8;
    }
    let plain = |byte: &&u8| **byte >= 0x20 && !matches!(**byte, b'"' | b'\\');
    at + rest.iter().take_while(plain).count()
}

#[cfg(test)]
mod tests;
