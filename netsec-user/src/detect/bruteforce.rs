//! Guessing: short connections to one service that are alike, one after the other.

use std::net::IpAddr;

use indexmap::IndexSet;
use netsec_common::packet::protocol;

use super::Context;
use super::bounded::{Bounded, Kept};
use super::settings::Bruteforce;
use super::sighting::Sighting;
use super::statistics::{deviation, median};
use crate::connection::{Activity, EndCause, KeyHash, Outcome, tcp};
use crate::finding::{Evidence, Kind, Severity};
use crate::packet::names;
use crate::time::{Span, TimeSpan, WallTime};

/// Attempts of a pair that are kept: more than the highest limit by default.
const ATTEMPTS: usize = 128;

/// Attempts by source and service.
#[derive(Debug)]
pub(super) struct Guessing {
    pairs: Bounded<Pair, Attempts>,
    grown: IndexSet<Pair>,
}

type Pair = (IpAddr, IpAddr, u8, u16);

#[derive(Clone, Debug)]
struct Attempts {
    /// When each ended, and bytes of its answers.
    recent: Vec<(WallTime, u64)>,
    first: WallTime,
    last: WallTime,
    count: u64,
    proven: bool,
}

impl Kept for Attempts {
    fn rank(&self) -> usize {
        self.recent.len()
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

impl Guessing {
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
        let settings = &context.settings.bruteforce;
        if !is_attempt(activity, settings) {
            return;
        }
        let connection = &activity.connection;
        let key = &connection.key;
        let pair = (
            key.source(),
            key.destination(),
            key.protocol(),
            key.destination_port(),
        );
        let (limit, window) = limit(pair, settings);
        let (start, end) = (connection.start, connection.end);
        let attempts = self.pairs.entry(pair, || Attempts {
            recent: Vec::new(),
            first: start,
            last: end,
            count: 0,
            proven: false,
        });
        // What was long ago belongs to another campaign.
        if end.ns_since(attempts.last) > window.as_ns() {
            attempts.first = start;
            attempts.count = 0;
        }
        if attempts.recent.len() >= ATTEMPTS {
            attempts.recent.remove(0);
        }
        attempts.recent.push((end, connection.responder.bytes));
        attempts.count += 1;
        attempts.first = attempts.first.min(start);
        attempts.last = attempts.last.max(end);
        attempts.proven |= activity.is_proven();
        if attempts.recent.len() >= limit.min(ATTEMPTS) {
            self.grown.insert(pair);
        }
    }

    pub(super) fn look(&mut self, context: Context<'_>, sightings: &mut Vec<Sighting>) {
        for pair in std::mem::take(&mut self.grown) {
            if let Some(attempts) = self.pairs.get(&pair) {
                sightings.extend(sighting(pair, attempts, &context.settings.bruteforce));
            }
        }
    }
}

/// A connection that was opened, talked over, and closed again soon. Both sides have to have
/// spoken: what is refused is a scan's.
fn is_attempt(activity: &Activity, settings: &Bruteforce) -> bool {
    let connection = &activity.connection;
    let key = &connection.key;
    let port = key.destination_port();
    let spoken = |side: &crate::connection::Side| side.packets > 0;
    let is_service = match key.protocol() {
        protocol::TCP => activity.is_handshake() || activity.first_tcp_flags == (tcp::SYN, 0),
        // Kerberos asks by UDP first.
        protocol::UDP => port == 88,
        _ => false,
    };
    let is_over = match activity.ended {
        None | Some(EndCause::ActiveTimeout | EndCause::TableFull) => false,
        Some(EndCause::Closed | EndCause::TcpReuse | EndCause::IdleTimeout) => true,
        Some(EndCause::Shutdown) => {
            key.protocol() == protocol::UDP
                || connection.state() == crate::connection::State::Closed
        }
    };
    is_over
        && is_service
        && activity
            .outcome
            .is_none_or(|outcome| outcome == Outcome::Conversation)
        && spoken(&connection.originator)
        && spoken(&connection.responder)
        && connection.responder.bytes > connection.responder.packets.saturating_mul(40)
        && (key.protocol() == protocol::UDP || is_talk(activity))
        && !settings.ignore_ports.contains(&port)
        && connection.end.since(connection.start) <= settings.duration_max.get()
}

/// Whether both sides of TCP pushed data.
const fn is_talk(activity: &Activity) -> bool {
    let connection = &activity.connection;
    connection.originator.tcp_flags & connection.responder.tcp_flags & tcp::PSH != 0
}

/// How many attempts in how long a time.
fn limit((_, _, _, port): Pair, settings: &Bruteforce) -> (usize, TimeSpan) {
    match port {
        22 => (settings.ssh, settings.ssh_window),
        21 | 23 | 25 | 110 | 143 | 465 | 587 | 993 | 995 | 5900 => {
            (settings.login, settings.login_window)
        }
        3389 => (settings.rdp, settings.rdp_window),
        88 | 135 | 139 | 389 | 445 | 464 | 636 | 3268 => (settings.domain, settings.domain_window),
        _ => (settings.any, settings.any_window),
    }
}

fn sighting(pair: Pair, attempts: &Attempts, settings: &Bruteforce) -> Option<Sighting> {
    let (limit, window) = limit(pair, settings);
    let in_window = attempts
        .recent
        .iter()
        .filter(|(time, _)| attempts.last.ns_since(*time) <= window.as_ns());
    let mut sizes: Vec<f64> = in_window.map(|(_, bytes)| *bytes as f64).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let usual = median(&sizes);
    let spread = deviation(&sizes) / usual.max(1.0);
    if sizes.len() < limit.min(ATTEMPTS) || spread > settings.spread_max {
        return None;
    }
    let (attacker, victim, number, port) = pair;
    let high = attempts.count >= (limit.saturating_mul(settings.high)) as u64;
    let service = names::service(number, port).map_or_else(String::new, |name| format!(" {name}"));
    let time = attempts.last.since(attempts.first);
    Some(Sighting {
        kind: Kind::Bruteforce,
        severity: if high {
            Severity::High
        } else {
            Severity::Medium
        },
        attacker: attacker.into(),
        proven: attempts.proven,
        victim: victim.into(),
        service: Some((number, Some(port))),
        start: attempts.first,
        last: attempts.last,
        window: window.get(),
        evidence: Evidence::new()
            .count("attempts", attempts.count)
            .number("seconds", time.as_secs_f64())
            .number("answer_bytes_median", usual)
            .number("answer_bytes_spread", spread)
            .count("limit", limit as u64),
        message: format!(
            "{}{service} attempts in {}, answers of {usual:.0} B ± {:.0} %",
            attempts.count,
            Span(time),
            spread * 100.0
        ),
    })
}
