//! What a block would cut, by the live connection table.

use std::fmt;
use std::net::IpAddr;

use netsec_common::block::{Narrowing, Prefix};
use netsec_common::packet::FlowKey;

use super::Guard;
use crate::connection::{ConnectionTable, RecentTraffic, State};
use crate::time::WallTime;

/// What a block would cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Connections with packets both ways that lose those of one side.
    pub established: u64,
    /// Connections within the prefix that go on, because their address always passes.
    pub spared: u64,
    /// Bytes between the prefix and everybody else in the last minute, both ways.
    pub bytes: u64,
    /// Bytes of everybody in the last minute.
    pub bytes_total: u64,
    /// Whether addresses were too many to keep the bytes of each: `bytes` is a lower bound then.
    pub is_partial: bool,
}

/// Looks at what is going on: connections, and bytes of the last minute.
#[must_use]
pub fn cut(
    prefix: Prefix,
    narrowing: Narrowing,
    guard: &Guard,
    connections: &ConnectionTable,
    recent: &RecentTraffic,
    now: WallTime,
) -> Cut {
    let mut cut = Cut::default();
    for connection in connections.touching(prefix) {
        if connection.state() != State::Established {
            continue;
        }
        let ends = [
            (connection.key.source(), connection.key),
            (connection.key.destination(), connection.key.reversed()),
        ];
        let is_met = |(address, sent): &(IpAddr, FlowKey)| {
            prefix.contains(*address) && matches(narrowing, sent)
        };
        let mut met = ends.iter().filter(|end| is_met(end)).peekable();
        if met.peek().is_none() {
            continue;
        }
        if met.all(|(address, _)| guard.passes(*address)) {
            cut.spared += 1;
        } else {
            cut.established += 1;
        }
    }
    let recently = recent.of(now, |address| {
        prefix.contains(address) && !guard.passes(address)
    });
    cut.bytes = recently.bytes;
    cut.bytes_total = recently.bytes_total;
    cut.is_partial = recently.is_partial;
    cut
}

/// Whether what this flow's source sends is meant.
fn matches(narrowing: Narrowing, sent: &FlowKey) -> bool {
    match narrowing {
        Narrowing::Any => true,
        Narrowing::Protocol(protocol) => sent.protocol() == protocol,
        Narrowing::Port { protocol, port } => {
            sent.protocol() == protocol && sent.has_ports() && sent.destination_port() == port
        }
    }
}

impl fmt::Display for Cut {
    /// `14 established connections, 3 % of bytes in the last minute, 2 more are protected and go on`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.established == 1 { "" } else { "s" };
        write!(f, "{} established connection{plural}", self.established)?;
        let at_least = if self.is_partial { "at least " } else { "" };
        match (self.bytes.saturating_mul(1000)).checked_div(self.bytes_total) {
            None => f.write_str(", no traffic in the last minute")?,
            Some(_) if self.bytes == 0 => f.write_str(", no bytes in the last minute")?,
            Some(0) => {
                write!(f, ", less than 0.1 % of bytes in the last minute")?;
            }
            Some(share) if share < 100 => {
                let (whole, tenth) = (share / 10, share % 10);
                write!(
                    f,
                    ", {at_least}{whole}.{tenth} % of bytes in the last minute"
                )?;
            }
            Some(share) => {
                let percent = (share + 5) / 10;
                write!(f, ", {at_least}{percent} % of bytes in the last minute")?;
            }
        }
        match self.spared {
            0 => Ok(()),
            1 => f.write_str(", 1 more is protected and goes on"),
            more => write!(f, ", {more} more are protected and go on"),
        }
    }
}
