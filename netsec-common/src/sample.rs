//! Header samples: when one is taken, and how it travels.

use crate::packet::{Frame, PacketBytes, Start};

/// Which packets are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// None.
    Off,
    /// The first `n` packets of every flow.
    FirstOfFlow(u32),
    /// The same, and DNS questions over UDP beyond them: the first [`QUESTIONS_MAX`] of a flow, with
    /// as many bytes as a sample can carry, as the name is what they are taken for.
    FirstAndQuestions(u32),
    /// One frame in `n`, flows or not.
    OneIn(u32),
    /// Every frame.
    All,
}

impl Sampling {
    /// The word of the shared control page: mode in the high half, n in the low one.
    #[must_use]
    pub const fn to_abi(self) -> u64 {
        match self {
            Self::Off => 0,
            Self::FirstOfFlow(n) => 1 << 32 | n as u64,
            Self::OneIn(n) => 2 << 32 | n as u64,
            Self::All => 3 << 32,
            Self::FirstAndQuestions(n) => 4 << 32 | n as u64,
        }
    }

    /// Reads the word of the shared control page; an unknown mode is [`Sampling::Off`].
    #[inline(always)]
    #[must_use]
    pub const fn from_abi(word: u64) -> Self {
        let n = (word & 0xffff_ffff) as u32;
        match word >> 32 {
            1 => Self::FirstOfFlow(n),
            2 => Self::OneIn(n),
            3 => Self::All,
            4 => Self::FirstAndQuestions(n),
            _ => Self::Off,
        }
    }
}

/// Whether a ring buffer took what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The reader will see it.
    Sent,
    /// The ring was full.
    Lost,
}

/// Where samples go: a ring buffer in the kernel, a queue on the host.
pub trait SampleSink<P: PacketBytes> {
    /// Takes a copy of the first `captured` bytes of a frame, or of those at hand where a capture
    /// has fewer.
    fn sample(&self, frame: &Frame<'_, P>, captured: u32, fate: Fate) -> Delivery;
}

/// What became of the frame that a sample shows, and by which decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Zero, [`SampleHeader::DROPPED`] or [`SampleHeader::WOULD_DROP`].
    flag: u16,
    decision_id: u64,
}

impl Fate {
    /// It passed, and nothing was against it.
    pub const PASSED: Self = Self {
        flag: 0,
        decision_id: 0,
    };

    /// It was dropped by this decision; 0 when no entry matched and everything was closed.
    #[inline(always)]
    #[must_use]
    pub const fn dropped(decision_id: u64) -> Self {
        Self {
            flag: SampleHeader::DROPPED,
            decision_id,
        }
    }

    /// It passed, in a dry run of this decision.
    #[inline(always)]
    #[must_use]
    pub const fn would_drop(decision_id: u64) -> Self {
        Self {
            flag: SampleHeader::WOULD_DROP,
            decision_id,
        }
    }

    /// Whether it was dropped.
    #[must_use]
    pub const fn is_dropped(self) -> bool {
        self.flag == SampleHeader::DROPPED
    }

    /// Whether it passed only because nothing is enforced.
    #[must_use]
    pub const fn is_dry_run(self) -> bool {
        self.flag == SampleHeader::WOULD_DROP
    }

    /// The decision that dropped it, or would have; `None` for a frame that passed.
    #[must_use]
    pub const fn decision_id(self) -> Option<u64> {
        if self.flag == 0 {
            None
        } else {
            Some(self.decision_id)
        }
    }
}

/// DNS questions of one flow that [`Sampling::FirstAndQuestions`] takes: a tunnel has shown itself by
/// then.
pub const QUESTIONS_MAX: u32 = 512;

/// Most bytes of a frame that a sample can carry.
///
/// Enough for Ethernet, two VLAN tags, IPv6, UDP and a DNS question with the longest name.
pub const SAMPLE_BYTES_MAX: u32 = 384;

/// What precedes the frame's bytes in the packet ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SampleHeader {
    /// `CLOCK_MONOTONIC` at the hook, nanoseconds.
    pub monotonic_ns: u64,
    /// Length of the whole frame, bytes.
    pub wire_bytes: u32,
    /// Bytes of the frame that follow this header; what comes after them is padding.
    pub captured_bytes: u16,
    /// The outer VLAN tag that lies beside the frame, [`SampleHeader::TAGGED`] set; that bit is not set
    /// when all tags are in it. Besides, what became of the frame.
    pub tag: u16,
    /// The decision that dropped it, or would have.
    pub decision_id: u64,
}

const _: () = assert!(size_of::<SampleHeader>() == 24);

impl SampleHeader {
    /// Tells a tag of VLAN 0 from none.
    pub const TAGGED: u16 = 0x1000;
    /// The frame was dropped.
    pub const DROPPED: u16 = 0x2000;
    /// The frame would have been dropped, had it not been a dry run.
    pub const WOULD_DROP: u16 = 0x4000;

    /// A header for a frame seen at `monotonic_ns`, of which `captured` bytes follow.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a sample has at most SAMPLE_BYTES_MAX bytes"
    )]
    #[inline(always)]
    #[must_use]
    pub const fn new(
        monotonic_ns: u64,
        wire_bytes: u32,
        start: Start,
        captured: u32,
        fate: Fate,
    ) -> Self {
        let tag = match start {
            Start::Tagged { tag } => Self::TAGGED | tag & 0xfff,
            Start::Ethernet | Start::Network { .. } => 0,
        };
        Self {
            monotonic_ns,
            wire_bytes,
            captured_bytes: captured as u16,
            tag: tag | fate.flag,
            decision_id: fate.decision_id,
        }
    }

    /// What became of the frame.
    #[must_use]
    pub const fn fate(&self) -> Fate {
        Fate {
            flag: self.tag & (Self::DROPPED | Self::WOULD_DROP),
            decision_id: self.decision_id,
        }
    }

    /// What the frame begins with.
    #[must_use]
    pub const fn start(&self) -> Start {
        if self.tag & Self::TAGGED == 0 {
            Start::Ethernet
        } else {
            Start::Tagged {
                tag: self.tag & 0xfff,
            }
        }
    }

    /// Reads a header from the start of a ring record; `None` when the record is too short.
    #[must_use]
    pub fn read(record: &[u8]) -> Option<Self> {
        let word = |at: usize| {
            record
                .get(at..at + 8)?
                .try_into()
                .ok()
                .map(u64::from_ne_bytes)
        };
        let rest: [u8; 8] = record.get(8..16)?.try_into().ok()?;
        let [a, b, c, d, captured @ .., t, u] = rest;
        Some(Self {
            monotonic_ns: word(0)?,
            wire_bytes: u32::from_ne_bytes([a, b, c, d]),
            captured_bytes: u16::from_ne_bytes(captured),
            tag: u16::from_ne_bytes([t, u]),
            decision_id: word(16)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampling_survives_its_word() {
        let all = [Sampling::Off, Sampling::All];
        let counted = [0, 1, u32::MAX].map(|n| {
            [
                Sampling::FirstOfFlow(n),
                Sampling::FirstAndQuestions(n),
                Sampling::OneIn(n),
            ]
        });
        for sampling in all.into_iter().chain(counted.into_iter().flatten()) {
            assert_eq!(Sampling::from_abi(sampling.to_abi()), sampling);
        }
    }

    #[test]
    fn an_unknown_sampling_is_off() {
        assert_eq!(Sampling::from_abi(0), Sampling::Off, "a zeroed page");
        assert_eq!(Sampling::from_abi(5 << 32 | 5), Sampling::Off);
        assert_eq!(Sampling::from_abi(u64::MAX), Sampling::Off);
    }

    #[test]
    fn a_sample_header_is_read_as_it_was_written() {
        let start = Start::Tagged { tag: 0x2007 };
        let dropped = Fate::dropped(0x1112_1314_1516_1718);
        let header = SampleHeader::new(0x0102_0304_0506_0708, 1514, start, 64, dropped);
        assert_eq!(header.start(), Start::Tagged { tag: 7 });
        let untagged = SampleHeader::new(1, 60, Start::Ethernet, 60, Fate::PASSED);
        assert_eq!(untagged.start(), Start::Ethernet);
        let mut record = [0xee; 28];
        record[..8].copy_from_slice(&header.monotonic_ns.to_ne_bytes());
        record[8..12].copy_from_slice(&header.wire_bytes.to_ne_bytes());
        record[12..14].copy_from_slice(&header.captured_bytes.to_ne_bytes());
        record[14..16].copy_from_slice(&header.tag.to_ne_bytes());
        record[16..24].copy_from_slice(&header.decision_id.to_ne_bytes());
        assert_eq!(SampleHeader::read(&record), Some(header));
        assert_eq!(SampleHeader::read(&record[..24]), Some(header));
        assert_eq!(SampleHeader::read(&record[..23]), None);
    }

    #[test]
    fn a_fate_survives_its_header() {
        for fate in [Fate::PASSED, Fate::dropped(7), Fate::would_drop(u64::MAX)] {
            for start in [Start::Ethernet, Start::Tagged { tag: 0xfff }] {
                let header = SampleHeader::new(1, 60, start, 60, fate);
                assert_eq!((header.fate(), header.start()), (fate, start));
            }
        }
        assert_eq!(Fate::PASSED.decision_id(), None);
        assert_eq!(Fate::dropped(0).decision_id(), Some(0));
        assert!(Fate::dropped(7).is_dropped() && !Fate::dropped(7).is_dry_run());
        assert!(Fate::would_drop(7).is_dry_run() && !Fate::would_drop(7).is_dropped());
    }
}
