//! Data in ICMP echoes: large and fast, or with another answer than question.

use std::time::Duration;

use netsec_common::packet::protocol;

use super::Context;
use super::sighting::Sighting;
use crate::connection::{Activity, Side};
use crate::finding::{Evidence, Kind, Severity};
use crate::time::Span;

/// Bytes up to which a frame may have been padded by a network card, VLAN tag included.
const PADDED_BYTES: f64 = 64.0;

/// A pair whose echoes carry data. Counts are of the whole exchange.
pub(super) fn sighting(activity: &Activity, context: Context<'_>) -> Option<Sighting> {
    let connection = &activity.connection;
    let key = &connection.key;
    let is_echo = matches!(
        (key.protocol(), key.source_port()),
        (protocol::ICMP, 8) | (protocol::ICMPV6, 128)
    );
    let settings = &context.settings.tunnel_icmp;
    let (sent, answered) = (&connection.originator, &connection.responder);
    if !is_echo || sent.packets.min(answered.packets) < settings.packets {
        return None;
    }
    let (out, back) = (mean(sent), mean(answered));
    let larger = out.max(back);
    let asymmetry = (out - back).abs() / larger;
    let time = connection.end.since(connection.start);
    let rate = sent.packets as f64 / time.as_secs_f64().max(1.0);
    let unlike = asymmetry >= settings.asymmetry && larger > PADDED_BYTES;
    let large = larger >= settings.bytes && rate >= settings.pps;
    if !unlike && !large {
        return None;
    }
    Some(Sighting {
        kind: Kind::TunnelIcmp,
        severity: if unlike {
            Severity::High
        } else {
            Severity::Medium
        },
        attacker: key.source().into(),
        proven: true,
        victim: key.destination().into(),
        service: None,
        start: connection.start,
        last: connection.end,
        window: Duration::ZERO,
        evidence: Evidence::new()
            .count("echoes", sent.packets)
            .count("replies", answered.packets)
            .number("echo_bytes_mean", out)
            .number("reply_bytes_mean", back)
            .number("asymmetry", asymmetry)
            .number("echoes_per_second", rate),
        message: format!(
            "{} echoes of {out:.0} B and {} replies of {back:.0} B in {}",
            sent.packets,
            answered.packets,
            Span(time)
        ),
    })
}

fn mean(side: &Side) -> f64 {
    side.bytes as f64 / side.packets.max(1) as f64
}
