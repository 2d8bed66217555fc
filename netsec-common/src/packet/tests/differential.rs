//! The parser against etherparse, on what both understand.

use core::net::SocketAddr;

use alloc::vec;
use alloc::vec::Vec;

use etherparse::{Ethernet2Header, PacketBuilder, PacketBuilderStep, VlanId};
use proptest::prelude::*;

use super::property::mutated;
use super::{Frame, Packet, Start, Vlan, parse};
use crate::fixtures::reference;
use crate::ledger::Row;
use crate::packet::FlowKey;

fn ours(frame: &[u8]) -> Option<Packet> {
    let whole = Frame {
        bytes: &frame,
        wire_bytes: frame.len().try_into().unwrap(),
        start: Start::Ethernet,
        counted_before: false,
    };
    parse(&whole, &Row::new()).ok()
}

#[derive(Clone, Debug)]
enum Transport {
    Tcp { syn: bool, rst: bool },
    Udp,
    Icmp(u8, u8),
    Icmpv6(u8, u8),
}

fn transports() -> impl Strategy<Value = Transport> {
    prop_oneof![
        any::<(bool, bool)>().prop_map(|(syn, rst)| Transport::Tcp { syn, rst }),
        Just(Transport::Udp),
        any::<(u8, u8)>().prop_map(|(kind, code)| Transport::Icmp(kind, code)),
        any::<(u8, u8)>().prop_map(|(kind, code)| Transport::Icmpv6(kind, code)),
    ]
}

#[derive(Clone, Debug)]
enum Addresses {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

impl Addresses {
    fn endpoints(&self, ports: (u16, u16)) -> (SocketAddr, SocketAddr) {
        match *self {
            Self::V4(source, destination) => {
                ((source, ports.0).into(), (destination, ports.1).into())
            }
            Self::V6(source, destination) => {
                ((source, ports.0).into(), (destination, ports.1).into())
            }
        }
    }
}

fn addresses() -> impl Strategy<Value = Addresses> {
    prop_oneof![
        any::<([u8; 4], [u8; 4])>().prop_map(|(s, d)| Addresses::V4(s, d)),
        any::<([u8; 16], [u8; 16])>().prop_map(|(s, d)| Addresses::V6(s, d)),
    ]
}

fn written(
    tags: &[u16],
    addresses: &Addresses,
    transport: &Transport,
    ports: (u16, u16),
    payload: &[u8],
) -> Vec<u8> {
    let link: PacketBuilderStep<Ethernet2Header> = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let id = |tag: u16| VlanId::try_new(tag).unwrap();
    let ip = match (tags, addresses) {
        ([], Addresses::V4(s, d)) => link.ipv4(*s, *d, 64),
        ([], Addresses::V6(s, d)) => link.ipv6(*s, *d, 64),
        ([tag], Addresses::V4(s, d)) => link.single_vlan(id(*tag)).ipv4(*s, *d, 64),
        ([tag], Addresses::V6(s, d)) => link.single_vlan(id(*tag)).ipv6(*s, *d, 64),
        ([a, b, ..], Addresses::V4(s, d)) => link.double_vlan(id(*a), id(*b)).ipv4(*s, *d, 64),
        ([a, b, ..], Addresses::V6(s, d)) => link.double_vlan(id(*a), id(*b)).ipv6(*s, *d, 64),
    };
    let mut frame = vec![];
    match *transport {
        Transport::Tcp { syn, rst } => {
            let mut tcp = ip.tcp(ports.0, ports.1, 1, 1000);
            if syn {
                tcp = tcp.syn();
            }
            if rst {
                tcp = tcp.rst();
            }
            tcp.write(&mut frame, payload).unwrap();
        }
        Transport::Udp => ip.udp(ports.0, ports.1).write(&mut frame, payload).unwrap(),
        Transport::Icmp(kind, code) => {
            ip.icmpv4_raw(kind, code, [0; 4])
                .write(&mut frame, payload)
                .unwrap();
        }
        Transport::Icmpv6(kind, code) => {
            ip.icmpv6_raw(kind, code, [0; 4])
                .write(&mut frame, payload)
                .unwrap();
        }
    }
    frame
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn what_etherparse_writes_is_read_back(
        tags in prop::collection::vec(0u16..4096, 0..3),
        addresses in addresses(),
        transport in transports(),
        ports in any::<(u16, u16)>(),
        payload in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        // etherparse refuses to write ICMPv6 in IPv4.
        prop_assume!(!matches!((&addresses, &transport), (Addresses::V4(..), Transport::Icmpv6(..))));
        let frame = written(&tags, &addresses, &transport, ports, &payload);
        let (number, ports, flags, surplus) = match transport {
            Transport::Tcp { syn, rst } => (6, ports, u8::from(syn) << 1 | u8::from(rst) << 2, 0),
            Transport::Udp => (17, ports, 0, 0),
            Transport::Icmp(kind, code) => (1, (kind.into(), code.into()), 0, 0),
            // Four of etherparse's eight header bytes are ICMPv6's, four the message's.
            Transport::Icmpv6(kind, code) => (58, (kind.into(), code.into()), 0, 4),
        };
        let mut tags = tags.into_iter();
        let vlan = Vlan {
            outer: tags.next().unwrap_or_default(),
            inner: tags.next().unwrap_or_default(),
        };
        let (source, destination) = addresses.endpoints(ports);
        let packet = ours(&frame).unwrap();
        prop_assert_eq!(packet.key, FlowKey::from_endpoints(source, destination, number, vlan));
        prop_assert_eq!(packet.tcp_flags, flags);
        prop_assert_eq!(packet.payload_bytes as usize, payload.len() + surplus);
    }

    #[test]
    fn a_frame_that_both_accept_has_one_reading(frame in mutated()) {
        if let (Some(packet), Some(theirs)) = (ours(&frame), reference::read(&frame)) {
            prop_assert_eq!((packet.key, packet.tcp_flags), (theirs.key, theirs.tcp_flags));
        }
    }
}

/// The reference must not fall silent: it reads a good half of the table, and reads it as we do.
#[test]
fn the_table_is_read_alike() {
    let read: Vec<_> = crate::fixtures::cases()
        .into_iter()
        .filter_map(|case| {
            let ours = reference::Reading {
                key: case.key?,
                tcp_flags: case.tcp_flags,
            };
            Some((ours, reference::read(&case.frame)?, case.name))
        })
        .collect();
    let unlike: Vec<_> = read
        .iter()
        .filter(|(ours, theirs, _)| ours != theirs)
        .collect();
    assert!(unlike.is_empty(), "{unlike:#?}");
    assert!(
        read.len() >= 60,
        "etherparse read only {} cases",
        read.len()
    );
}
