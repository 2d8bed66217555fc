//! Rows of logs joined with connections.
//!
//! A row belongs to the connection with the same Community ID that was open at its time. The ID is
//! never taken from the line when the line has addresses: two flows have one ID exactly when they have
//! one canonical key (endpoints in order, protocol), so keys are compared, and the ID is computed
//! anew where it is shown or where a line has nothing else. So no engine's mistakes in computing it
//! (Suricata before 7.0.1 for IPv6, before 7.0.12 within one host, for ICMPv6 errors) break a join.

mod seen;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use netsec_common::packet::FlowKey;
use serde::Deserialize;

use self::seen::keys_of;
pub(super) use self::seen::{Seen, count, nothing_of, without_vlan};
use super::row::{Origin, Row};
use crate::connection::{Connection, canonical, community_id};
use crate::event::FlowDelta;
use crate::time::WallTime;

/// Connections with one key that are told apart by time; the oldest makes room.
const SAME_KEY_MAX: usize = 64;

/// How rows and connections are joined, and how much is kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JoinSettings {
    /// Seed of the Community IDs.
    pub community_seed: u16,
    /// How far the clocks of two sensors may be apart, seconds.
    pub skew_seconds: u32,
    /// How long after a connection's end Suricata may still write about it, seconds: what its parsers
    /// find when the flow is timed out or it stops has the time of that, not of a packet.
    pub late_seconds: u32,
    /// How long a row waits for its connection, seconds of traffic time.
    pub wait_seconds: u32,
    /// Most connections kept; beyond it the sixteenth that ended first goes.
    pub connections_max: usize,
    /// Most rows that wait; beyond it the one that waits longest goes.
    pub rows_max: usize,
}

impl Default for JoinSettings {
    fn default() -> Self {
        Self {
            community_seed: 0,
            skew_seconds: 5,
            late_seconds: 600,
            wait_seconds: 60,
            connections_max: 1 << 18,
            rows_max: 1 << 16,
        }
    }
}

/// A row and its connection as it was counted when they were joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The row.
    pub row: Row,
    /// What netsec counted of the connection so far.
    pub connection: Connection,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinOutcome {
    /// It has a connection.
    Joined(Joined),
    /// It, or the one that made room for it, has none.
    Unjoined(Unjoined),
    /// Its connection may still come.
    Waits,
}

/// A row without a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjoined {
    /// The row.
    pub row: Row,
    /// Why.
    pub why: Why,
}

/// Why a row has no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// It names no two ends.
    NoAddresses,
    /// No packet between these ends was seen.
    NoConnection,
    /// There were packets, at another time, so many nanoseconds away.
    OtherTime(i64),
    /// It had to make room.
    Evicted,
}

impl Why {
    /// In a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAddresses => "no-addresses",
            Self::NoConnection => "no-connection",
            Self::OtherTime(_) => "other-time",
            Self::Evicted => "evicted",
        }
    }
}

/// What became of rows and connections. `rows = joined + waiting + unjoined`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinCounts {
    /// Rows of any log.
    pub rows: u64,
    /// Rows with a connection.
    pub joined: u64,
    /// Rows without one, by reason.
    pub unjoined: BTreeMap<&'static str, u64>,
    /// Rows whose stated Community ID is not the one computed: another seed, or a known mistake.
    pub ids_differ: u64,
    /// Alerts that another log had told already, see [`ToldTwice`](super::ToldTwice). They are no rows.
    pub repeats: u64,
    /// Connections that had to make room.
    pub connections_evicted: u64,
}

/// Joins rows with connections, in whatever order they come.
#[derive(Debug)]
pub struct Join {
    settings: JoinSettings,
    connections: HashMap<FlowKey, VecDeque<Seen>>,
    kept: usize,
    /// Keys by Community ID, once a row came that has nothing else.
    ids: Option<HashMap<String, FlowKey>>,
    waiting: VecDeque<(WallTime, Row)>,
    counts: JoinCounts,
}

impl Join {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: JoinSettings) -> Self {
        Self {
            settings,
            connections: HashMap::new(),
            kept: 0,
            ids: None,
            waiting: VecDeque::new(),
            counts: JoinCounts::default(),
        }
    }

    /// What became of rows and connections.
    #[must_use]
    pub const fn counts(&self) -> &JoinCounts {
        &self.counts
    }

    pub(super) const fn count_repeat(&mut self) {
        self.counts.repeats += 1;
    }

    /// Rows that wait for their connection.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Takes what a flow counted. `oriented` is the connection's key from originator to responder;
    /// `opened` says that this is its first delta.
    pub fn delta(&mut self, delta: &FlowDelta, oriented: &FlowKey, opened: bool) {
        if delta.packets == 0 {
            return;
        }
        let oriented = without_vlan(oriented);
        let (key, _) = canonical(&oriented);
        if self.kept >= self.settings.connections_max {
            self.make_room();
        }
        let list = self.connections.entry(key).or_default();
        if opened || list.is_empty() {
            if list.len() >= SAME_KEY_MAX {
                list.pop_front();
                self.kept -= 1;
                self.counts.connections_evicted += 1;
            }
            if let Some(ids) = &mut self.ids {
                ids.extend(id_of(self.settings.community_seed, &key));
            }
            self.kept += 1;
            list.push_back(Seen::new(nothing_of(delta, &oriented)));
        }
        if let Some(seen) = list.back_mut() {
            count(&mut seen.connection, delta, &oriented);
        }
    }

    /// Takes a row: joined at once, or waiting.
    pub fn row(&mut self, row: Row, now: WallTime) -> JoinOutcome {
        self.counts.rows += 1;
        match self.find(&row) {
            Ok(connection) => JoinOutcome::Joined(self.joined(row, connection)),
            Err(Why::NoAddresses) => JoinOutcome::Unjoined(self.unjoined(row, Why::NoAddresses)),
            Err(_) => {
                self.waiting.push_back((now, row));
                if self.waiting.len() <= self.settings.rows_max {
                    return JoinOutcome::Waits;
                }
                let evicted = self.waiting.pop_front();
                evicted.map_or(JoinOutcome::Waits, |(_, row)| {
                    JoinOutcome::Unjoined(self.unjoined(row, Why::Evicted))
                })
            }
        }
    }

    /// Tries the rows that wait again, and gives up those that waited too long: all of them when
    /// `is_end`.
    pub fn settle(&mut self, now: WallTime, is_end: bool, mut each: impl FnMut(JoinOutcome)) {
        let wait = Duration::from_secs(self.settings.wait_seconds.into());
        for (since, row) in std::mem::take(&mut self.waiting) {
            match self.find(&row) {
                Ok(connection) => each(JoinOutcome::Joined(self.joined(row, connection))),
                Err(why) if is_end || now.since(since) >= wait => {
                    each(JoinOutcome::Unjoined(self.unjoined(row, why)));
                }
                Err(_) => self.waiting.push_back((since, row)),
            }
        }
    }

    /// The connections, for a report on what sensors did not tell.
    pub(super) fn seen_mut(&mut self) -> impl Iterator<Item = &mut Seen> {
        self.connections.values_mut().flatten()
    }

    fn joined(&mut self, row: Row, connection: Connection) -> Joined {
        self.counts.joined += 1;
        let seed = self.settings.community_seed;
        if let (Some(stated), Some(tuple)) = (&row.community_id, &row.tuple) {
            let computed = tuple.key().and_then(|key| community_id(seed, &key));
            self.counts.ids_differ += u64::from(computed.is_some_and(|id| id != *stated));
        }
        Joined { row, connection }
    }

    fn unjoined(&mut self, row: Row, why: Why) -> Unjoined {
        *self.counts.unjoined.entry(why.name()).or_default() += 1;
        Unjoined { row, why }
    }

    /// The connection of a row, and marks it as told of.
    fn find(&mut self, row: &Row) -> Result<Connection, Why> {
        let keys = match (&row.tuple, &row.community_id) {
            (Some(tuple), _) => keys_of(tuple),
            (None, Some(id)) => self.key_by_id(id).into_iter().collect(),
            (None, None) => return Err(Why::NoAddresses),
        };
        let mut keys = keys.iter().map(|key| canonical(key).0);
        let Some(key) = keys.find(|key| self.connections.contains_key(key)) else {
            return Err(Why::NoConnection);
        };
        let seconds_ns = |seconds: u32| i64::from(seconds) * 1_000_000_000;
        let skew = seconds_ns(self.settings.skew_seconds);
        let late = match row.origin {
            Origin::Eve => skew + seconds_ns(self.settings.late_seconds),
            Origin::Zeek => skew,
        };
        let mut nearest: Option<(i64, bool, Connection)> = None;
        for seen in self.connections.get_mut(&key).into_iter().flatten() {
            let (before, after) = seen.away(row);
            let away = before.max(after).max(0);
            if nearest.as_ref().is_none_or(|(best, ..)| away <= *best) {
                let fits = before <= skew && after <= late;
                nearest = Some((away, fits, seen.connection.clone()));
            }
            // Timeouts may cut in pieces here what is one connection there.
            if row.is_connection() && away <= skew {
                seen.tell(row.origin);
            }
        }
        match nearest {
            None => Err(Why::NoConnection),
            Some((away, false, _)) => Err(Why::OtherTime(away)),
            Some((_, true, connection)) => Ok(connection),
        }
    }

    /// The key that has this ID. The table of IDs is made when the first such row comes.
    fn key_by_id(&mut self, id: &str) -> Option<FlowKey> {
        let seed = self.settings.community_seed;
        let ids = self.ids.get_or_insert_with(|| {
            let keys = self.connections.keys();
            keys.filter_map(|key| id_of(seed, key)).collect()
        });
        ids.get(id).copied()
    }

    fn make_room(&mut self) {
        let mut ends: Vec<WallTime> = self
            .connections
            .values()
            .flatten()
            .map(|seen| seen.connection.end)
            .collect();
        let count = (ends.len() / 16).max(1).min(ends.len());
        if count == 0 {
            return;
        }
        let (_, limit, _) = ends.select_nth_unstable(count - 1);
        let limit = *limit;
        let before = self.kept;
        let mut kept = 0;
        self.connections.retain(|_, list| {
            list.retain(|seen| seen.connection.end > limit);
            kept += list.len();
            !list.is_empty()
        });
        self.kept = kept;
        self.counts.connections_evicted += (before - kept) as u64;
        if let Some(ids) = &mut self.ids {
            let connections = &self.connections;
            ids.retain(|_, key| connections.contains_key(key));
        }
    }
}

fn id_of(seed: u16, key: &FlowKey) -> Option<(String, FlowKey)> {
    community_id(seed, key).map(|id| (id, *key))
}

#[cfg(test)]
mod tests;
