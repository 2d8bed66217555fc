//! Finding the entry that decides on a packet.

use super::entry::{BlockTime, List};
use super::hash::Home;
use super::memory::{BlockControl, BlockTable, Bucket, EntrySlot};
use super::shape::{Consequence, KeyBits, KeyWord, SHAPES_MAX, Subject, list_number};
use crate::word::observe;

/// An entry as it stood between two changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) index: u32,
    pub(super) entry: &'a EntrySlot,
    pub(super) consequence: Consequence,
    pub(super) decision_id: u64,
}

/// The live entry of a list with the longest prefix that matches, and of that the narrowest.
///
/// `levels` are the parts of the filter that the packet met. `expired` is called for each entry that
/// would have matched.
#[inline(always)]
pub(super) fn decisive<'a, T: BlockTable>(
    table: &'a T,
    control: &BlockControl,
    list: List,
    subject: &Subject,
    levels: u64,
    mut expired: impl FnMut(),
) -> Option<Found<'a>> {
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
        let Some((address, key)) = subject.key_of(list, shape) else {
            continue;
        };
        let Some((found, expires)) = exact(table, control, address, key) else {
            continue;
        };
        if expires.0 != 0 && table.now() >= expires {
            expired();
            continue;
        }
        return Some(found);
    }
    None
}

/// The entry of a key, and when it ends.
#[inline(always)]
pub(super) fn exact<'a, T: BlockTable>(
    table: &'a T,
    control: &BlockControl,
    address: [u64; 2],
    key: KeyBits,
) -> Option<(Found<'a>, BlockTime)> {
    let home = Home::of(control, address, key);
    let first = table.bucket(home.first)?;
    if let Some(index) = first.find(home.fingerprint)
        && let Some(found) = read(table, index, address, key)
    {
        return Some(found);
    }
    // After the slots: an entry that has just moved over is counted before it leaves its slot.
    observe();
    if first.elsewhere.load() == 0 {
        return None;
    }
    let index = table.bucket(home.second)?.find(home.fingerprint)?;
    read(table, index, address, key)
}

impl Bucket {
    /// Index of the entry with this fingerprint.
    #[expect(clippy::cast_possible_truncation, reason = "the low half of the slot")]
    #[inline(always)]
    pub(super) fn find(&self, fingerprint: u64) -> Option<u32> {
        for slot in &self.slots {
            let slot = slot.load();
            if slot ^ fingerprint <= 0xffff_ffff {
                return (slot as u32).checked_sub(1);
            }
        }
        None
    }
}

/// The entry, if it has this key; all of it as it was at one moment.
#[inline(always)]
fn read<T: BlockTable>(
    table: &T,
    index: u32,
    address: [u64; 2],
    key: KeyBits,
) -> Option<(Found<'_>, BlockTime)> {
    let entry = table.entry(index)?;
    let before = entry.key.load();
    observe();
    let [high, low] = &entry.address;
    if KeyWord(before).key() != key || [high.load(), low.load()] != address {
        return None;
    }
    let expires = BlockTime(entry.expires.load());
    let decision_id = entry.decision_id.load();
    observe();
    if entry.key.load() != before {
        return None;
    }
    let found = Found {
        index,
        entry,
        consequence: KeyWord(before).consequence()?,
        decision_id,
    };
    Some((found, expires))
}
