//! Where entries lie: slots taken and given back, buckets turned to them.

use super::hash::Home;
use super::memory::{BlockMemory, Bucket};
use super::shape::KeyWord;
use super::table::{count, index_of, low_half, slot_word};
use crate::word::{Word, publish};

impl BlockMemory<'_> {
    /// Turns a bucket to an entry: its first one, its second one, or one of them after an entry has
    /// moved over.
    pub(super) fn link(&self, home: &Home, index: u32) -> bool {
        let (Some(first), Some(second)) = (self.bucket(home.first), self.bucket(home.second))
        else {
            return false;
        };
        let word = slot_word(home.fingerprint, index);
        if let Some(slot) = first.room(home.fingerprint) {
            slot.store(word);
            return true;
        }
        let is_other = home.first != home.second;
        if is_other && let Some(slot) = second.room(home.fingerprint) {
            first.elsewhere.add(1);
            publish();
            slot.store(word);
            return true;
        }
        if let Some(slot) = self.make_room(home.first, home.fingerprint) {
            slot.store(word);
            return true;
        }
        if is_other && let Some(slot) = self.make_room(home.second, home.fingerprint) {
            first.elsewhere.add(1);
            publish();
            slot.store(word);
            return true;
        }
        false
    }

    /// Moves an entry from its first bucket to its second one. Never back: whoever has looked in vain
    /// in the first bucket finds it in the second one.
    fn make_room(&self, number: u32, fingerprint: u64) -> Option<&Word> {
        let bucket = self.bucket(number)?;
        if bucket.holds(fingerprint) {
            return None;
        }
        bucket.slots.iter().find(|slot| {
            let word = slot.load();
            let Some(resident) = index_of(word).and_then(|index| self.slot(index)) else {
                return false;
            };
            let key = KeyWord(resident.key.load()).key();
            let home = Home::of(self.control, resident.address_words(), key);
            if home.first != number || home.second == number {
                return false;
            }
            let Some(room) = self
                .bucket(home.second)
                .and_then(|second| second.room(home.fingerprint))
            else {
                return false;
            };
            bucket.elsewhere.add(1);
            publish();
            room.store(word);
            publish();
            slot.store(0);
            true
        })
    }

    /// A free slot, the one that has rested longest.
    pub(super) fn take_slot(&self) -> Option<u32> {
        let control = self.control;
        let fresh = control.high_water.load();
        if fresh < count(self.entries.len()) {
            control.high_water.store(fresh + 1);
            return Some(low_half(fresh));
        }
        let index = index_of(control.free_first.load())?;
        let next = self.asides.get(index as usize)?.rate.load();
        control.free_first.store(next);
        if next == 0 {
            control.free_last.store(0);
        }
        Some(index)
    }

    pub(super) fn free_slot(&self, index: u32) {
        let Some(aside) = self.asides.get(index as usize) else {
            return;
        };
        aside.rate.store(0);
        let (control, this) = (self.control, u64::from(index) + 1);
        let last =
            index_of(control.free_last.load()).and_then(|last| self.asides.get(last as usize));
        match last {
            Some(last) => last.rate.store(this),
            None => control.free_first.store(this),
        }
        control.free_last.store(this);
    }
}

impl Bucket {
    /// A free slot; `None` as well when another entry has the same fingerprint.
    pub(super) fn room(&self, fingerprint: u64) -> Option<&Word> {
        if self.holds(fingerprint) {
            return None;
        }
        self.slots.iter().find(|slot| slot.load() == 0)
    }

    fn holds(&self, fingerprint: u64) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.load() >> 32 == fingerprint >> 32)
    }
}
