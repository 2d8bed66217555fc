//! What is inside of tunnels, accounted as flows of its own after the frame was.

use super::{Accounted, Engine, Verdict};
use crate::block::BlockTable;
use crate::flow::FlowTable;
use crate::ledger::Counter;
use crate::packet::{Frame, Opening, Packet, PacketBytes, Refusal, TUNNELS_MAX};
use crate::sample::SampleSink;
use crate::ticks::Ticks;

/// Accounts the packet in one tunnel.
///
/// A trait, because the kernel's program calls a function for it that the verifier walks by itself:
/// inlined, it would be walked once for every way through the headers of the frame.
pub trait Inside {
    /// Whether tunnels are opened at all.
    const OPENS: bool;

    /// Accounts the packet in the tunnel that begins here. `level` is 1 for the outermost.
    fn account(&self, opening: Opening, level: u64) -> Passage;

    /// Accounts the outermost packet by [`Engine::outermost`], where that is a function of its own too;
    /// nothing is dropped then.
    #[inline(always)]
    fn outermost(&self) -> Option<Passage> {
        None
    }
}

/// Lets the caller open tunnels.
struct Later;

impl Inside for Later {
    const OPENS: bool = true;

    #[inline(always)]
    fn account(&self, _opening: Opening, _level: u64) -> Passage {
        Passage(0)
    }
}

/// Leaves tunnels alone.
pub(super) struct Closed;

impl Inside for Closed {
    const OPENS: bool = false;

    #[inline(always)]
    fn account(&self, _opening: Opening, _level: u64) -> Passage {
        Passage(0)
    }
}

/// Looks into tunnels where it stands.
struct Here<'a, 'e, P, T, B, S> {
    engine: &'a Engine<'e, T, B, S>,
    bytes: &'a P,
    now: Ticks,
}

impl<P: PacketBytes, T: FlowTable, B: BlockTable, S> Inside for Here<'_, '_, P, T, B, S> {
    const OPENS: bool = true;

    #[inline(always)]
    fn account(&self, opening: Opening, level: u64) -> Passage {
        self.engine.enter(self.bytes, opening, level, self.now)
    }
}

/// What accounting a packet in a tunnel told, in one word: the opening of the next tunnel, whether the
/// packet carries questions to a DNS server, and the packets of its flow, zero for one in no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage(u64);

const QUESTION: u64 = 1 << Opening::BITS;
const PACKETS_SHIFT: u32 = Opening::BITS + 1;
/// A flow is closed before it has more.
const PACKETS_BITS: u32 = 64 - PACKETS_SHIFT;

const _: () = assert!(PACKETS_BITS == 23);

/// A flow is closed at 2²³ packets.
const PACKETS_MERGED: u32 = 24;

impl Passage {
    #[inline(always)]
    fn new(accounted: &Accounted) -> Self {
        let packets = u64::from(accounted.packets.min((1 << PACKETS_BITS) - 1));
        let opening = accounted.opening.map_or(0, Opening::to_word);
        let question = if accounted.is_question { QUESTION } else { 0 };
        Self(packets << PACKETS_SHIFT | question | opening)
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// What this word says.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// `None` for a packet in no flow.
    #[inline(always)]
    pub(super) fn accounted(self) -> Option<Accounted> {
        (self.packets() != 0).then(|| Accounted {
            packets: self.packets(),
            is_question: self.is_question(),
            opening: self.opening(),
        })
    }

    #[inline(always)]
    const fn packets(self) -> u32 {
        (self.0 >> PACKETS_SHIFT) as u32
    }

    #[inline(always)]
    const fn is_question(self) -> bool {
        self.0 & QUESTION != 0
    }

    #[inline(always)]
    const fn opening(self) -> Option<Opening> {
        Opening::from_word(self.0)
    }
}

impl<T: FlowTable, B: BlockTable, S> Engine<'_, T, B, S> {
    /// As [`process`](Self::process), and accounts what is in tunnels too, up to [`TUNNELS_MAX`] of
    /// them in one another.
    ///
    /// Blocks are for the source of the frame; what is inside of a tunnel is not looked up.
    #[inline(always)]
    pub fn process_inner<P: PacketBytes>(&self, frame: &Frame<'_, P>, now: Ticks) -> Verdict
    where
        S: SampleSink<P>,
    {
        let here = Here {
            engine: self,
            bytes: frame.bytes,
            now,
        };
        self.process_through(frame, now, &here)
    }

    /// Accounts the outermost packet of a frame, for [`Inside::outermost`]: without a block table.
    #[inline(always)]
    pub fn outermost<P: PacketBytes>(&self, frame: &Frame<'_, P>, now: Ticks) -> Passage {
        let (accounted, _ruling) = self.take(frame, now, &Later);
        accounted.map_or(Passage(0), |accounted| Passage::new(&accounted))
    }

    /// Follows a packet into its tunnels. What it gives decides on the sample: the youngest of the
    /// flows that the frame is in.
    #[expect(clippy::cast_possible_truncation, reason = "merged to 24 bits")]
    #[inline(always)]
    pub(super) fn follow<P: PacketBytes>(
        &self,
        bytes: &P,
        outer: Accounted,
        inside: &impl Inside,
    ) -> Accounted {
        if !opens(inside) {
            return outer;
        }
        let mut accounted = outer;
        for level in 1..=TUNNELS_MAX {
            let Some(opening) = accounted.opening else {
                break;
            };
            let passage = inside.account(opening, level);
            accounted.opening = passage.opening();
            accounted.is_question |= passage.is_question();
            if passage.packets() != 0 {
                accounted.packets = accounted.packets.min(passage.packets());
            }
        }
        if accounted.opening.is_some() {
            self.row.count(Counter::Tunnelled);
            self.row.count(Counter::TunnelDepth);
        }
        // The sample is the same code for all ways that lead here.
        let question = bytes.merge::<1>(usize::from(accounted.is_question));
        let packets = bytes.merge::<PACKETS_MERGED>(accounted.packets as usize);
        Accounted {
            packets: packets as u32,
            is_question: question != 0,
            opening: None,
        }
    }

    /// Accounts the packet in the tunnel that begins here.
    #[inline(always)]
    pub fn enter<P: PacketBytes>(
        &self,
        bytes: &P,
        opening: Opening,
        level: u64,
        now: Ticks,
    ) -> Passage {
        self.row.count(Counter::Tunnelled);
        match self.account_inside(bytes, opening, level, now) {
            Ok(accounted) => return Passage::new(&accounted),
            Err(Refusal::Tunnel(reason)) => self.row.count(reason),
            Err(Refusal::Inside(reason)) => self.row.count_inside(reason),
        }
        Passage(0)
    }

    #[inline(always)]
    fn account_inside<P: PacketBytes>(
        &self,
        bytes: &P,
        opening: Opening,
        level: u64,
        now: Ticks,
    ) -> Result<Accounted, Refusal> {
        let opened = opening.open(bytes, level)?;
        let (packet, next) = opened.read(bytes)?;
        let accounted = self
            .account(&packet.merged(bytes), opened.bytes(), now)
            .map_err(Refusal::Tunnel)?;
        Ok(Accounted {
            opening: next,
            ..accounted
        })
    }
}

#[inline(always)]
const fn opens<I: Inside>(_inside: &I) -> bool {
    I::OPENS
}

/// What was read, in one walk of the verifier for all that it can be. The plain programs do without:
/// they are small enough.
#[inline(always)]
pub(super) fn merged<P: PacketBytes, E>(
    bytes: &P,
    parsed: Result<(Packet, Option<Opening>), E>,
    inside: &impl Inside,
) -> Result<(Packet, Option<Opening>), E> {
    if !opens(inside) {
        return parsed;
    }
    parsed.map(|(packet, opening)| (packet.merged(bytes), opening))
}
