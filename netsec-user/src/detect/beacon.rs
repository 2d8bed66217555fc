//! Beacons: connections at regular times, alike in size, by the four subscores of RITA.

mod score;

use std::net::IpAddr;

use indexmap::IndexSet;

use self::score::{Contact, score};
use super::Context;
use super::bounded::{Bounded, Kept};
use super::settings::Beacon;
use super::sighting::Sighting;
use crate::connection::{Activity, EndCause, KeyHash};
use crate::finding::{Evidence, Kind, Severity};
use crate::time::{Span, WallTime};

/// Contacts of a pair that are kept.
const CONTACTS: usize = 128;
/// Contacts after which a pair is scored again.
const STEP: u64 = 4;

/// Contacts by host and service.
#[derive(Debug)]
pub(super) struct Beacons {
    pairs: Bounded<Pair, Contacts>,
    grown: IndexSet<Pair>,
}

type Pair = (IpAddr, IpAddr, u8, u16);

#[derive(Clone, Debug)]
struct Contacts {
    /// In the order in which they ended.
    recent: Vec<Contact>,
    first: WallTime,
    last: WallTime,
    count: u64,
    proven: bool,
}

impl Kept for Contacts {
    fn rank(&self) -> usize {
        self.recent.len()
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl Beacons {
    pub(super) fn new(max: usize, hash: &KeyHash) -> Self {
        Self {
            pairs: Bounded::new(max, hash),
            grown: IndexSet::new(),
        }
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.pairs.evicted()
    }

    pub(super) fn activity(&mut self, activity: &Activity, context: Context<'_>) {
        let connection = &activity.connection;
        let key = &connection.key;
        let settings = &context.settings.beacon;
        let Some(cause) = activity.ended else { return };
        // Attempts that failed say how often a host tries, not that anybody calls it back.
        let failed = connection.originator.packets == 0 || connection.responder.bytes < 40;
        let refused = key.protocol() == netsec_common::packet::protocol::TCP
            && connection.responder.tcp_flags & crate::connection::tcp::SYN == 0;
        let is_home = |address| context.settings.is_home(address);
        let inward = is_home(key.destination());
        if cause == EndCause::TableFull
            || failed
            || refused
            || inward
            || !key.has_ports()
            || settings.ignore_ports.contains(&key.destination_port())
        {
            return;
        }
        let pair = (
            key.source(),
            key.destination(),
            key.protocol(),
            key.destination_port(),
        );
        let contacts = self.pairs.entry(pair, || Contacts {
            recent: Vec::new(),
            first: connection.start,
            last: connection.start,
            count: 0,
            proven: false,
        });
        if contacts.recent.len() >= CONTACTS {
            contacts.recent.remove(0);
        }
        contacts.recent.push(Contact {
            time: connection.start,
            bytes: connection.originator.bytes,
        });
        contacts.count += 1;
        contacts.first = contacts.first.min(connection.start);
        contacts.last = contacts.last.max(connection.start);
        contacts.proven |= activity.is_proven();
        let enough = contacts.recent.len() >= settings.connections;
        if enough && (contacts.count - settings.connections as u64).is_multiple_of(STEP) {
            self.grown.insert(pair);
        }
    }

    pub(super) fn look(&mut self, context: Context<'_>, sightings: &mut Vec<Sighting>) {
        for pair in std::mem::take(&mut self.grown) {
            if let Some(contacts) = self.pairs.get(&pair) {
                sightings.extend(sighting(pair, contacts, context));
            }
        }
    }
}

fn sighting(pair: Pair, contacts: &Contacts, context: Context<'_>) -> Option<Sighting> {
    let settings: &Beacon = &context.settings.beacon;
    let mut recent = contacts.recent.clone();
    recent.sort_unstable_by_key(|contact| (contact.time, contact.bytes));
    // What was kept may reach back less far than the traffic: then it is judged by its own span.
    let oldest = recent.first()?.time;
    let dropped = contacts.count > recent.len() as u64;
    let begin = if dropped {
        oldest
    } else {
        context.began.min(oldest)
    };
    let window_begin = context.now.plus_ns(-settings.window.as_ns());
    let score = score(&recent, begin.max(window_begin), context.now, settings)?;
    if score.total < settings.score || score.interval < settings.interval_min.get().as_secs_f64() {
        return None;
    }
    let (attacker, victim, number, port) = pair;
    let severity = if score.total >= settings.medium {
        Severity::Medium
    } else {
        Severity::Low
    };
    let time = contacts.last.since(contacts.first);
    Some(Sighting {
        kind: Kind::Beacon,
        severity,
        attacker: attacker.into(),
        proven: contacts.proven,
        victim: victim.into(),
        service: Some((number, Some(port))),
        start: contacts.first,
        last: contacts.last,
        // A day is scored at once, so that the next contacts would be more of the same.
        window: settings.window.get(),
        evidence: Evidence::new()
            .number("score", score.total)
            .number("interval_score", score.intervals)
            .number("size_score", score.sizes)
            .number("duration_score", score.duration)
            .number("histogram_score", score.histogram)
            .count("connections", contacts.count)
            .number("interval_seconds", score.interval)
            .number("interval_deviation_seconds", score.interval_deviation)
            .number("bytes", score.bytes),
        message: format!(
            "{} connections in {}, one every {:.2} s ± {:.2} s, {:.0} B each, score {:.2}",
            contacts.count,
            Span(time),
            score.interval,
            score.interval_deviation,
            score.bytes,
            score.total
        ),
    })
}
