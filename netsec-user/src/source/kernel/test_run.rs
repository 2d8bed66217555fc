//! Frames through the loaded program without an interface, by `BPF_PROG_TEST_RUN`.

use std::time::Duration;

use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp};
use netsec_common::ticks::Ticks;

use super::KernelEngine;
use super::error::KernelError;
use super::load::XDP_PROGRAM;

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

impl KernelEngine {
    /// Sends a frame of at least 14 bytes through the program `repeat` times.
    ///
    /// # Errors
    ///
    /// The kernel's refusal, as for a frame under 14 bytes or over a page.
    pub fn test_run(&self, frame: &[u8], repeat: u32) -> Result<TestRunOutcome, KernelError> {
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat,
            ..TestRunOptions::new()
        };
        let result = self.xdp()?.test_run(options).map_err(failed)?;
        Ok(TestRunOutcome {
            action: result.return_value,
            duration: result.duration,
        })
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
        self.xdp()?.test_run(options).map_err(failed)?;
        Ok(())
    }

    /// Replaces the kernel's clock by `now` for the frames that follow.
    pub fn inject_time(&self, now: Ticks) {
        if let [control] = self.control.as_slice() {
            control.inject(now);
        }
    }

    fn xdp(&self) -> Result<&Xdp, KernelError> {
        self.ebpf
            .program(XDP_PROGRAM)
            .ok_or(KernelError::ObjectWithout { name: XDP_PROGRAM })?
            .try_into()
            .map_err(failed)
    }
}

fn failed(source: aya::programs::ProgramError) -> KernelError {
    KernelError::Program {
        name: XDP_PROGRAM,
        source,
    }
}
