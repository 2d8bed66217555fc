//! The headers of tunnels.

use super::super::ethernet::ethertype;
use super::super::internet::OFFSET_BITS;
use super::super::{HeaderBytes as _, PacketBytes};
use super::kind::TunnelKind;
use crate::ledger::Counter;

/// What a header says.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: TunnelKind,
    pub(super) id: u32,
    /// What follows; [`ethertype::BRIDGED`] for an Ethernet frame.
    pub(super) ethertype: u16,
    /// Where that begins.
    pub(super) past: usize,
}

/// Most extension headers of GTP-U that are skipped. 5G uses one, of 4 or 8 bytes.
const GTP_EXTENSIONS_MAX: usize = 4;

/// IP in IP: there is no header between the two.
#[inline(always)]
pub(super) const fn bare(ethertype: u16, offset: usize) -> Header {
    Header {
        kind: TunnelKind::IpInIp,
        id: 0,
        ethertype,
        past: offset,
    }
}

/// GRE version 0 (RFC 2784, RFC 2890). Version 1 is that of PPTP, and its payload PPP; the routing
/// of RFC 1701 has long been withdrawn.
#[inline(always)]
pub(super) fn gre<P: PacketBytes>(bytes: &P, offset: usize) -> Result<Header, Counter> {
    const CHECKSUM: u32 = 15;
    const ROUTING: u16 = 1 << 14;
    const KEY: u32 = 13;
    const SEQUENCE: u32 = 12;
    const VERSION: u16 = 7;
    const ERSPAN_II: u16 = 0x88be;
    const ERSPAN_III: u16 = 0x22eb;

    let header = bytes.header::<4>(offset).ok_or(Counter::TunnelTruncated)?;
    let flags = header.be16::<0>();
    let ethertype = header.be16::<2>();
    if flags & (ROUTING | VERSION) != 0 {
        return Err(Counter::TunnelUnknown);
    }
    let field = |bit: u32| usize::from(flags >> bit & 1) * 4;
    let key_at = offset + 4 + field(CHECKSUM);
    let past = key_at + field(KEY) + field(SEQUENCE);
    let (kind, id) = if field(KEY) == 0 {
        (TunnelKind::Gre, 0)
    } else {
        let key = bytes.header::<4>(key_at).ok_or(Counter::TunnelTruncated)?;
        let id = u32::from(key.be16::<0>()) << 16 | u32::from(key.be16::<2>());
        (TunnelKind::KeyedGre, id)
    };
    match ethertype {
        // Type I has no header of its own, and no sequence number.
        ERSPAN_II if field(SEQUENCE) == 0 => Ok(Header {
            kind: TunnelKind::Erspan,
            id: 0,
            ethertype: ethertype::BRIDGED,
            past,
        }),
        ERSPAN_II => erspan(bytes, past, 1),
        ERSPAN_III => erspan(bytes, past, 2),
        ethertype => Ok(Header {
            kind,
            id,
            ethertype,
            past,
        }),
    }
}

/// ERSPAN (draft-foschiano-erspan-03, 4.2 and 4.3): a mirrored Ethernet frame behind 8 bytes, or 12
/// and a platform's 8.
#[inline(always)]
fn erspan<P: PacketBytes>(bytes: &P, offset: usize, version: u8) -> Result<Header, Counter> {
    const FRAME_TYPE: u16 = 0x7c00;
    const PLATFORM: u16 = 1;
    let header = bytes.header::<8>(offset).ok_or(Counter::TunnelTruncated)?;
    if header.byte::<0>() >> 4 != version {
        return Err(Counter::TunnelUnknown);
    }
    let mut past = offset + 8;
    if version == 2 {
        let rest = bytes.header::<4>(past).ok_or(Counter::TunnelTruncated)?;
        let word = rest.be16::<2>();
        if word & FRAME_TYPE != 0 {
            return Err(Counter::TunnelUnknown);
        }
        past += 4 + usize::from(word & PLATFORM) * 8;
    }
    Ok(Header {
        kind: TunnelKind::Erspan,
        id: u32::from(header.be16::<2>() & 0x3ff),
        ethertype: ethertype::BRIDGED,
        past,
    })
}

/// VXLAN (RFC 7348, 5). Without the I flag there is no network identifier, and no VXLAN.
#[inline(always)]
pub(super) fn vxlan<P: PacketBytes>(bytes: &P, offset: usize) -> Result<Header, Counter> {
    const IDENTIFIED: u8 = 0x08;
    let header = bytes.header::<8>(offset).ok_or(Counter::TunnelTruncated)?;
    if header.byte::<0>() & IDENTIFIED == 0 {
        return Err(Counter::TunnelUnknown);
    }
    Ok(Header {
        kind: TunnelKind::Vxlan,
        id: u32::from(header.be16::<4>()) << 8 | u32::from(header.byte::<6>()),
        ethertype: ethertype::BRIDGED,
        past: offset + 8,
    })
}

/// GENEVE (RFC 8926, 3.4): its options are skipped.
#[inline(always)]
pub(super) fn geneve<P: PacketBytes>(bytes: &P, offset: usize) -> Result<Header, Counter> {
    let header = bytes.header::<8>(offset).ok_or(Counter::TunnelTruncated)?;
    let version_and_length = header.byte::<0>();
    if version_and_length >> 6 != 0 {
        return Err(Counter::TunnelUnknown);
    }
    Ok(Header {
        kind: TunnelKind::Geneve,
        id: u32::from(header.be16::<4>()) << 8 | u32::from(header.byte::<6>()),
        ethertype: header.be16::<2>(),
        past: offset + 8 + usize::from(version_and_length & 0x3f) * 4,
    })
}

/// GTP-U version 1 (3GPP TS 29.281, 5.1 and 5.2): user data is the message G-PDU, all others are
/// between the ends of the tunnel.
#[inline(always)]
pub(super) fn gtp<P: PacketBytes>(bytes: &P, offset: usize) -> Result<Header, Counter> {
    const VERSION_1_GTP: u8 = 0x30;
    const OPTIONAL: u8 = 7;
    const EXTENSION: u8 = 4;
    const G_PDU: u8 = 255;
    let header = bytes.header::<8>(offset).ok_or(Counter::TunnelTruncated)?;
    let flags = header.byte::<0>();
    if flags & 0xf0 != VERSION_1_GTP || header.byte::<1>() != G_PDU {
        return Err(Counter::TunnelUnknown);
    }
    let mut past = offset + 8;
    if flags & OPTIONAL != 0 {
        let optional = bytes.header::<4>(past).ok_or(Counter::TunnelTruncated)?;
        past += 4;
        if flags & EXTENSION != 0 && optional.byte::<3>() != 0 {
            past = skip_extensions(bytes, past)?;
        }
    }
    let first = bytes.header::<1>(past).ok_or(Counter::TunnelTruncated)?;
    Ok(Header {
        kind: TunnelKind::Gtp,
        id: 0,
        ethertype: match first.byte::<0>() >> 4 {
            4 => ethertype::IPV4,
            6 => ethertype::IPV6,
            _ => return Err(Counter::TunnelUnknown),
        },
        past,
    })
}

/// Each begins with its length in units of 4 bytes and ends with the type of the next, zero for none.
#[inline(always)]
fn skip_extensions<P: PacketBytes>(bytes: &P, offset: usize) -> Result<usize, Counter> {
    let mut past = offset;
    for _ in 0..GTP_EXTENSIONS_MAX {
        let length = bytes.header::<1>(past).ok_or(Counter::TunnelTruncated)?;
        let length = usize::from(length.byte::<0>()) * 4;
        if length == 0 {
            return Err(Counter::TunnelUnknown);
        }
        if (past + length) >> OFFSET_BITS != 0 {
            return Err(Counter::TunnelTruncated);
        }
        // Merged, or the compiler would begin at the byte before the frame, which no verifier takes.
        let last = bytes.merge::<OFFSET_BITS>(past + length - 1);
        let next = bytes.header::<1>(last).ok_or(Counter::TunnelTruncated)?;
        past = last + 1;
        if next.byte::<0>() == 0 {
            return Ok(past);
        }
    }
    Err(Counter::TunnelUnknown)
}
