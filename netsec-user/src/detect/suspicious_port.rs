//! Conversations on ports that malware is known for.

use netsec_common::packet::protocol;

use super::Context;
use super::sighting::Sighting;
use crate::connection::{Activity, Outcome};
use crate::finding::{Evidence, Kind, Severity};

/// TCP ports of responders that are malware's by default, and hardly anybody else's, with what
/// they are known for.
pub const SUSPICIOUS_PORTS: [(u16, &str); 22] = [
    (1337, "backdoors"),
    (2323, "Mirai's telnet"),
    (3127, "MyDoom"),
    (4444, "Metasploit, Blaster"),
    (4445, "Metasploit"),
    (5554, "Sasser's FTP"),
    (6660, "IRC bots"),
    (6666, "IRC bots"),
    (6667, "IRC bots"),
    (6669, "IRC bots"),
    (6697, "IRC bots"),
    (9001, "Tor relays"),
    (9050, "Tor's SOCKS proxy"),
    (9996, "Sasser's shell"),
    (12_345, "NetBus"),
    (16_464, "ZeroAccess"),
    (20_034, "NetBus 2"),
    (27_374, "SubSeven"),
    (31_337, "Back Orifice"),
    (31_338, "Back Orifice"),
    (54_321, "Back Orifice 2000"),
    (65_506, "PhatBot"),
];

/// What a responder's TCP port is known for.
#[must_use]
pub fn suspicious_port(port: u16) -> Option<&'static str> {
    let found = SUSPICIOUS_PORTS.iter().find(|(known, _)| *known == port);
    found.map(|(_, what)| *what)
}

/// A conversation with such a port. Of one whose beginning was not seen, the side that has the
/// port has to be the only one that could be the responder.
pub(super) fn sighting(activity: &Activity, context: Context<'_>) -> Option<Sighting> {
    let key = &activity.connection.key;
    let settings = &context.settings.suspicious_port;
    let (from, port) = (key.source_port(), key.destination_port());
    if activity.outcome != Some(Outcome::Conversation) || key.protocol() != protocol::TCP {
        return None;
    }
    let known = suspicious_port(port).or_else(|| {
        let added = settings.more_ports.contains(&port);
        added.then_some("your settings")
    })?;
    let sure = activity.is_handshake() || from >= 1024 && suspicious_port(from).is_none();
    if settings.ignore_ports.contains(&port) || !sure {
        return None;
    }
    let outward = !context.settings.is_home(key.destination());
    Some(Sighting {
        kind: Kind::SuspiciousPort,
        severity: if outward {
            Severity::Low
        } else {
            Severity::Medium
        },
        attacker: key.source().into(),
        proven: activity.is_proven(),
        victim: key.destination().into(),
        service: Some((key.protocol(), Some(port))),
        start: activity.connection.start,
        last: activity.connection.end,
        evidence: Evidence::new()
            .text("known_for", known)
            .flag("handshake_seen", activity.is_handshake())
            .count("bytes_sent", activity.connection.originator.bytes)
            .count("bytes_received", activity.connection.responder.bytes),
        message: format!("conversation on TCP port {port}, known for {known}"),
    })
}
