//! The block table: which packets are dropped, which are let through slowly, which never are.
//!
//! Words in shared memory, written by one process in user space while every CPU reads them. The same
//! code looks up, inserts, removes and iterates in the kernel's maps and in host memory.
//!
//! A packet meets, in this order:
//!
//! 1. the **filter**: one bit per IPv4 /16 and one per /24 say that nothing in it is listed; nearly every
//!    packet ends here, after a load or two;
//! 2. the **buckets**: for each shape of entry that is present (prefix length and narrowing, longest
//!    first) one cache line of fingerprints;
//! 3. the **entry** itself: key, decision, expiry and counters in one cache line.
//!
//! The allowlist lies in the same buckets and is only asked about a packet that a block matched.

mod clock;
mod entry;
mod filter;
mod guard;
mod hash;
mod limit;
mod lookup;
mod memory;
mod plain;
mod prefix;
mod room;
mod rule;
mod shape;
mod table;
mod upkeep;

pub use clock::BlockClock;
pub use entry::{
    Action, BlockCounters, BlockEntry, BlockKey, BlockTime, List, Mode, Narrowing, OnSilence,
};
pub use guard::{GUARDED, guarded_overlap};
pub use lookup::{Probe, probe};
pub use memory::{
    Aside, BlockControl, BlockMemory, BlockMemoryAt, BlockSizes, BlockTable, Bucket, EntrySlot,
    FILTER_WORDS, LAYOUT,
};
pub use plain::{PlainSuspect, drop_plain};
pub use prefix::{Prefix, PrefixError};
pub(crate) use rule::suspect_unfiltered;
pub use rule::{Ruling, Suspect, judge, suspect};
pub use shape::SHAPES_MAX;
pub use table::{Insertion, Refusal};
