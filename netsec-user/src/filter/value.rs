//! Addresses, networks, ports and numbers, and the tests they make.

use std::net::{Ipv4Addr, Ipv6Addr};

use netsec_common::packet::protocol;

use super::error::{FilterError, Problem, shortened};
use super::expression::{Network, Side, Test, Version};
use super::lex::{Token, TokenKind};
use super::names::{self, Meaning, ethertype};
use super::parse::{Kind, Parser, Qualifiers};
use super::refuse;

mod network;
mod number;

use number::{Number, number};

/// Least value of the field that is a type and no length (IEEE 802.3).
const ETHERTYPE_MIN: u32 = 1536;
const VLAN_MAX: u32 = 4095;

/// Whether the protocol word goes with what follows.
pub(super) fn check_protocol<'a>(
    parser: &Parser<'a>,
    qualifiers: &Qualifiers<'a>,
) -> Result<(), FilterError> {
    let Some((word, meaning)) = qualifiers.protocol else {
        return Ok(());
    };
    let name = word.text;
    let (with, instead) = match (qualifiers.kind, meaning) {
        (Kind::Host | Kind::Net, Meaning::Ethertype(_))
        | (
            Kind::Port | Kind::PortRange,
            Meaning::Protocol(None, protocol::TCP | protocol::UDP | protocol::SCTP),
        )
        | (Kind::Proto, Meaning::Link | Meaning::Ethertype(ethertype::IPV4 | ethertype::IPV6)) => {
            return Ok(());
        }
        (Kind::Host | Kind::Net | Kind::Port | Kind::PortRange, Meaning::Link) => {
            let problem = Problem::Refused {
                word: format!("{name} {}", qualifiers.last.text),
                why: refuse::link_address(),
            };
            return Err(parser.error_between(problem, word, qualifiers.last.end()));
        }
        (Kind::Host | Kind::Net, Meaning::Protocol(..)) => (
            "an address",
            format!("{name} and {} …", qualifiers.last.text),
        ),
        (Kind::Port | Kind::PortRange, Meaning::Ethertype(_) | Meaning::Protocol(..)) => {
            ("a port", format!("{name} and {} …", qualifiers.last.text))
        }
        (Kind::Proto, Meaning::Ethertype(_) | Meaning::Protocol(..)) => {
            ("`proto`", name.to_owned())
        }
    };
    let problem = Problem::Modifier {
        word: name.to_owned(),
        with,
        instead,
    };
    Err(parser.error_at(problem, word))
}

/// Takes a value, and makes the test of it that the words before it say.
pub(super) fn test<'a>(
    parser: &mut Parser<'a>,
    qualifiers: &Qualifiers<'a>,
) -> Result<Test, FilterError> {
    let side = qualifiers.side;
    match qualifiers.kind {
        Kind::Host => {
            let word = parser.peeked;
            let network = network::host(parser)?;
            address(parser, qualifiers, word, network)
        }
        Kind::Net => {
            let word = parser.peeked;
            let network = network::network(parser)?;
            address(parser, qualifiers, word, network)
        }
        Kind::Port => {
            let word = parser.next();
            let number = port(parser, word, word.text)?;
            Ok(ports(qualifiers, side, (number, number)))
        }
        Kind::PortRange => {
            let word = parser.next();
            let range = port_range(parser, word)?;
            Ok(ports(qualifiers, side, range))
        }
        Kind::Proto => match qualifiers.protocol.map(|(_, meaning)| meaning) {
            Some(Meaning::Link) => ether_proto(parser),
            Some(Meaning::Ethertype(ethertype)) => ip_proto(parser, Some(ethertype)),
            Some(Meaning::Protocol(..)) | None => ip_proto(parser, None),
        },
    }
}

/// Takes the identifier behind `vlan`, if there is one.
pub(super) fn vlan(parser: &mut Parser<'_>) -> Result<Option<u16>, FilterError> {
    let word = parser.peeked;
    let is_number = word.text.starts_with(|c: char| c.is_ascii_digit());
    if word.kind != TokenKind::Word || !is_number {
        return Ok(None);
    }
    parser.next();
    // An identifier of zero is a priority tag, which a flow key does not keep.
    number(parser, word, word.text, "VLAN identifier", 1..=VLAN_MAX).map(Some)
}

/// `ip multicast`, `ip6 multicast`: for IPv4 the first byte is 224 or more, as tcpdump has it.
pub(super) const fn multicast(kind: u16) -> Test {
    const V4: u128 = 0xe000_0000;
    const V6: u128 = 0xff << 120;
    let (ethertype, version, bits) = match kind {
        ethertype::IPV6 => (None, Version::V6, V6),
        _ => (Some(ethertype::IPV4), Version::V4, V4),
    };
    Test::Address {
        ethertype,
        side: Side::Destination,
        network: Network {
            version,
            value: bits,
            mask: bits,
        },
    }
}

/// A value with the word in front that it likely lacks; `None` when it looks like none.
pub(super) fn qualified(text: &str) -> Option<String> {
    if text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv6Addr>().is_ok() {
        return Some(format!("host {text}"));
    }
    if text.parse::<u16>().is_ok() || names::service_port(text).is_some() {
        return Some(format!("port {text}"));
    }
    let (low, high) = text.split_once('-')?;
    (low.parse::<u16>().is_ok() && high.parse::<u16>().is_ok()).then(|| format!("portrange {text}"))
}

fn address<'a>(
    parser: &Parser<'a>,
    qualifiers: &Qualifiers<'a>,
    word: Token<'a>,
    network: Network,
) -> Result<Test, FilterError> {
    let only = match qualifiers.protocol {
        Some((_, Meaning::Ethertype(ethertype))) => Some(ethertype),
        Some((_, Meaning::Link | Meaning::Protocol(..))) | None => None,
    };
    let (ethertype, with) = match (network.version, only) {
        (Version::V4, Some(ethertype::IPV6)) => (None, Some(("an IPv4 address", "ip"))),
        (Version::V4, only) => (only, None),
        (Version::V6, None | Some(ethertype::IPV6)) => (None, None),
        (Version::V6, Some(_)) => (None, Some(("an IPv6 address", "ip6"))),
    };
    if let (Some((modifier, _)), Some((with, instead))) = (qualifiers.protocol, with) {
        let problem = Problem::Modifier {
            word: modifier.text.to_owned(),
            with,
            instead: format!(
                "{instead} {} {}",
                qualifiers.last.text,
                shortened(word.text)
            ),
        };
        return Err(parser.error_at(problem, word));
    }
    Ok(Test::Address {
        ethertype,
        side: qualifiers.side,
        network,
    })
}

fn ports(qualifiers: &Qualifiers<'_>, side: Side, (low, high): (u16, u16)) -> Test {
    Test::Port {
        protocol: match qualifiers.protocol {
            Some((_, Meaning::Protocol(_, number))) => Some(number),
            Some((_, Meaning::Link | Meaning::Ethertype(_))) | None => None,
        },
        side,
        low,
        high,
    }
}

/// A port's number or name; `text` is all of `word` or part of it.
fn port<'a>(parser: &Parser<'a>, word: Token<'a>, text: &str) -> Result<u16, FilterError> {
    if let Some(port) = names::service_port(text) {
        return Ok(port);
    }
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let bare_range = text.split_once('-').is_some() && qualified(text).is_some();
        if bare_range {
            let problem = Problem::Number {
                kind: "port",
                text: shortened(text),
                why: "a range goes with `portrange`",
            };
            return Err(parser.error_between(problem, word, word.end()));
        }
        return number(parser, word, text, "port", 0..=u32::from(u16::MAX));
    }
    let problem = Problem::UnknownName {
        kind: "service",
        name: shortened(text),
    };
    Err(parser.error_between(problem, word, word.end()))
}

/// `A-B` in either order, or one port. Names may hold hyphens themselves.
fn port_range<'a>(parser: &Parser<'a>, word: Token<'a>) -> Result<(u16, u16), FilterError> {
    let text = word.text;
    let known = |end: &str| {
        names::service_port(end).is_some() || end.starts_with(|c: char| c.is_ascii_digit())
    };
    let split = text
        .match_indices('-')
        .filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)))
        .find(|(low, high)| known(low) && known(high));
    let (a, b) = match split {
        Some((low, high)) => (port(parser, word, low)?, port(parser, word, high)?),
        None if text.ends_with('-') => {
            let problem = Problem::Number {
                kind: "range",
                text: shortened(text),
                why: "its second port is missing",
            };
            return Err(parser.error_between(problem, word, word.end()));
        }
        None => {
            let one = port(parser, word, text)?;
            (one, one)
        }
    };
    Ok((a.min(b), a.max(b)))
}

fn ip_proto(parser: &mut Parser<'_>, ethertype: Option<u16>) -> Result<Test, FilterError> {
    let word = parser.next();
    let number = match names::protocol_number(word.text) {
        Some(number) => number,
        None => numeric_name(parser, word, "protocol", 0..=u32::from(u8::MAX))?,
    };
    Ok(Test::Protocol { ethertype, number })
}

/// `ether proto` of a number, or of a word that stands for a kind of frame.
fn ether_proto(parser: &mut Parser<'_>) -> Result<Test, FilterError> {
    const KIND: &str = "Ethernet type";
    let word = parser.next();
    if let Some(Meaning::Ethertype(number)) = names::keyword(word.text) {
        return Ok(Test::Ethertype(number));
    }
    let number: u16 = numeric_name(parser, word, KIND, ETHERTYPE_MIN..=u32::from(u16::MAX))?;
    let why = match number {
        0x8100 | 0x88a8 | 0x9100 => "tags are read through; use `vlan`",
        0x8847 | 0x8848 => "labels are read through; test the IP packet behind them",
        0x8864 => "the header is read through; test the IP packet behind it",
        _ => return Ok(Test::Ethertype(number)),
    };
    Err(parser.refused(word, why))
}

fn numeric_name<'a, T: Number>(
    parser: &Parser<'a>,
    word: Token<'a>,
    kind: &'static str,
    range: std::ops::RangeInclusive<u32>,
) -> Result<T, FilterError> {
    if word.text.starts_with(|c: char| c.is_ascii_digit()) {
        return number(parser, word, word.text, kind, range);
    }
    let problem = Problem::UnknownName {
        kind,
        name: shortened(word.text),
    };
    Err(parser.error_between(problem, word, word.end()))
}
