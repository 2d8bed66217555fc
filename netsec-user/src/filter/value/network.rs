//! Addresses and networks in the forms pcap-filter(7) has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::error::{FilterError, Problem, shortened};
use super::super::expression::{Network, Version};
use super::super::lex::{Token, TokenKind};
use super::super::parse::Parser;
use super::number::number;

/// Takes one address.
pub(super) fn host(parser: &mut Parser<'_>) -> Result<Network, FilterError> {
    let word = parser.next();
    match read(word.text) {
        Ok(Written::Whole(address)) => {
            if parser.peeked.kind == TokenKind::Slash {
                return Err(prefix_of_host(parser, word));
            }
            Ok(whole(address))
        }
        Ok(Written::Part { .. }) => Err(parser.error_at(
            Problem::Address {
                text: shortened(word.text),
                why: "write all four numbers, or use `net`",
            },
            word,
        )),
        Err(problem) => Err(parser.error_at(problem, word)),
    }
}

/// Takes a network: an address with `/N` or `mask M`, or the short forms of IPv4.
pub(super) fn network(parser: &mut Parser<'_>) -> Result<Network, FilterError> {
    let word = parser.next();
    let written = read(word.text).map_err(|problem| parser.error_at(problem, word))?;
    let (version, value, width) = match written {
        Written::Whole(IpAddr::V4(v4)) => (Version::V4, u128::from(v4.to_bits()), 32),
        Written::Whole(IpAddr::V6(v6)) => (Version::V6, v6.to_bits(), 128),
        Written::Part { value, bits } => (Version::V4, u128::from(value), bits),
    };
    let slash = parser.peeked;
    let mask = if slash.kind == TokenKind::Slash {
        parser.next();
        let length = prefix_length(parser, slash, version)?;
        mask(version, length)
    } else if slash.kind == TokenKind::Word && slash.text == "mask" {
        parser.next();
        written_mask(parser, slash, version)?
    } else {
        mask(version, width)
    };
    if value & !mask != 0 {
        return Err(host_bits(parser, word, version, value & mask, mask));
    }
    Ok(Network {
        version,
        value,
        mask,
    })
}

/// An address as it is written.
enum Written {
    Whole(IpAddr),
    /// The first one to three numbers of an IPv4 address.
    Part {
        value: u32,
        /// Bits that were written.
        bits: u32,
    },
}

fn read(text: &str) -> Result<Written, Problem> {
    if let Ok(address) = text.parse() {
        return Ok(Written::Whole(address));
    }
    let bad = |why| Problem::Address {
        text: shortened(text),
        why,
    };
    if text.contains('%') {
        return Err(bad("a flow has no zone, leave out `%` and what follows"));
    }
    let is_ethernet = |separator| {
        text.split(separator).count() == 6
            && text
                .split(separator)
                .all(|part| part.len() <= 2 && is_all(part, 16))
    };
    if is_ethernet(':') || is_ethernet('-') {
        return Err(bad("Ethernet addresses are not kept, give an IP address"));
    }
    if text.contains(':') {
        return Err(bad(
            "IPv6 is up to eight groups of hexadecimal digits, with `::` at most once",
        ));
    }
    if !text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(Problem::HostName {
            name: shortened(text),
        });
    }
    read_part(text).map_err(bad)
}

/// One to three decimal numbers with dots between.
fn read_part(text: &str) -> Result<Written, &'static str> {
    let (mut value, mut bits) = (0, 0);
    for part in text.split('.') {
        if part.len() > 1 && part.starts_with('0') {
            return Err("with a zero in front a number could be octal");
        }
        let Ok(byte) = part.parse::<u8>() else {
            return Err("IPv4 is four numbers from 0 to 255");
        };
        if bits == 24 {
            return Err("IPv4 is four numbers from 0 to 255");
        }
        bits += 8;
        value |= u32::from(byte) << (32 - bits);
    }
    Ok(Written::Part { value, bits })
}

fn prefix_length<'a>(
    parser: &mut Parser<'a>,
    slash: Token<'a>,
    version: Version,
) -> Result<u32, FilterError> {
    let word = parser.peeked;
    if word.kind != TokenKind::Word {
        return Err(parser.expected("a prefix length", slash));
    }
    parser.next();
    let width = match version {
        Version::V4 => 32,
        Version::V6 => 128,
    };
    number(parser, word, word.text, "prefix length", 0..=width)
}

/// Takes the mask behind `mask`, which IPv4 alone has.
fn written_mask<'a>(
    parser: &mut Parser<'a>,
    word: Token<'a>,
    version: Version,
) -> Result<u128, FilterError> {
    let value = parser.peeked;
    if version == Version::V6 {
        let problem = Problem::Modifier {
            word: word.text.to_owned(),
            with: "an IPv6 network",
            instead: "/N".to_owned(),
        };
        return Err(parser.error_at(problem, word));
    }
    if !matches!(value.kind, TokenKind::Word) {
        return Err(parser.expected("a netmask", word));
    }
    parser.next();
    let problem = match read(value.text) {
        Ok(Written::Whole(IpAddr::V4(mask))) => return Ok(u128::from(mask.to_bits())),
        Ok(Written::Part { value, .. }) => return Ok(u128::from(value)),
        Ok(Written::Whole(IpAddr::V6(_))) | Err(_) => Problem::Address {
            text: shortened(value.text),
            why: "a netmask is written like 255.255.0.0",
        },
    };
    Err(parser.error_at(problem, value))
}

fn host_bits<'a>(
    parser: &Parser<'a>,
    word: Token<'a>,
    version: Version,
    value: u128,
    mask: u128,
) -> FilterError {
    let network = Network {
        version,
        value,
        mask,
    };
    let end = parser.taken();
    let problem = Problem::HostBits {
        text: shortened(parser.text_between(word, end)),
        instead: network.to_string(),
    };
    parser.error_between(problem, word, end)
}

/// A whole address is followed by a slash.
fn prefix_of_host<'a>(parser: &mut Parser<'a>, word: Token<'a>) -> FilterError {
    parser.next();
    if parser.peeked.kind == TokenKind::Word {
        parser.next();
    }
    let end = parser.taken();
    let problem = Problem::PrefixOfHost {
        network: shortened(parser.text_between(word, end)),
    };
    parser.error_between(problem, word, end)
}

const fn whole(address: IpAddr) -> Network {
    match address {
        IpAddr::V4(v4) => Network {
            version: Version::V4,
            value: v4.to_bits() as u128,
            mask: mask(Version::V4, Ipv4Addr::BITS),
        },
        IpAddr::V6(v6) => Network {
            version: Version::V6,
            value: v6.to_bits(),
            mask: mask(Version::V6, Ipv6Addr::BITS),
        },
    }
}

/// The first `length` bits of an address; `length` is no more than it has.
const fn mask(version: Version, length: u32) -> u128 {
    let width = match version {
        Version::V4 => Ipv4Addr::BITS,
        Version::V6 => Ipv6Addr::BITS,
    };
    let all = u128::MAX >> (128 - width);
    match all.checked_shl(width.saturating_sub(length)) {
        Some(shifted) => shifted & all,
        None => 0,
    }
}

fn is_all(text: &str, radix: u32) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_digit(radix))
}
