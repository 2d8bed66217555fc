//! The table's memory: words in shared arrays.

use super::entry::BlockTime;
use super::lookup::{Probe, probe};
use super::plain::{PlainSuspect, drop_plain};
use super::rule::{Ruling, Suspect, judge};
use super::shape::SHAPES_MAX;
use crate::ledger::Row;
use crate::word::Word;

/// What a reader needs of a table: kernel maps, or host memory.
pub trait BlockTable {
    /// Settings and shapes.
    fn control(&self) -> Option<&BlockControl>;

    /// A word of the filter.
    fn filter(&self, index: u32) -> Option<&Word>;

    /// A bucket of fingerprints.
    fn bucket(&self, index: u32) -> Option<&Bucket>;

    /// An entry.
    fn entry(&self, index: u32) -> Option<&EntrySlot>;

    /// The rarely used part of an entry.
    fn aside(&self, index: u32) -> Option<&Aside>;

    /// The time of the packet at hand.
    fn now(&self) -> BlockTime;

    /// Looks for the entry of a key whose prefix holds an address. The kernel side does so in a function
    /// of its own, which the verifier walks once and not for every shape.
    #[inline(always)]
    fn probe(&self, address: [u64; 2], key: u64) -> Probe
    where
        Self: Sized,
    {
        probe(self, address, key)
    }

    /// Rules on a packet that the filter did not clear. The kernel side does so in a function of its
    /// own, which the verifier walks once and not for every way a packet can come there.
    #[inline(always)]
    fn judge(&self, suspect: &Suspect, bytes: u32, row: &Row) -> Ruling
    where
        Self: Sized,
    {
        judge(self, suspect, bytes, row)
    }

    /// Drops a plain packet that needs nothing else, and says whether it did. The kernel side does so in
    /// a function of its own, as it rules.
    #[inline(always)]
    fn drop_plain(&self, plain: &PlainSuspect, row: &Row) -> bool
    where
        Self: Sized,
    {
        drop_plain(self, plain, row)
    }
}

/// `None` blocks nothing.
impl<T: BlockTable> BlockTable for Option<T> {
    #[inline(always)]
    fn control(&self) -> Option<&BlockControl> {
        self.as_ref()?.control()
    }

    #[inline(always)]
    fn filter(&self, index: u32) -> Option<&Word> {
        self.as_ref()?.filter(index)
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<&Bucket> {
        self.as_ref()?.bucket(index)
    }

    #[inline(always)]
    fn entry(&self, index: u32) -> Option<&EntrySlot> {
        self.as_ref()?.entry(index)
    }

    #[inline(always)]
    fn aside(&self, index: u32) -> Option<&Aside> {
        self.as_ref()?.aside(index)
    }

    #[inline(always)]
    fn now(&self) -> BlockTime {
        self.as_ref().map_or(BlockTime(0), T::now)
    }

    #[inline(always)]
    fn judge(&self, suspect: &Suspect, bytes: u32, row: &Row) -> Ruling {
        match self {
            Some(table) => table.judge(suspect, bytes, row),
            None => Ruling::PASS,
        }
    }

    #[inline(always)]
    fn drop_plain(&self, plain: &PlainSuspect, row: &Row) -> bool {
        self.as_ref()
            .is_some_and(|table| table.drop_plain(plain, row))
    }
}

/// What the whole table has once: settings, the shapes in use, and the writer's own notes.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct BlockControl {
    /// A [`Mode`](super::Mode).
    pub(super) mode: Word,
    /// Which parts of the filter have a bit set.
    pub(super) levels: Word,
    /// An [`OnSilence`](super::OnSilence).
    pub(super) on_silence: Word,
    /// Ticks without a heartbeat that are too many; 0 is never.
    pub(super) limit_ticks: Word,
    /// When the agent was last heard of.
    pub(super) heartbeat: Word,
    /// One in so many packets of each entry is sampled; 0 is none.
    pub(super) sample_one_in: Word,
    /// Buckets minus one; the number of buckets is a power of two.
    pub(super) bucket_mask: Word,
    pub(super) ticks_per_s: Word,

    /// Keys of the hash, drawn when the table is made.
    pub(super) hash_keys: [Word; 4],
    /// Which copy of each list of shapes is in use: a bit a list.
    pub(super) active_shapes: Word,
    /// [`LAYOUT`]; written last, when all else is.
    pub(super) layout: Word,
    /// Most entries.
    pub(super) capacity: Word,
    /// Entries in the table.
    pub(super) used: Word,

    /// The free slots that were used before, a queue: index of the first plus one, and of the last.
    pub(super) free_first: Word,
    pub(super) free_last: Word,
    /// Slots that were ever used: those from here on are free as well.
    pub(super) high_water: Word,
    /// Inserts that were refused.
    pub(super) refused: Word,
    /// Entries removed since filter and shapes were last made anew.
    pub(super) stale: Word,
    /// A tick, when it began on `CLOCK_MONOTONIC`, and how long a tick is: all other ticks follow,
    /// because the kernel moves both clocks by the same source.
    pub(super) clock: [Word; 3],

    /// By list and family, two copies each: one in use, one to write the next in.
    pub(super) shapes: [[Shapes; 2]; 4],
}

/// The shapes of one family on one list, in the order in which they are tried; zeros at the end.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Shapes(pub(super) [Word; SHAPES_MAX]);

impl Default for Shapes {
    fn default() -> Self {
        Self([const { Word::new() }; SHAPES_MAX])
    }
}

const _: () = assert!(size_of::<BlockControl>() == 24 * 8 + 4 * 2 * SHAPES_MAX * 8);
const _: () = assert!(core::mem::offset_of!(BlockControl, hash_keys) == 64);

/// Version of the layout and meaning of the table's memory. A table that was left in the kernel by
/// another version is not used.
pub const LAYOUT: u64 = 0x4e53_424c_0000_0002;

/// Seven fingerprints, and how many entries had no room here: one cache line.
///
/// A slot holds the fingerprint in its high half and the entry's index plus one in its low half. The
/// fingerprints of a bucket differ.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Bucket {
    /// Entries whose first bucket this is and that lie in their second one.
    pub(super) elsewhere: Word,
    pub(super) slots: [Word; BUCKET_SLOTS],
}

/// Slots of a bucket.
pub(super) const BUCKET_SLOTS: usize = 7;

const _: () = assert!(size_of::<Bucket>() == 64);

/// An entry in one cache line.
///
/// It is listed when a bucket holds its index. Before the writer changes a slot it stores a key without
/// action, after that the new key, with the next generation: a reader who finds one key before and
/// after has read one entry. A slot that was freed is left as it is for as long as others are free, so
/// that a reader who was on its way there still finds what it was sent for.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct EntrySlot {
    /// High and low half of the first address, as numbers.
    pub(super) address: [Word; 2],
    /// What else it matches, the action, and the generation: see [`super::shape`].
    pub(super) key: Word,
    pub(super) decision_id: Word,
    /// A [`BlockTime`]; 0 is never.
    pub(super) expires: Word,
    pub(super) packets: Word,
    pub(super) bytes: Word,
    pub(super) last: Word,
}

const _: () = assert!(size_of::<EntrySlot>() == 64);

/// What few packets need of an entry.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Aside {
    /// The first packet that it counted; 0 is none yet.
    pub(super) first: Word,
    /// Packets a second, of a rate limit. In a free slot, the next free one: index plus one.
    pub(super) rate: Word,
    /// How far the packets let through are ahead of the rate: see [`super::limit`].
    pub(super) ahead: Word,
}

const _: () = assert!(size_of::<Aside>() == 24);

/// Words of the filter: 2 MiB for IPv4, as much for IPv6, and 8 KiB each for short prefixes and for the
/// outline.
pub const FILTER_WORDS: u32 = (1 << 19) + 3 * 1024;

/// Slots beyond the table's capacity.
pub(super) const SPARE_SLOTS: u32 = 64;

/// How many elements each array of a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// Words of the filter.
    pub filter: u32,
    /// Buckets, a power of two.
    pub buckets: u32,
    /// Entries, and the parts that lie aside.
    pub entries: u32,
}

impl BlockSizes {
    /// Most entries that a table can have.
    pub const CAPACITY_MAX: u32 = 1 << 26;

    /// Sizes for so many entries; at least one, at most [`Self::CAPACITY_MAX`].
    ///
    /// The buckets are then at most four sevenths full. The spare slots let entries be replaced when all
    /// others are taken, and freed ones rest.
    #[must_use]
    pub const fn for_capacity(capacity: u32) -> Self {
        let capacity = match capacity {
            0 => 1,
            1..=Self::CAPACITY_MAX => capacity,
            _ => Self::CAPACITY_MAX,
        };
        Self {
            filter: FILTER_WORDS,
            buckets: capacity.div_ceil(4).next_power_of_two(),
            entries: capacity + SPARE_SLOTS,
        }
    }

    /// Bytes of all arrays together.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        let entry = size_of::<EntrySlot>() + size_of::<Aside>();
        size_of::<BlockControl>() as u64
            + self.filter as u64 * 8
            + self.buckets as u64 * size_of::<Bucket>() as u64
            + self.entries as u64 * entry as u64
    }
}

/// A table's arrays: mapped from the kernel, or in host memory.
#[derive(Clone, Copy, Debug)]
pub struct BlockMemory<'a> {
    /// Settings and shapes.
    pub control: &'a BlockControl,
    /// [`FILTER_WORDS`] words.
    pub filter: &'a [Word],
    /// A power of two of buckets.
    pub buckets: &'a [Bucket],
    /// Some slots more than the table's capacity.
    pub entries: &'a [EntrySlot],
    /// As many as entries.
    pub asides: &'a [Aside],
}

/// A table's memory at a moment.
#[derive(Clone, Copy, Debug)]
pub struct BlockMemoryAt<'a> {
    /// The memory.
    pub memory: BlockMemory<'a>,
    /// The moment.
    pub now: BlockTime,
}

impl<'a> BlockMemory<'a> {
    /// The table as a packet meets it at `now`.
    #[must_use]
    pub const fn at(self, now: BlockTime) -> BlockMemoryAt<'a> {
        BlockMemoryAt { memory: self, now }
    }
}

impl BlockTable for BlockMemoryAt<'_> {
    #[inline]
    fn control(&self) -> Option<&BlockControl> {
        Some(self.memory.control)
    }

    #[inline]
    fn filter(&self, index: u32) -> Option<&Word> {
        self.memory.filter.get(index as usize)
    }

    #[inline]
    fn bucket(&self, index: u32) -> Option<&Bucket> {
        self.memory.buckets.get(index as usize)
    }

    #[inline]
    fn entry(&self, index: u32) -> Option<&EntrySlot> {
        self.memory.entries.get(index as usize)
    }

    #[inline]
    fn aside(&self, index: u32) -> Option<&Aside> {
        self.memory.asides.get(index as usize)
    }

    #[inline]
    fn now(&self) -> BlockTime {
        self.now
    }
}
