//! Alerts: a signature matched.

use std::net::IpAddr;

use serde::Deserialize;

use super::scalar::{Address, Text, Time};
use crate::time::WallTime;

/// An alert.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert<'a> {
    /// `allowed` or `blocked`.
    pub action: Text<'a>,
    /// Generator, 1 for rules.
    pub gid: u32,
    /// The rule's number.
    pub sid: u64,
    /// Its revision.
    pub rev: u32,
    /// Its message.
    pub signature: Text<'a>,
    /// Its class, in words.
    pub category: Option<Text<'a>>,
    /// From 1, the most severe, to 4; 255 when the rule has none.
    pub severity: u8,
    /// Who attacked, when the rule says which end is the target.
    pub source: Option<AlertEnd>,
    /// Who was attacked.
    pub target: Option<AlertEnd>,
    /// `to_server` or `to_client`: which way the packet went.
    pub direction: Option<Text<'a>>,
    /// What became of the packet, which `action` may not say.
    pub verdict: Option<Verdict<'a>>,
    /// The flow so far.
    pub flow: Option<InitiatorFlow>,
}

/// An end of an alert, by the rule's `target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertEnd {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: Option<u16>,
}

/// What became of the packet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Verdict<'a> {
    /// `pass`, `alert` or `drop`.
    #[serde(borrow)]
    pub action: Text<'a>,
}

/// The flow of an alert, up to its packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InitiatorFlow {
    /// Packets of the initiator.
    pub pkts_toserver: u64,
    /// Packets of the other end.
    pub pkts_toclient: u64,
    /// Bytes of the initiator.
    pub bytes_toserver: u64,
    /// Bytes of the other end.
    pub bytes_toclient: u64,
    /// First packet.
    pub start: Option<WallTime>,
    /// Who began it.
    pub src_ip: Option<IpAddr>,
}

impl Alert<'_> {
    /// Whether it speaks of the capture rather than of anybody's deeds, see [`decoder_noise`].
    #[must_use]
    pub fn is_noise(&self) -> bool {
        decoder_noise(self.gid, self.sid).is_some()
    }

    /// Whether Suricata dropped the packet.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        &*self.action == "blocked" || self.verdict.as_ref().is_some_and(|v| &*v.action == "drop")
    }
}

/// What an alert of Suricata's own event rules is about, when that is nobody's deed.
///
/// Checksums, which off-loading network cards leave open; packets cut by the capture; the stream
/// engine's view of gaps; what protocol parsers did not understand. The numbers are those of the rule
/// files that come with Suricata (`rules/*.rules`).
#[must_use]
pub const fn decoder_noise(gid: u32, sid: u64) -> Option<&'static str> {
    if gid != 1 {
        return None;
    }
    match sid {
        2_200_073..=2_200_079 => Some("checksum"),
        2_200_000..=2_200_999 => Some("decoder"),
        2_210_000..=2_210_999 => Some("stream"),
        2_220_000..=2_299_999 => Some("protocol"),
        _ => None,
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct AlertPart<'a> {
    #[serde(borrow, default)]
    action: Text<'a>,
    #[serde(default = "one")]
    gid: u32,
    signature_id: u64,
    #[serde(default)]
    rev: u32,
    #[serde(borrow, default)]
    signature: Text<'a>,
    #[serde(borrow, default)]
    category: Option<Text<'a>>,
    #[serde(default = "no_severity")]
    severity: u8,
    source: Option<EndPart>,
    target: Option<EndPart>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct EndPart {
    ip: Address,
    port: Option<u16>,
}

const fn one() -> u32 {
    1
}

const fn no_severity() -> u8 {
    255
}

/// The part of `flow` that an alert has.
#[derive(Debug, Deserialize)]
pub(super) struct AlertFlowPart {
    #[serde(default)]
    pkts_toserver: u64,
    #[serde(default)]
    pkts_toclient: u64,
    #[serde(default)]
    bytes_toserver: u64,
    #[serde(default)]
    bytes_toclient: u64,
    start: Option<Time>,
    src_ip: Option<Address>,
}

impl<'a> AlertPart<'a> {
    pub(super) fn into_alert(
        self,
        direction: Option<Text<'a>>,
        verdict: Option<Verdict<'a>>,
        flow: Option<AlertFlowPart>,
    ) -> Alert<'a> {
        let end = |end: EndPart| AlertEnd {
            ip: end.ip.0,
            port: end.port,
        };
        Alert {
            action: self.action,
            gid: self.gid,
            sid: self.signature_id,
            rev: self.rev,
            signature: self.signature,
            category: self.category.filter(|category| !category.is_empty()),
            severity: self.severity,
            source: self.source.map(end),
            target: self.target.map(end),
            direction,
            verdict,
            flow: flow.map(|flow| InitiatorFlow {
                pkts_toserver: flow.pkts_toserver,
                pkts_toclient: flow.pkts_toclient,
                bytes_toserver: flow.bytes_toserver,
                bytes_toclient: flow.bytes_toclient,
                start: flow.start.map(|Time(start)| start),
                src_ip: flow.src_ip.map(|Address(address)| address),
            }),
        }
    }
}
