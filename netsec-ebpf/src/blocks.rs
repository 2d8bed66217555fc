//! The block table's maps, and the functions that look into them.

use aya_ebpf::btf_maps::Array;
use aya_ebpf::macros::btf_map;
use netsec_common::Word;
use netsec_common::block::{
    Aside, BlockControl, BlockTable, BlockTime, Bucket, EntrySlot, PlainSuspect, Probe, Ruling,
    Suspect, drop_plain, judge, probe,
};
use netsec_common::ledger::Row;

use crate::maps::{MMAPABLE, control, cpu, jiffies, row};

/// The block table. As compiled it has no memory to speak of and its mode is "detect": nothing is looked
/// up. User space puts a table of its own in place before the object is loaded.
#[btf_map]
static BLOCK_CONTROL: Array<BlockControl, 1, MMAPABLE> = Array::new();

#[btf_map]
static BLOCK_FILTER: Array<Word, 1, MMAPABLE> = Array::new();

#[btf_map]
static BLOCK_BUCKETS: Array<Bucket, 1, MMAPABLE> = Array::new();

#[btf_map]
static BLOCK_ENTRIES: Array<EntrySlot, 1, MMAPABLE> = Array::new();

#[btf_map]
static BLOCK_ASIDES: Array<Aside, 1, MMAPABLE> = Array::new();

/// The block table at the time of a packet, as the hook sees it.
pub(crate) struct Blocks {
    pub(crate) now: BlockTime,
    pub(crate) cpu: u32,
}

/// The block table as far as its filter, which needs no time.
pub(crate) struct Filter;

/// The block table in the function that rules.
struct Court(BlockTime);

macro_rules! in_maps {
    (|$this:ident| $now:expr) => {
        #[inline(always)]
        fn control(&self) -> Option<&BlockControl> {
            BLOCK_CONTROL.get(0)
        }

        #[inline(always)]
        fn filter(&self, index: u32) -> Option<&Word> {
            BLOCK_FILTER.get(index)
        }

        #[inline(always)]
        fn bucket(&self, index: u32) -> Option<&Bucket> {
            BLOCK_BUCKETS.get(index)
        }

        #[inline(always)]
        fn entry(&self, index: u32) -> Option<&EntrySlot> {
            BLOCK_ENTRIES.get(index)
        }

        #[inline(always)]
        fn aside(&self, index: u32) -> Option<&Aside> {
            BLOCK_ASIDES.get(index)
        }

        #[inline(always)]
        fn now(&self) -> BlockTime {
            let $this = self;
            $now
        }
    };
}

impl BlockTable for Court {
    in_maps!(|court| court.0);

    #[inline(always)]
    fn probe(&self, address: [u64; 2], key: u64) -> Probe {
        let [high, low] = address;
        Probe::from_word(netsec_probe(high, low, key, self.0.0))
    }
}

/// The block table in the function that looks for a key.
struct Shelf(BlockTime);

impl BlockTable for Shelf {
    in_maps!(|shelf| shelf.0);
}

impl BlockTable for Filter {
    in_maps!(|_filter| BlockTime(0));

    #[inline(always)]
    fn drop_plain(&self, plain: &PlainSuspect, _row: &Row) -> bool {
        let [high, low] = plain.suspect.source;
        let traits = plain.suspect.traits | u64::from(cpu()) << 40;
        netsec_drop(high, low, traits, plain.bytes.into()) != 0
    }
}

impl BlockTable for Blocks {
    in_maps!(|blocks| blocks.now);

    #[inline(always)]
    fn judge(&self, suspect: &Suspect, bytes: u32, _row: &Row) -> Ruling {
        let [high, low] = suspect.source;
        let traits = suspect.traits | u64::from(self.cpu) << 40;
        Ruling::from_word(netsec_judge(high, low, traits, bytes.into(), self.now.0))
    }
}

/// Looks for an entry. Global, so that the verifier walks it once, whatever it is called with.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_probe(high: u64, low: u64, key: u64, now: u64) -> u64 {
    probe(&Shelf(BlockTime(now)), [high, low], key).to_word()
}

/// Rules on a packet. Global, so that the verifier walks it once, whatever it is called with.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_judge(high: u64, low: u64, traits: u64, bytes: u64, now: u64) -> u64 {
    let Some(row) = row((traits >> 40) as u32) else {
        return Ruling::PASS.to_word();
    };
    let suspect = Suspect {
        source: [high, low],
        traits: traits & ((1 << 40) - 1),
    };
    judge(&Court(BlockTime(now)), &suspect, bytes as u32, row).to_word()
}

/// Drops a plain packet, when that is all there is to do with it. Global, as [`netsec_judge`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn netsec_drop(high: u64, low: u64, traits: u64, bytes: u64) -> u32 {
    let (Some(row), Some(now)) = (row((traits >> 40) as u32), block_time()) else {
        return 0;
    };
    let suspect = Suspect {
        source: [high, low],
        traits: traits & ((1 << 40) - 1),
    };
    let plain = PlainSuspect {
        suspect,
        bytes: bytes as u32,
    };
    drop_plain(&Court(now), &plain, row).into()
}

/// The block table's time.
#[inline(always)]
pub(crate) fn block_time() -> Option<BlockTime> {
    Some(match control()?.injected_block_time() {
        Some(now) => now,
        None => BlockTime(jiffies()),
    })
}
