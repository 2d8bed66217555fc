//! The memory of a block table, wherever it lies.

use std::fmt;
use std::sync::Arc;

use netsec_common::Word;
use netsec_common::block::{
    Aside, BlockClock, BlockControl, BlockMemory, BlockSizes, BlockTime, Bucket, EntrySlot,
};

use super::reading::TICK_NS;
use crate::time::WallTime;

/// Memory with a block table in it.
pub trait BlockStore {
    /// The memory.
    fn memory(&self) -> BlockMemory<'_>;

    /// How far the clock that the table's [`BlockClock`] speaks of is behind wall time, nanoseconds.
    fn wall_offset_ns(&self) -> i64;
}

/// A block table in this process's memory, for the replay of captures. Clones share it: one for each
/// interface of the capture, and one to write it.
#[derive(Clone)]
pub struct HostBlocks(Arc<Arrays>);

struct Arrays {
    control: BlockControl,
    filter: Vec<Word>,
    buckets: Vec<Bucket>,
    entries: Vec<EntrySlot>,
    asides: Vec<Aside>,
}

impl HostBlocks {
    /// An empty table for so many entries, with hash keys that everybody knows: a replay has to give
    /// the same each time.
    #[must_use]
    pub fn new(capacity: u32) -> Self {
        let sizes = BlockSizes::for_capacity(capacity);
        let blocks = Self(Arc::new(Arrays {
            control: BlockControl::default(),
            filter: many(sizes.filter),
            buckets: many(sizes.buckets),
            entries: many(sizes.entries),
            asides: many(sizes.entries),
        }));
        let memory = blocks.memory();
        memory.create(HASH_KEYS);
        memory.set_clock(REPLAY_CLOCK);
        blocks
    }

    /// The table's time for a frame of the capture.
    #[must_use]
    pub fn time(at: WallTime) -> BlockTime {
        REPLAY_CLOCK.ticks_at(at.as_ns())
    }
}

impl BlockStore for HostBlocks {
    fn memory(&self) -> BlockMemory<'_> {
        let arrays = &self.0;
        BlockMemory {
            control: &arrays.control,
            filter: &arrays.filter,
            buckets: &arrays.buckets,
            entries: &arrays.entries,
            asides: &arrays.asides,
        }
    }

    fn wall_offset_ns(&self) -> i64 {
        0
    }
}

impl fmt::Debug for HostBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostBlocks")
            .field("used", &self.memory().used())
            .finish_non_exhaustive()
    }
}

/// Ticks of a replay: microseconds since 1970.
pub(super) const REPLAY_CLOCK: BlockClock = BlockClock {
    ticks: 0,
    monotonic_ns: 0,
    tick_ns: TICK_NS.unsigned_abs(),
};

/// Fractional digits of π.
const HASH_KEYS: [u64; 4] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
];

fn many<T: Default>(count: u32) -> Vec<T> {
    (0..count).map(|_| T::default()).collect()
}
