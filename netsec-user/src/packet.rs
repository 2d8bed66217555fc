//! Sampled headers, decoded for people, programs and filters.
//!
//! The flow key comes from the engine's own parser, so that a filter judges a packet by exactly the
//! key its flow is accounted under. Addresses, fragments, ARP and DNS come from a lax reading that
//! goes as far as the captured bytes allow; decoding never fails, it says what could not be read.

pub mod dns;
mod internet;
mod link;
pub mod names;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use netsec_common::ledger::{Class, Counter, Untold};
use netsec_common::packet::{Frame, Packet, Refusal, TUNNELS_MAX, Tunnel, parse, parse_carrier};

use self::dns::Message;
pub use self::link::{Carrier, Link, Mac};
use crate::event::Sample;

/// One sampled frame, as far as its captured bytes allow.
#[derive(Clone, Debug)]
pub struct PacketView {
    /// Length of the frame on the wire, bytes.
    pub wire_bytes: u32,
    /// Bytes of it that were captured.
    pub captured_bytes: u32,
    /// Link addresses, VLAN tags, Ethernet type.
    pub link: Link,
    /// The engine's reading: the flow key, or the counter that says why the frame is in no flow.
    pub flow: Result<Packet, Counter>,
    /// What the frame carries.
    pub content: Content,
    /// The packet that carries this one, when it was in a tunnel that was opened.
    pub outer: Option<Box<Outer>>,
}

/// A packet that carries another one.
#[derive(Clone, Debug)]
pub struct Outer {
    /// The tunnel between the two.
    pub tunnel: Tunnel,
    /// The packet.
    pub view: PacketView,
}

/// What a frame carries.
#[derive(Clone, Debug)]
pub enum Content {
    /// An IP packet, the outermost one.
    Ip(Internet),
    /// An address resolution message for IPv4 over Ethernet (RFC 826).
    Arp(Arp),
    /// Anything else, by the short name of its protocol when that is known.
    Other(Option<&'static str>),
}

/// The outermost IP packet of a frame.
#[derive(Clone, Debug)]
pub struct Internet {
    /// Source address as it stands in the packet.
    pub source: IpAddr,
    /// Destination address as it stands in the packet.
    pub destination: IpAddr,
    /// IP protocol number, after IPv6 extension headers.
    pub protocol: u8,
    /// Place in a fragmented packet.
    pub fragment: Option<Fragment>,
    /// Source and destination port, or ICMP type and code.
    pub transport: Transport,
    /// Bytes after the transport header by the IP length fields, captured or not; `None` for a
    /// later fragment, and when the headers contradict each other.
    pub payload_bytes: Option<u32>,
    /// The DNS message it carries, when a port says so.
    pub dns: Option<Message>,
}

/// What the transport header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Source and destination port.
        ports: (u16, u16),
        /// Flags, CWR 0x80 … FIN 0x01.
        flags: u8,
    },
    /// UDP or SCTP.
    Ports(u16, u16),
    /// ICMP or ICMPv6: type and code.
    Icmp(u8, u8),
    /// A protocol without ports, a later fragment, or a header that could not be read.
    None,
}

/// Place of a packet in the one it is a fragment of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification, 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Bytes of the fragmented payload before this fragment.
    pub offset_bytes: u32,
    /// Whether more fragments follow.
    pub more: bool,
}

/// An address resolution message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// Operation: 1 request, 2 reply, others as IANA "ARP parameters" numbers them.
    pub operation: u16,
    /// Who sends.
    pub sender: (Mac, Ipv4Addr),
    /// Who is asked or told.
    pub target: (Mac, Ipv4Addr),
}

impl PacketView {
    /// Decodes a sample.
    #[must_use]
    pub fn decode(sample: &Sample) -> Self {
        let bytes: &[u8] = &sample.bytes;
        let frame = Frame {
            bytes: &bytes,
            wire_bytes: sample.wire_bytes,
            start: sample.start,
            counted_before: false,
        };
        let flow = parse(&frame, &Untold);
        let (link, content) = link::read(bytes, sample.start, flow.as_ref());
        Self {
            wire_bytes: sample.wire_bytes,
            captured_bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            link,
            flow,
            content,
            outer: None,
        }
    }

    /// Decodes the innermost packet of a sample, as far as the engine follows tunnels.
    #[must_use]
    pub fn decode_inner(sample: &Sample) -> Self {
        let bytes: &[u8] = &sample.bytes;
        let frame = Frame {
            bytes: &bytes,
            wire_bytes: sample.wire_bytes,
            start: sample.start,
            counted_before: false,
        };
        let mut view = Self::decode(sample);
        let mut opening = parse_carrier(&frame, &Untold)
            .ok()
            .and_then(|(_, opening)| opening);
        for level in 1..=TUNNELS_MAX {
            let opened = opening.and_then(|opening| opening.open(&bytes, level).ok());
            let Some((opened, tunnel)) = opened.and_then(|it| Some((it, it.tunnel()?))) else {
                break;
            };
            let read = opened.read(&bytes);
            let flow = read.map(|(packet, _)| packet).map_err(Refusal::reason);
            let (offset, start) = opened.content();
            let content = bytes.get(offset..).unwrap_or_default();
            let end = content.len().min(opened.bytes() as usize);
            let content = content.get(..end).unwrap_or_default();
            let (link, content) = link::read(content, start, flow.as_ref());
            view = Self {
                link,
                flow,
                content,
                wire_bytes: view.wire_bytes,
                captured_bytes: view.captured_bytes,
                outer: Some(Box::new(Outer { tunnel, view })),
            };
            opening = read.ok().and_then(|(_, next)| next);
        }
        view
    }

    /// The packet itself, then those that carry it, from the inside out.
    pub fn layers(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |view| Some(&view.outer.as_ref()?.view))
    }

    /// The IP packet, when the frame carries one.
    #[must_use]
    pub const fn internet(&self) -> Option<&Internet> {
        match &self.content {
            Content::Ip(internet) => Some(internet),
            Content::Arp(_) | Content::Other(_) => None,
        }
    }

    /// What keeps the packet from being read to its end.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        let reason = self.flow.err()?;
        if reason.class() == Class::NotIp {
            return None;
        }
        Some(if self.captured_bytes < self.wire_bytes {
            Defect::Cut(reason)
        } else {
            Defect::Malformed(reason)
        })
    }
}

/// Why a packet could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The whole frame is at hand and contradicts itself.
    Malformed(Counter),
    /// The capture ends early, which may be all there is to it.
    Cut(Counter),
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(reason) => write!(f, "malformed {}", reason.name()),
            Self::Cut(reason) => write!(f, "cut {}", reason.name()),
        }
    }
}

#[cfg(test)]
mod tests;
