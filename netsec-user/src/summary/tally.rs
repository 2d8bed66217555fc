//! Adds up an interval.

use std::net::IpAddr;

use indexmap::IndexMap;
use netsec_common::packet::FlowKey;

use super::{Service, Talker, Volume};
use crate::connection::KeyHash;
use crate::event::FlowDelta;

/// Addresses and services kept while an interval lasts. Beyond twice as many, the smallest half
/// is folded into nothing but the totals: a heavy talker stays, a source of one packet goes. A flood of
/// forged sources fills this at once, and there are two tallies: 2 MiB together.
const KEPT: usize = 1 << 12;

/// Volumes by protocol, address and service.
#[derive(Debug)]
pub struct Tally {
    protocols: [Volume; 256],
    talkers: IndexMap<IpAddr, (Volume, Volume), KeyHash>,
    services: IndexMap<(u8, u16), Volume, KeyHash>,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub(crate) fn new(hash: &KeyHash) -> Self {
        Self {
            protocols: [Volume::default(); 256],
            talkers: IndexMap::with_hasher(hash.clone()),
            services: IndexMap::with_hasher(hash.clone()),
        }
    }

    /// Adds a delta. `oriented` is the key from originator to responder of its connection.
    pub fn add(&mut self, delta: &FlowDelta, oriented: &FlowKey) {
        let volume = Volume {
            bytes: delta.bytes,
            packets: delta.packets,
        };
        let protocol = oriented.protocol();
        if let Some(total) = self.protocols.get_mut(usize::from(protocol)) {
            total.add(volume);
        }
        let (sent, _) = self.talkers.entry(delta.key.source()).or_default();
        sent.add(volume);
        let (_, received) = self.talkers.entry(delta.key.destination()).or_default();
        received.add(volume);
        if oriented.has_ports() {
            let service = (protocol, oriented.destination_port());
            self.services.entry(service).or_default().add(volume);
        }
        prune(&mut self.talkers, |(sent, received)| {
            sent.bytes + received.bytes
        });
        prune(&mut self.services, |volume| volume.bytes);
    }

    /// Adds what another tally held.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.protocols.iter_mut().zip(other.protocols) {
            mine.add(theirs);
        }
        for (address, (sent, received)) in &other.talkers {
            let mine = self.talkers.entry(*address).or_default();
            mine.0.add(*sent);
            mine.1.add(*received);
            prune(&mut self.talkers, |(sent, received)| {
                sent.bytes + received.bytes
            });
        }
        for (service, volume) in &other.services {
            self.services.entry(*service).or_default().add(*volume);
            prune(&mut self.services, |volume| volume.bytes);
        }
    }

    /// IP protocols with traffic, most bytes first.
    #[must_use]
    pub fn protocols(&self) -> Vec<(u8, Volume)> {
        let all = (0..=u8::MAX).zip(self.protocols);
        let mut seen: Vec<_> = all.filter(|(_, volume)| volume.packets != 0).collect();
        seen.sort_by_key(|(protocol, volume)| (std::cmp::Reverse(*volume), *protocol));
        seen
    }

    /// The `most` addresses with most bytes sent and received.
    #[must_use]
    pub fn talkers(&self, most: usize) -> Vec<Talker> {
        let mut all: Vec<_> = self
            .talkers
            .iter()
            .map(|(address, (sent, received))| Talker {
                address: *address,
                sent: *sent,
                received: *received,
            })
            .collect();
        all.sort_by_key(|talker| {
            let bytes = talker.sent.bytes + talker.received.bytes;
            (std::cmp::Reverse(bytes), talker.address)
        });
        all.truncate(most);
        all
    }

    /// The `most` services with most bytes.
    #[must_use]
    pub fn services(&self, most: usize) -> Vec<Service> {
        let mut all: Vec<_> = self
            .services
            .iter()
            .map(|((protocol, port), volume)| Service {
                protocol: *protocol,
                port: *port,
                volume: *volume,
            })
            .collect();
        all.sort_by_key(|service| {
            (
                std::cmp::Reverse(service.volume),
                service.protocol,
                service.port,
            )
        });
        all.truncate(most);
        all
    }
}

impl Volume {
    /// Adds another volume.
    pub const fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.packets += other.packets;
    }
}

/// Keeps the largest half of a map that has outgrown its bound.
fn prune<K: Ord, V>(map: &mut IndexMap<K, V, KeyHash>, bytes: impl Fn(&V) -> u64) {
    if map.len() < 2 * KEPT {
        return;
    }
    map.sort_unstable_by(|key, a, other, b| bytes(b).cmp(&bytes(a)).then_with(|| key.cmp(other)));
    map.truncate(KEPT);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use netsec_common::packet::{Vlan, protocol};

    use super::*;
    use crate::hook::HookId;
    use crate::time::WallTime;

    fn delta(source: SocketAddr, bytes: u64) -> FlowDelta {
        let server = SocketAddr::from(([10, 0, 0, 2], 443));
        FlowDelta {
            hook: HookId(0),
            key: FlowKey::from_endpoints(source, server, protocol::TCP, Vlan::default()),
            first: WallTime::default(),
            last: WallTime::default(),
            packets: 1,
            bytes,
            tcp_flags: 0,
            first_tcp_flags: 0,
            opened: true,
            ended: None,
        }
    }

    #[test]
    fn a_flood_of_sources_does_not_push_out_the_heavy_one() {
        let mut tally = Tally::new(&KeyHash::new([7; 10]));
        let heavy = SocketAddr::from(([10, 9, 9, 9], 1000));
        let add = |tally: &mut Tally, source, bytes| {
            let delta = delta(source, bytes);
            tally.add(&delta, &delta.key);
        };
        add(&mut tally, heavy, 1_000_000);
        let sources = u32::try_from(3 * KEPT).unwrap();
        for n in 0..sources {
            let [_, b, c, d] = n.to_be_bytes();
            add(&mut tally, SocketAddr::from(([11, b, c, d], 1)), 60);
        }
        assert!(tally.talkers.len() <= 2 * KEPT);
        let top = tally.talkers(2);
        assert_eq!(top[0].address.to_string(), "10.0.0.2");
        assert_eq!(top[1].address, heavy.ip());
        assert_eq!(top[1].sent.bytes, 1_000_000);
        assert_eq!(tally.protocols()[0].1.packets, 3 * KEPT as u64 + 1);
    }

    #[test]
    fn merge_adds_up() {
        let mut total = Tally::new(&KeyHash::new([7; 10]));
        let mut interval = Tally::new(&KeyHash::new([7; 10]));
        let packet = delta(SocketAddr::from(([10, 9, 9, 9], 1000)), 100);
        interval.add(&packet, &packet.key);
        total.merge(&interval);
        total.merge(&interval);
        assert_eq!(
            total.services(9)[0].volume,
            Volume {
                bytes: 200,
                packets: 2
            }
        );
        assert_eq!(total.talkers(9).len(), 2);
    }
}
