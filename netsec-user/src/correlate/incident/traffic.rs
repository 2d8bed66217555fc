//! What netsec counted of an offender's connections.

use std::collections::BTreeMap;

use netsec_common::packet::FlowKey;

use super::super::join::{count, nothing_of};
use crate::connection::{Connection, Side, canonical};
use crate::event::FlowDelta;

/// Connections that are told apart.
const APART_MAX: usize = 256;

/// Counters of an offender's connections, live: they grow while the connections are open.
///
/// Nothing is counted twice. Beyond 256 connections, what came before the offender was known is not
/// counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    apart: BTreeMap<FlowKey, Connection>,
    /// Of those that are not told apart.
    others: (Side, Side),
    others_count: u64,
    others_two_way: bool,
}

impl Traffic {
    /// Takes a connection as it is: counted from its beginning, also before the offender was known.
    pub(super) fn set(&mut self, connection: &Connection) {
        let (key, _) = canonical(&connection.key);
        let Some(known) = self.apart.get_mut(&key) else {
            // Those beyond the most that are told apart have been counted already.
            if self.apart.len() < APART_MAX {
                self.apart.insert(key, connection.clone());
            }
            return;
        };
        // A row may be about an earlier connection with the same ends, or as it was earlier.
        if known.start >= connection.start && packets(known) < packets(connection) {
            *known = connection.clone();
        }
    }

    /// Takes what was counted since the last time; `oriented` is the connection's key from its
    /// originator, without VLAN.
    pub(in super::super) fn add(&mut self, delta: &FlowDelta, oriented: &FlowKey, opened: bool) {
        let (key, _) = canonical(oriented);
        if opened && let Some(before) = self.apart.remove(&key) {
            self.add_other(&before, true);
        }
        if let Some(known) = self.apart.get_mut(&key) {
            count(known, delta, oriented);
            return;
        }
        let mut connection = nothing_of(delta, oriented);
        count(&mut connection, delta, oriented);
        if self.apart.len() < APART_MAX {
            self.apart.insert(key, connection);
        } else {
            self.add_other(&connection, opened);
        }
    }

    fn add_other(&mut self, connection: &Connection, is_new: bool) {
        add(&mut self.others, connection);
        self.others_count += u64::from(is_new);
        self.others_two_way |= is_answered(connection);
    }

    /// Connections.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.others_count + self.apart.len() as u64
    }

    /// Packets and bytes of the originators, and of the responders.
    #[must_use]
    pub fn totals(&self) -> (Side, Side) {
        let mut totals = self.others;
        self.apart.values().for_each(|one| add(&mut totals, one));
        totals
    }

    /// Whether both sides spoke in one of them: the offender's address is no forgery then.
    #[must_use]
    pub fn is_two_way(&self) -> bool {
        self.others_two_way || self.apart.values().any(is_answered)
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
