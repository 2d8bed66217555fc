//! Alerts counted by signature and by source.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::sides::Sides;
use super::site::Site;
use crate::log::{Alert, Event};
use crate::time::WallTime;

/// Most signatures and most sources that are told apart.
const KEYS_MAX: usize = 100_000;
/// Most victims of a source that are told apart.
const VICTIMS_MAX: usize = 4096;

/// Alerts by signature and by source.
#[derive(Clone, Debug, Default)]
pub struct AlertCounts {
    signatures: HashMap<(u32, u64), SignatureCount>,
    sources: HashMap<IpAddr, SourceCount>,
    /// Alerts beyond the most signatures or sources.
    pub uncounted: u64,
    /// All alerts.
    pub total: u64,
    /// Those about checksums, decoder, stream and protocol events.
    pub noise: u64,
}

/// What one signature did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureCount {
    /// Generator.
    pub gid: u32,
    /// The rule's number.
    pub sid: u64,
    /// Its message.
    pub signature: String,
    /// From 1, the most severe.
    pub severity: u8,
    /// What kind of noise it is, if it is.
    pub noise: Option<&'static str>,
    /// Alerts.
    pub alerts: u64,
    /// First and last alert.
    pub times: (WallTime, WallTime),
}

/// What one source did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCount {
    /// The attacker, else who began.
    pub source: IpAddr,
    /// Alerts.
    pub alerts: u64,
    /// Those that are noise.
    pub noise: u64,
    /// Most severe alert that is no noise; 255 when there is none.
    pub severity: u8,
    /// Signatures that are no noise.
    pub signatures: BTreeSet<u64>,
    /// Whom it did it to.
    pub victims: BTreeSet<IpAddr>,
    /// First and last alert.
    pub times: (WallTime, WallTime),
}

impl AlertCounts {
    /// Counts an alert.
    pub fn add(&mut self, event: &Event<'_>, alert: &Alert<'_>, site: &Site) {
        let noise = crate::log::decoder_noise(alert.gid, alert.sid);
        self.total += 1;
        self.noise += u64::from(noise.is_some());
        let key = (alert.gid, alert.sid);
        if self.signatures.len() >= KEYS_MAX && !self.signatures.contains_key(&key) {
            self.uncounted += 1;
        } else {
            let count = self
                .signatures
                .entry(key)
                .or_insert_with(|| SignatureCount {
                    gid: alert.gid,
                    sid: alert.sid,
                    signature: alert.signature.to_string(),
                    severity: alert.severity,
                    noise,
                    alerts: 0,
                    times: (event.time, event.time),
                });
            count.alerts += 1;
            widen(&mut count.times, event.time);
        }
        if let Some(sides) = Sides::of_alert(event, alert, site) {
            self.add_source(event.time, alert, &sides);
        }
    }

    fn add_source(&mut self, time: WallTime, alert: &Alert<'_>, sides: &Sides) {
        let source = sides.offender();
        if self.sources.len() >= KEYS_MAX && !self.sources.contains_key(&source) {
            self.uncounted += 1;
            return;
        }
        let count = self.sources.entry(source).or_insert_with(|| SourceCount {
            source,
            alerts: 0,
            noise: 0,
            severity: 255,
            signatures: BTreeSet::new(),
            victims: BTreeSet::new(),
            times: (time, time),
        });
        count.alerts += 1;
        widen(&mut count.times, time);
        if alert.is_noise() {
            count.noise += 1;
        } else {
            count.severity = count.severity.min(alert.severity);
            count.signatures.insert(alert.sid);
        }
        if count.victims.len() < VICTIMS_MAX {
            count.victims.insert(sides.victim);
        }
    }

    /// The signatures, most alerts first; noise behind everything else.
    #[must_use]
    pub fn signatures(&self) -> Vec<&SignatureCount> {
        let mut counts: Vec<_> = self.signatures.values().collect();
        counts.sort_by_key(|c| (c.noise.is_some(), std::cmp::Reverse(c.alerts), c.sid));
        counts
    }

    /// The sources, most alerts without noise first.
    #[must_use]
    pub fn sources(&self) -> Vec<&SourceCount> {
        let mut counts: Vec<_> = self.sources.values().collect();
        counts.sort_by_key(|c| {
            let told = c.alerts - c.noise;
            (
                std::cmp::Reverse(told),
                std::cmp::Reverse(c.alerts),
                c.source,
            )
        });
        counts
    }
}

fn widen(times: &mut (WallTime, WallTime), time: WallTime) {
    *times = (times.0.min(time), times.1.max(time));
}
