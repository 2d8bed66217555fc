//! One host's packets of one class in one second.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::super::bounded::Kept;
use super::super::distinct::Distinct;
use super::super::network::{Range, word};
use super::class::Counted;
use crate::time::WallTime;

/// Heaviest peers that are followed.
const HEAVY: usize = 8;

/// Most hosts have one peer in a second: no allocation for those.
type Heavy<K> = SmallVec<[(K, u64); 1]>;

#[derive(Clone, Debug)]
pub(super) struct Tally {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) completed: u64,
    pub(super) answered: u64,
    /// Packets that answer what was not seen.
    pub(super) replies: u64,
    pub(super) peers: Distinct,
    pub(super) ports: Distinct,
    /// Different hosts, of the whole link only.
    pub(super) hosts: Distinct,
    pub(super) range: Range,
    pub(super) first: WallTime,
    pub(super) last: WallTime,
    /// Space-saving (Metwally, Agrawal, El Abbadi 2005): the heaviest peers and at most how many
    /// packets each has.
    heavy: Heavy<IpAddr>,
    heavy_ports: Heavy<u16>,
}

impl Tally {
    pub(super) fn new(counted: &Counted) -> Self {
        Self::empty(Range::new(counted.victim), counted.first, counted.last)
    }

    /// Nothing, of the same network.
    pub(super) fn emptied(&self) -> Self {
        Self::empty(self.range, self.first, self.last)
    }

    fn empty(range: Range, first: WallTime, last: WallTime) -> Self {
        Self {
            packets: 0,
            bytes: 0,
            completed: 0,
            answered: 0,
            replies: 0,
            peers: Distinct::default(),
            ports: Distinct::default(),
            hosts: Distinct::default(),
            range,
            first,
            last,
            heavy: Heavy::new(),
            heavy_ports: Heavy::new(),
        }
    }

    /// Adds packets of a peer; `host` is the other end, when this is of the whole link.
    pub(super) fn add(&mut self, counted: &Counted, peer: IpAddr, host: Option<IpAddr>) {
        self.completed += counted.completed;
        if counted.packets == 0 {
            return;
        }
        self.packets += counted.packets;
        self.bytes += counted.bytes;
        self.answered += u64::from(counted.answered);
        self.replies += if counted.is_reply { counted.packets } else { 0 };
        self.peers.insert(word(peer));
        self.ports.insert(counted.port.into());
        if let Some(host) = host {
            self.hosts.insert(word(host));
        }
        self.range.add(counted.victim);
        self.first = self.first.min(counted.first);
        self.last = self.last.max(counted.last);
        heavier(&mut self.heavy, peer, counted.packets);
        heavier(&mut self.heavy_ports, counted.port, counted.packets);
    }

    /// Adds what another host got: its peers are peers of both.
    pub(super) fn merge(&mut self, other: &Self) {
        self.completed += other.completed;
        if other.packets == 0 {
            return;
        }
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.answered += other.answered;
        self.replies += other.replies;
        self.peers.merge(&other.peers);
        self.ports.merge(&other.ports);
        self.range.merge(&other.range);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (peer, packets) in &other.heavy {
            heavier(&mut self.heavy, *peer, *packets);
        }
        for (port, packets) in &other.heavy_ports {
            heavier(&mut self.heavy_ports, *port, *packets);
        }
    }

    /// The peer with most packets and how many, if it has at least half of them.
    pub(super) fn chief(&self) -> Option<(IpAddr, u64)> {
        let heaviest = self
            .heavy
            .iter()
            .max_by_key(|(peer, packets)| (*packets, *peer));
        heaviest
            .copied()
            .filter(|(_, packets)| packets * 2 >= self.packets)
    }

    /// The port with most packets.
    pub(super) fn port(&self) -> Option<(u16, u64)> {
        let heaviest = self.heavy_ports.iter();
        heaviest
            .max_by_key(|(port, packets)| (*packets, *port))
            .copied()
    }
}

/// Adds to a key's count, in the place of the lightest when there is no room.
fn heavier<K: Copy + Ord>(heavy: &mut Heavy<K>, key: K, packets: u64) {
    if let Some((_, count)) = heavy.iter_mut().find(|(known, _)| *known == key) {
        *count += packets;
    } else if heavy.len() < HEAVY {
        heavy.push((key, packets));
    } else if let Some(lightest) = heavy.iter_mut().min_by_key(|(key, count)| (*count, *key)) {
        *lightest = (key, lightest.1 + packets);
    }
}

impl Kept for Tally {
    fn rank(&self) -> usize {
        // What has most packets stays.
        usize::from(self.packets > 1) + usize::from(self.packets > 16)
    }

    fn last(&self) -> WallTime {
        self.last
    }
}
