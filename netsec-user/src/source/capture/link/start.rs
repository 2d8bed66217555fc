//! Link headers other than Ethernet, up to the network header.

use netsec_common::packet::Start;

use super::Link;

/// Ethernet types (IANA "IEEE 802 numbers") that link headers stand for.
mod ethertype {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const APPLETALK: u16 = 0x809b;
    pub(super) const IPX: u16 = 0x8137;
    pub(super) const IPV6: u16 = 0x86dd;
    /// PPP that is neither IP nor MPLS.
    pub(super) const PPP: u16 = 0x880b;
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    /// Any value up to 1500 is a length, and says that LLC follows.
    pub(super) const LLC: u16 = 0;
    pub(super) const MAX_LENGTH: u16 = 1500;
    /// Reserved, so no protocol: the engine counts it as an Ethernet type it does not know.
    pub(super) const NONE: u16 = 0xffff;
}

const LOOPBACK_BYTES: u8 = 4;
const COOKED_BYTES: u8 = 16;
const COOKED2_BYTES: u8 = 20;
const CISCO_HDLC_BYTES: u8 = 4;

/// `ARPHRD_NETLINK`: the protocol field is a netlink family.
const HARDWARE_NETLINK: [u8; 2] = [0x03, 0x38];

pub(super) fn network(link: Link, frame: &[u8]) -> Start {
    let (ethertype, offset) = match link {
        Link::Ipv4 => (ethertype::IPV4, 0),
        Link::Ipv6 => (ethertype::IPV6, 0),
        Link::Ip => (read_version(frame), 0),
        Link::Loopback => (read_loopback(frame), LOOPBACK_BYTES),
        Link::Cooked => (read_cooked(frame), COOKED_BYTES),
        Link::Cooked2 => (read_cooked2(frame), COOKED2_BYTES),
        Link::Ppp => read_ppp(frame),
        Link::PppHdlc => match frame {
            [0x0f | 0x8f, ..] => (read_cisco_hdlc(frame), CISCO_HDLC_BYTES),
            _ => read_ppp(frame),
        },
        Link::Pppoe => (ethertype::PPPOE_SESSION, 0),
        Link::CiscoHdlc => (read_cisco_hdlc(frame), CISCO_HDLC_BYTES),
        Link::Ethernet => return Start::Ethernet,
    };
    Start::Network { ethertype, offset }
}

/// A version that is neither goes to the engine as IPv4, which counts it as a wrong version.
fn read_version(frame: &[u8]) -> u16 {
    match frame {
        [0x60..=0x6f, ..] => ethertype::IPV6,
        _ => ethertype::IPV4,
    }
}

/// `AF_` number, in the byte order of the capturing host for link type 0, big-endian for 108;
/// families are below 2¹⁶, so the order shows.
fn read_loopback(frame: &[u8]) -> u16 {
    let Some(word) = frame.first_chunk().copied() else {
        return ethertype::IPV4;
    };
    let family = match u32::from_le_bytes(word) {
        little @ ..=0xffff => little,
        _ => u32::from_be_bytes(word),
    };
    match family {
        2 => ethertype::IPV4,
        16 => ethertype::APPLETALK,
        23 => ethertype::IPX,
        // Linux; NetBSD, OpenBSD, BSD/OS; FreeBSD; macOS.
        10 | 24 | 28 | 30 => ethertype::IPV6,
        _ => ethertype::NONE,
    }
}

/// Packet type 2, hardware type 2, address length 2, address 8, protocol 2.
fn read_cooked(frame: &[u8]) -> u16 {
    match frame {
        [_, _, h0, h1, _, _, _, _, _, _, _, _, _, _, p0, p1, ..] => {
            cooked_protocol([*h0, *h1], [*p0, *p1])
        }
        _ => ethertype::IPV4,
    }
}

/// Protocol 2, reserved 2, interface 4, hardware type 2, packet type 1, address length 1, address 8.
fn read_cooked2(frame: &[u8]) -> u16 {
    match frame.first_chunk::<{ COOKED2_BYTES as usize }>() {
        Some([p0, p1, _, _, _, _, _, _, h0, h1, ..]) => cooked_protocol([*h0, *h1], [*p0, *p1]),
        None => ethertype::IPV4,
    }
}

fn cooked_protocol(hardware: [u8; 2], protocol: [u8; 2]) -> u16 {
    match u16::from_be_bytes(protocol) {
        _ if hardware == HARDWARE_NETLINK => ethertype::NONE,
        // `LINUX_SLL_P_802_2`.
        4 => ethertype::LLC,
        ..=ethertype::MAX_LENGTH => ethertype::NONE,
        protocol => protocol,
    }
}

/// RFC 1662 address and control bytes if they are there, then one or two bytes of protocol
/// (RFC 1661, 2 and 6.5: the last byte of a protocol number is odd, the first even).
fn read_ppp(frame: &[u8]) -> (u16, u8) {
    let (packet, offset) = match frame {
        [0xff, 0x03, packet @ ..] => (packet, 2),
        packet => (packet, 0),
    };
    match *packet {
        [low, ..] if low & 1 == 1 => (ppp_protocol(u16::from(low)), offset + 1),
        [high, low, ..] => (ppp_protocol(u16::from_be_bytes([high, low])), offset + 2),
        _ => (ethertype::IPV4, offset + 2),
    }
}

const fn ppp_protocol(protocol: u16) -> u16 {
    match protocol {
        0x0021 => ethertype::IPV4,
        0x0057 => ethertype::IPV6,
        0x0281 => ethertype::MPLS,
        0x0283 => ethertype::MPLS_UPSTREAM,
        _ => ethertype::PPP,
    }
}

/// Address 1, control 1, Ethernet type 2; 0x8035 is Cisco's keep-alive here, not RARP.
fn read_cisco_hdlc(frame: &[u8]) -> u16 {
    match *frame {
        [_, _, high, low, ..] => match u16::from_be_bytes([high, low]) {
            ..=ethertype::MAX_LENGTH | 0x8035 => ethertype::NONE,
            ethertype => ethertype,
        },
        _ => ethertype::IPV4,
    }
}
