//! Frames through the loaded program without an interface, by `BPF_PROG_TEST_RUN`.

use std::time::Duration;

use aya::maps::Array;
use aya::programs::{ProgramError, ProgramInfo, TestRun as _, TestRunAttrs, TestRunOptions, Xdp};
use aya_obj::programs::XdpAttachType;
use netsec_common::block::BlockTime;
use netsec_common::flow::FlowSet;
use netsec_common::ticks::Ticks;

use super::super::delta::DeltaReader;
use super::KernelEngine;
use super::error::KernelError;

/// Frames that the kernel puts through the program in one batch: a NAPI poll's worth.
const LIVE_BATCH: u32 = 64;

/// What a test run gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestRunOutcome {
    /// The program's answer to the last frame: 1 is `XDP_DROP`, 2 is `XDP_PASS`.
    pub action: u32,
    /// Mean time of one run by the kernel's clock, the harness included.
    pub duration: Duration,
}

/// Sends frames through the program of a [`KernelEngine`], from any thread: while one sends, another
/// reads the engine.
#[derive(Debug)]
pub struct FrameInjector {
    program: Xdp,
}

impl FrameInjector {
    /// Sends a frame of at least 14 bytes through the program `repeat` times.
    ///
    /// # Errors
    ///
    /// The kernel's refusal, as for a frame under 14 bytes or over a page.
    pub fn test_run(&self, frame: &[u8], repeat: u32) -> Result<TestRunOutcome, KernelError> {
        test_run(&self.program, frame, repeat)
    }

    /// Sends `count` copies of a frame through the program as if the interface with this index had
    /// received them; what passes goes up that interface's stack. Needs Linux 5.18.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn live_frames(
        &self,
        frame: &[u8],
        count: u32,
        interface_index: u32,
    ) -> Result<(), KernelError> {
        live_frames(&self.program, frame, count, interface_index)
    }
}

impl KernelEngine {
    /// A second handle on the program.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn injector(&self) -> Result<FrameInjector, KernelError> {
        let info = self.program_info()?;
        let program =
            Xdp::from_program_info(info, self.programs.xdp.into(), XdpAttachType::Interface)
                .map_err(failed)?;
        Ok(FrameInjector { program })
    }

    /// Sends a frame of at least 14 bytes through the program `repeat` times.
    ///
    /// # Errors
    ///
    /// The kernel's refusal, as for a frame under 14 bytes or over a page.
    pub fn test_run(&self, frame: &[u8], repeat: u32) -> Result<TestRunOutcome, KernelError> {
        test_run(self.xdp()?, frame, repeat)
    }

    /// Sends `count` copies of a frame through the program as if the interface with this index had
    /// received them; what passes goes up that interface's stack. Needs Linux 5.18.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn live_frames(
        &self,
        frame: &[u8],
        count: u32,
        interface_index: u32,
    ) -> Result<(), KernelError> {
        live_frames(self.xdp()?, frame, count, interface_index)
    }

    /// Replaces the kernel's clock by `now` for the frames that follow.
    pub fn inject_time(&self, now: Ticks) {
        if let [control] = self.control.as_slice() {
            control.inject(now);
        }
    }

    /// Replaces the block table's clock by `now` for the frames that follow.
    pub fn inject_block_time(&self, now: BlockTime) {
        if let [control] = self.control.as_slice() {
            control.inject_block_time(now);
        }
    }

    /// Frees every slot and forgets all flows, read or not, so that the next test run finds an
    /// empty table. No frame may be in progress. The ledger stays as it is.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn clear_flows(&mut self) -> Result<(), KernelError> {
        const NAME: &str = "FLOWS";
        const FREE: [u8; size_of::<FlowSet>()] = [0; size_of::<FlowSet>()];
        let failed = |source| KernelError::Map { name: NAME, source };
        let map = self
            .ebpf
            .map_mut(NAME)
            .ok_or(KernelError::ObjectWithout { name: NAME })?;
        let mut sets: Array<_, [u8; size_of::<FlowSet>()]> = map.try_into().map_err(failed)?;
        for index in 0..sets.len() {
            sets.set(index, FREE, 0).map_err(failed)?;
        }
        for ring in &mut self.records {
            while ring.next().is_some() {}
        }
        self.reader = DeltaReader::new(self.sets.as_slice().len());
        Ok(())
    }

    /// What the kernel knows of the program.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn program_info(&self) -> Result<ProgramInfo, KernelError> {
        self.xdp()?.info().map_err(failed)
    }

    fn xdp(&self) -> Result<&Xdp, KernelError> {
        self.ebpf
            .program(self.programs.xdp)
            .ok_or(KernelError::ObjectWithout {
                name: self.programs.xdp,
            })?
            .try_into()
            .map_err(failed)
    }
}

fn test_run(program: &Xdp, frame: &[u8], repeat: u32) -> Result<TestRunOutcome, KernelError> {
    let options = TestRunOptions {
        data_in: Some(frame),
        repeat,
        ..TestRunOptions::new()
    };
    let result = program.test_run(options).map_err(failed)?;
    Ok(TestRunOutcome {
        action: result.return_value,
        duration: result.duration,
    })
}

fn live_frames(
    program: &Xdp,
    frame: &[u8],
    count: u32,
    interface_index: u32,
) -> Result<(), KernelError> {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index.
    let context: Vec<u8> = [0, length, 0, interface_index, 0]
        .into_iter()
        .flat_map(u32::to_ne_bytes)
        .collect();
    let options = TestRunOptions {
        data_in: Some(frame),
        ctx_in: Some(&context),
        repeat: count,
        attrs: TestRunAttrs::new().xdp_live_frames(LIVE_BATCH),
        ..TestRunOptions::new()
    };
    program.test_run(options).map_err(failed)?;
    Ok(())
}

fn failed(source: ProgramError) -> KernelError {
    KernelError::Program {
        name: "netsec",
        source,
    }
}
