//! The filter: which networks surely hold nothing that is listed as blocked.
//!
//! | words | a bit stands for | set by prefixes of length |
//! |---|---|---|
//! | 2¹⁸ | an IPv4 /24 | 16 to 32: up to 256 bits |
//! | 2¹⁸ | a hash value of an IPv6 /48 or /32 | 48 to 128, or 32 to 47 |
//! | 1024 | an IPv4 /16 | 0 to 15: up to 2¹⁶ bits |
//! | 1024 | the first 16 bits of an IPv6 address | 0 to 31: up to 2¹⁶ bits |
//! | 1024 | an IPv4 /16, outline of the first part | 16 to 32: one bit |
//!
//! Parts with no bit set are not looked at. The outline has 8 KiB, which stay in the CPU's cache: with up
//! to some thousands of entries it clears most packets, and the 2 MiB of the first part are not touched.

use super::hash::place;
use super::memory::{BlockControl, BlockTable};
use super::prefix::Prefix;
use super::shape::Subject;
use crate::word::Word;

/// Parts of the filter, one bit each.
pub(super) mod level {
    pub(in super::super) const V4: u64 = 1;
    pub(in super::super) const V4_SHORT: u64 = 1 << 1;
    pub(in super::super) const V6: u64 = 1 << 2;
    pub(in super::super) const V6_MIDDLE: u64 = 1 << 3;
    pub(in super::super) const V6_SHORT: u64 = 1 << 4;
    /// All of them.
    pub(in super::super) const ALL: u64 = (1 << 5) - 1;
}

const V6_START: u64 = 1 << 24;
const V4_SHORT_START: u64 = 1 << 25;
const V6_SHORT_START: u64 = V4_SHORT_START + (1 << 16);
const V4_OUTLINE_START: u64 = V6_SHORT_START + (1 << 16);

/// The part of the filter that says something about a prefix.
pub(super) const fn level_of(prefix: Prefix) -> u64 {
    match (prefix.is_v4(), prefix.length()) {
        (true, 16..) => level::V4,
        (true, _) => level::V4_SHORT,
        (false, 48..) => level::V6,
        (false, 32..=47) => level::V6_MIDDLE,
        (false, _) => level::V6_SHORT,
    }
}

/// The parts of the filter in which a packet meets a bit: zero when no block can match it.
#[inline(always)]
pub(super) fn met<T: BlockTable>(table: &T, control: &BlockControl, subject: &Subject) -> u64 {
    let levels = control.levels.load();
    let mut met = 0;
    if subject.is_v4() {
        let address = subject.low & 0xffff_ffff;
        if levels & level::V4 != 0 && test(table, V4_OUTLINE_START + (address >> 16), 1) != 0 {
            met |= test(table, address >> 8, level::V4);
        }
        if levels & level::V4_SHORT != 0 {
            met |= test(table, V4_SHORT_START + (address >> 16), level::V4_SHORT);
        }
        return met;
    }
    if levels & level::V6 != 0 {
        met |= test(
            table,
            V6_START + place(control, subject.high, 48),
            level::V6,
        );
    }
    if levels & level::V6_MIDDLE != 0 {
        let place = place(control, subject.high, 32);
        met |= test(table, V6_START + place, level::V6_MIDDLE);
    }
    if levels & level::V6_SHORT != 0 {
        met |= test(
            table,
            V6_SHORT_START + (subject.high >> 48),
            level::V6_SHORT,
        );
    }
    met
}

#[expect(clippy::cast_possible_truncation, reason = "a bit number is under 2²⁶")]
#[inline(always)]
fn test<T: BlockTable>(table: &T, bit: u64, level: u64) -> u64 {
    let word = table.filter((bit >> 6) as u32).map_or(0, Word::load);
    (word >> (bit & 63) & 1) * level
}

/// Shows each word in which a prefix sets bits, and which: the outline last.
pub(super) fn marks(control: &BlockControl, prefix: Prefix, mut each: impl FnMut(usize, u64)) {
    let (first, many) = bits(control, prefix);
    words(first, many, &mut each);
    if level_of(prefix) == level::V4 {
        let [_, low] = prefix.halves();
        words(V4_OUTLINE_START + ((low & 0xffff_ffff) >> 16), 1, each);
    }
}

/// The bits that a prefix sets in its part: the first, and how many in a row.
fn bits(control: &BlockControl, prefix: Prefix) -> (u64, u64) {
    let [high, low] = prefix.halves();
    let v4_address = low & 0xffff_ffff;
    let (length, level) = (u32::from(prefix.length()), level_of(prefix));
    match level {
        level::V4 => (v4_address >> 8, 1 << 24_u32.saturating_sub(length)),
        level::V4_SHORT => (
            V4_SHORT_START + (v4_address >> 16),
            1 << 16_u32.saturating_sub(length),
        ),
        level::V6 => (V6_START + place(control, high, 48), 1),
        level::V6_MIDDLE => (V6_START + place(control, high, 32), 1),
        _ => (
            V6_SHORT_START + (high >> 48),
            1 << 16_u32.saturating_sub(length),
        ),
    }
}

/// Shows each word that holds some of `count` bits in a row, and its part of them.
fn words(first: u64, count: u64, mut each: impl FnMut(usize, u64)) {
    let (mut bit, end) = (first, first.saturating_add(count));
    while bit < end {
        let in_word = bit & 63;
        let here = (64 - in_word).min(end - bit);
        let mask = u64::MAX >> (64 - here) << in_word;
        each(usize::try_from(bit >> 6).unwrap_or(usize::MAX), mask);
        bit += here;
    }
}
