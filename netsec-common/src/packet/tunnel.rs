//! Tunnels: from a packet to the packet inside of it.

mod headers;
mod kind;

use super::ethernet::{self, ethertype};
use super::internet::{self, OFFSET_BITS};
use super::key::{FlowKey, protocol};
use super::transport::Payload;
use super::{Frame, Packet, PacketBytes, Start, parse_carrier};
use crate::ledger::{Counter, Untold};

pub(super) use kind::{ID_SHIFT, TunnelBits};
pub use kind::{Tunnel, TunnelKind};

/// Tunnels in one another that are followed.
pub const TUNNELS_MAX: u64 = 2;

/// Ports of tunnels over UDP (IANA "service names and port numbers").
mod port {
    pub(super) const GTP_U: u16 = 2152;
    pub(super) const VXLAN: u16 = 4789;
    pub(super) const GENEVE: u16 = 6081;
    /// VXLAN as Linux had it before there was a port for it, and still has unless told otherwise.
    pub(super) const VXLAN_OF_LINUX: u16 = 8472;
}

const UDP_BYTES: usize = 8;

/// What announces a tunnel: an IP protocol, or a UDP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Carrier {
    Ipv4 = 1,
    Ipv6 = 2,
    Gre = 3,
    Vxlan = 4,
    Geneve = 5,
    Gtp = 6,
}

/// Where in a frame a tunnel's header begins. One word, so that it can be passed to a function that
/// the kernel's verifier walks by itself.
///
/// From the low bits up: offset (15), end of the packet that carries it (20, at most; a frame is not
/// longer), carrier (3), fragment (1), too far into the frame to be read (1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening(u64);

const END_BITS: u32 = 20;
const END_SHIFT: u32 = OFFSET_BITS;
const CARRIER_SHIFT: u32 = END_SHIFT + END_BITS;
const FRAGMENT: u64 = 1 << (CARRIER_SHIFT + 3);
const TOO_FAR: u64 = FRAGMENT << 1;

/// Why a packet in a tunnel is in no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// For a reason that only tunnels have.
    Tunnel(Counter),
    /// For one that a frame can have as well: the counter is that of frames.
    Inside(Counter),
}

/// A tunnel whose header was read.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    tunnel: TunnelBits,
    /// What the header says follows: an Ethernet type, [`ethertype::BRIDGED`] for an Ethernet frame.
    pub(super) ethertype: u16,
    /// Where that begins.
    pub(super) offset: usize,
    /// Where the packet that carries it ends.
    end: usize,
}

impl Refusal {
    /// The reason.
    #[must_use]
    pub const fn reason(self) -> Counter {
        match self {
            Self::Tunnel(reason) | Self::Inside(reason) => reason,
        }
    }
}

impl Opening {
    /// Bits of an opening that are in use; those above are the caller's.
    pub const BITS: u32 = CARRIER_SHIFT + 5;

    /// Bytes of a first UDP header or IP payload, in a packet with this key.
    #[inline(always)]
    pub(super) const fn of(key: &FlowKey, payload: &Payload) -> Option<Self> {
        let (carrier, skip) = match payload.protocol {
            protocol::IPV4 => (Carrier::Ipv4, 0),
            protocol::IPV6 => (Carrier::Ipv6, 0),
            protocol::GRE => (Carrier::Gre, 0),
            protocol::UDP => match key.destination_port() {
                port::VXLAN | port::VXLAN_OF_LINUX => (Carrier::Vxlan, UDP_BYTES),
                port::GENEVE => (Carrier::Geneve, UDP_BYTES),
                port::GTP_U => (Carrier::Gtp, UDP_BYTES),
                _ => return None,
            },
            _ => return None,
        };
        let offset = payload.offset + skip;
        let mut word = (carrier as u64) << CARRIER_SHIFT;
        if payload.fragment {
            word |= FRAGMENT;
        }
        if offset >> OFFSET_BITS != 0 {
            word |= TOO_FAR;
        } else {
            word |= offset as u64;
        }
        let longest = (1 << END_BITS) - 1;
        let end = if payload.end > longest {
            longest
        } else {
            payload.end
        };
        Some(Self(word | (end as u64) << END_SHIFT))
    }

    /// The same, but that the verifier does not walk what follows once for each carrier.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "addresses have 64 bits where netsec runs"
    )]
    #[inline(always)]
    pub(super) fn merged<P: PacketBytes>(self, bytes: &P) -> Self {
        const { assert!(usize::BITS == u64::BITS) };
        Self(bytes.merge::<{ Self::BITS }>(self.0 as usize) as u64)
    }

    /// The word.
    #[inline(always)]
    #[must_use]
    pub const fn to_word(self) -> u64 {
        self.0
    }

    /// The opening in the low [`BITS`](Self::BITS) of a word; zero there is none.
    #[inline(always)]
    #[must_use]
    pub const fn from_word(word: u64) -> Option<Self> {
        let word = word & ((1 << Self::BITS) - 1);
        if word == 0 { None } else { Some(Self(word)) }
    }

    #[inline(always)]
    const fn carrier(self) -> Option<Carrier> {
        Some(match self.0 >> CARRIER_SHIFT & 7 {
            1 => Carrier::Ipv4,
            2 => Carrier::Ipv6,
            3 => Carrier::Gre,
            4 => Carrier::Vxlan,
            5 => Carrier::Geneve,
            6 => Carrier::Gtp,
            _ => return None,
        })
    }

    /// Reads the tunnel's header, in the frame that the opening is of. `level` is 1 for the outermost
    /// tunnel, up to [`TUNNELS_MAX`].
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    #[inline(always)]
    pub fn open<P: PacketBytes>(self, bytes: &P, level: u64) -> Result<Opened, Refusal> {
        if level > TUNNELS_MAX || self.0 & TOO_FAR != 0 {
            return Err(Refusal::Tunnel(Counter::TunnelDepth));
        }
        if self.0 & FRAGMENT != 0 {
            return Err(Refusal::Tunnel(Counter::TunnelFragments));
        }
        let offset = (self.0 & ((1 << OFFSET_BITS) - 1)) as usize;
        let end = (self.0 >> END_SHIFT & ((1 << END_BITS) - 1)) as usize;
        let header = match self.carrier() {
            Some(Carrier::Ipv4) => Ok(headers::bare(ethertype::IPV4, offset)),
            Some(Carrier::Ipv6) => Ok(headers::bare(ethertype::IPV6, offset)),
            Some(Carrier::Gre) => headers::gre(bytes, offset),
            Some(Carrier::Vxlan) => headers::vxlan(bytes, offset),
            Some(Carrier::Geneve) => headers::geneve(bytes, offset),
            Some(Carrier::Gtp) => headers::gtp(bytes, offset),
            None => Err(Counter::TunnelUnknown),
        };
        let header = header.map_err(Refusal::Tunnel)?;
        if header.past > end || header.past >> OFFSET_BITS != 0 {
            return Err(Refusal::Tunnel(Counter::TunnelTruncated));
        }
        Ok(Opened {
            tunnel: TunnelBits::new(header.kind, level, header.id),
            ethertype: header.ethertype,
            offset: bytes.merge::<OFFSET_BITS>(header.past),
            end,
        })
    }
}

/// The packets of a frame that are in flows: the outermost, then those in tunnels.
pub fn layers<P: PacketBytes>(frame: &Frame<'_, P>) -> impl Iterator<Item = Packet> {
    let bytes = frame.bytes;
    let mut next = parse_carrier(frame, &Untold).ok();
    let mut level = 0;
    core::iter::from_fn(move || {
        let (packet, opening) = next.take()?;
        level += 1;
        next = opening.and_then(|opening| opening.open(bytes, level).ok()?.read(bytes).ok());
        Some(packet)
    })
}

impl Opened {
    /// Reads the packet inside, as [`parse`](super::parse) reads a frame, and says where in it the
    /// next tunnel begins.
    ///
    /// # Errors
    ///
    /// Why it is in no flow.
    #[expect(clippy::cast_possible_truncation, reason = "an end has 20 bits")]
    #[inline(always)]
    pub fn read<P: PacketBytes>(&self, bytes: &P) -> Result<(Packet, Option<Opening>), Refusal> {
        let network = match self.ethertype {
            ethertype::BRIDGED => ethernet::read_at(bytes, self.offset, &Untold),
            kind => ethernet::read_tagged(bytes, kind, self.offset, &Untold),
        };
        let network = network.map_err(Refusal::Inside)?;
        let frame = Frame {
            bytes,
            wire_bytes: self.end as u32,
            start: Start::Ethernet,
            counted_before: false,
        };
        let (mut packet, payload) =
            internet::read_inside(&frame, &network, &Untold).map_err(Refusal::Inside)?;
        let next = Opening::of(&packet.key, &payload).map(|next| next.merged(bytes));
        packet.key = packet.key.inside(self.tunnel);
        Ok((packet, next))
    }

    /// The tunnel.
    #[must_use]
    pub fn tunnel(&self) -> Option<Tunnel> {
        self.tunnel.read()
    }

    /// Bytes that the tunnel carries, from what follows its header on.
    #[expect(clippy::cast_possible_truncation, reason = "an end has 20 bits")]
    #[inline(always)]
    #[must_use]
    pub const fn bytes(&self) -> u32 {
        self.end.saturating_sub(self.offset) as u32
    }

    /// Where what it carries begins in the frame, and what that begins with.
    #[must_use]
    pub const fn content(&self) -> (usize, Start) {
        let start = match self.ethertype {
            ethertype::BRIDGED => Start::Ethernet,
            ethertype => Start::Network {
                ethertype,
                offset: 0,
            },
        };
        (self.offset, start)
    }
}
