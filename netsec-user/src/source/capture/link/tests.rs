//! Link headers, and what the engine makes of them.

use netsec_common::ledger::{Class, Counter, Row};
use netsec_common::packet::{Frame, parse};

use super::names::name;
use super::*;

/// A UDP packet in IPv4, then one in IPv6.
fn packets() -> [Vec<u8>; 2] {
    let udp = [0, 53, 0, 99, 0, 8, 0, 0];
    let mut v4 = vec![
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];
    let mut v6 = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    v6.extend([0x20; 32]);
    v4.extend(udp);
    v6.extend(udp);
    [v4, v6]
}

/// What the engine says of a frame: nothing, if it is in a flow.
fn outcome(link: Link, bytes: &[u8]) -> Option<Counter> {
    let frame = Frame {
        bytes: &bytes,
        wire_bytes: u32::try_from(bytes.len()).unwrap(),
        start: link.start(bytes),
        counted_before: false,
    };
    parse(&frame, &Row::new()).err()
}

fn with_header(header: &[u8], packet: &[u8]) -> Vec<u8> {
    [header, packet].concat()
}

#[test]
fn both_versions_of_ip_are_found_behind_every_header() {
    let cooked =
        |protocol: [u8; 2]| [&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0][..], &protocol].concat();
    let cooked2 = |protocol: [u8; 2]| {
        [
            &protocol[..],
            &[0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0],
        ]
        .concat()
    };
    let headers: Vec<(Link, Vec<u8>, Vec<u8>)> = vec![
        (Link::Ip, vec![], vec![]),
        (Link::Loopback, vec![2, 0, 0, 0], vec![30, 0, 0, 0]),
        (Link::Loopback, vec![0, 0, 0, 2], vec![0, 0, 0, 24]),
        (Link::Cooked, cooked([8, 0]), cooked([0x86, 0xdd])),
        (Link::Cooked2, cooked2([8, 0]), cooked2([0x86, 0xdd])),
        (Link::Ppp, vec![0xff, 3, 0, 0x21], vec![0xff, 3, 0, 0x57]),
        (Link::Ppp, vec![0, 0x21], vec![0, 0x57]),
        (Link::Ppp, vec![0x21], vec![0x57]),
        (
            Link::PppHdlc,
            vec![0xff, 3, 0, 0x21],
            vec![0xff, 3, 0, 0x57],
        ),
        (
            Link::PppHdlc,
            vec![0x0f, 0, 8, 0],
            vec![0x8f, 0, 0x86, 0xdd],
        ),
        (
            Link::CiscoHdlc,
            vec![0x0f, 0, 8, 0],
            vec![0x0f, 0, 0x86, 0xdd],
        ),
        (
            Link::Pppoe,
            vec![0x11, 0, 0, 1, 0, 30, 0, 0x21],
            vec![0x11, 0, 0, 1, 0, 50, 0, 0x57],
        ),
    ];
    let [v4, v6] = packets();
    for (link, header4, header6) in headers {
        assert_eq!(outcome(link, &with_header(&header4, &v4)), None, "{link:?}");
        assert_eq!(outcome(link, &with_header(&header6, &v6)), None, "{link:?}");
    }
    assert_eq!(outcome(Link::Ipv4, &v4), None);
    assert_eq!(outcome(Link::Ipv6, &v6), None);
}

#[test]
fn a_frame_shorter_than_its_header_is_malformed() {
    let links = [
        (Link::Ethernet, 14),
        (Link::Ip, 20),
        (Link::Ipv4, 20),
        (Link::Ipv6, 40),
        (Link::Loopback, 4),
        (Link::Cooked, 16),
        (Link::Cooked2, 20),
        (Link::Ppp, 1),
        (Link::PppHdlc, 1),
        (Link::Pppoe, 8),
        (Link::CiscoHdlc, 4),
    ];
    for (link, bytes) in links {
        for length in 0..bytes {
            let counter = outcome(link, &vec![0; length]).unwrap();
            assert_eq!(
                counter.class(),
                Class::Malformed,
                "{link:?} {length}: {}",
                counter.name()
            );
        }
    }
}

#[test]
fn a_version_that_is_neither_is_malformed() {
    let [mut packet, _] = packets();
    packet[0] = 0x75;
    assert_eq!(outcome(Link::Ip, &packet), Some(Counter::Ipv4Version));
}

#[test]
fn other_protocols_are_no_ip() {
    let body = [
        0xaa, 0xaa, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let cooked = |hardware: [u8; 2], protocol: [u8; 2]| {
        let header = [&[0, 0][..], &hardware, &[0; 10], &protocol].concat();
        outcome(Link::Cooked, &with_header(&header, &body))
    };
    assert_eq!(cooked([0, 1], [8, 6]), Some(Counter::Arp));
    assert_eq!(
        cooked([0, 1], [0, 1]),
        Some(Counter::OtherEthertype),
        "raw 802.3"
    );
    assert_eq!(
        cooked([3, 0x38], [0, 4]),
        Some(Counter::OtherEthertype),
        "netlink"
    );
    assert_eq!(
        cooked([0, 1], [0, 4]).map(Counter::class),
        Some(Class::Malformed),
        "IP of version 0 in LLC/SNAP"
    );
    assert_eq!(
        outcome(Link::Ppp, &[0xff, 3, 0xc0, 0x21, 1, 1]),
        Some(Counter::OtherEthertype)
    );
    assert_eq!(
        outcome(Link::CiscoHdlc, &[0x8f, 0, 0x80, 0x35, 0]),
        Some(Counter::OtherEthertype)
    );
    assert_eq!(
        outcome(Link::Loopback, &[7, 0, 0, 0, 0]),
        Some(Counter::OtherEthertype)
    );
}

#[test]
fn names_are_the_registry_s() {
    for (number, expect) in [
        (105, "IEEE802_11"),
        (127, "IEEE802_11_RADIOTAP"),
        (220, "USB_LINUX_MMAPPED"),
    ] {
        assert_eq!(name(number), expect);
        assert_eq!(Link::from_number(number), None);
    }
    for number in [0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 276] {
        assert!(Link::from_number(number).is_some());
        assert!(SUPPORTED.contains(&number.to_string()), "{number}");
    }
}
