//! The table of open connections, bounded in size and in time.

mod entry;

use std::time::Duration;

use indexmap::IndexMap;
use indexmap::map::Entry as MapEntry;
use netsec_common::block::Prefix;
use netsec_common::packet::FlowKey;

use self::entry::Entry;
use super::activity::Activity;
use super::key::{KeyHash, canonical};
use super::{Connection, EndCause};
use crate::event::FlowDelta;
use crate::time::WallTime;

/// When connections end, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Time without a packet; zero is never.
    pub idle: Duration,
    /// Time open after which a partial record is written; zero is never.
    pub active: Duration,
    /// Time without a packet after TCP was closed or reset, for stray ones.
    pub closed: Duration,
    /// Most connections kept. Beyond it the sixteenth that was quiet longest is written out.
    pub connections_max: usize,
}

impl Default for Timeouts {
    /// A minute of silence, no partial records, two seconds after the end of TCP, a million connections.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(60),
            active: Duration::ZERO,
            closed: Duration::from_secs(2),
            connections_max: 1 << 20,
        }
    }
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
    /// One for each entry, in the same order: what tells quickly that nothing is to be done for it.
    glances: Vec<Glance>,
    timeouts: Timeouts,
    watch: Watch,
}

/// For those who want to know what connections do.
#[derive(Debug, Default)]
struct Watch {
    wanted: bool,
    /// When it was last told.
    since: WallTime,
    /// Of connections that have left the table since.
    gone: Vec<Activity>,
}

impl Watch {
    /// Puts in order what is to be told of connections that left at one moment, so that it does not
    /// depend on the table's order.
    fn sort(&mut self, start: usize) {
        let gone = self.gone.get_mut(start..).unwrap_or_default();
        gone.sort_by_key(|activity| (activity.connection.start, activity.connection.key));
    }

    /// Keeps what is still to be told of a connection that leaves the table.
    fn leave(&mut self, key: &Key, entry: &mut Entry, cause: EndCause) {
        if self.wanted {
            let last = entry.last();
            self.gone
                .extend(entry.activity(&key.flow, self.since, last, Some(cause)));
        }
    }
}

/// 24 bytes of a connection: the table is looked through every second, and most of it is left as it is.
#[derive(Clone, Copy, Debug, Default)]
struct Glance {
    first: WallTime,
    last: WallTime,
    is_closed: bool,
    /// There is something to tell of it, or will be.
    has_news: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    flow: FlowKey,
    interface: u16,
}

impl ConnectionTable {
    /// An empty table. `hash_keys` as for the engine.
    #[must_use]
    pub fn new(timeouts: Timeouts, hash_keys: [u32; 10]) -> Self {
        Self {
            entries: IndexMap::with_hasher(KeyHash::new(hash_keys)),
            glances: Vec::new(),
            timeouts,
            watch: Watch::default(),
        }
    }

    /// Keeps from now on what [`activities`](Self::activities) tells.
    pub const fn watch(&mut self) {
        self.watch.wanted = true;
    }

    /// Activities that wait to be told, of connections that have left the table.
    #[must_use]
    pub const fn activities_waiting(&self) -> usize {
        self.watch.gone.len()
    }

    /// Tells what the connections did since the last time: first those that have left the table, in
    /// the order in which they did, then those in it.
    pub fn activities(&mut self, now: WallTime, mut tell: impl FnMut(&Activity)) {
        self.activities_gone(&mut tell);
        let since = self.watch.since;
        for (index, glance) in self.glances.iter_mut().enumerate() {
            if !glance.has_news {
                continue;
            }
            let Some((key, entry)) = self.entries.get_index_mut(index) else {
                break;
            };
            if let Some(activity) = entry.activity(&key.flow, since, now, None) {
                tell(&activity);
            }
            glance.has_news = !entry.is_decided();
        }
        self.watch.since = now;
    }

    /// As [`activities`](Self::activities), of the connections that have left the table only.
    pub fn activities_gone(&mut self, mut tell: impl FnMut(&Activity)) {
        for activity in self.watch.gone.drain(..) {
            tell(&activity);
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
        let index;
        let entry = match self.entries.entry(key) {
            MapEntry::Occupied(occupied) => {
                index = occupied.index();
                let entry = occupied.into_mut();
                if entry.is_reused_by(flipped, delta) {
                    ended.push(entry.end(&flow, EndCause::TcpReuse));
                    self.watch.leave(&key, entry, EndCause::TcpReuse);
                    *entry = Entry::new(delta.hook);
                    opened = true;
                }
                entry
            }
            MapEntry::Vacant(vacant) => {
                opened = true;
                index = vacant.index();
                self.glances.push(Glance::default());
                vacant.insert(Entry::new(delta.hook))
            }
        };
        entry.half_mut(flipped).add(delta);
        if let Some(glance) = self.glances.get_mut(index) {
            *glance = Glance {
                first: entry.first(),
                last: entry.last(),
                is_closed: entry.is_closed(),
                has_news: true,
            };
        }
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
        self.remove(
            |glance| glance.may_be_due(now, &timeouts),
            |key, entry, watch| {
                let Some(cause) = entry.due(now, &timeouts) else {
                    return false;
                };
                ended.push(entry.end(&key.flow, cause));
                if cause == EndCause::ActiveTimeout {
                    entry.restart();
                    return false;
                }
                watch.leave(key, entry, cause);
                true
            },
        );
        sort(ended.get_mut(start..).unwrap_or_default());
    }

    /// Takes out the entries that `leaves` says, of those that `may_leave`. The last entry takes the place
    /// of one that leaves, so what is not looked at costs nothing but its glance.
    fn remove(
        &mut self,
        may_leave: impl Fn(&Glance) -> bool,
        mut leaves: impl FnMut(&Key, &mut Entry, &mut Watch) -> bool,
    ) {
        let start = self.watch.gone.len();
        for index in (0..self.glances.len()).rev() {
            if !self.glances.get(index).is_some_and(&may_leave) {
                continue;
            }
            let Some((key, entry)) = self.entries.get_index_mut(index) else {
                continue;
            };
            if leaves(key, entry, &mut self.watch) {
                self.entries.swap_remove_index(index);
                self.glances.swap_remove(index);
            } else if let Some(glance) = self.glances.get_mut(index) {
                // A partial record was written: the next is due as long after this one.
                glance.first = entry.first();
            }
        }
        self.watch.sort(start);
    }

    /// Takes out every connection, oldest first.
    pub fn drain(&mut self, ended: &mut Vec<Ended>) {
        let start = ended.len();
        let told = self.watch.gone.len();
        self.glances.clear();
        for (key, mut entry) in self.entries.drain(..) {
            if entry.has_packets() {
                ended.push(entry.end(&key.flow, EndCause::Shutdown));
            }
            self.watch.leave(&key, &mut entry, EndCause::Shutdown);
        }
        self.watch.sort(told);
        sort(ended.get_mut(start..).unwrap_or_default());
    }

    /// Takes out the sixteenth of the table that was quiet longest, so that making room costs
    /// little per connection.
    fn make_room(&mut self, ended: &mut Vec<Ended>) {
        let mut quiet_since: Vec<WallTime> =
            self.glances.iter().map(|glance| glance.last).collect();
        let count = (quiet_since.len() / 16).max(1);
        let (_, limit, _) = quiet_since.select_nth_unstable(count - 1);
        let limit = *limit;
        let start = ended.len();
        self.remove(
            |glance| glance.last <= limit,
            |key, entry, watch| {
                if entry.has_packets() {
                    ended.push(entry.end(&key.flow, EndCause::TableFull));
                }
                watch.leave(key, entry, EndCause::TableFull);
                true
            },
        );
        sort(ended.get_mut(start..).unwrap_or_default());
    }
}

impl Glance {
    fn may_be_due(&self, now: WallTime, timeouts: &Timeouts) -> bool {
        let quiet = now.since(self.last);
        !timeouts.idle.is_zero() && quiet >= timeouts.idle
            || self.is_closed && quiet >= timeouts.closed
            || !timeouts.active.is_zero() && now.since(self.first) >= timeouts.active
    }
}

/// By first packet, then by key, so that the order does not depend on the table's.
fn sort(ended: &mut [Ended]) {
    ended.sort_by_key(|ended| (ended.connection.start, ended.connection.key));
}

#[cfg(test)]
mod tests;
