//! An alert as an EVE line, which netsec and Suricata's other readers take again.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::community_id;
use super::timestamp::EveTime;
use crate::log::{Alert, AlertEnd, Event, InitiatorFlow};
use crate::packet::names;

/// Writes an alert as one line; its Community ID is computed anew with this seed.
///
/// # Errors
///
/// The writer's.
pub fn write_alert(
    out: &mut impl Write,
    event: &Event<'_>,
    alert: &Alert<'_>,
    community_seed: u16,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(&AlertLine::new(event, alert, community_seed))?;
    line.push(b'\n');
    out.write_all(&line)
}

#[derive(Debug, Serialize)]
pub(super) struct AlertLine<'a> {
    timestamp: EveTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<String>,
    alert: Part<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<Flow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netsec: Option<Extras>,
}

#[derive(Debug, Serialize)]
struct Part<'a> {
    action: &'a str,
    gid: u32,
    signature_id: u64,
    rev: u32,
    signature: &'a str,
    category: &'a str,
    severity: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<End>,
}

#[derive(Debug, Serialize)]
struct End {
    ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Debug, Serialize)]
struct Flow {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<EveTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
}

/// What EVE has no field for.
#[derive(Debug, Serialize)]
struct Extras {
    /// What kind of noise the alert is: `checksum`, `decoder`, `stream`, `protocol`.
    noise: &'static str,
}

impl<'a> AlertLine<'a> {
    pub(super) fn new(event: &'a Event<'a>, alert: &'a Alert<'a>, seed: u16) -> Self {
        let tuple = event.tuple;
        let key = tuple.and_then(|tuple| tuple.key());
        let icmp = key.filter(|key| key.is_icmp());
        let ported = tuple.filter(|_| icmp.is_none());
        let end = |end: AlertEnd| End {
            ip: end.ip,
            port: end.port,
        };
        Self {
            timestamp: EveTime(event.time),
            flow_id: event.flow_id,
            in_iface: event.in_iface.as_deref(),
            event_type: "alert",
            src_ip: tuple.map(|tuple| tuple.source),
            src_port: ported.map(|tuple| tuple.source_port),
            dest_ip: tuple.map(|tuple| tuple.destination),
            dest_port: ported.map(|tuple| tuple.destination_port),
            proto: event.protocol.map(protocol_name),
            icmp_type: icmp.map(|key| key.source_port()),
            icmp_code: icmp.map(|key| key.destination_port()),
            app_proto: event.app_proto.as_deref(),
            direction: alert.direction.as_deref(),
            community_id: key.and_then(|key| community_id(seed, &key)),
            alert: Part {
                action: &alert.action,
                gid: alert.gid,
                signature_id: alert.sid,
                rev: alert.rev,
                signature: &alert.signature,
                category: alert.category.as_deref().unwrap_or_default(),
                severity: alert.severity,
                source: alert.source.map(end),
                target: alert.target.map(end),
            },
            flow: alert.flow.map(Flow::new),
            host: event.host.as_deref(),
            netsec: crate::log::decoder_noise(alert.gid, alert.sid).map(|noise| Extras { noise }),
        }
    }
}

impl Flow {
    fn new(flow: InitiatorFlow) -> Self {
        Self {
            pkts_toserver: flow.pkts_toserver,
            pkts_toclient: flow.pkts_toclient,
            bytes_toserver: flow.bytes_toserver,
            bytes_toclient: flow.bytes_toclient,
            start: flow.start.map(EveTime),
            src_ip: flow.src_ip,
        }
    }
}

/// The name Suricata uses, or the number in three digits.
#[must_use]
pub fn protocol_name(number: u8) -> String {
    names::protocol(number).map_or_else(|| format!("{number:03}"), str::to_owned)
}
