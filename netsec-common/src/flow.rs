//! The flow cache: a set-associative table that never loses a count silently.
//!
//! One CPU owns a run of sets and is their only writer; user space reads them through shared
//! memory. A set is four cache lines, a slot is one. A packet of a flow that has no slot takes an
//! empty one or pushes out the oldest, whose counts leave as a [`FlowRecord`].

mod cache;
mod hash;
mod known;
mod record;
mod slot;

pub use cache::{FlowTable, Observation, Place, account};
pub(crate) use hash::flow_hash_v4;
pub use hash::{FIXED_HASH_KEYS, MappedKeys, flow_hash};
pub(crate) use known::Known;
pub use record::{EndReason, FlowRecord};
pub use slot::{Counts, FlowSet, FlowSlot, SlotSnapshot, WAYS};
