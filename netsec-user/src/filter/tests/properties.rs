use std::net::{IpAddr, SocketAddr};

use netsec_common::packet::{FlowKey, Vlan};
use proptest::prelude::*;

use super::filter;
use crate::filter::Filter;

/// An expression and what it means, built side by side without parser or program.
#[derive(Clone, Debug)]
enum Naive {
    Protocol(u8),
    Host(Side, IpAddr),
    Port(Side, u16),
    Vlan(u16),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Src,
    Dst,
    Any,
    Both,
}

impl Side {
    fn word(self) -> &'static str {
        match self {
            Self::Src => "src ",
            Self::Dst => "dst ",
            Self::Any => "",
            Self::Both => "src and dst ",
        }
    }

    fn holds<T: PartialEq>(self, source: T, destination: T, wanted: T) -> bool {
        let (source, destination) = (source == wanted, destination == wanted);
        match self {
            Self::Src => source,
            Self::Dst => destination,
            Self::Any => source || destination,
            Self::Both => source && destination,
        }
    }
}

impl Naive {
    fn text(&self) -> String {
        match self {
            Self::Protocol(number) => format!("proto {number}"),
            Self::Host(side, address) => format!("{}host {address}", side.word()),
            Self::Port(side, port) => format!("{}port {port}", side.word()),
            Self::Vlan(id) => format!("vlan {id}"),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::And(a, b) => format!("({}) and ({})", a.text(), b.text()),
            Self::Or(a, b) => format!("({}) or ({})", a.text(), b.text()),
        }
    }

    fn holds(&self, key: &FlowKey) -> bool {
        let ports = (key.source_port(), key.destination_port());
        match self {
            Self::Protocol(number) => key.protocol() == *number,
            Self::Host(side, address) => {
                // An IPv4 address is looked for in IPv4 packets only, and IPv6 likewise.
                let v4 = key.source().is_ipv4() && key.destination().is_ipv4();
                address.is_ipv4() == v4 && side.holds(key.source(), key.destination(), *address)
            }
            Self::Port(side, port) => {
                key.has_ports() && ports != (0, 0) && side.holds(ports.0, ports.1, *port)
            }
            Self::Vlan(id) => [key.vlan().outer, key.vlan().inner].contains(id),
            Self::Not(inner) => !inner.holds(key),
            Self::And(a, b) => a.holds(key) && b.holds(key),
            Self::Or(a, b) => a.holds(key) || b.holds(key),
        }
    }
}

/// Few of each, so that tests hold about as often as not.
fn address() -> impl Strategy<Value = IpAddr> {
    prop::sample::select(vec!["10.0.0.1", "10.0.0.2", "::1", "2001:db8::2"])
        .prop_map(|text| text.parse().unwrap())
}

fn port() -> impl Strategy<Value = u16> {
    0_u16..4
}

fn key() -> impl Strategy<Value = FlowKey> {
    let protocol = prop::sample::select(vec![1_u8, 6, 17, 58, 132, 47]);
    (
        (address(), port()),
        (address(), port()),
        protocol,
        0_u16..3,
        0_u16..3,
    )
        .prop_map(|(source, destination, protocol, outer, inner)| {
            FlowKey::from_endpoints(
                SocketAddr::from(source),
                SocketAddr::from(destination),
                protocol,
                Vlan { outer, inner },
            )
        })
}

fn naive() -> impl Strategy<Value = Naive> {
    let side = || prop::sample::select(vec![Side::Src, Side::Dst, Side::Any, Side::Both]);
    let test = prop_oneof![
        prop::sample::select(vec![1_u8, 6, 17, 58]).prop_map(Naive::Protocol),
        (side(), address()).prop_map(|(side, address)| Naive::Host(side, address)),
        (side(), port()).prop_map(|(side, port)| Naive::Port(side, port)),
        (1_u16..3).prop_map(Naive::Vlan),
    ];
    test.prop_recursive(6, 40, 2, |inner| {
        let pair = || (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|a| Naive::Not(Box::new(a))),
            pair().prop_map(|(a, b)| Naive::And(Box::new(a), Box::new(b))),
            pair().prop_map(|(a, b)| Naive::Or(Box::new(a), Box::new(b))),
        ]
    })
}

/// Words of the language in any order: most are errors, many are not.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "host",
        "net",
        "port",
        "portrange",
        "proto",
        "src",
        "dst",
        "and",
        "or",
        "not",
        "(",
        ")",
        "!",
        "&&",
        "||",
        "tcp",
        "udp",
        "ip",
        "ip6",
        "arp",
        "ether",
        "vlan",
        "mask",
        "/",
        "8",
        "10",
        "10.0.0.0",
        "::1",
        "1-5",
        "ssh",
        "\\tcp",
        "multicast",
        "len",
        "[",
        "0x800",
        "é",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

fn round_trips(expression: &str) -> Result<(), TestCaseError> {
    match Filter::parse(expression) {
        Ok(filter) => {
            let written = filter.to_string();
            let again = Filter::parse(&written);
            prop_assert_eq!(again.as_ref(), Ok(&filter), "{}", written);
            prop_assert_eq!(again.map(|filter| filter.to_string()), Ok(written));
        }
        Err(error) => {
            prop_assert!(error.offset() <= expression.len());
            prop_assert!(expression.is_char_boundary(error.offset()));
            let message = error.to_string();
            prop_assert_eq!(message.lines().count(), 3);
            let is_control = |c: char| c.is_control() && c != '\n';
            prop_assert!(!message.contains(is_control), "{:?}", message);
        }
    }
    Ok(())
}

/// Pairs of expressions that are true of the same flows.
fn laws(a: &str, b: &str) -> [(String, String); 6] {
    [
        (
            format!("not (({a}) and ({b}))"),
            format!("not ({a}) or not ({b})"),
        ),
        (
            format!("not (({a}) or ({b}))"),
            format!("not ({a}) and not ({b})"),
        ),
        (format!("not not ({a})"), a.to_owned()),
        (format!("({a}) and ({b})"), format!("({b}) and ({a})")),
        (format!("({a}) and not ({a})"), "ip and ip6".to_owned()),
        (format!("({a}) or not ({a})"), String::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_is_a_filter_or_an_error(text in "\\PC{0,60}|[ -~\n\t]{0,60}") {
        round_trips(&text)?;
    }

    #[test]
    fn any_words_are_a_filter_or_an_error(text in words()) {
        round_trips(&text)?;
    }

    #[test]
    fn the_program_agrees_with_a_naive_evaluation(
        naive in naive(),
        keys in prop::collection::vec(key(), 16),
    ) {
        let filter = filter(&naive.text());
        for key in &keys {
            prop_assert_eq!(filter.matches_flow(key), naive.holds(key), "{} {:?}", filter, key);
        }
        round_trips(&naive.text())?;
    }

    #[test]
    fn the_laws_of_logic_hold(a in naive(), b in naive(), key in key()) {
        for (left, right) in laws(&a.text(), &b.text()) {
            let (left, right) = (filter(&left), filter(&right));
            prop_assert_eq!(left.matches_flow(&key), right.matches_flow(&key), "{} / {}", left, right);
        }
    }

    #[test]
    fn either_end_is_the_same_in_both_directions(port in port(), address in address(), key in key()) {
        for expression in [format!("port {port}"), format!("host {address}")] {
            let filter = filter(&expression);
            prop_assert_eq!(filter.matches_flow(&key), filter.matches_flow(&key.reversed()));
        }
        let (source, destination) = (filter(&format!("src host {address}")), filter(&format!("dst host {address}")));
        prop_assert_eq!(source.matches_flow(&key), destination.matches_flow(&key.reversed()));
    }
}
