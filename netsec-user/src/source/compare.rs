//! Host and kernel side by side: the same frames, and after each the same answer.

mod difference;

use netsec_common::engine::Verdict;
use netsec_common::ledger::Snapshot;

use super::blocks::HostBlocks;
use super::engine::{FrameEngine, FrameError};
use super::host::{HostEngine, HostFrame};
use super::kernel::{BlockMaps, KernelError, KernelReplay, NotSent};
use crate::event::{FlowDelta, Sample, Sink};
use crate::hook::HookId;
use crate::settings::EngineSettings;

pub use difference::Difference;

/// `XDP_DROP` and `XDP_PASS` of `linux/bpf.h`.
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// Two engines that have to agree on everything: action, counters, records of flows that left
/// their slots, header samples, flow deltas, and in the end on every slot.
#[derive(Debug)]
pub struct Comparison {
    host: HostEngine,
    kernel: KernelReplay,
    /// The counters of both before the frame.
    before: Snapshot,
    from_host: Seen,
    from_kernel: Seen,
}

impl Comparison {
    /// Two engines with empty tables of the same settings. See [`KernelReplay::load`].
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn load(
        object: &[u8],
        hook: HookId,
        settings: &EngineSettings,
    ) -> Result<Self, KernelError> {
        let kernel = KernelReplay::load(object, hook, settings)?;
        Ok(Self::of(HostEngine::new(hook, settings), kernel))
    }

    /// Two engines that have not seen a frame yet.
    #[must_use]
    pub fn of(host: HostEngine, kernel: KernelReplay) -> Self {
        Self {
            host,
            kernel,
            before: Snapshot::default(),
            from_host: Seen::default(),
            from_kernel: Seen::default(),
        }
    }

    /// Sends a frame through both; false when the kernel cannot take it, and neither was given it.
    ///
    /// # Errors
    ///
    /// [`FrameError::Differs`] when they disagree, and what the kernel refuses.
    pub fn frame(&mut self, frame: &HostFrame<'_>) -> Result<bool, FrameError> {
        let known = (self.host.changes().total(), self.kernel.changes().total());
        let Some(action) = self.kernel.send(frame, &mut self.from_kernel)? else {
            return Ok(false);
        };
        let verdict = self.host.process(frame, &mut self.from_host);
        let (host, kernel) = (self.host.ledger(), self.kernel.row());
        let mut difference = Difference::default();
        if action_of(verdict) != action {
            difference.number("action", action_of(verdict), action);
        }
        if host != kernel {
            difference.counters(&self.before, &host, &kernel);
        }
        self.before = host;
        difference.records(
            &self.host.changes().records_since(known.0),
            &self.kernel.changes().records_since(known.1),
        );
        self.delivered(&mut difference);
        difference.none_in(frame.bytes)?;
        Ok(true)
    }

    /// Reads the tables of both, and compares what they deliver.
    ///
    /// # Errors
    ///
    /// When they deliver different deltas.
    pub fn read(&mut self) -> Result<(), FrameError> {
        self.host.read(&mut self.from_host);
        self.kernel.read(&mut self.from_kernel)?;
        let mut difference = Difference::default();
        self.delivered(&mut difference);
        Ok(difference.none_in(&[])?)
    }

    /// Compares all slots, and the counters of all CPUs. To be called after the last frame.
    ///
    /// # Errors
    ///
    /// When they differ.
    pub fn finish(&mut self) -> Result<(), FrameError> {
        self.read()?;
        let mut difference = Difference::default();
        let (host, kernel) = (self.host.ledger(), self.kernel.ledger());
        if host != kernel {
            difference.counters(&Snapshot::default(), &host, &kernel);
        }
        difference.slots(self.host.sets(), self.kernel.sets());
        Ok(difference.none_in(&[])?)
    }

    /// As [`Self::load`], each engine with a block table for so many entries, to be written alike.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_blocking(
        object: &[u8],
        hook: HookId,
        settings: &EngineSettings,
        capacity: u32,
    ) -> Result<(Self, HostBlocks, BlockMaps), KernelError> {
        let (kernel, in_kernel) = KernelReplay::load_blocking(object, hook, settings, capacity)?;
        let on_host = HostBlocks::new(capacity);
        let host = HostEngine::new(hook, settings).with_blocks(on_host.clone());
        Ok((Self::of(host, kernel), on_host, in_kernel))
    }

    /// Frames that went through both.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.kernel.sent()
    }

    /// Frames that went through neither.
    #[must_use]
    pub const fn not_sent(&self) -> &NotSent {
        self.kernel.not_sent()
    }

    /// The counters of both.
    #[must_use]
    pub fn ledger(&self) -> Snapshot {
        self.host.ledger()
    }

    fn delivered(&mut self, difference: &mut Difference) {
        if self.from_host != self.from_kernel {
            difference.samples(&self.from_host.samples, &self.from_kernel.samples);
            difference.deltas(&self.from_host.deltas, &self.from_kernel.deltas);
        }
        self.from_host.clear();
        self.from_kernel.clear();
    }
}

/// The engine on the host for what is shown, and besides it a [`Comparison`].
///
/// The comparison has a host engine of its own, because it leaves out the frames that the kernel
/// cannot be given.
#[derive(Debug)]
pub struct BothEngines {
    shown: HostEngine,
    comparison: Comparison,
}

impl BothEngines {
    /// Engines with empty tables. See [`KernelReplay::load`].
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn load(
        object: &[u8],
        hook: HookId,
        settings: &EngineSettings,
    ) -> Result<Self, KernelError> {
        Ok(Self {
            shown: HostEngine::new(hook, settings),
            comparison: Comparison::load(object, hook, settings)?,
        })
    }

    /// The comparison so far.
    #[must_use]
    pub const fn comparison(&self) -> &Comparison {
        &self.comparison
    }
}

impl FrameEngine for BothEngines {
    type Error = FrameError;

    fn hook(&self) -> HookId {
        self.shown.hook()
    }

    fn process(&mut self, frame: &HostFrame<'_>, sink: &mut impl Sink) -> Result<(), FrameError> {
        self.comparison.frame(frame)?;
        self.shown.process(frame, sink);
        Ok(())
    }

    fn read(&mut self, sink: &mut impl Sink) -> Result<(), FrameError> {
        self.shown.read(sink);
        self.comparison.read()
    }

    fn ledger(&self) -> Snapshot {
        self.shown.ledger()
    }

    fn finish(&mut self) -> Result<(), FrameError> {
        self.comparison.finish()
    }
}

/// The action that the hook has to answer with.
const fn action_of(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Pass => XDP_PASS,
        Verdict::Drop => XDP_DROP,
    }
}

/// What an engine delivered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    samples: Vec<Sample>,
    deltas: Vec<FlowDelta>,
}

impl Seen {
    fn clear(&mut self) {
        self.samples.clear();
        self.deltas.clear();
    }
}

impl Sink for Seen {
    fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    fn flow(&mut self, delta: &FlowDelta) {
        self.deltas.push(*delta);
    }
}
