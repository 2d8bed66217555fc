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
    /// Packets that Suricata's capture had, and those it was too slow for, between its latest two
    /// statistics; since its start while there is one only.
    pub suricata_drops: Option<(u64, u64)>,
    /// The worst share of packets that a worker of Zeek's did not see, percent, as told last.
    pub zeek_loss_percent: Option<f64>,
    /// Frames that netsec saw, and those of them that it cannot account for.
    pub netsec_losses: Option<(u64, u64)>,
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
    /// Suricata's counters as told last, and what they grew by then.
    drops: Option<((u64, u64), (u64, u64))>,
    loss_percent: Option<f64>,
    /// Zeek has told of its losses since the last report.
    loss_is_new: bool,
    own: Option<(u64, u64)>,
}

impl Disagreements {
    /// Takes what a record says of its own sensor; true when it says nothing else.
    pub fn record(&mut self, record: &Record<'_>) -> bool {
        let [by_eve, by_zeek] = &mut self.told;
        match record {
            Record::Event(event) => {
                *by_eve |= matches!(event.detail, EventDetail::Flow(_));
                if let EventDetail::Stats(stats) = &event.detail {
                    if let Some(capture) = stats.capture {
                        self.captured(capture.kernel_packets, capture.kernel_drops);
                    }
                    return true;
                }
            }
            Record::Zeek(zeek) => {
                *by_zeek |= matches!(zeek.detail, Detail::Conn(_));
                if let Detail::CaptureLoss(loss) = &zeek.detail {
                    let percent = loss.percent.unwrap_or_default();
                    // Each worker has a row of its own.
                    let known = self.loss_percent.filter(|_| self.loss_is_new);
                    self.loss_percent = Some(known.unwrap_or_default().max(percent));
                    self.loss_is_new = true;
                    return true;
                }
            }
        }
        false
    }

    fn captured(&mut self, packets: u64, drops: u64) {
        let before = self.drops.map(|(told, _)| told);
        // Counters that became smaller are those of another start.
        let before = before.filter(|(before, _)| *before <= packets);
        let (packets_before, drops_before) = before.unwrap_or_default();
        let grown = (packets - packets_before, drops.saturating_sub(drops_before));
        self.drops = Some(((packets, drops), grown));
    }

    /// Takes how many frames netsec saw in the interval, and how many of them it cannot account for.
    pub const fn counted(&mut self, frames: u64, lost: u64) {
        self.own = Some((frames, lost));
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
            suricata_drops: self.drops.map(|(_, grown)| grown),
            zeek_loss_percent: self.loss_percent,
            netsec_losses: self.own.take(),
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
        self.loss_is_new = false;
        let differs = |counts: &BTreeMap<Origin, u64>| counts.values().any(|count| *count > 0);
        let is_worth_telling = differs(&sum.kernel_only) || differs(&sum.log_only);
        is_worth_telling.then_some(sum)
    }

    fn reasons(&self, sum: &Disagreement, still_open: bool) -> Vec<&'static str> {
        let of = |counts: &BTreeMap<Origin, u64>, origin| counts.get(&origin).copied() > Some(0);
        let mut reasons = Vec::new();
        if of(&sum.kernel_only, Origin::Eve) {
            reasons.push(match sum.suricata_drops {
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
            reasons.push(match sum.netsec_losses {
                Some((_, 1..)) => "netsec lost frames",
                _ => "netsec does not watch that interface, or started later",
            });
        }
        if still_open {
            reasons.push("some connections are still open and not compared yet");
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{FlowKey, Vlan};

    use super::super::join::{JoinOutcome, JoinSettings};
    use super::super::row::Row;
    use super::super::site::Site;
    use super::*;
    use crate::event::FlowDelta;
    use crate::hook::HookId;
    use crate::log::{Decoder, Line, Wanted};

    const SECOND: i64 = 1_000_000_000;
    const GRACE: Duration = Duration::from_secs(120);

    /// A join and the reports on it.
    struct Rig {
        join: Join,
        reports: Disagreements,
    }

    impl Rig {
        fn new() -> Self {
            Self {
                join: Join::new(JoinSettings::default()),
                reports: Disagreements::default(),
            }
        }

        /// A connection that netsec counts.
        fn connection(&mut self, port: u16, seconds: i64) {
            let (source, destination) = (([10, 0, 0, 1], port).into(), ([10, 0, 0, 2], 443).into());
            let key = FlowKey::from_endpoints(source, destination, 6, Vlan::default());
            let delta = FlowDelta {
                hook: HookId(0),
                key,
                first: WallTime::from_ns(seconds * SECOND),
                last: WallTime::from_ns(seconds * SECOND),
                packets: 1,
                bytes: 60,
                tcp_flags: 2,
                first_tcp_flags: 2,
                opened: true,
                ended: None,
            };
            self.join.delta(&delta, &key, true);
        }

        /// A line of a log.
        fn line(&mut self, line: &str) {
            let mut decoder = Decoder::new(Wanted::Everything);
            let Line::Record(record) = decoder.decode(line.as_bytes()) else {
                panic!("{line}");
            };
            if self.reports.record(&record) {
                return;
            }
            let row = Row::of(&record, &Site::default());
            let now = row.time;
            self.join.row(row, now);
            let reports = &mut self.reports;
            self.join.settle(now, true, |outcome| {
                if let JoinOutcome::Unjoined(unjoined) = outcome {
                    reports.unjoined(unjoined.row.origin, unjoined.why);
                }
            });
        }

        fn zeek(&mut self, port: u16, seconds: i64) {
            self.line(&format!(
                "{{\"ts\":{seconds}.0,\"_path\":\"conn\",\"id.orig_h\":\"10.0.0.1\",\"id.orig_p\":{port},\
                 \"id.resp_h\":\"10.0.0.2\",\"id.resp_p\":443,\"proto\":\"tcp\",\"conn_state\":\"S0\"}}"
            ));
        }

        fn stats(&mut self, packets: u64, drops: u64) {
            self.line(&format!(
                "{{\"timestamp\":\"2021-06-06T15:59:46Z\",\"event_type\":\"stats\",\"stats\":{{\"uptime\":1,\
                 \"capture\":{{\"kernel_packets\":{packets},\"kernel_drops\":{drops}}}}}}}"
            ));
        }

        fn report(&mut self, seconds: i64) -> Option<Disagreement> {
            let now = WallTime::from_ns(seconds * SECOND);
            self.reports.sum_up(&mut self.join, now, GRACE)
        }
    }

    #[test]
    fn each_interval_says_what_is_new_in_it() {
        let mut rig = Rig::new();
        for port in 1000..1010 {
            rig.connection(port, 100);
        }
        // Zeek tells of eight of the ten, and of one that nobody else saw.
        for port in 1002..1010 {
            rig.zeek(port, 100);
        }
        rig.zeek(2000, 100);
        // All are too young to be missed.
        let sum = rig.report(150).unwrap();
        assert_eq!(
            (sum.connections, sum.log_only.get(&Origin::Zeek)),
            (0, Some(&1))
        );
        rig.connection(3000, 400);
        let sum = rig.report(410).unwrap();
        assert_eq!(
            (sum.connections, sum.kernel_only.get(&Origin::Zeek)),
            (10, Some(&2))
        );
        assert_eq!(
            sum.kernel_only.get(&Origin::Eve),
            None,
            "no EVE flow record ever came"
        );
        assert!(
            sum.reasons.iter().any(|why| why.contains("still open")),
            "{sum:?}"
        );
        // What was said is not said again.
        assert_eq!(rig.report(420), None);
        let sum = rig.report(900).unwrap();
        assert_eq!(
            (sum.connections, sum.kernel_only.get(&Origin::Zeek)),
            (1, Some(&1))
        );
    }

    #[test]
    fn losses_of_each_sensor_are_shown_and_are_the_reason() {
        let mut rig = Rig::new();
        rig.connection(1000, 100);
        rig.line(
            "{\"timestamp\":\"1970-01-01T00:01:40Z\",\"event_type\":\"flow\",\"src_ip\":\"10.0.0.1\",\
             \"src_port\":7,\"dest_ip\":\"10.0.0.2\",\"dest_port\":443,\"proto\":\"TCP\",\"flow\":{}}",
        );
        rig.stats(1_000, 5);
        rig.stats(3_000, 25);
        rig.line("{\"ts\":100.0,\"_path\":\"capture_loss\",\"peer\":\"a\",\"percent_lost\":0.5}");
        rig.line("{\"ts\":100.0,\"_path\":\"capture_loss\",\"peer\":\"b\",\"percent_lost\":2.5}");
        rig.reports.counted(900, 3);
        let sum = rig.report(400).unwrap();
        assert_eq!(sum.suricata_drops, Some((2_000, 20)));
        assert_eq!(sum.zeek_loss_percent, Some(2.5));
        assert_eq!(sum.netsec_losses, Some((900, 3)));
        assert_eq!(sum.log_only.get(&Origin::Eve), Some(&1));
        let expected = ["Suricata's capture dropped packets", "netsec lost frames"];
        assert_eq!(sum.reasons, expected);
        // No packets were dropped since, and Suricata was started anew.
        rig.connection(1001, 500);
        rig.stats(500, 0);
        let sum = rig.report(900).unwrap();
        assert_eq!(sum.suricata_drops, Some((500, 0)));
        assert!(!sum.reasons.contains(&expected[0]), "{sum:?}");
        assert_eq!(sum.netsec_losses, None);
    }
}
