//! Frames made for the self-test, byte by byte.

use std::net::{IpAddr, SocketAddr};

use netsec_common::packet::protocol;

const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const IPV6_FRAGMENT: u8 = 44;

/// What carries the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// All addresses as IPv6: 10.x.y.z is in fd00::/96, others in 2001:db8::/96.
    pub ipv6: bool,
    /// A VLAN tag.
    pub vlan: Option<u16>,
}

impl Link {
    /// An address as it is on this link.
    #[must_use]
    pub fn address(self, address: [u8; 4]) -> IpAddr {
        if !self.ipv6 {
            return address.into();
        }
        let prefix: u128 = if address.first() == Some(&10) {
            0xfd00 << 112
        } else {
            0x2001_0db8 << 96
        };
        IpAddr::V6((prefix | u128::from(u32::from_be_bytes(address))).into())
    }

    /// A TCP segment with so many bytes of data.
    #[must_use]
    pub fn tcp(self, from: SocketAddr, to: SocketAddr, flags: u8, data: usize) -> Vec<u8> {
        let mut segment = ports(from, to);
        segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 5 << 4, flags, 0x20, 0, 0, 0, 0, 0]);
        segment.resize(segment.len() + data, b'x');
        self.packet(from.ip(), to.ip(), protocol::TCP, &segment)
    }

    /// A UDP datagram.
    #[must_use]
    pub fn udp(self, from: SocketAddr, to: SocketAddr, data: &[u8]) -> Vec<u8> {
        let mut datagram = ports(from, to);
        datagram.extend(length(8 + data.len()));
        datagram.extend([0, 0]);
        datagram.extend(data);
        self.packet(from.ip(), to.ip(), protocol::UDP, &datagram)
    }

    /// An ICMP echo, or the reply to one, with so many bytes of data.
    #[must_use]
    pub fn echo(self, from: IpAddr, to: IpAddr, is_reply: bool, data: usize) -> Vec<u8> {
        let (number, kind) = match (self.ipv6, is_reply) {
            (false, false) => (protocol::ICMP, 8),
            (false, true) => (protocol::ICMP, 0),
            (true, false) => (protocol::ICMPV6, 128),
            (true, true) => (protocol::ICMPV6, 129),
        };
        let mut message = vec![kind, 0, 0, 0, 0, 1, 0, 1];
        message.resize(message.len() + data, b'x');
        self.packet(from, to, number, &message)
    }

    /// A later fragment of a UDP datagram.
    #[must_use]
    pub fn later_fragment(self, from: IpAddr, to: IpAddr, data: usize) -> Vec<u8> {
        /// In units of eight bytes.
        const OFFSET: u16 = 185;
        let data = vec![b'x'; data];
        if !self.ipv6 {
            return self.ipv4(from, to, protocol::UDP, &data, OFFSET);
        }
        let mut payload = vec![protocol::UDP, 0];
        payload.extend((OFFSET << 3).to_be_bytes());
        payload.extend([0, 0, 0, 1]);
        payload.extend(data);
        self.packet(from, to, IPV6_FRAGMENT, &payload)
    }

    /// The first packet of an SCTP association: INIT with its fixed part (RFC 9260, 3.3.2).
    #[cfg(test)]
    pub(super) fn sctp_init(self, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
        let mut packet = ports(from, to);
        packet.extend([0; 8]);
        packet.extend([
            1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 128, 0, 0, 10, 8, 0, 0, 0, 0, 1,
        ]);
        self.packet(from.ip(), to.ip(), protocol::SCTP, &packet)
    }

    /// That a UDP port is closed, about the frame that asked.
    #[cfg(test)]
    pub(super) fn port_unreachable(self, from: IpAddr, to: IpAddr, asked: &[u8]) -> Vec<u8> {
        let link_bytes = self.ethernet(0).len();
        let (number, kind, code) = if self.ipv6 {
            (protocol::ICMPV6, 1, 4)
        } else {
            (protocol::ICMP, 3, 3)
        };
        let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
        message.extend(asked.iter().skip(link_bytes));
        self.packet(from, to, number, &message)
    }

    fn packet(self, from: IpAddr, to: IpAddr, number: u8, payload: &[u8]) -> Vec<u8> {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (from, to) else {
            return self.ipv4(from, to, number, payload, 0);
        };
        let mut frame = self.ethernet(ETHERTYPE_IPV6);
        frame.extend([0x60, 0, 0, 0]);
        frame.extend(length(payload.len()));
        frame.extend([number, 64]);
        frame.extend(source.octets());
        frame.extend(destination.octets());
        frame.extend(payload);
        frame
    }

    fn ipv4(self, from: IpAddr, to: IpAddr, number: u8, payload: &[u8], offset: u16) -> Vec<u8> {
        let mut frame = self.ethernet(ETHERTYPE_IPV4);
        frame.extend([0x45, 0]);
        frame.extend(length(20 + payload.len()));
        frame.extend([0, 1]);
        frame.extend(offset.to_be_bytes());
        frame.extend([64, number, 0, 0]);
        for address in [from, to] {
            if let IpAddr::V4(address) = address {
                frame.extend(address.octets());
            }
        }
        frame.extend(payload);
        frame
    }

    fn ethernet(self, ethertype: u16) -> Vec<u8> {
        let mut header = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        if let Some(vlan) = self.vlan {
            header.extend(ETHERTYPE_VLAN.to_be_bytes());
            header.extend(vlan.to_be_bytes());
        }
        header.extend(ethertype.to_be_bytes());
        header
    }
}

fn ports(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    [from.port().to_be_bytes(), to.port().to_be_bytes()].concat()
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}
