//! Evidence gathered by offender, and what it adds up to.

mod id;
mod risk;
mod traffic;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

pub use self::id::{IncidentId, NoIncidentId};
pub use self::risk::{Risk, Term};
pub use self::traffic::Traffic;

use super::evidence::{Evidence, EvidenceKind, Observer};
use crate::connection::Connection;
use crate::finding::{Kind, Severity, State};
use crate::time::WallTime;

/// Entries of a timeline that are kept from its beginning; the rest is the latest.
const TIMELINE_FIRST: usize = 16;
/// Entries of a timeline.
const TIMELINE_MAX: usize = 64;
/// Victims, signatures, notices and findings of one offender that are told apart: an offender takes
/// 100 KiB at most.
const DISTINCT_MAX: usize = 256;

/// What speaks against one offender.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Who.
    pub offender: IpAddr,
    /// Whether it may be called an attacker: it is neither local nor trusted.
    pub is_attacker: bool,
    /// The evidence that came first; with the offender it names the incident.
    begin: WallTime,
    /// First and last evidence.
    pub times: (WallTime, WallTime),
    /// Alerts that are no noise.
    pub alerts: u64,
    /// Alerts about checksums, decoder, stream and protocol events.
    pub noise: u64,
    /// The worst severity of an alert that is no noise; 255 without one.
    pub severity: u8,
    /// Signatures, by number, with their message.
    pub signatures: BTreeMap<u64, String>,
    /// Zeek's notices by kind.
    pub notices: BTreeMap<String, u64>,
    /// Findings of netsec's detectors, by the campaign's number.
    pub findings: BTreeMap<u64, Found>,
    /// Its connections, by who tells of them.
    pub contacts: BTreeMap<Observer, Contacts>,
    /// Whether anybody answered it, where that is known.
    pub answered: Option<bool>,
    /// Whom it was done to.
    pub victims: BTreeSet<IpAddr>,
    /// What netsec counted of the connections that evidence was joined to and, live, of all that it
    /// has had since.
    pub traffic: Traffic,
    /// What happened, in order of time.
    pub timeline: VecDeque<Moment>,
    /// Entries that the timeline has no room for.
    pub timeline_left_out: u64,
}

/// What a detector found, as of its latest step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// How much it matters, at its worst.
    pub severity: Severity,
    /// In words, with the figures.
    pub message: String,
}

/// Connections that an offender began, as one observer has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contacts {
    /// Tries that were refused, not answered or given up.
    pub attempts: u64,
    /// Connections in which both sides spoke.
    pub contacts: u64,
}

/// An entry of a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When.
    pub time: WallTime,
    /// Whom it was done to.
    pub victim: Option<IpAddr>,
    /// What.
    pub kind: EvidenceKind,
}

impl Incident {
    pub(super) fn new(evidence: &Evidence) -> Self {
        Self {
            offender: evidence.offender,
            is_attacker: evidence.is_attacker,
            begin: evidence.time,
            times: (evidence.time, evidence.time),
            alerts: 0,
            noise: 0,
            severity: u8::MAX,
            signatures: BTreeMap::new(),
            notices: BTreeMap::new(),
            findings: BTreeMap::new(),
            contacts: BTreeMap::new(),
            answered: None,
            victims: BTreeSet::new(),
            traffic: Traffic::default(),
            timeline: VecDeque::new(),
            timeline_left_out: 0,
        }
    }

    pub(super) fn add(&mut self, evidence: Evidence, connection: Option<&Connection>) {
        let Evidence {
            time,
            victim,
            answered,
            kind,
            ..
        } = evidence;
        self.answered = self.answered.max(answered);
        self.times = (self.times.0.min(time), self.times.1.max(time));
        if self.victims.len() < DISTINCT_MAX {
            self.victims.extend(victim);
        }
        if let Some(connection) = connection {
            self.traffic.set(connection);
        }
        match &kind {
            EvidenceKind::Alert { noise: true, .. } => self.noise += 1,
            EvidenceKind::Alert {
                sid,
                signature,
                severity,
                ..
            } => self.alerted(*sid, signature, *severity),
            EvidenceKind::Notice { note, .. } => {
                if self.notices.len() < DISTINCT_MAX || self.notices.contains_key(note) {
                    *self.notices.entry(note.clone()).or_default() += 1;
                }
            }
            EvidenceKind::Contact(outcome, observer) => {
                let seen = self.contacts.entry(*observer).or_default();
                if outcome.is_contact() {
                    seen.contacts += 1;
                } else {
                    seen.attempts += 1;
                }
            }
            EvidenceKind::Finding {
                id,
                kind,
                severity,
                message,
                ..
            } => self.found(*id, *kind, *severity, message),
        }
        // Connections, and the steps between a campaign's begin and end, are too many for a timeline.
        let is_step = matches!(
            kind,
            EvidenceKind::Contact(..)
                | EvidenceKind::Finding {
                    state: State::Update,
                    ..
                }
        );
        if !is_step {
            self.remember(Moment { time, victim, kind });
        }
    }

    fn alerted(&mut self, sid: u64, signature: &str, severity: u8) {
        self.alerts += 1;
        self.severity = self.severity.min(severity);
        if self.signatures.len() < DISTINCT_MAX {
            self.signatures.insert(sid, signature.to_owned());
        }
    }

    fn found(&mut self, id: u64, kind: Kind, severity: Severity, message: &str) {
        if self.findings.len() >= DISTINCT_MAX && !self.findings.contains_key(&id) {
            return;
        }
        let known = self.findings.get(&id).map(|known| known.severity);
        let found = Found {
            kind,
            severity: known.map_or(severity, |known| known.max(severity)),
            message: message.to_owned(),
        };
        self.findings.insert(id, found);
    }

    /// Logs are read one after another, and alerts come late: what is told last may have been first.
    fn remember(&mut self, moment: Moment) {
        let later = self.timeline.iter().rev();
        let later = later.take_while(|known| known.time > moment.time).count();
        self.timeline.insert(self.timeline.len() - later, moment);
        if self.timeline.len() > TIMELINE_MAX {
            self.timeline.remove(TIMELINE_FIRST);
            self.timeline_left_out += 1;
        }
    }

    /// A name for it, the same in every run over the same evidence: `i` and 13 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> IncidentId {
        IncidentId::new(self.offender, self.begin)
    }

    /// Tries and connections, as the observer has them that tells of most.
    #[must_use]
    pub fn most_contacts(&self) -> Contacts {
        let most = |pick: fn(&Contacts) -> u64| self.contacts.values().map(pick).max();
        Contacts {
            attempts: most(|seen| seen.attempts).unwrap_or_default(),
            contacts: most(|seen| seen.contacts).unwrap_or_default(),
        }
    }

    /// What it adds up to.
    #[must_use]
    pub fn risk(&self) -> Risk {
        Risk::of(self)
    }
}
