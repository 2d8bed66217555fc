//! The kernel's two clocks in wall time.

use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, MapData};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use netsec_common::ABI_VERSION;
use netsec_common::block::BlockClock;
use netsec_common::config::ClockReading;
use netsec_common::ticks::Ticks;

use super::super::delta::Change;
use super::error::KernelError;
use crate::event::FlowDelta;
use crate::hook::HookId;
use crate::time::{WallTime, monotonic_offset_ns};

/// The program that reads both clocks at one moment.
pub(super) const PROGRAM: &str = "netsec_clock";

/// The value of the map `CLOCK`.
pub(super) const READING_BYTES: usize = size_of::<ClockReading>();

/// `CONFIG_HZ` as kernels are built.
const TICKS_PER_SECOND: [u32; 5] = [100, 200, 250, 300, 1000];

/// How long the tick is measured: 300 and 250 Hz are then five ticks apart.
const MEASURED: Duration = Duration::from_millis(100);

/// Readings that find out when in a tick it begins, and the time between them: no part of a tick.
const PHASE_READINGS: u32 = 7;
const PHASE_STEP: Duration = Duration::from_micros(1_370);

/// Less than this the wall clock is not moved after: times of one tick have to stay equal.
const OFFSET_NOISE_NS: u64 = 1_000_000;

/// Any frame will do: the program does not look at it.
const FRAME: [u8; 64] = [0; 64];

/// Ticks and monotonic time in wall time.
///
/// A tick is told by its beginning, so the times of one tick are equal whenever they are asked for:
/// what is before, and what at the same time, must not change from one reading to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickClock {
    tick_ns: i64,
    /// The tick of the latest reading.
    anchor: Ticks,
    /// The same tick on the block table's clock.
    anchor_block: u64,
    /// `CLOCK_MONOTONIC` when it began, as near as the readings so far tell.
    anchor_ns: i64,
    wall_offset_ns: i64,
}

impl TickClock {
    /// Measures the tick, and reads all clocks. Takes a tenth of a second.
    pub(super) fn measure(
        ebpf: &Ebpf,
        map: &Array<MapData, [u8; READING_BYTES]>,
    ) -> Result<Self, KernelError> {
        let before = read(ebpf, map)?;
        std::thread::sleep(MEASURED);
        let after = read(ebpf, map)?;
        let mut clock = Self::start(tick_ns(&before, &after), &after);
        // Readings at odd times find the beginning of a tick from several sides.
        for _ in 0..PHASE_READINGS {
            std::thread::sleep(PHASE_STEP);
            clock.synchronise(ebpf, map)?;
        }
        Ok(clock)
    }

    /// For ticks of a known length that are injected: the kernel's clocks are of no interest, but
    /// the object has to speak this ABI.
    pub(super) fn replaced(
        ebpf: &Ebpf,
        map: &Array<MapData, [u8; READING_BYTES]>,
        tick_ns: i64,
    ) -> Result<Self, KernelError> {
        Ok(Self::start(tick_ns, &read(ebpf, map)?))
    }

    const fn start(tick_ns: i64, reading: &ClockReading) -> Self {
        Self {
            tick_ns,
            anchor: Ticks(reading.ticks),
            anchor_block: reading.block_ticks,
            anchor_ns: reading.monotonic_ns.cast_signed(),
            wall_offset_ns: 0,
        }
    }

    /// Reads all clocks again, so that a step of the wall clock shows.
    pub(super) fn synchronise(
        &mut self,
        ebpf: &Ebpf,
        map: &Array<MapData, [u8; READING_BYTES]>,
    ) -> Result<(), KernelError> {
        self.refine(&read(ebpf, map)?);
        let offset_ns = monotonic_offset_ns().map_err(|error| KernelError::System {
            what: "the clock",
            reason: error.desc().to_owned(),
        })?;
        if offset_ns.abs_diff(self.wall_offset_ns) > OFFSET_NOISE_NS {
            self.wall_offset_ns = offset_ns;
        }
        Ok(())
    }

    /// Moves on to the tick of a reading. It began before the reading; the earliest beginning that
    /// any reading tells is the one.
    fn refine(&mut self, reading: &ClockReading) {
        let now = Ticks(reading.ticks);
        let expected = self.tick_start_ns(now);
        self.anchor = now;
        self.anchor_block = reading.block_ticks;
        self.anchor_ns = expected.min(reading.monotonic_ns.cast_signed());
    }

    fn tick_start_ns(&self, ticks: Ticks) -> i64 {
        let since = i64::from(ticks.since(self.anchor));
        self.anchor_ns.saturating_add(since * self.tick_ns)
    }

    pub(super) const fn tick(&self) -> Duration {
        Duration::from_nanos(self.tick_ns.unsigned_abs())
    }

    pub(super) const fn tick_ns(&self) -> i64 {
        self.tick_ns
    }

    /// The block table's clock.
    pub(super) const fn block_clock(&self) -> BlockClock {
        BlockClock {
            ticks: self.anchor_block,
            monotonic_ns: self.anchor_ns.unsigned_abs(),
            tick_ns: self.tick_ns.unsigned_abs(),
        }
    }

    /// A reading of `CLOCK_MONOTONIC` in wall time.
    pub(super) fn wall(&self, monotonic_ns: u64) -> WallTime {
        WallTime::from_monotonic(monotonic_ns, self.wall_offset_ns)
    }

    /// A change in wall time.
    pub(super) fn delta(&self, hook: HookId, change: &Change) -> FlowDelta {
        change.to_delta(hook, |ticks| {
            WallTime::from_ns(
                self.tick_start_ns(ticks)
                    .saturating_add(self.wall_offset_ns),
            )
        })
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

fn read(
    ebpf: &Ebpf,
    map: &Array<MapData, [u8; READING_BYTES]>,
) -> Result<ClockReading, KernelError> {
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

    /// A kernel whose ticks of 4 ms begin at multiples of 4 ms plus 1 ms.
    fn reading(monotonic_ns: u64) -> ClockReading {
        let ticks = (monotonic_ns - 1_000_000) / 4_000_000;
        ClockReading {
            abi_version: ABI_VERSION,
            ticks: u32::try_from(ticks).unwrap().wrapping_add(u32::MAX - 5),
            monotonic_ns,
            block_ticks: ticks + u64::from(u32::MAX - 5),
        }
    }

    #[test]
    fn a_tick_keeps_its_time_while_its_beginning_is_narrowed_down() {
        let first = reading(12_900_000);
        let mut clock = TickClock::start(4_000_000, &first);
        let tick = Ticks(first.ticks);
        let mut known = clock.tick_start_ns(tick);
        assert_eq!(known, 12_900_000, "nothing better is known");
        for ms in [14, 18, 23, 29, 33, 41, 77, 141] {
            clock.refine(&reading(ms * 1_000_000));
            let narrowed = clock.tick_start_ns(tick);
            assert!(
                (9_000_000..=known).contains(&narrowed),
                "{narrowed} of {known}"
            );
            known = narrowed;
        }
        assert_eq!(known, 9_000_000, "a reading came right at the beginning");
        assert_eq!(
            clock.tick_start_ns(Ticks(tick.0.wrapping_add(3))),
            21_000_000
        );
    }

    #[test]
    fn every_tick_rate_is_told_from_the_others() {
        for hz in TICKS_PER_SECOND {
            for offset in [-1, 0, 1] {
                let reading = |ticks: u32, monotonic_ns| ClockReading {
                    abi_version: ABI_VERSION,
                    ticks,
                    monotonic_ns,
                    block_ticks: ticks.into(),
                };
                let before = reading(u32::MAX, 5);
                let elapsed = (hz / 10).wrapping_add_signed(offset);
                let after = reading(u32::MAX.wrapping_add(elapsed), 100_300_005);
                assert_eq!(tick_ns(&before, &after), 1_000_000_000 / i64::from(hz));
            }
        }
    }
}
