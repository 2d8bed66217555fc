//! The detectors by name, for people.

use super::settings::{
    Anomaly, Beacon, Bruteforce, Exfiltration, Flood, LateralMovement, LongConnection, Scan,
    SuspiciousPort, Threshold, TunnelDns, TunnelIcmp,
};
use crate::finding::Kind;

/// One detector.
#[derive(Clone, Copy, Debug)]
pub struct Detector {
    /// Its section under `[detect]`.
    pub name: &'static str,
    /// What it is about.
    pub what: &'static str,
    /// Kinds of its findings.
    pub kinds: &'static [Kind],
    /// Its settings.
    pub thresholds: &'static [Threshold],
}

/// All detectors.
pub const DETECTORS: [Detector; 11] = [
    Detector {
        name: "scan",
        what: "ports, hosts and protocols tried without success: SYN, connect, FIN, NULL, XMAS, ACK, \
               UDP, SCTP, ICMP, IP protocols; slow ones too",
        kinds: &[Kind::ScanVertical, Kind::ScanHorizontal, Kind::ScanSweep],
        thresholds: Scan::THRESHOLDS,
    },
    Detector {
        name: "flood",
        what: "packets by their number in each second, towards and from each host, and towards networks",
        kinds: &[
            Kind::FloodSyn,
            Kind::FloodTcp,
            Kind::FloodUdp,
            Kind::FloodIcmp,
            Kind::FloodFragment,
            Kind::FloodReflection,
            Kind::FloodAmplification,
        ],
        thresholds: Flood::THRESHOLDS,
    },
    Detector {
        name: "bruteforce",
        what: "short connections to one service, alike, one after the other",
        kinds: &[Kind::Bruteforce],
        thresholds: Bruteforce::THRESHOLDS,
    },
    Detector {
        name: "beacon",
        what: "connections at regular times, alike in size, by RITA's four subscores",
        kinds: &[Kind::Beacon],
        thresholds: Beacon::THRESHOLDS,
    },
    Detector {
        name: "long_connection",
        what: "connections with the outside that stay for hours",
        kinds: &[Kind::LongConnection],
        thresholds: LongConnection::THRESHOLDS,
    },
    Detector {
        name: "exfiltration",
        what: "more goes out to one host than comes in, and than is usual for the sender",
        kinds: &[Kind::Exfiltration],
        thresholds: Exfiltration::THRESHOLDS,
    },
    Detector {
        name: "lateral_movement",
        what: "hosts of this site reached for the first time on ports of administrators",
        kinds: &[Kind::LateralMovement],
        thresholds: LateralMovement::THRESHOLDS,
    },
    Detector {
        name: "suspicious_port",
        what: "conversations on ports that malware is known for",
        kinds: &[Kind::SuspiciousPort],
        thresholds: SuspiciousPort::THRESHOLDS,
    },
    Detector {
        name: "tunnel_dns",
        what: "many names under one domain that look like data, or ask for rare types",
        kinds: &[Kind::TunnelDns],
        thresholds: TunnelDns::THRESHOLDS,
    },
    Detector {
        name: "tunnel_icmp",
        what: "echoes that are large and fast, or answered with something else",
        kinds: &[Kind::TunnelIcmp],
        thresholds: TunnelIcmp::THRESHOLDS,
    },
    Detector {
        name: "anomaly",
        what: "connections unlike those that the model was learned from (--model)",
        kinds: &[Kind::Anomaly],
        thresholds: Anomaly::THRESHOLDS,
    },
];
