//! The expression as a tree, and how it is written.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::names::{self, Meaning, ethertype};
use super::subject::{Originator, Subject};

/// An expression. Recursion is as deep as the parser let parentheses and `not` nest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Test(Test),
    Not(Box<Self>),
    /// Evaluated from left to right. `first` is no chain, since parentheses there say nothing.
    Chain {
        first: Box<Self>,
        rest: Vec<(Operator, Self)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    And,
    Or,
}

/// What is asked of a subject, without `and`, `or` and `not`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Ethertype(u16),
    Protocol {
        /// IPv4 or IPv6 only.
        ethertype: Option<u16>,
        number: u8,
    },
    Address {
        /// IPv4, ARP or RARP only; `None` means all three, or IPv6.
        ethertype: Option<u16>,
        side: Side,
        network: Network,
    },
    Port {
        protocol: Option<u8>,
        side: Side,
        low: u16,
        high: u16,
    },
    /// Any tag, or this identifier.
    Vlan(Option<u16>),
}

/// Which end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Destination,
    Either,
    Both,
    Originator,
    Responder,
}

/// Addresses that agree with `value` in the bits of `mask`; `value` has no other bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) version: Version,
    /// For IPv4 the low 32 bits.
    pub(super) value: u128,
    pub(super) mask: u128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl Expression {
    /// `first`, then the operators from left to right.
    pub(super) fn chain(first: Self, mut rest: Vec<(Operator, Self)>) -> Self {
        if rest.is_empty() {
            return first;
        }
        match first {
            Self::Chain {
                first,
                rest: mut head,
            } => {
                head.append(&mut rest);
                Self::Chain { first, rest: head }
            }
            first @ (Self::Test(_) | Self::Not(_)) => Self::Chain {
                first: Box::new(first),
                rest,
            },
        }
    }
}

impl Test {
    #[inline]
    pub(super) fn holds(&self, subject: &Subject) -> bool {
        match *self {
            Self::Ethertype(ethertype) => subject.ethertype == ethertype,
            Self::Protocol { ethertype, number } => {
                subject.protocol == Some(number)
                    && ethertype.is_none_or(|ethertype| subject.ethertype == ethertype)
            }
            Self::Address {
                ethertype,
                side,
                network,
            } => {
                let kind = match (network.version, ethertype) {
                    (Version::V6, _) => subject.ethertype == ethertype::IPV6,
                    (Version::V4, Some(only)) => subject.ethertype == only,
                    (Version::V4, None) => matches!(
                        subject.ethertype,
                        ethertype::IPV4 | ethertype::ARP | ethertype::RARP
                    ),
                };
                kind && side.holds(subject.originator, subject.addresses, |address| {
                    address & network.mask == network.value
                })
            }
            Self::Port {
                protocol,
                side,
                low,
                high,
            } => {
                (protocol.is_none() || protocol == subject.protocol)
                    && side.holds(subject.originator, subject.ports, |port| {
                        low <= port && port <= high
                    })
            }
            Self::Vlan(None) => subject.vlan.outer != 0 || subject.vlan.inner != 0,
            Self::Vlan(Some(id)) => subject.vlan.outer == id || subject.vlan.inner == id,
        }
    }
}

impl Side {
    #[inline]
    fn holds<T>(
        self,
        originator: Originator,
        ends: Option<(T, T)>,
        test: impl Fn(T) -> bool,
    ) -> bool {
        let Some((source, destination)) = ends else {
            return false;
        };
        match (self, originator) {
            (Self::Source, _)
            | (Self::Originator, Originator::Source)
            | (Self::Responder, Originator::Destination) => test(source),
            (Self::Destination, _)
            | (Self::Originator, Originator::Destination)
            | (Self::Responder, Originator::Source) => test(destination),
            (Self::Either, _) | (Self::Originator | Self::Responder, Originator::Unknown) => {
                test(source) || test(destination)
            }
            (Self::Both, _) => test(source) && test(destination),
        }
    }

    /// The words before `host` or `port`, with a space behind.
    const fn words(self) -> &'static str {
        match self {
            Self::Source => "src ",
            Self::Destination => "dst ",
            Self::Either => "",
            Self::Both => "src and dst ",
            Self::Originator => "orig ",
            Self::Responder => "resp ",
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(test) => test.fmt(f),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.write_grouped(f)
            }
            Self::Chain { first, rest } => {
                first.fmt(f)?;
                for (operator, item) in rest {
                    f.write_str(match operator {
                        Operator::And => " and ",
                        Operator::Or => " or ",
                    })?;
                    item.write_grouped(f)?;
                }
                Ok(())
            }
        }
    }
}

impl Expression {
    /// In parentheses where it would fall apart without them.
    fn write_grouped(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(_) | Self::Not(_) => write!(f, "{self}"),
            Self::Chain { .. } => write!(f, "({self})"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ethertype(number) => match names::word_for(Meaning::Ethertype(number)) {
                Some(word) => f.write_str(word),
                None => write!(f, "ether proto {number:#06x}"),
            },
            Self::Protocol { ethertype, number } => {
                match names::word_for(Meaning::Protocol(ethertype, number)) {
                    Some(word) => f.write_str(word),
                    None => write!(f, "{}proto {number}", Kind(ethertype)),
                }
            }
            Self::Address {
                ethertype,
                side,
                network,
            } => write!(f, "{}{}{network}", Kind(ethertype), side.words()),
            Self::Port {
                protocol,
                side,
                low,
                high,
            } => {
                let word = protocol.and_then(|n| names::word_for(Meaning::Protocol(None, n)));
                if let Some(word) = word {
                    write!(f, "{word} ")?;
                }
                f.write_str(side.words())?;
                if low == high {
                    write!(f, "port {low}")
                } else {
                    write!(f, "portrange {low}-{high}")
                }
            }
            Self::Vlan(None) => f.write_str("vlan"),
            Self::Vlan(Some(id)) => write!(f, "vlan {id}"),
        }
    }
}

/// A kind of frame as the first word of a primitive, with a space behind.
struct Kind(Option<u16>);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.and_then(|n| names::word_for(Meaning::Ethertype(n))) {
            Some(word) => write!(f, "{word} "),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Network {
    /// `host A`, `net A/N`, or `net A mask M` for a mask with holes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            value,
            mask,
        } = *self;
        match version {
            Version::V4 => {
                let [address, mask] = [value, mask].map(|bits| Ipv4Addr::from_bits(low_32(bits)));
                match mask.to_bits().leading_ones() {
                    32 => write!(f, "host {address}"),
                    ones if ones == mask.to_bits().count_ones() => {
                        write!(f, "net {address}/{ones}")
                    }
                    _ => write!(f, "net {address} mask {mask}"),
                }
            }
            Version::V6 => {
                let address = Ipv6Addr::from_bits(value);
                match mask.leading_ones() {
                    128 => write!(f, "host {address}"),
                    ones => write!(f, "net {address}/{ones}"),
                }
            }
        }
    }
}

const fn low_32(bits: u128) -> u32 {
    (bits & 0xffff_ffff) as u32
}
