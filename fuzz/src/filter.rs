//! A filter expression, asked of flows.

use std::net::Ipv4Addr;

use netsec_common::packet::{FlowKey, Vlan};
use netsec_user::filter::Filter;

use crate::frame;

/// Parts the expression from the flows; no byte of UTF-8.
const END_OF_TEXT: u8 = 0xff;

/// Bytes of a flow key.
const KEY_BYTES: usize = 40;

/// Text is a filter that is written as it is read, or an error that says where. A filter and its
/// negation disagree about every flow.
pub fn check(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == END_OF_TEXT);
    let text = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let keys = keys(parts.next().unwrap_or_default());
    match Filter::parse(&text) {
        Ok(filter) => {
            round_trips(&filter);
            negates(&text, &filter, &keys);
        }
        Err(error) => {
            assert!(error.offset() <= text.len(), "{error}");
            assert!(text.is_char_boundary(error.offset()), "{error}");
            let message = error.to_string();
            assert_eq!(message.lines().count(), 3, "{message}");
            let controls = message.chars().any(|c| c.is_control() && c != '\n');
            assert!(!controls, "{message:?}");
        }
    }
}

/// Expressions of every primitive, in the words of the manual; each with the fixtures' flows.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let keys: Vec<_> = frame::all_cases().filter_map(|case| case.key).collect();
    EXPRESSIONS
        .iter()
        .zip(keys.iter().cycle())
        .map(|(text, key)| {
            let mut seed = text.as_bytes().to_vec();
            seed.push(END_OF_TEXT);
            seed.extend(key.words().map(u64::to_le_bytes).concat());
            seed
        })
        .collect()
}

/// The flows that follow the text, and some that always are asked about.
fn keys(bytes: &[u8]) -> Vec<FlowKey> {
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    let given = bytes.chunks_exact(KEY_BYTES).map(|chunk| {
        let mut words = chunk.chunks_exact(8).map(word);
        FlowKey::from_words([(); 5].map(|()| words.next().unwrap_or_default()))
    });
    let endpoint = |host, port| ([192, 0, 2, host], port).into();
    let fixed = [(6, 443), (17, 53), (1, 0)].map(|(protocol, port)| {
        FlowKey::from_endpoints(
            endpoint(1, 50_000),
            endpoint(2, port),
            protocol,
            Vlan::default(),
        )
    });
    given.chain(fixed).collect()
}

fn halves(word: u64) -> [u32; 2] {
    [word >> 32, word & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or_default())
}

fn round_trips(filter: &Filter) {
    let written = filter.to_string();
    let again = Filter::parse(&written);
    assert_eq!(again.as_ref(), Ok(filter), "{written:?}");
    assert_eq!(again.map(|filter| filter.to_string()), Ok(written));
}

fn negates(text: &str, filter: &Filter, keys: &[FlowKey]) {
    // The negation can be one too deep, and that of nothing is none.
    let negation = Filter::parse(&format!("not ({text})")).ok();
    let holds = |ours: bool, theirs: &dyn Fn(&Filter) -> bool| {
        if let Some(negation) = &negation {
            assert_ne!(ours, theirs(negation), "{text:?}");
        }
        assert!(ours || !filter.is_everything());
    };
    for key in keys {
        let asked = |filter: &Filter| filter.matches_flow(key);
        holds(asked(filter), &asked);
        let [low, high, ..] = key.words();
        let ethertype = key.source_port();
        let asked = |filter: &Filter| filter.matches_not_ip(ethertype, key.vlan());
        holds(asked(filter), &asked);
        let [sender, target] = halves(low ^ high).map(Ipv4Addr::from_bits);
        let asked = |filter: &Filter| filter.matches_arp(0x0806, sender, target, key.vlan());
        holds(asked(filter), &asked);
    }
}

const EXPRESSIONS: &[&str] = &[
    "",
    "host 192.0.2.1",
    "src host 2001:db8::1",
    "dst 192.0.2.2",
    "net 10.0.0.0/8",
    "net 10",
    "net 192.168",
    "net 172.16.0.0 mask 255.240.0.0",
    "src net 2001:db8::/32",
    "port 53",
    "tcp port https",
    "udp src port 67 or 68",
    "sctp dst port 2905",
    "portrange 6000-6010",
    "tcp dst portrange 1-1023",
    "ip",
    "ip6",
    "arp",
    "rarp",
    "tcp or udp or sctp",
    "icmp or icmp6",
    "igmp || pim || vrrp || esp || ah",
    "proto 47",
    "proto gre",
    "ip proto \\tcp",
    "ip6 proto 0x3a",
    "ether proto 0x88cc",
    "ip multicast",
    "ip6 multicast",
    "vlan",
    "vlan 7 and vlan 8",
    "src and dst net 10/8",
    "src or dst host ::1",
    "arp host 192.0.2.1",
    "ip src 192.0.2.1",
    "not port 22",
    "!(tcp and port 22)",
    "not not ip",
    "tcp dst port 80 or 443 and not host 192.0.2.1",
    "((ip and (tcp or udp)) or ip6) && !vlan",
    "host 10.1",
    "tcp[13] & 2 != 0",
    "less 100",
    "ether host 02:00:00:00:00:01",
    "port 99999",
    "net 10.0.0.1/8",
    "host \u{e9}",
    "port",
    "(((",
];
