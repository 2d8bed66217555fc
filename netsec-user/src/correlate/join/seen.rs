//! A connection, with what has been told of it.

use std::net::SocketAddr;

use netsec_common::packet::{FlowKey, Vlan, protocol};

use super::super::row::{Origin, Row};
use crate::connection::{Connection, Side};
use crate::event::FlowDelta;
use crate::log::Tuple;

/// A connection that was seen.
#[derive(Clone, Debug)]
pub(in super::super) struct Seen {
    pub(in super::super) connection: Connection,
    /// Which sensors have told of it as a whole.
    pub(in super::super) told: [bool; 2],
    /// Counted in a report on what sensors did not tell.
    pub(in super::super) reported: bool,
}

impl Seen {
    pub(super) const fn new(connection: Connection) -> Self {
        Self {
            connection,
            told: [false; 2],
            reported: false,
        }
    }

    /// Nanoseconds by which the row is before the connection, and by which it is after; neither is
    /// positive when they overlap.
    pub(super) const fn away(&self, row: &Row) -> (i64, i64) {
        let before = self.connection.start.ns_since(row.until);
        let after = row.time.ns_since(self.connection.end);
        (before, after)
    }

    pub(super) const fn tell(&mut self, origin: Origin) {
        let [eve, zeek] = &mut self.told;
        match origin {
            Origin::Eve => *eve = true,
            Origin::Zeek => *zeek = true,
        }
    }
}

/// A connection of which nothing is counted yet; `oriented` is its key from the originator, without
/// VLAN.
pub(in super::super) fn nothing_of(delta: &FlowDelta, oriented: &FlowKey) -> Connection {
    Connection {
        hook: delta.hook,
        key: *oriented,
        start: delta.first,
        end: delta.first,
        originator: Side::default(),
        responder: Side::default(),
    }
}

/// Adds what a flow counted to its connection; `oriented` as in [`nothing_of`].
pub(in super::super) fn count(connection: &mut Connection, delta: &FlowDelta, oriented: &FlowKey) {
    // Who began may become clear only with the second direction.
    if connection.key != *oriented {
        connection.key = *oriented;
        std::mem::swap(&mut connection.originator, &mut connection.responder);
    }
    let side = if without_vlan(&delta.key) == *oriented {
        &mut connection.originator
    } else {
        &mut connection.responder
    };
    side.packets += delta.packets;
    side.bytes += delta.bytes;
    side.tcp_flags |= delta.tcp_flags;
    connection.start = connection.start.min(delta.first);
    connection.end = connection.end.max(delta.last);
}

/// The keys a row may mean: one, or one for each transport when it does not say which.
pub(super) fn keys_of(tuple: &Tuple) -> Vec<FlowKey> {
    match tuple.key() {
        // Suricata tells of an ICMP error as part of the flow that it quotes, from either end.
        Some(key) if key.is_icmp() => vec![key, key.reversed()],
        Some(key) => vec![key],
        None => [protocol::TCP, protocol::UDP, protocol::SCTP]
            .into_iter()
            .map(|number| tuple.key_as(number))
            .collect(),
    }
}

/// Logs tell VLAN tags differently or not at all, and the Community ID has none.
pub(in super::super) fn without_vlan(key: &FlowKey) -> FlowKey {
    let end = |address, port| SocketAddr::new(address, port);
    FlowKey::from_endpoints(
        end(key.source(), key.source_port()),
        end(key.destination(), key.destination_port()),
        key.protocol(),
        Vlan::default(),
    )
}
