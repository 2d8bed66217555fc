//! What a filter is asked about.

use std::net::{IpAddr, Ipv4Addr};

use netsec_common::packet::{FlowKey, Vlan, protocol};

use super::names::ethertype;
use crate::log::Tuple;

/// A flow, a packet of it, or a frame without IP, in the form the tests read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject {
    pub(super) ethertype: u16,
    /// IP protocol number, for IP.
    pub(super) protocol: Option<u8>,
    /// Source and destination of IP, sender and target of ARP; IPv4 is held IPv4-mapped.
    pub(super) addresses: Option<(u128, u128)>,
    /// Source and destination port, where there are ports and they are known.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) vlan: Vlan,
    pub(super) originator: Originator,
}

/// Which end began the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Originator {
    Source,
    Destination,
    /// Of a packet alone nobody knows.
    Unknown,
}

impl Subject {
    #[inline]
    pub(super) fn from_key(key: &FlowKey) -> Self {
        let (source, destination) = (key.source(), key.destination());
        let ports = (key.source_port(), key.destination_port());
        Self {
            ethertype: match (source, destination) {
                (IpAddr::V4(_), IpAddr::V4(_)) => ethertype::IPV4,
                (IpAddr::V4(_) | IpAddr::V6(_), _) => ethertype::IPV6,
            },
            protocol: Some(key.protocol()),
            addresses: Some((bits(source), bits(destination))),
            // Both zero is how a key says that it is of later fragments.
            ports: (key.has_ports() && ports != (0, 0)).then_some(ports),
            vlan: key.vlan(),
            originator: Originator::Unknown,
        }
    }

    /// A line of a log. VLAN tags are not told by all logs, and are in no test of them.
    pub(super) fn from_tuple(tuple: &Tuple, originator: Originator) -> Self {
        let is_v4 = tuple.source.is_ipv4() && tuple.destination.is_ipv4();
        // A log that names no protocol is about one that has ports.
        let numbered = tuple
            .protocol
            .is_none_or(|number| matches!(number, protocol::TCP | protocol::UDP | protocol::SCTP));
        Self {
            ethertype: if is_v4 {
                ethertype::IPV4
            } else {
                ethertype::IPV6
            },
            protocol: tuple.protocol,
            addresses: Some((bits(tuple.source), bits(tuple.destination))),
            ports: numbered.then_some((tuple.source_port, tuple.destination_port)),
            vlan: Vlan::default(),
            originator,
        }
    }

    pub(super) const fn not_ip(ethertype: u16, vlan: Vlan) -> Self {
        Self {
            ethertype,
            protocol: None,
            addresses: None,
            ports: None,
            vlan,
            originator: Originator::Unknown,
        }
    }

    pub(super) fn arp(ethertype: u16, sender: Ipv4Addr, target: Ipv4Addr, vlan: Vlan) -> Self {
        Self {
            addresses: Some((bits(sender.into()), bits(target.into()))),
            ..Self::not_ip(ethertype, vlan)
        }
    }
}

#[inline]
const fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
