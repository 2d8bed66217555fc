//! Which addresses are known to be where they say they are.
//!
//! Anybody can put any address on a packet; who completes a TCP handshake has received an answer sent
//! to that address. Packets both ways of another protocol prove nothing: a host answers forged
//! requests, too, and those answers hit the victim.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::{Connection, Side};
use crate::time::WallTime;

/// Addresses remembered. Beyond it the half that was seen least recently is forgotten.
const ADDRESSES_MAX: usize = 1 << 16;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// Addresses that completed a TCP handshake, with the time of the last packet.
#[derive(Debug, Default)]
pub struct Handshakes {
    addresses: IndexMap<IpAddr, WallTime>,
}

impl Handshakes {
    /// Notes who completed the handshake of a connection.
    pub fn note(&mut self, connection: &Connection) {
        let (originator, responder) = completed(connection);
        let key = connection.key;
        let ends = [(originator, key.source()), (responder, key.destination())];
        for (_, address) in ends.into_iter().filter(|(completed, _)| *completed) {
            if self.addresses.len() >= ADDRESSES_MAX {
                self.forget_half();
            }
            let last = self.addresses.entry(address).or_insert(connection.end);
            *last = connection.end.max(*last);
        }
    }

    /// Whether the address completed a handshake in a connection that has ended.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses.contains_key(&address)
    }

    fn forget_half(&mut self) {
        let mut times: Vec<WallTime> = self.addresses.values().copied().collect();
        let half = times.len() / 2;
        let (_, limit, _) = times.select_nth_unstable(half);
        let limit = *limit;
        self.addresses.retain(|_, last| *last > limit);
    }
}

/// Whether originator and responder have each been shown to receive what is sent to them.
#[must_use]
pub const fn completed(connection: &Connection) -> (bool, bool) {
    let Connection {
        originator,
        responder,
        ..
    } = connection;
    // Whoever accepts a connection sends data or its own FIN only after the last part of the
    // handshake, which names a number that only the receiver of the second part knows.
    let answered = has(responder, SYN | ACK) && responder.tcp_flags & (PSH | FIN) != 0;
    let originator_is = answered && has(originator, SYN | ACK) && originator.packets > 1;
    // Whoever opens one acknowledges the second part only if it answers what was sent; else it resets.
    let responder_is =
        has(originator, SYN | ACK) && has(responder, SYN | ACK) && originator.tcp_flags & RST == 0;
    (originator_is, responder_is)
}

const fn has(side: &Side, flags: u8) -> bool {
    side.tcp_flags & flags == flags
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{FlowKey, Vlan, protocol};

    use super::*;
    use crate::hook::HookId;

    fn connection(originator: u8, responder: u8, number: u32) -> Connection {
        let source = std::net::Ipv4Addr::from_bits(number);
        let side = |tcp_flags| Side {
            packets: 3,
            bytes: 300,
            tcp_flags,
        };
        Connection {
            hook: HookId(0),
            key: FlowKey::from_endpoints(
                (source, 1000).into(),
                "192.0.2.9:22".parse().unwrap(),
                protocol::TCP,
                Vlan::default(),
            ),
            start: WallTime::from_ns(i64::from(number)),
            end: WallTime::from_ns(i64::from(number)),
            originator: side(originator),
            responder: side(responder),
        }
    }

    #[test]
    fn only_a_handshake_that_was_completed_counts() {
        for (originator, responder, wanted) in [
            // A connection with data from the server.
            (SYN | ACK | PSH, SYN | ACK | PSH, (true, true)),
            // A SYN scan of an open port: RST on the answer.
            (SYN | RST, SYN | ACK, (false, false)),
            // A forged SYN, the answer sent again and again.
            (SYN, SYN | ACK, (false, false)),
            // A forged SYN and a forged ACK that is off: the server resets.
            (SYN | ACK, SYN | ACK | RST, (false, true)),
            // Refused.
            (SYN, ACK | RST, (false, false)),
            // Data without a handshake.
            (ACK | PSH, RST, (false, false)),
            (0, 0, (false, false)),
        ] {
            let connection = connection(originator, responder, 1);
            assert_eq!(
                completed(&connection),
                wanted,
                "{originator:#x} {responder:#x}"
            );
        }
    }

    #[test]
    fn the_latest_are_remembered() {
        let mut handshakes = Handshakes::default();
        for number in 1..=100_000 {
            handshakes.note(&connection(SYN | ACK, SYN | ACK | PSH, number));
        }
        let has = |number| handshakes.has(std::net::Ipv4Addr::from_bits(number).into());
        assert!(has(100_000) && has(90_000) && !has(1));
        assert!(handshakes.addresses.len() <= ADDRESSES_MAX + 1);
    }
}
