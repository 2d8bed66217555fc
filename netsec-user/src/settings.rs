//! What the engine is told at load, whether it runs on the host or in the kernel.

use std::time::Duration;

use netsec_common::flow::WAYS;
use netsec_common::sample::Sampling;

/// Settings of one hook's engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Slots of the flow table, all CPUs together. 64 bytes each.
    pub slots: u32,
    /// Which packets are sampled.
    pub sampling: Sampling,
    /// Most bytes of a frame that a sample carries, up to
    /// [`SAMPLE_BYTES_MAX`](netsec_common::sample::SAMPLE_BYTES_MAX).
    pub snap_bytes: u32,
    /// Time without a packet after which a flow ends; zero is never.
    pub idle_timeout: Duration,
    /// Keys of the flow hash: drawn anew for live traffic, fixed for replay, so that a replay gives
    /// the same lines each time.
    pub hash_keys: [u32; 10],
    /// Whether packets in tunnels are accounted as flows of their own, besides the frames.
    pub inner: bool,
}

impl EngineSettings {
    /// Sets of one CPU when `cpus` share the table: a power of two, at least one.
    #[must_use]
    pub fn sets_per_cpu(&self, cpus: u32) -> u32 {
        let ways = u32::try_from(WAYS).unwrap_or(u32::MAX);
        let sets = (self.slots / ways / cpus.max(1)).max(1);
        1 << sets.ilog2()
    }

    /// The idle timeout in ticks of `tick_ns` nanoseconds, cut to what the 32-bit clock can tell
    /// apart.
    #[must_use]
    pub fn idle_ticks(&self, tick_ns: i64) -> u32 {
        let tick_ns = u128::try_from(tick_ns).unwrap_or(1).max(1);
        let ticks = self.idle_timeout.as_nanos().div_ceil(tick_ns);
        u32::try_from(ticks).unwrap_or(u32::MAX).min(1 << 30)
    }
}

#[cfg(test)]
mod tests {
    use netsec_common::flow::FIXED_HASH_KEYS;

    use super::*;

    fn settings(slots: u32, idle_timeout: Duration) -> EngineSettings {
        EngineSettings {
            slots,
            sampling: Sampling::Off,
            snap_bytes: 0,
            idle_timeout,
            hash_keys: FIXED_HASH_KEYS,
            inner: false,
        }
    }

    #[test]
    fn sets_are_a_power_of_two() {
        let sets = |slots, cpus| settings(slots, Duration::ZERO).sets_per_cpu(cpus);
        assert_eq!(sets(1 << 20, 1), 1 << 18);
        assert_eq!(sets(1 << 20, 2), 1 << 17);
        assert_eq!(sets(1 << 20, 3), 1 << 16);
        assert_eq!(sets(0, 0), 1);
        assert_eq!(sets(u32::MAX, 1), 1 << 29);
    }

    #[test]
    fn idle_ticks_round_up_and_saturate() {
        let ticks = |idle, tick| settings(4, idle).idle_ticks(tick);
        assert_eq!(ticks(Duration::from_secs(60), 4_000_000), 15_000);
        assert_eq!(ticks(Duration::from_nanos(1), 1_000), 1);
        assert_eq!(ticks(Duration::ZERO, 1_000), 0);
        assert_eq!(ticks(Duration::MAX, 1_000), 1 << 30);
    }
}
