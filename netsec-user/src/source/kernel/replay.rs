//! A capture through the loaded program, with the capture's own clock.

use netsec_common::config::{Config, WATCHED_MAX};
use netsec_common::flow::{FlowRecord, FlowSet, Place};
use netsec_common::ledger::{Row, Snapshot, Untold};
use netsec_common::packet::{FlowKey, Frame, Start, layers, parse};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::super::blocks::HostBlocks;
use super::super::engine::{FrameEngine, FrameError};
use super::super::host::HostFrame;
use super::super::reading::{CaptureReader, Changes, Scan};
use super::not_sent::{NotSent, Unfit};
use super::{BlockMaps, BlockSource, KernelEngine, KernelError, KernelSettings, read_sample};
use crate::event::Sink;
use crate::hook::HookId;
use crate::settings::EngineSettings;

/// Each ring is emptied after every frame: room for a few records, in pages of any size.
const RING_BYTES: u32 = 1 << 16;

/// One hook's engine in the kernel, for the frames of a capture: each goes through the program by
/// `BPF_PROG_TEST_RUN` at the capture's time.
///
/// Test runs happen on the CPU of the caller, and each CPU has its share of the flow table. The
/// thread that loads the engine is therefore kept on one CPU from then on, and has to be the one
/// that sends. That CPU's share has as many sets as the whole table of a
/// [`HostEngine`](crate::source::host::HostEngine) of the same settings.
#[derive(Debug)]
pub struct KernelReplay {
    engine: KernelEngine,
    config: Config,
    cpu: usize,
    changes: Changes,
    reader: CaptureReader,
    /// What the host's parser counts on the way to the flow key: of no interest.
    inner: bool,
    sent: u64,
    not_sent: NotSent,
}

impl KernelReplay {
    /// Loads `object` into the kernel, with an empty table, and keeps this thread on one CPU.
    ///
    /// # Errors
    ///
    /// As [`KernelEngine::load`], and when the thread cannot be kept on a CPU.
    pub fn load(
        object: &[u8],
        hook: HookId,
        settings: &EngineSettings,
    ) -> Result<Self, KernelError> {
        Self::load_from(object, hook, settings, &BlockSource::None).map(|(replay, _)| replay)
    }

    /// As [`Self::load`], with a block table for so many entries. Its time is that of the frames, in
    /// microseconds since 1970.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_blocking(
        object: &[u8],
        hook: HookId,
        settings: &EngineSettings,
        capacity: u32,
    ) -> Result<(Self, BlockMaps), KernelError> {
        let source = BlockSource::New(capacity);
        let (replay, blocks) = Self::load_from(object, hook, settings, &source)?;
        let name = "block table";
        Ok((replay, blocks.ok_or(KernelError::ObjectWithout { name })?))
    }

    fn load_from(
        object: &[u8],
        hook: HookId,
        settings: &EngineSettings,
        blocks: &BlockSource,
    ) -> Result<(Self, Option<BlockMaps>), KernelError> {
        let kernel = KernelSettings {
            engine: *settings,
            records_ring_bytes: RING_BYTES,
            packets_ring_bytes: RING_BYTES,
            kernel_log: false,
        };
        let (engine, blocks) = KernelEngine::load_replay(object, hook, &kernel, blocks)?;
        let cpu = stay_on_one_cpu()?;
        let sets = settings.sets_per_cpu(1);
        let replay = Self {
            engine,
            config: Config::new(sets - 1, 1, [0; WATCHED_MAX], settings.hash_keys),
            cpu,
            changes: Changes::new(sets as usize),
            reader: CaptureReader::new(hook, sets as usize, Scan::All),
            inner: settings.inner,
            sent: 0,
            not_sent: NotSent::default(),
        };
        Ok((replay, blocks))
    }

    /// Sends one frame through the program, and gives the program's answer: 1 is `XDP_DROP`, 2 is
    /// `XDP_PASS`; `None` for a frame that cannot be sent and was counted as such.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotEthernet`], or the kernel's refusal.
    pub fn send(
        &mut self,
        frame: &HostFrame<'_>,
        sink: &mut impl Sink,
    ) -> Result<Option<u32>, FrameError> {
        if frame.start != Start::Ethernet {
            return Err(FrameError::NotEthernet);
        }
        if let Some(reason) = Unfit::of(frame) {
            self.not_sent.count(reason);
            return Ok(None);
        }
        let sets = share(&self.engine, &self.config, self.cpu);
        let now = self.reader.advance(frame.time, sets, &self.changes, sink);
        self.note_set(frame);
        self.engine.inject_time(now);
        self.engine.inject_block_time(HostBlocks::time(frame.time));
        let outcome = self.engine.test_run(frame.bytes, 1)?;
        self.sent += 1;
        self.collect(frame, sink);
        Ok(Some(outcome.action))
    }

    /// Frames that went through the program.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Frames that could not be sent.
    #[must_use]
    pub const fn not_sent(&self) -> &NotSent {
        &self.not_sent
    }

    /// The counters of the CPU in use.
    pub(in super::super) fn row(&self) -> Snapshot {
        let row = self.engine.rows.as_slice().get(self.cpu);
        row.map(Row::read).unwrap_or_default()
    }

    /// The flow table: the share of the CPU in use.
    pub(in super::super) fn sets(&self) -> &[FlowSet] {
        share(&self.engine, &self.config, self.cpu)
    }

    /// What the table did since the last reading. Slots are counted from the start of the share.
    pub(in super::super) const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Notes in which set the host's parser expects the frame, so that flows are read in the order
    /// in which they came up. Were it wrong, the flow would be read all the same, only later.
    fn note_set(&self, frame: &HostFrame<'_>) {
        let frame = Frame {
            bytes: &frame.bytes,
            wire_bytes: frame.wire_bytes,
            start: frame.start,
            counted_before: false,
        };
        let touch = |key: &FlowKey| self.changes.touch(Place::of(key, &self.config).set);
        if !self.inner {
            if let Ok(packet) = parse(&frame, &Untold) {
                touch(&packet.key);
            }
            return;
        }
        for packet in layers(&frame) {
            touch(&packet.key);
        }
    }

    /// Empties the rings.
    fn collect(&mut self, frame: &HostFrame<'_>, sink: &mut impl Sink) {
        let (hook, engine) = (self.reader.hook(), &mut self.engine);
        let first_slot = first_slot(&self.config, self.cpu);
        if let Some(ring) = engine.records.get_mut(self.cpu) {
            while let Some(item) = ring.next() {
                if let Some(record) = FlowRecord::read(&item) {
                    self.changes.left(&FlowRecord {
                        slot: record.slot.wrapping_sub(first_slot),
                        ..record
                    });
                }
            }
        }
        if let Some(ring) = engine.packets.get_mut(self.cpu) {
            while let Some(item) = ring.next() {
                if let Some(sample) = read_sample(hook, &item, |_monotonic_ns| frame.time) {
                    sink.sample(sample);
                }
            }
        }
    }
}

impl FrameEngine for KernelReplay {
    type Error = FrameError;

    fn hook(&self) -> HookId {
        self.reader.hook()
    }

    fn process(&mut self, frame: &HostFrame<'_>, sink: &mut impl Sink) -> Result<(), FrameError> {
        self.send(frame, sink).map(|_action| ())
    }

    fn read(&mut self, sink: &mut impl Sink) -> Result<(), FrameError> {
        let sets = share(&self.engine, &self.config, self.cpu);
        self.reader.read(sets, &self.changes, sink);
        Ok(())
    }

    fn ledger(&self) -> Snapshot {
        self.engine.ledger_exact()
    }
}

/// A CPU's sets. Beside the struct, so that the reader can be borrowed mutably.
fn share<'a>(engine: &'a KernelEngine, config: &Config, cpu: usize) -> &'a [FlowSet] {
    let sets = config.set_mask as usize + 1;
    engine
        .sets
        .as_slice()
        .get(cpu * sets..(cpu + 1) * sets)
        .unwrap_or_default()
}

/// Index in the whole table of a CPU's first slot, as the kernel counts: modulo 2³².
#[expect(
    clippy::cast_possible_truncation,
    reason = "CPUs are counted by 32 bits, and so are slots"
)]
const fn first_slot(config: &Config, cpu: usize) -> u32 {
    const WAYS: u32 = netsec_common::flow::WAYS as u32;
    (cpu as u32)
        .wrapping_mul(config.set_mask + 1)
        .wrapping_mul(WAYS)
}

/// Keeps this thread on the first CPU that it may use, and gives that CPU's number.
fn stay_on_one_cpu() -> Result<usize, KernelError> {
    let failed = |error: nix::Error| KernelError::System {
        what: "or set the CPUs of this thread",
        reason: error.desc().to_owned(),
    };
    let this_thread = Pid::from_raw(0);
    let usable = sched_getaffinity(this_thread).map_err(failed)?;
    let cpu = (0..CpuSet::count())
        .find(|cpu| usable.is_set(*cpu) == Ok(true))
        .unwrap_or_default();
    let mut only = CpuSet::new();
    only.set(cpu).map_err(failed)?;
    sched_setaffinity(this_thread, &only).map_err(failed)?;
    Ok(cpu)
}
