//! The three kinds of block that hold a packet.

use super::super::buffer::{Buffer, Stop};
use super::super::end::Damage;
use super::super::{FRAME_BYTES_MAX, Record};
use super::interface::Interface;
use super::{Block, HEADER_BYTES, Ng};
use crate::time::WallTime;

const ENHANCED_BYTES: usize = 20;
const SIMPLE_BYTES: usize = 4;

/// What a block says about its packet.
struct Header {
    interface: u32,
    /// High and low word, in the interface's units.
    ticks: Option<[u32; 2]>,
    captured: u32,
    wire: u32,
    /// Bytes of the block's body before the packet.
    fixed: usize,
}

impl Ng {
    #[inline]
    pub(super) fn enhanced(
        &mut self,
        block: Block,
        buffer: &mut Buffer,
    ) -> Result<Option<Record>, Stop> {
        let fixed = buffer.peek::<ENHANCED_BYTES>(HEADER_BYTES)?;
        let [interface, high, low, captured, wire] = self.order.words(&fixed);
        let header = Header {
            interface,
            ticks: Some([high, low]),
            captured,
            wire,
            fixed: ENHANCED_BYTES,
        };
        self.record(block, &header, buffer)
    }

    /// As the enhanced one, but with 16 bits each for interface and drops.
    pub(super) fn obsolete(
        &mut self,
        block: Block,
        buffer: &mut Buffer,
    ) -> Result<Option<Record>, Stop> {
        let fixed = buffer.peek::<ENHANCED_BYTES>(HEADER_BYTES)?;
        let [first, second, ..] = fixed;
        let [_, high, low, captured, wire] = self.order.words(&fixed);
        let header = Header {
            interface: u32::from(self.order.u16([first, second])),
            ticks: Some([high, low]),
            captured,
            wire,
            fixed: ENHANCED_BYTES,
        };
        self.record(block, &header, buffer)
    }

    /// Of the section's first interface, whose snapshot length says how much was captured.
    pub(super) fn simple(
        &mut self,
        block: Block,
        buffer: &mut Buffer,
    ) -> Result<Option<Record>, Stop> {
        let wire = self.order.u32(buffer.peek(HEADER_BYTES)?);
        let snapshot = self
            .interfaces
            .get(0)
            .map_or(u32::MAX, |interface| interface.snapshot_bytes);
        let room = u32::try_from(block.body_bytes() - SIMPLE_BYTES).unwrap_or(u32::MAX);
        let header = Header {
            interface: 0,
            ticks: None,
            captured: wire.min(snapshot).min(room),
            wire,
            fixed: SIMPLE_BYTES,
        };
        self.record(block, &header, buffer)
    }

    /// The record of a packet; `None` when its link type is not supported.
    #[inline]
    fn record(
        &mut self,
        block: Block,
        header: &Header,
        buffer: &Buffer,
    ) -> Result<Option<Record>, Stop> {
        let Some(&interface) = self.interfaces.get(header.interface) else {
            return Err(buffer.damaged(Damage::Interface {
                interface: header.interface,
                described: self.interfaces.described(),
            }));
        };
        let captured = header.captured as usize;
        if header.captured > FRAME_BYTES_MAX || captured > block.body_bytes() - header.fixed {
            return Err(buffer.damaged(Damage::FrameLength {
                bytes: header.captured,
            }));
        }
        let time = self.time(&interface, header.ticks);
        let Some((name, link)) = interface.supported else {
            self.interfaces.skip(&interface);
            return Ok(None);
        };
        Ok(Some(Record {
            time,
            interface: name,
            link,
            wire_bytes: header.wire.max(header.captured),
            offset: HEADER_BYTES + header.fixed,
            captured,
            whole: block.whole,
        }))
    }

    #[inline]
    fn time(&mut self, interface: &Interface, ticks: Option<[u32; 2]>) -> WallTime {
        if let Some([high, low]) = ticks {
            let ticks = u64::from(high) << 32 | u64::from(low);
            self.last = interface.clock.time(ticks).unwrap_or_else(|nearest| {
                self.clamped_times += 1;
                nearest
            });
        }
        self.last
    }
}
