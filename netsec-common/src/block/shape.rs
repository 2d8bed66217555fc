//! Keys of entries in one word, and the shapes of the entries that are present.
//!
//! | bits | of a key word |
//! |---|---|
//! | 0–7 | prefix length out of 128 |
//! | 8–9 | narrowing: none, protocol, port |
//! | 10 | list |
//! | 11–12 | action; no part of the key |
//! | 16–23 | protocol |
//! | 24–39 | destination port |
//! | 40–63 | generation of the slot; no part of the key |
//!
//! A shape is what entries of different addresses, protocols and ports have in common: the low ten
//! bits, and from bit 16 on the parts of the filter that say something about them.

use super::entry::{Action, BlockKey, List, Narrowing};
use super::filter::level_of;
use super::memory::BlockControl;
use super::prefix::Prefix;
use crate::packet::FlowKey;
use crate::word::Word;

/// Most shapes of one family on one list that a packet is checked for. IPv4 has 33 prefix lengths.
pub const SHAPES_MAX: usize = 64;

const KIND_SHIFT: u32 = 8;
const LIST_BIT: u64 = 1 << 10;
const ACTION_SHIFT: u32 = 11;
const PROTOCOL_SHIFT: u32 = 16;
const PORT_SHIFT: u32 = 24;
const GENERATION_SHIFT: u32 = 40;
const SHAPE_MASK: u64 = 0x3ff;
const LEVEL_SHIFT: u32 = 16;

/// The bits that tell entries apart.
const KEY_MASK: u64 = 0xff_ffff_07ff;

/// Protocol and port.
pub(super) const NARROWING_MASK: u64 = 0xff_ffff_0000;

const KIND_ANY: u64 = 0;
const KIND_PROTOCOL: u64 = 1;
const KIND_PORT: u64 = 2;

/// A key word without action and generation: what is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyBits(pub(super) u64);

/// A key word as it stands in an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyWord(pub(super) u64);

/// What a match leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Consequence {
    Drop = 1,
    RateLimit = 2,
    Allow = 3,
}

impl Consequence {
    /// `None` for a free slot.
    #[inline(always)]
    pub(super) const fn from_number(number: u64) -> Option<Self> {
        match number & 3 {
            1 => Some(Self::Drop),
            2 => Some(Self::RateLimit),
            3 => Some(Self::Allow),
            _ => None,
        }
    }
}

impl KeyBits {
    /// The key word's part that tells entries of one address apart.
    pub(super) const fn of(key: &BlockKey) -> Self {
        let narrowing = match key.narrowing {
            Narrowing::Any => KIND_ANY << KIND_SHIFT,
            Narrowing::Protocol(protocol) => {
                KIND_PROTOCOL << KIND_SHIFT | (protocol as u64) << PROTOCOL_SHIFT
            }
            Narrowing::Port { protocol, port } => {
                KIND_PORT << KIND_SHIFT
                    | (protocol as u64) << PROTOCOL_SHIFT
                    | (port as u64) << PORT_SHIFT
            }
        };
        Self(key.prefix.bits_length() as u64 | narrowing | list_bit(key.list))
    }
}

impl KeyWord {
    /// Of an entry, in the generation after `old`.
    pub(super) const fn new(key: KeyBits, list: List, action: Action, old: Self) -> Self {
        let consequence = match (list, action) {
            (List::Allow, _) => Consequence::Allow,
            (List::Block, Action::Drop) => Consequence::Drop,
            (List::Block, Action::RateLimit { .. }) => Consequence::RateLimit,
        };
        let consequence = consequence as u64;
        let generation = (old.0 >> GENERATION_SHIFT).wrapping_add(1);
        Self(key.0 | consequence << ACTION_SHIFT | generation << GENERATION_SHIFT)
    }

    /// Of a slot that is being changed: no key of any entry.
    pub(super) const fn in_change(self) -> Self {
        Self(self.0 >> GENERATION_SHIFT << GENERATION_SHIFT)
    }

    #[inline(always)]
    pub(super) const fn key(self) -> KeyBits {
        KeyBits(self.0 & KEY_MASK)
    }

    /// `None` for a free slot.
    #[inline(always)]
    pub(super) const fn consequence(self) -> Option<Consequence> {
        Consequence::from_number(self.0 >> ACTION_SHIFT)
    }

    /// The action of an entry with this rate; of no meaning on the allowlist.
    pub(super) const fn action(self, packets_per_s: u32) -> Action {
        match self.consequence() {
            Some(Consequence::RateLimit) => Action::RateLimit { packets_per_s },
            Some(Consequence::Drop | Consequence::Allow) | None => Action::Drop,
        }
    }

    /// What the entry at this address matches.
    #[expect(clippy::cast_possible_truncation, reason = "fields of 8 and 16 bits")]
    pub(super) fn block_key(self, address: [u64; 2]) -> BlockKey {
        let [high, low] = address;
        let protocol = (self.0 >> PROTOCOL_SHIFT) as u8;
        BlockKey {
            list: if self.0 & LIST_BIT == 0 {
                List::Block
            } else {
                List::Allow
            },
            prefix: Prefix::from_parts(u128::from(high) << 64 | u128::from(low), self.0 as u8),
            narrowing: match self.0 >> KIND_SHIFT & 3 {
                KIND_ANY => Narrowing::Any,
                KIND_PROTOCOL => Narrowing::Protocol(protocol),
                _ => Narrowing::Port {
                    protocol,
                    port: (self.0 >> PORT_SHIFT) as u16,
                },
            },
        }
    }
}

/// A shape word; zero is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape(pub(super) u64);

impl Shape {
    pub(super) fn of(key: &BlockKey) -> Self {
        Self(KeyBits::of(key).0 & SHAPE_MASK | level_of(key.prefix) << LEVEL_SHIFT)
    }

    /// Whether a packet that met these parts of the filter can match an entry of this shape.
    #[inline(always)]
    pub(super) const fn is_among(self, levels: u64) -> bool {
        self.0 >> LEVEL_SHIFT & levels != 0
    }

    #[inline(always)]
    const fn length(self) -> u64 {
        self.0 & 0xff
    }

    #[inline(always)]
    const fn kind(self) -> u64 {
        self.0 >> KIND_SHIFT & 3
    }

    /// Longest prefix first, of one length the narrowest.
    pub(super) const fn rank(self) -> u64 {
        self.length() << 2 | self.kind()
    }
}

/// A packet as the table sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    /// Source address as numbers, IPv4-mapped.
    pub(super) high: u64,
    pub(super) low: u64,
    /// Protocol and destination port in the places of a key word; port zero for a packet without.
    pub(super) narrowing: u64,
}

impl Subject {
    #[inline(always)]
    pub(super) const fn of(key: &FlowKey) -> Self {
        let [high, low, ..] = key.words();
        let port = if key.has_ports() {
            key.destination_port()
        } else {
            0
        };
        Self {
            high: u64::from_be(high),
            low: u64::from_be(low),
            narrowing: (key.protocol() as u64) << PROTOCOL_SHIFT | (port as u64) << PORT_SHIFT,
        }
    }

    /// Of what is known of a packet besides its source.
    pub(super) const fn from_parts(
        source: Prefix,
        protocol: Option<u8>,
        port: Option<u16>,
    ) -> Self {
        let [high, low] = source.halves();
        // 255 is reserved (IANA): nothing is narrowed to it.
        let protocol = match protocol {
            None => 255 << PROTOCOL_SHIFT,
            Some(protocol) => (protocol as u64) << PROTOCOL_SHIFT,
        };
        let port = match port {
            None => 0,
            Some(port) => (port as u64) << PORT_SHIFT,
        };
        Self {
            high,
            low,
            narrowing: protocol | port,
        }
    }

    #[inline(always)]
    pub(super) const fn is_v4(&self) -> bool {
        self.high == 0 && self.low >> 32 == 0xffff
    }

    /// The key of an entry of this shape that matches the packet; `None` when none can.
    #[inline(always)]
    pub(super) const fn key_of(&self, list: List, shape: Shape) -> Option<KeyBits> {
        let kind = shape.kind();
        if kind == KIND_PORT && self.narrowing >> PORT_SHIFT == 0 {
            return None;
        }
        let narrowing = self.narrowing & kept_by(kind);
        Some(KeyBits(shape.0 & SHAPE_MASK | list_bit(list) | narrowing))
    }
}

/// An address without the bits after the prefix length of a key.
#[inline(always)]
pub(super) const fn masked(address: [u64; 2], key: KeyBits) -> [u64; 2] {
    mask(address, key.0 & 0xff)
}

#[inline(always)]
const fn list_bit(list: List) -> u64 {
    match list {
        List::Block => 0,
        List::Allow => LIST_BIT,
    }
}

/// The bits of protocol and port that entries of a kind have. Without branches, for the verifier.
#[inline(always)]
const fn kept_by(kind: u64) -> u64 {
    let protocol = 0_u64.wrapping_sub((kind + 1) >> 1 & 1 | kind >> 1);
    let port = 0_u64.wrapping_sub(kind >> 1);
    protocol & 0xff << PROTOCOL_SHIFT | port & 0xffff << PORT_SHIFT
}

/// The first `length` bits of an address. Without branches, for the verifier.
#[inline(always)]
const fn mask([high, low]: [u64; 2], length: u64) -> [u64; 2] {
    [
        high & first(64 - min_64(length)),
        low & first(128 - max_64(length)),
    ]
}

/// All bits but the last `but`, of which there are at most 64.
#[inline(always)]
const fn first(but: u64) -> u64 {
    // Two shifts, because one by 64 does nothing.
    u64::MAX << (but >> 1) << (but - (but >> 1))
}

#[inline(always)]
const fn min_64(length: u64) -> u64 {
    // 1 from 64 on, up to 128.
    let over = length >> 6 & 1 | length >> 7;
    length & over.wrapping_sub(1) | over << 6
}

#[inline(always)]
const fn max_64(length: u64) -> u64 {
    length + 64 - min_64(length)
}

/// Which of the four lists of shapes.
#[inline(always)]
pub(super) const fn list_number(list: List, is_v4: bool) -> usize {
    let list = match list {
        List::Block => 0,
        List::Allow => 2,
    };
    if is_v4 { list } else { list + 1 }
}

impl BlockControl {
    /// The copy of a list that is in use.
    #[inline(always)]
    pub(super) fn active_copy(&self, list: usize) -> usize {
        if self.active_shapes.load() >> list & 1 == 0 {
            0
        } else {
            1
        }
    }

    /// A shape of a list; zero after the last one.
    #[inline(always)]
    pub(super) fn shape(&self, list: usize, copy: usize, index: usize) -> Shape {
        let shapes = self.shapes.get(list).and_then(|copies| copies.get(copy));
        let word = shapes.and_then(|shapes| shapes.0.get(index));
        Shape(word.map_or(0, Word::load))
    }
}
