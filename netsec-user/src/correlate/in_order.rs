//! Connections from logs, put in the order in which they ended.

use std::collections::BTreeMap;

use crate::connection::Activity;
use crate::time::WallTime;

/// How long after a connection's last packet its row may come, nanoseconds: Suricata writes an
/// established TCP flow ten minutes after it, Zeek five, but one of SSH an hour
/// (`Conn::port_inactivity_timeouts`).
const WAIT_NS: i64 = 65 * 60 * 1_000_000_000;

/// Rows that are held, about 60 MB; beyond it the oldest goes on early.
const ROWS_MAX: usize = 1 << 18;

/// Rows that wait for others that may come before them.
#[derive(Debug, Default)]
pub struct InOrder {
    rows: BTreeMap<(WallTime, u64), Activity>,
    taken: u64,
    latest: WallTime,
    /// The end of the last one that went on.
    passed: WallTime,
    late: u64,
}

impl InOrder {
    /// Takes a row in, and gives those that nothing can come before any more.
    pub fn push(&mut self, activity: Activity, mut each: impl FnMut(&Activity)) {
        let end = activity.connection.end;
        self.taken += 1;
        self.late += u64::from(end < self.passed);
        self.latest = self.latest.max(end);
        self.rows.insert((end, self.taken), activity);
        let ripe = self.latest.plus_ns(-WAIT_NS);
        while let Some(first) = self.rows.first_entry() {
            if first.key().0 > ripe && self.rows.len() <= ROWS_MAX {
                break;
            }
            self.pass(&mut each);
        }
    }

    /// Gives the rest.
    pub fn finish(&mut self, mut each: impl FnMut(&Activity)) {
        while !self.rows.is_empty() {
            self.pass(&mut each);
        }
    }

    /// Rows taken in.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// Rows that came after a later one had gone on: more than an hour out of order.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// The end of the last connection.
    #[must_use]
    pub const fn latest(&self) -> WallTime {
        self.latest
    }

    fn pass(&mut self, each: &mut impl FnMut(&Activity)) {
        if let Some(((end, _), activity)) = self.rows.pop_first() {
            self.passed = self.passed.max(end);
            each(&activity);
        }
    }
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::{FlowKey, Vlan, protocol};

    use super::*;
    use crate::connection::{Connection, Side};
    use crate::hook::HookId;

    fn row(end_s: i64) -> Activity {
        let ends = ["10.0.0.1:1", "10.0.0.2:2"].map(|end| end.parse().unwrap());
        let end = WallTime::from_ns(end_s * 1_000_000_000);
        Activity {
            connection: Connection {
                hook: HookId(0),
                key: FlowKey::from_endpoints(ends[0], ends[1], protocol::TCP, Vlan::default()),
                start: end,
                end,
                originator: Side::default(),
                responder: Side::default(),
            },
            sent: Side::default(),
            answered: Side::default(),
            since: end,
            first_tcp_flags: (0, 0),
            opened: true,
            outcome: None,
            ended: None,
        }
    }

    #[test]
    fn rows_come_out_by_their_ends_and_late_ones_are_counted() {
        let mut rows = InOrder::default();
        let mut ends = Vec::new();
        for end in [100, 40, 700, 500, 9000, 10] {
            rows.push(row(end), |activity| {
                ends.push(activity.connection.end.as_ns() / 1_000_000_000);
            });
        }
        assert_eq!(ends, [40, 100, 500, 700, 10]);
        rows.finish(|activity| ends.push(activity.connection.end.as_ns() / 1_000_000_000));
        assert_eq!(ends, [40, 100, 500, 700, 10, 9000]);
        assert_eq!((rows.taken(), rows.late()), (6, 1));
    }
}
