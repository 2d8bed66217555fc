//! Accounting a packet in the cache.

use super::hash::flow_hash;
use super::record::{EndReason, FlowRecord};
use super::slot::{Counts, FlowSet, FlowSlot, State, Volume, WAYS};
use crate::config::Config;
use crate::ledger::{Counter, Row};
use crate::packet::{FlowKey, tcp};
use crate::sample::Delivery;
use crate::ticks::Ticks;

/// One CPU's share of a flow table: kernel maps or host memory.
pub trait FlowTable {
    /// Whether flows in tunnels are in it. Without, none is told from a flow outside.
    const TUNNELS: bool = true;

    /// The set with this index among this CPU's sets.
    fn set(&self, index: u32) -> Option<&FlowSet>;

    /// Index in the whole table of this CPU's first slot.
    fn first_slot(&self) -> u32;

    /// Hands a record to the reader.
    fn export(&self, record: &FlowRecord) -> Delivery;
}

/// What one packet adds to its flow.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Traffic time.
    pub now: Ticks,
    /// Frame length, bytes.
    pub bytes: u32,
    /// TCP flags; zero for other protocols.
    pub tcp_flags: u8,
}

/// Where a flow is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of its set among the sets of one CPU.
    pub set: u32,
    /// The way it is looked for first, under [`WAYS`]: most flows of a table that is not full are
    /// there, so that a packet touches one cache line of the set, and not those before it too.
    pub way: u32,
}

impl Place {
    /// Of a flow.
    #[inline(always)]
    #[must_use]
    pub const fn of(key: &FlowKey, config: &Config) -> Self {
        Self::of_hash(flow_hash(key, &config.hash_keys), config)
    }

    /// Of a flow with this hash.
    #[inline(always)]
    pub(crate) const fn of_hash(hash: u64, config: &Config) -> Self {
        Self {
            set: (hash >> 32) as u32 & config.set_mask,
            way: (hash >> 30 & 3) as u32,
        }
    }
}

/// Where a packet is counted besides its flow: as a frame, or as a packet in one.
#[derive(Clone, Copy)]
struct Books {
    packets: Counter,
    bytes: Counter,
    no_set: Counter,
}

const OF_FRAMES: Books = Books {
    packets: Counter::FlowPackets,
    bytes: Counter::FlowBytes,
    no_set: Counter::NoFlowSet,
};

const OF_TUNNELS: Books = Books {
    packets: Counter::InnerFlowPackets,
    bytes: Counter::InnerFlowBytes,
    no_set: Counter::InnerNoFlowSet,
};

/// Accounts a packet in its set, and returns the packets its flow has now.
///
/// `idle_ticks` without a packet end a flow, 0 never does.
///
/// # Errors
///
/// [`Counter::NoFlowSet`] when the table has no such set, [`Counter::InnerNoFlowSet`] for a packet in a
/// tunnel.
#[inline(always)]
pub fn account<T: FlowTable>(
    table: &T,
    place: Place,
    key: &FlowKey,
    seen: Observation,
    idle_ticks: u32,
    row: &Row,
) -> Result<u32, Counter> {
    let books = if key.is_inner() {
        OF_TUNNELS
    } else {
        OF_FRAMES
    };
    let set = table.set(place.set).ok_or(books.no_set)?;
    row.count(books.packets);
    row.add(books.bytes, u64::from(seen.bytes));
    let home = Home {
        table,
        row,
        set_index: place.set,
    };
    let packets = home.account(set, place.way, key, seen, idle_ticks);
    row.touch(place.set);
    Ok(packets)
}

#[inline(always)]
pub(super) fn holds<T: FlowTable>(_table: &T, slot: &FlowSlot, key: &FlowKey) -> bool {
    if T::TUNNELS {
        slot.holds::<true>(key)
    } else {
        slot.holds::<false>(key)
    }
}

/// A free slot, or else the one whose last packet is longest ago; of several the next from a way on.
#[inline(always)]
fn oldest(set: &FlowSet, first_way: u32, now: Ticks) -> (usize, &FlowSlot) {
    let [first, ..] = &set.ways;
    let mut victim = (0, first);
    let mut age = i64::MIN;
    for (way, slot) in set.ways_from(first_way) {
        let this = self::age(slot, now);
        if this > age {
            victim = (way, slot);
            age = this;
        }
    }
    victim
}

/// Ticks since the last packet; a free slot is older than any flow.
#[inline(always)]
fn age(slot: &FlowSlot, now: Ticks) -> i64 {
    if slot.volume().packets() == 0 {
        i64::MAX
    } else {
        i64::from(now.since(slot.state().last()))
    }
}

/// Where a slot is: what a record has to say of it.
struct Home<'a, T> {
    table: &'a T,
    row: &'a Row,
    set_index: u32,
}

impl<T: FlowTable> Home<'_, T> {
    #[inline(always)]
    fn account(
        &self,
        set: &FlowSet,
        first_way: u32,
        key: &FlowKey,
        seen: Observation,
        idle_ticks: u32,
    ) -> u32 {
        for (way, slot) in set.ways_from(first_way) {
            if holds(self.table, slot, key) {
                return self.hit(way, slot, seen, idle_ticks);
            }
        }
        let (way, slot) = oldest(set, first_way, seen.now);
        self.open(way, slot, key, seen);
        1
    }

    #[inline(always)]
    fn hit(&self, way: usize, slot: &FlowSlot, seen: Observation, idle_ticks: u32) -> u32 {
        let (volume, state) = (slot.volume(), slot.state());
        if let Some(reason) = end_of_flow(volume, state, seen, idle_ticks) {
            self.row.count(Counter::FlowsRestarted);
            self.export(way, slot, &slot.counts(), reason);
            slot.open(None, &opened(state.generation(), seen));
            return 1;
        }
        let volume = volume.plus(seen.bytes);
        slot.update(
            volume,
            state.with(seen.tcp_flags, state.last().max(seen.now)),
        );
        volume.packets()
    }

    #[inline(always)]
    fn open(&self, way: usize, slot: &FlowSlot, key: &FlowKey, seen: Observation) {
        let old = slot.counts();
        if old.packets != 0 {
            self.row.count(Counter::FlowsEvicted);
            self.export(way, slot, &old, EndReason::Evicted);
        }
        self.row.count(Counter::FlowsOpened);
        slot.open(Some(key), &opened(old.generation, seen));
    }

    /// The record leaves before the slot changes, so that a reader who sees the new generation
    /// finds the old one's record in the ring.
    #[expect(clippy::cast_possible_truncation, reason = "a set has four ways")]
    #[inline(always)]
    fn export(&self, way: usize, slot: &FlowSlot, counts: &Counts, reason: EndReason) {
        let record = FlowRecord {
            key: slot.key(),
            bytes: counts.bytes,
            first: counts.first,
            last: counts.last,
            packets: counts.packets,
            slot: self
                .table
                .first_slot()
                .wrapping_add(self.set_index.wrapping_mul(WAYS as u32))
                .wrapping_add(way as u32),
            generation: counts.generation,
            tcp_flags: counts.tcp_flags,
            reason: reason as u8,
            first_tcp_flags: counts.first_tcp_flags,
            reserved: 0,
            reserved_high: 0,
        };
        let (packets, bytes) = match self.table.export(&record) {
            Delivery::Sent => (Counter::ExportedPackets, Counter::ExportedBytes),
            Delivery::Lost if T::TUNNELS && record.key.is_inner() => {
                self.row.count(Counter::InnerRecordsLost);
                (
                    Counter::InnerRecordsLostPackets,
                    Counter::InnerRecordsLostBytes,
                )
            }
            Delivery::Lost => {
                self.row.count(Counter::RecordsLost);
                (Counter::RecordsLostPackets, Counter::RecordsLostBytes)
            }
        };
        self.row.add(packets, u64::from(counts.packets));
        self.row.add(bytes, counts.bytes);
    }
}

/// Whether the packet at hand begins a new flow in the slot of an old one.
#[inline(always)]
pub(super) fn end_of_flow(
    volume: Volume,
    state: State,
    seen: Observation,
    idle_ticks: u32,
) -> Option<EndReason> {
    let idle = i64::from(seen.now.since(state.last()));
    if idle_ticks != 0 && idle > i64::from(idle_ticks) {
        return Some(EndReason::Idle);
    }
    // SYN and SYN-ACK alike, so that both directions of a reused pair of endpoints begin anew. A SYN
    // with FIN or RST opens nothing, and must not cost a record each time a scanner sends it.
    let opens = seen.tcp_flags & (tcp::SYN | tcp::FIN | tcp::RST) == tcp::SYN;
    if opens && state.tcp_flags() & (tcp::FIN | tcp::RST) != 0 {
        return Some(EndReason::Reused);
    }
    volume.is_full().then_some(EndReason::CounterLimit)
}

#[inline(always)]
const fn opened(old_generation: u16, seen: Observation) -> Counts {
    Counts {
        bytes: seen.bytes as u64,
        packets: 1,
        generation: old_generation.wrapping_add(1),
        tcp_flags: seen.tcp_flags,
        first_tcp_flags: seen.tcp_flags,
        first: seen.now,
        last: seen.now,
    }
}

#[cfg(test)]
mod tests;
