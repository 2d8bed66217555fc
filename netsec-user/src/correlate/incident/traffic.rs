//! What netsec counted of an offender's connections.

use std::collections::BTreeMap;

use netsec_common::packet::FlowKey;

use super::super::join::{count, nothing_of};
use crate::connection::{Connection, Side, canonical};
use crate::event::FlowDelta;

/// Connections that are told apart; of the one that was silent longest the counts are kept.
const OPEN_MAX: usize = 64;

/// Counters of an offender's connections, live: they grow while the connections are open.
///
/// A connection that makes room for others and then goes on counts twice as a connection; packets and
/// bytes are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    open: BTreeMap<FlowKey, Connection>,
    gone: (Side, Side),
    gone_connections: u64,
    gone_answered: bool,
}

impl Traffic {
    /// Takes a connection as it is: counted from its beginning.
    pub(super) fn set(&mut self, connection: &Connection) {
        let (key, _) = canonical(&connection.key);
        let known = self.open.get(&key);
        // A row may be about an earlier connection with the same ends.
        let is_older = known.is_some_and(|known| known.start > connection.start);
        let has_less = known.is_some_and(|known| {
            known.start == connection.start && packets(known) > packets(connection)
        });
        if is_older || has_less {
            return;
        }
        if known.is_some_and(|known| known.end < connection.start) {
            self.let_go(key);
        }
        self.insert(key, connection.clone());
    }

    /// Takes what was counted since the last time; `oriented` is the connection's key from its
    /// originator, without VLAN.
    pub(in super::super) fn add(&mut self, delta: &FlowDelta, oriented: &FlowKey, opened: bool) {
        let (key, _) = canonical(oriented);
        if opened {
            self.let_go(key);
        }
        if !self.open.contains_key(&key) {
            self.insert(key, nothing_of(delta, oriented));
        }
        if let Some(connection) = self.open.get_mut(&key) {
            count(connection, delta, oriented);
        }
    }

    fn insert(&mut self, key: FlowKey, connection: Connection) {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&key) {
            let oldest = self
                .open
                .iter()
                .min_by_key(|(_, connection)| connection.end);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.let_go(oldest);
            }
        }
        self.open.insert(key, connection);
    }

    fn let_go(&mut self, key: FlowKey) {
        if let Some(connection) = self.open.remove(&key) {
            add(&mut self.gone, &connection);
            self.gone_connections += 1;
            self.gone_answered |= is_answered(&connection);
        }
    }

    /// Connections.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.gone_connections + self.open.len() as u64
    }

    /// Packets and bytes of the originators, and of the responders.
    #[must_use]
    pub fn totals(&self) -> (Side, Side) {
        let mut totals = self.gone;
        self.open.values().for_each(|one| add(&mut totals, one));
        totals
    }

    /// Whether both sides spoke in one of them: the offender's address is no forgery then.
    #[must_use]
    pub fn is_two_way(&self) -> bool {
        self.gone_answered || self.open.values().any(is_answered)
    }
}

fn add(totals: &mut (Side, Side), connection: &Connection) {
    let sides = [
        (&mut totals.0, connection.originator),
        (&mut totals.1, connection.responder),
    ];
    for (total, side) in sides {
        total.packets += side.packets;
        total.bytes += side.bytes;
    }
}

const fn packets(connection: &Connection) -> u64 {
    connection.originator.packets + connection.responder.packets
}

const fn is_answered(connection: &Connection) -> bool {
    connection.originator.packets > 0 && connection.responder.packets > 0
}
