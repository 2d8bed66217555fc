//! Addresses and ports of a log's line.

use std::net::{IpAddr, SocketAddr};

use netsec_common::packet::{FlowKey, Vlan, protocol};

/// Both ends of what a line is about, and the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Zeek's originator; for Suricata the sender of the packet or the initiator of the flow.
    pub source: IpAddr,
    /// Port, or ICMP type.
    pub source_port: u16,
    /// The other end.
    pub destination: IpAddr,
    /// Port, or ICMP code.
    pub destination_port: u16,
    /// IP protocol number, where the line says it.
    pub protocol: Option<u8>,
}

impl Tuple {
    /// The flow from source to destination, without VLAN; `None` without a protocol.
    #[must_use]
    pub fn key(&self) -> Option<FlowKey> {
        self.protocol.map(|protocol| self.key_as(protocol))
    }

    /// The flow from source to destination when the protocol is `protocol`.
    #[must_use]
    pub fn key_as(&self, protocol: u8) -> FlowKey {
        FlowKey::from_endpoints(
            SocketAddr::new(self.source, self.source_port),
            SocketAddr::new(self.destination, self.destination_port),
            protocol,
            Vlan::default(),
        )
    }

    /// The same, seen from the other end: an ICMP reply becomes its query, with the code kept.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let icmp = self.key().filter(FlowKey::is_icmp);
        let (source_port, destination_port) = match icmp.map(|key| key.reversed()) {
            Some(key) => (key.source_port(), key.destination_port()),
            None => (self.destination_port, self.source_port),
        };
        Self {
            source: self.destination,
            source_port,
            destination: self.source,
            destination_port,
            protocol: self.protocol,
        }
    }
}

/// An IP protocol by the name or number that Suricata and Zeek write, in any case.
pub(super) fn protocol_number(name: &str) -> Option<u8> {
    const NAMES: [(&str, u8); 14] = [
        ("tcp", protocol::TCP),
        ("udp", protocol::UDP),
        ("icmp", protocol::ICMP),
        ("ipv6-icmp", protocol::ICMPV6),
        ("icmp6", protocol::ICMPV6),
        ("icmpv6", protocol::ICMPV6),
        ("sctp", protocol::SCTP),
        ("igmp", 2),
        ("gre", 47),
        ("esp", 50),
        ("ah", 51),
        ("ospf", 89),
        ("pim", 103),
        ("unknown_transport", 255),
    ];
    let known = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, number)| *number);
    // fast.log writes a protocol without a name as `PROTO:047`.
    let digits = name.strip_prefix("PROTO:").unwrap_or(name);
    known.or_else(|| digits.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icmp_reply_seen_from_the_other_end_is_its_query() {
        let tuple = |source: [u8; 4], destination: [u8; 4], kind, code| Tuple {
            source: source.into(),
            source_port: kind,
            destination: destination.into(),
            destination_port: code,
            protocol: Some(protocol::ICMP),
        };
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        assert_eq!(tuple(b, a, 0, 9).reversed(), tuple(a, b, 8, 9));
        assert_eq!(tuple(b, a, 3, 1).reversed(), tuple(a, b, 3, 1));
    }

    #[test]
    fn protocols_by_name_and_number() {
        assert_eq!(protocol_number("TCP"), Some(6));
        assert_eq!(protocol_number("IPv6-ICMP"), Some(58));
        assert_eq!(protocol_number("047"), Some(47));
        assert_eq!(protocol_number("PROTO:103"), Some(103));
        assert_eq!(protocol_number("300"), None);
        assert_eq!(protocol_number(""), None);
    }
}
