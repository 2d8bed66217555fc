//! A flow table read by difference.
//!
//! The engine's slots hold counts since the slot was opened. The reader remembers what it saw of
//! each slot and delivers what is new, so it never writes to the table and needs no system call
//! per flow. A slot that changed hands leaves its last counts in the record ring; by slot index and
//! generation the reader subtracts what it had read of them already.

use netsec_common::flow::{EndReason, FlowRecord, FlowSet, SlotSnapshot, WAYS};
use netsec_common::packet::FlowKey;
use netsec_common::ticks::Ticks;

use crate::event::FlowDelta;
use crate::hook::HookId;
use crate::time::WallTime;

/// Attempts to read a slot between two packets before it is left for the next reading.
const SNAPSHOT_TRIES: u32 = 16;

/// What one flow counted since the last reading, in the engine's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The flow.
    pub key: FlowKey,
    /// First packet since the slot was opened.
    pub first: Ticks,
    /// Last packet.
    pub last: Ticks,
    /// New packets.
    pub packets: u64,
    /// New bytes.
    pub bytes: u64,
    /// All TCP flags since the slot was opened.
    pub tcp_flags: u8,
    /// TCP flags of the packet that opened the slot.
    pub first_tcp_flags: u8,
    /// Nothing of this flow had been read before.
    pub opened: bool,
    /// The flow left its slot.
    pub ended: Option<EndReason>,
}

impl Change {
    /// The change in wall time, given how to convert.
    pub fn to_delta(&self, hook: HookId, wall: impl Fn(Ticks) -> WallTime) -> FlowDelta {
        FlowDelta {
            hook,
            key: self.key,
            first: wall(self.first),
            last: wall(self.last),
            packets: self.packets,
            bytes: self.bytes,
            tcp_flags: self.tcp_flags,
            first_tcp_flags: self.first_tcp_flags,
            opened: self.opened,
            ended: self.ended,
        }
    }
}

/// What was read of a slot so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    bytes: u64,
    packets: u32,
    generation: u16,
    /// The record of this generation was taken: the flow has left the slot, or is about to.
    left: bool,
}

/// Reads one flow table by difference. 16 bytes a slot.
#[derive(Debug)]
pub struct DeltaReader {
    seen: Vec<Seen>,
    /// Slots that changed hands before the records of their former flows were read.
    pending: Vec<(usize, SlotSnapshot)>,
    torn_reads: u64,
}

impl DeltaReader {
    /// A reader of a table of `sets` sets, all of them free.
    #[must_use]
    pub fn new(sets: usize) -> Self {
        Self {
            seen: vec![Seen::default(); sets * WAYS],
            pending: Vec::new(),
            torn_reads: 0,
        }
    }

    /// Slots that could not be read between two packets. They are read next time.
    #[must_use]
    pub const fn torn_reads(&self) -> u64 {
        self.torn_reads
    }

    /// Reads the sets, and takes the records that left the table up to the end of the scan.
    ///
    /// `records` is asked after the scan: a record leaves before its slot changes, so the record
    /// of every flow that the scan did not find any more is in the ring by then.
    pub fn read<'a, S>(
        &mut self,
        sets: S,
        records: impl FnOnce(&mut dyn FnMut(&FlowRecord)),
        deliver: &mut dyn FnMut(&Change),
    ) where
        S: Iterator<Item = (usize, &'a FlowSet)>,
    {
        for (index, set) in sets {
            for (way, slot) in set.ways.iter().enumerate() {
                let index = index * WAYS + way;
                let Some(seen) = self.seen.get(index) else {
                    continue;
                };
                if slot.is_unchanged(seen.bytes, seen.packets, seen.generation) {
                    continue;
                }
                match slot.snapshot(SNAPSHOT_TRIES) {
                    Ok(Some(snapshot)) => self.scanned(index, &snapshot, deliver),
                    Ok(None) => {}
                    Err(_) => self.torn_reads += 1,
                }
            }
        }
        records(&mut |record| self.record(record, deliver));
        for (index, snapshot) in std::mem::take(&mut self.pending) {
            if !self.has_left(index, snapshot.counts.generation) {
                self.current(index, &snapshot, deliver);
            }
        }
    }

    /// Delivers a changed slot at once when no record can be outstanding, else after the records.
    fn scanned(&mut self, index: usize, now: &SlotSnapshot, deliver: &mut dyn FnMut(&Change)) {
        let Some(seen) = self.seen.get(index) else {
            return;
        };
        let generation = now.counts.generation;
        let settled = if seen.packets == 0 {
            generation == seen.generation.wrapping_add(1)
        } else {
            generation == seen.generation
        };
        if settled {
            self.current(index, now, deliver);
        } else {
            self.pending.push((index, *now));
        }
    }

    /// Whether a flow that the scan found in a slot has been delivered with its record: it left
    /// between the scan and the reading of the ring, or its record was read before the slot changed.
    ///
    /// A slot that changes hands 2¹⁵ times with all records lost can look so as well. Its flow is
    /// then delivered by a later reading, or with its record.
    fn has_left(&self, index: usize, generation: u16) -> bool {
        self.seen.get(index).is_some_and(|seen| {
            seen.left && seen.generation.wrapping_sub(generation).cast_signed() >= 0
        })
    }

    fn current(&mut self, index: usize, now: &SlotSnapshot, deliver: &mut dyn FnMut(&Change)) {
        let Some(seen) = self.seen.get_mut(index) else {
            return;
        };
        let counts = &now.counts;
        let old = seen.of(counts.generation);
        *seen = Seen {
            bytes: counts.bytes,
            packets: counts.packets,
            generation: counts.generation,
            left: false,
        };
        if counts.packets == old.packets {
            return;
        }
        deliver(&Change {
            key: now.key,
            first: counts.first,
            last: counts.last,
            packets: u64::from(counts.packets.wrapping_sub(old.packets)),
            bytes: counts.bytes.wrapping_sub(old.bytes),
            tcp_flags: counts.tcp_flags,
            first_tcp_flags: counts.first_tcp_flags,
            opened: old.packets == 0,
            ended: None,
        });
    }

    /// Takes one record of a flow that left its slot, at any time.
    pub fn record(&mut self, record: &FlowRecord, deliver: &mut dyn FnMut(&Change)) {
        let Some(seen) = self.seen.get_mut(record.slot as usize) else {
            return;
        };
        let old = seen.of(record.generation);
        // Nothing of the slot's next flow was read yet.
        *seen = Seen {
            generation: record.generation,
            left: true,
            ..Seen::default()
        };
        deliver(&Change {
            key: record.key,
            first: record.first,
            last: record.last,
            packets: u64::from(record.packets.wrapping_sub(old.packets)),
            bytes: record.bytes.wrapping_sub(old.bytes),
            tcp_flags: record.tcp_flags,
            first_tcp_flags: record.first_tcp_flags,
            opened: old.packets == 0,
            ended: EndReason::from_abi(record.reason),
        });
    }
}

impl Seen {
    /// What was read of the flow that held the slot in this generation.
    fn of(&self, generation: u16) -> Self {
        if self.generation == generation {
            *self
        } else {
            Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
