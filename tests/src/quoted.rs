//! Packets inside packets: what an ICMP error quotes, and what GRE carries.
//!
//! netsec counts a frame by its outermost IP header. Packet analysers that search a frame for a TCP
//! header, at whatever depth, count some frames otherwise; this is how to tell which.

use std::net::IpAddr;

use etherparse::{EtherType, IpNumber, LaxNetSlice, LaxSlicedPacket};
use netsec_common::packet::Start;
use netsec_user::source::capture::CaptureFrame;

/// What stands around the inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// An error message of ICMP (RFC 792) or ICMPv6 (RFC 4443), of this type.
    IcmpError(u8),
    /// Generic routing encapsulation (RFC 2784).
    Gre,
}

/// A transport header that is not the frame's outermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// What it is in.
    pub carrier: Carrier,
    /// Source and destination of the outermost IP header.
    pub outer: (IpAddr, IpAddr),
    /// Source and destination of the inner one.
    pub inner: (IpAddr, IpAddr),
    /// TCP (6) or UDP (17).
    pub protocol: u8,
    /// Source and destination port of the inner packet.
    pub ports: (u16, u16),
    /// TCP flags, when the quote reaches as far.
    pub tcp_flags: Option<u8>,
}

/// The inner TCP or UDP header of a frame, if it has one.
#[must_use]
pub fn quoted(frame: &CaptureFrame<'_>) -> Option<Quoted> {
    let packet = match frame.start {
        Start::Ethernet | Start::Tagged { .. } => {
            LaxSlicedPacket::from_ethernet(frame.bytes).ok()?
        }
        Start::Network { ethertype, offset } => {
            let bytes = frame.bytes.get(usize::from(offset)..)?;
            LaxSlicedPacket::from_ether_type(EtherType(ethertype), bytes)
        }
    };
    let (outer, protocol, payload) = network(&packet)?;
    let (carrier, inner) = match protocol {
        IpNumber::GRE => (Carrier::Gre, behind_gre(payload)?),
        IpNumber::ICMP | IpNumber::IPV6_ICMP => {
            let kind = *payload.first()?;
            let is_error = match protocol {
                IpNumber::ICMP => matches!(kind, 3..=5 | 11 | 12),
                _ => matches!(kind, 1..=4),
            };
            (
                Carrier::IcmpError(kind),
                payload.get(8..).filter(|_| is_error)?,
            )
        }
        _ => return None,
    };
    let inner = LaxSlicedPacket::from_ip(inner).ok()?;
    let (addresses, protocol, transport) = network(&inner)?;
    let (IpNumber::TCP | IpNumber::UDP) = protocol else {
        return None;
    };
    let port = |at: usize| {
        let bytes = transport.get(at..)?.first_chunk()?;
        Some(u16::from_be_bytes(*bytes))
    };
    Some(Quoted {
        carrier,
        outer,
        inner: addresses,
        protocol: protocol.0,
        ports: (port(0)?, port(2)?),
        tcp_flags: transport.get(13).copied(),
    })
}

/// Addresses, protocol and payload of an IP packet that is whole or a first fragment.
fn network<'a>(packet: &LaxSlicedPacket<'a>) -> Option<((IpAddr, IpAddr), IpNumber, &'a [u8])> {
    let (addresses, payload): ((IpAddr, IpAddr), _) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            if header.fragments_offset().value() != 0 {
                return None;
            }
            let addresses = (header.source_addr(), header.destination_addr());
            ((addresses.0.into(), addresses.1.into()), ip.payload())
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let addresses = (header.source_addr(), header.destination_addr());
            ((addresses.0.into(), addresses.1.into()), ip.payload())
        }
        LaxNetSlice::Arp(_) => return None,
    };
    Some((addresses, payload.ip_number, payload.payload))
}

/// The IPv4 packet in a GRE packet: behind 4 bytes, and 4 more for each of checksum, key and
/// sequence number (RFC 2890).
fn behind_gre(packet: &[u8]) -> Option<&[u8]> {
    let [flags, _, 0x08, 0x00] = packet.first_chunk()? else {
        return None;
    };
    let optional = (flags & 0b1011_0000).count_ones() as usize;
    packet.get(4 + 4 * optional..)
}
