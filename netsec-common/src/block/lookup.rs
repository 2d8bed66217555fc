//! Finding the entry that decides on a packet.

use super::entry::List;
use super::hash::Home;
use super::memory::{BlockControl, BlockTable, Bucket};
use super::shape::{Consequence, KeyBits, KeyWord, SHAPES_MAX, Subject, list_number, masked};
use crate::word::{observe, opaque};

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
    expired: impl FnMut(),
) -> Probe {
    decisive_of::<T, SHAPES_MAX>(table, control, list, subject, levels, expired)
}

/// The same among the first `N` shapes; `expired` is also called when there may be more.
///
/// One word all the way: an `Option` of several would have parts that the compiler leaves undefined
/// and spills all the same, which the verifier refuses.
#[inline(always)]
pub(super) fn decisive_of<T: BlockTable, const N: usize>(
    table: &T,
    control: &BlockControl,
    list: List,
    subject: &Subject,
    levels: u64,
    mut expired: impl FnMut(),
) -> Probe {
    let number = list_number(list, subject.is_v4());
    let mut copy = control.active_copy(number);
    if N < SHAPES_MAX {
        // The compiler makes something else of a short loop.
        copy = opaque(copy);
    }
    for index in 0..N {
        let shape = control.shape(number, copy, index);
        if shape.0 == 0 {
            return Probe::NOTHING;
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
        if probe.is_live() {
            return probe;
        }
    }
    if N < SHAPES_MAX {
        expired();
    }
    Probe::NOTHING
}

/// What is at a key: one word, so that it can be returned by a function of the kernel side.
///
/// The entry's index plus one in the low half; above, its consequence, or that it has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe(u64);

impl Probe {
    /// Nothing.
    pub const NOTHING: Self = Self(0);

    const INDEX: u64 = 0xffff_ffff;
    const EXPIRED: u64 = 1 << 40;
    const CONSEQUENCE_SHIFT: u32 = 32;

    const fn live(index: u32, consequence: Consequence) -> Self {
        Self((index as u64 + 1) | (consequence as u64) << Self::CONSEQUENCE_SHIFT)
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

    #[inline(always)]
    const fn is_expired(self) -> bool {
        self.0 & Self::EXPIRED != 0
    }

    /// Whether there is an entry that has not expired.
    #[inline(always)]
    pub(super) const fn is_live(self) -> bool {
        self.0 & Self::INDEX != 0
    }

    /// Index of the entry plus one; zero for none.
    #[inline(always)]
    pub(super) const fn index_plus_one(self) -> u64 {
        self.0 & Self::INDEX
    }

    /// Index of the entry, of no meaning when there is none.
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    #[inline(always)]
    pub(super) const fn index(self) -> u32 {
        (self.0 as u32).wrapping_sub(1)
    }

    #[inline(always)]
    pub(super) const fn is_rate_limit(self) -> bool {
        self.0 >> Self::CONSEQUENCE_SHIFT == Consequence::RateLimit as u64
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
