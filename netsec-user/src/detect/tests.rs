use std::net::SocketAddr;

use netsec_common::packet::{FlowKey, Vlan, protocol};

use super::*;
use crate::connection::tcp::{ACK, FIN, PSH, RST, SYN};
use crate::connection::{Connection, EndCause, Outcome, Side};
use crate::finding::{Figure, Party, Severity};
use crate::hook::HookId;

const SECOND_NS: i64 = 1_000_000_000;

fn detectors(settings: DetectSettings) -> Detectors {
    Detectors::new(settings, [7; 10])
}

fn side(packets: u64, bytes: u64, tcp_flags: u8) -> Side {
    Side {
        packets,
        bytes,
        tcp_flags,
    }
}

/// A whole connection at once, as a row of a log has it.
fn connection(
    ends: (SocketAddr, SocketAddr),
    protocol: u8,
    times: (i64, i64),
    sides: (Side, Side),
    outcome: Outcome,
) -> Activity {
    let (originator, responder) = sides;
    let [start, end] = [times.0, times.1].map(WallTime::from_ns);
    Activity {
        connection: Connection {
            hook: HookId(0),
            key: FlowKey::from_endpoints(ends.0, ends.1, protocol, Vlan::default()),
            start,
            end,
            originator,
            responder,
        },
        sent: originator,
        answered: responder,
        since: start,
        first_tcp_flags: (
            if protocol == protocol::TCP { SYN } else { 0 },
            match outcome {
                Outcome::Conversation | Outcome::Empty => SYN | ACK,
                Outcome::Refused => RST | ACK,
                Outcome::Silent | Outcome::Unasked => 0,
            },
        ),
        opened: true,
        outcome: Some(outcome),
        ended: Some(EndCause::Closed),
    }
}

fn syn(from: SocketAddr, to: SocketAddr, at: i64) -> Activity {
    let sides = (side(1, 60, SYN), side(0, 0, 0));
    connection((from, to), protocol::TCP, (at, at), sides, Outcome::Silent)
}

fn talk(from: SocketAddr, to: SocketAddr, times: (i64, i64), bytes: (u64, u64)) -> Activity {
    let flags = SYN | ACK | PSH;
    let sides = (side(10, bytes.0, flags), side(10, bytes.1, flags));
    connection(
        (from, to),
        protocol::TCP,
        times,
        sides,
        Outcome::Conversation,
    )
}

fn address(number: u32, port: u16) -> SocketAddr {
    SocketAddr::from((number.to_be_bytes(), port))
}

fn kinds(findings: &[Finding]) -> Vec<(Kind, State)> {
    findings
        .iter()
        .map(|found| (found.kind, found.state))
        .collect()
}

#[test]
fn a_scan_inside_a_spoofed_flood_is_found_and_memory_is_bounded() {
    let mut detectors = detectors(DetectSettings::default());
    let victim = SocketAddr::from(([192, 0, 2, 1], 80));
    let scanner = |port| SocketAddr::from(([198, 51, 100, 7], port));
    let mut findings = Vec::new();
    for second in 0..20_u16 {
        let at = i64::from(second) * SECOND_NS;
        for n in 0..20_000_u32 {
            let source = address(0x0b00_0000 + n + u32::from(second) * 20_000, 1024);
            detectors.activity(&syn(source, victim, at));
        }
        let port = SocketAddr::from(([192, 0, 2, 9], second + 1));
        detectors.activity(&syn(scanner(40_000 + second), port, at));
        detectors.close(WallTime::from_ns(at + SECOND_NS), &mut findings);
    }
    let scan = findings
        .iter()
        .find(|found| found.kind == Kind::ScanVertical)
        .unwrap();
    assert_eq!(scan.attacker, Party::Host([198, 51, 100, 7].into()));
    let flood = findings
        .iter()
        .find(|found| found.kind == Kind::FloodSyn)
        .unwrap();
    assert_eq!(flood.attacker, Party::Spoofed);
    assert_eq!(flood.victim, Party::Host([192, 0, 2, 1].into()));
    assert!(
        !flood.attacker_proven,
        "a forged source must not be acted upon"
    );
    let totals = detectors.totals();
    assert_eq!(
        totals.campaigns,
        [(Kind::ScanVertical, 1), (Kind::FloodSyn, 1)]
    );
    assert_eq!(totals.evicted, [], "a flood that is known takes no room");
}

/// That nobody answered is told three seconds after a packet: the flood may be over by then.
#[test]
fn what_is_told_of_a_flood_after_its_end_is_no_scan() {
    let mut settings = DetectSettings::default();
    settings.scan.pairs_max = 64;
    let mut detectors = detectors(settings);
    let victim = SocketAddr::from(([192, 0, 2, 1], 80));
    let mut findings = Vec::new();
    for n in 0..500 {
        let mut begun = syn(address(0x0b00_0000 + n, 1024), victim, 0);
        begun.outcome = None;
        detectors.activity(&begun);
    }
    for second in 1..=3 {
        detectors.close(WallTime::from_ns(second * SECOND_NS), &mut findings);
    }
    for n in 0..500 {
        let mut silent = syn(address(0x0b00_0000 + n, 1024), victim, 0);
        (silent.opened, silent.sent) = (false, Side::default());
        detectors.activity(&silent);
    }
    detectors.close(WallTime::from_ns(4 * SECOND_NS), &mut findings);
    assert_eq!(detectors.totals().evicted, []);
    assert_eq!(detectors.totals().campaigns, [(Kind::FloodSyn, 1)]);
}

#[test]
fn a_flood_starts_once_and_ends_two_seconds_after_its_last_packet() {
    let mut detectors = detectors(DetectSettings::default());
    let victim = SocketAddr::from(([192, 0, 2, 1], 80));
    let mut findings = Vec::new();
    for second in 0..10_i64 {
        if second < 3 {
            for n in 0..500 {
                let at = second * SECOND_NS + i64::from(n) * 1_000_000;
                detectors.activity(&syn(address(0x0b00_0000 + n, 1024), victim, at));
            }
        }
        detectors.close(WallTime::from_ns((second + 1) * SECOND_NS), &mut findings);
        let ended = findings.iter().any(|found| found.state == State::End);
        assert_eq!(
            ended,
            second >= 4,
            "second {second}: {:?}",
            kinds(&findings)
        );
    }
    assert_eq!(
        kinds(&findings),
        [(Kind::FloodSyn, State::Start), (Kind::FloodSyn, State::End)]
    );
    let end = findings.last().unwrap();
    assert_eq!(end.start, WallTime::from_ns(0));
    assert_eq!(end.end, WallTime::from_ns(2 * SECOND_NS + 499_000_000));
}

#[test]
fn a_busy_server_is_not_flooded() {
    let mut detectors = detectors(DetectSettings::default());
    let server = SocketAddr::from(([192, 0, 2, 1], 443));
    for n in 0..5000 {
        let client = address(0x0b00_0000 + n, 50_000);
        detectors.activity(&talk(client, server, (0, 500_000_000), (900, 9000)));
    }
    let mut findings = Vec::new();
    detectors.close(WallTime::from_ns(SECOND_NS), &mut findings);
    assert_eq!(kinds(&findings), []);
}

#[test]
fn a_slow_scan_is_one_campaign() {
    let mut detectors = detectors(DetectSettings::default());
    let scanner = SocketAddr::from(([198, 51, 100, 7], 40_000));
    let mut findings = Vec::new();
    // nmap -T0: a port every five minutes.
    for n in 0..60_u16 {
        let at = i64::from(n) * 300 * SECOND_NS;
        let target = SocketAddr::from(([192, 0, 2, 9], n + 1));
        detectors.activity(&syn(scanner, target, at));
        for second in 1..300 {
            detectors.close(WallTime::from_ns(at + second * SECOND_NS), &mut findings);
        }
    }
    let starts = findings
        .iter()
        .filter(|found| found.state == State::Start)
        .count();
    assert_eq!(starts, 1, "{:?}", kinds(&findings));
}

/// The open port of a scan is seen after the scan was told of.
#[test]
fn a_look_at_an_open_port_shows_who_scans_and_a_clients_connection_does_not() {
    let (scanner, server) = (address(0xcb00_7109, 4000), |port| {
        address(0x0a00_0001, port)
    });
    let sides = |said: u8| {
        let client = side(4, 240, SYN | ACK | FIN | said);
        (client, side(3, 240, SYN | ACK | PSH | FIN))
    };
    // A client says something, later than in the next second or in time.
    for (said, at, shown) in [(0, 1, true), (PSH, 1, false), (0, 3600, false)] {
        let mut detectors = detectors(DetectSettings::default());
        let mut told = Vec::new();
        for port in 1..=200 {
            let refused = (side(1, 60, SYN), side(1, 60, RST | ACK));
            let ends = (scanner, server(port));
            let probe = connection(ends, protocol::TCP, (1, 1), refused, Outcome::Refused);
            detectors.activity(&probe);
        }
        detectors.close(WallTime::from_ns(SECOND_NS), &mut told);
        let scan = told
            .iter()
            .find(|finding| finding.kind == Kind::ScanVertical);
        assert!(!scan.unwrap().attacker_proven);
        told.clear();
        let at = at * SECOND_NS + 1;
        let ends = (scanner, server(22));
        let open = connection(
            ends,
            protocol::TCP,
            (at, at),
            sides(said),
            Outcome::Conversation,
        );
        detectors.activity(&open);
        detectors.close(WallTime::from_ns(at + SECOND_NS), &mut told);
        let mut scans = told
            .iter()
            .filter(|finding| finding.kind == Kind::ScanVertical);
        let update = scans.find(|finding| finding.state == State::Update);
        assert_eq!(
            update.is_some_and(|update| update.attacker_proven),
            shown,
            "{said} {at}"
        );
        assert!(
            scans.all(|finding| finding.state != State::Start),
            "{told:?}"
        );
        let named = update.and_then(|update| update.evidence.get("handshake"));
        let wanted = Figure::Text("203.0.113.9:4000 > 10.0.0.1:22".to_owned());
        assert_eq!(named, shown.then_some(&wanted));
    }
}

#[test]
fn much_more_out_than_in_to_a_new_host_is_exfiltration() {
    let mut detectors = detectors(DetectSettings::default());
    let inside = SocketAddr::from(([10, 0, 0, 5], 50_000));
    let outside = SocketAddr::from(([203, 0, 113, 9], 443));
    let mut findings = Vec::new();
    let upload = talk(
        inside,
        outside,
        (0, 60 * SECOND_NS),
        (600_000_000, 9_000_000),
    );
    detectors.activity(&upload);
    let download = talk(
        inside,
        outside,
        (0, 60 * SECOND_NS),
        (9_000_000, 600_000_000),
    );
    detectors.close(WallTime::from_ns(61 * SECOND_NS), &mut findings);
    assert_eq!(kinds(&findings), [(Kind::Exfiltration, State::Start)]);
    let mut other = self::detectors(DetectSettings::default());
    findings.clear();
    other.activity(&download);
    other.close(WallTime::from_ns(61 * SECOND_NS), &mut findings);
    assert_eq!(kinds(&findings), []);
}

#[test]
fn hours_make_a_long_connection_and_echoes_that_differ_a_tunnel() {
    let mut detectors = detectors(DetectSettings::default());
    let inside = SocketAddr::from(([10, 0, 0, 5], 50_000));
    let outside = SocketAddr::from(([203, 0, 113, 9], 4443));
    detectors.activity(&talk(inside, outside, (0, 3601 * SECOND_NS), (9000, 9000)));
    let ping = |bytes| {
        let ends = (
            SocketAddr::from(([10, 0, 0, 5], 8)),
            SocketAddr::from(([203, 0, 113, 8], 0)),
        );
        let sides = (side(100, 9800, 0), side(100, bytes, 0));
        connection(
            ends,
            protocol::ICMP,
            (0, 100 * SECOND_NS),
            sides,
            Outcome::Conversation,
        )
    };
    detectors.activity(&ping(9800));
    detectors.activity(&ping(60_000));
    let mut findings = Vec::new();
    detectors.close(WallTime::from_ns(3602 * SECOND_NS), &mut findings);
    let mut kinds = kinds(&findings);
    kinds.retain(|(_, state)| *state == State::Start);
    assert_eq!(
        kinds,
        [
            (Kind::LongConnection, State::Start),
            (Kind::TunnelIcmp, State::Start)
        ]
    );
}

#[test]
fn a_host_that_reaches_many_anew_moves_laterally() {
    let mut detectors = detectors(DetectSettings::default());
    let inside = SocketAddr::from(([10, 0, 0, 5], 50_000));
    for last in 10..16 {
        let other = SocketAddr::from(([10, 0, 0, last], 445));
        detectors.activity(&talk(inside, other, (0, SECOND_NS), (900, 900)));
    }
    let mut findings = Vec::new();
    detectors.close(WallTime::from_ns(2 * SECOND_NS), &mut findings);
    let found = findings
        .iter()
        .find(|found| found.kind == Kind::LateralMovement)
        .unwrap();
    assert_eq!(
        found.severity,
        Severity::Low,
        "everything is new in the first day"
    );
    assert_eq!(found.attacker, Party::Host([10, 0, 0, 5].into()));
}

#[test]
fn kinds_that_are_off_are_not_told() {
    let settings = DetectSettings {
        off: vec![Kind::LongConnection],
        ..DetectSettings::default()
    };
    let mut detectors = detectors(settings);
    let inside = SocketAddr::from(([10, 0, 0, 5], 50_000));
    let outside = SocketAddr::from(([203, 0, 113, 9], 4443));
    detectors.activity(&talk(inside, outside, (0, 3601 * SECOND_NS), (9000, 9000)));
    let mut findings = Vec::new();
    detectors.finish(WallTime::from_ns(3602 * SECOND_NS), &mut findings);
    assert_eq!(kinds(&findings), []);
}
