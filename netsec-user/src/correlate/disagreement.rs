//! What one sensor saw and another did not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::join::{Join, Why};
use super::row::Origin;
use crate::log::{Detail, EventDetail, Record};
use crate::time::WallTime;

/// What sensors saw differently in an interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disagreement {
    /// From when, to when.
    pub times: (WallTime, WallTime),
    /// Connections that netsec counted, and that ended early enough to be in the logs.
    pub connections: u64,
    /// Of those, the ones without a record of the sensor; a sensor whose records never came is
    /// missing.
    pub kernel_only: BTreeMap<Origin, u64>,
    /// Rows of the sensor without a connection.
    pub log_only: BTreeMap<Origin, u64>,
    /// Packets that Suricata's capture had, and those it was too slow for, since its start.
    pub suricata_drops: Option<(u64, u64)>,
    /// The worst share of packets that a worker of Zeek's did not see, percent.
    pub zeek_loss_percent: Option<f64>,
    /// Likely reasons.
    pub reasons: Vec<&'static str>,
}

/// Gathers what is needed to say so.
#[derive(Debug, Default)]
pub struct Disagreements {
    since: Option<WallTime>,
    log_only: BTreeMap<Origin, u64>,
    other_time: bool,
    told: [bool; 2],
    drops: Option<(u64, u64)>,
    loss_percent: Option<f64>,
}

impl Disagreements {
    /// Takes what a record says of its own sensor; true when it says nothing else.
    pub fn record(&mut self, record: &Record<'_>) -> bool {
        let [by_eve, by_zeek] = &mut self.told;
        match record {
            Record::Event(event) => {
                *by_eve |= matches!(event.detail, EventDetail::Flow(_));
                if let EventDetail::Stats(stats) = &event.detail {
                    let capture = stats.capture.map(|c| (c.kernel_packets, c.kernel_drops));
                    self.drops = capture.or(self.drops);
                    return true;
                }
            }
            Record::Zeek(zeek) => {
                *by_zeek |= matches!(zeek.detail, Detail::Conn(_));
                if let Detail::CaptureLoss(loss) = &zeek.detail {
                    let percent = loss.percent.unwrap_or_default();
                    let worst = self.loss_percent.unwrap_or_default().max(percent);
                    self.loss_percent = Some(worst);
                    return true;
                }
            }
        }
        false
    }

    /// Takes a row without a connection.
    pub fn unjoined(&mut self, origin: Origin, why: Why) {
        if why != Why::NoAddresses {
            *self.log_only.entry(origin).or_default() += 1;
        }
        self.other_time |= matches!(why, Why::OtherTime(_));
    }

    /// Sums up what ended more than `grace` before `now`, or all at the end. `None` when there is
    /// nothing to compare.
    pub fn sum_up(
        &mut self,
        join: &mut Join,
        now: WallTime,
        grace: Duration,
    ) -> Option<Disagreement> {
        let [eve, zeek] = self.told;
        let mut sum = Disagreement {
            times: (self.since.replace(now).unwrap_or(now), now),
            suricata_drops: self.drops,
            zeek_loss_percent: self.loss_percent,
            log_only: std::mem::take(&mut self.log_only),
            ..Disagreement::default()
        };
        let mut still_open = false;
        for seen in join.seen_mut().filter(|seen| !seen.reported) {
            if now.since(seen.connection.end) < grace {
                still_open = true;
                continue;
            }
            seen.reported = true;
            // Both engines give an ICMP error to the flow that it quotes.
            let key = &seen.connection.key;
            if key.is_icmp() && key.reversed().source_port() == key.source_port() {
                continue;
            }
            sum.connections += 1;
            let [by_eve, by_zeek] = seen.told;
            for (origin, is_followed, told) in
                [(Origin::Eve, eve, by_eve), (Origin::Zeek, zeek, by_zeek)]
            {
                if is_followed {
                    *sum.kernel_only.entry(origin).or_default() += u64::from(!told);
                }
            }
        }
        sum.reasons = self.reasons(&sum, still_open);
        self.other_time = false;
        let differs = |counts: &BTreeMap<Origin, u64>| counts.values().any(|count| *count > 0);
        let is_worth_telling = differs(&sum.kernel_only) || differs(&sum.log_only);
        is_worth_telling.then_some(sum)
    }

    fn reasons(&self, sum: &Disagreement, still_open: bool) -> Vec<&'static str> {
        let of = |counts: &BTreeMap<Origin, u64>, origin| counts.get(&origin).copied() > Some(0);
        let mut reasons = Vec::new();
        if of(&sum.kernel_only, Origin::Eve) {
            reasons.push(match self.drops {
                Some((_, 1..)) => "Suricata's capture dropped packets",
                _ => "Suricata has not timed the flows out yet, bypasses them, or has no flow log",
            });
        }
        if of(&sum.kernel_only, Origin::Zeek) {
            reasons.push(match self.loss_percent {
                Some(percent) if percent > 0.0 => "Zeek's capture lost packets",
                _ => "Zeek writes a connection when it ends, and these may be open",
            });
        }
        if self.other_time {
            reasons.push("the clocks of the sensors differ by more than the skew allowed");
        }
        if sum.log_only.values().any(|count| *count > 0) {
            reasons.push("netsec does not watch that interface, started later, or lost records");
        }
        if still_open {
            reasons.push("some connections are still open and not compared yet");
        }
        reasons
    }
}
