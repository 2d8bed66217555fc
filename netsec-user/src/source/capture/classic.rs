//! pcap: one header, then records of one interface.

use super::buffer::{Buffer, Stop};
use super::end::Damage;
use super::error::{CaptureError, in_header};
use super::link::Link;
use super::order::Order;
use super::{FRAME_BYTES_MAX, Record};
use crate::time::WallTime;

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;
const NS_PER_SECOND: i64 = 1_000_000_000;

/// Link type and two reserved bits, as libpcap reads the word; above them is the length of the
/// frame check sequence, which the IP length tells from payload.
const LINK_MASK: u32 = 0x03ff_ffff;

/// A pcap file being read.
pub(super) struct Classic {
    order: Order,
    /// Nanoseconds in a unit of the time's second word.
    unit_ns: i64,
    lengths: Lengths,
    link: Link,
    interface: [String; 1],
}

/// Which of the two lengths comes first: the order was settled with version 2.4.
#[derive(Clone, Copy)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    SmallerIsCaptured,
}

impl Classic {
    /// Reads the header; `None` when it is not one of pcap.
    pub(super) fn open(
        file: &str,
        interface: &str,
        magic: [u8; 4],
        buffer: &mut Buffer,
    ) -> Result<Option<Self>, CaptureError> {
        let Some((order, unit_ns)) = read_magic(magic) else {
            return Ok(None);
        };
        let header = buffer
            .peek::<HEADER_BYTES>(0)
            .map_err(|stop| in_header(file, "pcap", stop))?;
        let [_, _, _, _, major0, major1, minor0, minor1, ..] = header;
        let major = order.u16([major0, major1]);
        let minor = order.u16([minor0, minor1]);
        let lengths = match (major, minor) {
            (2, 0..=2) => Lengths::WireFirst,
            (2, 3) => Lengths::SmallerIsCaptured,
            (2, _) => Lengths::CapturedFirst,
            _ => {
                return Err(CaptureError::Version {
                    file: file.to_owned(),
                    major,
                    minor,
                });
            }
        };
        let [.., link] = order.words::<6, HEADER_BYTES>(&header);
        let number = link & LINK_MASK;
        let link = Link::from_number(number).ok_or_else(|| CaptureError::LinkType {
            file: file.to_owned(),
            number,
        })?;
        buffer.take(HEADER_BYTES, 0);
        Ok(Some(Self {
            order,
            unit_ns,
            lengths,
            link,
            interface: [interface.to_owned()],
        }))
    }

    /// Finds the next frame, which the caller has to take from the buffer.
    #[inline]
    pub(super) fn next(&self, buffer: &mut Buffer) -> Result<Record, Stop> {
        let header = buffer.peek::<RECORD_BYTES>(0)?;
        let [seconds, fraction, first, second] = self.order.words(&header);
        let (captured, wire) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::WireFirst => (second, first),
            Lengths::SmallerIsCaptured => (first.min(second), first.max(second)),
        };
        if captured > FRAME_BYTES_MAX {
            return Err(buffer.damaged(Damage::FrameLength { bytes: captured }));
        }
        let whole = RECORD_BYTES + captured as usize;
        buffer.need(whole)?;
        // 2³² seconds are half of what 63 bits hold, so neither product nor sum overflows.
        let ns = i64::from(seconds) * NS_PER_SECOND + i64::from(fraction) * self.unit_ns;
        Ok(Record {
            time: WallTime::from_ns(ns),
            interface: 0,
            link: self.link,
            wire_bytes: wire.max(captured),
            offset: RECORD_BYTES,
            captured: captured as usize,
            whole,
        })
    }

    pub(super) const fn interfaces(&self) -> &[String] {
        &self.interface
    }
}

/// Byte order, and nanoseconds in a unit of time.
const fn read_magic(magic: [u8; 4]) -> Option<(Order, i64)> {
    match u32::from_le_bytes(magic) {
        0xa1b2_c3d4 => Some((Order::Little, 1000)),
        0xd4c3_b2a1 => Some((Order::Big, 1000)),
        0xa1b2_3c4d => Some((Order::Little, 1)),
        0x4d3c_b2a1 => Some((Order::Big, 1)),
        _ => None,
    }
}
