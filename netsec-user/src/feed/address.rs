//! Addresses, networks and ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use netsec_common::block::Prefix;

use super::printable;

/// Why a text names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("there is no address")]
    Missing,
    /// Something else.
    #[error("{text:?} is no IP address")]
    NotAnAddress {
        /// What is there.
        text: String,
    },
    /// A name.
    #[error("{text:?} is a name, and names are not looked up: write the address")]
    Name {
        /// What is there.
        text: String,
    },
    /// An address with a port.
    #[error("{text:?} has a port: write the address alone")]
    Port {
        /// What is there.
        text: String,
    },
    /// An address with a zone (RFC 4007).
    #[error("{text:?} has a zone, which no packet carries: leave out `%` and what follows")]
    Zone {
        /// What is there.
        text: String,
    },
    /// A prefix length that is none, or too large.
    #[error("{text:?} is no prefix length: 0 to {max} is")]
    Length {
        /// What is there.
        text: String,
        /// The most the address family has.
        max: u8,
    },
    /// A network's address with bits behind its prefix.
    #[error("{text} has bits set behind its prefix: {instead} is the network")]
    HostBits {
        /// What is there.
        text: String,
        /// The network that it is in.
        instead: Prefix,
    },
    /// A range with its end before its start.
    #[error("the range ends before it starts")]
    Reversed,
    /// A range from one address family to the other.
    #[error("the range starts in one address family and ends in the other")]
    Families,
}

/// The prefixes that a text names: one, or those that a range falls into.
#[derive(Clone, Debug)]
pub enum Prefixes {
    /// An address or a network.
    One(Option<Prefix>),
    /// A range of IPv4 addresses.
    V4(Ipv4Subnets),
    /// A range of IPv6 addresses.
    V6(Ipv6Subnets),
}

impl Iterator for Prefixes {
    type Item = Prefix;

    fn next(&mut self) -> Option<Prefix> {
        let network = match self {
            Self::One(prefix) => return prefix.take(),
            Self::V4(networks) => networks.next().map(IpNet::V4),
            Self::V6(networks) => networks.next().map(IpNet::V6),
        }?;
        Prefix::new(network.addr(), network.prefix_len())
    }
}

/// Reads `192.0.2.1`, `192.0.2.0/24`, `2001:db8::/32`, or a range such as `192.0.2.1-192.0.2.77`.
///
/// # Errors
///
/// When it is none of these, with the reason.
pub fn prefixes(text: &str) -> Result<Prefixes, AddressError> {
    let Some((start, end)) = text.split_once('-') else {
        return Ok(Prefixes::One(Some(prefix(text)?)));
    };
    // A dash is in names, too: those are reported as what they are.
    let (start, end) = match (address(start.trim()), address(end.trim())) {
        (Ok(start), Ok(end)) => (start, end),
        (Err(_), Err(_)) => return Err(not_an_address(text)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
    };
    match (start, end) {
        (IpAddr::V4(start), IpAddr::V4(end)) if start <= end => {
            Ok(Prefixes::V4(Ipv4Subnets::new(start, end, 0)))
        }
        (IpAddr::V6(start), IpAddr::V6(end)) if start <= end => {
            Ok(Prefixes::V6(Ipv6Subnets::new(start, end, 0)))
        }
        (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
            Err(AddressError::Reversed)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            Err(AddressError::Families)
        }
    }
}

/// Reads an address or a network; an address is the network of its own.
///
/// # Errors
///
/// When it is neither, with the reason.
pub fn prefix(text: &str) -> Result<Prefix, AddressError> {
    let Some((start, length)) = text.split_once('/') else {
        return Ok(address(text)?.into());
    };
    let start = unmapped_address(start)?;
    let max = if start.is_ipv4() { 32 } else { 128 };
    let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let prefix = length
        .parse()
        .ok()
        .filter(|_| is_number)
        .and_then(|length: u8| Prefix::new(start, length))
        .ok_or_else(|| AddressError::Length {
            text: printable(length),
            max,
        })?;
    // An IPv4-mapped address under a prefix shorter than 96 stays IPv6.
    let is_start = prefix.address() == start || prefix.address() == start.to_canonical();
    if !is_start {
        return Err(AddressError::HostBits {
            text: printable(text),
            instead: prefix,
        });
    }
    Ok(prefix)
}

fn address(text: &str) -> Result<IpAddr, AddressError> {
    unmapped_address(text).map(|address| address.to_canonical())
}

/// As it is written: an IPv4-mapped address stays IPv6.
fn unmapped_address(text: &str) -> Result<IpAddr, AddressError> {
    // Much faster than the parser for both families, and nearly every line is of this kind.
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(IpAddr::V4(address));
    }
    text.parse::<Ipv6Addr>()
        .map(IpAddr::V6)
        .map_err(|_error| not_an_address(text))
}

fn not_an_address(text: &str) -> AddressError {
    let shown = printable(text);
    let has_port = || text.parse::<std::net::SocketAddr>().is_ok();
    let is_name = || {
        text.chars().any(|c| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    if text.is_empty() {
        AddressError::Missing
    } else if let Some((before, _)) = text.split_once('%')
        && before.parse::<Ipv6Addr>().is_ok()
    {
        AddressError::Zone { text: shown }
    } else if has_port() {
        AddressError::Port { text: shown }
    } else if is_name() {
        AddressError::Name { text: shown }
    } else {
        AddressError::NotAnAddress { text: shown }
    }
}
