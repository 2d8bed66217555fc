//! `event_type` finding: one step of a finding.
//!
//! `src_ip` is the attacker and `dest_ip` the victim, each only when it is one host.

use std::net::IpAddr;

use serde::Serialize;

use super::super::timestamp::EveTime;
use super::value::Protocol;
use crate::finding::{Evidence, Finding, Kind, Party, Severity, State};

/// The line of a finding; `timestamp` is the time of the last packet that counts.
#[derive(Debug, Serialize)]
pub(super) struct FindingLine<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<Protocol>,
    finding: Body<'a>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    id: u64,
    kind: Kind,
    severity: Severity,
    state: State,
    attacker: Party,
    attacker_proven: bool,
    victim: Party,
    start: EveTime,
    end: EveTime,
    technique: Option<&'static str>,
    evidence: &'a Evidence,
    message: &'a str,
}

impl<'a> FindingLine<'a> {
    pub(super) fn new(finding: &'a Finding) -> Self {
        Self {
            timestamp: EveTime(finding.end),
            event_type: "finding",
            src_ip: finding.attacker.host(),
            dest_ip: finding.victim.host(),
            dest_port: finding.service.and_then(|(_, port)| port),
            proto: finding.service.map(|(protocol, _)| Protocol(protocol)),
            finding: Body {
                id: finding.id,
                kind: finding.kind,
                severity: finding.severity,
                state: finding.state,
                attacker: finding.attacker,
                attacker_proven: finding.attacker_proven,
                victim: finding.victim,
                start: EveTime(finding.start),
                end: EveTime(finding.end),
                technique: finding.technique(),
                evidence: &finding.evidence,
                message: &finding.message,
            },
        }
    }
}
