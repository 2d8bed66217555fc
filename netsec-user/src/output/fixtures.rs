//! What the tests of several outputs start from.

use std::net::SocketAddr;

use bytes::Bytes;
use netsec_common::ledger::{Counter, Row, Snapshot};
use netsec_common::packet::{FlowKey, Start, Vlan, protocol};
use netsec_common::sample::Fate;

use super::Sensor;
use crate::connection::{Connection, Side};
use crate::event::Sample;
use crate::finding::{Evidence, Finding, Kind, Party, Severity, State, campaign_id};
use crate::hook::{Direction, Hook, HookId};
use crate::summary::{HookSummary, Service, Summary, Talker, Volume};
use crate::time::WallTime;

/// 2026-11-23 01:31:02.114123 UTC.
pub(super) const NOON: WallTime = WallTime::from_ns(1_795_397_462_114_123_000);

pub(super) fn ledger(counts: &[(Counter, u64)]) -> Snapshot {
    let row = Row::new();
    for &(counter, amount) in counts {
        row.add(counter, amount);
    }
    row.read()
}

pub(super) fn sensor(interfaces: &[(&str, Direction)]) -> Sensor {
    let hook = |&(interface, direction): &(&str, Direction)| Hook {
        interface: interface.into(),
        direction,
    };
    Sensor {
        hooks: interfaces.iter().map(hook).collect(),
        community_seed: 0,
    }
}

pub(super) fn sample(bytes: &[u8]) -> Sample {
    Sample {
        hook: HookId(0),
        time: NOON,
        wire_bytes: u32::try_from(bytes.len()).unwrap(),
        start: Start::Ethernet,
        fate: Fate::PASSED,
        bytes: Bytes::copy_from_slice(bytes),
    }
}

pub(super) fn key(source: &str, destination: &str, protocol: u8) -> FlowKey {
    let endpoint = |text: &str| text.parse::<SocketAddr>().unwrap();
    FlowKey::from_endpoints(
        endpoint(source),
        endpoint(destination),
        protocol,
        Vlan::default(),
    )
}

pub(super) fn connection() -> Connection {
    Connection {
        hook: HookId(0),
        key: key("128.232.110.120:34855", "66.35.250.204:80", protocol::TCP),
        start: NOON,
        end: NOON.plus_ns(3_210_000_000),
        originator: Side {
            packets: 12,
            bytes: 1204,
            tcp_flags: 0x1b,
        },
        responder: Side {
            packets: 9,
            bytes: 8100,
            tcp_flags: 0x13,
        },
    }
}

pub(super) fn summary() -> Summary {
    let counts = ledger(&[
        (Counter::Frames, 12_345),
        (Counter::Bytes, 9_876_543),
        (Counter::Ipv4, 12_000),
        (Counter::Ipv6, 305),
        (Counter::FlowPackets, 12_300),
        (Counter::FlowBytes, 9_870_000),
        (Counter::Arp, 32),
        (Counter::Llc, 8),
        (Counter::UdpLength, 5),
    ]);
    let volume = |packets, bytes| Volume { bytes, packets };
    Summary {
        start: NOON,
        end: NOON.plus_ns(5_000_000_000),
        is_final: false,
        hooks: vec![HookSummary {
            hook: HookId(0),
            interval: counts,
            total: counts,
        }],
        protocols: vec![
            (protocol::TCP, volume(11_000, 9_400_000)),
            (protocol::UDP, volume(1_290, 469_000)),
            (protocol::ICMPV6, volume(10, 1_000)),
        ],
        talkers: vec![
            Talker {
                address: [10, 0, 0, 1].into(),
                sent: volume(8000, 9_000_000),
                received: volume(3000, 400_000),
            },
            Talker {
                address: "2001:db8::1:2:3:4".parse().unwrap(),
                sent: volume(300, 30_000),
                received: volume(0, 0),
            },
        ],
        services: vec![
            Service {
                protocol: protocol::TCP,
                port: 443,
                volume: volume(11_000, 9_400_000),
            },
            Service {
                protocol: protocol::UDP,
                port: 40_000,
                volume: volume(90, 4_690),
            },
        ],
        opened: 2280,
        ended: 2201,
        active: 14_022,
        read: volume(12_300, 9_870_000),
        read_inner: None,
        findings: Vec::new(),
        torn_reads: 3,
    }
}

pub(super) fn finding() -> Finding {
    let attacker = Party::Host([10, 0, 0, 1].into());
    let victim = Party::Host([10, 0, 0, 2].into());
    Finding {
        id: campaign_id(Kind::ScanVertical, &attacker, &victim, None, NOON),
        kind: Kind::ScanVertical,
        severity: Severity::High,
        state: State::Start,
        attacker,
        attacker_proven: true,
        victim,
        service: Some((protocol::TCP, None)),
        start: NOON,
        end: NOON.plus_ns(1_200_000_000),
        evidence: Evidence::new().count("ports", 1000).number("seconds", 1.2),
        message: "1000 TCP ports tried in 1.2s".into(),
    }
}
