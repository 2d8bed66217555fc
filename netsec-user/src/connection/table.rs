//! The table of open connections, bounded in size and in time.

use std::time::Duration;

use indexmap::IndexMap;
use indexmap::map::Entry as MapEntry;
use netsec_common::block::Prefix;
use netsec_common::packet::{FlowKey, protocol};

use super::key::{KeyHash, canonical, opposite};
use super::{Connection, EndCause, Side, is_closed};
use crate::event::FlowDelta;
use crate::hook::HookId;
use crate::time::WallTime;

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const SYN_ACK: u8 = 0x12;

/// When connections end, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time without a packet; zero is never.
    pub idle: Duration,
    /// Time open after which a partial record is written; zero is never.
    pub active: Duration,
    /// Time without a packet after TCP was closed or reset.
    pub closed: Duration,
    /// Most connections kept. Beyond it the sixteenth that was quiet longest is written out.
    pub connections_max: usize,
}

/// A connection that left the table, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its counts.
    pub connection: Connection,
    /// Why.
    pub cause: EndCause,
}

/// What the table knows of the connection that a delta belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// From originator to responder.
    pub key: FlowKey,
    /// The delta opened it.
    pub opened: bool,
}

/// Connections open at the moment, by canonical key and interface.
#[derive(Debug)]
pub struct ConnectionTable {
    entries: IndexMap<Key, Entry, KeyHash>,
    timeouts: Timeouts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    flow: FlowKey,
    interface: u16,
}

/// Two half connections: that of the canonical key, and its opposite.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hook: HookId,
    halves: [Half; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Half {
    side: Side,
    first_tcp_flags: u8,
    /// First and last packet, once there was one.
    times: Option<(WallTime, WallTime)>,
}

impl ConnectionTable {
    /// An empty table. `hash_keys` as for the engine.
    #[must_use]
    pub fn new(timeouts: Timeouts, hash_keys: [u32; 10]) -> Self {
        Self {
            entries: IndexMap::with_hasher(KeyHash::new(hash_keys)),
            timeouts,
        }
    }

    /// Connections in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no connection is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds what a flow counted to its connection, opening one if need be. `interface` tells
    /// interfaces apart; both hooks of one interface have the same number. `None` for a delta
    /// without packets, which only says that a flow left its slot.
    pub fn apply(
        &mut self,
        interface: u16,
        delta: &FlowDelta,
        ended: &mut Vec<Ended>,
    ) -> Option<View> {
        if delta.packets == 0 {
            return None;
        }
        let (flow, flipped) = canonical(&delta.key);
        let key = Key { flow, interface };
        if self.entries.len() >= self.timeouts.connections_max && !self.entries.contains_key(&key) {
            self.make_room(ended);
        }
        let mut opened = false;
        let entry = match self.entries.entry(key) {
            MapEntry::Occupied(occupied) => {
                let entry = occupied.into_mut();
                if entry.is_reused_by(flipped, delta) {
                    ended.push(entry.end(&flow, EndCause::TcpReuse));
                    *entry = Entry::new(delta.hook);
                    opened = true;
                }
                entry
            }
            MapEntry::Vacant(vacant) => {
                opened = true;
                vacant.insert(Entry::new(delta.hook))
            }
        };
        entry.half_mut(flipped).add(delta);
        Some(View {
            key: entry.oriented(&flow).0,
            opened,
        })
    }

    /// The open connections of which an end is in the prefix.
    pub fn touching(&self, prefix: Prefix) -> impl Iterator<Item = Connection> {
        let is_wanted = move |flow: &FlowKey| {
            prefix.contains(flow.source()) || prefix.contains(flow.destination())
        };
        self.entries
            .iter()
            .filter(move |(key, entry)| is_wanted(&key.flow) && entry.has_packets())
            .map(|(key, entry)| entry.end(&key.flow, EndCause::Shutdown).connection)
    }

    /// Takes out the connections that ended before `now`, and partial records of those that have
    /// been open for too long; oldest first.
    pub fn expire(&mut self, now: WallTime, ended: &mut Vec<Ended>) {
        let timeouts = self.timeouts;
        let start = ended.len();
        self.entries.retain(|key, entry| {
            match entry.due(now, &timeouts) {
                None => return true,
                Some(EndCause::ActiveTimeout) => {
                    ended.push(entry.end(&key.flow, EndCause::ActiveTimeout));
                    entry.restart();
                    return true;
                }
                Some(cause) => ended.push(entry.end(&key.flow, cause)),
            }
            false
        });
        sort(ended.get_mut(start..).unwrap_or_default());
    }

    /// Takes out every connection, oldest first.
    pub fn drain(&mut self, ended: &mut Vec<Ended>) {
        let start = ended.len();
        ended.extend(
            self.entries
                .drain(..)
                .filter(|(_, entry)| entry.has_packets())
                .map(|(key, entry)| entry.end(&key.flow, EndCause::Shutdown)),
        );
        sort(ended.get_mut(start..).unwrap_or_default());
    }

    /// Takes out the sixteenth of the table that was quiet longest, so that making room costs
    /// little per connection.
    fn make_room(&mut self, ended: &mut Vec<Ended>) {
        let mut quiet_since: Vec<WallTime> = self.entries.values().map(Entry::last).collect();
        let count = (quiet_since.len() / 16).max(1);
        let (_, limit, _) = quiet_since.select_nth_unstable(count - 1);
        let limit = *limit;
        let start = ended.len();
        self.entries.retain(|key, entry| {
            let keep = entry.last() > limit;
            if !keep && entry.has_packets() {
                ended.push(entry.end(&key.flow, EndCause::TableFull));
            }
            keep
        });
        sort(ended.get_mut(start..).unwrap_or_default());
    }
}

/// By first packet, then by key, so that the order does not depend on the table's.
fn sort(ended: &mut [Ended]) {
    ended.sort_by_key(|ended| (ended.connection.start, ended.connection.key));
}

impl Entry {
    fn new(hook: HookId) -> Self {
        Self {
            hook,
            halves: [Half::default(); 2],
        }
    }

    const fn half_mut(&mut self, flipped: bool) -> &mut Half {
        let [straight, opposite] = &mut self.halves;
        if flipped { opposite } else { straight }
    }

    /// Whether the delta belongs to a later TCP connection between the same endpoints.
    fn is_reused_by(&self, flipped: bool, delta: &FlowDelta) -> bool {
        let [straight, opposite] = &self.halves;
        let half = if flipped { opposite } else { straight };
        delta.opened
            && delta.first_tcp_flags & SYN != 0
            // Within one tick it may be the same connection on another CPU.
            && half.times.is_some_and(|(_, last)| last < delta.first)
            && self.is_closed()
    }

    fn is_closed(&self) -> bool {
        let [a, b] = self.halves;
        is_closed(a.side.tcp_flags, b.side.tcp_flags)
    }

    fn has_packets(&self) -> bool {
        self.halves.iter().any(|half| half.side.packets != 0)
    }

    fn last(&self) -> WallTime {
        let times = self.halves.iter().filter_map(|half| half.times);
        times.map(|(_, last)| last).max().unwrap_or_default()
    }

    fn first(&self) -> WallTime {
        let times = self.halves.iter().filter_map(|half| half.times);
        times.map(|(first, _)| first).min().unwrap_or_default()
    }

    fn due(&self, now: WallTime, timeouts: &Timeouts) -> Option<EndCause> {
        let quiet = now.since(self.last());
        if !timeouts.idle.is_zero() && quiet >= timeouts.idle {
            return Some(EndCause::IdleTimeout);
        }
        if quiet >= timeouts.closed && self.is_closed() {
            return Some(EndCause::Closed);
        }
        let active = !timeouts.active.is_zero() && now.since(self.first()) >= timeouts.active;
        (active && self.has_packets()).then_some(EndCause::ActiveTimeout)
    }

    /// Forgets what was reported; who began it is kept.
    fn restart(&mut self) {
        let last = self.last();
        for half in &mut self.halves {
            half.side.packets = 0;
            half.side.bytes = 0;
            half.times = half.times.map(|_| (last, last));
        }
    }

    /// The key from originator to responder, and whether that is the opposite of `flow`.
    fn oriented(&self, flow: &FlowKey) -> (FlowKey, bool) {
        let opposite = opposite(flow).filter(|key| self.is_opposite_originator(flow, key));
        opposite.map_or((*flow, false), |key| (key, true))
    }

    /// The originator sent the SYN; failing that, the first packet; failing that, it has the
    /// higher port, or is the one that sent an ICMP request.
    fn is_opposite_originator(&self, flow: &FlowKey, opposite: &FlowKey) -> bool {
        let [straight, other] = &self.halves;
        let (Some((first, _)), Some((other_first, _))) = (straight.times, other.times) else {
            let half = if straight.times.is_some() {
                straight
            } else {
                other
            };
            // Alone, a SYN-ACK or a RST still says that the other side began.
            let flags = half.first_tcp_flags;
            let answers = flags & SYN_ACK == SYN_ACK || flags & RST != 0;
            return straight.times.is_some() == answers;
        };
        let handshake = |half: &Half| half.first_tcp_flags & SYN_ACK;
        match (handshake(straight), handshake(other)) {
            (SYN, other) if other != SYN => false,
            (straight, SYN) if straight != SYN => true,
            (SYN_ACK, other) if other != SYN_ACK => true,
            (straight, SYN_ACK) if straight != SYN_ACK => false,
            _ if first != other_first => other_first < first,
            // Both in one tick of the kernel's clock.
            _ => is_request(opposite) && !is_request(flow),
        }
    }

    fn end(&self, flow: &FlowKey, cause: EndCause) -> Ended {
        let (key, flipped) = self.oriented(flow);
        let [a, b] = self.halves;
        let (originator, responder) = if flipped { (b, a) } else { (a, b) };
        Ended {
            connection: Connection {
                hook: self.hook,
                key,
                start: self.first(),
                end: self.last(),
                originator: originator.side,
                responder: responder.side,
            },
            cause,
        }
    }
}

/// Whether a flow looks like the originator's: towards the lower port, or an ICMP request.
const fn is_request(key: &FlowKey) -> bool {
    match key.protocol() {
        protocol::ICMP => matches!(key.source_port(), 8 | 10 | 13 | 15 | 17),
        protocol::ICMPV6 => matches!(key.source_port(), 128 | 130 | 133 | 135 | 139 | 144),
        _ => key.destination_port() < key.source_port(),
    }
}

impl Half {
    fn add(&mut self, delta: &FlowDelta) {
        // A flow goes on after its connection was written out: what is new began just now.
        let first = if delta.opened {
            delta.first
        } else {
            delta.last
        };
        self.times = Some(match self.times {
            None => {
                self.first_tcp_flags = delta.first_tcp_flags;
                (first, delta.last)
            }
            Some((start, last)) => {
                // A flow's packets may pass several CPUs, each with a slot of its own that was
                // opened at another packet; two of them can open in one tick.
                let earlier = first < start;
                let opens = first == start && delta.first_tcp_flags & SYN != 0;
                if earlier || opens {
                    self.first_tcp_flags = delta.first_tcp_flags;
                }
                (start.min(first), last.max(delta.last))
            }
        });
        self.side.packets += delta.packets;
        self.side.bytes += delta.bytes;
        self.side.tcp_flags |= delta.tcp_flags;
    }
}

#[cfg(test)]
mod tests;
