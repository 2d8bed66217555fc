//! What dropped packets looked like.

use indexmap::IndexMap;

use crate::event::Sample;

/// Decisions of which a packet is kept. Beyond it that of the decision that was last seen first makes
/// room.
const DECISIONS_MAX: usize = 4096;

/// The latest sampled packet of each decision that dropped one, or would have in a dry run.
#[derive(Debug, Default)]
pub struct DroppedPackets(IndexMap<u64, Sample>);

impl DroppedPackets {
    /// Keeps a sample, if its frame was dropped or would have been.
    pub fn note(&mut self, sample: &Sample) {
        let Some(decision) = sample.fate.decision_id() else {
            return;
        };
        if self.0.len() >= DECISIONS_MAX && !self.0.contains_key(&decision) {
            self.0.shift_remove_index(0);
        }
        self.0.insert(decision, sample.clone());
    }

    /// The latest packet that a decision dropped.
    #[must_use]
    pub fn of(&self, decision: u64) -> Option<&Sample> {
        self.0.get(&decision)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use netsec_common::packet::Start;
    use netsec_common::sample::Fate;

    use super::*;
    use crate::hook::HookId;
    use crate::time::WallTime;

    fn sample(ns: i64, fate: Fate) -> Sample {
        Sample {
            hook: HookId(0),
            time: WallTime::from_ns(ns),
            wire_bytes: 60,
            start: Start::Ethernet,
            fate,
            bytes: Bytes::new(),
        }
    }

    #[test]
    fn the_latest_of_each_decision_is_kept_and_no_more_than_there_is_room_for() {
        let mut dropped = DroppedPackets::default();
        dropped.note(&sample(1, Fate::PASSED));
        assert!(dropped.0.is_empty());
        for (ns, fate) in [
            (1, Fate::dropped(1)),
            (2, Fate::dropped(1)),
            (3, Fate::would_drop(2)),
        ] {
            dropped.note(&sample(ns, fate));
        }
        let time = |dropped: &DroppedPackets, id| dropped.of(id).map(|s| s.time.as_ns());
        assert_eq!((time(&dropped, 1), time(&dropped, 2)), (Some(2), Some(3)));
        for id in 3..10_000 {
            dropped.note(&sample(4, Fate::dropped(id)));
        }
        assert_eq!(dropped.0.len(), DECISIONS_MAX);
        assert_eq!((time(&dropped, 1), time(&dropped, 9_999)), (None, Some(4)));
    }
}
