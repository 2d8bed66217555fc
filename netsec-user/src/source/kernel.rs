//! The engine in the kernel: live traffic through XDP.
//!
//! One [`KernelEngine`] is one loaded object with its own maps: one hook. Its flow table and ledger
//! are read through shared memory, its rings on the caller's timer.

mod addresses;
mod attach;
mod blocks;
mod clock;
mod egress;
mod error;
mod interface;
mod load;
mod not_sent;
mod pins;
mod privilege;
pub mod probe;
mod programs;
mod replay;
mod shared;
mod test_run;

use std::fmt;
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, MapData, RingBuf};
use bytes::Bytes;
use netsec_common::config::{Config, Control};
use netsec_common::flow::{FlowRecord, FlowSet, Place};
use netsec_common::ledger::{MARKS, Row, Snapshot};
use netsec_common::packet::FlowKey;
use netsec_common::sample::{SampleHeader, Sampling};

use self::clock::{READING_BYTES, TickClock};
use self::programs::Programs;
use self::shared::Shared;
use super::delta::{Change, DeltaReader};
use crate::event::{Sample, Sink};
use crate::hook::HookId;
use crate::time::WallTime;

pub use addresses::HostAddresses;
pub use attach::{Attachment, XdpMode, XdpModeInUse};
pub use blocks::{BlockMaps, BlockSource};
pub use egress::{EgressAttachment, EgressMeans};
pub use error::KernelError;
pub use interface::{Interface, XdpOnInterface, interface_names};
pub use load::KernelSettings;
pub use not_sent::{NotSent, SENT_BYTES_MAX, SENT_BYTES_MIN};
pub use pins::PinFolder;
pub use privilege::missing_capabilities;
pub use replay::KernelReplay;
pub use test_run::{FrameInjector, TestRunOutcome};

/// Attempts to read a CPU's ledger between two frames.
const LEDGER_TRIES: u32 = 4_096;

/// When more than one in so many marks is set, a share is read from end to end, as memory is read
/// fastest.
const TOUCHED_AT_RANDOM: usize = 4;

/// One hook's engine in the kernel.
pub struct KernelEngine {
    hook: HookId,
    programs: Programs,
    ebpf: Ebpf,
    clock_map: Array<MapData, [u8; READING_BYTES]>,
    control: Shared<Control>,
    rows: Shared<Row>,
    sets: Shared<FlowSet>,
    config: Config,
    records: Vec<RingBuf<MapData>>,
    packets: Vec<RingBuf<MapData>>,
    reader: DeltaReader,
    clock: TickClock,
    /// The ledger of each CPU as last read between two frames.
    ledgers: Vec<Snapshot>,
    /// Room for the marks of a share.
    touched: Vec<usize>,
}

impl KernelEngine {
    /// Delivers header samples and the records of flows that left their slots, ring by ring: each
    /// is in the order of time, all together are not.
    ///
    /// To be called often enough that the rings do not fill up.
    pub fn drain(&mut self, sink: &mut impl Sink) {
        self.drain_records(sink);
        for ring in &mut self.packets {
            while let Some(item) = ring.next() {
                let time = |monotonic_ns| self.clock.wall(monotonic_ns);
                if let Some(sample) = read_sample(self.hook, &item, time) {
                    sink.sample(sample);
                }
            }
        }
    }

    fn drain_records(&mut self, sink: &mut impl Sink) {
        let (hook, clock) = (self.hook, &self.clock);
        for ring in &mut self.records {
            while let Some(item) = ring.next() {
                if let Some(record) = FlowRecord::read(&item) {
                    self.reader.record(&record, &mut |change: &Change| {
                        sink.flow(&clock.delta(hook, change));
                    });
                }
            }
        }
    }

    /// Delivers what every flow counted since the last call.
    ///
    /// # Errors
    ///
    /// When the kernel's clock cannot be read.
    pub fn read(&mut self, sink: &mut impl Sink) -> Result<(), KernelError> {
        for share in 0..self.shares() {
            self.read_share(share, sink)?;
        }
        Ok(())
    }

    /// Shares of the flow table that are read one by one: each CPU has one.
    #[must_use]
    pub const fn shares(&self) -> usize {
        self.records.len()
    }

    /// As [`Self::read`], of one share, from 0 on. Costs microseconds when few flows had packets, and some
    /// nanoseconds a slot when many had.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_share(&mut self, share: usize, sink: &mut impl Sink) -> Result<(), KernelError> {
        let sets = self.sets_per_share();
        let first = share * sets;
        let mut touched = std::mem::take(&mut self.touched);
        touched.clear();
        if let Some(row) = self.rows.as_slice().get(share) {
            row.take_touched(|mark| touched.push(mark));
        }
        let read = if touched.len() > MARKS / TOUCHED_AT_RANDOM {
            self.read_sets(first..first + sets, sink)
        } else {
            let sets = touched
                .iter()
                .flat_map(|mark| (*mark..sets).step_by(MARKS))
                .map(|set| first + set);
            self.read_sets(sets, sink)
        };
        self.touched = touched;
        read
    }

    /// As [`Self::read`], of one flow and of those that share its sets. Takes microseconds.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn read_flow(&mut self, key: &FlowKey, sink: &mut impl Sink) -> Result<(), KernelError> {
        let config = self.config;
        let first = usize::try_from(Place::of(key, &config).set).unwrap_or(usize::MAX);
        let (shares, sets) = (self.shares(), self.sets_per_share());
        self.read_sets((0..shares).map(|share| first + share * sets), sink)
    }

    fn sets_per_share(&self) -> usize {
        usize::try_from(self.config.set_mask).unwrap_or(usize::MAX) + 1
    }

    fn read_sets(
        &mut self,
        which: impl Iterator<Item = usize>,
        sink: &mut impl Sink,
    ) -> Result<(), KernelError> {
        self.clock.synchronise(&self.ebpf, &self.clock_map)?;
        let (hook, clock, records) = (self.hook, &self.clock, &mut self.records);
        let sets = self.sets.as_slice();
        self.reader.read(
            which.filter_map(|index| Some((index, sets.get(index)?))),
            |take| {
                for ring in records {
                    while let Some(item) = ring.next() {
                        if let Some(record) = FlowRecord::read(&item) {
                            take(&record);
                        }
                    }
                }
            },
            &mut |change| sink.flow(&clock.delta(hook, change)),
        );
        Ok(())
    }

    /// The counters of all CPUs, each as it stood between two frames.
    ///
    /// A CPU that is so busy that no moment between two frames was found contributes what was
    /// read of it last time; [`Self::ledger_exact`] has no such limit.
    #[must_use]
    pub fn ledger(&mut self) -> Snapshot {
        let mut total = Snapshot::default();
        for (last, row) in self.ledgers.iter_mut().zip(self.rows.as_slice()) {
            if let Some(now) = row.snapshot(LEDGER_TRIES) {
                *last = now;
            }
            total.merge(last);
        }
        total
    }

    /// The counters of all CPUs, for when no frame is in progress: after detaching.
    #[must_use]
    pub fn ledger_exact(&self) -> Snapshot {
        let mut total = Snapshot::default();
        for row in self.rows.as_slice() {
            total.merge(&row.read());
        }
        total
    }

    /// Slots that could not be read between two packets, so far.
    #[must_use]
    pub const fn torn_reads(&self) -> u64 {
        self.reader.torn_reads()
    }

    /// Changes the sampling, from the next frame on.
    pub fn set_sampling(&self, sampling: Sampling) {
        if let [control] = self.control.as_slice() {
            control.set_sampling(sampling);
        }
    }

    /// Length of one tick of the engine's clock.
    #[must_use]
    pub const fn tick(&self) -> Duration {
        self.clock.tick()
    }

    /// Bytes of kernel memory in the flow table.
    #[must_use]
    pub fn table_bytes(&self) -> usize {
        size_of_val(self.sets.as_slice())
    }
}

impl fmt::Debug for KernelEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelEngine")
            .field("hook", &self.hook)
            .field("cpus", &self.records.len())
            .field("sets", &self.sets.as_slice().len())
            .finish_non_exhaustive()
    }
}

/// A ring record as a sample; `None` for one that is shorter than it says.
fn read_sample(hook: HookId, record: &[u8], time: impl FnOnce(u64) -> WallTime) -> Option<Sample> {
    let header = SampleHeader::read(record)?;
    let bytes = record
        .get(size_of::<SampleHeader>()..)?
        .get(..usize::from(header.captured_bytes))?;
    Some(Sample {
        hook,
        time: time(header.monotonic_ns),
        wire_bytes: header.wire_bytes,
        start: header.start(),
        fate: header.fate(),
        bytes: Bytes::copy_from_slice(bytes),
    })
}
