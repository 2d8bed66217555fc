//! Which packets and connections are of interest: a filter expression in tcpdump's words.
//!
//! The same expression is asked of header samples and of flows, so it may name only what both have.
//! The language is that of pcap-filter(7):
//!
//! | primitive | true when |
//! |---|---|
//! | `host A`, `src A`, `dst A` | the IPv4 or IPv6 address is A; for IPv4 also an ARP or RARP frame about A |
//! | `net 10.0.0.0/8`, `net 10`, `net 192.168`, `net A mask M`, `net 2001:db8::/32` | the address is in the network |
//! | `port N`, `port https` | TCP, UDP or SCTP, and the port is N |
//! | `portrange A-B` | the same, and the port is one of A to B |
//! | `ip`, `ip6`, `arp`, `rarp` | the frame is of that kind |
//! | `tcp`, `udp`, `sctp`, `icmp`, `icmp6`, `igmp`, `pim`, `vrrp`, `esp`, `ah` | the IP protocol is that |
//! | `proto N`, `proto gre`, `ip proto N`, `ip6 proto N` | the IP protocol number is N |
//! | `ether proto 0x88cc` | the Ethernet type is that (1536 and up) |
//! | `ip multicast`, `ip6 multicast` | the destination is 224.0.0.0 or above, or in ff00::/8 |
//! | `vlan`, `vlan N` | there is a VLAN tag; the outer or the inner tag is N |
//! | `src …`, `dst …`, `src or dst …`, `src and dst …` | before `host`, `net`, `port`, `portrange`: which end; either, if not said |
//! | `orig …`, `resp …`, `orig or resp …`, `orig and resp …` | the same by who began: netsec's own words, for flows and log rows |
//! | `ip`, `ip6`, `arp`, `rarp` before `host`, `net`, `src`, `dst` | only frames of that kind |
//! | `tcp`, `udp`, `sctp` before `port`, `portrange`, `src port`, … | only that protocol |
//! | `not X`, `!X` | X is false; binds tightest |
//! | `X and Y`, `X && Y`, `X or Y`, `X \|\| Y` | equal precedence, from left to right |
//! | `( … )` | grouping |
//! | `tcp dst port 80 or 443` | a value alone takes the words of the one before: `tcp dst port 80 or tcp dst port 443` |
//!
//! An empty expression is true of everything.
//!
//! Of a flow record the source is the originator. Of a log row `src` and `dst` are what the line
//! says: for an alert of Suricata the sender of the packet, while `orig` began the flow. Who began is
//! not known of a packet alone, nor in `fast.log`: there `orig` and `resp` mean either end.
//!
//! # Where it differs from tcpdump
//!
//! * Tags, MPLS labels and PPPoE do not hide a packet: `ip` is true behind a tag too, and `vlan` does
//!   not change what stands after it. `vlan 5 and vlan 7` is true in either order of the tags. A
//!   priority tag (VLAN 0) counts as no tag.
//! * IPv6 extension headers are looked behind: `tcp` and `port 80` are true behind a hop-by-hop or
//!   fragment header, and no test finds the extension header itself (so `ah` is for IPv4).
//! * Ports are unknown in later fragments (as in tcpdump); a packet from port 0 to port 0 cannot be
//!   told from one.
//! * An IPv6 packet between two IPv4-mapped addresses counts as IPv4.
//! * Service names stand for the port number, whatever the protocol; names come from a built-in
//!   table, not from the host's files. Host names are not resolved.
//! * Frames that could not be read to a flow (truncated, malformed) are true of no test on IP.
//! * Numbers are decimal or `0x…`; `010` is an error, not eight. `host 10.1` is an error, not a network;
//!   `net 10/8` is understood, and `net 0` is 0.0.0.0/8. `proto tcp` needs no backslash.
//! * Tests of bytes (`tcp[13] & 2 != 0`), lengths (`less`, `greater`, `len`) and Ethernet addresses
//!   (`ether host`, `broadcast`, `gateway`) are refused, since a flow has none of these.

mod error;
mod expression;
mod lex;
mod names;
mod parse;
mod program;
mod refuse;
mod subject;
mod value;

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use netsec_common::packet::{FlowKey, Vlan};

pub use error::{FilterError, Problem};

use expression::Expression;
use program::Program;
use subject::{Originator, Subject};

use crate::log::Record;

/// A filter expression, compiled.
///
/// Asking allocates nothing and takes time in the number of tests at most. Two filters are equal
/// when they are the same expression, however it was written; `Display` writes it in full, and
/// parsing that gives an equal filter.
#[derive(Clone, Debug)]
pub struct Filter {
    /// None is true of everything.
    expression: Option<Expression>,
    program: Program,
}

impl Filter {
    /// The filter that is true of everything.
    #[must_use]
    pub fn everything() -> Self {
        Self::from_expression(None)
    }

    /// Reads an expression; see the [module](self) for the language.
    ///
    /// # Errors
    ///
    /// What is wrong, where, and what to write instead. An expression may hold up to 4096 tests and
    /// nest parentheses and `not` up to 64 deep.
    pub fn parse(expression: &str) -> Result<Self, FilterError> {
        Ok(Self::from_expression(parse::parse(expression)?))
    }

    /// Whether it is true of everything, and need not be asked.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.expression.is_none()
    }

    /// Whether it is true of a flow, or of a packet of that flow.
    #[must_use]
    pub fn matches_flow(&self, key: &FlowKey) -> bool {
        self.is_everything() || self.program.holds(&Subject::from_key(key))
    }

    /// Whether it is true of a connection, whose key goes from originator to responder.
    #[must_use]
    pub fn matches_connection(&self, key: &FlowKey) -> bool {
        self.matches_direction(key, key)
    }

    /// Whether it is true of one direction of a connection, which goes from originator to responder.
    #[must_use]
    pub fn matches_direction(&self, direction: &FlowKey, connection: &FlowKey) -> bool {
        if self.is_everything() {
            return true;
        }
        let originator = if direction == connection {
            Originator::Source
        } else {
            Originator::Destination
        };
        self.program.holds(&Subject {
            originator,
            ..Subject::from_key(direction)
        })
    }

    /// Whether it is true of a log's record. One without addresses is in no test.
    #[must_use]
    pub fn matches_record(&self, record: &Record<'_>) -> bool {
        if self.is_everything() {
            return true;
        }
        let (tuple, originator) = match record {
            Record::Zeek(zeek) => (zeek.tuple, Originator::Source),
            Record::Event(event) => match (event.tuple, event.initiated()) {
                (tuple, Some(initiated)) if tuple == Some(initiated) => (tuple, Originator::Source),
                (tuple, Some(_)) => (tuple, Originator::Destination),
                (tuple, None) if event.kind() == "flow" => (tuple, Originator::Source),
                (tuple, None) => (tuple, Originator::Unknown),
            },
        };
        let subject = tuple.map_or_else(
            || Subject::not_ip(0, Vlan::default()),
            |tuple| Subject::from_tuple(&tuple, originator),
        );
        self.program.holds(&subject)
    }

    /// Whether it is true of a frame without IP, given its Ethernet type.
    #[must_use]
    pub fn matches_not_ip(&self, ethertype: u16, vlan: Vlan) -> bool {
        self.is_everything() || self.program.holds(&Subject::not_ip(ethertype, vlan))
    }

    /// Whether it is true of an ARP or RARP frame (the Ethernet type says which) about two IPv4
    /// addresses (RFC 826).
    #[must_use]
    pub fn matches_arp(
        &self,
        ethertype: u16,
        sender: Ipv4Addr,
        target: Ipv4Addr,
        vlan: Vlan,
    ) -> bool {
        self.is_everything()
            || self
                .program
                .holds(&Subject::arp(ethertype, sender, target, vlan))
    }

    fn from_expression(expression: Option<Expression>) -> Self {
        let program = Program::compile(expression.as_ref());
        Self {
            expression,
            program,
        }
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self::everything()
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl Eq for Filter {}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(expression: &str) -> Result<Self, FilterError> {
        Self::parse(expression)
    }
}

impl fmt::Display for Filter {
    /// The expression with every word written out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expression {
            Some(expression) => expression.fmt(f),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
