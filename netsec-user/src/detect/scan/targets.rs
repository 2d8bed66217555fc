//! What one source tried: the last targets with their times, and how many there were at all.

use std::net::{IpAddr, SocketAddr};

use netsec_common::packet::{FlowKey, protocol};

use super::super::bounded::Kept;
use super::super::distinct::Distinct;
use super::super::network::Range;
use super::probe::Technique;
use crate::connection::Outcome;
use crate::time::{TimeSpan, WallTime};

/// Targets whose times are kept: more than the limits for slow scans.
const RECENT: usize = 128;

/// Open targets that are remembered.
const OPEN: usize = 16;

/// One probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) time: WallTime,
    pub(super) technique: Technique,
    pub(super) outcome: Option<Outcome>,
    /// The port accepted the connection.
    pub(super) open: bool,
    /// The connection, if it shows that the source is no forgery.
    pub(super) proof: Option<FlowKey>,
    pub(super) packets: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Targets {
    recent: Vec<(WallTime, u64)>,
    all: Distinct,
    pub(super) hosts: Range,
    pub(super) first: WallTime,
    pub(super) last: WallTime,
    pub(super) probes: u64,
    pub(super) packets: u64,
    pub(super) refused: u64,
    pub(super) silent: u64,
    /// Probes that were accepted, and the first targets that accepted one.
    pub(super) accepted: u64,
    open: Vec<u64>,
    pub(super) successes: u64,
    /// What came of connections in about the window, and in about the one for slow scans.
    shares: [Share; 2],
    /// The first probe that showed that the source is no forgery.
    pub(super) proof: Option<FlowKey>,
    /// Bit n for the nth of all techniques.
    techniques: u16,
}

impl Targets {
    pub(super) fn new(time: WallTime, host: IpAddr) -> Self {
        Self {
            recent: Vec::new(),
            all: Distinct::default(),
            hosts: Range::new(host),
            first: time,
            last: time,
            probes: 0,
            packets: 0,
            refused: 0,
            silent: 0,
            accepted: 0,
            open: Vec::new(),
            successes: 0,
            shares: [Share::new(time), Share::new(time)],
            proof: None,
            techniques: 0,
        }
    }

    /// Adds a probe; `windows` are the usual one and that for slow scans.
    pub(super) fn add(&mut self, target: u64, host: IpAddr, seen: &Seen, windows: [TimeSpan; 2]) {
        match self.recent.iter_mut().find(|(_, known)| *known == target) {
            Some((time, _)) => *time = (*time).max(seen.time),
            None => self.recent.push((seen.time, target)),
        }
        if self.recent.len() > RECENT {
            // By time, not by arrival: flows of one second come in any order.
            let oldest = self
                .recent
                .iter()
                .enumerate()
                .min_by_key(|(_, seen)| **seen);
            let oldest = oldest.map_or(0, |(at, _)| at);
            self.recent.swap_remove(oldest);
        }
        self.all.insert(target);
        self.hosts.add(host);
        self.first = self.first.min(seen.time);
        self.last = self.last.max(seen.time);
        self.probes += 1;
        for (share, window) in self.shares.iter_mut().zip(windows) {
            share.turn(seen.time, window);
            share.all.insert(target);
        }
        self.packets += seen.packets;
        self.refused += u64::from(seen.outcome == Some(Outcome::Refused));
        self.silent += u64::from(seen.outcome == Some(Outcome::Silent));
        if seen.open {
            self.accepted += 1;
            if self.open.len() < OPEN && !self.open.contains(&target) {
                self.open.push(target);
            }
        }
        self.proof = self.proof.or(seen.proof);
        let at = Technique::ALL
            .iter()
            .position(|known| *known == seen.technique);
        self.techniques |= 1 << at.unwrap_or_default();
    }

    /// Takes a look at an open port as proof of the source. True when it is the first, of a scan that
    /// goes on: within the window it has not ended.
    pub(super) fn prove(&mut self, glance: FlowKey, now: WallTime, window: TimeSpan) -> bool {
        let is_new = self.proof.is_none() && now.ns_since(self.last) <= window.as_ns();
        if is_new {
            self.proof = Some(glance);
        }
        is_new
    }

    /// The TCP connection that shows that the source is no forgery.
    pub(super) fn handshake(&self) -> Option<String> {
        let key = self.proof.filter(|key| key.protocol() == protocol::TCP)?;
        let from = SocketAddr::new(key.source(), key.source_port());
        let to = SocketAddr::new(key.destination(), key.destination_port());
        Some(format!("{from} > {to}"))
    }

    /// Adds a connection that was none.
    pub(super) fn succeed(&mut self, target: u64, time: WallTime, windows: [TimeSpan; 2]) {
        self.successes += 1;
        for (share, window) in self.shares.iter_mut().zip(windows) {
            share.turn(time, window);
            share.all.insert(target);
            share.succeeded.insert(target);
        }
    }

    /// Whether at least half of the targets that the source tries here fail, in the window and in the
    /// one for slow scans.
    pub(super) fn is_failing(&self) -> [bool; 2] {
        let [fast, slow] = &self.shares;
        [fast, slow].map(|share| share.failed() >= share.answered())
    }

    /// Different targets that answered, in the window and in the one for slow scans.
    pub(super) fn answered(&self) -> [u64; 2] {
        let [fast, slow] = &self.shares;
        [fast, slow].map(Share::answered)
    }

    /// Different targets in a window that ends now, up to [`RECENT`].
    pub(super) fn within(&self, window: TimeSpan, now: WallTime) -> usize {
        let recent = self.recent.iter();
        recent
            .filter(|(time, _)| now.ns_since(*time) <= window.as_ns())
            .count()
    }

    /// Different targets at all.
    pub(super) fn count(&self) -> u64 {
        self.all.count().min(self.probes)
    }

    /// The targets whose times are kept, as numbers, the lowest first.
    pub(super) fn sample(&self, most: usize) -> Vec<String> {
        let mut targets: Vec<u64> = self.recent.iter().map(|(_, target)| *target).collect();
        targets.sort_unstable();
        targets.truncate(most);
        targets.iter().map(u64::to_string).collect()
    }

    /// The first targets that were found open, as numbers, the lowest first.
    pub(super) fn open(&self) -> Vec<String> {
        let mut open = self.open.clone();
        open.sort_unstable();
        open.iter().map(u64::to_string).collect()
    }

    pub(super) fn techniques(&self) -> Vec<&'static str> {
        let all = Technique::ALL.iter().enumerate();
        all.filter(|(at, _)| self.techniques & 1 << at != 0)
            .map(|(_, technique)| technique.name())
            .collect()
    }
}

/// Different targets that failed and that answered, where those of windows gone by count half as much
/// with each: so a proxy that fails now and then is no scanner, and one that was busy yesterday may
/// become one. Each target counts once, however often it is asked, and has answered if it ever did: a
/// thousand pages from one server do not speak for the ports that are tried meanwhile.
#[derive(Clone, Debug)]
struct Share {
    since: WallTime,
    all: Distinct,
    succeeded: Distinct,
    /// Failed and answered in the windows gone by.
    before: (u64, u64),
}

impl Share {
    fn new(since: WallTime) -> Self {
        Self {
            since,
            all: Distinct::default(),
            succeeded: Distinct::default(),
            before: (0, 0),
        }
    }

    fn failed(&self) -> u64 {
        let failed = self.all.count().saturating_sub(self.succeeded.count());
        self.before.0 + failed
    }

    fn answered(&self) -> u64 {
        self.before.1 + self.succeeded.count()
    }

    fn turn(&mut self, now: WallTime, window: TimeSpan) {
        let windows = now.ns_since(self.since) / window.as_ns().max(1);
        if let Ok(windows @ 1..) = u32::try_from(windows) {
            let halved = |count: u64| count.checked_shr(windows).unwrap_or(0);
            self.before = (halved(self.failed()), halved(self.answered()));
            self.all = Distinct::default();
            self.succeeded = Distinct::default();
            self.since = now;
        }
    }
}

impl Kept for Targets {
    fn rank(&self) -> usize {
        self.recent.len()
    }

    fn last(&self) -> WallTime {
        self.last
    }
}
