//! Which connections are probes, and of what.

use std::time::Duration;

use netsec_common::packet::{FlowKey, protocol};

use super::super::flood::AMPLIFIERS;
use super::super::network::is_group;
use crate::connection::tcp::{ACK, FIN, PSH, RST, SYN, URG};
use crate::connection::{Activity, Outcome};

/// UDP ports that traceroute asks one after the other (its default base, 30 hops, 3 each).
const TRACEROUTE: std::ops::RangeInclusive<u16> = 33_434..=33_534;

/// Time that a connection is kept open without a word by those who may need it yet, such as browsers
/// that connect ahead; a scanner goes on to the next port.
const PATIENCE: Duration = Duration::from_secs(2);

/// A packet or two that find out whether something is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub(super) target: Target,
    pub(super) technique: Technique,
}

/// What is probed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// A port, by protocol.
    Port(u8, u16),
    /// An IP protocol.
    Protocol(u8),
    /// A host, by protocol and ICMP type.
    Host(u8, u16),
}

/// How.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Technique {
    Syn,
    Connect,
    Fin,
    Null,
    Xmas,
    Ack,
    Udp,
    Sctp,
    Echo,
    Timestamp,
    Mask,
    Protocol,
}

impl Technique {
    pub(super) const ALL: [Self; 12] = [
        Self::Syn,
        Self::Connect,
        Self::Fin,
        Self::Null,
        Self::Xmas,
        Self::Ack,
        Self::Udp,
        Self::Sctp,
        Self::Echo,
        Self::Timestamp,
        Self::Mask,
        Self::Protocol,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Syn => "SYN",
            Self::Connect => "connect",
            Self::Fin => "FIN",
            Self::Null => "NULL",
            Self::Xmas => "XMAS",
            Self::Ack => "ACK",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
            Self::Echo => "ICMP echo",
            Self::Timestamp => "ICMP timestamp",
            Self::Mask => "ICMP mask",
            Self::Protocol => "IP protocol",
        }
    }
}

/// What this is a probe of, told once a connection.
pub(super) fn probe(activity: &Activity) -> Option<Probe> {
    let key = &activity.connection.key;
    if is_group(key.destination()) {
        return None;
    }
    let (target, technique) = match key.protocol() {
        protocol::TCP => (port(key)?, tcp(activity)?),
        protocol::UDP => (port(key)?, udp(activity)?),
        protocol::SCTP => (port(key)?, sctp(activity)?),
        protocol::ICMP | protocol::ICMPV6 => {
            let technique = icmp(activity)?;
            (Target::Host(key.protocol(), key.source_port()), technique)
        }
        number => {
            let silent = activity.outcome == Some(Outcome::Silent);
            (silent && !is_usual(number))
                .then_some((Target::Protocol(number), Technique::Protocol))?
        }
    };
    Some(Probe { target, technique })
}

/// The port, but for later fragments, which have none.
fn port(key: &FlowKey) -> Option<Target> {
    let ports = (key.source_port(), key.destination_port());
    (ports != (0, 0)).then_some(Target::Port(key.protocol(), ports.1))
}

fn tcp(activity: &Activity) -> Option<Technique> {
    let outcome = activity.outcome?;
    let key = &activity.connection.key;
    let flags = activity.connection.originator.tcp_flags;
    let first = activity.first_tcp_flags.0;
    if matches!(outcome, Outcome::Conversation | Outcome::Unasked) {
        return None;
    }
    if first & SYN != 0 {
        if flags & ACK == 0 || outcome != Outcome::Empty {
            return Some(Technique::Syn);
        }
        let connection = &activity.connection;
        let time = connection.end.since(connection.start);
        return (time < PATIENCE).then_some(Technique::Connect);
    }
    match first & (FIN | RST | PSH | ACK | URG) {
        0 => Some(Technique::Null),
        FIN => Some(Technique::Fin),
        bits if bits & (FIN | ACK) == FIN => Some(Technique::Xmas),
        bits if bits & (FIN | PSH | URG) == FIN | PSH | URG => Some(Technique::Xmas),
        // The end of a connection that was open before looks the same, but for the answer; and so
        // does the Maimon scan.
        bits if bits & RST == 0 && outcome == Outcome::Refused => Some(if bits & FIN != 0 {
            Technique::Fin
        } else {
            Technique::Ack
        }),
        ACK if is_towards_service(key) && activity.connection.originator.packets <= 2 => {
            Some(Technique::Ack)
        }
        _ => None,
    }
}

fn udp(activity: &Activity) -> Option<Technique> {
    let key = &activity.connection.key;
    let (from, to) = (key.source_port(), key.destination_port());
    // What comes from a service's port to a client's is an answer whose question was not seen.
    let is_answer = to >= 1024 && (from < 1024 || AMPLIFIERS.contains(&from));
    let is_probe = activity.outcome == Some(Outcome::Silent);
    (is_probe && !is_answer && !TRACEROUTE.contains(&to)).then_some(Technique::Udp)
}

/// Hosts without SCTP, which are nearly all, answer with an error by ICMP, which is another flow.
fn sctp(activity: &Activity) -> Option<Technique> {
    (activity.outcome == Some(Outcome::Silent)).then_some(Technique::Sctp)
}

fn icmp(activity: &Activity) -> Option<Technique> {
    let key = &activity.connection.key;
    // Whether a host answers does not matter; that many are asked does.
    activity
        .outcome
        .filter(|outcome| *outcome != Outcome::Unasked)?;
    match (key.protocol(), key.source_port()) {
        (protocol::ICMP, 8) | (protocol::ICMPV6, 128) => Some(Technique::Echo),
        (protocol::ICMP, 13) => Some(Technique::Timestamp),
        (protocol::ICMP, 17) => Some(Technique::Mask),
        _ => None,
    }
}

const fn is_towards_service(key: &FlowKey) -> bool {
    key.destination_port() < 1024 && key.source_port() >= 1024
}

/// Protocols that hosts and routers speak without having been asked: IGMP, IP in IP, IPv6 in IPv4,
/// GRE, ESP, AH, EIGRP, OSPF, PIM, VRRP, SCTP.
const fn is_usual(number: u8) -> bool {
    matches!(
        number,
        2 | 4 | 41 | 47 | 50 | 51 | 88 | 89 | 103 | 112 | 132
    )
}
