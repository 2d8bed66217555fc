//! Connections that stay for hours.

use std::time::Duration;

use netsec_common::packet::protocol;

use super::Context;
use super::sighting::Sighting;
use crate::connection::Activity;
use crate::finding::{Evidence, Kind, Severity};
use crate::packet::names;
use crate::time::Span;

/// A conversation with the outside that is as old as is reported.
pub(super) fn sighting(activity: &Activity, context: Context<'_>) -> Option<Sighting> {
    let connection = &activity.connection;
    let key = &connection.key;
    let settings = &context.settings.long_connection;
    let age = connection.end.since(connection.start);
    let (source, host) = (key.source(), key.destination());
    let inside = context.settings.is_home(source) && context.settings.is_home(host);
    let answered = connection.originator.packets > 0 && connection.responder.packets > 0;
    if age < settings.age.get() || inside || !answered || !key.has_ports() {
        return None;
    }
    let port = key.destination_port();
    let protocol = names::protocol(key.protocol()).unwrap_or("IP");
    let (sent, received) = (connection.originator.bytes, connection.responder.bytes);
    Some(Sighting {
        kind: Kind::LongConnection,
        severity: if age >= settings.medium.get() {
            Severity::Medium
        } else {
            Severity::Low
        },
        attacker: source.into(),
        proven: activity.is_proven() || key.protocol() == protocol::TCP,
        victim: host.into(),
        service: Some((key.protocol(), Some(port))),
        start: connection.start,
        last: connection.end,
        window: Duration::ZERO,
        evidence: Evidence::new()
            .number("seconds", age.as_secs_f64())
            .count("bytes_sent", sent)
            .count("bytes_received", received)
            .count(
                "packets",
                connection.originator.packets + connection.responder.packets,
            ),
        message: format!(
            "{protocol} connection open for {}, {sent} B sent, {received} B received",
            Span(age)
        ),
    })
}
