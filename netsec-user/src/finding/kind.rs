//! What a finding is, how much it matters, and which step of it is told.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Many ports (or IP protocols) of one host are tried.
    ScanVertical,
    /// One port is tried on many hosts.
    ScanHorizontal,
    /// Many hosts are asked whether they are there.
    ScanSweep,
    /// More TCP connections are begun than are meant.
    FloodSyn,
    /// TCP segments that belong to no connection, by their number.
    FloodTcp,
    /// UDP packets by their number.
    FloodUdp,
    /// ICMP packets by their number.
    FloodIcmp,
    /// Fragments by their number.
    FloodFragment,
    /// Answers of TCP servers to handshakes that the victim did not begin.
    FloodReflection,
    /// Large answers of UDP servers to questions that the victim did not ask.
    FloodAmplification,
    /// One sign-on after the other.
    Bruteforce,
    /// Connections at regular times, alike in size.
    Beacon,
    /// A connection that stays for hours.
    LongConnection,
    /// More goes out than is usual.
    Exfiltration,
    /// From host to host inside the network, by ways that administrators use.
    LateralMovement,
    /// A conversation on a port that malware is known for.
    SuspiciousPort,
    /// Data in names of DNS questions or in their answers.
    TunnelDns,
    /// Data in ICMP echoes.
    TunnelIcmp,
    /// Unlike what the model was trained on.
    Anomaly,
}

impl Kind {
    /// All kinds, in the order of their names' first mention in the documentation.
    pub const ALL: [Self; 19] = [
        Self::ScanVertical,
        Self::ScanHorizontal,
        Self::ScanSweep,
        Self::FloodSyn,
        Self::FloodTcp,
        Self::FloodUdp,
        Self::FloodIcmp,
        Self::FloodFragment,
        Self::FloodReflection,
        Self::FloodAmplification,
        Self::Bruteforce,
        Self::Beacon,
        Self::LongConnection,
        Self::Exfiltration,
        Self::LateralMovement,
        Self::SuspiciousPort,
        Self::TunnelDns,
        Self::TunnelIcmp,
        Self::Anomaly,
    ];

    /// As outputs and settings have it: `scan.vertical`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ScanVertical => "scan.vertical",
            Self::ScanHorizontal => "scan.horizontal",
            Self::ScanSweep => "scan.sweep",
            Self::FloodSyn => "flood.syn",
            Self::FloodTcp => "flood.tcp",
            Self::FloodUdp => "flood.udp",
            Self::FloodIcmp => "flood.icmp",
            Self::FloodFragment => "flood.fragment",
            Self::FloodReflection => "flood.reflection",
            Self::FloodAmplification => "flood.amplification",
            Self::Bruteforce => "bruteforce",
            Self::Beacon => "beacon",
            Self::LongConnection => "long_connection",
            Self::Exfiltration => "exfiltration",
            Self::LateralMovement => "lateral_movement",
            Self::SuspiciousPort => "suspicious_port",
            Self::TunnelDns => "tunnel.dns",
            Self::TunnelIcmp => "tunnel.icmp",
            Self::Anomaly => "anomaly",
        }
    }

    /// The technique of MITRE ATT&CK (enterprise, version 17) that it shows; none for an anomaly,
    /// which may be anything.
    #[must_use]
    pub const fn technique(self) -> Option<&'static str> {
        Some(match self {
            // Network Service Discovery.
            Self::ScanVertical | Self::ScanHorizontal => "T1046",
            // Remote System Discovery.
            Self::ScanSweep => "T1018",
            // Endpoint Denial of Service: OS Exhaustion Flood.
            Self::FloodSyn | Self::FloodTcp => "T1499.001",
            // Network Denial of Service: Direct Network Flood.
            Self::FloodUdp | Self::FloodIcmp | Self::FloodFragment => "T1498.001",
            // Network Denial of Service: Reflection Amplification.
            Self::FloodReflection | Self::FloodAmplification => "T1498.002",
            // Brute Force.
            Self::Bruteforce => "T1110",
            // Application Layer Protocol.
            Self::Beacon => "T1071",
            // Protocol Tunneling.
            Self::LongConnection => "T1572",
            // Exfiltration Over Alternative Protocol.
            Self::Exfiltration => "T1048",
            // Remote Services.
            Self::LateralMovement => "T1021",
            // Non-Standard Port.
            Self::SuspiciousPort => "T1571",
            // Application Layer Protocol: DNS.
            Self::TunnelDns => "T1071.004",
            // Non-Application Layer Protocol.
            Self::TunnelIcmp => "T1095",
            Self::Anomaly => return None,
        })
    }
}

/// How much a finding matters, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Worth getting up for.
    High,
    /// Harm is done at this moment.
    Critical,
}

impl Severity {
    /// All severities, the least first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// As outputs and settings have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A step of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It begins.
    Start,
    /// It goes on, and has grown.
    Update,
    /// It is over: nothing of it was seen for the suppression window, or the traffic ends.
    End,
}

impl State {
    /// As outputs have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Update => "update",
            Self::End => "end",
        }
    }
}

/// A text that names none of what is asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is none of {}", known.join(", "))]
pub struct UnknownName {
    name: String,
    known: Vec<&'static str>,
}

impl FromStr for Kind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        named(text, &Self::ALL, Self::name)
    }
}

impl FromStr for Severity {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        named(text, &Self::ALL, Self::name)
    }
}

fn named<T: Copy>(
    text: &str,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, UnknownName> {
    let found = all.iter().copied().find(|known| name(*known) == text);
    found.ok_or_else(|| UnknownName {
        name: text.escape_default().to_string(),
        known: all.iter().copied().map(name).collect(),
    })
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        for severity in Severity::ALL {
            assert_eq!(severity.name().parse(), Ok(severity));
        }
        let error = "urgent".parse::<Severity>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`urgent` is none of low, medium, high, critical"
        );
    }

    #[test]
    fn severities_are_ordered() {
        assert!(Severity::ALL.is_sorted());
        assert!(Severity::Low < Severity::Critical);
    }

    #[test]
    fn every_kind_but_an_anomaly_has_a_technique() {
        for kind in Kind::ALL {
            let technique = kind.technique();
            assert_eq!(technique.is_none(), kind == Kind::Anomaly, "{kind}");
            assert!(technique.is_none_or(|id| id.starts_with("T1")), "{kind}");
        }
    }
}
