//! What logs say, joined with connections: `event_type` `netsec_alert`, `incident`, `disagreement`
//! and `netsec_join`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::super::Sensor;
use super::super::incident::IncidentView;
use super::super::timestamp::EveTime;
use super::value::Tuple;
use crate::connection::Connection;
use crate::correlate::{AlertRow, Disagreement, Incident, JoinCounts, Row, Says, Told, Why};
use crate::time::WallTime;

/// A line, by what it tells.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToldLine<'a> {
    Row(Box<RowLine<'a>>),
    Incident(Box<IncidentLine>),
    Disagreement(DisagreementLine<'a>),
    Counts(CountsLine<'a>),
}

impl<'a> ToldLine<'a> {
    pub(super) fn new(sensor: &'a Sensor, told: &'a Told, now: WallTime) -> Self {
        match told {
            Told::Joined(joined) => {
                let line = RowLine::new(sensor, &joined.row, Ok(&joined.connection));
                Self::Row(Box::new(line))
            }
            Told::Unjoined(unjoined) => Self::Row(Box::new(RowLine::new(
                sensor,
                &unjoined.row,
                Err(unjoined.why),
            ))),
            Told::Incident(incident) => {
                Self::Incident(Box::new(IncidentLine::new(incident, false)))
            }
            Told::Final(incident) => Self::Incident(Box::new(IncidentLine::new(incident, true))),
            Told::Disagreement(sum) => Self::Disagreement(DisagreementLine::new(sum)),
            Told::Counts(counts) => Self::Counts(CountsLine {
                timestamp: EveTime(now),
                event_type: "netsec_join",
                join: Counts::new(counts),
            }),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct RowLine<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    #[serde(flatten)]
    tuple: Option<Tuple>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<Alert<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<Notice<'a>>,
    /// What netsec counted of the connection, from its originator.
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<Flow>,
    netsec: Extras<'a>,
}

#[derive(Debug, Serialize)]
struct Alert<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u64,
    signature: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    severity: u8,
}

#[derive(Debug, Serialize)]
struct Notice<'a> {
    note: &'a str,
    msg: &'a str,
}

#[derive(Debug, Serialize)]
struct Flow {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: EveTime,
    end: EveTime,
    src_ip: IpAddr,
    src_port: u16,
}

#[derive(Debug, Serialize)]
struct Extras<'a> {
    origin: &'static str,
    joined: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    away_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attacker: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    victim: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noise: Option<&'static str>,
}

impl<'a> RowLine<'a> {
    fn new(sensor: &Sensor, row: &'a Row, found: Result<&Connection, Why>) -> Self {
        let key = row.tuple.and_then(|tuple| tuple.key());
        let alert = row.alert();
        let why = found.err();
        Self {
            timestamp: EveTime(row.time),
            event_type: "netsec_alert",
            tuple: key.map(|key| Tuple::of_flow(&key, sensor.community_seed)),
            alert: alert.map(Alert::new),
            notice: match &row.says {
                Says::Notice { note, message } => Some(Notice { note, msg: message }),
                Says::Alert(_) | Says::Contact(_) | Says::Other => None,
            },
            flow: found.ok().map(Flow::new),
            netsec: Extras {
                origin: row.origin.name(),
                joined: why.is_none(),
                why: why.map(Why::name),
                away_seconds: match why {
                    Some(Why::OtherTime(ns)) => Some(ns / 1_000_000_000),
                    _ => None,
                },
                id: row.id.as_deref(),
                attacker: row.sides.and_then(|sides| sides.attacker),
                victim: row.sides.map(|sides| sides.victim),
                noise: alert.and_then(|alert| alert.noise),
            },
        }
    }
}

impl<'a> Alert<'a> {
    fn new(alert: &'a AlertRow) -> Self {
        Self {
            action: if alert.dropped { "blocked" } else { "allowed" },
            gid: alert.gid,
            signature_id: alert.sid,
            signature: &alert.signature,
            category: alert.category.as_deref(),
            severity: alert.severity,
        }
    }
}

impl Flow {
    fn new(connection: &Connection) -> Self {
        Self {
            pkts_toserver: connection.originator.packets,
            pkts_toclient: connection.responder.packets,
            bytes_toserver: connection.originator.bytes,
            bytes_toclient: connection.responder.bytes,
            start: EveTime(connection.start),
            end: EveTime(connection.end),
            src_ip: connection.key.source(),
            src_port: connection.key.source_port(),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct IncidentLine {
    timestamp: EveTime,
    event_type: &'static str,
    src_ip: IpAddr,
    incident: IncidentView,
}

impl IncidentLine {
    fn new(incident: &Incident, is_final: bool) -> Self {
        Self {
            timestamp: EveTime(incident.times.1),
            event_type: "incident",
            src_ip: incident.offender,
            incident: IncidentView::new(incident, is_final),
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct DisagreementLine<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    disagreement: Difference<'a>,
}

#[derive(Debug, Serialize)]
struct Difference<'a> {
    start: EveTime,
    connections: u64,
    not_in_log: BTreeMap<&'static str, u64>,
    not_in_kernel: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suricata_kernel_packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suricata_kernel_drops: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zeek_capture_loss_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netsec_frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netsec_frames_lost: Option<u64>,
    reasons: &'a [&'static str],
}

impl<'a> DisagreementLine<'a> {
    fn new(sum: &'a Disagreement) -> Self {
        let named = |counts: &BTreeMap<crate::correlate::Origin, u64>| {
            let named = counts.iter().map(|(origin, count)| (origin.name(), *count));
            named.collect()
        };
        Self {
            timestamp: EveTime(sum.times.1),
            event_type: "disagreement",
            disagreement: Difference {
                start: EveTime(sum.times.0),
                connections: sum.connections,
                not_in_log: named(&sum.kernel_only),
                not_in_kernel: named(&sum.log_only),
                suricata_kernel_packets: sum.suricata_drops.map(|(packets, _)| packets),
                suricata_kernel_drops: sum.suricata_drops.map(|(_, drops)| drops),
                zeek_capture_loss_percent: sum.zeek_loss_percent,
                netsec_frames: sum.netsec_losses.map(|(frames, _)| frames),
                netsec_frames_lost: sum.netsec_losses.map(|(_, lost)| lost),
                reasons: &sum.reasons,
            },
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct CountsLine<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    join: Counts<'a>,
}

#[derive(Debug, Serialize)]
struct Counts<'a> {
    rows: u64,
    joined: u64,
    not_joined: &'a BTreeMap<&'static str, u64>,
    community_ids_differ: u64,
    alerts_told_twice: u64,
    connections_evicted: u64,
}

impl<'a> Counts<'a> {
    const fn new(counts: &'a JoinCounts) -> Self {
        Self {
            rows: counts.rows,
            joined: counts.joined,
            not_joined: &counts.unjoined,
            community_ids_differ: counts.ids_differ,
            alerts_told_twice: counts.repeats,
            connections_evicted: counts.connections_evicted,
        }
    }
}
