//! What one host, or one pair of hosts, did in the window that runs and in the one before.

use super::WINDOW;
use crate::connection::{Activity, Outcome};
use crate::detect::bounded::Kept;
use crate::detect::distinct::Distinct;
use crate::time::WallTime;

/// Windows that the usual is a mean of: a day's.
const USUAL_WINDOWS: u32 = 288;

/// Two windows, and what was usual before.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    index: i64,
    current: Counts,
    before: Figures,
    /// Mean bytes of the windows that are over, and of how many.
    usual_bytes: f64,
    usual_windows: u32,
    /// First and latest beginning of a connection.
    pub(super) first: WallTime,
    latest: WallTime,
    opened: u64,
    last: WallTime,
}

/// What is counted in a window.
#[derive(Clone, Debug, Default)]
struct Counts {
    connections: u64,
    hosts: Distinct,
    services: Distinct,
    new_pairs: u64,
    decided: u64,
    failed: u64,
    bytes_out: u64,
}

/// The same as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) connections: f64,
    pub(super) hosts: f64,
    pub(super) services: f64,
    pub(super) new_pairs: f64,
    pub(super) decided: f64,
    pub(super) failed: f64,
    pub(super) bytes_out: f64,
}

impl Kept for Windows {
    fn rank(&self) -> usize {
        usize::try_from(self.opened).unwrap_or(usize::MAX)
    }

    fn last(&self) -> WallTime {
        self.last
    }
}

/// The number of the window that a moment is in.
pub(super) fn index(now: WallTime) -> i64 {
    let window_ns = i64::try_from(WINDOW.as_nanos()).unwrap_or(i64::MAX);
    now.as_ns().div_euclid(window_ns)
}

impl Windows {
    pub(super) fn new(start: WallTime, now: WallTime) -> Self {
        Self {
            index: index(now),
            current: Counts::default(),
            before: Figures::default(),
            usual_bytes: 0.0,
            usual_windows: 0,
            first: start,
            latest: start,
            opened: 0,
            last: start,
        }
    }

    /// Adds what a connection did. `host` and `service` are hashes, and counted when it opened.
    pub(super) fn add(&mut self, activity: &Activity, host: Option<u64>, service: u64, now: i64) {
        self.roll(now);
        let connection = &activity.connection;
        let current = &mut self.current;
        if activity.opened {
            self.first = self.first.min(connection.start);
            self.latest = self.latest.max(connection.start);
            self.opened += 1;
            current.connections += 1;
            current.services.insert(service);
            if let Some(host) = host {
                current.hosts.insert(host);
            }
        }
        if let Some(outcome) = activity.outcome {
            current.decided += 1;
            current.failed += u64::from(is_failure(outcome));
        }
        current.bytes_out += activity.sent.bytes;
        self.last = self.last.max(connection.end);
    }

    /// Counts a host met for the first time.
    pub(super) const fn meet(&mut self) {
        self.current.new_pairs += 1;
    }

    /// The larger figures of the window that runs and the one before; shares are of both.
    pub(super) fn figures(&self, now: i64) -> Figures {
        let (a, b) = match now - self.index {
            ..=0 => (self.current.figures(), self.before),
            1 => (Figures::default(), self.current.figures()),
            _ => <(Figures, Figures)>::default(),
        };
        Figures {
            connections: a.connections.max(b.connections),
            hosts: a.hosts.max(b.hosts),
            services: a.services.max(b.services),
            new_pairs: a.new_pairs.max(b.new_pairs),
            decided: a.decided + b.decided,
            failed: a.failed + b.failed,
            bytes_out: a.bytes_out.max(b.bytes_out),
        }
    }

    /// Bytes of the window that runs, over what was usual; NaN without a window before.
    pub(super) fn bytes_over_usual(&self) -> f64 {
        if self.usual_windows == 0 {
            return f64::NAN;
        }
        self.current.bytes_out as f64 / self.usual_bytes.max(1.0)
    }

    /// Mean seconds between the beginnings of connections; NaN with one.
    pub(super) fn interval(&self) -> f64 {
        match self.opened.checked_sub(1) {
            None | Some(0) => f64::NAN,
            Some(gaps) => self.latest.since(self.first).as_secs_f64() / gaps as f64,
        }
    }

    fn roll(&mut self, now: i64) {
        let gone = now - self.index;
        if gone <= 0 {
            return;
        }
        let figures = self.current.figures();
        if figures.bytes_out > 0.0 {
            self.usual_windows = (self.usual_windows + 1).min(USUAL_WINDOWS);
            let difference = figures.bytes_out - self.usual_bytes;
            self.usual_bytes += difference / f64::from(self.usual_windows);
        }
        self.before = if gone == 1 {
            figures
        } else {
            Figures::default()
        };
        self.current = Counts::default();
        self.index = now;
    }
}

impl Counts {
    fn figures(&self) -> Figures {
        Figures {
            connections: self.connections as f64,
            hosts: self.hosts.count() as f64,
            services: self.services.count() as f64,
            new_pairs: self.new_pairs as f64,
            decided: self.decided as f64,
            failed: self.failed as f64,
            bytes_out: self.bytes_out as f64,
        }
    }
}

impl Figures {
    /// Share of decided connections that failed; NaN without one.
    pub(super) fn failed_share(&self) -> f64 {
        self.failed / self.decided
    }
}

/// Whether nothing came of a connection.
pub(super) const fn is_failure(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Empty | Outcome::Refused | Outcome::Silent => true,
        Outcome::Conversation | Outcome::Unasked => false,
    }
}
