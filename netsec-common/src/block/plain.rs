//! The short way of a packet that is dropped and needs nothing else.
//!
//! It does what [`judge`](super::judge) does for such a packet, and looks at everything before it writes
//! anything: whatever is the least bit different is left to the long way.

use super::entry::{List, Mode};
use super::filter::level;
use super::guard::is_guarded;
use super::lookup::{Probe, decisive_of};
use super::memory::{BlockControl, BlockTable, EntrySlot};
use super::rule::Suspect;
use super::shape::{NARROWING_MASK, Subject};
use crate::ledger::{PlainKind, Row};

/// Place of the packet's kind among the traits of a [`Suspect`].
const KIND_SHIFT: u32 = 8;

/// Most shapes of a list with which a packet can go this way: the verifier walks the loop over them for
/// each, and few lists have more.
const SHAPES: usize = 4;

/// A plain packet that the filter did not clear: four words, so that they can be passed to a function of
/// the kernel side.
#[derive(Clone, Copy, Debug)]
pub struct PlainSuspect {
    /// As for [`judge`](super::judge); three bits of the traits tell its kind.
    pub suspect: Suspect,
    /// Length on the wire, bytes.
    pub bytes: u32,
}

impl PlainSuspect {
    #[inline(always)]
    pub(crate) const fn new(suspect: Suspect, kind: PlainKind, bytes: u32) -> Self {
        let traits = suspect.traits | kind.0 << KIND_SHIFT;
        Self {
            suspect: Suspect { traits, ..suspect },
            bytes,
        }
    }

    const fn kind(&self) -> PlainKind {
        PlainKind(self.suspect.traits >> KIND_SHIFT & 7)
    }
}

/// Drops a packet whose block has dropped one before and is enforced, that no allow entry, guard or
/// silence of the agent saves, and of which no sample is due: counts it in `row` and in the entry.
///
/// When false, nothing was done.
#[inline(always)]
pub fn drop_plain<T: BlockTable>(table: &T, plain: &PlainSuspect, row: &Row) -> bool {
    let Some(control) = table.control() else {
        return false;
    };
    let [high, low] = plain.suspect.source;
    let subject = Subject {
        high,
        low,
        narrowing: plain.suspect.traits & NARROWING_MASK,
    };
    let levels = plain.suspect.traits & level::ALL;
    let Some(entry) = condemned(table, control, &subject, levels) else {
        return false;
    };
    row.begin();
    row.count_dropped(plain.kind(), plain.bytes.into());
    entry.packets.add(1);
    entry.bytes.add(plain.bytes.into());
    entry.last.store(table.now().0);
    row.end();
    true
}

/// The entry that drops a packet, if that is all there is to do.
#[inline(always)]
fn condemned<'a, T: BlockTable>(
    table: &'a T,
    control: &BlockControl,
    subject: &Subject,
    levels: u64,
) -> Option<&'a EntrySlot> {
    let block = found(table, control, List::Block, subject, levels)?;
    if !block.is_live() || block.is_rate_limit() {
        return None;
    }
    let allow = found(table, control, List::Allow, subject, level::ALL)?;
    if allow.is_live() || is_guarded(subject) {
        return None;
    }
    if control.mode() != Mode::Enforce || control.silence(table.now()).is_some() {
        return None;
    }
    let entry = table.entry(block.index())?;
    let (before, one_in) = (entry.packets.load(), control.sample_one_in());
    (before != 0 && (one_in == 0 || before % one_in != 0)).then_some(entry)
}

/// What a list says; `None` when an expired entry was met, or the list has more shapes than are looked at
/// here.
#[inline(always)]
fn found<T: BlockTable>(
    table: &T,
    control: &BlockControl,
    list: List,
    subject: &Subject,
    levels: u64,
) -> Option<Probe> {
    let mut expired = 0_u64;
    let found = decisive_of::<_, SHAPES>(table, control, list, subject, levels, || expired = 1);
    (expired == 0).then_some(found)
}
