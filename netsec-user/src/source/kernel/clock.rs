//! The kernel's two clocks in wall time.

use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, MapData};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use netsec_common::ABI_VERSION;
use netsec_common::config::ClockReading;
use netsec_common::ticks::Ticks;

use super::super::delta::Change;
use super::error::KernelError;
use crate::event::FlowDelta;
use crate::hook::HookId;
use crate::time::WallTime;

/// The program that reads both clocks at one moment.
pub(super) const PROGRAM: &str = "netsec_clock";

/// `CONFIG_HZ` as kernels are built.
const TICKS_PER_SECOND: [u32; 5] = [100, 200, 250, 300, 1000];

/// How long the tick is measured: 300 and 250 Hz are then five ticks apart.
const MEASURED: Duration = Duration::from_millis(100);

/// Any frame will do: the program does not look at it.
const FRAME: [u8; 64] = [0; 64];

/// One moment on three clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickClock {
    tick_ns: i64,
    ticks: Ticks,
    monotonic_ns: i64,
    wall: WallTime,
}

impl TickClock {
    /// Measures the tick, and reads all clocks. Takes a tenth of a second.
    pub(super) fn measure(
        ebpf: &Ebpf,
        map: &Array<MapData, [u8; 16]>,
    ) -> Result<Self, KernelError> {
        let before = read(ebpf, map)?;
        std::thread::sleep(MEASURED);
        let after = read(ebpf, map)?;
        let mut clock = Self {
            tick_ns: tick_ns(&before, &after),
            ticks: Ticks(0),
            monotonic_ns: 0,
            wall: WallTime::default(),
        };
        clock.set(&after);
        Ok(clock)
    }

    /// For ticks of a known length that are injected: the kernel's clocks are of no interest, but
    /// the object has to speak this ABI.
    pub(super) fn replaced(
        ebpf: &Ebpf,
        map: &Array<MapData, [u8; 16]>,
        tick_ns: i64,
    ) -> Result<Self, KernelError> {
        read(ebpf, map)?;
        Ok(Self {
            tick_ns,
            ticks: Ticks(0),
            monotonic_ns: 0,
            wall: WallTime::default(),
        })
    }

    /// Reads all clocks again, so that a step of the wall clock shows.
    pub(super) fn synchronise(
        &mut self,
        ebpf: &Ebpf,
        map: &Array<MapData, [u8; 16]>,
    ) -> Result<(), KernelError> {
        let reading = read(ebpf, map)?;
        self.set(&reading);
        Ok(())
    }

    fn set(&mut self, reading: &ClockReading) {
        self.ticks = Ticks(reading.ticks);
        self.monotonic_ns = i64::try_from(reading.monotonic_ns).unwrap_or(i64::MAX);
        self.wall = WallTime::now();
    }

    pub(super) const fn tick(&self) -> Duration {
        Duration::from_nanos(self.tick_ns.unsigned_abs())
    }

    pub(super) const fn tick_ns(&self) -> i64 {
        self.tick_ns
    }

    /// A reading of `CLOCK_MONOTONIC` in wall time.
    pub(super) fn wall(&self, monotonic_ns: u64) -> WallTime {
        let monotonic_ns = i64::try_from(monotonic_ns).unwrap_or(i64::MAX);
        self.wall
            .plus_ns(monotonic_ns.saturating_sub(self.monotonic_ns))
    }

    /// A change in wall time.
    pub(super) fn delta(&self, hook: HookId, change: &Change) -> FlowDelta {
        let wall = |ticks: Ticks| {
            self.wall
                .plus_ns(i64::from(ticks.since(self.ticks)).saturating_mul(self.tick_ns))
        };
        change.to_delta(hook, wall)
    }
}

/// The length of a tick, from two readings.
fn tick_ns(before: &ClockReading, after: &ClockReading) -> i64 {
    let ticks = u64::from(after.ticks.wrapping_sub(before.ticks));
    let ns = after
        .monotonic_ns
        .saturating_sub(before.monotonic_ns)
        .max(1);
    let measured = ticks * 1_000_000_000 / ns;
    let nearest = TICKS_PER_SECOND
        .into_iter()
        .min_by_key(|hz| u64::from(*hz).abs_diff(measured))
        .unwrap_or(1000);
    1_000_000_000 / i64::from(nearest)
}

fn read(ebpf: &Ebpf, map: &Array<MapData, [u8; 16]>) -> Result<ClockReading, KernelError> {
    let program: &SchedClassifier = ebpf
        .program(PROGRAM)
        .ok_or(KernelError::ObjectWithout { name: PROGRAM })?
        .try_into()
        .map_err(|source| KernelError::Program {
            name: PROGRAM,
            source,
        })?;
    program
        .test_run(TestRunOptions {
            data_in: Some(&FRAME),
            ..TestRunOptions::new()
        })
        .map_err(|source| KernelError::Program {
            name: PROGRAM,
            source,
        })?;
    let bytes = map.get(&0, 0).map_err(|source| KernelError::Map {
        name: "CLOCK",
        source,
    })?;
    let reading = ClockReading::from_bytes(&bytes);
    if reading.abi_version == ABI_VERSION {
        Ok(reading)
    } else {
        Err(KernelError::AbiVersion {
            object: reading.abi_version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tick_rate_is_told_from_the_others() {
        for hz in TICKS_PER_SECOND {
            for offset in [-1, 0, 1] {
                let reading = |ticks: u32, monotonic_ns| ClockReading {
                    abi_version: ABI_VERSION,
                    ticks,
                    monotonic_ns,
                };
                let before = reading(u32::MAX, 5);
                let elapsed = (hz / 10).wrapping_add_signed(offset);
                let after = reading(u32::MAX.wrapping_add(elapsed), 100_300_005);
                assert_eq!(tick_ns(&before, &after), 1_000_000_000 / i64::from(hz));
            }
        }
    }
}
