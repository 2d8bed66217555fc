//! Community ID v1: one name for a flow in every tool.

use community_id::calculate_community_id;
use netsec_common::packet::FlowKey;

use super::endpoint::endpoints;

/// The Community ID of a flow, the same for both directions.
///
/// See <https://github.com/corelight/community-id-spec>. `None` where the specification has no
/// answer: ICMPv6 between IPv4 addresses. VLAN tags have no part in it.
#[must_use]
pub fn community_id(seed: u16, key: &FlowKey) -> Option<String> {
    let (source, destination) = endpoints(key);
    let numbered = key.has_ports() || key.is_icmp();
    calculate_community_id(
        seed,
        source.address,
        destination.address,
        numbered.then(|| key.source_port()),
        numbered.then(|| key.destination_port()),
        key.protocol(),
        false,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{Vlan, protocol};

    use super::*;

    fn id(seed: u16, source: &str, destination: &str, protocol: u8) -> Option<String> {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        let vlan = Vlan { outer: 5, inner: 0 };
        let key = FlowKey::from_endpoints(source, destination, protocol, vlan);
        community_id(seed, &key)
    }

    /// From the tables of the specification's baseline.
    #[test]
    fn seeds_and_portless_protocols_agree_with_the_specification() {
        let (a, b) = ("1.2.3.4:1122", "5.6.7.8:3344");
        assert_eq!(
            id(0, a, b, protocol::TCP).unwrap(),
            "1:wCb3OG7yAFWelaUydu0D+125CLM="
        );
        assert_eq!(
            id(1, b, a, protocol::TCP).unwrap(),
            "1:HhA1B+6CoLbiKPEs5nhNYN4XWfk="
        );
        let (a, b) = ("1.2.3.4:0", "5.6.7.8:0");
        assert_eq!(id(0, a, b, 46).unwrap(), "1:ikv3kmf89luf73WPz1jOs49S768=");
        assert_eq!(id(1, b, a, 46).unwrap(), "1:/buhqeOmaRCopOZFy9HnoJd5XW8=");
    }

    #[test]
    fn odd_families_have_an_answer_or_none() {
        assert!(id(0, "[::ffff:1.2.3.4]:1", "[2001:db8::1]:2", protocol::UDP).is_some());
        assert_eq!(id(0, "1.2.3.4:128", "5.6.7.8:0", protocol::ICMPV6), None);
    }
}
