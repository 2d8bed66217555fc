use std::net::SocketAddr;

use netsec_common::packet::{Vlan, protocol};

use super::*;
use crate::connection::tcp::{ACK, PSH, RST, SYN};
use crate::connection::{EndCause, Outcome, Side};
use crate::hook::HookId;

const SECOND_NS: i64 = 1_000_000_000;
/// A whole window begins here, so that tests say where they are in it.
const DAY_NS: i64 = 86_400 * SECOND_NS;

const LIMITS: Limits = Limits {
    hosts_max: 1000,
    pairs_max: 1000,
};

fn ends(from: &str, to: &str) -> (SocketAddr, SocketAddr) {
    (from.parse().unwrap(), to.parse().unwrap())
}

/// A whole connection, told when it has ended.
fn whole(ends: (SocketAddr, SocketAddr), seconds: (i64, i64), outcome: Outcome) -> Activity {
    let [start, end] =
        [seconds.0, seconds.1].map(|second| WallTime::from_ns(DAY_NS + second * SECOND_NS));
    let talks = outcome == Outcome::Conversation;
    let originator = Side {
        packets: if talks { 6 } else { 1 },
        bytes: if talks { 3000 } else { 60 },
        tcp_flags: if talks { SYN | ACK | PSH } else { SYN },
    };
    let responder = Side {
        packets: if talks { 5 } else { 1 },
        bytes: if talks { 1000 } else { 54 },
        tcp_flags: if talks { SYN | ACK | PSH } else { RST | ACK },
    };
    Activity {
        connection: Connection {
            hook: HookId(0),
            key: FlowKey::from_endpoints(ends.0, ends.1, protocol::TCP, Vlan::default()),
            start,
            end,
            originator,
            responder,
        },
        sent: originator,
        answered: responder,
        since: start,
        first_tcp_flags: (SYN, if talks { SYN | ACK } else { RST | ACK }),
        opened: true,
        outcome: Some(outcome),
        ended: Some(EndCause::Closed),
    }
}

/// The vectors of activities that are told second by second.
fn vectors(activities: &[Activity]) -> Vec<Vector> {
    let mut features = Features::new(LIMITS, [7; 10]);
    let mut vectors = Vec::new();
    let mut looked = WallTime::default();
    for activity in activities {
        let second = activity.connection.end.whole(Duration::from_secs(1));
        if second > looked {
            features.close(second, |vector| vectors.push(vector));
            looked = second;
        }
        features.activity(activity, |vector| vectors.push(vector));
    }
    features.close(WallTime::from_ns(2 * DAY_NS), |vector| vectors.push(vector));
    vectors
}

fn value(vector: &Vector, name: Name) -> f64 {
    vector.values[name as usize]
}

fn is(vector: &Vector, name: Name, expected: f64) -> bool {
    let value = value(vector, name);
    (value - expected).abs() < 1e-9 || value.is_nan() && expected.is_nan()
}

#[test]
fn a_connection_in_numbers() {
    let talk = whole(
        ends("10.0.0.1:50000", "192.0.2.1:443"),
        (0, 5),
        Outcome::Conversation,
    );
    let vectors = vectors(&[talk]);
    let [vector] = vectors.as_slice() else {
        panic!("{vectors:?}")
    };
    for (name, expected) in [
        (Name::Duration, 5.0),
        (Name::PacketsOut, 6.0),
        (Name::PacketsIn, 5.0),
        (Name::BytesOut, 3000.0),
        (Name::BytesOutShare, 0.75),
        (Name::FrameBytesOut, 500.0),
        (Name::FrameBytesIn, 200.0),
        (Name::PacketGap, 0.5),
        (Name::FlagPsh, 1.0),
        (Name::FlagRst, 0.0),
        (Name::Answered, 1.0),
        (Name::Failed, 0.0),
        (Name::SourceConnections, 1.0),
        (Name::PairInterval, f64::NAN),
        // Everything is new in the first window: it says nothing.
        (Name::FirstContact, f64::NAN),
        (Name::SourceNewPairs, f64::NAN),
    ] {
        assert!(is(vector, name, expected), "{name:?} {vector:?}");
    }
}

#[test]
fn values_stay_in_their_ranges() {
    let mut activities = Vec::new();
    for n in 0..400_i64 {
        let outcome = [Outcome::Conversation, Outcome::Refused][usize::from(n % 3 == 0)];
        let to = format!("192.0.2.{}:{}", n % 5, 1 + n % 7);
        activities.push(whole(
            ends(&format!("10.0.0.{}:50000", n % 9), &to),
            (3 * n, 3 * n + 1),
            outcome,
        ));
    }
    let vectors = vectors(&activities);
    assert_eq!(vectors.len(), 400);
    for vector in &vectors {
        for (value, feature) in vector.values.iter().zip(&FEATURES) {
            let (low, high) = feature.range;
            let fits = value.is_nan() || (low..=high).contains(value);
            assert!(fits, "{} {value}", feature.name);
        }
    }
    // After the warm-up nothing is missing but what a single connection cannot have.
    let last = vectors.last().unwrap();
    let missing = FEATURES.iter().zip(last.values);
    let missing: Vec<_> = missing
        .filter(|(_, value)| value.is_nan())
        .map(|(feature, _)| feature.name)
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_source_is_counted_over_the_window_and_the_one_before() {
    let from = "10.0.0.1:50000";
    let mut activities: Vec<Activity> = (0..40)
        .map(|n| {
            let to = format!("192.0.2.{n}:{}", n + 1);
            whole(ends(from, &to), (n, n), Outcome::Refused)
        })
        .collect();
    // The next window, then one after a window of silence.
    for second in [310, 950] {
        let to = ends(from, "192.0.2.1:443");
        activities.push(whole(to, (second, second), Outcome::Conversation));
    }
    let vectors = vectors(&activities);
    let at = |index: usize| &vectors[index];
    assert!(is(at(39), Name::SourceConnections, 40.0));
    let hosts = value(at(39), Name::SourceHosts);
    assert!((39.0..=41.0).contains(&hosts), "{hosts}");
    assert!(is(at(39), Name::SourceFailedShare, 1.0));
    assert!(is(at(40), Name::SourceConnections, 40.0));
    assert!(is(at(40), Name::SourceFailedShare, 40.0 / 41.0));
    assert!(is(at(40), Name::SourceBytesUsual, 3000.0 / 2400.0));
    assert!(is(at(41), Name::SourceConnections, 1.0));
    assert!(is(at(41), Name::SourceFailedShare, 0.0));
}

#[test]
fn what_is_new_is_new_once() {
    let old = ends("10.0.0.1:50000", "192.0.2.1:443");
    let talk = |ends, second| whole(ends, (second, second), Outcome::Conversation);
    let vectors = vectors(&[
        talk(old, 0),
        talk(old, 400),
        // Another host of the same network, at another service.
        talk(ends("10.0.0.1:50001", "192.0.2.9:22"), 401),
        talk(ends("10.0.0.1:50002", "198.51.100.1:443"), 402),
        talk(ends("10.0.0.1:50003", "198.51.100.1:443"), 403),
    ]);
    let new = |index: usize| {
        [
            Name::FirstContact,
            Name::FirstContactNetwork,
            Name::FirstService,
        ]
        .map(|name| value(&vectors[index], name) > 0.5)
    };
    assert_eq!(new(1), [false; 3]);
    assert_eq!(new(2), [true, false, true]);
    assert_eq!(new(3), [true, true, false]);
    assert_eq!(new(4), [false; 3]);
    assert!(is(&vectors[1], Name::PairInterval, 400.0));
}

#[test]
fn a_connection_that_stays_gives_a_vector_every_five_minutes() {
    let mut features = Features::new(LIMITS, [7; 10]);
    let mut vectors = Vec::new();
    let mut activity = whole(
        ends("10.0.0.1:50000", "192.0.2.1:22"),
        (0, 0),
        Outcome::Conversation,
    );
    activity.ended = None;
    for second in 1..=1000 {
        let now = WallTime::from_ns(DAY_NS + second * SECOND_NS);
        activity.connection.end = now;
        features.activity(&activity, |vector| vectors.push(vector));
        features.close(now, |vector| vectors.push(vector));
        (activity.opened, activity.outcome) = (false, None);
    }
    let durations: Vec<f64> = vectors
        .iter()
        .map(|vector| value(vector, Name::Duration))
        .collect();
    assert!(vectors.iter().all(|vector| vector.is_update));
    assert_eq!(durations.len(), 3, "{durations:?}");
    assert!(is(&vectors[2], Name::Duration, 900.0));
}

#[test]
fn within_a_second_the_order_does_not_matter() {
    let mut activities: Vec<Activity> = (0..60)
        .map(|n| {
            let to = format!("192.0.2.{}:{}", n % 7, 1 + n % 5);
            let from = format!("10.0.0.{}:{}", n % 3, 1000 + n);
            whole(ends(&from, &to), (400, 400), Outcome::Refused)
        })
        .collect();
    let warm = whole(
        ends("10.0.0.1:1", "192.0.2.1:1"),
        (0, 0),
        Outcome::Conversation,
    );
    let told = |activities: &[Activity]| {
        let all: Vec<Activity> = [std::slice::from_ref(&warm), activities].concat();
        format!("{:?}", vectors(&all))
    };
    let forward = told(&activities);
    activities.reverse();
    assert_eq!(forward, told(&activities));
}

#[test]
fn memory_is_bounded_whoever_sends() {
    let mut features = Features::new(LIMITS, [7; 10]);
    for n in 0..20_000_u32 {
        let from = SocketAddr::from((n.to_be_bytes(), 1024));
        let to = SocketAddr::from(([192, 0, 2, 1], 80));
        features.activity(&whole((from, to), (0, 0), Outcome::Refused), |_| {});
        if n % 1000 == 0 {
            features.close(WallTime::from_ns(DAY_NS), |_| {});
        }
    }
    assert!(
        features.history.len() <= 4 * 1000 + 1,
        "{}",
        features.history.len()
    );
    assert!(features.evicted() > 0);
}
