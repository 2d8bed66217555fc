//! Which packets are counted, as what, and for whom.

use std::net::IpAddr;

use netsec_common::packet::protocol;

use super::super::network::is_group;
use crate::connection::tcp::{ACK, FIN, PSH, RST, SYN, SYN_ACK};
use crate::connection::{Activity, Connection, Outcome};
use crate::detect::settings::Flood;
use crate::finding::Kind;
use crate::time::WallTime;

/// UDP ports whose services answer with more than they are asked: CISA alert TA14-017A, and what
/// was abused since (Memcached, WS-Discovery, CoAP, ARD, OpenVPN, IKE with NAT traversal).
pub(in super::super) const AMPLIFIERS: [u16; 25] = [
    17, 19, 53, 69, 111, 123, 137, 161, 177, 389, 427, 500, 520, 1194, 1434, 1900, 3283, 3478,
    3702, 4500, 5351, 5353, 5683, 10_001, 11_211,
];

/// What is counted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Class {
    Syn,
    /// TCP segments of no connection.
    Stray,
    Udp,
    UdpUnanswered,
    Icmp,
    Fragment,
    Reflection,
    Amplification,
}

impl Class {
    pub(super) const ALL: [Self; 8] = [
        Self::Syn,
        Self::Stray,
        Self::Udp,
        Self::UdpUnanswered,
        Self::Icmp,
        Self::Fragment,
        Self::Reflection,
        Self::Amplification,
    ];

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Syn => Kind::FloodSyn,
            Self::Stray => Kind::FloodTcp,
            Self::Udp | Self::UdpUnanswered => Kind::FloodUdp,
            Self::Icmp => Kind::FloodIcmp,
            Self::Fragment => Kind::FloodFragment,
            Self::Reflection => Kind::FloodReflection,
            Self::Amplification => Kind::FloodAmplification,
        }
    }

    /// Packets a second towards one host.
    pub(super) const fn limit(self, flood: &Flood) -> u64 {
        match self {
            Self::Syn => flood.syn_pps,
            Self::Stray => flood.tcp_pps,
            Self::Udp => flood.udp_pps,
            Self::UdpUnanswered => flood.udp_unanswered_pps,
            Self::Icmp => flood.icmp_pps,
            Self::Fragment => flood.fragment_pps,
            Self::Reflection => flood.reflection_pps,
            Self::Amplification => flood.amplification_pps,
        }
    }
}

/// Packets of a connection in the current second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) class: Class,
    pub(super) attacker: IpAddr,
    pub(super) victim: IpAddr,
    /// The victim's port; of amplification, the reflector's.
    pub(super) port: u16,
    /// Packets a second.
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// A TCP connection that was begun in good order.
    pub(super) completed: u64,
    pub(super) answered: bool,
    /// An answer whose question was not seen: whoever sends it was asked, if only in a forged name.
    pub(super) is_reply: bool,
    pub(super) first: WallTime,
    pub(super) last: WallTime,
}

pub(super) fn classify(activity: &Activity) -> Option<Counted> {
    let connection = &activity.connection;
    let key = &connection.key;
    let one_way = connection.responder.packets == 0;
    let mut counted = Counted {
        class: Class::Udp,
        attacker: key.source(),
        victim: key.destination(),
        port: key.destination_port(),
        packets: activity.sent.packets,
        bytes: activity.sent.bytes,
        completed: 0,
        answered: !one_way,
        is_reply: false,
        first: activity.since,
        last: connection.end,
    };
    let is_fragment = key.has_ports() && (key.source_port(), key.destination_port()) == (0, 0);
    counted.class = match key.protocol() {
        _ if is_fragment => Class::Fragment,
        protocol::TCP => tcp(activity, &mut counted)?,
        protocol::UDP if one_way && AMPLIFIERS.contains(&key.source_port()) => {
            counted.port = key.source_port();
            Class::Amplification
        }
        // Nobody answers what goes to a group.
        protocol::UDP if one_way && !is_group(key.destination()) => Class::UdpUnanswered,
        protocol::UDP => Class::Udp,
        protocol::ICMP if matches!(key.source_port(), 8 | 13 | 15 | 17) => Class::Icmp,
        protocol::ICMPV6 if key.source_port() == 128 => Class::Icmp,
        protocol::ICMP if key.source_port() == 0 => reply(&mut counted),
        protocol::ICMPV6 if key.source_port() == 129 => reply(&mut counted),
        // Messages of errors are answers to something else.
        _ => return None,
    };
    // A row of a log holds all packets of a connection at once.
    let seconds = connection.end.since(activity.since).as_secs().max(1);
    counted.packets = counted.packets.div_ceil(seconds);
    counted.bytes = counted.bytes.div_ceil(seconds);
    (counted.packets + counted.completed > 0).then_some(counted)
}

/// Whether a segment came out of nowhere and was ignored or refused. More than two are a connection that
/// was open before, of which one way is watched.
const fn is_stray(connection: &Connection) -> bool {
    let responder = &connection.responder;
    let refused = responder.tcp_flags & RST != 0 && responder.tcp_flags & (SYN | PSH | FIN) == 0;
    matches!(connection.originator.packets, 1..=2) && (responder.packets == 0 || refused)
}

const fn reply(counted: &mut Counted) -> Class {
    counted.is_reply = true;
    Class::Icmp
}

fn tcp(activity: &Activity, counted: &mut Counted) -> Option<Class> {
    let connection = &activity.connection;
    let (first, first_answer) = activity.first_tcp_flags;
    if connection.originator.packets == 0 && first_answer & SYN_ACK == SYN_ACK {
        // The one that is answered is the one whose address was forged. A server that goes on to talk
        // was asked where nobody looked.
        let only_answers = connection.responder.tcp_flags & (PSH | FIN) == 0;
        let reflected = only_answers
            && (activity.outcome == Some(Outcome::Unasked) || activity.answered.packets > 0);
        counted.attacker = connection.key.destination();
        counted.victim = connection.key.source();
        counted.packets = activity.answered.packets;
        counted.bytes = activity.answered.bytes;
        return reflected.then_some(Class::Reflection);
    }
    if first & SYN == 0 {
        return is_stray(connection).then_some(Class::Stray);
    }
    if first & SYN_ACK != SYN {
        return None;
    }
    if connection.originator.tcp_flags & ACK != 0 {
        counted.packets = 0;
        counted.completed = u64::from(activity.opened);
    }
    Some(Class::Syn)
}
