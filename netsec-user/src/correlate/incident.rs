//! Evidence gathered by offender, and what it adds up to.

mod risk;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use serde::Deserialize;

pub use self::risk::{Risk, Term};

use super::contact::Outcome;
use super::evidence::{Evidence, EvidenceKind};
use crate::connection::{Connection, Side};
use crate::time::WallTime;

/// Entries of a timeline that are kept from its beginning; the rest is the latest.
const TIMELINE_FIRST: usize = 16;
/// Entries of a timeline.
const TIMELINE_MAX: usize = 64;
/// Victims and signatures of one offender that are told apart.
const DISTINCT_MAX: usize = 1024;

/// When evidence is an incident.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentSettings {
    /// Risk from which on an offender is reported, 0 to 100.
    pub risk_min: u8,
    /// Offenders that are kept; beyond it the one of the least risk goes.
    pub offenders_max: usize,
}

impl Default for IncidentSettings {
    fn default() -> Self {
        Self {
            risk_min: 20,
            offenders_max: 10_000,
        }
    }
}

/// What speaks against one offender.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Who.
    pub offender: IpAddr,
    /// Whether it may be called an attacker: it is neither local nor trusted.
    pub is_attacker: bool,
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
    /// Findings of netsec's detectors: the best score of each.
    pub findings: BTreeMap<String, f64>,
    /// Tries that were refused, not answered or given up.
    pub attempts: u64,
    /// Connections in which both sides spoke.
    pub contacts: u64,
    /// Whom it was done to.
    pub victims: BTreeSet<IpAddr>,
    /// What netsec counted of the connections that evidence was joined to: of the originators and of
    /// the responders, as of the latest look.
    pub traffic: Traffic,
    /// What happened, in order of arrival.
    pub timeline: VecDeque<Moment>,
    /// Entries that the timeline has no room for.
    pub timeline_left_out: u64,
}

/// Counters of the connections of an incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    connections: BTreeMap<(WallTime, netsec_common::packet::FlowKey), (Side, Side)>,
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

/// All incidents.
#[derive(Debug)]
pub struct Incidents {
    settings: IncidentSettings,
    offenders: HashMap<IpAddr, Entry>,
    evicted: u64,
}

#[derive(Debug)]
struct Entry {
    incident: Incident,
    /// Risk that was reported last.
    told: Option<u8>,
}

impl Incidents {
    /// None yet.
    #[must_use]
    pub fn new(settings: IncidentSettings) -> Self {
        Self {
            settings,
            offenders: HashMap::new(),
            evicted: 0,
        }
    }

    /// Takes evidence, and what was counted of its connection, if that is known. Gives the incident
    /// when its risk has passed the limit, or has grown by ten since it was given last.
    pub fn add(
        &mut self,
        evidence: Evidence,
        connection: Option<&Connection>,
    ) -> Option<&Incident> {
        let offender = evidence.offender;
        if !self.offenders.contains_key(&offender) {
            self.make_room();
        }
        let entry = self.offenders.entry(offender).or_insert_with(|| Entry {
            incident: Incident::new(&evidence),
            told: None,
        });
        entry.incident.add(evidence, connection);
        let risk = entry.incident.risk().total();
        let is_news = risk >= self.settings.risk_min
            && entry
                .told
                .is_none_or(|told| risk >= told.saturating_add(10));
        if !is_news {
            return None;
        }
        entry.told = Some(risk);
        Some(&entry.incident)
    }

    /// The incidents at or above the limit, the riskiest first.
    #[must_use]
    pub fn reported(&self) -> Vec<&Incident> {
        let mut incidents: Vec<_> = self
            .offenders
            .values()
            .map(|entry| (entry.incident.risk().total(), &entry.incident))
            .filter(|(risk, _)| *risk >= self.settings.risk_min)
            .collect();
        incidents.sort_by_key(|(risk, incident)| (std::cmp::Reverse(*risk), incident.offender));
        incidents
            .into_iter()
            .map(|(_, incident)| incident)
            .collect()
    }

    /// Offenders that had to make room.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Drops the sixteenth of the offenders with the least risk, so that a flood of forged sources
    /// with one alert each cannot push out one with many.
    fn make_room(&mut self) {
        if self.offenders.len() < self.settings.offenders_max {
            return;
        }
        let mut order: Vec<_> = self
            .offenders
            .values()
            .map(|Entry { incident, .. }| {
                (incident.risk().total(), incident.times.1, incident.offender)
            })
            .collect();
        order.sort_unstable();
        let count = (order.len() / 16).max(1);
        for (_, _, address) in order.into_iter().take(count) {
            self.offenders.remove(&address);
            self.evicted += 1;
        }
    }
}

impl Incident {
    fn new(evidence: &Evidence) -> Self {
        Self {
            offender: evidence.offender,
            is_attacker: evidence.is_attacker,
            times: (evidence.time, evidence.time),
            alerts: 0,
            noise: 0,
            severity: u8::MAX,
            signatures: BTreeMap::new(),
            notices: BTreeMap::new(),
            findings: BTreeMap::new(),
            attempts: 0,
            contacts: 0,
            victims: BTreeSet::new(),
            traffic: Traffic::default(),
            timeline: VecDeque::new(),
            timeline_left_out: 0,
        }
    }

    fn add(&mut self, evidence: Evidence, connection: Option<&Connection>) {
        let Evidence {
            time, victim, kind, ..
        } = evidence;
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
            } => {
                self.alerts += 1;
                self.severity = self.severity.min(*severity);
                if self.signatures.len() < DISTINCT_MAX {
                    self.signatures.insert(*sid, signature.clone());
                }
            }
            EvidenceKind::Notice { note, .. } => {
                *self.notices.entry(note.clone()).or_default() += 1;
            }
            EvidenceKind::Contact(Outcome::Established) => self.contacts += 1,
            EvidenceKind::Contact(_) => self.attempts += 1,
            EvidenceKind::Finding { name, score, .. } => {
                let best = self.findings.entry(name.clone()).or_default();
                *best = best.max(*score);
            }
        }
        // Connections are too many for a timeline; they are counted.
        if !matches!(kind, EvidenceKind::Contact(_)) {
            self.remember(Moment { time, victim, kind });
        }
    }

    fn remember(&mut self, moment: Moment) {
        if self.timeline.len() >= TIMELINE_MAX {
            self.timeline.remove(TIMELINE_FIRST);
            self.timeline_left_out += 1;
        }
        self.timeline.push_back(moment);
    }

    /// What it adds up to.
    #[must_use]
    pub fn risk(&self) -> Risk {
        Risk::of(self)
    }
}

impl Traffic {
    fn set(&mut self, connection: &Connection) {
        let key = (connection.start, connection.key);
        if self.connections.len() < DISTINCT_MAX || self.connections.contains_key(&key) {
            let sides = (connection.originator, connection.responder);
            self.connections.insert(key, sides);
        }
    }

    /// Connections that evidence was joined to.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.len() as u64
    }

    /// Packets and bytes of the originators, and of the responders.
    #[must_use]
    pub fn totals(&self) -> (Side, Side) {
        let mut totals = (Side::default(), Side::default());
        for (originator, responder) in self.connections.values() {
            for (total, side) in [(&mut totals.0, originator), (&mut totals.1, responder)] {
                total.packets += side.packets;
                total.bytes += side.bytes;
            }
        }
        totals
    }

    /// Whether both sides spoke in one of them: the offender's address is no forgery then.
    #[must_use]
    pub fn is_two_way(&self) -> bool {
        let mut sides = self.connections.values();
        sides.any(|(originator, responder)| originator.packets > 0 && responder.packets > 0)
    }
}

#[cfg(test)]
mod tests;
