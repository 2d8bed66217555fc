//! Making filter and shapes anew, and bringing a table in order that its writer left half-way.

use super::entry::List;
use super::filter::{level_of, marks};
use super::hash::Home;
use super::memory::{BlockMemory, FILTER_WORDS};
use super::prefix::Prefix;
use super::shape::{KeyWord, SHAPES_MAX, Shape, list_number};
use super::table::{count, index_of};
use crate::word::publish;

impl BlockMemory<'_> {
    /// Words of scratch memory that [`Self::tidy`] and [`Self::recover`] need.
    #[must_use]
    pub fn scratch_words(&self) -> usize {
        (FILTER_WORDS as usize)
            .max(self.buckets.len())
            .max(self.entries.len().div_ceil(64))
    }

    /// Whether so many entries were removed that filter and shapes say "maybe" too often.
    #[must_use]
    pub fn is_untidy(&self) -> bool {
        let (stale, used) = (self.control.stale.load(), self.control.used.load());
        stale > (used / 2).max(1024) || stale != 0 && used == 0
    }

    /// Makes filter and shapes anew from the entries. Readers see no live entry missing meanwhile.
    pub fn tidy(&self, scratch: &mut [u64]) {
        scratch.fill(0);
        let mut levels = 0;
        let mut shapes = [[Shape(0); SHAPES_MAX]; 4];
        for (entry, _) in self.entries() {
            let (list, prefix) = (entry.key.list, entry.key.prefix);
            if let Some(shapes) = shapes.get_mut(list_number(list, prefix.is_v4())) {
                insert_sorted(shapes, Shape::of(&entry.key));
            }
            if list == List::Allow {
                continue;
            }
            levels |= level_of(prefix);
            marks(self.control, prefix, |index, mask| {
                if let Some(word) = scratch.get_mut(index) {
                    *word |= mask;
                }
            });
        }
        for (number, shapes) in shapes.iter().enumerate() {
            self.turn_to_shapes(number, shapes);
        }
        for (word, value) in self.filter.iter().zip(scratch) {
            if word.load() != *value {
                word.store(*value);
            }
        }
        publish();
        self.control.levels.store(levels);
        self.control.stale.store(0);
    }

    /// Adds a shape to those that packets are checked for; false when there is no room.
    pub(super) fn add_shape(&self, list: List, prefix: Prefix, shape: Shape) -> bool {
        let number = list_number(list, prefix.is_v4());
        let copy = self.control.active_copy(number);
        let mut shapes = [Shape(0); SHAPES_MAX];
        for (index, place) in shapes.iter_mut().enumerate() {
            *place = self.control.shape(number, copy, index);
            if *place == shape {
                return true;
            }
            if place.0 == 0 {
                break;
            }
        }
        if !insert_sorted(&mut shapes, shape) {
            return false;
        }
        self.turn_to_shapes(number, &shapes);
        true
    }

    /// Writes the copy that is not in use, the end first, and then turns to it.
    fn turn_to_shapes(&self, number: usize, shapes: &[Shape; SHAPES_MAX]) {
        let copy = 1 - self.control.active_copy(number);
        let copies = self.control.shapes.get(number);
        let Some(unused) = copies.and_then(|copies| copies.get(copy)) else {
            return;
        };
        for (word, shape) in unused.0.iter().zip(shapes).rev() {
            word.store(shape.0);
        }
        publish();
        let active = &self.control.active_shapes;
        active.store(active.load() ^ 1 << number);
    }

    /// Brings the table in order after its writer was killed in the middle of a change: an entry is in
    /// the table or not, none is there twice, and no slot is lost. Readers may go on meanwhile.
    pub fn recover(&self, scratch: &mut [u64]) {
        self.drop_doubles(scratch);
        let used = self.recount_elsewhere(scratch);
        self.requeue_free_slots(scratch);
        self.control.used.store(used);
        self.tidy(scratch);
    }

    /// An entry that was on its way to its second bucket is in both.
    fn drop_doubles(&self, scratch: &mut [u64]) {
        scratch.fill(0);
        for (_, slot) in self.slots() {
            let word = slot.load();
            if word == 0 {
                continue;
            }
            let index = index_of(word).filter(|index| self.state(*index).is_some());
            let is_new = index.is_some_and(|index| set(scratch, index));
            if !is_new {
                slot.store(0);
            }
        }
    }

    /// Counts anew for each bucket what had no room in it; gives the number of entries.
    fn recount_elsewhere(&self, scratch: &mut [u64]) -> u64 {
        scratch.fill(0);
        let mut used = 0;
        for (number, slot) in self.slots() {
            let Some(entry) = index_of(slot.load()).and_then(|index| self.slot(index)) else {
                continue;
            };
            used += 1;
            let key = KeyWord(entry.key.load()).key();
            let home = Home::of(self.control, entry.address_words(), key);
            if home.first as usize != number
                && let Some(elsewhere) = scratch.get_mut(home.first as usize)
            {
                *elsewhere += 1;
            }
        }
        for (bucket, elsewhere) in self.buckets.iter().zip(scratch) {
            bucket.elsewhere.store(*elsewhere);
        }
        used
    }

    fn requeue_free_slots(&self, scratch: &mut [u64]) {
        scratch.fill(0);
        for index in self.slots().filter_map(|(_, slot)| index_of(slot.load())) {
            set(scratch, index);
        }
        let control = self.control;
        control.free_first.store(0);
        control.free_last.store(0);
        control.high_water.store(count(self.entries.len()));
        for index in 0..u32::try_from(self.entries.len()).unwrap_or(u32::MAX) {
            if set(scratch, index) {
                self.free_slot(index);
            }
        }
    }
}

/// Sets a bit; false when it was set.
fn set(bits: &mut [u64], index: u32) -> bool {
    let Some(word) = bits.get_mut(index as usize / 64) else {
        return false;
    };
    let mask = 1 << (index % 64);
    let is_new = *word & mask == 0;
    *word |= mask;
    is_new
}

/// Puts a shape in its place; true also when it is there. False when there is no room.
fn insert_sorted(shapes: &mut [Shape; SHAPES_MAX], shape: Shape) -> bool {
    let place = shapes
        .iter()
        .position(|other| other.0 == 0 || other.rank() <= shape.rank());
    let Some(place) = place else {
        return false;
    };
    if shapes.get(place) == Some(&shape) {
        return true;
    }
    if shapes.last().is_some_and(|last| last.0 != 0) {
        return false;
    }
    if let Some(tail) = shapes.get_mut(place..) {
        tail.rotate_right(1);
        if let Some(first) = tail.first_mut() {
            *first = shape;
        }
    }
    true
}
