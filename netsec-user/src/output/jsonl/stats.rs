//! `event_type` stats: an interval, or the whole run on the last line.
//!
//! The counters mean what the ledger says they mean: the outermost IP header, nothing reassembled.
//! `arp` are ARP frames and `non_ip` frames with neither an IP header nor ARP, as packet analysers
//! count them: both together are the frames without IPv4 or IPv6. A frame whose IP header cannot
//! be read is among them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netsec_common::ledger::{Class, Counter, Snapshot};
use serde::{Serialize, Serializer};

use super::super::timestamp::EveTime;
use super::super::tunnels::Tunnels;
use super::super::{Coverage, Sensor};
use super::value::{Place, Protocol};
use crate::summary::{HookSummary, Service, Summary, Talker, Volume};

/// The line of a summary; `timestamp` is the end of the interval.
#[derive(Debug, Serialize)]
pub(super) struct StatsLine<'a> {
    timestamp: EveTime,
    event_type: &'static str,
    #[serde(rename = "final", skip_serializing_if = "Option::is_none")]
    is_final: Option<bool>,
    stats: Stats<'a>,
}

#[derive(Debug, Serialize)]
struct Stats<'a> {
    start: EveTime,
    end: EveTime,
    seconds: f64,
    #[serde(flatten)]
    totals: Counts<'a>,
    #[serde(flatten)]
    attributes: Counts<'a>,
    arp: u64,
    non_ip: u64,
    fragments: u64,
    malformed: Counts<'a>,
    flows: Flows<'a>,
    coverage: CoverageStats<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnels: Option<TunnelStats<'a>>,
    protocols: Vec<ProtocolVolume>,
    talkers: Vec<TalkerVolumes>,
    services: Vec<ServiceVolume>,
    /// Campaigns since the start, by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    findings: BTreeMap<&'static str, u64>,
    interfaces: Vec<Interface<'a>>,
}

#[derive(Debug, Serialize)]
struct Flows<'a> {
    /// Connections.
    opened: u64,
    ended: u64,
    active: u64,
    /// Flows that lost their place in the kernel's cache to a newer one; their counts are kept.
    evicted: u64,
    read_packets: u64,
    read_bytes: u64,
    torn_reads: u64,
    cache: Counts<'a>,
}

#[derive(Debug, Serialize)]
struct CoverageStats<'a> {
    complete: bool,
    ratio: f64,
    frames: u64,
    in_flows: u64,
    #[serde(flatten)]
    flows: Counts<'a>,
    not_ip: Counts<'a>,
    malformed: u64,
    /// Frames dropped by the block table; in no flow.
    dropped: u64,
    #[serde(flatten)]
    dropped_reasons: Counts<'a>,
    #[serde(flatten)]
    verdicts: Counts<'a>,
    unaccounted: u64,
    #[serde(flatten)]
    unaccounted_reasons: Counts<'a>,
    imbalance: i64,
    unread_packets: u64,
    #[serde(flatten)]
    lost: Counts<'a>,
    #[serde(flatten)]
    samples: Counts<'a>,
    /// Frames that another hook has counted; not among `frames`.
    #[serde(flatten)]
    elsewhere: Counts<'a>,
}

/// What is in tunnels: `tunnelled` packets, each with one outcome. Their bytes are among those of the
/// frames.
#[derive(Debug, Serialize)]
struct TunnelStats<'a> {
    complete: bool,
    #[serde(flatten)]
    tunnelled: Counts<'a>,
    #[serde(flatten)]
    flows: Counts<'a>,
    not_ip: Counts<'a>,
    malformed: Counts<'a>,
    #[serde(flatten)]
    unread: Counts<'a>,
    #[serde(flatten)]
    unaccounted: Counts<'a>,
    imbalance: i64,
    read_packets: u64,
    read_bytes: u64,
    unread_packets: u64,
}

#[derive(Debug, Serialize)]
struct ProtocolVolume {
    proto: Protocol,
    packets: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct TalkerVolumes {
    ip: IpAddr,
    sent_packets: u64,
    sent_bytes: u64,
    received_packets: u64,
    received_bytes: u64,
}

#[derive(Debug, Serialize)]
struct ServiceVolume {
    proto: Protocol,
    port: u16,
    packets: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct Interface<'a> {
    in_iface: Option<&'a str>,
    direction: Option<&'static str>,
    frames: u64,
    bytes: u64,
    complete: bool,
    ratio: f64,
}

/// The counters of one class, by name.
#[derive(Clone, Copy, Debug)]
struct Counts<'a> {
    ledger: &'a Snapshot,
    class: Class,
}

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of_class = self
            .ledger
            .iter()
            .filter(|(counter, _)| counter.class() == self.class);
        serializer.collect_map(of_class.map(|(counter, value)| (counter.name(), value)))
    }
}

impl<'a> StatsLine<'a> {
    /// `coverage` is the summary's.
    pub(super) fn new(sensor: &'a Sensor, summary: &Summary, coverage: &'a Coverage) -> Self {
        Self {
            timestamp: EveTime(summary.end),
            event_type: "stats",
            is_final: summary.is_final.then_some(true),
            stats: Stats::new(sensor, summary, coverage),
        }
    }
}

impl<'a> Stats<'a> {
    fn new(sensor: &'a Sensor, summary: &Summary, coverage: &'a Coverage) -> Self {
        let ledger = coverage.ledger();
        let class = |class| Counts { ledger, class };
        let get = |counter| ledger.get(counter);
        let with_network = [Counter::Ipv4, Counter::Ipv6, Counter::Arp]
            .map(get)
            .into_iter()
            .sum();
        Self {
            start: EveTime(summary.start),
            end: EveTime(summary.end),
            seconds: summary.end.since(summary.start).as_secs_f64(),
            totals: class(Class::Total),
            attributes: class(Class::Attribute),
            arp: get(Counter::Arp),
            non_ip: get(Counter::Frames).saturating_sub(with_network),
            fragments: get(Counter::Ipv4Fragments) + get(Counter::Ipv6Fragments),
            malformed: class(Class::Malformed),
            flows: Flows {
                opened: summary.opened,
                ended: summary.ended,
                active: summary.active,
                evicted: get(Counter::FlowsEvicted),
                read_packets: summary.read.packets,
                read_bytes: summary.read.bytes,
                torn_reads: summary.torn_reads,
                cache: class(Class::Cache),
            },
            coverage: CoverageStats::new(coverage),
            tunnels: TunnelStats::new(summary, coverage),
            protocols: summary.protocols.iter().map(ProtocolVolume::from).collect(),
            findings: summary
                .findings
                .iter()
                .map(|(kind, n)| (kind.name(), *n))
                .collect(),
            talkers: summary.talkers.iter().map(TalkerVolumes::from).collect(),
            services: summary.services.iter().map(ServiceVolume::from).collect(),
            interfaces: summary
                .hooks
                .iter()
                .map(|hook| Interface::new(sensor, hook, summary.is_final))
                .collect(),
        }
    }
}

impl<'a> CoverageStats<'a> {
    fn new(coverage: &'a Coverage) -> Self {
        let ledger = coverage.ledger();
        let class = |class| Counts { ledger, class };
        Self {
            complete: coverage.is_complete(),
            ratio: coverage.ratio(),
            frames: coverage.frames,
            in_flows: ledger.get(Counter::FlowPackets),
            flows: class(Class::Flow),
            not_ip: class(Class::NotIp),
            malformed: ledger.sum(Class::Malformed),
            dropped: ledger.sum(Class::Dropped),
            dropped_reasons: class(Class::Dropped),
            verdicts: class(Class::Verdict),
            unaccounted: ledger.sum(Class::Unaccounted),
            unaccounted_reasons: class(Class::Unaccounted),
            imbalance: coverage.imbalance,
            unread_packets: coverage.unread_packets,
            lost: class(Class::Lost),
            samples: class(Class::Sample),
            elsewhere: class(Class::Elsewhere),
        }
    }
}

impl<'a> TunnelStats<'a> {
    /// `None` when nobody looked into tunnels.
    fn new(summary: &Summary, coverage: &'a Coverage) -> Option<Self> {
        let ledger = coverage.ledger();
        let class = |class| Counts { ledger, class };
        let read = summary.read_inner?;
        let tunnels = Tunnels::of(summary, *ledger, false)?;
        Some(Self {
            complete: tunnels.is_complete(),
            tunnelled: class(Class::Tunnel),
            flows: class(Class::InnerFlow),
            not_ip: class(Class::InnerNotIp),
            malformed: class(Class::InnerMalformed),
            unread: class(Class::InnerUnread),
            unaccounted: class(Class::InnerUnaccounted),
            imbalance: ledger.inner_imbalance(),
            read_packets: read.packets,
            read_bytes: read.bytes,
            unread_packets: tunnels.unread_packets,
        })
    }
}

impl From<&(u8, Volume)> for ProtocolVolume {
    fn from((number, volume): &(u8, Volume)) -> Self {
        Self {
            proto: Protocol(*number),
            packets: volume.packets,
            bytes: volume.bytes,
        }
    }
}

impl From<&Talker> for TalkerVolumes {
    fn from(talker: &Talker) -> Self {
        Self {
            ip: talker.address,
            sent_packets: talker.sent.packets,
            sent_bytes: talker.sent.bytes,
            received_packets: talker.received.packets,
            received_bytes: talker.received.bytes,
        }
    }
}

impl From<&Service> for ServiceVolume {
    fn from(service: &Service) -> Self {
        Self {
            proto: Protocol(service.protocol),
            port: service.port,
            packets: service.volume.packets,
            bytes: service.volume.bytes,
        }
    }
}

impl<'a> Interface<'a> {
    fn new(sensor: &'a Sensor, hook: &HookSummary, is_final: bool) -> Self {
        let place = Place::new(sensor, hook.hook);
        let counts = if is_final { hook.total } else { hook.interval };
        let coverage = Coverage::of_ledger(counts);
        Self {
            in_iface: place.in_iface,
            direction: place.direction,
            frames: coverage.frames,
            bytes: counts.get(Counter::Bytes),
            complete: coverage.is_complete(),
            ratio: coverage.ratio(),
        }
    }
}
