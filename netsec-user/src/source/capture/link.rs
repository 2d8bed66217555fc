//! Link types: what the first byte of a frame is, by the number the capture gives.

mod names;
mod start;

use netsec_common::packet::Start;

pub(super) use names::name;

/// What an error offers in place of an unsupported link type.
pub(super) const SUPPORTED: &str = "Ethernet (1), raw IP (12, 14, 101, 228, 229), Linux cooked \
     (113, 276), BSD loopback (0, 108), PPP (9, 50), PPPoE (51) and Cisco HDLC (104)";

/// A link type that netsec reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    Ipv4,
    Ipv6,
    /// Either, as the packet's version says.
    Ip,
    /// Address family in four bytes.
    Loopback,
    /// Linux "any" device, version 1.
    Cooked,
    /// Linux "any" device, version 2.
    Cooked2,
    /// With or without address and control bytes.
    Ppp,
    /// PPP or Cisco HDLC, by the address byte.
    PppHdlc,
    /// PPPoE session packet, without Ethernet header.
    Pppoe,
    CiscoHdlc,
}

impl Link {
    /// The link type of a `LINKTYPE_` number, if netsec reads it
    /// (<https://www.tcpdump.org/linktypes.html>; 12 and 14 are raw IP on systems that wrote their
    /// own number).
    pub(super) const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 | 108 => Self::Loopback,
            1 => Self::Ethernet,
            9 => Self::Ppp,
            12 | 14 | 101 => Self::Ip,
            50 => Self::PppHdlc,
            51 => Self::Pppoe,
            104 => Self::CiscoHdlc,
            113 => Self::Cooked,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            276 => Self::Cooked2,
            _ => return None,
        })
    }

    /// The link type in words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Ethernet => "Ethernet",
            Self::Ipv4 | Self::Ipv6 | Self::Ip => "raw IP",
            Self::Loopback => "BSD loopback",
            Self::Cooked | Self::Cooked2 => "Linux cooked",
            Self::Ppp | Self::PppHdlc => "PPP",
            Self::Pppoe => "PPPoE",
            Self::CiscoHdlc => "Cisco HDLC",
        }
    }

    /// What the frame begins with.
    ///
    /// A frame too short for its link header is said to have IPv4 where the frame has ended, so
    /// that the engine counts it as malformed.
    #[inline]
    pub(super) fn start(self, frame: &[u8]) -> Start {
        match self {
            Self::Ethernet => Start::Ethernet,
            Self::Ipv4
            | Self::Ipv6
            | Self::Ip
            | Self::Loopback
            | Self::Cooked
            | Self::Cooked2
            | Self::Ppp
            | Self::PppHdlc
            | Self::Pppoe
            | Self::CiscoHdlc => start::network(self, frame),
        }
    }
}

#[cfg(test)]
mod tests;
