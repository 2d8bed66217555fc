//! How long a block lasts, and how many there may be.

use std::collections::VecDeque;
use std::time::Duration;

use crate::detect::settings::section;
use crate::time::{TimeSpan, WallTime};

section! {
    /// Section `[decide]`: how long a block lasts, and how many there may be.
    DecideSettings {
        /// Length of a person's block that names no time.
        default_for: TimeSpan = TimeSpan::from_secs(3_600), "CrowdSec's simulation profiles, 1 h to 4 h";
        /// Length of an automatic block for the first, second, ... offence; the last holds for all further.
        escalation: Vec<TimeSpan> = [600, 3_600, 86_400, 7 * 86_400].map(TimeSpan::from_secs).to_vec(), "fail2ban, bantime 10 min and bantime.increment";
        /// An offence is forgotten after so long.
        forget_after: TimeSpan = TimeSpan::from_secs(30 * 86_400), "ours";
        /// Most automatic blocks within a minute.
        automatic_per_minute: usize = 60, "ours";
        /// Most automatic blocks in force at a time.
        automatic_total: usize = 10_000, "ours";
        /// Packets a second left to a source that may be forged; 0 leaves it alone.
        unproven_packets_per_s: u32 = 100, "ours";
    }
}

/// What the settings say in a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// The settings.
    pub settings: DecideSettings,
}

impl Policy {
    /// How long the block of a source lasts that was blocked so many times before.
    #[must_use]
    pub fn lifetime(&self, offences: u32) -> Duration {
        let ladder = &self.settings.escalation;
        let step = ladder.get(offences as usize).or_else(|| ladder.last());
        step.unwrap_or(&self.settings.default_for).get()
    }
}

/// Counts automatic blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// When the latest were made; never more than are allowed in a minute.
    latest: VecDeque<WallTime>,
}

impl Caps {
    /// As they are after blocks that were made at these times, the earliest first.
    #[must_use]
    pub fn after(times: Vec<WallTime>) -> Self {
        Self {
            latest: times.into(),
        }
    }

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
