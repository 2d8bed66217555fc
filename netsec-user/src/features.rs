//! Connections as numbers: what of each, of its source and of the pair is told by name.
//!
//! One definition, [`FEATURES`], whatever the connections come from: the kernel, a capture, a log.
//! A [`Vector`] is taken when a connection ends, and every [`UPDATE`] of one that stays. Time is the
//! traffic's. What is known of sources and pairs is counted in windows of [`WINDOW`], beginning at
//! whole multiples since 1970; a figure is that of the window that runs or the one before, whichever
//! is larger, so that it does not drop to nothing when a window begins.
//!
//! **Bounds.** Sources, pairs, networks and services are in maps of bounded size; when one is full,
//! what was seen once goes before what recurs, and of those the longest unseen. What was put out and
//! comes back counts as new. Different hosts and services are counted exactly to 32, then by
//! HyperLogLog within 3.3 %.
//!
//! **Warm-up.** In the first [`WINDOW`] of traffic everything is new, so that features of what came
//! before ([`Definition::needs_history`]) are missing; a model takes a missing value for its median.
//!
//! Within one second the order in which activities are told does not matter.

mod catalogue;
mod history;
mod vector;
mod window;

use std::time::Duration;

use netsec_common::packet::FlowKey;

pub use self::catalogue::{COUNT, Definition, FEATURES, Name, Subject};
use self::history::History;
use crate::connection::{Activity, Connection, KeyHash};
use crate::detect::bounded::{Bounded, Kept};
use crate::packet::names;
use crate::time::WallTime;

/// Time over which sources and pairs are counted.
pub const WINDOW: Duration = Duration::from_secs(300);

/// Time after which a connection that goes on gives another vector.
pub const UPDATE: Duration = Duration::from_secs(300);

/// Activities that wait for the end of a second; beyond it they are looked at before.
const WAITING_MAX: usize = 1 << 16;

/// Connections older than [`UPDATE`] of which it is kept when they last gave a vector.
const OLD_MAX: usize = 1 << 16;

/// A connection as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// The connection since it began.
    pub connection: Connection,
    /// Whether the originator's address is no forgery.
    pub proven: bool,
    /// Whether the connection goes on.
    pub is_update: bool,
    /// In the order of [`FEATURES`]; NaN is missing.
    pub values: [f64; COUNT],
}

/// Most entries of what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sources; up to 2 KiB each.
    pub hosts_max: usize,
    /// Pairs of hosts, of host and network, of host and service, each; a pair takes up to 1 KiB.
    pub pairs_max: usize,
}

/// Makes vectors of what connections do.
#[derive(Debug)]
pub struct Features {
    /// First traffic.
    began: Option<WallTime>,
    /// When the last second was closed.
    now: WallTime,
    history: History,
    waiting: Vec<Activity>,
    old: Bounded<FlowKey, Old>,
}

/// A connection that gave a vector and went on.
#[derive(Clone, Copy, Debug)]
struct Old {
    start: WallTime,
    told: WallTime,
}

impl Kept for Old {
    fn rank(&self) -> usize {
        1
    }

    fn last(&self) -> WallTime {
        self.told
    }
}

impl Features {
    /// Nothing known yet. `hash_keys` as for the engine.
    #[must_use]
    pub fn new(limits: Limits, hash_keys: [u32; 10]) -> Self {
        let hash = KeyHash::new(hash_keys);
        Self {
            began: None,
            now: WallTime::default(),
            history: History::new(limits, &hash),
            waiting: Vec::new(),
            old: Bounded::new(OLD_MAX, &hash),
        }
    }

    /// Learns what a connection did.
    pub fn activity(&mut self, activity: &Activity, each: impl FnMut(Vector)) {
        let start = activity.connection.start;
        if self.began.is_none() {
            self.began = Some(start);
            self.now = start;
        }
        self.history.add(activity, self.now);
        if activity.ended.is_some() || self.is_update(activity) {
            self.waiting.push(activity.clone());
            if self.waiting.len() >= WAITING_MAX {
                self.tell(each);
            }
        }
    }

    /// Gives the vectors of the second that ends at `now`, in the order of the connections' starts.
    pub fn close(&mut self, now: WallTime, each: impl FnMut(Vector)) {
        self.tell(each);
        self.now = self.now.max(now);
    }

    /// Entries that were put out of memory to make room.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.history.evicted()
    }

    fn tell(&mut self, mut each: impl FnMut(Vector)) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|activity| (activity.connection.start, activity.connection.key));
        let warm = self.began.unwrap_or_default().plus(WINDOW);
        for activity in waiting.drain(..) {
            let knows = activity.connection.end >= warm;
            let values = vector::values(&activity, &self.history, self.now, knows);
            each(Vector {
                proven: activity.is_proven(),
                is_update: activity.ended.is_none(),
                connection: activity.connection,
                values,
            });
        }
        self.waiting = waiting;
    }

    /// Whether a connection that goes on has to give a vector again.
    fn is_update(&mut self, activity: &Activity) -> bool {
        let Connection {
            key, start, end, ..
        } = activity.connection;
        if end.since(start) < UPDATE {
            return false;
        }
        let new = || Old { start, told: start };
        let old = self.old.entry(key, new);
        if old.start != start {
            *old = new();
        }
        let due = end.since(old.told) >= UPDATE;
        if due {
            old.told = end;
        }
        due
    }
}

/// The service that [`Name::ServiceRarity`] is about: `TCP 443`, `ICMP 8`.
#[must_use]
pub fn service(key: &FlowKey) -> String {
    let (protocol, port) = history::service(key);
    match names::protocol(protocol) {
        Some(name) => format!("{name} {port}"),
        None => format!("IP {protocol} {port}"),
    }
}

#[cfg(test)]
mod tests;
