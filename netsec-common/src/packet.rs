//! From frame bytes to a flow key, or to the one counter that says why there is none.

mod bytes;
mod ethernet;
mod internet;
mod key;
pub(crate) mod plain;
mod transport;
mod tunnel;

pub(crate) use transport::tcp;

pub use bytes::{HeaderBytes, OFFSET_LIMIT, PacketBytes, SliceHeader};
pub(crate) use key::Sender;
pub use key::{Addresses, FlowKey, Vlan, protocol};
pub use tunnel::{Opened, Opening, Refusal, TUNNELS_MAX, Tunnel, TunnelKind, layers};

use crate::ledger::{Counter, Tally};

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

impl Packet {
    /// The same, but that the verifier does not walk what follows once for each protocol.
    #[expect(clippy::cast_possible_truncation, reason = "merged to 8 bits")]
    #[inline(always)]
    pub(crate) fn merged<P: PacketBytes>(self, bytes: &P) -> Self {
        Self {
            key: self.key.merged(bytes),
            tcp_flags: bytes.merge::<8>(usize::from(self.tcp_flags)) as u8,
            ..self
        }
    }
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
pub fn parse<P: PacketBytes>(frame: &Frame<'_, P>, row: &impl Tally) -> Result<Packet, Counter> {
    parse_from(frame, row, &mut Sender::default()).map(|(packet, _)| packet)
}

/// As [`parse`], and says where in the packet a tunnel begins.
///
/// # Errors
///
/// As [`parse`].
#[inline(always)]
pub fn parse_carrier<P: PacketBytes>(
    frame: &Frame<'_, P>,
    row: &impl Tally,
) -> Result<(Packet, Option<Opening>), Counter> {
    parse_from(frame, row, &mut Sender::default())
}

/// As [`parse_carrier`], and says who sent the packet even where the rest of it cannot be read.
#[inline(always)]
pub(crate) fn parse_from<P: PacketBytes>(
    frame: &Frame<'_, P>,
    row: &impl Tally,
    sender: &mut Sender,
) -> Result<(Packet, Option<Opening>), Counter> {
    let network = match frame.start {
        Start::Ethernet => ethernet::read(frame.bytes, row)?,
        Start::Tagged { tag } => ethernet::read_behind_tag(frame.bytes, tag, row)?,
        Start::Network { ethertype, offset } => {
            ethernet::read_tagged(frame.bytes, ethertype, usize::from(offset), row)?
        }
    };
    let (packet, payload) = internet::read(frame, &network, row, sender)?;
    let opening = Opening::of(&packet.key, &payload);
    Ok((packet, opening.map(|opening| opening.merged(frame.bytes))))
}

#[cfg(test)]
mod tests;
