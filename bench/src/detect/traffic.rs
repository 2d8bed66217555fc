//! Connections of a site, second by second: many clients, few servers, some of everything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use netsec_common::packet::{FlowKey, Vlan, protocol};
use netsec_user::connection::tcp::{ACK, FIN, PSH, RST, SYN};
use netsec_user::connection::{Activity, Connection, EndCause, Outcome, Side};
use netsec_user::hook::HookId;
use netsec_user::time::WallTime;

/// Some day, at a whole hour.
const BEGIN: WallTime = WallTime::from_ns(1_700_002_800_000_000_000);
const SECOND_NS: i64 = 1_000_000_000;

/// When the second of this number begins.
pub(super) fn second(number: u32) -> WallTime {
    BEGIN.plus_ns(i64::from(number) * SECOND_NS)
}

/// Connections that end in a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// Hosts inside.
    pub(super) clients: u32,
    /// Hosts outside.
    pub(super) servers: u32,
    /// Connections a second.
    pub(super) rate: u32,
}

impl Site {
    /// Each a whole connection at once, as a row of a log is.
    pub(super) fn connections(&self, number: u32) -> impl Iterator<Item = Activity> {
        let site = *self;
        (0..site.rate).map(move |n| site.connection(number, n))
    }

    fn connection(&self, number: u32, n: u32) -> Activity {
        let random = mix(u64::from(number) << 32 | u64::from(n));
        let [share, size, pick, port] = [0, 16, 32, 48].map(|shift| part(random >> shift));
        let client = Ipv4Addr::from_bits(0x0a00_0000 + 1 + part32(mix(random)) % self.clients);
        // A few servers are asked by nearly all: the square of a uniform number.
        let place = (u64::from(pick) * u64::from(pick) * u64::from(self.servers)) >> 32;
        let server = Ipv4Addr::from_bits(0x1700_0000 + part32(place));
        let inside = Ipv4Addr::from_bits(0x0a64_0000 + u32::from(pick % 200) + 1);
        let start = second(number).plus_ns(i64::from(n) * SECOND_NS / i64::from(self.rate));
        let own = 1024 + port % 60_000;
        let bytes = u64::from(size);
        let talk = SYN | ACK | PSH | FIN;
        let (ends, sides) = match share % 100 {
            0..55 => (
                (server, 443),
                (sides(talk, 12, 900 + bytes % 4096, 14, 2000 + bytes * 8)),
            ),
            55..60 => (
                (server, 80),
                (sides(talk, 6, 500 + bytes % 512, 6, 800 + bytes)),
            ),
            60..85 => return udp((client, own), (inside, 53), start, (80, 80 + bytes % 256)),
            85..88 => return udp((client, 123), (server, 123), start, (90, 90)),
            88..91 => (
                (inside, 445),
                sides(talk, 20, 4000 + bytes % 512, 20, 4000 + bytes),
            ),
            91..93 => ((inside, 22), sides(talk, 30, 6000, 30, 7000 + bytes % 128)),
            93..96 => ((server, own), sides(SYN, 1, 60, 1, 60)),
            96..98 => return udp((client, own), (server, own), start, (120, 0)),
            _ => return ping(client, server, start),
        };
        tcp((client, own), ends, start, sides)
    }
}

/// One host's conversation with a server, or with another host inside.
pub(super) fn first_words(host: u32, number: u32) -> Activity {
    let client = Ipv4Addr::from_bits(0x0a00_0000 + host);
    let (server, port) = match host % 4 {
        0 => (Ipv4Addr::new(10, 255, 0, 1), 445),
        1 => (Ipv4Addr::from_bits(0x1700_0000 + host), 2200),
        _ => (Ipv4Addr::from_bits(0x1700_0000 + host), 443),
    };
    let start = second(number);
    let talk = SYN | ACK | PSH | FIN;
    tcp(
        (client, 40_000),
        (server, port),
        start,
        sides(talk, 9, 1800, 9, 8000),
    )
}

/// A port that is tried in vain, by the same host.
pub(super) fn probe(host: u32, number: u32) -> Activity {
    let client = Ipv4Addr::from_bits(0x0a00_0000 + host);
    let server = Ipv4Addr::from_bits(0x1700_0000 + host);
    let start = second(number).plus_ns(SECOND_NS / 2);
    tcp(
        (client, 40_001),
        (server, 8443),
        start,
        sides(SYN, 1, 60, 1, 60),
    )
}

fn sides(flags: u8, packets: u64, bytes: u64, answers: u64, answered: u64) -> (Side, Side) {
    let side = |packets, bytes, tcp_flags| Side {
        packets,
        bytes,
        tcp_flags,
    };
    let back = if flags == SYN { RST | ACK } else { flags };
    (side(packets, bytes, flags), side(answers, answered, back))
}

fn tcp(
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    start: WallTime,
    sides: (Side, Side),
) -> Activity {
    let refused = sides.1.tcp_flags & RST != 0;
    let (flags, outcome) = if refused {
        ((SYN, RST | ACK), Outcome::Refused)
    } else {
        ((SYN, SYN | ACK), Outcome::Conversation)
    };
    whole(protocol::TCP, (from, to), start, sides, flags, outcome)
}

fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), start: WallTime, bytes: (u64, u64)) -> Activity {
    let side = |bytes: u64| Side {
        packets: bytes.min(1),
        bytes,
        tcp_flags: 0,
    };
    let outcome = if bytes.1 > 0 {
        Outcome::Conversation
    } else {
        Outcome::Silent
    };
    whole(
        protocol::UDP,
        (from, to),
        start,
        (side(bytes.0), side(bytes.1)),
        (0, 0),
        outcome,
    )
}

fn ping(from: Ipv4Addr, to: Ipv4Addr, start: WallTime) -> Activity {
    let side = Side {
        packets: 1,
        bytes: 98,
        tcp_flags: 0,
    };
    let ends = ((from, 8), (to, 0));
    whole(
        protocol::ICMP,
        ends,
        start,
        (side, side),
        (0, 0),
        Outcome::Conversation,
    )
}

fn whole(
    number: u8,
    (from, to): ((Ipv4Addr, u16), (Ipv4Addr, u16)),
    start: WallTime,
    (originator, responder): (Side, Side),
    first_tcp_flags: (u8, u8),
    outcome: Outcome,
) -> Activity {
    let end = |(address, port): (Ipv4Addr, u16)| SocketAddr::new(IpAddr::V4(address), port);
    Activity {
        connection: Connection {
            hook: HookId(0),
            key: FlowKey::from_endpoints(end(from), end(to), number, Vlan::default()),
            start,
            end: start.plus_ns(20_000_000),
            originator,
            responder,
        },
        sent: originator,
        answered: responder,
        since: start,
        first_tcp_flags,
        opened: true,
        outcome: Some(outcome),
        ended: Some(EndCause::Closed),
    }
}

/// splitmix64's finalizer.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

/// The lowest 16 bits.
fn part(word: u64) -> u16 {
    u16::try_from(word & 0xffff).unwrap_or_default()
}

/// The lowest 32 bits.
fn part32(word: u64) -> u32 {
    u32::try_from(word & 0xffff_ffff).unwrap_or_default()
}
