//! Link headers: addresses, VLAN tags, and what carries IP besides plain Ethernet.

use std::fmt;
use std::net::Ipv4Addr;

use etherparse::{
    ArpPacketSlice, EtherType, LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice,
};
use netsec_common::ledger::{Class, Counter};
use netsec_common::packet::{Packet, Start, Vlan};

use super::{Arp, Content, internet, names};

/// Values of the Ethernet type field up to here are IEEE 802.3 lengths.
const MAX_LENGTH: u16 = 1500;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const MACSEC: u16 = 0x88e5;
const MPLS: u16 = 0x8847;
const MPLS_UPSTREAM: u16 = 0x8848;
const PPPOE_SESSION: u16 = 0x8864;
/// As deep as the engine follows a label stack.
const MPLS_LABELS_MAX: usize = 8;

/// What precedes the network header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Source and destination, when the capture has Ethernet headers.
    pub addresses: Option<(Mac, Mac)>,
    /// VLAN identifiers from the outermost in; empty for most frames.
    pub vlans: Vec<u16>,
    /// Ethernet type after the VLAN tags; `None` for an 802.3 length or a frame cut before it.
    pub ethertype: Option<u16>,
    /// What carries the IP packet, when it is not the Ethernet type itself.
    pub carrier: Option<Carrier>,
}

impl Link {
    /// The outer two VLAN identifiers, as a flow key has them.
    #[must_use]
    pub fn vlan(&self) -> Vlan {
        let mut vlans = self.vlans.iter().copied();
        Vlan {
            outer: vlans.next().unwrap_or_default(),
            inner: vlans.next().unwrap_or_default(),
        }
    }
}

/// What may stand between the Ethernet type and an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A label stack (RFC 3032).
    Mpls,
    /// A PPPoE session (RFC 2516).
    Pppoe,
    /// IEEE 802.2 with SNAP (RFC 1042).
    Snap,
}

impl Carrier {
    /// Its name in outputs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mpls => "MPLS",
            Self::Pppoe => "PPPoE",
            Self::Snap => "SNAP",
        }
    }
}

/// A 48-bit link address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// Reads the link headers and what they carry. `flow` is the engine's reading of the same frame:
/// what it takes for no IP packet is shown as none, even where another reading would go on.
pub(super) fn read(bytes: &[u8], start: Start, flow: Result<&Packet, &Counter>) -> (Link, Content) {
    let sliced = match start {
        Start::Ethernet | Start::Tagged { .. } => match LaxSlicedPacket::from_ethernet(bytes) {
            Ok(sliced) => sliced,
            Err(_too_short) => return (Link::default(), Content::Other(None)),
        },
        Start::Network { ethertype, offset } => LaxSlicedPacket::from_ether_type(
            EtherType(ethertype),
            bytes.get(usize::from(offset)..).unwrap_or_default(),
        ),
    };
    let (mut link, payload) = read_headers(&sliced);
    if let Start::Tagged { tag } = start {
        link.vlans.insert(0, tag);
    }
    let without_ip = flow.is_err_and(|reason| reason.class() == Class::NotIp);
    if without_ip {
        return match &sliced.net {
            Some(LaxNetSlice::Arp(arp)) if flow == Err(&Counter::Arp) => {
                let arp = read_arp(arp).map_or(Content::Other(Some("ARP")), Content::Arp);
                (link, arp)
            }
            _ => {
                let name = link
                    .ethertype
                    .map_or_else(|| names::llc(payload), names::ethertype);
                (link, Content::Other(name))
            }
        };
    }
    let content = match link.ethertype {
        Some(IPV4 | IPV6) => internet::read(&sliced, flow),
        kind => step(kind, payload).and_then(|(carrier, inner, rest)| {
            link.carrier = Some(carrier);
            internet::read(
                &LaxSlicedPacket::from_ether_type(EtherType(inner), rest),
                flow,
            )
        }),
    };
    let content = content.map_or_else(
        || Content::Other(link.ethertype.and_then(names::ethertype)),
        Content::Ip,
    );
    (link, content)
}

/// The link header's fields, and what follows the last one.
fn read_headers<'a>(sliced: &LaxSlicedPacket<'a>) -> (Link, &'a [u8]) {
    let mut link = Link::default();
    let (mut ethertype, mut payload) = match &sliced.link {
        Some(LinkSlice::Ethernet2(ethernet)) => {
            link.addresses = Some((Mac(ethernet.source()), Mac(ethernet.destination())));
            (ethernet.ether_type(), ethernet.payload_slice())
        }
        Some(LinkSlice::EtherPayload(start)) => (start.ether_type, start.payload),
        Some(LinkSlice::LinuxSll(_) | LinkSlice::LinuxSllPayload(_)) | None => return (link, &[]),
    };
    for extension in &sliced.link_exts {
        match extension {
            LaxLinkExtSlice::Vlan(tag) => {
                link.vlans.push(tag.vlan_identifier().value());
                ethertype = tag.ether_type();
                payload = tag.payload_slice();
            }
            // What is inside is the other end's, even where it is not encrypted.
            LaxLinkExtSlice::Macsec(_) => {
                ethertype = EtherType(MACSEC);
                break;
            }
        }
    }
    link.ethertype = (ethertype.0 > MAX_LENGTH).then_some(ethertype.0);
    (link, payload)
}

fn read_arp(arp: &ArpPacketSlice<'_>) -> Option<Arp> {
    let mac = |bytes: &[u8]| bytes.try_into().ok().map(Mac);
    let address = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
    Some(Arp {
        operation: arp.operation().0,
        sender: (
            mac(arp.sender_hw_addr())?,
            address(arp.sender_protocol_addr())?,
        ),
        target: (
            mac(arp.target_hw_addr())?,
            address(arp.target_protocol_addr())?,
        ),
    })
}

/// Steps over what carries an IP packet, to its Ethernet type and first byte.
fn step(ethertype: Option<u16>, payload: &[u8]) -> Option<(Carrier, u16, &[u8])> {
    match ethertype {
        Some(MPLS | MPLS_UPSTREAM) => step_mpls(payload),
        Some(PPPOE_SESSION) => {
            let (header, rest) = payload.split_first_chunk::<8>()?;
            let inner = match header {
                [.., 0x00, 0x21] => IPV4,
                [.., 0x00, 0x57] => IPV6,
                _ => return None,
            };
            Some((Carrier::Pppoe, inner, rest))
        }
        None => {
            let (header, rest) = payload.split_first_chunk::<8>()?;
            let [0xaa, 0xaa, 0x03, 0, 0, 0, high, low] = *header else {
                return None;
            };
            Some((Carrier::Snap, u16::from_be_bytes([high, low]), rest))
        }
        Some(_) => None,
    }
}

fn step_mpls(mut payload: &[u8]) -> Option<(Carrier, u16, &[u8])> {
    for _ in 0..MPLS_LABELS_MAX {
        let (&[_, _, bottom, _], rest) = payload.split_first_chunk::<4>()?;
        payload = rest;
        if bottom & 1 == 1 {
            // The payload's kind shows only in its first four bits.
            let inner = match payload.first()? >> 4 {
                4 => IPV4,
                6 => IPV6,
                _ => return None,
            };
            return Some((Carrier::Mpls, inner, payload));
        }
    }
    None
}
