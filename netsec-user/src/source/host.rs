//! The engine on the host: captures at memory speed, with the capture's own clock.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;

use bytes::Bytes;
use netsec_common::config::{Config, Control, WATCHED_MAX};
use netsec_common::engine::{Engine, Verdict};
use netsec_common::flow::{FlowRecord, FlowSet, FlowTable};
use netsec_common::ledger::{Row, Snapshot};
use netsec_common::packet::{Frame, Start};
use netsec_common::sample::{Delivery, Fate, SampleSink};
use netsec_common::ticks::Ticks;

use super::blocks::{BlockStore as _, HostBlocks};
use super::engine::FrameEngine;
use super::reading::{CaptureReader, Changes, Scan, TICK_NS};
use crate::event::{Sample, Sink};
use crate::hook::HookId;
use crate::settings::EngineSettings;
use crate::time::WallTime;

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
    config: Config,
    control: Control,
    row: Row,
    table: HostTable,
    blocks: Option<HostBlocks>,
    reader: CaptureReader,
    inner: bool,
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
            config: Config::new(sets - 1, 1, [0; WATCHED_MAX], settings.hash_keys),
            control,
            row: Row::new(),
            table: HostTable::new(sets as usize),
            blocks: None,
            reader: CaptureReader::new(hook, sets as usize, Scan::Touched),
            inner: settings.inner,
        }
    }

    /// The engine with a block table: what that drops is in no flow, as if the capture's host had had
    /// the table.
    #[must_use]
    pub fn with_blocks(mut self, blocks: HostBlocks) -> Self {
        self.blocks = Some(blocks);
        self
    }

    /// Which hook it stands for.
    #[must_use]
    pub const fn hook(&self) -> HookId {
        self.reader.hook()
    }

    /// The counters so far.
    #[must_use]
    pub fn ledger(&self) -> Snapshot {
        self.row.read()
    }

    /// Sends one frame through the engine.
    #[inline]
    pub fn process(&mut self, frame: &HostFrame<'_>, sink: &mut impl Sink) -> Verdict {
        let table = &self.table;
        let now = self
            .reader
            .advance(frame.time, &table.sets, &table.changes, sink);
        let verdict = self.run(frame, now);
        if let Some((captured, fate)) = self.table.wanted.take() {
            let end = frame.bytes.len().min(captured as usize);
            sink.sample(Sample {
                hook: self.hook(),
                time: frame.time,
                wire_bytes: frame.wire_bytes,
                start: frame.start,
                fate,
                bytes: Bytes::copy_from_slice(frame.bytes.get(..end).unwrap_or_default()),
            });
        }
        verdict
    }

    /// Delivers what the flows counted since the last call.
    pub fn read(&mut self, sink: &mut impl Sink) {
        let table = &self.table;
        self.reader.read(&table.sets, &table.changes, sink);
    }

    /// The flow table.
    pub(super) fn sets(&self) -> &[FlowSet] {
        &self.table.sets
    }

    /// What the table did since the last reading.
    pub(super) const fn changes(&self) -> &Changes {
        &self.table.changes
    }

    #[inline]
    fn run(&self, frame: &HostFrame<'_>, now: Ticks) -> Verdict {
        let blocks = self.blocks.as_ref();
        let blocks = blocks.map(|blocks| blocks.memory().at(HostBlocks::time(frame.time)));
        let engine = Engine {
            config: &self.config,
            control: &self.control,
            row: &self.row,
            table: &self.table,
            blocks: &blocks,
            samples: &self.table,
        };
        let frame = Frame {
            bytes: &frame.bytes,
            wire_bytes: frame.wire_bytes,
            start: frame.start,
            counted_before: false,
        };
        if self.inner {
            engine.process_inner(&frame, now)
        } else {
            engine.process(&frame, now)
        }
    }
}

impl FrameEngine for HostEngine {
    type Error = Infallible;

    fn hook(&self) -> HookId {
        self.hook()
    }

    #[inline]
    fn process(&mut self, frame: &HostFrame<'_>, sink: &mut impl Sink) -> Result<(), Infallible> {
        match self.process(frame, sink) {
            // A replay has nobody to keep the frame from.
            Verdict::Pass | Verdict::Drop => Ok(()),
        }
    }

    fn read(&mut self, sink: &mut impl Sink) -> Result<(), Infallible> {
        self.read(sink);
        Ok(())
    }

    fn ledger(&self) -> Snapshot {
        self.ledger()
    }
}

/// The flow table in host memory, with a note of what was touched since the last reading.
struct HostTable {
    sets: Vec<FlowSet>,
    changes: Changes,
    /// Bytes of the current frame that a sample should carry, and what became of it.
    wanted: Cell<Option<(u32, Fate)>>,
}

impl HostTable {
    fn new(sets: usize) -> Self {
        Self {
            sets: std::iter::repeat_with(FlowSet::default)
                .take(sets)
                .collect(),
            changes: Changes::new(sets),
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
    #[inline]
    fn set(&self, index: u32) -> Option<&FlowSet> {
        self.changes.touch(index);
        self.sets.get(index as usize)
    }

    fn first_slot(&self) -> u32 {
        0
    }

    fn export(&self, record: &FlowRecord) -> Delivery {
        self.changes.left(record);
        Delivery::Sent
    }
}

impl SampleSink<&[u8]> for HostTable {
    fn sample(&self, _frame: &Frame<'_, &[u8]>, captured: u32, fate: Fate) -> Delivery {
        self.wanted.set(Some((captured, fate)));
        Delivery::Sent
    }
}
