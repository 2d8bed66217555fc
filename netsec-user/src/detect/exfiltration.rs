//! Exfiltration: more goes out to one host than comes in, and than is usual.

use std::net::IpAddr;
use std::time::Duration;

use indexmap::IndexSet;

use super::Context;
use super::bounded::{Bounded, Kept};
use super::sighting::Sighting;
use crate::connection::{Activity, KeyHash};
use crate::finding::{Evidence, Kind, Severity};
use crate::time::{Span, WallTime};

const HOUR_NS: i64 = 3_600_000_000_000;

/// Bytes by pair and by host.
#[derive(Debug)]
pub(super) struct Exfiltrations {
    pairs: Bounded<(IpAddr, IpAddr), Transfer>,
    hosts: Bounded<IpAddr, History>,
    grown: IndexSet<(IpAddr, IpAddr)>,
}

/// What went between two hosts in the current window.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    known_since: WallTime,
    begin: WallTime,
    last: WallTime,
    out: u64,
    back: u64,
    proven: bool,
}

/// A host's hours.
#[derive(Clone, Copy, Debug)]
struct History {
    hour: WallTime,
    last: WallTime,
    out: u64,
    /// Most bytes out in an hour that is over.
    busiest: u64,
    hours: u64,
}

impl Kept for Transfer {
    fn rank(&self) -> usize {
        usize::from(self.out > 1_000_000) + usize::from(self.out > 10_000)
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl Kept for History {
    fn rank(&self) -> usize {
        usize::from(self.hours > 0) + 1
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl Exfiltrations {
    pub(super) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            pairs: Bounded::new(max, hash),
            hosts: Bounded::new(max, hash),
            grown: IndexSet::new(),
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.pairs.evicted() + self.hosts.evicted()
    }

    /// Counts what hosts of this site send on connections that they began: a server that serves
    /// is no leak.
    pub(super) fn activity(&mut self, activity: &Activity, context: Context<'_>) {
        let connection = &activity.connection;
        let (source, host) = (connection.key.source(), connection.key.destination());
        let outward = context.settings.is_home(source) && !context.settings.is_home(host);
        if !outward || super::network::is_group(host) || connection.responder.packets == 0 {
            return;
        }
        let settings = &context.settings.exfiltration;
        let (since, last) = (activity.since, connection.end);
        let transfer = self.pairs.entry((source, host), || Transfer {
            known_since: connection.start,
            begin: since,
            last,
            out: 0,
            back: 0,
            proven: false,
        });
        if last.ns_since(transfer.begin) > settings.window.as_ns() {
            (transfer.begin, transfer.out, transfer.back) = (since, 0, 0);
        }
        transfer.out += activity.sent.bytes;
        transfer.back += activity.answered.bytes;
        transfer.last = transfer.last.max(last);
        transfer.proven |= activity.is_proven();
        let is_large = transfer.out >= settings.bytes;
        let history = self.hosts.entry(source, || History {
            hour: last,
            last,
            out: 0,
            busiest: 0,
            hours: 0,
        });
        let hours = last.ns_since(history.hour) / HOUR_NS;
        if hours > 0 {
            history.busiest = history.busiest.max(history.out);
            history.hours += hours.unsigned_abs();
            history.hour = history.hour.plus_ns(hours * HOUR_NS);
            history.out = 0;
        }
        history.out += activity.sent.bytes;
        history.last = history.last.max(last);
        if is_large {
            self.grown.insert((source, host));
        }
    }

    pub(super) fn look(&mut self, context: Context<'_>, sightings: &mut Vec<Sighting>) {
        for pair in std::mem::take(&mut self.grown) {
            let history = self.hosts.get(&pair.0);
            if let (Some(transfer), Some(history)) = (self.pairs.get(&pair), history) {
                sightings.extend(sighting(pair, transfer, history, context));
            }
        }
    }
}

fn sighting(
    (attacker, victim): (IpAddr, IpAddr),
    transfer: &Transfer,
    history: &History,
    context: Context<'_>,
) -> Option<Sighting> {
    let settings = &context.settings.exfiltration;
    let ratio = transfer.out as f64 / transfer.back.max(1) as f64;
    let is_new = transfer.known_since >= transfer.begin;
    let usual = transfer.out as f64 / history.busiest.max(1) as f64;
    let unusual = history.hours == 0 || usual >= settings.usual;
    if ratio < settings.ratio || !is_new && !unusual || history.hours > 0 && !unusual {
        return None;
    }
    let learned = history.hours >= settings.history_hours;
    let severity = match (learned, is_new) {
        (true, true) => Severity::High,
        (true, false) | (false, true) => Severity::Medium,
        (false, false) => Severity::Low,
    };
    let time = transfer.last.since(transfer.begin);
    let megabytes = transfer.out as f64 / 1e6;
    let history_text = match history.hours {
        0 => "no hour of history".to_owned(),
        hours => format!("{usual:.1} × the busiest of {hours} hours"),
    };
    let first = if is_new { ", first contact" } else { "" };
    Some(Sighting {
        kind: Kind::Exfiltration,
        severity,
        attacker: attacker.into(),
        proven: transfer.proven,
        victim: victim.into(),
        service: None,
        start: transfer.begin,
        last: transfer.last,
        window: Duration::ZERO,
        evidence: Evidence::new()
            .count("bytes_out", transfer.out)
            .count("bytes_in", transfer.back)
            .number("ratio", ratio)
            .flag("first_contact", is_new)
            .count("history_hours", history.hours)
            .count("busiest_hour_bytes", history.busiest)
            .number("seconds", time.as_secs_f64()),
        message: format!(
            "{megabytes:.0} MB out in {}, {ratio:.0} × what came in, {history_text}{first}",
            Span(time)
        ),
    })
}
