//! IPv4 and IPv6 headers, extension headers and fragments.

use super::ethernet::{Network, Version};
use super::key::{Addresses, Sender, protocol};
use super::transport::{self, Payload};
use super::{Frame, HeaderBytes as _, Packet, PacketBytes};
use crate::ledger::{Counter, Tally};

const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const FRAGMENT_BYTES: usize = 8;

/// Most IPv6 extension headers that are walked. RFC 8200 names eight kinds, each at most once but
/// for destination options.
const EXTENSIONS_MAX: usize = 8;

/// Link headers have no more bits of bytes: 255 that a capture says to skip, two tags, eight labels.
const LINK_BITS: u32 = 9;

/// Offsets of payloads have no more bits: a link header, an IPv6 header, and [`EXTENSIONS_MAX`]
/// extension headers of 2048 bytes. In tunnels they could have, and are refused then.
pub(super) const OFFSET_BITS: u32 = 15;

/// IPv6 extension headers (IANA "IPv6 extension header types").
mod extension {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const AUTHENTICATION: u8 = 51;
    pub(super) const DESTINATION: u8 = 60;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HOST_IDENTITY: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
}

/// Reads the outermost IP packet, and says besides what its IP header tells of its payload.
#[inline(always)]
pub(super) fn read<P: PacketBytes>(
    frame: &Frame<'_, P>,
    network: &Network,
    row: &impl Tally,
    sender: &mut Sender,
) -> Result<(Packet, Payload), Counter> {
    read_at::<_, LINK_BITS>(frame, network, row, sender)
}

/// As [`read`], anywhere in the frame that an offset of [`OFFSET_BITS`] can say.
#[inline(always)]
pub(super) fn read_inside<P: PacketBytes>(
    frame: &Frame<'_, P>,
    network: &Network,
    row: &impl Tally,
) -> Result<(Packet, Payload), Counter> {
    if network.offset >> OFFSET_BITS != 0 {
        return Err(match network.version {
            Version::V4 => Counter::Ipv4Truncated,
            Version::V6 => Counter::Ipv6Truncated,
        });
    }
    read_at::<_, OFFSET_BITS>(frame, network, row, &mut Sender::default())
}

#[inline(always)]
fn read_at<P: PacketBytes, const BITS: u32>(
    frame: &Frame<'_, P>,
    network: &Network,
    row: &impl Tally,
    sender: &mut Sender,
) -> Result<(Packet, Payload), Counter> {
    let offset = frame.bytes.merge::<BITS>(network.offset);
    let (addresses, payload) = match network.version {
        Version::V4 => read_v4(frame, offset, row, sender)?,
        Version::V6 => read_v6(frame, offset, row, sender)?,
    };
    let packet = transport::read(frame.bytes, addresses, network.vlan, &payload, row)?;
    Ok((packet, payload))
}

#[inline(always)]
fn read_v4<P: PacketBytes>(
    frame: &Frame<'_, P>,
    offset: usize,
    row: &impl Tally,
    sender: &mut Sender,
) -> Result<(Addresses, Payload), Counter> {
    let header = frame
        .bytes
        .header::<IPV4_BYTES>(offset)
        .ok_or(Counter::Ipv4Truncated)?;
    let version_and_length = header.byte::<0>();
    if version_and_length >> 4 != 4 {
        return Err(Counter::Ipv4Version);
    }
    let addresses = Addresses::v4(header.word32::<12>(), header.word32::<16>());
    *sender = Sender::new(&addresses, header.byte::<9>());
    let header_bytes = usize::from(version_and_length & 0xf) * 4;
    if header_bytes < IPV4_BYTES {
        return Err(Counter::Ipv4HeaderLength);
    }
    row.count(Counter::Ipv4);

    let wire_end = frame.wire_bytes as usize;
    let total = usize::from(header.be16::<2>());
    // Zero is a segmentation offload's "as long as the frame" (BIG TCP, TSO captures).
    let end = if total == 0 { wire_end } else { offset + total };
    if end < offset + header_bytes || end > wire_end {
        return Err(Counter::Ipv4TotalLength);
    }
    // The options are skipped, not read, but they have to be there.
    frame
        .bytes
        .header::<1>(offset + header_bytes - 1)
        .ok_or(Counter::Ipv4Truncated)?;

    let fragment = header.be16::<6>();
    let fragment_offset = fragment & 0x1fff;
    let more = fragment & 0x2000 != 0;
    if more || fragment_offset != 0 {
        row.count(Counter::Ipv4Fragments);
    }
    Ok((
        addresses,
        Payload {
            protocol: header.byte::<9>(),
            offset: offset + header_bytes,
            end,
            fragment: more || fragment_offset != 0,
            later_fragment: fragment_offset != 0,
            length_stated: total != 0,
        },
    ))
}

#[inline(always)]
fn read_v6<P: PacketBytes>(
    frame: &Frame<'_, P>,
    offset: usize,
    row: &impl Tally,
    sender: &mut Sender,
) -> Result<(Addresses, Payload), Counter> {
    let header = frame
        .bytes
        .header::<IPV6_BYTES>(offset)
        .ok_or(Counter::Ipv6Truncated)?;
    if header.byte::<0>() >> 4 != 6 {
        return Err(Counter::Ipv6Version);
    }
    let addresses = Addresses {
        source: [header.word64::<8>(), header.word64::<16>()],
        destination: [header.word64::<24>(), header.word64::<32>()],
    };
    let next = header.byte::<6>();
    *sender = Sender::new(&addresses, next);
    row.count(Counter::Ipv6);

    let wire_end = frame.wire_bytes as usize;
    let length = usize::from(header.be16::<4>());
    let start = offset + IPV6_BYTES;
    // Zero is a jumbogram (RFC 2675) or a segmentation offload, unless nothing is to follow.
    let length_stated = length != 0 || next == protocol::NO_NEXT_HEADER;
    let end = if length_stated {
        start + length
    } else {
        wire_end
    };
    if end > wire_end {
        return Err(Counter::Ipv6PayloadLength);
    }
    let mut payload = Payload {
        protocol: next,
        offset: start,
        end,
        fragment: false,
        later_fragment: false,
        length_stated,
    };
    walk_extensions(frame.bytes, &mut payload, row)?;
    *sender = Sender::new(&addresses, payload.protocol);
    Ok((addresses, payload))
}

/// Moves `payload` past the extension headers (RFC 8200, 4), at most [`EXTENSIONS_MAX`] of them.
#[inline(always)]
fn walk_extensions<P: PacketBytes>(
    bytes: &P,
    payload: &mut Payload,
    row: &impl Tally,
) -> Result<(), Counter> {
    for _ in 0..EXTENSIONS_MAX {
        let (more, unit_bytes) = match payload.protocol {
            extension::HOP_BY_HOP
            | extension::ROUTING
            | extension::DESTINATION
            | extension::MOBILITY
            | extension::HOST_IDENTITY
            | extension::SHIM6 => (1, 8),
            extension::AUTHENTICATION => (2, 4),
            extension::FRAGMENT => {
                read_fragment(bytes, payload, row)?;
                if payload.later_fragment {
                    return Ok(());
                }
                continue;
            }
            _ => return Ok(()),
        };
        let header = bytes
            .header::<2>(payload.offset)
            .ok_or(Counter::Ipv6ExtensionTruncated)?;
        payload.protocol = header.byte::<0>();
        let next = payload.offset + (usize::from(header.byte::<1>()) + more) * unit_bytes;
        if next >> OFFSET_BITS != 0 {
            return Err(Counter::Ipv6ExtensionLimit);
        }
        payload.offset = bytes.merge::<OFFSET_BITS>(next);
        if payload.offset > payload.end {
            return Err(Counter::Ipv6ExtensionTruncated);
        }
    }
    if is_extension(payload.protocol) {
        return Err(Counter::Ipv6ExtensionLimit);
    }
    Ok(())
}

#[inline(always)]
fn read_fragment<P: PacketBytes>(
    bytes: &P,
    payload: &mut Payload,
    row: &impl Tally,
) -> Result<(), Counter> {
    let header = bytes
        .header::<FRAGMENT_BYTES>(payload.offset)
        .ok_or(Counter::Ipv6ExtensionTruncated)?;
    let place = header.be16::<2>();
    let later = place >> 3 != 0;
    let more = place & 1 != 0;
    // Nothing forbids a second fragment header; the frame is one fragment all the same.
    if (later || more) && !payload.fragment {
        row.count(Counter::Ipv6Fragments);
        payload.fragment = true;
    }
    payload.protocol = header.byte::<0>();
    let next = payload.offset + FRAGMENT_BYTES;
    if next >> OFFSET_BITS != 0 {
        return Err(Counter::Ipv6ExtensionLimit);
    }
    payload.offset = bytes.merge::<OFFSET_BITS>(next);
    payload.later_fragment = later;
    if payload.offset > payload.end {
        return Err(Counter::Ipv6ExtensionTruncated);
    }
    Ok(())
}

#[inline(always)]
const fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        extension::HOP_BY_HOP
            | extension::ROUTING
            | extension::FRAGMENT
            | extension::AUTHENTICATION
            | extension::DESTINATION
            | extension::MOBILITY
            | extension::HOST_IDENTITY
            | extension::SHIM6
    )
}
