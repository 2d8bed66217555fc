//! Finding the entry that decides on a packet.

use super::entry::List;
use super::hash::Home;
use super::memory::{BlockControl, BlockTable, Bucket};
use super::shape::{Consequence, KeyBits, KeyWord, SHAPES_MAX, Subject, list_number, masked};
use crate::word::observe;

/// An entry that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) index: u32,
    pub(super) consequence: Consequence,
}

/// The live entry of a list with the longest prefix that matches, and of that the narrowest.
///
/// `levels` are the parts of the filter that the packet met. `expired` is called for each entry that
/// would have matched.
#[inline(always)]
pub(super) fn decisive<T: BlockTable>(
    table: &T,
    control: &BlockControl,
    list: List,
    subject: &Subject,
    levels: u64,
    mut expired: impl FnMut(),
) -> Option<Found> {
    let number = list_number(list, subject.is_v4());
    let copy = control.active_copy(number);
    for index in 0..SHAPES_MAX {
        let shape = control.shape(number, copy, index);
        if shape.0 == 0 {
            return None;
        }
        if !shape.is_among(levels) {
            continue;
        }
        let Some(key) = subject.key_of(list, shape) else {
            continue;
        };
        let probe = table.probe([subject.high, subject.low], key.0);
        if probe.is_expired() {
            expired();
        }
        if let Some(found) = probe.found() {
            return Some(found);
        }
    }
    None
}

/// What is at a key: one word, so that it can be returned by a function of the kernel side.
///
/// The entry's index plus one in the low half; above, its consequence, or that it has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe(u64);

impl Probe {
    /// Nothing.
    pub const NOTHING: Self = Self(0);

    const EXPIRED: u64 = 1 << 40;
    const CONSEQUENCE_SHIFT: u32 = 32;

    const fn live(index: u32, consequence: Consequence) -> Self {
        Self(index as u64 + 1 | (consequence as u64) << Self::CONSEQUENCE_SHIFT)
    }

    /// From [`Self::to_word`].
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    const fn is_expired(self) -> bool {
        self.0 & Self::EXPIRED != 0
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    #[inline(always)]
    fn found(self) -> Option<Found> {
        Some(Found {
            index: (self.0 as u32).checked_sub(1)?,
            consequence: Consequence::from_number(self.0 >> Self::CONSEQUENCE_SHIFT)?,
        })
    }
}

/// Looks for the entry of a key whose prefix holds an address.
#[inline(always)]
pub fn probe<T: BlockTable>(table: &T, address: [u64; 2], key: u64) -> Probe {
    let (Some(control), key) = (table.control(), KeyBits(key)) else {
        return Probe::NOTHING;
    };
    let address = masked(address, key);
    let Some((index, word, expires)) = exact(table, control, address, key) else {
        return Probe::NOTHING;
    };
    if expires != 0 && table.now().0 >= expires {
        return Probe(Probe::EXPIRED);
    }
    match word.consequence() {
        Some(consequence) => Probe::live(index, consequence),
        None => Probe::NOTHING,
    }
}

/// The entry of a key: index, key word, and when it ends.
#[inline(always)]
pub(super) fn exact<T: BlockTable>(
    table: &T,
    control: &BlockControl,
    address: [u64; 2],
    key: KeyBits,
) -> Option<(u32, KeyWord, u64)> {
    let home = Home::of(control, address, key);
    let first = table.bucket(home.first)?;
    if let Some(index) = first.find(home.fingerprint)
        && let Some((word, expires)) = read(table, index, address, key)
    {
        return Some((index, word, expires));
    }
    // After the slots: an entry that has just moved over is counted before it leaves its slot.
    observe();
    if first.elsewhere.load() == 0 {
        return None;
    }
    let index = table.bucket(home.second)?.find(home.fingerprint)?;
    let (word, expires) = read(table, index, address, key)?;
    Some((index, word, expires))
}

impl Bucket {
    /// Index of the entry with this fingerprint.
    ///
    /// Without branches, for the verifier. The fingerprints of a bucket differ, so at most one is found.
    #[expect(clippy::cast_possible_truncation, reason = "the low half of the slot")]
    #[inline(always)]
    fn find(&self, fingerprint: u64) -> Option<u32> {
        let mut found = 0;
        for slot in &self.slots {
            let slot = slot.load();
            let difference = slot >> 32 ^ fingerprint >> 32;
            // All ones when the difference is zero: only then does the subtraction borrow.
            let is_it = difference.wrapping_sub(1) >> 63;
            found |= slot & 0xffff_ffff & 0_u64.wrapping_sub(is_it);
        }
        (found as u32).checked_sub(1)
    }
}

/// Key word and end of the entry, if it has this key; both as they were at one moment.
#[inline(always)]
fn read<T: BlockTable>(
    table: &T,
    index: u32,
    address: [u64; 2],
    key: KeyBits,
) -> Option<(KeyWord, u64)> {
    let entry = table.entry(index)?;
    let before = entry.key.load();
    observe();
    let [high, low] = &entry.address;
    let [wanted_high, wanted_low] = address;
    let expires = entry.expires.load();
    let differs = (high.load() ^ wanted_high) | (low.load() ^ wanted_low);
    observe();
    let changed = entry.key.load() ^ before;
    let is_it = differs | changed | (KeyWord(before).key().0 ^ key.0);
    (is_it == 0).then_some((KeyWord(before), expires))
}
