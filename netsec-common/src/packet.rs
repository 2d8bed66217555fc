//! From frame bytes to a flow key, or to the one counter that says why there is none.

mod bytes;
mod ethernet;
mod internet;
mod key;
pub(crate) mod plain;
mod transport;

pub(crate) use transport::tcp;

pub use bytes::{HeaderBytes, PacketBytes, SliceHeader};
pub(crate) use key::Sender;
pub use key::{Addresses, FlowKey, Vlan, protocol};

use crate::ledger::{Counter, Row};

/// A frame as the hook or the capture file gives it.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a, P> {
    /// The bytes at hand; fewer than `wire_bytes` when a capture cut the frame short.
    pub bytes: &'a P,
    /// Length on the wire, bytes, from the link header on.
    pub wire_bytes: u32,
    /// What the first byte is.
    pub start: Start,
    /// Another watched interface has counted it as it came in: it is forwarded, and left alone.
    pub counted_before: bool,
}

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// An Ethernet header.
    Ethernet,
    /// An Ethernet header whose outer VLAN tag lies beside the frame, as the kernel keeps it where
    /// the network card would put it in.
    Tagged {
        /// The tag's control information: VLAN identifier in the low twelve bits.
        tag: u16,
    },
    /// Another link header, already read: what it carries is `offset` bytes into the frame.
    Network {
        /// Ethernet type of what it carries: IP, or one more link header such as a VLAN tag.
        ethertype: u16,
        /// Bytes of link header to skip.
        offset: u8,
    },
}

/// What the flow cache accounts: the outermost IP packet of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The flow it belongs to.
    pub key: FlowKey,
    /// TCP flags (CWR 0x80 … FIN 0x01); zero for other protocols.
    pub tcp_flags: u8,
    /// Bytes after the transport header, by the IP length fields; 0 for a later fragment.
    pub payload_bytes: u32,
}

/// Reads the outermost IP packet of a frame, and counts what it meets on the way in `row`.
///
/// MPLS and PPPoE are read through. Reassembly is not done: a later fragment has no ports.
///
/// # Errors
///
/// The counter of class [`NotIp`](crate::ledger::Class::NotIp) or
/// [`Malformed`](crate::ledger::Class::Malformed) that explains why the frame is in no flow; it has
/// not been counted yet.
#[inline(always)]
pub fn parse<P: PacketBytes>(frame: &Frame<'_, P>, row: &Row) -> Result<Packet, Counter> {
    parse_from(frame, row, &mut Sender::default())
}

/// As [`parse`], and says who sent the packet even where the rest of it cannot be read.
#[inline(always)]
pub(crate) fn parse_from<P: PacketBytes>(
    frame: &Frame<'_, P>,
    row: &Row,
    sender: &mut Sender,
) -> Result<Packet, Counter> {
    let network = match frame.start {
        Start::Ethernet => ethernet::read(frame.bytes, row)?,
        Start::Tagged { tag } => ethernet::read_behind_tag(frame.bytes, tag, row)?,
        Start::Network { ethertype, offset } => {
            ethernet::read_tagged(frame.bytes, ethertype, usize::from(offset), row)?
        }
    };
    internet::read(frame, &network, row, sender)
}

#[cfg(test)]
mod tests;
