//! How long a block lasts, and how many there may be.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::WallTime;

/// Settings of decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecideSettings {
    /// Seconds of a person's block that names no time.
    pub default_for_s: u64,
    /// Seconds of an automatic block for the first, second, … offence; the last holds for all further.
    pub escalation_s: Vec<u64>,
    /// An offence is forgotten after so many seconds.
    pub forget_after_s: u64,
    /// Most automatic blocks within a minute.
    pub automatic_per_minute: usize,
    /// Most automatic blocks in force at a time.
    pub automatic_total: usize,
    /// Packets a second left to a source that may be forged.
    pub unproven_packets_per_s: u32,
}

impl Default for DecideSettings {
    fn default() -> Self {
        Self {
            default_for_s: 3_600,
            escalation_s: vec![600, 3_600, 86_400, 7 * 86_400],
            forget_after_s: 30 * 86_400,
            automatic_per_minute: 60,
            automatic_total: 10_000,
            unproven_packets_per_s: 100,
        }
    }
}

/// What the settings say in a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The settings.
    pub settings: DecideSettings,
}

impl Policy {
    /// How long the block of a source lasts that was blocked so many times before.
    #[must_use]
    pub fn lifetime(&self, offences: u32) -> Duration {
        let ladder = &self.settings.escalation_s;
        let step = ladder.get(offences as usize).or_else(|| ladder.last());
        Duration::from_secs(step.copied().unwrap_or(self.settings.default_for_s))
    }
}

/// Counts automatic blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// When the latest were made; never more than are allowed in a minute.
    latest: VecDeque<WallTime>,
}

impl Caps {
    /// Takes one more, unless there are too many. `total` are in force.
    ///
    /// # Errors
    ///
    /// Which cap is reached.
    pub fn take(
        &mut self,
        settings: &DecideSettings,
        total: usize,
        now: WallTime,
    ) -> Result<(), String> {
        while self
            .latest
            .front()
            .is_some_and(|time| now.since(*time) >= Duration::from_secs(60))
        {
            self.latest.pop_front();
        }
        if self.latest.len() >= settings.automatic_per_minute {
            let most = settings.automatic_per_minute;
            return Err(format!(
                "{most} automatic blocks within a minute are the most"
            ));
        }
        if total >= settings.automatic_total {
            let most = settings.automatic_total;
            return Err(format!("{most} automatic blocks at a time are the most"));
        }
        self.latest.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offenders_are_blocked_for_longer_and_longer() {
        let policy = Policy::default();
        let hours = |offences| policy.lifetime(offences).as_secs_f64() / 3600.0;
        let lifetimes: Vec<String> = (0..6).map(|n| format!("{:.2}", hours(n))).collect();
        assert_eq!(
            lifetimes,
            ["0.17", "1.00", "24.00", "168.00", "168.00", "168.00"]
        );
    }

    #[test]
    fn rate_and_total_are_capped() {
        let settings = DecideSettings {
            automatic_per_minute: 2,
            automatic_total: 10,
            ..DecideSettings::default()
        };
        let mut caps = Caps::default();
        let mut take = |total, seconds| {
            let now = WallTime::default().plus(Duration::from_secs(seconds));
            caps.take(&settings, total, now).is_ok()
        };
        assert!(take(0, 0) && take(1, 30));
        assert!(!take(2, 59));
        assert!(take(2, 60));
        assert!(!take(3, 61));
        assert!(!take(10, 200));
        assert!(take(9, 200));
    }
}
