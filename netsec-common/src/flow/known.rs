//! A packet of a flow that has a slot.

use super::cache::{FlowTable, Observation, Place, end_of_flow, holds};
use super::slot::{FlowSlot, State, Volume};
use crate::packet::FlowKey;

/// A flow's slot, and what was in it.
pub(crate) struct Known<'a> {
    slot: &'a FlowSlot,
    volume: Volume,
    state: State,
}

impl<'a> Known<'a> {
    /// The slot that holds a flow, if one does.
    #[inline(always)]
    pub(crate) fn find<T: FlowTable>(table: &'a T, place: Place, key: &FlowKey) -> Option<Self> {
        let mut ways = table.set(place.set)?.ways_from(place.way);
        let (_, slot) = ways.find(|(_, slot)| holds(table, slot, key))?;
        Some(Self {
            slot,
            volume: slot.volume(),
            state: slot.state(),
        })
    }

    /// Packets it has had.
    #[inline(always)]
    pub(crate) const fn packets(&self) -> u32 {
        self.volume.packets()
    }

    /// Whether the packet at hand ends it and begins another one.
    #[inline(always)]
    pub(crate) fn ends(&self, seen: Observation, idle_ticks: u32) -> bool {
        end_of_flow(self.volume, self.state, seen, idle_ticks).is_some()
    }

    /// Adds the packet at hand.
    #[inline(always)]
    pub(crate) fn add(self, seen: Observation) {
        self.slot.update(
            self.volume.plus(seen.bytes),
            self.state
                .with(seen.tcp_flags, self.state.last().max(seen.now)),
        );
    }
}
