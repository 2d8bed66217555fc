//! An incident as it is shown: in JSON Lines, as text, and over the control socket.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::timestamp::EveTime;
use crate::connection::Side;
use crate::correlate::{EvidenceKind, Found, Incident, Moment, Observer};

/// Victims that are named.
const VICTIMS_NAMED: usize = 16;

/// An incident as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentView {
    /// Its name.
    pub id: Cow<'static, str>,
    /// Who.
    pub offender: IpAddr,
    /// `attacker`, or `suspect` for a local or trusted address.
    pub role: Cow<'static, str>,
    /// Whether this is the end of the run.
    #[serde(rename = "final", default)]
    pub is_final: bool,
    /// From 0 to 100, the sum of the terms.
    pub risk: u8,
    /// What adds to the risk or takes from it.
    pub terms: Vec<TermView>,
    pub(super) first: EveTime,
    pub(super) last: EveTime,
    /// Alerts that are no noise.
    pub alerts: u64,
    /// Alerts about checksums, decoder, stream and protocol events.
    pub noise: u64,
    /// The worst severity of an alert.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub severity: Option<u8>,
    /// Signatures by number.
    pub signatures: BTreeMap<String, String>,
    /// Zeek's notices by kind.
    pub notices: BTreeMap<String, u64>,
    /// What netsec's detectors found.
    pub findings: Vec<FoundView>,
    /// Tries that were refused, not answered or given up.
    pub attempts: u64,
    /// Connections in which both sides spoke.
    pub contacts: u64,
    /// Tries and connections as each observer has them.
    pub observed: BTreeMap<Cow<'static, str>, ContactsView>,
    /// Whom it was done to: how many.
    pub victims: u64,
    /// The first of them.
    pub victims_first: Vec<IpAddr>,
    /// What netsec counted.
    pub traffic: TrafficView,
    /// What happened, in order of time.
    pub timeline: Vec<MomentView>,
    /// What the timeline has no room for, in its middle.
    pub timeline_left_out: u64,
}

/// One reason for a risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermView {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Points.
    pub points: i32,
    /// In words.
    pub why: String,
}

/// What a detector found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundView {
    /// The campaign's number, as in lines of `event_type` finding.
    pub id: u64,
    /// Such as `scan.vertical`.
    pub kind: Cow<'static, str>,
    /// `low` to `critical`.
    pub severity: Cow<'static, str>,
    /// In words.
    pub message: String,
}

/// Connections as one observer has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactsView {
    /// Tries that were refused, not answered or given up.
    pub attempts: u64,
    /// Connections in which both sides spoke.
    pub contacts: u64,
}

/// What netsec counted of an offender's connections; `toserver` is from those who began them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficView {
    /// Connections.
    pub connections: u64,
    /// Whether both sides spoke in one of them.
    pub two_way: bool,
    /// Packets from those who began.
    pub pkts_toserver: u64,
    /// Packets back.
    pub pkts_toclient: u64,
    /// Bytes from those who began, link headers included.
    pub bytes_toserver: u64,
    /// Bytes back.
    pub bytes_toclient: u64,
}

/// An entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MomentView {
    pub(super) timestamp: EveTime,
    /// Whom it was done to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub victim: Option<IpAddr>,
    /// `alert`, `noise`, `notice` or `finding`.
    pub kind: Cow<'static, str>,
    /// In words.
    pub what: String,
}

impl IncidentView {
    /// Of an incident as it is; `is_final` says that this is the end of the run.
    #[must_use]
    pub fn new(incident: &Incident, is_final: bool) -> Self {
        let risk = incident.risk();
        let most = incident.most_contacts();
        let observed = incident.contacts.iter().map(|(observer, seen)| {
            let (attempts, contacts) = (seen.attempts, seen.contacts);
            let view = ContactsView { attempts, contacts };
            (observer_name(*observer).into(), view)
        });
        let signatures = incident.signatures.iter();
        let signatures = signatures.map(|(sid, message)| (sid.to_string(), message.clone()));
        Self {
            id: incident.id().to_string().into(),
            offender: incident.offender,
            role: if incident.is_attacker {
                "attacker".into()
            } else {
                "suspect".into()
            },
            is_final,
            risk: risk.total(),
            terms: risk.terms.into_iter().map(TermView::new).collect(),
            first: EveTime(incident.times.0),
            last: EveTime(incident.times.1),
            alerts: incident.alerts,
            noise: incident.noise,
            severity: (incident.severity != u8::MAX).then_some(incident.severity),
            signatures: signatures.collect(),
            notices: incident.notices.clone(),
            findings: incident.findings.iter().map(FoundView::new).collect(),
            attempts: most.attempts,
            contacts: most.contacts,
            observed: observed.collect(),
            victims: incident.victims.len() as u64,
            victims_first: incident
                .victims
                .iter()
                .take(VICTIMS_NAMED)
                .copied()
                .collect(),
            traffic: TrafficView::new(incident),
            timeline: incident.timeline.iter().map(MomentView::new).collect(),
            timeline_left_out: incident.timeline_left_out,
        }
    }
}

impl TermView {
    fn new(term: crate::correlate::Term) -> Self {
        Self {
            name: term.name.into(),
            points: term.points,
            why: term.why,
        }
    }
}

impl FoundView {
    fn new((id, found): (&u64, &Found)) -> Self {
        Self {
            id: *id,
            kind: found.kind.name().into(),
            severity: found.severity.name().into(),
            message: found.message.clone(),
        }
    }
}

impl TrafficView {
    fn new(incident: &Incident) -> Self {
        let (originators, responders): (Side, Side) = incident.traffic.totals();
        Self {
            connections: incident.traffic.connections(),
            two_way: incident.traffic.is_two_way(),
            pkts_toserver: originators.packets,
            pkts_toclient: responders.packets,
            bytes_toserver: originators.bytes,
            bytes_toclient: responders.bytes,
        }
    }
}

impl MomentView {
    fn new(moment: &Moment) -> Self {
        let (kind, what) = match &moment.kind {
            EvidenceKind::Alert {
                sid,
                signature,
                severity,
                noise,
            } => {
                let kind = if *noise { "noise" } else { "alert" };
                (kind, format!("sev {severity} {sid} {signature}"))
            }
            EvidenceKind::Notice { note, message } => ("notice", format!("{note}: {message}")),
            EvidenceKind::Contact(outcome, _) => ("contact", outcome.name().to_owned()),
            EvidenceKind::Finding {
                kind,
                severity,
                state,
                message,
                ..
            } => (
                "finding",
                format!("{severity} {kind} {}: {message}", state.name()),
            ),
        };
        Self {
            timestamp: EveTime(moment.time),
            victim: moment.victim,
            kind: kind.into(),
            what,
        }
    }
}

const fn observer_name(observer: Observer) -> &'static str {
    match observer {
        Observer::Netsec => "netsec",
        Observer::Suricata => "suricata",
        Observer::Zeek => "zeek",
    }
}
