//! Link headers: Ethernet, VLAN tags, MPLS labels, PPPoE.

use super::key::VlanBits;
use super::{HeaderBytes as _, PacketBytes};
use crate::ledger::{Counter, Tally};

/// Ethernet types the engine knows (IANA "IEEE 802 numbers").
pub(super) mod ethertype {
    pub(in super::super) const IPV4: u16 = 0x0800;
    pub(super) const ARP: u16 = 0x0806;
    pub(super) const RARP: u16 = 0x8035;
    pub(super) const VLAN: u16 = 0x8100;
    pub(in super::super) const IPV6: u16 = 0x86dd;
    /// Transparent Ethernet bridging: a whole Ethernet frame (RFC 7637).
    pub(in super::super) const BRIDGED: u16 = 0x6558;
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(super) const PPPOE_DISCOVERY: u16 = 0x8863;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    pub(super) const EAPOL: u16 = 0x888e;
    pub(super) const PROVIDER_VLAN: u16 = 0x88a8;
    pub(super) const LLDP: u16 = 0x88cc;
    pub(super) const MACSEC: u16 = 0x88e5;
    /// Double tagging as deployed before 802.1ad.
    pub(super) const LEGACY_QINQ: u16 = 0x9100;
    /// Values up to here are 802.3 lengths.
    pub(super) const MAX_LENGTH: u16 = 1500;
}

const ETHERNET_BYTES: usize = 14;
const VLAN_BYTES: usize = 4;
const MPLS_BYTES: usize = 4;
const MPLS_LABELS_MAX: usize = 8;
const PPPOE_BYTES: usize = 8;
const LLC_SNAP_BYTES: usize = 8;

/// Where the IP header is, and which version it should be.
#[derive(Clone, Copy)]
pub(super) struct Network {
    pub(super) version: Version,
    pub(super) offset: usize,
    pub(super) vlan: VlanBits,
}

/// A word wide, as all of [`Network`]: see [`VlanBits`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Version {
    V4,
    V6,
}

#[inline(always)]
pub(super) fn read<P: PacketBytes>(bytes: &P, row: &impl Tally) -> Result<Network, Counter> {
    read_at(bytes, 0, row)
}

/// Reads an Ethernet header at this place.
#[inline(always)]
pub(super) fn read_at<P: PacketBytes>(
    bytes: &P,
    offset: usize,
    row: &impl Tally,
) -> Result<Network, Counter> {
    let header = bytes
        .header::<ETHERNET_BYTES>(offset)
        .ok_or(Counter::EthernetTruncated)?;
    read_tagged(bytes, header.be16::<12>(), offset + ETHERNET_BYTES, row)
}

/// Reads a frame whose outer tag was taken out of it.
#[inline(always)]
pub(super) fn read_behind_tag<P: PacketBytes>(
    bytes: &P,
    tag: u16,
    row: &impl Tally,
) -> Result<Network, Counter> {
    let header = bytes
        .header::<ETHERNET_BYTES>(0)
        .ok_or(Counter::EthernetTruncated)?;
    row.count(Counter::Vlan);
    let vlan = VlanBits::outer(tag);
    read_inner_tag(bytes, header.be16::<12>(), ETHERNET_BYTES, vlan)
}

/// Reads up to two VLAN tags, then what they carry.
///
/// They follow other link headers than Ethernet too: a capture of all Linux interfaces has the
/// tag's type in its cooked header.
#[inline(always)]
pub(super) fn read_tagged<P: PacketBytes>(
    bytes: &P,
    ethertype: u16,
    offset: usize,
    row: &impl Tally,
) -> Result<Network, Counter> {
    if is_tag(ethertype) {
        let tag = bytes
            .header::<VLAN_BYTES>(offset)
            .ok_or(Counter::VlanTruncated)?;
        row.count(Counter::Vlan);
        let vlan = VlanBits::outer(tag.be16::<0>());
        return read_inner_tag(bytes, tag.be16::<2>(), offset + VLAN_BYTES, vlan);
    }
    let (version, offset) = read_network(bytes, ethertype, offset)?;
    Ok(Network {
        version,
        offset,
        vlan: VlanBits::default(),
    })
}

/// Reads a second VLAN tag, if there is one, then what it carries.
#[inline(always)]
fn read_inner_tag<P: PacketBytes>(
    bytes: &P,
    mut ethertype: u16,
    mut offset: usize,
    mut vlan: VlanBits,
) -> Result<Network, Counter> {
    if is_tag(ethertype) {
        let tag = bytes
            .header::<VLAN_BYTES>(offset)
            .ok_or(Counter::VlanTruncated)?;
        vlan = vlan.with_inner(tag.be16::<0>());
        ethertype = tag.be16::<2>();
        offset += VLAN_BYTES;
    }
    let (version, offset) = read_network(bytes, ethertype, offset)?;
    Ok(Network {
        version,
        offset,
        vlan,
    })
}

/// Follows an Ethernet type to the IP header, through MPLS, PPPoE and LLC/SNAP.
#[inline(always)]
fn read_network<P: PacketBytes>(
    bytes: &P,
    ethertype: u16,
    offset: usize,
) -> Result<(Version, usize), Counter> {
    match ethertype {
        ethertype::IPV4 => Ok((Version::V4, offset)),
        ethertype::IPV6 => Ok((Version::V6, offset)),
        ethertype::MPLS | ethertype::MPLS_UPSTREAM => read_mpls(bytes, offset),
        ethertype::PPPOE_SESSION => read_pppoe(bytes, offset),
        0..=ethertype::MAX_LENGTH => read_llc(bytes, offset),
        other => Err(kind_without_ip(other)),
    }
}

#[inline(always)]
pub(super) const fn is_tag(ethertype: u16) -> bool {
    matches!(
        ethertype,
        ethertype::VLAN | ethertype::PROVIDER_VLAN | ethertype::LEGACY_QINQ
    )
}

#[inline(always)]
const fn kind_without_ip(ethertype: u16) -> Counter {
    match ethertype {
        ethertype::ARP | ethertype::RARP => Counter::Arp,
        ethertype::PPPOE_DISCOVERY => Counter::PppControl,
        ethertype::LLDP => Counter::Lldp,
        ethertype::EAPOL => Counter::Eapol,
        ethertype::MACSEC => Counter::Macsec,
        tag if is_tag(tag) => Counter::VlanDepth,
        _ => Counter::OtherEthertype,
    }
}

/// RFC 3032; the payload's kind shows only in its first four bits.
#[inline(always)]
fn read_mpls<P: PacketBytes>(bytes: &P, mut offset: usize) -> Result<(Version, usize), Counter> {
    for _ in 0..MPLS_LABELS_MAX {
        let label = bytes
            .header::<MPLS_BYTES>(offset)
            .ok_or(Counter::MplsTruncated)?;
        offset += MPLS_BYTES;
        if label.byte::<2>() & 1 == 1 {
            let payload = bytes.header::<1>(offset).ok_or(Counter::MplsTruncated)?;
            return match payload.byte::<0>() >> 4 {
                4 => Ok((Version::V4, offset)),
                6 => Ok((Version::V6, offset)),
                _ => Err(Counter::MplsOther),
            };
        }
    }
    Err(Counter::MplsDepth)
}

/// RFC 2516: six bytes of PPPoE, two of PPP protocol.
#[inline(always)]
fn read_pppoe<P: PacketBytes>(bytes: &P, offset: usize) -> Result<(Version, usize), Counter> {
    let header = bytes
        .header::<PPPOE_BYTES>(offset)
        .ok_or(Counter::PppoeTruncated)?;
    match header.be16::<6>() {
        0x0021 => Ok((Version::V4, offset + PPPOE_BYTES)),
        0x0057 => Ok((Version::V6, offset + PPPOE_BYTES)),
        _ => Err(Counter::PppControl),
    }
}

/// IP in LLC/SNAP (RFC 1042): rare, and a way past a sensor that does not look.
#[inline(always)]
fn read_llc<P: PacketBytes>(bytes: &P, offset: usize) -> Result<(Version, usize), Counter> {
    const SNAP_IPV4: u64 = u64::from_ne_bytes([0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00]);
    const SNAP_IPV6: u64 = u64::from_ne_bytes([0xaa, 0xaa, 0x03, 0, 0, 0, 0x86, 0xdd]);
    let header = bytes.header::<LLC_SNAP_BYTES>(offset).ok_or(Counter::Llc)?;
    match header.word64::<0>() {
        SNAP_IPV4 => Ok((Version::V4, offset + LLC_SNAP_BYTES)),
        SNAP_IPV6 => Ok((Version::V6, offset + LLC_SNAP_BYTES)),
        _ => Err(Counter::Llc),
    }
}
