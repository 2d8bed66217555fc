//! Addresses with ports, as outputs show them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use netsec_common::packet::FlowKey;

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Address.
    pub address: IpAddr,
    /// Port, where the protocol has ports and the packets are no later fragments.
    pub port: Option<u16>,
}

impl fmt::Display for Endpoint {
    /// `10.0.0.1:443`, `[2001:db8::1]:443`, and without a port `2001:db8::1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (address, None) => write!(f, "{address}"),
            (IpAddr::V4(address), Some(port)) => write!(f, "{address}:{port}"),
            (IpAddr::V6(address), Some(port)) => write!(f, "[{address}]:{port}"),
        }
    }
}

/// Source and destination of a flow; both addresses are of the same family.
///
/// A key holds IPv4 addresses IPv4-mapped, so of an IPv6 packet with one mapped address, that
/// address reads as IPv4. It is IPv6 here.
#[must_use]
pub fn endpoints(key: &FlowKey) -> (Endpoint, Endpoint) {
    let (source, destination) = match (key.source(), key.destination()) {
        (IpAddr::V4(source), IpAddr::V6(destination)) => (mapped(source), destination.into()),
        (IpAddr::V6(source), IpAddr::V4(destination)) => (source.into(), mapped(destination)),
        same_family => same_family,
    };
    // Later fragments are accounted under port zero on both sides.
    let numbered = key.has_ports() && (key.source_port(), key.destination_port()) != (0, 0);
    let port = |port| numbered.then_some(port);
    (
        Endpoint {
            address: source,
            port: port(key.source_port()),
        },
        Endpoint {
            address: destination,
            port: port(key.destination_port()),
        },
    )
}

fn mapped(address: std::net::Ipv4Addr) -> IpAddr {
    let address: Ipv6Addr = address.to_ipv6_mapped();
    address.into()
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{Vlan, protocol};

    use super::*;

    fn written(source: &str, destination: &str, protocol: u8) -> (String, String) {
        let key = FlowKey::from_endpoints(
            source.parse().unwrap(),
            destination.parse().unwrap(),
            protocol,
            Vlan::default(),
        );
        let (source, destination) = endpoints(&key);
        (source.to_string(), destination.to_string())
    }

    #[test]
    fn brackets_stand_only_where_a_port_follows() {
        let tcp = written("10.0.0.1:51000", "10.0.0.2:443", protocol::TCP);
        assert_eq!(tcp, ("10.0.0.1:51000".into(), "10.0.0.2:443".into()));
        let tcp = written("[2001:db8::1]:51000", "[2001:db8::2]:443", protocol::TCP);
        assert_eq!(
            tcp,
            ("[2001:db8::1]:51000".into(), "[2001:db8::2]:443".into())
        );
        let fragments = written("10.0.0.1:0", "10.0.0.2:0", protocol::UDP);
        assert_eq!(fragments, ("10.0.0.1".into(), "10.0.0.2".into()));
        let icmp = written("[fe80::1]:128", "[fe80::2]:0", protocol::ICMPV6);
        assert_eq!(icmp, ("fe80::1".into(), "fe80::2".into()));
    }

    #[test]
    fn a_single_mapped_address_stays_ipv6() {
        let mixed = written("[::ffff:10.0.0.1]:1", "[2001:db8::2]:2", protocol::UDP);
        assert_eq!(mixed.0, "[::ffff:10.0.0.1]:1");
        let mixed = written("[2001:db8::2]:2", "[::ffff:10.0.0.1]:1", protocol::UDP);
        assert_eq!(mixed.1, "[::ffff:10.0.0.1]:1");
    }
}
