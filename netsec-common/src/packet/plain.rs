//! Plain packets: what nearly every frame is, read with few loads.
//!
//! TCP or UDP over IPv4 without options or over IPv6 without extension headers, in Ethernet with at
//! most one VLAN tag, no fragment, every length as it should be. Whatever is the least bit different
//! is `None` here and read by [`parse`](super::parse); of a plain packet both say the same.

use super::ethernet::{ethertype, is_tag};
use super::key::{Addresses, FlowKey, VlanBits, protocol};
use super::transport::tcp;
use super::{Frame, HeaderBytes as _, PacketBytes, Start};
use crate::ledger::PlainKind;

const ETHERNET_BYTES: usize = 14;
const VLAN_BYTES: usize = 4;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const TCP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
/// IPv4 without options.
const IPV4_VERSION_AND_LENGTH: u8 = 0x45;
/// "More fragments" and the fragment's place.
const IPV4_FRAGMENT: u16 = 0x3fff;

/// The link header of a frame.
#[derive(Clone, Copy)]
struct Link {
    /// Bits of a [`PlainKind`].
    kind: u64,
    vlan: VlanBits,
    offset: usize,
}

/// A plain packet.
#[derive(Clone, Copy)]
pub(crate) struct Plain {
    pub(crate) key: FlowKey,
    /// In one word, for the way through the kernel side's calls: TCP flags, zero for UDP; from
    /// [`KIND_SHIFT`] on its [`PlainKind`]; from [`WIRE_SHIFT`] on the length on the wire.
    traits: u64,
}

const KIND_SHIFT: u32 = 8;
const WIRE_SHIFT: u32 = 32;

impl Plain {
    /// A plain packet of IPv4.
    #[inline(always)]
    pub(crate) fn read_v4<P: PacketBytes>(frame: &Frame<'_, P>) -> Option<Self> {
        read_v4(frame, &link(frame, ethertype::IPV4)?)
    }

    /// A plain packet of IPv6.
    #[inline(always)]
    pub(crate) fn read_v6<P: PacketBytes>(frame: &Frame<'_, P>) -> Option<Self> {
        read_v6(frame, &link(frame, ethertype::IPV6)?)
    }

    /// TCP flags; zero for UDP.
    #[inline(always)]
    pub(crate) const fn tcp_flags(&self) -> u8 {
        // Never a SYN, which spares the kernel side the question whether it opens a flow.
        (self.traits & 0xff) as u8 & !tcp::SYN
    }

    /// Length of the frame on the wire, bytes.
    #[inline(always)]
    pub(crate) const fn wire_bytes(&self) -> u32 {
        (self.traits >> WIRE_SHIFT) as u32
    }

    /// What it is counted as.
    #[inline(always)]
    pub(crate) const fn kind(&self) -> PlainKind {
        PlainKind(self.traits >> KIND_SHIFT & 7)
    }
}

/// Reads a link header that names this Ethernet type.
#[inline(always)]
fn link<P: PacketBytes>(frame: &Frame<'_, P>, wanted: u16) -> Option<Link> {
    let mut vlan = VlanBits::default();
    let mut offset = ETHERNET_BYTES;
    let header = frame.bytes.header::<ETHERNET_BYTES>(0)?;
    let mut kind = header.be16::<12>();
    let mut tagged = 0;
    match frame.start {
        Start::Ethernet => {
            if is_tag(kind) {
                let tag = frame.bytes.header::<VLAN_BYTES>(ETHERNET_BYTES)?;
                vlan = VlanBits::outer(tag.be16::<0>());
                kind = tag.be16::<2>();
                offset += VLAN_BYTES;
                tagged = PlainKind::TAGGED;
            }
        }
        Start::Tagged { tag } => {
            vlan = VlanBits::outer(tag);
            tagged = PlainKind::TAGGED;
        }
        Start::Network { .. } => return None,
    }
    let version = if wanted == ethertype::IPV6 {
        PlainKind::V6
    } else {
        0
    };
    (kind == wanted).then_some(Link {
        kind: tagged | version,
        vlan,
        offset,
    })
}

/// Reads what follows a link header that names IPv4.
#[inline(always)]
fn read_v4<P: PacketBytes>(frame: &Frame<'_, P>, link: &Link) -> Option<Plain> {
    let header = frame.bytes.header::<IPV4_BYTES>(link.offset)?;
    let total = usize::from(header.be16::<2>());
    if header.byte::<0>() != IPV4_VERSION_AND_LENGTH
        || header.be16::<6>() & IPV4_FRAGMENT != 0
        || link.offset + total > frame.wire_bytes as usize
    {
        return None;
    }
    let pair = P::settle(header.word64::<12>());
    let transport = Transport {
        protocol: header.byte::<9>(),
        offset: link.offset + IPV4_BYTES,
        bytes: total.checked_sub(IPV4_BYTES)?,
    };
    transport.read(frame, link, Addresses::v4_pair(pair))
}

/// Reads what follows a link header that names IPv6.
#[inline(always)]
fn read_v6<P: PacketBytes>(frame: &Frame<'_, P>, link: &Link) -> Option<Plain> {
    let header = frame.bytes.header::<IPV6_BYTES>(link.offset)?;
    let bytes = usize::from(header.be16::<4>());
    let offset = link.offset + IPV6_BYTES;
    if header.byte::<0>() >> 4 != 6 || offset + bytes > frame.wire_bytes as usize {
        return None;
    }
    let addresses = Addresses {
        source: [header.word64::<8>(), header.word64::<16>()],
        destination: [header.word64::<24>(), header.word64::<32>()],
    };
    let transport = Transport {
        protocol: header.byte::<6>(),
        offset,
        bytes,
    };
    transport.read(frame, link, addresses)
}

/// Where the transport header is.
struct Transport {
    protocol: u8,
    offset: usize,
    /// From here to the end of the IP packet. A length of zero, which means something else, leaves no
    /// room for any header.
    bytes: usize,
}

impl Transport {
    #[inline(always)]
    fn read<P: PacketBytes>(
        &self,
        frame: &Frame<'_, P>,
        link: &Link,
        addresses: Addresses,
    ) -> Option<Plain> {
        let (ports, tcp_flags, transport) = match self.protocol {
            protocol::TCP => {
                let (ports, flags) = self.read_tcp(frame)?;
                (ports, flags, 0)
            }
            protocol::UDP => (self.read_udp(frame)?, 0, PlainKind::UDP),
            _ => return None,
        };
        let traits = u64::from(tcp_flags)
            | (link.kind | transport) << KIND_SHIFT
            | u64::from(frame.wire_bytes) << WIRE_SHIFT;
        let key = FlowKey::new(addresses, ports, self.protocol, link.vlan);
        Some(Plain {
            key: key.with_tail(P::settle),
            traits: P::settle(traits),
        })
    }

    /// Ports and flags of a segment that is counted as TCP and as nothing else: with flags, of which
    /// none is SYN or RST.
    #[inline(always)]
    fn read_tcp<P: PacketBytes>(&self, frame: &Frame<'_, P>) -> Option<((u16, u16), u8)> {
        let header = frame.bytes.header::<TCP_BYTES>(self.offset)?;
        let header_bytes = usize::from(header.byte::<12>() >> 4) * 4;
        let flags = header.byte::<13>();
        if header_bytes < TCP_BYTES
            || header_bytes > self.bytes
            || flags & (tcp::SYN | tcp::RST) != 0
            || flags == 0
        {
            return None;
        }
        Some(((header.be16::<0>(), header.be16::<2>()), flags))
    }

    #[inline(always)]
    fn read_udp<P: PacketBytes>(&self, frame: &Frame<'_, P>) -> Option<(u16, u16)> {
        let header = frame.bytes.header::<UDP_BYTES>(self.offset)?;
        let length = usize::from(header.be16::<4>());
        (length >= UDP_BYTES && length <= self.bytes)
            .then(|| (header.be16::<0>(), header.be16::<2>()))
    }
}
