//! The capture's clock in ticks.

use netsec_common::ticks::Ticks;

use super::super::delta::Change;
use crate::event::FlowDelta;
use crate::hook::HookId;
use crate::time::WallTime;

/// Nanoseconds per tick: replay ticks are microseconds.
pub(in super::super) const TICK_NS: i64 = 1_000;

/// A flow's slot is freed before its times could wrap: every 2²⁹ µs (9 minutes) of traffic time,
/// flows that were silent for so long are read and cleared.
pub(super) const SWEEP_TICKS: i64 = 1 << 29;

/// The capture's clock in ticks. It never runs backwards.
#[derive(Debug, Default)]
pub(super) struct CaptureClock {
    /// Wall time and ticks of the latest frame.
    latest: Option<(WallTime, Ticks)>,
    since_sweep: i64,
}

impl CaptureClock {
    pub(super) fn now(&self) -> Ticks {
        self.latest.unwrap_or_default().1
    }

    /// Ticks from the latest frame to this one; 0 for the first frame.
    pub(super) fn step_to(&self, time: WallTime) -> i64 {
        self.latest
            .map_or(0, |(latest, _)| time.ns_since(latest).div_euclid(TICK_NS))
    }

    /// Whether old flows have to be freed before the clock moves on by `step`.
    pub(super) const fn is_sweep_due(&self, step: i64) -> bool {
        self.since_sweep.saturating_add(step) >= SWEEP_TICKS
    }

    /// Old flows have been freed.
    pub(super) const fn swept(&mut self) {
        self.since_sweep = 0;
    }

    /// The ticks of a frame that comes `step` after the latest one.
    pub(super) fn advance(&mut self, time: WallTime, step: i64) -> Ticks {
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
    pub(super) fn delta(&self, hook: HookId, change: &Change) -> FlowDelta {
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
