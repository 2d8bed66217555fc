//! Writing a table while others read it.

use super::entry::{Action, BlockCounters, BlockEntry, BlockKey, BlockTime, List};
use super::filter::{level, level_of, marks};
use super::hash::Home;
use super::lookup::{decisive, exact};
use super::memory::{BlockMemory, Bucket, EntrySlot, LAYOUT, SPARE_SLOTS};
use super::prefix::Prefix;
use super::shape::{KeyBits, KeyWord, Shape, Subject};
use crate::word::{Word, publish};

/// What an insert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// There was no such entry.
    New,
    /// There was one. With the same decision it goes on counting, else it begins anew.
    Replaced,
}

/// Why an entry was not inserted. Nothing has changed then but the count of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many entries as the table can hold, or no room in the buckets of this one.
    Full,
    /// [`SHAPES_MAX`](super::SHAPES_MAX) shapes of its family are on its list, and it has another.
    Shapes,
}

/// Where an entry lies.
pub(super) struct Place<'a> {
    pub(super) index: u32,
    slot: &'a Word,
    /// Whether that is in its second bucket.
    is_second: bool,
}

impl BlockMemory<'_> {
    /// Makes an empty table of zeroed memory. The hash keys are to be random.
    pub fn create(&self, hash_keys: [u64; 4]) {
        let buckets = u64::try_from(self.buckets.len()).unwrap_or_default();
        let slots = u64::try_from(self.entries.len()).unwrap_or_default();
        let control = self.control;
        control.bucket_mask.store(buckets.saturating_sub(1));
        control
            .capacity
            .store(slots.saturating_sub(SPARE_SLOTS.into()));
        for (word, key) in control.hash_keys.iter().zip(hash_keys) {
            // Odd, so that a product loses no bit.
            word.store(key | 1);
        }
        publish();
        control.layout.store(LAYOUT);
    }

    /// Whether the memory holds a table of this layout and these sizes.
    #[must_use]
    pub fn is_table(&self) -> bool {
        let control = self.control;
        control.layout.load() == LAYOUT
            && count(self.buckets.len()) == control.bucket_mask.load().wrapping_add(1)
            && count(self.entries.len()) == control.capacity.load() + u64::from(SPARE_SLOTS)
            && self.asides.len() == self.entries.len()
    }

    /// What the memory says of its layout, for a message.
    #[must_use]
    pub fn layout(&self) -> u64 {
        self.control.layout.load()
    }

    /// Most entries.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        low_half(self.control.capacity.load())
    }

    /// Entries, expired ones included.
    #[must_use]
    pub fn used(&self) -> u32 {
        low_half(self.control.used.load())
    }

    /// Inserts that were refused since the table was made.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.control.refused.load()
    }

    /// Inserts an entry, or replaces the one of the same key. It holds from the next packet on; a
    /// packet that comes while an entry is replaced meets the old one or the new one.
    ///
    /// # Errors
    ///
    /// [`Refusal`], counted.
    pub fn insert(&self, entry: &BlockEntry) -> Result<Insertion, Refusal> {
        let refused = |refusal| {
            self.control.refused.add(1);
            Err(refusal)
        };
        let (address, key) = parts(&entry.key);
        let home = Home::of(self.control, address, key);
        if let Some(place) = self.place(&home, address, key) {
            return match self.replace(&place, entry) {
                Some(()) => Ok(Insertion::Replaced),
                None => refused(Refusal::Full),
            };
        }
        if self.control.used.load() >= self.control.capacity.load() {
            return refused(Refusal::Full);
        }
        if !self.add_shape(entry.key.list, entry.key.prefix, Shape::of(&entry.key)) {
            return refused(Refusal::Shapes);
        }
        let Some(index) = self.take_slot() else {
            return refused(Refusal::Full);
        };
        self.fill(index, entry, &BlockCounters::default());
        if !self.link(&home, index) {
            self.free_slot(index);
            return refused(Refusal::Full);
        }
        self.control.used.add(1);
        if entry.key.list == List::Block {
            self.mark(entry.key.prefix);
        }
        Ok(Insertion::New)
    }

    /// Removes an entry, and gives what it was and did.
    pub fn remove(&self, key: &BlockKey) -> Option<(BlockEntry, BlockCounters)> {
        let (address, bits) = parts(key);
        let home = Home::of(self.control, address, bits);
        let place = self.place(&home, address, bits)?;
        place.slot.store(0);
        publish();
        if place.is_second
            && let Some(first) = self.bucket(home.first)
        {
            first
                .elsewhere
                .store(first.elsewhere.load().wrapping_sub(1));
        }
        let removed = self.state(place.index);
        self.free_slot(place.index);
        let control = self.control;
        control.used.store(control.used.load().wrapping_sub(1));
        control.stale.add(1);
        removed
    }

    /// The entry of a key, live or expired.
    #[must_use]
    pub fn get(&self, key: &BlockKey) -> Option<(BlockEntry, BlockCounters)> {
        let (address, bits) = parts(key);
        let table = self.at(BlockTime(0));
        let (index, ..) = exact(&table, self.control, address, bits)?;
        self.state(index)
    }

    /// The live entry of a list that decides on packets of a source: longest prefix, then narrowest.
    #[must_use]
    pub fn decisive(
        &self,
        list: List,
        source: Prefix,
        protocol: Option<u8>,
        port: Option<u16>,
        now: BlockTime,
    ) -> Option<(BlockEntry, BlockCounters)> {
        let subject = Subject::from_parts(source, protocol, port);
        let table = self.at(now);
        let found = decisive(&table, self.control, list, &subject, level::ALL, || ());
        self.state(index_of(found.index_plus_one())?)
    }

    /// Every entry, live or expired, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = (BlockEntry, BlockCounters)> + '_ {
        self.slots()
            .filter_map(|(_, slot)| self.state(index_of(slot.load())?))
    }

    /// The entries in part number `part` of `parts` parts of about the same size.
    pub fn entries_of_part(
        &self,
        part: usize,
        parts: usize,
    ) -> impl Iterator<Item = (BlockEntry, BlockCounters)> + '_ {
        let length = self.buckets.len().div_ceil(parts.max(1));
        let buckets = self.buckets.iter().skip(part.saturating_mul(length));
        let slots = buckets.take(length).flat_map(|bucket| &bucket.slots);
        slots.filter_map(|slot| self.state(index_of(slot.load())?))
    }

    /// The slots of all buckets, each with its bucket's number.
    pub(super) fn slots(&self) -> impl Iterator<Item = (usize, &Word)> {
        let buckets = self.buckets.iter().enumerate();
        buckets.flat_map(|(number, bucket)| bucket.slots.iter().map(move |slot| (number, slot)))
    }

    /// An entry as it stands; `None` while it is being changed.
    pub(super) fn state(&self, index: u32) -> Option<(BlockEntry, BlockCounters)> {
        let (slot, aside) = (self.slot(index)?, self.asides.get(index as usize)?);
        let word = KeyWord(slot.key.load());
        word.consequence()?;
        let key = word.block_key(slot.address_words());
        let time = |word: &Word| Some(BlockTime(word.load())).filter(|time| time.0 != 0);
        let entry = BlockEntry {
            key,
            action: word.action(low_half(aside.rate.load())),
            decision_id: slot.decision_id.load(),
            expires: time(&slot.expires),
        };
        let counters = BlockCounters {
            packets: slot.packets.load(),
            bytes: slot.bytes.load(),
            first: time(&aside.first),
            last: time(&slot.last),
        };
        Some((entry, counters))
    }

    fn place(&self, home: &Home, address: [u64; 2], key: KeyBits) -> Option<Place<'_>> {
        let holds = |word: u64| {
            // Before the entry itself, which is a line of memory of its own.
            if word >> 32 != home.fingerprint >> 32 {
                return None;
            }
            let index = index_of(word)?;
            let slot = self.slot(index)?;
            let is_it = slot.address_words() == address && KeyWord(slot.key.load()).key() == key;
            is_it.then_some(index)
        };
        [(home.first, false), (home.second, true)]
            .into_iter()
            .find_map(|(bucket, is_second)| {
                self.bucket(bucket)?.slots.iter().find_map(|slot| {
                    let index = holds(slot.load())?;
                    Some(Place {
                        index,
                        slot,
                        is_second,
                    })
                })
            })
    }

    /// The end of an entry alone is one word; anything else gets a slot of its own, to which the
    /// bucket then turns in one store.
    fn replace(&self, place: &Place<'_>, entry: &BlockEntry) -> Option<()> {
        let (old, counters) = self.state(place.index)?;
        if old.action == entry.action && old.decision_id == entry.decision_id {
            self.slot(place.index)?.expires.store(expires_word(entry));
            return Some(());
        }
        let index = self.take_slot()?;
        let counters = if old.decision_id == entry.decision_id {
            counters
        } else {
            BlockCounters::default()
        };
        self.fill(index, entry, &counters);
        let fingerprint = place.slot.load() >> 32 << 32;
        place.slot.store(slot_word(fingerprint, index));
        publish();
        self.free_slot(place.index);
        Some(())
    }

    fn fill(&self, index: u32, entry: &BlockEntry, counters: &BlockCounters) {
        let (Some(slot), Some(aside)) = (self.slot(index), self.asides.get(index as usize)) else {
            return;
        };
        let old = KeyWord(slot.key.load());
        slot.key.store(old.in_change().0);
        publish();
        let (address, key) = parts(&entry.key);
        for (word, half) in slot.address.iter().zip(address) {
            word.store(half);
        }
        slot.decision_id.store(entry.decision_id);
        slot.expires.store(expires_word(entry));
        slot.packets.store(counters.packets);
        slot.bytes.store(counters.bytes);
        slot.last.store(counters.last.unwrap_or_default().0);
        aside.first.store(counters.first.unwrap_or_default().0);
        aside.rate.store(match entry.action {
            Action::Drop => 0,
            Action::RateLimit { packets_per_s } => packets_per_s.into(),
        });
        aside.ahead.store(0);
        publish();
        let word = KeyWord::new(key, entry.key.list, entry.action, old);
        slot.key.store(word.0);
        publish();
    }

    fn mark(&self, prefix: Prefix) {
        marks(self.control, prefix, |index, mask| {
            if let Some(word) = self.filter.get(index) {
                word.store(word.load() | mask);
            }
        });
        publish();
        let levels = &self.control.levels;
        levels.store(levels.load() | level_of(prefix));
    }

    pub(super) fn slot(&self, index: u32) -> Option<&EntrySlot> {
        self.entries.get(index as usize)
    }

    pub(super) fn bucket(&self, number: u32) -> Option<&Bucket> {
        self.buckets.get(number as usize)
    }
}

impl EntrySlot {
    pub(super) fn address_words(&self) -> [u64; 2] {
        let [high, low] = &self.address;
        [high.load(), low.load()]
    }
}

/// Address and key bits.
fn parts(key: &BlockKey) -> ([u64; 2], KeyBits) {
    (key.prefix.halves(), KeyBits::of(key))
}

fn expires_word(entry: &BlockEntry) -> u64 {
    entry.expires.unwrap_or_default().0
}

pub(super) fn slot_word(fingerprint: u64, index: u32) -> u64 {
    fingerprint | (u64::from(index) + 1)
}

/// The index in the low half of a word that holds it plus one.
pub(super) fn index_of(word: u64) -> Option<u32> {
    low_half(word).checked_sub(1)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half is what is asked for"
)]
pub(super) const fn low_half(word: u64) -> u32 {
    word as u32
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
