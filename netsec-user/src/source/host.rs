//! The engine on the host: captures at memory speed, with the capture's own clock.

use std::cell::{Cell, RefCell};
use std::fmt;

use bytes::Bytes;
use netsec_common::ABI_VERSION;
use netsec_common::config::{Config, Control, WATCHED_MAX};
use netsec_common::engine::Engine;
use netsec_common::flow::{FlowRecord, FlowSet, FlowTable};
use netsec_common::ledger::{Row, Snapshot};
use netsec_common::packet::{Frame, Start};
use netsec_common::sample::{Delivery, SampleSink};
use netsec_common::ticks::Ticks;

use super::delta::{Change, DeltaReader};
use crate::event::{FlowDelta, Sample, Sink};
use crate::hook::HookId;
use crate::settings::EngineSettings;
use crate::time::WallTime;

/// Nanoseconds per tick: replay ticks are microseconds.
const TICK_NS: i64 = 1_000;

/// A flow's slot is freed before its times could wrap: every 2²⁹ µs (9 minutes) of traffic time,
/// flows that were silent for so long are read and cleared.
const SWEEP_TICKS: i64 = 1 << 29;

/// A frame as a capture holds it.
#[derive(Clone, Copy, Debug)]
pub struct HostFrame<'a> {
    /// When it was captured.
    pub time: WallTime,
    /// What the first byte is.
    pub start: Start,
    /// Length on the wire, bytes.
    pub wire_bytes: u32,
    /// What was captured of it.
    pub bytes: &'a [u8],
}

/// One hook's engine in host memory.
#[derive(Debug)]
pub struct HostEngine {
    hook: HookId,
    config: Config,
    control: Control,
    row: Row,
    table: HostTable,
    reader: DeltaReader,
    clock: Clock,
}

impl HostEngine {
    /// An engine with an empty table.
    #[must_use]
    pub fn new(hook: HookId, settings: &EngineSettings) -> Self {
        let sets = settings.sets_per_cpu(1);
        let control = Control::default();
        control.set_sampling(settings.sampling);
        control.set_snap_bytes(settings.snap_bytes);
        control.set_idle_ticks(settings.idle_ticks(TICK_NS));
        Self {
            hook,
            config: Config {
                abi_version: ABI_VERSION,
                set_mask: sets - 1,
                cpus: 1,
                watched: [0; WATCHED_MAX],
                hash_keys: settings.hash_keys,
            },
            control,
            row: Row::new(),
            table: HostTable::new(sets as usize),
            reader: DeltaReader::new(sets as usize),
            clock: Clock::default(),
        }
    }

    /// Which hook it stands for.
    #[must_use]
    pub const fn hook(&self) -> HookId {
        self.hook
    }

    /// The counters so far.
    #[must_use]
    pub fn ledger(&self) -> Snapshot {
        self.row.read()
    }

    /// Sends one frame through the engine.
    pub fn process(&mut self, frame: &HostFrame<'_>, sink: &mut impl Sink) {
        let step = self.clock.step_to(frame.time);
        if self.clock.since_sweep.saturating_add(step) >= SWEEP_TICKS {
            self.sweep(step, sink);
        }
        let now = self.clock.advance(frame.time, step);
        let engine = Engine {
            config: &self.config,
            control: &self.control,
            row: &self.row,
            table: &self.table,
            samples: &self.table,
        };
        engine.process(
            &Frame {
                bytes: &frame.bytes,
                wire_bytes: frame.wire_bytes,
                start: frame.start,
                counted_before: false,
            },
            now,
        );
        if let Some(captured) = self.table.wanted.take() {
            let end = frame.bytes.len().min(captured as usize);
            sink.sample(Sample {
                hook: self.hook,
                time: frame.time,
                wire_bytes: frame.wire_bytes,
                start: frame.start,
                bytes: Bytes::copy_from_slice(frame.bytes.get(..end).unwrap_or_default()),
            });
        }
        if self.table.records.borrow().len() >= RECORDS_MAX {
            self.read(sink);
        }
    }

    /// Delivers what the flows counted since the last call.
    pub fn read(&mut self, sink: &mut impl Sink) {
        let touched = self.table.touched.take();
        let sets = touched.iter().filter_map(|index| {
            let index = *index as usize;
            Some((index, self.table.sets.get(index)?))
        });
        let mut records = self.table.records.take();
        let (hook, clock) = (self.hook, &self.clock);
        self.reader.read(
            sets,
            |take| records.drain(..).for_each(|record| take(&record)),
            &mut |change| sink.flow(&clock.delta(hook, change)),
        );
    }

    /// Frees the slots of flows that will have been silent for [`SWEEP_TICKS`] once the clock has
    /// moved on by `step`.
    fn sweep(&mut self, step: i64, sink: &mut impl Sink) {
        self.read(sink);
        let now = self.clock.now();
        for slot in self.table.sets.iter().flat_map(|set| &set.ways) {
            let Ok(Some(snapshot)) = slot.snapshot(1) else {
                continue;
            };
            let silent = i64::from(now.since(snapshot.counts.last)).saturating_add(step);
            if silent >= SWEEP_TICKS {
                slot.clear();
            }
        }
        self.clock.since_sweep = 0;
    }
}

/// Records held back before a reading is forced.
const RECORDS_MAX: usize = 1 << 16;

/// The capture's clock in ticks. It never runs backwards.
#[derive(Debug, Default)]
struct Clock {
    /// Wall time and ticks of the latest frame.
    latest: Option<(WallTime, Ticks)>,
    since_sweep: i64,
}

impl Clock {
    fn now(&self) -> Ticks {
        self.latest.unwrap_or_default().1
    }

    /// Ticks from the latest frame to this one; 0 for the first frame.
    fn step_to(&self, time: WallTime) -> i64 {
        self.latest
            .map_or(0, |(latest, _)| time.ns_since(latest).div_euclid(TICK_NS))
    }

    /// The ticks of a frame that comes `step` after the latest one.
    fn advance(&mut self, time: WallTime, step: i64) -> Ticks {
        let (latest, ticks) = *self.latest.get_or_insert((time, Ticks(0)));
        if step <= 0 {
            // Captures merged from several interfaces step back a little.
            return plus(ticks, step.max(-SWEEP_TICKS));
        }
        let now = plus(ticks, step);
        self.latest = Some((latest.plus_ns(step.saturating_mul(TICK_NS)), now));
        self.since_sweep = self.since_sweep.saturating_add(step);
        now
    }

    /// A change in wall time.
    fn delta(&self, hook: HookId, change: &Change) -> FlowDelta {
        let (latest, now) = self.latest.unwrap_or_default();
        change.to_delta(hook, |ticks| {
            latest.plus_ns(i64::from(ticks.since(now)) * TICK_NS)
        })
    }
}

/// `step` ticks later on the 32-bit clock, which wraps.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the clock is the low half"
)]
const fn plus(ticks: Ticks, step: i64) -> Ticks {
    Ticks(ticks.0.wrapping_add(step as u32))
}

/// The flow table in host memory, with a note of what was touched since the last reading.
struct HostTable {
    sets: Vec<FlowSet>,
    touched: Touched,
    records: RefCell<Vec<FlowRecord>>,
    /// Bytes of the current frame that a sample should carry.
    wanted: Cell<Option<u32>>,
}

/// The sets touched since the last reading: a bit each, and a list.
struct Touched {
    bits: Vec<Cell<u64>>,
    list: RefCell<Vec<u32>>,
}

impl Touched {
    fn mark(&self, index: u32) {
        let Some(word) = self.bits.get(index as usize / 64) else {
            return;
        };
        let bit = 1 << (index % 64);
        if word.get() & bit == 0 {
            word.set(word.get() | bit);
            self.list.borrow_mut().push(index);
        }
    }

    fn take(&self) -> Vec<u32> {
        for word in &self.bits {
            word.set(0);
        }
        self.list.take()
    }
}

impl HostTable {
    fn new(sets: usize) -> Self {
        Self {
            sets: std::iter::repeat_with(FlowSet::default)
                .take(sets)
                .collect(),
            touched: Touched {
                bits: vec![Cell::new(0); sets.div_ceil(64)],
                list: RefCell::default(),
            },
            records: RefCell::default(),
            wanted: Cell::default(),
        }
    }
}

impl fmt::Debug for HostTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostTable")
            .field("sets", &self.sets.len())
            .finish_non_exhaustive()
    }
}

impl FlowTable for HostTable {
    fn set(&self, index: u32) -> Option<&FlowSet> {
        self.touched.mark(index);
        self.sets.get(index as usize)
    }

    fn first_slot(&self) -> u32 {
        0
    }

    fn export(&self, record: &FlowRecord) -> Delivery {
        self.records.borrow_mut().push(*record);
        Delivery::Sent
    }
}

impl SampleSink<&[u8]> for HostTable {
    fn sample(&self, _frame: &Frame<'_, &[u8]>, captured: u32) -> Delivery {
        self.wanted.set(Some(captured));
        Delivery::Sent
    }
}
