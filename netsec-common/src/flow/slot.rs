//! One flow in one cache line, with a generation number against torn reads.

use crate::packet::FlowKey;
use crate::ticks::Ticks;
use crate::word::{Word, observe, publish};

/// Slots per set.
pub const WAYS: usize = 4;

/// Four slots: what one hash value can land in.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct FlowSet {
    /// The slots. A flow takes a free one near the way that its hash names.
    pub ways: [FlowSlot; WAYS],
}

const _: () = assert!(size_of::<FlowSet>() == 256);
const _: () = assert!(WAYS == 4, "ways are named by two bits of the hash");

impl FlowSet {
    /// All slots with their places, from a way on and round.
    #[inline(always)]
    pub(super) fn ways_from(&self, first: u32) -> impl Iterator<Item = (usize, &FlowSlot)> {
        (0..WAYS).filter_map(move |step| {
            let way = (first as usize + step) & (WAYS - 1);
            Some((way, self.ways.get(way)?))
        })
    }
}

/// A flow and its counts in 64 bytes.
///
/// | word | holds |
/// |---|---|
/// | 0–4 | the flow key |
/// | 5 | bytes (40 bits), packets (24) |
/// | 6 | first packet's TCP flags (8), all TCP flags (8), generation (16), last packet (32-bit ticks) |
/// | 7 | first packet (32-bit ticks), tunnel of the flow (24), zero (8) |
///
/// Zero packets means the slot is free. A packet of the flow costs two loads and two stores: word 6,
/// then word 5, so that whoever reads word 5 first finds a word 6 at least as new. When the slot
/// changes hands the owner stores, in this order: zero in word 5, key and word 7, word 6 with the
/// next generation, word 5. A reader that finds one generation before and after, and packets
/// in between, has read one flow.
///
/// A flow is closed and opened again at 2²³ packets or 2³⁹ bytes, long before the fields overflow.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct FlowSlot {
    words: [Word; 8],
}

const _: () = assert!(size_of::<FlowSlot>() == 64);

const BYTES_BITS: u32 = 40;
const BYTES_MASK: u64 = (1 << BYTES_BITS) - 1;
const ONE_PACKET: u64 = 1 << BYTES_BITS;
/// Place of the tunnel in word 7.
const TUNNEL_SHIFT: u32 = 32;

/// Packets after which a flow is closed and opened again.
pub(super) const PACKETS_LIMIT: u32 = 1 << 23;
/// Bytes after which a flow is closed and opened again. One frame of up to 2³² bytes still fits.
pub(super) const BYTES_LIMIT: u64 = 1 << 39;

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
    pub(super) fn holds<const TUNNELS: bool>(&self, key: &FlowKey) -> bool {
        let [w0, w1, w2, w3, w4] = key.words();
        // The ports differ most often, so most mismatches end at the first comparison.
        self.load(4) == w4
            && self.load(1) == w1
            && self.load(3) == w3
            && self.load(0) == w0
            && self.load(2) == w2
            && self.volume().packets() != 0
            && (!TUNNELS || self.load(7) >> TUNNEL_SHIFT == key.tunnel_word())
    }

    /// Packets and bytes. For the owner.
    #[inline(always)]
    pub(super) fn volume(&self) -> Volume {
        Volume(self.load(5))
    }

    /// Generation, flags and time of the last packet. For the owner.
    #[inline(always)]
    pub(super) fn state(&self) -> State {
        State(self.load(6))
    }

    /// The counts. For the owner.
    #[inline(always)]
    pub(super) fn counts(&self) -> Counts {
        unpack(self.volume(), self.state(), self.load(7))
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
        .with_tunnel_word(self.load(7) >> TUNNEL_SHIFT)
    }

    /// Adds a packet to the flow that holds the slot. For the owner.
    #[inline(always)]
    pub(super) fn update(&self, volume: Volume, state: State) {
        self.store(6, state.0);
        publish();
        self.store(5, volume.0);
    }

    /// Gives the slot to a flow, whose key is `None` when it stays the same. For the owner.
    #[inline(always)]
    pub(super) fn open(&self, key: Option<&FlowKey>, counts: &Counts) {
        self.store(5, 0);
        publish();
        let tunnel = match key {
            Some(key) => key.tunnel_word(),
            None => self.load(7) >> TUNNEL_SHIFT,
        };
        if let Some(key) = key {
            let [w0, w1, w2, w3, w4] = key.words();
            self.store(0, w0);
            self.store(1, w1);
            self.store(2, w2);
            self.store(3, w3);
            self.store(4, w4);
        }
        self.store(7, u64::from(counts.first.0) | tunnel << TUNNEL_SHIFT);
        publish();
        self.store(6, State::new(counts).0);
        publish();
        let packets = u64::from(counts.packets) << BYTES_BITS;
        self.store(5, packets | counts.bytes & BYTES_MASK);
    }

    /// Whether the slot still has these counts of this generation: then there is nothing to read.
    ///
    /// The generation counts too: two flows of a scan are alike in everything else.
    #[inline(always)]
    #[must_use]
    pub fn is_unchanged(&self, bytes: u64, packets: u32, generation: u16) -> bool {
        let volume = self.volume();
        volume.bytes() == bytes
            && volume.packets() == packets
            && self.state().generation() == generation
    }

    /// Copies the slot as it stood between two packets: `Ok(None)` when it is free, or about to be
    /// taken by a flow that has not been counted yet.
    ///
    /// # Errors
    ///
    /// The number of `tries` when the slot changed hands during each of them.
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
        let before = self.state();
        observe();
        let key = self.key();
        let first = self.load(7);
        observe();
        let volume = self.volume();
        observe();
        let after = self.state();
        (before.generation() == after.generation()).then(|| SlotSnapshot {
            key,
            counts: unpack(volume, after, first),
        })
    }

    /// Frees the slot. For an owner that is not running, such as the replay of a capture.
    pub fn clear(&self) {
        self.store(5, 0);
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

/// Packets and bytes in one word.
#[derive(Clone, Copy)]
pub(super) struct Volume(u64);

impl Volume {
    #[inline(always)]
    pub(super) const fn packets(self) -> u32 {
        (self.0 >> BYTES_BITS) as u32
    }

    #[inline(always)]
    const fn bytes(self) -> u64 {
        self.0 & BYTES_MASK
    }

    /// One packet of `bytes` bytes more.
    #[inline(always)]
    pub(super) const fn plus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(ONE_PACKET | bytes as u64))
    }

    /// Whether the flow has to be closed before it counts another packet.
    #[inline(always)]
    pub(super) const fn is_full(self) -> bool {
        const LIMITS: u64 = (PACKETS_LIMIT as u64) << BYTES_BITS | BYTES_LIMIT;
        self.0 & LIMITS != 0
    }
}

/// Generation, flags and time of the last packet in one word.
#[derive(Clone, Copy)]
pub(super) struct State(u64);

#[expect(
    clippy::cast_possible_truncation,
    reason = "fields of 8, 16 and 32 bits"
)]
impl State {
    const fn new(counts: &Counts) -> Self {
        Self(
            counts.first_tcp_flags as u64
                | (counts.tcp_flags as u64) << 8
                | (counts.generation as u64) << 16
                | (counts.last.0 as u64) << 32,
        )
    }

    #[inline(always)]
    const fn first_tcp_flags(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    pub(super) const fn tcp_flags(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[inline(always)]
    pub(super) const fn generation(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    pub(super) const fn last(self) -> Ticks {
        Ticks((self.0 >> 32) as u32)
    }

    /// With a packet at `last` that had these flags.
    #[inline(always)]
    pub(super) const fn with(self, tcp_flags: u8, last: Ticks) -> Self {
        Self(self.0 & 0xffff_ffff | (tcp_flags as u64) << 8 | (last.0 as u64) << 32)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a field of 32 bits")]
#[inline(always)]
const fn unpack(volume: Volume, state: State, first: u64) -> Counts {
    Counts {
        bytes: volume.bytes(),
        packets: volume.packets(),
        generation: state.generation(),
        tcp_flags: state.tcp_flags(),
        first_tcp_flags: state.first_tcp_flags(),
        first: Ticks(first as u32),
        last: state.last(),
    }
}

#[cfg(test)]
mod tests;
