//! Entries, decisions and incidents, as they go over the socket.

use std::net::IpAddr;

use netsec_common::block::{Action, List, Narrowing};

use super::super::wire::{DecisionView, Entry, Failure};
use crate::block::BlockState;
use crate::correlate::IncidentId;
use crate::decide::{Desk, Standing};
use crate::event::Sample;
use crate::journal::{Decision, Wanted};
use crate::output::{IncidentView, Output as _, Sensor, Style, Text};
use crate::packet::PacketView;

/// Bytes of a dropped packet that are shown: Ethernet, IPv6, and what follows of TCP.
const HEADER_BYTES: usize = 74;

pub(super) fn view(desk: &Desk<'_>, decision: &Decision) -> DecisionView {
    let about = decision.prefix.map(|prefix| format!(" {prefix}"));
    let events = desk.state.book.events(decision.id);
    let event = |event: &crate::journal::Event| {
        let mut line = format!("{} {} by {}", event.time, event.kind.name(), event.actor);
        if event.entries != 1 {
            line += &format!(", {} entries", event.entries);
        }
        if event.packets > 0 {
            line += &format!(", {} packets {} bytes dropped", event.packets, event.bytes);
        }
        if !event.note.is_empty() {
            line += &format!(": {}", event.note);
        }
        line
    };
    DecisionView {
        id: decision.id,
        time_ns: decision.time.as_ns(),
        what: format!(
            "{}{} ({}{})",
            decision.kind,
            about.unwrap_or_default(),
            decision.narrowing,
            if decision.is_trial {
                "; a trial, nothing was dropped for it"
            } else {
                ""
            }
        ),
        actor: decision.actor.clone(),
        reason: decision.reason.clone(),
        evidence: decision.evidence.clone(),
        until_ns: decision.until.map(crate::time::WallTime::as_ns),
        would_cut: decision.would_cut.clone(),
        undo: decision.undo.clone(),
        events: events.iter().map(event).collect(),
        dropped: desk.traffic.dropped.of(decision.id).map(header),
    }
}

/// A packet, decoded, and its first bytes in hex.
fn header(sample: &Sample) -> (String, String) {
    let mut text = Text::new(Vec::new(), Sensor::default(), Style::PLAIN);
    // Writing to a vector does not fail.
    drop(text.packet(sample, &PacketView::decode(sample)));
    let line = String::from_utf8_lossy(&text.into_inner())
        .trim_end()
        .to_owned();
    let hex = sample.bytes.iter().take(HEADER_BYTES);
    let hex: Vec<String> = hex.map(|byte| format!("{byte:02x}")).collect();
    (line, hex.join(" "))
}

pub(super) fn standing(standing: &Standing) -> Entry {
    entry(
        &standing.wanted,
        standing.state.as_ref(),
        standing.decision.as_ref(),
    )
}

pub(super) fn entry(
    wanted: &Wanted,
    state: Option<&BlockState>,
    decision: Option<&Decision>,
) -> Entry {
    let block = &wanted.block;
    let (protocol, port) = match block.key.narrowing {
        Narrowing::Any => (None, None),
        Narrowing::Protocol(protocol) => (Some(protocol), None),
        Narrowing::Port { protocol, port } => (Some(protocol), Some(port)),
    };
    let (action, packets_per_s) = match (block.key.list, block.action) {
        (List::Allow, _) => ("allow", None),
        (List::Block, Action::Drop) => ("drop", None),
        (List::Block, Action::RateLimit { packets_per_s }) => ("limit", Some(packets_per_s)),
    };
    let ns = crate::time::WallTime::as_ns;
    Entry {
        prefix: block.key.prefix.to_string(),
        protocol,
        port,
        action: action.to_owned(),
        packets_per_s,
        decision: block.decision_id,
        actor: decision.map(|d| d.actor.clone()).unwrap_or_default(),
        reason: decision.map(|d| d.reason.clone()).unwrap_or_default(),
        until_ns: wanted.later.map(ns),
        confirm_by_ns: block.until.filter(|_| !wanted.is_confirmed).map(ns),
        packets: state.map_or(0, |state| state.packets),
        bytes: state.map_or(0, |state| state.bytes),
        last_ns: state.and_then(|state| state.last).map(ns),
        in_table: state.is_some(),
    }
}

/// What speaks against an address, or the incident of this name.
pub(super) fn incident(
    desk: &Desk<'_>,
    subject: &str,
) -> Result<Option<Box<IncidentView>>, Failure> {
    let incidents = desk.traffic.incidents;
    let found = if let Ok(address) = subject.parse::<IpAddr>() {
        incidents.and_then(|incidents| incidents.of(address))
    } else if let Ok(id) = subject.parse::<IncidentId>() {
        let named = incidents.and_then(|incidents| incidents.named(id));
        Some(named.ok_or_else(|| Failure {
            kind: "failed".to_owned(),
            message: format!("there is no incident {id}, or it had to make room for others"),
        })?)
    } else {
        None
    };
    Ok(found.map(|incident| Box::new(IncidentView::new(incident, false))))
}
