//! Flow keys: what goes in comes out, and the way back.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use crate::packet::{FlowKey, Vlan, protocol};

fn endpoints() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
    let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
    (prop_oneof![v4, v6], any::<u16>()).prop_map(|(address, port)| SocketAddr::new(address, port))
}

fn vlans() -> impl Strategy<Value = Vlan> {
    (0u16..4096, 0u16..4096).prop_map(|(outer, inner)| Vlan { outer, inner })
}

proptest! {
    #[test]
    fn a_key_gives_back_its_parts(
        source in endpoints(),
        destination in endpoints(),
        number in any::<u8>(),
        vlan in vlans(),
    ) {
        let key = FlowKey::from_endpoints(source, destination, number, vlan);
        prop_assert_eq!(SocketAddr::new(key.source(), key.source_port()), source);
        prop_assert_eq!(SocketAddr::new(key.destination(), key.destination_port()), destination);
        prop_assert_eq!((key.protocol(), key.vlan()), (number, vlan));
        prop_assert_eq!(FlowKey::from_words(key.words()), key);
    }

    #[test]
    fn the_way_back_of_the_way_back_is_the_way(
        source in endpoints(),
        destination in endpoints(),
        number in any::<u8>(),
        vlan in vlans(),
    ) {
        let key = FlowKey::from_endpoints(source, destination, number, vlan);
        let back = key.reversed();
        prop_assert_eq!(back.reversed(), key);
        prop_assert_eq!((back.source(), back.destination()), (destination.ip(), source.ip()));
        prop_assert_eq!((back.protocol(), back.vlan()), (number, vlan));
        if key.has_ports() {
            prop_assert_eq!(back.source_port(), destination.port());
            prop_assert_eq!(back.destination_port(), source.port());
        }
    }
}

/// The type and code of the opposite direction.
fn answer(number: u8, kind: u16, code: u16) -> (u16, u16) {
    let source: SocketAddr = ([192, 0, 2, 1], kind).into();
    let destination: SocketAddr = ([192, 0, 2, 2], code).into();
    let back = FlowKey::from_endpoints(source, destination, number, Vlan::default()).reversed();
    (back.source_port(), back.destination_port())
}

#[test]
fn the_way_back_of_a_query_is_its_reply() {
    assert_eq!(answer(protocol::ICMP, 8, 0), (0, 0));
    assert_eq!(answer(protocol::ICMP, 0, 0), (8, 0));
    assert_eq!(answer(protocol::ICMP, 13, 0), (14, 0));
    assert_eq!(answer(protocol::ICMPV6, 128, 0), (129, 0));
    assert_eq!(answer(protocol::ICMPV6, 136, 0), (135, 0));
    assert_eq!(answer(protocol::ICMP, 3, 1), (3, 1));
    assert_eq!(answer(protocol::ICMPV6, 1, 4), (1, 4));
    assert_eq!(
        answer(protocol::ICMPV6, 8, 0),
        (8, 0),
        "a type of the other ICMP"
    );
}

#[test]
fn an_ipv4_address_is_its_mapped_ipv6_address() {
    let key = |source: IpAddr| {
        let destination: SocketAddr = ([192, 0, 2, 2], 2).into();
        let source = SocketAddr::new(source, 1);
        FlowKey::from_endpoints(source, destination, protocol::UDP, Vlan::default())
    };
    let mapped = Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201);
    assert_eq!(key(mapped.into()), key([192, 0, 2, 1].into()));
    let compatible = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0xc000, 0x0201);
    assert_eq!(key(compatible.into()).source(), IpAddr::from(compatible));
}
