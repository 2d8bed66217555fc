use netsec_common::packet::Vlan;

use super::super::contact::Outcome;
use super::super::row::Says;
use super::*;
use crate::hook::HookId;
use crate::log::Tuple;

const SECOND: i64 = 1_000_000_000;

fn key(source: &str, destination: &str) -> FlowKey {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    FlowKey::from_endpoints(source, destination, 6, Vlan { outer: 7, inner: 0 })
}

fn delta(key: FlowKey, seconds: i64, opened: bool) -> FlowDelta {
    FlowDelta {
        hook: HookId(0),
        key,
        first: WallTime::from_ns(seconds * SECOND),
        last: WallTime::from_ns((seconds + 1) * SECOND),
        packets: 2,
        bytes: 100,
        tcp_flags: 0x10,
        first_tcp_flags: 0x02,
        opened,
        ended: None,
    }
}

fn row(source: &str, destination: &str, seconds: i64) -> Row {
    let key = key(source, destination);
    Row {
        time: WallTime::from_ns(seconds * SECOND),
        until: WallTime::from_ns(seconds * SECOND),
        origin: Origin::Zeek,
        kind: "conn".to_owned(),
        tuple: Some(Tuple {
            source: key.source(),
            source_port: key.source_port(),
            destination: key.destination(),
            destination_port: key.destination_port(),
            protocol: Some(6),
        }),
        sides: None,
        community_id: None,
        id: None,
        says: Says::Contact(Outcome::Established),
    }
}

const A: &str = "10.0.0.1:40000";
const B: &str = "192.0.2.1:443";

fn join() -> Join {
    Join::new(JoinSettings {
        connections_max: 100,
        rows_max: 10,
        ..JoinSettings::default()
    })
}

fn joined(outcome: JoinOutcome) -> Joined {
    match outcome {
        JoinOutcome::Joined(joined) => joined,
        JoinOutcome::Unjoined(_) | JoinOutcome::Waits => panic!("{outcome:?}"),
    }
}

fn reason(outcome: JoinOutcome) -> Why {
    match outcome {
        JoinOutcome::Unjoined(unjoined) => unjoined.why,
        JoinOutcome::Joined(_) | JoinOutcome::Waits => panic!("{outcome:?}"),
    }
}

#[test]
fn either_direction_joins_and_counters_grow_while_it_is_open() {
    let mut join = join();
    join.delta(&delta(key(A, B), 100, true), &key(A, B), true);
    let now = WallTime::from_ns(101 * SECOND);
    let first = joined(join.row(row(B, A, 101), now));
    assert_eq!(first.connection.originator.packets, 2);
    join.delta(&delta(key(B, A), 102, true), &key(A, B), false);
    let second = joined(join.row(row(A, B, 103), now));
    let Connection {
        originator,
        responder,
        ..
    } = second.connection;
    assert_eq!((originator.packets, responder.packets), (2, 2));
    assert_eq!(join.counts().joined, 2);
}

#[test]
fn a_row_that_comes_first_waits_for_its_connection() {
    let mut join = join();
    let now = WallTime::from_ns(100 * SECOND);
    assert_eq!(join.row(row(A, B, 100), now), JoinOutcome::Waits);
    join.delta(&delta(key(A, B), 100, true), &key(A, B), true);
    let mut count = 0;
    join.settle(now, false, |settled| {
        joined(settled);
        count += 1;
    });
    assert_eq!((count, join.waiting()), (1, 0));
}

#[test]
fn the_connection_that_was_open_at_the_time_is_the_one() {
    let mut join = join();
    for seconds in [100, 200, 300] {
        join.delta(&delta(key(A, B), seconds, true), &key(A, B), true);
    }
    let now = WallTime::from_ns(400 * SECOND);
    for (seconds, start) in [(96, 100), (201, 200), (305, 300)] {
        let joined = joined(join.row(row(A, B, seconds), now));
        assert_eq!(joined.connection.start.as_ns(), start * SECOND, "{seconds}");
    }
    assert_eq!(join.row(row(A, B, 150), now), JoinOutcome::Waits);
    let mut why = Vec::new();
    join.settle(now, true, |settled| why.push(reason(settled)));
    assert_eq!(why, [Why::OtherTime(49 * SECOND)]);
}

#[test]
fn an_id_alone_joins_by_the_seed() {
    let mut join = join();
    join.delta(&delta(key(A, B), 100, true), &key(A, B), true);
    let now = WallTime::from_ns(100 * SECOND);
    let with_id = |seed| Row {
        tuple: None,
        community_id: community_id(seed, &key(A, B)),
        ..row(A, B, 100)
    };
    joined(join.row(with_id(0), now));
    assert_eq!(join.row(with_id(1), now), JoinOutcome::Waits);
    let stated = Row {
        community_id: community_id(1, &key(A, B)),
        ..row(A, B, 100)
    };
    joined(join.row(stated, now));
    assert_eq!(join.counts().ids_differ, 1);
    let nothing = Row {
        tuple: None,
        ..row(A, B, 100)
    };
    assert_eq!(reason(join.row(nothing, now)), Why::NoAddresses);
}

#[test]
fn memory_is_bounded_and_what_makes_room_is_counted() {
    let mut join = join();
    for number in 0..1000 {
        let source = format!("10.0.0.1:{}", 1000 + number);
        let key = key(&source, B);
        join.delta(&delta(key, number, true), &key, true);
        assert!(join.kept <= 100);
    }
    assert_eq!(join.kept as u64 + join.counts().connections_evicted, 1000);
    let now = WallTime::from_ns(2000 * SECOND);
    for number in 0..50 {
        let _waits = join.row(row("10.9.9.9:1", B, number), now);
    }
    assert_eq!(join.waiting(), 10);
    join.settle(now, true, |settled| {
        reason(settled);
    });
    let counts = join.counts();
    assert_eq!(
        counts.unjoined.values().sum::<u64>() + counts.joined,
        counts.rows
    );
    assert_eq!(counts.unjoined.get("evicted"), Some(&40));
}
