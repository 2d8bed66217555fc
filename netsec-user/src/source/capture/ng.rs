//! pcapng: sections of blocks, with any number of interfaces.

mod clock;
mod interface;
mod options;
mod packets;

use super::Record;
use super::buffer::{Buffer, Stop};
use super::end::{Damage, End};
use super::error::{CaptureError, in_header};
use super::order::Order;
use crate::time::WallTime;
use interface::Interfaces;

pub use interface::SkippedLink;

/// Longest block that is believed; libpcap's and Wireshark's limit too.
pub(super) const BLOCK_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// Most interfaces of a section, and most names of interfaces in a file.
pub(super) const INTERFACES_MAX: usize = 65_536;

/// Block types (draft-ietf-opsawg-pcapng, 11.1).
mod kind {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const OBSOLETE_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const ENHANCED_PACKET: u32 = 6;
}

/// Type and length before the body.
const HEADER_BYTES: usize = 8;
/// The length again, after it.
const TRAILER_BYTES: usize = 4;

/// Whether a file beginning with `magic` is pcapng.
pub(super) fn is_magic(magic: [u8; 4]) -> bool {
    u32::from_le_bytes(magic) == kind::SECTION
}

/// A pcapng file being read.
pub(super) struct Ng {
    order: Order,
    interfaces: Interfaces,
    /// Time of the last frame, for those without.
    last: WallTime,
    clamped_times: u64,
}

/// A block whose bytes are at hand.
#[derive(Clone, Copy)]
struct Block {
    kind: u32,
    /// From its type to the next block.
    whole: usize,
}

impl Block {
    const fn body_bytes(self) -> usize {
        self.whole - HEADER_BYTES - TRAILER_BYTES
    }
}

impl Ng {
    /// Reads everything before the first packet.
    ///
    /// A file without a single interface of a supported link type by then is refused.
    pub(super) fn open(
        file: &str,
        interface: &str,
        buffer: &mut Buffer,
    ) -> Result<(Self, Option<End>), CaptureError> {
        let mut ng = Self {
            order: Order::Little,
            interfaces: Interfaces::new(interface),
            last: WallTime::default(),
            clamped_times: 0,
        };
        let end = loop {
            match ng.step_before_packets(buffer) {
                Ok(true) => {}
                Ok(false) => break None,
                Err(Stop::End(end)) if buffer.offset() > 0 => break Some(end),
                Err(stop) => return Err(in_header(file, "pcapng section", stop)),
            }
        };
        match ng.interfaces.refusal() {
            Some(number) => Err(CaptureError::LinkType {
                file: file.to_owned(),
                number,
            }),
            None => Ok((ng, end)),
        }
    }

    /// Finds the next frame, which the caller has to take from the buffer.
    #[inline]
    pub(super) fn next(&mut self, buffer: &mut Buffer) -> Result<Record, Stop> {
        loop {
            let block = self.block(buffer)?;
            let record = match block.kind {
                kind::ENHANCED_PACKET => self.enhanced(block, buffer)?,
                kind::SIMPLE_PACKET => self.simple(block, buffer)?,
                kind::OBSOLETE_PACKET => self.obsolete(block, buffer)?,
                _ => {
                    self.describe(block, buffer)?;
                    None
                }
            };
            if let Some(record) = record {
                return Ok(record);
            }
            buffer.take(block.whole, 0);
        }
    }

    pub(super) fn interfaces(&self) -> &[String] {
        self.interfaces.names()
    }

    pub(super) fn skipped(&self) -> &[SkippedLink] {
        self.interfaces.skipped()
    }

    pub(super) const fn clamped_times(&self) -> u64 {
        self.clamped_times
    }

    /// Reads one block unless it holds a packet, which it says by `false`.
    fn step_before_packets(&mut self, buffer: &mut Buffer) -> Result<bool, Stop> {
        let kind = self.order.u32(buffer.peek(0)?);
        if matches!(
            kind,
            kind::ENHANCED_PACKET | kind::SIMPLE_PACKET | kind::OBSOLETE_PACKET
        ) {
            return Ok(false);
        }
        let block = self.block(buffer)?;
        self.describe(block, buffer)?;
        buffer.take(block.whole, 0);
        Ok(true)
    }

    /// Brings the whole next block into the buffer.
    #[inline]
    fn block(&mut self, buffer: &mut Buffer) -> Result<Block, Stop> {
        let header = buffer.peek::<HEADER_BYTES>(0)?;
        let [mut kind, mut total] = self.order.words(&header);
        if kind == kind::SECTION {
            self.order = read_order(buffer)?;
            [kind, total] = self.order.words(&header);
        }
        let least = match kind {
            kind::SECTION => 28,
            kind::INTERFACE => 20,
            kind::OBSOLETE_PACKET | kind::ENHANCED_PACKET => 32,
            kind::SIMPLE_PACKET => 16,
            _ => 12,
        };
        if total < least || total > BLOCK_BYTES_MAX {
            return Err(buffer.damaged(Damage::BlockLength { kind, bytes: total }));
        }
        // Some writers state the length without the padding.
        let whole = total.next_multiple_of(4) as usize;
        buffer.need(whole)?;
        let trailing = self.order.u32(buffer.peek(whole - TRAILER_BYTES)?);
        if trailing != total {
            return Err(buffer.damaged(Damage::BlockTrailer {
                leading: total,
                trailing,
            }));
        }
        Ok(Block { kind, whole })
    }

    /// Reads a block that has no packet.
    #[cold]
    fn describe(&mut self, block: Block, buffer: &mut Buffer) -> Result<(), Stop> {
        match block.kind {
            kind::SECTION => {
                let [a, b, c, d] = buffer.peek(HEADER_BYTES + 4)?;
                let (major, minor) = (self.order.u16([a, b]), self.order.u16([c, d]));
                if !matches!((major, minor), (1, 0 | 2)) {
                    return Err(buffer.damaged(Damage::Version { major, minor }));
                }
                self.interfaces.begin_section();
                Ok(())
            }
            kind::INTERFACE => {
                let body = buffer
                    .record(block.whole - TRAILER_BYTES)
                    .get(HEADER_BYTES..)
                    .unwrap_or_default();
                self.interfaces
                    .add(self.order, body)
                    .map_err(|damage| buffer.damaged(damage))
            }
            _ => Ok(()),
        }
    }
}

/// The byte order of a section, from its byte-order magic.
fn read_order(buffer: &mut Buffer) -> Result<Order, Stop> {
    let magic = u32::from_le_bytes(buffer.peek(HEADER_BYTES)?);
    match magic {
        0x1a2b_3c4d => Ok(Order::Little),
        0x4d3c_2b1a => Ok(Order::Big),
        _ => Err(buffer.damaged(Damage::ByteOrder { magic })),
    }
}
