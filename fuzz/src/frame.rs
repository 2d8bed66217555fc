//! A frame as a fuzz input describes it.

use arbitrary::{Result, Unstructured};
use netsec_common::fixtures::{Case, cases, host_cases};
use netsec_common::ledger::{Counter, Row};
use netsec_common::packet::{Frame, Packet, Start, parse};

/// A frame begins with another link header than Ethernet.
const NETWORK: u8 = 1;
/// The capture cut the frame short, by two bytes' worth.
const CUT: u8 = 2;
/// The length on the wire is whatever the input says.
const ANY_LENGTH: u8 = 4;

/// What the engine is told of a frame.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) start: Start,
    pub(crate) wire_bytes: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Given {
    /// Reads a description and, behind it, the frame's bytes: as many as it says.
    pub(crate) fn counted(input: &mut Unstructured<'_>) -> Result<Self> {
        let head = Head::read(input)?;
        let bytes = usize::from(input.arbitrary::<u16>()?).min(input.len());
        Ok(head.with(input.bytes(bytes)?))
    }

    /// Reads a description and the frame's bytes: all that is left.
    pub(crate) fn rest(mut input: Unstructured<'_>) -> Result<Self> {
        let head = Head::read(&mut input)?;
        Ok(head.with(input.take_rest()))
    }

    pub(crate) fn parse(&self) -> std::result::Result<Packet, Counter> {
        self.lend(|frame| parse(frame, &Row::new()))
    }

    pub(crate) fn lend<T>(&self, take: impl FnOnce(&Frame<'_, &[u8]>) -> T) -> T {
        take(&Frame {
            bytes: &self.bytes.as_slice(),
            wire_bytes: self.wire_bytes,
            start: self.start,
            counted_before: false,
        })
    }
}

/// What precedes a frame's bytes.
struct Head {
    start: Start,
    length: Length,
}

enum Length {
    Whole,
    Cut(u16),
    Any(u32),
}

impl Head {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        let kind: u8 = input.arbitrary()?;
        let start = if kind & NETWORK == 0 {
            Start::Ethernet
        } else {
            Start::Network {
                ethertype: input.arbitrary()?,
                offset: input.arbitrary()?,
            }
        };
        let length = if kind & ANY_LENGTH != 0 {
            Length::Any(input.arbitrary()?)
        } else if kind & CUT != 0 {
            Length::Cut(input.arbitrary()?)
        } else {
            Length::Whole
        };
        Ok(Self { start, length })
    }

    fn with(self, bytes: &[u8]) -> Given {
        let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Given {
            start: self.start,
            wire_bytes: match self.length {
                Length::Whole => captured,
                Length::Cut(missing) => captured.saturating_add(missing.into()),
                Length::Any(bytes) => bytes,
            },
            bytes: bytes.to_vec(),
        }
    }
}

/// The fixtures' frames.
pub(crate) fn all_cases() -> impl Iterator<Item = Case> {
    cases().into_iter().chain(host_cases())
}

/// The description that [`Given::rest`] reads, and the frame.
pub(crate) fn written(case: &Case) -> Vec<u8> {
    [head(case), case.frame.clone()].concat()
}

/// The description that [`Given::counted`] reads, and the frame.
pub(crate) fn written_counted(case: &Case) -> Vec<u8> {
    let length = u16::try_from(case.frame.len()).unwrap_or(u16::MAX);
    [
        head(case),
        length.to_le_bytes().to_vec(),
        case.frame.clone(),
    ]
    .concat()
}

fn head(case: &Case) -> Vec<u8> {
    let mut head = vec![0];
    if let Start::Network { ethertype, offset } = case.start {
        head[0] |= NETWORK;
        head.extend(ethertype.to_le_bytes());
        head.push(offset);
    }
    if case.wire_bytes as usize != case.frame.len() {
        head[0] |= ANY_LENGTH;
        head.extend(case.wire_bytes.to_le_bytes());
    }
    head
}

/// The description that [`Given::rest`] reads, and a frame with a UDP datagram from port 53.
pub(crate) fn written_datagram(payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short message");
    let mut frame = vec![0];
    frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00]);
    frame.extend([0x45, 0, 0, length + 28, 0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend([192, 0, 2, 1, 192, 0, 2, 2]);
    frame.extend([0, 53, 0xc3, 0x50, 0, length + 8, 0, 0]);
    frame.extend(payload);
    frame
}
