//! Which packets are counted, as what, and for whom.

use std::net::IpAddr;

use netsec_common::packet::protocol;

use super::super::network::is_group;
use crate::connection::tcp::{ACK, FIN, PSH, SYN, SYN_ACK};
use crate::connection::{Activity, Outcome};
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
    Udp,
    UdpUnanswered,
    Icmp,
    Fragment,
    Reflection,
    Amplification,
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
        protocol::ICMP if matches!(key.source_port(), 0 | 8 | 13 | 15 | 17) => Class::Icmp,
        protocol::ICMPV6 if matches!(key.source_port(), 128 | 129) => Class::Icmp,
        // Messages of errors are answers to something else.
        _ => return None,
    };
    // A row of a log holds all packets of a connection at once.
    let seconds = connection.end.since(activity.since).as_secs().max(1);
    counted.packets = counted.packets.div_ceil(seconds);
    counted.bytes = counted.bytes.div_ceil(seconds);
    (counted.packets + counted.completed > 0).then_some(counted)
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
    if first & SYN_ACK != SYN {
        return None;
    }
    if connection.originator.tcp_flags & ACK != 0 {
        counted.packets = 0;
        counted.completed = u64::from(activity.opened);
    }
    Some(Class::Syn)
}
