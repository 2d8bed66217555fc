//! One flow in one cache line, with a sequence number against torn reads.

use crate::packet::FlowKey;
use crate::ticks::Ticks;
use crate::word::{Word, observe, publish};

/// Slots per set.
pub const WAYS: usize = 4;

/// Four slots: what one hash value can land in.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct FlowSet {
    /// The slots, filled from the first on.
    pub ways: [FlowSlot; WAYS],
}

const _: () = assert!(size_of::<FlowSet>() == 256);

/// A flow and its counts in 64 bytes.
///
/// | word | holds |
/// |---|---|
/// | 0–4 | the flow key |
/// | 5 | bytes (48 bits), generation (16) |
/// | 6 | packets (32), sequence (16), TCP flags (8), first packet's TCP flags (8) |
/// | 7 | first packet, last packet (32-bit ticks each) |
///
/// The owner makes the sequence odd before it changes anything and even after. Zero packets means
/// the slot is free. Frames of up to 2¹⁶ bytes reach the limit of the packets first; longer ones, a
/// segmentation offload's or those a capture file claims, can reach that of the bytes.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct FlowSlot {
    words: [Word; 8],
}

const _: () = assert!(size_of::<FlowSlot>() == 64);

/// Most bytes a slot can count.
pub(super) const BYTES_MAX: u64 = (1 << 48) - 1;

/// A slot's contents at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotSnapshot {
    /// The flow.
    pub key: FlowKey,
    /// The slot's counts.
    pub counts: Counts,
}

/// A slot's counts, unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes since the slot was opened.
    pub bytes: u64,
    /// Packets since the slot was opened.
    pub packets: u32,
    /// Raised each time the slot is opened.
    pub generation: u16,
    /// All TCP flags seen, or-ed.
    pub tcp_flags: u8,
    /// TCP flags of the packet that opened the slot: they tell originator from responder.
    pub first_tcp_flags: u8,
    /// Time of the first packet.
    pub first: Ticks,
    /// Time of the last packet.
    pub last: Ticks,
}

impl FlowSlot {
    /// Whether the slot holds this flow. For the owner.
    #[inline(always)]
    pub(super) fn holds(&self, key: &FlowKey) -> bool {
        let [w0, w1, w2, w3, w4] = key.words();
        // The ports differ most often, so most mismatches end at the first comparison.
        self.load(4) == w4
            && self.load(1) == w1
            && self.load(3) == w3
            && self.load(0) == w0
            && self.load(2) == w2
            && self.packets() != 0
    }

    /// Packets counted; 0 for a free slot.
    #[inline(always)]
    pub(super) fn packets(&self) -> u32 {
        (self.load(6) & 0xffff_ffff) as u32
    }

    /// Time of the last packet.
    #[inline(always)]
    pub(super) fn last(&self) -> Ticks {
        Ticks((self.load(7) >> 32) as u32)
    }

    /// The counts. For the owner.
    #[inline(always)]
    pub(super) fn counts(&self) -> Counts {
        unpack(self.load(5), self.load(6), self.load(7))
    }

    /// The key. For the owner.
    #[inline(always)]
    pub(super) fn key(&self) -> FlowKey {
        FlowKey::from_words([
            self.load(0),
            self.load(1),
            self.load(2),
            self.load(3),
            self.load(4),
        ])
    }

    /// Replaces the counts and, when given, the key. For the owner.
    #[inline(always)]
    pub(super) fn write(&self, key: Option<&FlowKey>, counts: &Counts) {
        let before = self.load(6);
        let sequence = (before >> 32 & 0xffff) as u16;
        self.store(6, before & !(0xffff << 32) | odd(sequence));
        publish();
        if let Some(key) = key {
            let [w0, w1, w2, w3, w4] = key.words();
            self.store(0, w0);
            self.store(1, w1);
            self.store(2, w2);
            self.store(3, w3);
            self.store(4, w4);
        }
        self.store(
            5,
            counts.bytes & BYTES_MAX | u64::from(counts.generation) << 48,
        );
        self.store(
            7,
            u64::from(counts.first.0) | u64::from(counts.last.0) << 32,
        );
        publish();
        self.store(
            6,
            u64::from(counts.packets)
                | u64::from((sequence | 1).wrapping_add(1)) << 32
                | u64::from(counts.tcp_flags) << 48
                | u64::from(counts.first_tcp_flags) << 56,
        );
    }

    /// The word that changes with every packet and every reuse: bytes and generation.
    ///
    /// A reader that finds it as it was has nothing to read.
    #[inline(always)]
    #[must_use]
    pub fn change_word(&self) -> u64 {
        self.load(5)
    }

    /// Copies the slot as it stood between two packets: `Ok(None)` when it is free.
    ///
    /// # Errors
    ///
    /// The number of `tries` when each of them met a packet in progress.
    pub fn snapshot(&self, tries: u32) -> Result<Option<SlotSnapshot>, u32> {
        for _ in 0..tries {
            if let Some(snapshot) = self.try_snapshot() {
                return Ok((snapshot.counts.packets != 0).then_some(snapshot));
            }
            core::hint::spin_loop();
        }
        Err(tries)
    }

    fn try_snapshot(&self) -> Option<SlotSnapshot> {
        let before = self.load(6);
        observe();
        let key = self.key();
        let bytes = self.load(5);
        let times = self.load(7);
        observe();
        let settled = before == self.load(6) && before >> 32 & 1 == 0;
        settled.then(|| SlotSnapshot {
            key,
            counts: unpack(bytes, before, times),
        })
    }

    /// Frees the slot. For an owner that is not running, such as the replay of a capture.
    pub fn clear(&self) {
        let generation = self.load(5) >> 48;
        self.store(5, generation << 48);
        self.store(6, 0);
    }

    /// Leaves the slot as in the middle of a write, for tests of its readers. The next write heals it.
    #[cfg(any(test, feature = "fixtures"))]
    pub fn tear(&self) {
        self.store(6, self.load(6) | 1 << 32);
    }

    #[inline(always)]
    fn load(&self, word: usize) -> u64 {
        match self.words.get(word) {
            Some(word) => word.load(),
            None => 0,
        }
    }

    #[inline(always)]
    fn store(&self, word: usize, value: u64) {
        if let Some(word) = self.words.get(word) {
            word.store(value);
        }
    }
}

/// The sequence field with its low bit set, in place.
#[inline(always)]
const fn odd(sequence: u16) -> u64 {
    ((sequence | 1) as u64) << 32
}

#[inline(always)]
const fn unpack(bytes: u64, packets: u64, times: u64) -> Counts {
    Counts {
        bytes: bytes & BYTES_MAX,
        packets: (packets & 0xffff_ffff) as u32,
        generation: (bytes >> 48) as u16,
        tcp_flags: (packets >> 48 & 0xff) as u8,
        first_tcp_flags: (packets >> 56) as u8,
        first: Ticks((times & 0xffff_ffff) as u32),
        last: Ticks((times >> 32) as u32),
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::packet::{Vlan, protocol};

    fn key(port: u16) -> FlowKey {
        let source: SocketAddr = ([10, 0, 0, 1], port).into();
        let destination: SocketAddr = ([10, 0, 0, 2], 80).into();
        FlowKey::from_endpoints(source, destination, protocol::TCP, Vlan::default())
    }

    #[test]
    fn what_is_written_is_read() {
        let slot = FlowSlot::default();
        assert_eq!(slot.snapshot(1), Ok(None));
        let counts = Counts {
            bytes: (1 << 48) - 1,
            packets: u32::MAX,
            generation: 0xabcd,
            tcp_flags: 0xff,
            first_tcp_flags: 0xa5,
            first: Ticks(7),
            last: Ticks(u32::MAX),
        };
        slot.write(Some(&key(1)), &counts);
        let expected = SlotSnapshot {
            key: key(1),
            counts,
        };
        assert_eq!(slot.snapshot(1), Ok(Some(expected)));
        slot.clear();
        assert_eq!(slot.snapshot(1), Ok(None));
    }

    #[test]
    fn a_write_in_progress_is_not_read() {
        let slot = FlowSlot::default();
        slot.write(
            Some(&key(1)),
            &Counts {
                packets: 1,
                ..Counts::default()
            },
        );
        let settled = slot.load(6);
        slot.store(6, settled | 1 << 32);
        assert_eq!(slot.snapshot(4), Err(4));
        slot.store(6, settled);
        assert!(slot.snapshot(1).is_ok());
    }

    #[test]
    fn a_write_heals_a_sequence_left_odd() {
        let slot = FlowSlot::default();
        slot.store(6, 5 << 32);
        let counts = Counts {
            packets: 1,
            ..Counts::default()
        };
        slot.write(Some(&key(1)), &counts);
        assert_eq!(slot.snapshot(1).unwrap().unwrap().counts, counts);
    }

    #[test]
    fn concurrent_reads_are_never_torn() {
        extern crate std;
        let slot = FlowSlot::default();
        let rounds = if cfg!(miri) { 200 } else { 200_000 };
        let write = |n: u32| {
            slot.write(
                Some(&key((n % 50_000) as u16)),
                &Counts {
                    bytes: u64::from(n) * 3,
                    packets: n,
                    first: Ticks(n),
                    last: Ticks(n),
                    ..Counts::default()
                },
            );
        };
        std::thread::scope(|scope| {
            scope.spawn(|| (1..rounds).for_each(write));
            for _ in 0..rounds {
                if let Ok(Some(SlotSnapshot { key: k, counts })) = slot.snapshot(100) {
                    let n = counts.packets;
                    assert_eq!(k, key((n % 50_000) as u16));
                    assert_eq!(counts.bytes, u64::from(n) * 3);
                    assert_eq!((counts.first.0, counts.last.0), (n, n));
                }
            }
        });
    }
}
