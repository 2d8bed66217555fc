//! Conversations on ports that malware is known for.

use std::time::Duration;

use netsec_common::packet::protocol;

use super::Context;
use super::sighting::Sighting;
use crate::connection::{Activity, Outcome};
use crate::finding::{Evidence, Kind, Severity};

/// Responders' ports that malware and tools for attacks listen on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPorts {
    /// Of this protocol.
    pub protocol: u8,
    /// First port.
    pub low: u16,
    /// Last port.
    pub high: u16,
    /// What they are known for.
    pub why: &'static str,
}

const fn tcp(low: u16, high: u16, why: &'static str) -> KnownPorts {
    KnownPorts {
        protocol: protocol::TCP,
        low,
        high,
        why,
    }
}

/// The ports that are known, for live connections and for logs alike.
pub const SUSPICIOUS_PORTS: [KnownPorts; 23] = [
    tcp(1080, 1080, "SOCKS proxy"),
    tcp(1337, 1337, "backdoors"),
    tcp(2323, 2323, "telnet of embedded devices (Mirai)"),
    tcp(3127, 3127, "MyDoom"),
    tcp(3333, 3333, "mining pool (Stratum)"),
    tcp(4444, 4444, "Metasploit's default listener, Blaster"),
    tcp(4445, 4445, "Metasploit, second listener"),
    tcp(5554, 5555, "Sasser's FTP, Android debug bridge"),
    tcp(6660, 6669, "IRC, botnet control"),
    tcp(6697, 6697, "IRC over TLS, botnet control"),
    tcp(7777, 7777, "reverse shells"),
    tcp(9001, 9001, "Tor relay"),
    tcp(9050, 9051, "Tor's local proxy and control"),
    tcp(9996, 9996, "Sasser's shell"),
    tcp(12_345, 12_346, "NetBus"),
    tcp(14_444, 14_444, "mining pool (Stratum)"),
    tcp(16_464, 16_464, "ZeroAccess"),
    tcp(20_034, 20_034, "NetBus 2"),
    tcp(27_374, 27_374, "SubSeven"),
    tcp(31_337, 31_338, "Back Orifice, backdoors"),
    tcp(54_321, 54_321, "Back Orifice 2000"),
    tcp(65_506, 65_506, "PhatBot"),
    KnownPorts {
        protocol: protocol::UDP,
        low: 31_337,
        high: 31_337,
        why: "Back Orifice",
    },
];

/// What a responder's TCP port is known for.
#[must_use]
pub fn suspicious_port(port: u16) -> Option<&'static str> {
    let found = SUSPICIOUS_PORTS
        .iter()
        .find(|known| known.protocol == protocol::TCP && (known.low..=known.high).contains(&port));
    found.map(|known| known.why)
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
        window: Duration::ZERO,
        evidence: Evidence::new()
            .text("known_for", known)
            .flag("handshake_seen", activity.is_handshake())
            .count("bytes_sent", activity.connection.originator.bytes)
            .count("bytes_received", activity.connection.responder.bytes),
        message: format!("conversation on TCP port {port}, known for {known}"),
    })
}
