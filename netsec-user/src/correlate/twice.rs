//! Alerts that Suricata writes into `eve.json` and into `fast.log`.

use std::net::IpAddr;

use indexmap::IndexMap;
use netsec_common::packet::protocol;

use crate::log::{EventDetail, Record};
use crate::time::WallTime;

/// Alerts in a half; two halves are kept, about 20 MiB when a flood of alerts has filled them.
const HALF_MAX: usize = 1 << 16;

/// Knows alerts again that stand in both logs, whichever is read first.
///
/// A log may hold the same alert several times itself, so each is counted by log: what one log says more
/// often than the other is new.
#[derive(Debug, Default)]
pub struct ToldTwice {
    /// How often `eve.json` and `fast.log` had it.
    alerts: IndexMap<Key, [u32; 2]>,
    /// The ones before.
    older: IndexMap<Key, [u32; 2]>,
    repeats: u64,
}

/// An alert, as far as both logs say it. The time is in whole microseconds in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    time: WallTime,
    gid: u32,
    sid: u64,
    ends: Option<(IpAddr, u16, IpAddr, u16)>,
}

impl ToldTwice {
    /// Whether the record is an alert that the other log has told already.
    pub fn is_repeat(&mut self, record: &Record<'_>) -> bool {
        let Record::Event(event) = record else {
            return false;
        };
        let EventDetail::Alert(alert) = &event.detail else {
            return false;
        };
        let key = Key {
            time: event.time,
            gid: alert.gid,
            sid: alert.sid,
            ends: event.tuple.map(|tuple| {
                // What stands in place of ICMP's ports is not the same in both.
                let has_ports = matches!(
                    event.protocol.or(tuple.protocol),
                    Some(protocol::TCP | protocol::UDP | protocol::SCTP)
                );
                let port = |port| if has_ports { port } else { 0 };
                let (from, to) = (port(tuple.source_port), port(tuple.destination_port));
                (tuple.source, from, tuple.destination, to)
            }),
        };
        if self.alerts.len() >= HALF_MAX {
            self.older = std::mem::take(&mut self.alerts);
        }
        let older = self.older.swap_remove(&key).unwrap_or_default();
        let [eve, fast] = self.alerts.entry(key).or_insert(older);
        let (own, other) = if event.family() == "fast" {
            (fast, &*eve)
        } else {
            (eve, &*fast)
        };
        *own += 1;
        let is_repeat = *own <= *other;
        self.repeats += u64::from(is_repeat);
        is_repeat
    }

    /// Alerts that were told a second time.
    #[must_use]
    pub const fn repeats(&self) -> u64 {
        self.repeats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Decoder, Line, Wanted};

    fn fast(second: u8, port: u16) -> String {
        format!(
            "11/30/2026-13:46:{second:02}.032484  [**] [1:2001219:20] ET SCAN [**] [Classification: \
             Attempted Information Leak] [Priority: 2] {{TCP}} 198.51.100.7:{port} -> 10.0.0.2:22"
        )
    }

    fn eve(second: u8, port: u16) -> String {
        format!(
            "{{\"timestamp\":\"2026-11-30T13:46:{second:02}.032484+0000\",\"event_type\":\"alert\",\
             \"src_ip\":\"198.51.100.7\",\"src_port\":{port},\"dest_ip\":\"10.0.0.2\",\"dest_port\":22,\
             \"proto\":\"TCP\",\"alert\":{{\"gid\":1,\"signature_id\":2001219,\"rev\":20,\
             \"signature\":\"ET SCAN\",\"severity\":2}}}}"
        )
    }

    /// Which of the lines are repeats.
    fn repeats(lines: &[String]) -> Vec<bool> {
        let mut twice = ToldTwice::default();
        let mut decoder = Decoder::new(Wanted::Everything);
        let repeats: Vec<bool> = lines
            .iter()
            .map(|line| match decoder.decode(line.as_bytes()) {
                Line::Record(record) => twice.is_repeat(&record),
                Line::Ignored(_) | Line::Malformed(_) => panic!("{line}"),
            })
            .collect();
        let count = repeats.iter().filter(|repeat| **repeat).count();
        assert_eq!(twice.repeats(), count as u64);
        repeats
    }

    #[test]
    fn the_second_log_repeats_the_first_whichever_it_is() {
        let lines = [eve(1, 5), fast(1, 5), fast(2, 5), eve(2, 5), eve(2, 6)];
        assert_eq!(repeats(&lines), [false, true, false, true, false]);
    }

    #[test]
    fn what_one_log_has_several_times_counts_as_often() {
        let lines = [eve(1, 5), eve(1, 5), fast(1, 5), fast(1, 5), fast(1, 5)];
        assert_eq!(repeats(&lines), [false, false, true, true, false]);
    }

    #[test]
    fn a_flood_of_alerts_is_remembered_for_a_while_and_in_bounds() {
        let mut twice = ToldTwice::default();
        let mut decoder = Decoder::new(Wanted::Everything);
        let mut take = |line: String| match decoder.decode(line.as_bytes()) {
            Line::Record(record) => twice.is_repeat(&record),
            Line::Ignored(_) | Line::Malformed(_) => panic!("{line}"),
        };
        for second in 0..3 {
            for port in 0..u16::MAX {
                assert!(!take(eve(second, port)));
            }
        }
        assert!(take(fast(2, 9)) && take(fast(1, 9)));
        assert!(!take(fast(0, 9)), "too long ago");
        assert!(twice.alerts.len() + twice.older.len() <= 2 * HALF_MAX);
    }
}
