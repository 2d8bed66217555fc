//! Transport headers: ports, TCP flags, ICMP type and code.

use super::key::{Addresses, FlowKey, VlanBits, protocol};
use super::{HeaderBytes as _, Packet, PacketBytes};
use crate::ledger::{Counter, Tally};

const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const SCTP_BYTES: usize = 12;
const ICMP_BYTES: usize = 8;
const ICMPV6_BYTES: usize = 4;

/// TCP flag bits (RFC 9293, 3.1).
pub(crate) mod tcp {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const ACK: u8 = 0x10;
}

/// What an IP header says of its payload.
#[derive(Clone, Copy)]
pub(super) struct Payload {
    pub(super) protocol: u8,
    pub(super) offset: usize,
    /// End of the IP packet in the frame; link padding may follow.
    pub(super) end: usize,
    /// The packet is a fragment, first or later, of something longer.
    pub(super) fragment: bool,
    pub(super) later_fragment: bool,
    /// The IP header says where the packet ends; otherwise `end` is the end of the frame.
    pub(super) length_stated: bool,
}

/// What a transport header gives: the two port fields, TCP flags, its own length.
struct Header {
    ports: (u16, u16),
    tcp_flags: u8,
    bytes: usize,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`end` is at most `wire_bytes`, which has 32 bits"
)]
#[inline(always)]
pub(super) fn read<P: PacketBytes>(
    bytes: &P,
    addresses: Addresses,
    vlan: VlanBits,
    payload: &Payload,
    row: &impl Tally,
) -> Result<Packet, Counter> {
    let header = if payload.later_fragment {
        row.count(Counter::LaterFragments);
        Header {
            ports: (0, 0),
            tcp_flags: 0,
            bytes: payload.end.saturating_sub(payload.offset),
        }
    } else {
        read_header(bytes, payload, row)?
    };
    Ok(Packet {
        key: FlowKey::new(addresses, header.ports, payload.protocol, vlan),
        tcp_flags: header.tcp_flags,
        payload_bytes: payload
            .end
            .saturating_sub(payload.offset)
            .saturating_sub(header.bytes) as u32,
    })
}

#[inline(always)]
fn read_header<P: PacketBytes>(
    bytes: &P,
    payload: &Payload,
    row: &impl Tally,
) -> Result<Header, Counter> {
    match payload.protocol {
        protocol::TCP => read_tcp(bytes, payload, row),
        protocol::UDP => read_udp(bytes, payload, row),
        protocol::SCTP => {
            let header = within::<_, SCTP_BYTES>(bytes, payload).ok_or(Counter::SctpTruncated)?;
            row.count(Counter::Sctp);
            Ok(Header {
                ports: (header.be16::<0>(), header.be16::<2>()),
                tcp_flags: 0,
                bytes: SCTP_BYTES,
            })
        }
        protocol::ICMP => {
            let header = within::<_, ICMP_BYTES>(bytes, payload).ok_or(Counter::IcmpTruncated)?;
            row.count(Counter::Icmp);
            Ok(icmp(header.byte::<0>(), header.byte::<1>(), ICMP_BYTES))
        }
        protocol::ICMPV6 => {
            let header =
                within::<_, ICMPV6_BYTES>(bytes, payload).ok_or(Counter::Icmpv6Truncated)?;
            row.count(Counter::Icmpv6);
            Ok(icmp(header.byte::<0>(), header.byte::<1>(), ICMPV6_BYTES))
        }
        _ => {
            row.count(Counter::OtherTransport);
            Ok(Header {
                ports: (0, 0),
                tcp_flags: 0,
                bytes: 0,
            })
        }
    }
}

#[inline(always)]
const fn icmp(kind: u8, code: u8, bytes: usize) -> Header {
    Header {
        ports: (kind as u16, code as u16),
        tcp_flags: 0,
        bytes,
    }
}

#[inline(always)]
fn read_tcp<P: PacketBytes>(
    bytes: &P,
    payload: &Payload,
    row: &impl Tally,
) -> Result<Header, Counter> {
    let header = within::<_, TCP_BYTES>(bytes, payload).ok_or(Counter::TcpTruncated)?;
    let flags = header.byte::<13>();
    let header_bytes = usize::from(header.byte::<12>() >> 4) * 4;
    if header_bytes < TCP_BYTES || payload.offset + header_bytes > payload.end {
        return Err(Counter::TcpDataOffset);
    }
    row.count(Counter::Tcp);
    match flags & (tcp::SYN | tcp::ACK) {
        tcp::SYN => row.count(Counter::TcpSyn),
        syn_ack if syn_ack == tcp::SYN | tcp::ACK => row.count(Counter::TcpSynAck),
        _ => {}
    }
    if flags & tcp::RST != 0 {
        row.count(Counter::TcpRst);
    }
    if flags == 0 {
        row.count(Counter::TcpNull);
    }
    Ok(Header {
        ports: (header.be16::<0>(), header.be16::<2>()),
        tcp_flags: flags,
        bytes: header_bytes,
    })
}

#[inline(always)]
fn read_udp<P: PacketBytes>(
    bytes: &P,
    payload: &Payload,
    row: &impl Tally,
) -> Result<Header, Counter> {
    let header = within::<_, UDP_BYTES>(bytes, payload).ok_or(Counter::UdpTruncated)?;
    let length = usize::from(header.be16::<4>());
    // A first fragment's datagram is longer than the fragment; a jumbogram's length is zero.
    let whole = payload.length_stated && !payload.fragment;
    if whole && (length < UDP_BYTES || payload.offset + length > payload.end) {
        return Err(Counter::UdpLength);
    }
    row.count(Counter::Udp);
    Ok(Header {
        ports: (header.be16::<0>(), header.be16::<2>()),
        tcp_flags: 0,
        bytes: UDP_BYTES,
    })
}

/// Reads a header that must lie inside the IP packet, not in the link padding behind it.
#[inline(always)]
fn within<'a, P: PacketBytes, const N: usize>(
    bytes: &'a P,
    payload: &Payload,
) -> Option<P::Header<'a, N>> {
    if payload.offset + N > payload.end {
        return None;
    }
    bytes.header(payload.offset)
}
