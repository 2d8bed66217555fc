//! What is known of sources, pairs, networks and services.

use std::net::IpAddr;

use netsec_common::packet::FlowKey;

use super::Limits;
use super::window::{Windows, index};
use crate::connection::{Activity, KeyHash};
use crate::detect::bounded::{Bounded, Kept};
use crate::detect::network::word;
use crate::time::WallTime;

/// Protocols and ports whose connections are counted.
const SERVICES_MAX: usize = 1 << 14;

/// All that is known.
#[derive(Debug)]
pub(super) struct History {
    sources: Bounded<IpAddr, Windows>,
    pairs: Bounded<(IpAddr, IpAddr), Windows>,
    /// First connection of a source with a network.
    networks: Bounded<(IpAddr, IpAddr), Met>,
    /// First connection of a source with a service.
    uses: Bounded<(IpAddr, u8, u16), Met>,
    services: Bounded<(u8, u16), Met>,
    connections: u64,
}

/// What is known of the surroundings of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) source: Option<&'a Windows>,
    pub(super) pair: Option<&'a Windows>,
    pub(super) first_with_network: bool,
    pub(super) first_with_service: bool,
    pub(super) service_rarity: f64,
}

#[derive(Clone, Copy, Debug)]
struct Met {
    first: WallTime,
    last: WallTime,
    times: u64,
}

impl Met {
    const fn new(start: WallTime) -> Self {
        Self {
            first: start,
            last: start,
            times: 0,
        }
    }

    fn again(&mut self, start: WallTime) {
        self.first = self.first.min(start);
        self.last = self.last.max(start);
        self.times += 1;
    }
}

impl Kept for Met {
    fn rank(&self) -> usize {
        usize::try_from(self.times).unwrap_or(usize::MAX)
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl History {
    pub(super) fn new(limits: Limits, hash: &KeyHash) -> Self {
        Self {
            sources: Bounded::new(limits.hosts_max, hash),
            pairs: Bounded::new(limits.pairs_max, hash),
            networks: Bounded::new(limits.pairs_max, hash),
            uses: Bounded::new(limits.pairs_max, hash),
            services: Bounded::new(SERVICES_MAX, hash),
            connections: 0,
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.sources.evicted()
            + self.pairs.evicted()
            + self.networks.evicted()
            + self.uses.evicted()
            + self.services.evicted()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sources.len()
            + self.pairs.len()
            + self.networks.len()
            + self.uses.len()
            + self.services.len()
    }

    /// Adds what a connection did; `now` says which window runs.
    pub(super) fn add(&mut self, activity: &Activity, now: WallTime) {
        let connection = &activity.connection;
        let (key, start) = (&connection.key, connection.start);
        let (source, host) = (key.source(), key.destination());
        let (protocol, port) = service(key);
        let word_of_service = u64::from(protocol) << 16 | u64::from(port);
        let window = index(now);
        let mut is_new = false;
        let pair = self.pairs.entry((source, host), || {
            is_new = true;
            Windows::new(start, now)
        });
        pair.add(activity, None, word_of_service, window);
        let of_source = self.sources.entry(source, || Windows::new(start, now));
        of_source.add(activity, Some(word(host)), word_of_service, window);
        if is_new {
            of_source.meet();
        }
        if !activity.opened {
            return;
        }
        let met = || Met::new(start);
        self.networks
            .entry((source, network(host)), met)
            .again(start);
        self.uses.entry((source, protocol, port), met).again(start);
        self.services.entry((protocol, port), met).again(start);
        self.connections += 1;
    }

    /// What is known of the surroundings of a connection that was [`add`](Self::add)ed.
    pub(super) fn of(&self, key: &FlowKey, start: WallTime) -> Surroundings<'_> {
        let (source, host) = (key.source(), key.destination());
        let (protocol, port) = service(key);
        let is_first = |met: Option<&Met>| met.is_none_or(|met| start <= met.first);
        let times = self
            .services
            .get(&(protocol, port))
            .map_or(0, |met| met.times);
        let rarity = (self.connections + 1) as f64 / (times + 1) as f64;
        Surroundings {
            source: self.sources.get(&source),
            pair: self.pairs.get(&(source, host)),
            first_with_network: is_first(self.networks.get(&(source, network(host)))),
            first_with_service: is_first(self.uses.get(&(source, protocol, port))),
            service_rarity: rarity.log2().round().clamp(0.0, 10.0),
        }
    }
}

/// Protocol and responder's port; for ICMP the type.
pub(super) fn service(key: &FlowKey) -> (u8, u16) {
    let port = if key.has_ports() {
        key.destination_port()
    } else {
        key.source_port()
    };
    (key.protocol(), port)
}

/// The /24 or /48 of an address, by its first address.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 80 << 80).into()),
    }
}
