//! Who exchanged how many bytes in the last minute.

use std::net::IpAddr;
use std::time::Duration;

use indexmap::IndexMap;

use crate::event::FlowDelta;
use crate::time::WallTime;

/// The minute is looked at in so many slices.
const SLICES: usize = 6;

/// Length of one.
const SLICE: Duration = Duration::from_secs(10);

/// Pairs of addresses kept in a slice, about 6 MiB. Bytes of further pairs count in the total only.
const PAIRS_MAX: usize = 1 << 16;

/// Bytes by pair of addresses, for one minute.
#[derive(Debug, Default)]
pub struct RecentTraffic {
    /// Latest first.
    slices: Vec<Slice>,
}

/// Bytes of the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recently {
    /// Of the addresses asked for, with everybody else.
    pub bytes: u64,
    /// Of everybody.
    pub bytes_total: u64,
    /// Whether there were more pairs than are kept: `bytes` is a lower bound then.
    pub is_partial: bool,
}

#[derive(Debug)]
struct Slice {
    start: WallTime,
    /// Both directions of a pair are one: the smaller address first.
    pairs: IndexMap<(IpAddr, IpAddr), u64>,
    bytes: u64,
    is_partial: bool,
}

impl RecentTraffic {
    /// Adds what a flow counted.
    pub fn add(&mut self, delta: &FlowDelta) {
        // That a flow has left its slot is no traffic, and would be a pair again long after its last.
        if delta.packets == 0 {
            return;
        }
        let Some(slice) = self.slice(delta.last) else {
            return;
        };
        slice.bytes += delta.bytes;
        let (a, b) = (delta.key.source(), delta.key.destination());
        let pair = (a.min(b), a.max(b));
        if let Some(bytes) = slice.pairs.get_mut(&pair) {
            *bytes += delta.bytes;
        } else if slice.pairs.len() < PAIRS_MAX {
            slice.pairs.insert(pair, delta.bytes);
        } else {
            slice.is_partial = true;
        }
    }

    /// What was exchanged up to `now` in pairs of which an end is `wanted`.
    #[must_use]
    pub fn of(&self, now: WallTime, wanted: impl Fn(IpAddr) -> bool) -> Recently {
        let mut found = Recently::default();
        for slice in &self.slices {
            if now.since(slice.start) > SLICE * u32::try_from(SLICES).unwrap_or_default() {
                continue;
            }
            found.bytes_total += slice.bytes;
            found.is_partial |= slice.is_partial;
            for ((a, b), bytes) in &slice.pairs {
                if wanted(*a) || wanted(*b) {
                    found.bytes += bytes;
                }
            }
        }
        found
    }

    /// The slice of a moment; deltas that come late are added to the latest.
    fn slice(&mut self, time: WallTime) -> Option<&mut Slice> {
        let is_over = |slice: &Slice| time.since(slice.start) >= SLICE;
        if self.slices.first().is_none_or(is_over) {
            // The room of an old slice is given back: a flood would leave each with room for its pairs.
            self.slices.truncate(SLICES - 1);
            self.slices.insert(
                0,
                Slice {
                    start: time,
                    pairs: IndexMap::new(),
                    bytes: 0,
                    is_partial: false,
                },
            );
        }
        self.slices.first_mut()
    }
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{FlowKey, Vlan, protocol};

    use super::*;
    use crate::hook::HookId;

    fn delta(source: &str, destination: &str, seconds: u64, bytes: u64) -> FlowDelta {
        let time = WallTime::default().plus(Duration::from_secs(1_000_000 + seconds));
        FlowDelta {
            hook: HookId(0),
            key: FlowKey::from_endpoints(
                source.parse().unwrap(),
                destination.parse().unwrap(),
                protocol::TCP,
                Vlan::default(),
            ),
            first: time,
            last: time,
            packets: 1,
            bytes,
            tcp_flags: 0,
            first_tcp_flags: 0,
            opened: false,
            ended: None,
        }
    }

    #[test]
    fn both_directions_count_once_and_for_a_minute() {
        let mut recent = RecentTraffic::default();
        recent.add(&delta("192.0.2.1:1", "192.0.2.9:80", 0, 100));
        recent.add(&delta("192.0.2.9:80", "192.0.2.1:1", 5, 900));
        recent.add(&delta("192.0.2.2:1", "192.0.2.9:80", 30, 500));
        let at = |seconds: u64| WallTime::default().plus(Duration::from_secs(1_000_000 + seconds));
        let of = |text: &str, seconds| {
            let address: IpAddr = text.parse().unwrap();
            let found = recent.of(at(seconds), |other| other == address);
            (found.bytes, found.bytes_total)
        };
        assert_eq!(of("192.0.2.1", 30), (1000, 1500));
        assert_eq!(of("192.0.2.9", 30), (1500, 1500));
        assert_eq!(of("192.0.2.3", 30), (0, 1500));
        assert_eq!(of("192.0.2.1", 61), (0, 500));
        assert_eq!(of("192.0.2.1", 200), (0, 0));
    }

    #[test]
    fn memory_is_bounded_whoever_sends() {
        let mut recent = RecentTraffic::default();
        for number in 0..200_000_u32 {
            let source = std::net::Ipv4Addr::from_bits(number);
            recent.add(&delta(&format!("{source}:1"), "192.0.2.9:80", 0, 1));
        }
        let now = WallTime::default().plus(Duration::from_secs(1_000_001));
        let found = recent.of(now, |_| true);
        assert_eq!((found.bytes, found.bytes_total), (1 << 16, 200_000));
        assert!(found.is_partial);
        recent.add(&delta("192.0.2.1:1", "192.0.2.9:80", 30, 1));
        for number in 0..1000_u32 {
            let source = std::net::Ipv4Addr::from_bits(number);
            let mut left = delta(&format!("{source}:1"), "192.0.2.9:80", 30, 0);
            left.packets = 0;
            recent.add(&left);
        }
        assert_eq!(recent.slices[0].pairs.len(), 1, "who only left is no pair");
        for seconds in 0..1000 {
            recent.add(&delta("192.0.2.1:1", "192.0.2.9:80", seconds, 1));
        }
        assert_eq!(recent.slices.len(), SLICES);
    }
}
