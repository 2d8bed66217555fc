//! Numbers: decimal or `0x…`.

use std::ops::RangeInclusive;

use super::super::error::{FilterError, Problem, shortened};
use super::super::lex::Token;
use super::super::parse::Parser;

/// An unsigned integer of 32 bits at most.
pub(super) trait Number: TryFrom<u32> {}

impl Number for u8 {}
impl Number for u16 {}
impl Number for u32 {}

/// Reads `text`, which is all of `word` or part of it.
pub(super) fn number<'a, T: Number>(
    parser: &Parser<'a>,
    word: Token<'a>,
    text: &str,
    kind: &'static str,
    range: RangeInclusive<u32>,
) -> Result<T, FilterError> {
    let malformed = |why| Problem::Number {
        kind,
        text: shortened(text),
        why,
    };
    let out_of_range = || Problem::Range {
        kind,
        text: shortened(text),
        low: *range.start(),
        high: *range.end(),
    };
    read(text)
        .map_err(malformed)
        .and_then(|value| {
            value
                .filter(|value| range.contains(value))
                .and_then(|value| T::try_from(value).ok())
                .ok_or_else(out_of_range)
        })
        .map_err(|problem| parser.error_between(problem, word, word.end()))
}

/// The number, `None` when it takes more than 32 bits, or why it is none.
fn read(text: &str) -> Result<Option<u32>, &'static str> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hexadecimal) => (hexadecimal, 16),
        None if text.len() > 1 && text.starts_with('0') => {
            return Err("with a zero in front it could be octal");
        }
        None => (text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err("write it in decimal, or in hexadecimal behind 0x");
    }
    Ok(u32::from_str_radix(digits, radix).ok())
}
