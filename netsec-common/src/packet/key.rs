//! The flow key: what makes packets one flow.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

mod inside;

use super::tunnel::ID_SHIFT;

/// IP protocol numbers the engine reads (IANA).
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP (RFC 2003).
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP (RFC 2473, RFC 4213).
    pub const IPV6: u8 = 41;
    /// Generic routing encapsulation (RFC 2784).
    pub const GRE: u8 = 47;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// IPv6 "no next header".
    pub const NO_NEXT_HEADER: u8 = 59;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// First half of every IPv4-mapped address (RFC 4291, 2.5.5.2).
const MAPPED_PREFIX_HIGH: u64 = 0;
/// `::ffff` in memory order, with room for the four address bytes.
const MAPPED_PREFIX: [u8; 4] = [0, 0, 0xff, 0xff];

/// One direction of a conversation: addresses, ports, protocol, VLAN tags, and the tunnel it is in.
/// 48 bytes.
///
/// IPv4 addresses are held IPv4-mapped. An IPv6 packet between two IPv4-mapped addresses, which no
/// host may send (RFC 4942, 2.2), thus shares the key of the IPv4 flow. Ports are zero for
/// protocols without ports and for later fragments; ICMP has its type and code in their place.
/// VLAN 0 is a priority tag and the same as no tag (802.1Q).
///
/// A flow inside of a tunnel is another one than a flow outside with the same addresses and ports,
/// and than one in a tunnel of another kind, identifier or depth. Of its VLAN tags the first counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct FlowKey {
    /// Network byte order in memory.
    source: [u64; 2],
    /// Network byte order in memory.
    destination: [u64; 2],
    /// Source port, destination port (16 bits each), protocol (8), outer and inner VLAN (12 each),
    /// from the low bits up. In a tunnel the last twelve bits are high bits of its identifier.
    tail: u64,
    /// [`TunnelBits`]; zero outside of tunnels.
    tunnel: u64,
}

const _: () = assert!(size_of::<FlowKey>() == 48);
const _: () = assert!(align_of::<FlowKey>() == 8);

impl FlowKey {
    /// A key from addresses as they stand in the packet.
    #[inline(always)]
    #[must_use]
    pub(super) const fn new(
        addresses: Addresses,
        ports: (u16, u16),
        protocol: u8,
        vlan: VlanBits,
    ) -> Self {
        Self {
            source: addresses.source,
            destination: addresses.destination,
            tail: ports.0 as u64 | (ports.1 as u64) << 16 | (protocol as u64) << 32 | vlan.0,
            tunnel: 0,
        }
    }

    /// A key from its parts, as logs and command lines have them.
    #[must_use]
    pub fn from_endpoints(
        source: SocketAddr,
        destination: SocketAddr,
        protocol: u8,
        vlan: Vlan,
    ) -> Self {
        Self::new(
            Addresses {
                source: to_words(source.ip()),
                destination: to_words(destination.ip()),
            },
            (source.port(), destination.port()),
            protocol,
            VlanBits::outer(vlan.outer).with_inner(vlan.inner),
        )
    }

    /// The same key, whose last word goes through `pass`.
    #[inline(always)]
    pub(super) fn with_tail(self, pass: impl FnOnce(u64) -> u64) -> Self {
        Self {
            tail: pass(self.tail),
            ..self
        }
    }

    /// The key as five words, for hashing and for a flow slot; what it says of a tunnel is
    /// [`tunnel_word`](Self::tunnel_word).
    #[inline(always)]
    #[must_use]
    pub const fn words(&self) -> [u64; 5] {
        let [s0, s1] = self.source;
        let [d0, d1] = self.destination;
        [s0, s1, d0, d1, self.tail]
    }

    /// The key outside of tunnels whose [`words`](Self::words) these are.
    #[inline(always)]
    #[must_use]
    pub const fn from_words([s0, s1, d0, d1, tail]: [u64; 5]) -> Self {
        Self {
            source: [s0, s1],
            destination: [d0, d1],
            tail,
            tunnel: 0,
        }
    }

    /// Source address.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        from_words(self.source)
    }

    /// Destination address.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        from_words(self.destination)
    }

    /// Source port, or ICMP type.
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        (self.tail & 0xffff) as u16
    }

    /// Destination port, or ICMP code.
    #[must_use]
    pub const fn destination_port(&self) -> u16 {
        (self.tail >> 16 & 0xffff) as u16
    }

    /// IP protocol number.
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        (self.tail >> 32 & 0xff) as u8
    }

    /// VLAN identifiers; of a flow in a tunnel that of the first tag inside.
    #[must_use]
    pub const fn vlan(&self) -> Vlan {
        Vlan {
            outer: (self.tail >> 40 & 0xfff) as u16,
            inner: if self.is_inner() {
                0
            } else {
                (self.tail >> ID_SHIFT) as u16
            },
        }
    }

    /// Whether the protocol is ICMP or ICMPv6, whose type and code stand in the port fields.
    #[must_use]
    pub const fn is_icmp(&self) -> bool {
        matches!(self.protocol(), protocol::ICMP | protocol::ICMPV6)
    }

    /// Whether the protocol has ports.
    #[must_use]
    pub const fn has_ports(&self) -> bool {
        matches!(
            self.protocol(),
            protocol::TCP | protocol::UDP | protocol::SCTP
        )
    }

    /// The key of the opposite direction: endpoints swapped, protocol, VLAN and tunnel kept.
    ///
    /// An ICMP query becomes its reply and the other way round, with the code kept; a type that is
    /// no half of such a pair, such as "destination unreachable", stays as it is.
    #[must_use]
    pub const fn reversed(&self) -> Self {
        let (first, second) = if self.is_icmp() {
            let answer = icmp_counterpart(self.protocol(), self.source_port());
            (answer, self.destination_port())
        } else {
            (self.destination_port(), self.source_port())
        };
        Self {
            source: self.destination,
            destination: self.source,
            tail: self.tail & !0xffff_ffff | first as u64 | (second as u64) << 16,
            tunnel: self.tunnel,
        }
    }
}

/// The other half of an ICMP query and its reply: RFC 792, 950 and 1256; RFC 2710, 4443, 4620, 4861
/// and 6275.
const fn icmp_counterpart(protocol: u8, kind: u16) -> u16 {
    match (protocol, kind) {
        (protocol::ICMP, 0) => 8,
        (protocol::ICMP, 8) => 0,
        (protocol::ICMP, 9 | 13 | 15 | 17) => kind + 1,
        (protocol::ICMP, 10 | 14 | 16 | 18) => kind - 1,
        (protocol::ICMPV6, 128 | 130 | 133 | 135 | 139 | 144) => kind + 1,
        (protocol::ICMPV6, 129 | 131 | 134 | 136 | 140 | 145) => kind - 1,
        _ => kind,
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "FlowKey({} {}:{} > {}:{} vlan {}.{})",
            self.protocol(),
            self.source(),
            self.source_port(),
            self.destination(),
            self.destination_port(),
            self.vlan().outer,
            self.vlan().inner,
        )?;
        match self.tunnel() {
            Some(tunnel) => write!(f, " in {tunnel:?}"),
            None => Ok(()),
        }
    }
}

/// Outer and inner VLAN identifier, 0 for none. 12 bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlan {
    /// The tag next to the Ethernet addresses.
    pub outer: u16,
    /// The second tag.
    pub inner: u16,
}

/// VLAN identifiers at their place in a key.
///
/// One word on the way from the link header to the key: two halves would pass through the BPF stack
/// apart and be read back together, which stalls the CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct VlanBits(u64);

impl VlanBits {
    /// The outer identifier, from the low twelve bits of a tag.
    #[inline(always)]
    pub(super) const fn outer(tag: u16) -> Self {
        Self((tag as u64 & 0xfff) << 40)
    }

    /// The inner identifier as well.
    #[inline(always)]
    pub(super) const fn with_inner(self, tag: u16) -> Self {
        Self(self.0 | (tag as u64 & 0xfff) << 52)
    }
}

/// Who sent a packet, as soon as its IP header has been read, and the protocol it names.
///
/// Nobody while the source is `::`, which no packet that matters has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    source: [u64; 2],
    protocol: u64,
}

impl Sender {
    #[inline(always)]
    pub(super) const fn new(addresses: &Addresses, protocol: u8) -> Self {
        Self {
            source: addresses.source,
            protocol: protocol as u64,
        }
    }

    /// A key that has this and nothing else: no ports, no destination.
    #[inline(always)]
    pub(crate) const fn key(&self) -> Option<FlowKey> {
        let [high, low] = self.source;
        if high | low == 0 {
            return None;
        }
        Some(FlowKey {
            source: self.source,
            destination: [0; 2],
            tail: self.protocol << 32,
            tunnel: 0,
        })
    }
}

/// Source and destination address, v4-mapped, in the memory order of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    pub(super) source: [u64; 2],
    pub(super) destination: [u64; 2],
}

impl Addresses {
    /// From two IPv4 addresses in the memory order of the packet.
    #[inline(always)]
    pub(super) const fn v4(source: u32, destination: u32) -> Self {
        Self {
            source: mapped(source),
            destination: mapped(destination),
        }
    }
}

impl Addresses {
    /// From source and destination as they stand side by side in an IPv4 header.
    #[expect(clippy::cast_possible_truncation, reason = "each has 32 bits")]
    #[inline(always)]
    pub(super) const fn v4_pair(pair: u64) -> Self {
        let (low, high) = (pair as u32, (pair >> 32) as u32);
        if cfg!(target_endian = "little") {
            Self::v4(low, high)
        } else {
            Self::v4(high, low)
        }
    }
}

#[inline(always)]
const fn mapped(address: u32) -> [u64; 2] {
    const PREFIX: u64 = {
        let [p, q, r, s] = MAPPED_PREFIX;
        u64::from_ne_bytes([p, q, r, s, 0, 0, 0, 0])
    };
    let last_four = if cfg!(target_endian = "little") {
        (address as u64) << 32
    } else {
        address as u64
    };
    [MAPPED_PREFIX_HIGH, PREFIX | last_four]
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each half of an IPv6 address has 64 bits"
)]
fn to_words(address: IpAddr) -> [u64; 2] {
    match address {
        IpAddr::V4(v4) => mapped(u32::from_ne_bytes(v4.octets())),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [
                ((bits >> 64) as u64).to_be(),
                ((bits & u128::from(u64::MAX)) as u64).to_be(),
            ]
        }
    }
}

fn from_words([high, low]: [u64; 2]) -> IpAddr {
    let [p, q, r, s, a, b, c, d] = low.to_ne_bytes();
    if high == MAPPED_PREFIX_HIGH && [p, q, r, s] == MAPPED_PREFIX {
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    let bits = u128::from(u64::from_be(high)) << 64 | u128::from(u64::from_be(low));
    IpAddr::V6(Ipv6Addr::from_bits(bits))
}
