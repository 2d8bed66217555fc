use netsec_common::packet::Vlan;

use super::super::contact::Outcome;
use super::super::evidence::{EvidenceKind, Observer};
use super::*;
use crate::connection::Side;
use crate::finding::{Kind, Severity, State};
use crate::hook::HookId;
use crate::time::WallTime;

fn evidence(offender: &str, victim: u8, kind: EvidenceKind) -> Evidence {
    Evidence {
        time: WallTime::from_ns(i64::from(victim) * 1_000_000_000),
        offender: offender.parse().unwrap(),
        is_attacker: true,
        victim: Some([10, 0, 0, victim].into()),
        answered: None,
        kind,
    }
}

fn alert(severity: u8, noise: bool) -> EvidenceKind {
    EvidenceKind::Alert {
        sid: u64::from(severity),
        signature: "s".to_owned(),
        severity,
        noise,
    }
}

fn connection(responder_packets: u64) -> Connection {
    let (source, destination) = ("203.0.113.9:4000", "10.0.0.1:22");
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    let side = |packets| Side {
        packets,
        bytes: packets * 100,
        tcp_flags: 0,
    };
    Connection {
        hook: HookId(0),
        key: FlowKey::from_endpoints(source, destination, 6, Vlan::default()),
        start: WallTime::from_ns(5),
        end: WallTime::from_ns(9),
        originator: side(3),
        responder: side(responder_packets),
    }
}

#[test]
fn noise_adds_nothing_however_much_there_is() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    for _ in 0..20_000 {
        assert_eq!(
            incidents.add(evidence("203.0.113.9", 1, alert(1, true)), None),
            None
        );
    }
    assert!(incidents.reported().is_empty());
}

#[test]
fn terms_are_shown_and_add_up() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    let mut news = 0;
    for victim in 1..=8 {
        let told = incidents.add(evidence("203.0.113.9", victim, alert(1, false)), None);
        news += u32::from(told.is_some());
    }
    let reported = incidents.reported();
    let risk = reported[0].risk();
    let terms: Vec<_> = risk
        .terms
        .iter()
        .map(|term| (term.name, term.points))
        .collect();
    assert_eq!(terms, [("severity", 40), ("alerts", 9), ("victims", 9)]);
    assert_eq!((risk.total(), reported[0].timeline.len(), news), (58, 8, 2));
}

#[test]
fn one_way_traffic_halves_the_risk_and_counters_follow_the_connection() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    let mut risk = |packets| {
        let evidence = evidence("203.0.113.9", 1, alert(1, false));
        incidents.add(evidence, Some(&connection(packets)));
        let incident = incidents.reported().into_iter().next().cloned().unwrap();
        let (_, responder) = incident.traffic.totals();
        (
            incident.risk().total(),
            incident.traffic.connections(),
            responder.packets,
        )
    };
    assert_eq!(risk(0), (20, 1, 0));
    assert_eq!(risk(7), (43, 1, 7));
}

#[test]
fn a_flood_of_single_sources_pushes_out_nobody_with_more() {
    let mut incidents = Incidents::new(IncidentSettings {
        offenders_max: 100,
        ..IncidentSettings::default()
    });
    for victim in 1..=8 {
        incidents.add(evidence("203.0.113.9", victim, alert(1, false)), None);
    }
    for number in 0..10_000_u32 {
        let offender = std::net::Ipv4Addr::from(0x0505_0000 + number).to_string();
        incidents.add(evidence(&offender, 1, alert(3, false)), None);
    }
    assert!(incidents.offenders.len() <= 100);
    assert_eq!(incidents.reported()[0].offender.to_string(), "203.0.113.9");
    assert_eq!(
        incidents.evicted() + incidents.offenders.len() as u64,
        10_001
    );
}

#[test]
fn a_timeline_keeps_its_beginning_and_its_end() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    for victim in 0..200 {
        incidents.add(evidence("203.0.113.9", victim, alert(2, false)), None);
    }
    let incident = incidents.reported()[0].clone();
    let seconds = |place: usize| incident.timeline[place].time.as_ns() / 1_000_000_000;
    assert_eq!(
        (seconds(0), seconds(15), seconds(16), seconds(63)),
        (0, 15, 152, 199)
    );
    assert_eq!(incident.timeline_left_out, 136);
}

fn delta(from: &str, to: &str, packets: u64) -> FlowDelta {
    let (source, destination) = (from.parse().unwrap(), to.parse().unwrap());
    FlowDelta {
        hook: HookId(0),
        key: FlowKey::from_endpoints(source, destination, 6, Vlan { outer: 7, inner: 0 }),
        first: WallTime::from_ns(5),
        last: WallTime::from_ns(20),
        packets,
        bytes: packets * 100,
        tcp_flags: 0x10,
        first_tcp_flags: 0x02,
        opened: false,
        ended: None,
    }
}

/// Counters follow a connection from the alert on, without another line about it.
#[test]
fn counters_grow_while_the_connection_is_open() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    let (attacker, victim) = ("203.0.113.9:4000", "10.0.0.1:22");
    // Nobody is known yet: nothing is counted.
    let first = delta(attacker, victim, 3);
    incidents.delta(&first, &first.key, true);
    incidents.add(
        evidence("203.0.113.9", 1, alert(1, false)),
        Some(&connection(2)),
    );
    let answer = delta(victim, attacker, 10);
    incidents.delta(&first, &first.key, false);
    incidents.delta(&answer, &first.key, false);
    let another = delta("10.0.0.7:5000", "203.0.113.9:443", 1);
    incidents.delta(&another, &another.key, true);
    let incident = incidents.of("203.0.113.9".parse().unwrap()).unwrap();
    let (originators, responders) = incident.traffic.totals();
    assert_eq!(
        (originators.packets, responders.packets),
        (3 + 3 + 1, 2 + 10)
    );
    assert_eq!(incident.traffic.connections(), 2);
    assert!(incident.traffic.is_two_way());
}

/// Rows about connections that were counted already, more than are told apart.
#[test]
fn no_packet_is_counted_twice() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    incidents.add(evidence("203.0.113.9", 1, alert(1, false)), None);
    let key = |port: u16| {
        let (source, destination) = (([203, 0, 113, 9], port).into(), ([10, 0, 0, 1], 22).into());
        FlowKey::from_endpoints(source, destination, 6, Vlan::default())
    };
    for port in 1..=1000 {
        let delta = FlowDelta {
            key: key(port),
            ..delta("203.0.113.9:1", "10.0.0.1:22", 2)
        };
        incidents.delta(&delta, &delta.key, true);
    }
    for port in (1..=1000).chain(1..=1000) {
        let row = Connection {
            key: key(port),
            originator: Side {
                packets: 2,
                bytes: 200,
                tcp_flags: 0x10,
            },
            ..connection(0)
        };
        incidents.add(evidence("203.0.113.9", 1, alert(1, false)), Some(&row));
    }
    let incident = incidents.of("203.0.113.9".parse().unwrap()).unwrap();
    let (originators, responders) = incident.traffic.totals();
    assert_eq!((originators.packets, responders.packets), (2000, 0));
    assert_eq!(incident.traffic.connections(), 1000);
}

fn finding(id: u64, kind: Kind, severity: Severity, state: State) -> EvidenceKind {
    EvidenceKind::Finding {
        id,
        kind,
        severity,
        state,
        message: format!("{state:?}"),
    }
}

#[test]
fn a_campaign_is_one_finding_with_its_worst_severity_and_latest_words() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    for (severity, state) in [
        (Severity::Medium, State::Start),
        (Severity::High, State::Update),
        (Severity::Medium, State::Update),
        (Severity::Medium, State::End),
    ] {
        let kind = finding(5, Kind::ScanVertical, severity, state);
        incidents.add(evidence("203.0.113.9", 1, kind), None);
    }
    let kind = finding(6, Kind::Beacon, Severity::Low, State::Start);
    incidents.add(evidence("203.0.113.9", 1, kind), None);
    let incident = incidents.of("203.0.113.9".parse().unwrap()).unwrap();
    let found = &incident.findings[&5];
    assert_eq!((found.severity, &*found.message), (Severity::High, "End"));
    assert_eq!((incident.findings.len(), incident.timeline.len()), (2, 3));
    let terms: Vec<_> = incident
        .risk()
        .terms
        .into_iter()
        .map(|t| (t.name, t.points))
        .collect();
    assert_eq!(terms, [("findings", 40), ("behaviours", 5)]);
    assert_eq!(
        incidents.named(incident.id()).unwrap().offender,
        incident.offender
    );
}

/// Zeek, Suricata and netsec tell of the same twenty tries.
#[test]
fn what_several_sensors_tell_of_counts_once() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    for observer in [Observer::Netsec, Observer::Suricata, Observer::Zeek] {
        for victim in 0..20 {
            let kind = EvidenceKind::Contact(Outcome::Refused, observer);
            incidents.add(evidence("203.0.113.9", victim, kind), None);
        }
    }
    let incident = incidents.of("203.0.113.9".parse().unwrap()).unwrap();
    assert_eq!(incident.most_contacts().attempts, 20);
}

/// Logs are read one after another; the timeline is one.
#[test]
fn a_timeline_is_in_order_of_time() {
    let mut incidents = Incidents::new(IncidentSettings::default());
    for victim in [5, 1, 9, 3] {
        incidents.add(evidence("203.0.113.9", victim, alert(1, false)), None);
    }
    let incident = incidents.of("203.0.113.9".parse().unwrap()).unwrap();
    let seconds = incident
        .timeline
        .iter()
        .map(|moment| moment.time.as_ns() / 1_000_000_000);
    assert_eq!(seconds.collect::<Vec<_>>(), [1, 3, 5, 9]);
}
