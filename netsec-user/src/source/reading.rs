//! A flow table read while a capture is played: by the capture's clock, between two frames.
//!
//! The engine on the host and the one in the kernel deliver the same flows in the same order,
//! because this is the code of both.

mod clock;
mod touched;

use std::cell::{Cell, RefCell};
use std::fmt;

use netsec_common::flow::{FlowRecord, FlowSet};
use netsec_common::ticks::Ticks;

use self::clock::{CaptureClock, SWEEP_TICKS};
use self::touched::Touched;
use super::delta::DeltaReader;
use crate::event::Sink;
use crate::hook::HookId;
use crate::time::WallTime;

pub(super) use clock::TICK_NS;

/// Records held back before a reading is forced.
const RECORDS_MAX: usize = 1 << 16;

/// Which sets are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// Those that were noted as touched.
    Touched,
    /// All: first those noted, in the order of the notes, then the others.
    All,
}

/// What a table did since the last reading.
pub(super) struct Changes {
    touched: Touched,
    records: RefCell<Vec<FlowRecord>>,
    /// Records since the start.
    total: Cell<u64>,
}

impl Changes {
    /// None yet, in a table of `sets` sets.
    pub(super) fn new(sets: usize) -> Self {
        Self {
            touched: Touched::new(sets),
            records: RefCell::default(),
            total: Cell::default(),
        }
    }

    /// Notes that a frame has been to this set.
    #[inline]
    pub(super) fn touch(&self, set_index: u32) {
        self.touched.mark(set_index);
    }

    /// Keeps the record of a flow that left its slot.
    #[inline]
    pub(super) fn left(&self, record: &FlowRecord) {
        self.records.borrow_mut().push(*record);
        self.total.set(self.total.get() + 1);
    }

    /// Records since the start.
    pub(super) const fn total(&self) -> u64 {
        self.total.get()
    }

    /// The records that came when there had been `total`, as far as they have not been read since.
    #[inline]
    pub(super) fn records_since(&self, total: u64) -> Vec<FlowRecord> {
        let new = usize::try_from(self.total.get() - total).unwrap_or(usize::MAX);
        let records = self.records.borrow();
        let known = records.len().saturating_sub(new);
        records.get(known..).unwrap_or_default().to_vec()
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

/// Reads one table.
#[derive(Debug)]
pub(super) struct CaptureReader {
    hook: HookId,
    scan: Scan,
    clock: CaptureClock,
    reader: DeltaReader,
}

impl CaptureReader {
    /// A reader of a table of `sets` sets, all of them free.
    pub(super) fn new(hook: HookId, sets: usize, scan: Scan) -> Self {
        Self {
            hook,
            scan,
            clock: CaptureClock::default(),
            reader: DeltaReader::new(sets),
        }
    }

    /// Which hook the table is of.
    pub(super) const fn hook(&self) -> HookId {
        self.hook
    }

    /// Makes the table ready for a frame of this time, and gives the engine's time for it.
    #[inline]
    pub(super) fn advance(
        &mut self,
        time: WallTime,
        sets: &[FlowSet],
        changes: &Changes,
        sink: &mut impl Sink,
    ) -> Ticks {
        if changes.records.borrow().len() >= RECORDS_MAX {
            self.read(sets, changes, sink);
        }
        let step = self.clock.step_to(time);
        if self.clock.is_sweep_due(step) {
            self.sweep(step, sets, changes, sink);
        }
        self.clock.advance(time, step)
    }

    /// Delivers what the flows counted since the last reading.
    pub(super) fn read(&mut self, sets: &[FlowSet], changes: &Changes, sink: &mut impl Sink) {
        let touched = changes.touched.take();
        let noted = touched.iter().filter_map(|index| {
            let index = *index as usize;
            Some((index, sets.get(index)?))
        });
        let others = match self.scan {
            Scan::Touched => Default::default(),
            Scan::All => sets,
        };
        let mut records = changes.records.take();
        let (hook, clock) = (self.hook, &self.clock);
        self.reader.read(
            noted.chain(others.iter().enumerate()),
            |take| records.drain(..).for_each(|record| take(&record)),
            &mut |change| sink.flow(&clock.delta(hook, change)),
        );
    }

    /// Frees the slots of flows that will have been silent for [`SWEEP_TICKS`] once the clock has
    /// moved on by `step`.
    #[cold]
    fn sweep(&mut self, step: i64, sets: &[FlowSet], changes: &Changes, sink: &mut impl Sink) {
        self.read(sets, changes, sink);
        let now = self.clock.now();
        for slot in sets.iter().flat_map(|set| &set.ways) {
            let Ok(Some(snapshot)) = slot.snapshot(1) else {
                continue;
            };
            let silent = i64::from(now.since(snapshot.counts.last)).saturating_add(step);
            if silent >= SWEEP_TICKS {
                slot.clear();
            }
        }
        self.clock.swept();
    }
}
