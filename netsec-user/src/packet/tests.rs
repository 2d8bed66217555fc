use std::net::IpAddr;

use bytes::Bytes;
use etherparse::{PacketBuilder, TcpHeader};
use netsec_common::packet::{Start, protocol};
use netsec_common::sample::Fate;
use proptest::prelude::*;

use super::dns::Question;
use super::*;
use crate::hook::HookId;
use crate::time::WallTime;

const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const B: [u8; 6] = [2, 0, 0, 0, 0, 2];
const IP_A: [u8; 4] = [10, 0, 0, 1];
const IP_B: [u8; 4] = [10, 0, 0, 2];

fn decode_from(start: Start, bytes: &[u8], wire_bytes: usize) -> PacketView {
    PacketView::decode(&Sample {
        hook: HookId(0),
        time: WallTime::default(),
        wire_bytes: u32::try_from(wire_bytes).unwrap(),
        start,
        fate: Fate::PASSED,
        bytes: Bytes::copy_from_slice(bytes),
    })
}

fn decode(bytes: &[u8]) -> PacketView {
    decode_from(Start::Ethernet, bytes, bytes.len())
}

fn ip(view: &PacketView) -> &Internet {
    view.internet()
        .unwrap_or_else(|| panic!("no IP in {view:?}"))
}

/// A SYN with `payload_bytes` bytes of data, on Ethernet.
fn syn(payload_bytes: usize) -> Vec<u8> {
    let mut header = TcpHeader::new(51000, 443, 1, 65535);
    header.syn = true;
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(IP_A, IP_B, 64)
        .tcp_header(header)
        .write(&mut frame, &vec![0; payload_bytes])
        .unwrap();
    frame
}

fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(A, B)
        .ipv4(IP_A, IP_B, 64)
        .udp(ports.0, ports.1)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

/// Replaces the Ethernet type of `frame` by `link`, from the type field on.
fn relink(frame: &[u8], link: &[u8]) -> Vec<u8> {
    [&frame[..12], link, &frame[14..]].concat()
}

const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";

#[test]
fn tcp_has_ports_flags_and_the_length_on_the_wire() {
    let mut frame = syn(6);
    let view = decode(&frame);
    let tcp = Transport::Tcp {
        ports: (51000, 443),
        flags: 0x02,
    };
    assert_eq!(ip(&view).transport, tcp);
    assert_eq!(ip(&view).payload_bytes, Some(6));
    assert_eq!(view.link.addresses, Some((Mac(A), Mac(B))));
    assert_eq!(view.link.ethertype, Some(0x0800));
    assert_eq!(view.flow.unwrap().key.destination_port(), 443);
    // Link padding is no payload, and what was not captured still counts.
    frame.extend_from_slice(&[0; 9]);
    assert_eq!(ip(&decode(&frame)).payload_bytes, Some(6));
    let cut = decode_from(Start::Ethernet, &frame[..54], 60);
    assert_eq!((cut.captured_bytes, ip(&cut).payload_bytes), (54, Some(6)));
    assert_eq!(cut.defect(), None);
}

#[test]
fn what_was_cut_away_is_said() {
    let frame = syn(0);
    let cut = decode_from(Start::Ethernet, &frame[..40], 54);
    assert_eq!(cut.defect(), Some(Defect::Cut(Counter::TcpTruncated)));
    assert_eq!(ip(&cut).source, IpAddr::from(IP_A));
    assert_eq!(
        (ip(&cut).protocol, ip(&cut).transport),
        (protocol::TCP, Transport::None)
    );
    let mut bad = frame;
    bad[46] = 0x40;
    let bad = decode(&bad);
    assert_eq!(
        bad.defect(),
        Some(Defect::Malformed(Counter::TcpDataOffset))
    );
    assert_eq!(
        bad.defect().unwrap().to_string(),
        "malformed tcp_data_offset"
    );
    let nothing = decode(&[]);
    assert_eq!(
        nothing.defect(),
        Some(Defect::Malformed(Counter::EthernetTruncated))
    );
    assert_eq!(nothing.link, Link::default());
}

#[test]
fn a_malformed_length_leaves_addresses_and_ports_readable() {
    let mut frame = udp((1000, 2000), b"abc");
    frame[38..40].copy_from_slice(&500_u16.to_be_bytes());
    let view = decode(&frame);
    assert_eq!(view.defect(), Some(Defect::Malformed(Counter::UdpLength)));
    assert_eq!(ip(&view).transport, Transport::Ports(1000, 2000));
    assert_eq!(ip(&view).payload_bytes, None);
}

#[test]
fn ip_is_found_behind_every_carrier_the_engine_knows() {
    let frame = syn(0);
    for (link, vlans, carrier) in [
        (&b"\x81\0\0\x05\x08\0"[..], vec![5], None),
        (b"\x88\xa8\0\x64\x81\0\0\xc8\x08\0", vec![100, 200], None),
        (
            b"\x91\0\0\x07\x88\x47\0\0\x10\x40\0\0\x21\x40",
            vec![7],
            Some(Carrier::Mpls),
        ),
        (
            b"\x88\x64\x11\0\0\x01\0\x2a\0\x21",
            vec![],
            Some(Carrier::Pppoe),
        ),
        (
            b"\0\x30\xaa\xaa\x03\0\0\0\x08\0",
            vec![],
            Some(Carrier::Snap),
        ),
    ] {
        let view = decode(&relink(&frame, link));
        assert_eq!(
            (&view.link.vlans, view.link.carrier),
            (&vlans, carrier),
            "{link:?}"
        );
        assert_eq!(ip(&view).source, IpAddr::from(IP_A), "{link:?}");
        assert_eq!(view.flow.unwrap().key.source_port(), 51000, "{link:?}");
    }
}

#[test]
fn what_the_engine_takes_for_no_ip_is_shown_as_none() {
    let frame = syn(0);
    for (link, reason, name) in [
        (
            &b"\x81\0\0\x01\x81\0\0\x02\x81\0\0\x03\x08\0"[..],
            Counter::VlanDepth,
            "IPv4",
        ),
        (b"\x88\xe5\0\0\0\0\0\x01\x08\0", Counter::Macsec, "MACsec"),
        (b"\x88\xcc", Counter::Lldp, "LLDP"),
        (b"\x88\x8e", Counter::Eapol, "EAPOL"),
        (b"\x88\x63", Counter::PppControl, "PPPoED"),
        (
            b"\x88\x64\x11\0\0\x01\0\x2a\xc0\x21",
            Counter::PppControl,
            "PPPoE",
        ),
        (b"\0\x26\x42\x42\x03", Counter::Llc, "STP"),
        (b"\0\x26\xaa\xaa\x03\0\0\x0c\x20\0", Counter::Llc, "CDP"),
    ] {
        let view = decode(&relink(&frame, link));
        assert_eq!(view.flow, Err(reason), "{link:?}");
        let Content::Other(found) = view.content else {
            panic!("{link:?} gives {view:?}");
        };
        assert_eq!((found, view.defect()), (Some(name), None), "{link:?}");
    }
}

#[test]
fn a_capture_without_ethernet_begins_where_it_says() {
    let frame = syn(2);
    let bytes = [&[0; 4][..], &frame[14..]].concat();
    let start = Start::Network {
        ethertype: 0x0800,
        offset: 4,
    };
    let view = decode_from(start, &bytes, bytes.len());
    assert_eq!(
        (ip(&view).payload_bytes, view.link.addresses),
        (Some(2), None)
    );
    assert_eq!(view.link.ethertype, Some(0x0800));
    let beyond = decode_from(start, &[1, 2], 2);
    assert_eq!(
        beyond.defect(),
        Some(Defect::Malformed(Counter::Ipv4Truncated))
    );
}

#[test]
fn fragments_have_a_place_and_only_the_first_has_ports() {
    let mut first = udp((1000, 2000), &[0; 24]);
    first[18..22].copy_from_slice(&[0x12, 0x34, 0x20, 0]);
    let view = decode(&first);
    let place = Fragment {
        id: 0x1234,
        offset_bytes: 0,
        more: true,
    };
    assert_eq!(ip(&view).fragment, Some(place));
    assert_eq!(ip(&view).transport, Transport::Ports(1000, 2000));
    let mut later = first;
    later[20..22].copy_from_slice(&185_u16.to_be_bytes());
    let view = decode(&later);
    let place = Fragment {
        id: 0x1234,
        offset_bytes: 1480,
        more: false,
    };
    assert_eq!(ip(&view).fragment, Some(place));
    assert_eq!(
        (ip(&view).transport, ip(&view).payload_bytes),
        (Transport::None, None)
    );
}

#[test]
fn an_ipv6_fragment_is_found_behind_other_extension_headers_wherever_the_frame_is_cut() {
    let mut frame = [A, B].concat();
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 48, 0, 64]);
    frame.extend([0x20; 32]);
    frame.extend([60, 0, 0, 0, 0, 0, 0, 0]); // hop by hop
    frame.extend([51, 0, 0, 0, 0, 0, 0, 0]); // destination options
    frame.extend([44, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // authentication
    frame.extend([17, 0, 0x05, 0xc9, 0, 1, 0xe2, 0x40]); // fragment
    frame.extend([0; 8]);
    let place = Fragment {
        id: 123_456,
        offset_bytes: 1480,
        more: true,
    };
    for cut in 0..=frame.len() {
        let view = decode_from(Start::Ethernet, &frame[..cut], frame.len());
        let found = view.internet().and_then(|internet| internet.fragment);
        assert_eq!(found, (cut >= frame.len() - 8).then_some(place), "at {cut}");
    }
}

#[test]
fn icmp_has_type_and_code() {
    let mut frame = Vec::new();
    let (a, b) = (
        [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0xff; 16],
    );
    PacketBuilder::ethernet2(A, B)
        .ipv6(a, b, 255)
        .icmpv6_raw(135, 0, [0; 4])
        .write(&mut frame, &[0; 16])
        .unwrap();
    let view = decode(&frame);
    assert_eq!(ip(&view).transport, Transport::Icmp(135, 0));
    assert_eq!(
        names::icmp(ip(&view).protocol, 135, 0),
        Some("neighbor-solicitation")
    );
}

#[test]
fn arp_is_read() {
    let body = [&b"\0\x01\x08\0\x06\x04\0\x02"[..], &A, &IP_A, &B, &IP_B].concat();
    let frame = [&B[..], &A, b"\x08\x06", &body].concat();
    let Content::Arp(arp) = decode(&frame).content else {
        panic!("{:?}", decode(&frame));
    };
    assert_eq!(arp.operation, 2);
    assert_eq!(arp.sender, (Mac(A), IP_A.into()));
    assert_eq!(arp.target, (Mac(B), IP_B.into()));
    let Content::Other(Some("ARP")) = decode(&frame[..30]).content else {
        panic!("{:?}", decode(&frame[..30]));
    };
}

#[test]
fn dns_is_read_on_its_ports_only() {
    let question = Question {
        name: "example.com".into(),
        kind: 1,
    };
    for ports in [(40000, 53), (53, 40000), (5353, 5353)] {
        let view = decode(&udp(ports, QUERY));
        assert_eq!(
            ip(&view).dns.as_ref().unwrap().questions,
            std::slice::from_ref(&question)
        );
    }
    assert_eq!(ip(&decode(&udp((40000, 5300), QUERY))).dns, None);
    let mut frame = Vec::new();
    let segment = [&u16::try_from(QUERY.len()).unwrap().to_be_bytes(), QUERY].concat();
    PacketBuilder::ethernet2(A, B)
        .ipv4(IP_A, IP_B, 64)
        .tcp(40000, 53, 1, 1024)
        .options_raw(&[1, 1, 1, 1])
        .unwrap()
        .write(&mut frame, &segment)
        .unwrap();
    let view = decode(&frame);
    assert_eq!(ip(&view).dns.as_ref().unwrap().questions, [question]);
}

proptest! {
    #[test]
    fn any_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        link in prop::sample::select(vec![
            &b""[..], b"\x08\0E", b"\x86\xdd\x60", b"\x08\x06", b"\x81\0\0\x01\x08\0E",
            b"\x88\x47\0\0\x01\0", b"\x88\x64", b"\0\x10\xaa\xaa\x03",
        ]),
        longer in 0_usize..100,
    ) {
        let frame = if bytes.len() < 14 { bytes } else { relink(&bytes, link) };
        let view = decode_from(Start::Ethernet, &frame, frame.len() + longer);
        // The filter's key is the engine's, whatever else was read.
        if let (Ok(packet), Some(internet)) = (&view.flow, view.internet()) {
            prop_assert_eq!(packet.key.protocol(), internet.protocol);
        }
        prop_assert_eq!(view.flow.is_ok(), view.defect().is_none() && view.internet().is_some());
    }
}
