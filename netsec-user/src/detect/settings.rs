//! Thresholds of the detectors, each with what it means and where its default comes from.
//!
//! Defaults are the field's: those of FastNetMon, RITA, Slips, Snort, Suricata's rule sets and Zeek.
//! Where none of them has such a figure, the reason for ours stands instead.

mod list;
mod table;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::list::{
    Anomaly, Beacon, Bruteforce, Exfiltration, Flood, LateralMovement, LongConnection, Scan,
    SuspiciousPort, TunnelDns, TunnelIcmp,
};
pub use self::table::Threshold;
pub(crate) use self::table::section;
use crate::finding::Kind;
use crate::time::TimeSpan;

/// Section `[detect]`: one section for each detector, and what they share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectSettings {
    /// Networks of this site; exfiltration leaves them, lateral movement stays inside, and nobody in
    /// them is blocked for a finding or an alert.
    pub home: Vec<IpNet>,
    /// Kinds of findings that are not wanted.
    pub off: Vec<Kind>,
    /// Time without anything new after which a campaign is over, but for floods.
    pub quiet: TimeSpan,
    /// Least time between two updates of one campaign, unless its severity rises.
    pub update: TimeSpan,
    /// Most campaigns at a time; beyond it the one that was quiet longest is ended.
    pub campaigns_max: usize,
    /// Section `[detect.scan]`.
    pub scan: Scan,
    /// Section `[detect.flood]`.
    pub flood: Flood,
    /// Section `[detect.bruteforce]`.
    pub bruteforce: Bruteforce,
    /// Section `[detect.beacon]`.
    pub beacon: Beacon,
    /// Section `[detect.long_connection]`.
    pub long_connection: LongConnection,
    /// Section `[detect.exfiltration]`.
    pub exfiltration: Exfiltration,
    /// Section `[detect.lateral_movement]`.
    pub lateral_movement: LateralMovement,
    /// Section `[detect.suspicious_port]`.
    pub suspicious_port: SuspiciousPort,
    /// Section `[detect.tunnel_dns]`.
    pub tunnel_dns: TunnelDns,
    /// Section `[detect.tunnel_icmp]`.
    pub tunnel_icmp: TunnelIcmp,
    /// Section `[detect.anomaly]`.
    pub anomaly: Anomaly,
}

impl DetectSettings {
    /// What the keys of `[detect]` itself mean.
    pub const THRESHOLDS: &'static [Threshold] = &[
        Threshold {
            name: "home",
            what: " Networks of this site: nobody in them is blocked for a finding or an alert.",
            source: "RITA, internal_subnets; shared addresses (RFC 6598), link-local networks",
        },
        Threshold {
            name: "off",
            what: " Kinds of findings that are not wanted, such as \"long_connection\".",
            source: "none",
        },
        Threshold {
            name: "quiet",
            what: " Time without anything new after which a campaign is over, but for floods.",
            source: "Zeek's scan policy, 5 min",
        },
        Threshold {
            name: "update",
            what: " Least time between two updates of one campaign, unless its severity rises.",
            source: "ours",
        },
        Threshold {
            name: "campaigns_max",
            what: " Most campaigns at a time; beyond it the quietest is ended.",
            source: "ours",
        },
    ];

    /// Whether an address is one of this site's.
    #[must_use]
    pub fn is_home(&self, address: IpAddr) -> bool {
        self.home.iter().any(|network| network.contains(&address))
    }
}

impl Default for DetectSettings {
    fn default() -> Self {
        const HOME: [&str; 7] = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ];
        Self {
            home: HOME.iter().filter_map(|net| net.parse().ok()).collect(),
            off: Vec::new(),
            quiet: TimeSpan::from_secs(300),
            update: TimeSpan::from_secs(60),
            campaigns_max: 4096,
            scan: Scan::default(),
            flood: Flood::default(),
            bruteforce: Bruteforce::default(),
            beacon: Beacon::default(),
            long_connection: LongConnection::default(),
            exfiltration: Exfiltration::default(),
            lateral_movement: LateralMovement::default(),
            suspicious_port: SuspiciousPort::default(),
            tunnel_dns: TunnelDns::default(),
            tunnel_icmp: TunnelIcmp::default(),
            anomaly: Anomaly::default(),
        }
    }
}
