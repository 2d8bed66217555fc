use netsec_common::packet::Vlan;

use netsec_common::packet::protocol;

use super::*;
use crate::connection::Outcome;
use crate::connection::Side;
use crate::connection::State;
use crate::connection::tcp::{RST, SYN, SYN_ACK};
use crate::hook::HookId;

const FIN_ACK: u8 = 0x11;
const ACK: u8 = 0x10;

const CLIENT: &str = "10.0.0.1:51000";
const SERVER: &str = "10.0.0.2:443";

fn timeouts() -> Timeouts {
    Timeouts {
        idle: Duration::from_secs(60),
        active: Duration::from_secs(300),
        closed: Duration::from_secs(2),
        connections_max: 1000,
    }
}

fn table() -> ConnectionTable {
    ConnectionTable::new(timeouts(), [7; 10])
}

fn second(second: i64) -> WallTime {
    WallTime::from_ns(second * 1_000_000_000)
}

fn key(source: &str, destination: &str, protocol: u8) -> FlowKey {
    FlowKey::from_endpoints(
        source.parse().unwrap(),
        destination.parse().unwrap(),
        protocol,
        Vlan::default(),
    )
}

/// One packet of 100 bytes that opens a flow.
fn packet(source: &str, destination: &str, at: i64, tcp_flags: u8) -> FlowDelta {
    FlowDelta {
        hook: HookId(0),
        key: key(source, destination, protocol::TCP),
        first: second(at),
        last: second(at),
        packets: 1,
        bytes: 100,
        tcp_flags,
        first_tcp_flags: tcp_flags,
        opened: true,
        ended: None,
    }
}

/// Applies deltas, then ends everything.
fn ended_after(deltas: &[FlowDelta]) -> Vec<Ended> {
    let mut table = table();
    let mut ended = Vec::new();
    for delta in deltas {
        table.apply(0, delta, &mut ended);
    }
    table.drain(&mut ended);
    assert!(table.is_empty());
    ended
}

fn sides(ended: &Ended) -> (u64, u64) {
    let connection = &ended.connection;
    (connection.originator.packets, connection.responder.packets)
}

#[test]
fn both_directions_are_one_connection_and_counts_add_up() {
    let more = FlowDelta {
        opened: false,
        last: second(9),
        packets: 5,
        bytes: 900,
        tcp_flags: SYN | ACK,
        ..packet(CLIENT, SERVER, 1, SYN)
    };
    let ended = ended_after(&[
        packet(CLIENT, SERVER, 1, SYN),
        packet(SERVER, CLIENT, 1, SYN_ACK),
        more,
    ]);
    let [only] = ended.as_slice() else {
        panic!("{ended:?}")
    };
    assert_eq!(only.cause, EndCause::Shutdown);
    let connection = &only.connection;
    assert_eq!(connection.key, key(CLIENT, SERVER, protocol::TCP));
    assert_eq!((connection.start, connection.end), (second(1), second(9)));
    assert_eq!(connection.state(), State::Established);
    let originator = Side {
        packets: 6,
        bytes: 1000,
        tcp_flags: SYN | ACK,
    };
    assert_eq!(connection.originator, originator);
    assert_eq!(connection.responder.bytes, 100);
}

#[test]
fn the_originator_is_found_whichever_side_is_read_first() {
    let client = key(CLIENT, SERVER, protocol::TCP);
    let orientation = |deltas: &[FlowDelta]| ended_after(deltas)[0].connection.key;
    let syn = packet(CLIENT, SERVER, 5, SYN);
    let syn_ack = packet(SERVER, CLIENT, 5, SYN_ACK);
    assert_eq!(orientation(&[syn, syn_ack]), client);
    assert_eq!(orientation(&[syn_ack, syn]), client);
    assert_eq!(orientation(&[syn_ack]), client, "a SYN-ACK alone");
    let refusal = packet(SERVER, CLIENT, 5, RST | ACK);
    assert_eq!(orientation(&[refusal]), client, "a refusal alone");
    // The handshake outweighs the clock: a capture that begins late, or whose clocks differ.
    let early_answer = packet(SERVER, CLIENT, 1, SYN_ACK);
    assert_eq!(orientation(&[early_answer, syn]), client);
    // No handshake: who came first; in one tick, who speaks to the lower port.
    let data = |at| packet(CLIENT, SERVER, at, ACK);
    let answer = |at| packet(SERVER, CLIENT, at, ACK);
    assert_eq!(orientation(&[answer(2), data(1)]), client);
    assert_eq!(orientation(&[answer(1), data(2)]), client.reversed());
    assert_eq!(orientation(&[answer(1), data(1)]), client);
    assert_eq!(orientation(&[answer(1)]), client.reversed());
}

#[test]
fn a_flow_that_several_cpus_saw_begins_with_its_earliest_packet() {
    let client = key(CLIENT, SERVER, protocol::TCP);
    let rest = packet(SERVER, CLIENT, 5, ACK);
    let others = [
        packet(CLIENT, SERVER, 5, ACK),
        packet(CLIENT, SERVER, 5, SYN),
    ];
    for begin in [4, 5] {
        let answer = packet(SERVER, CLIENT, begin, SYN_ACK);
        for deltas in [[rest, answer], [answer, rest]] {
            let all = [&others[..], &deltas].concat();
            assert_eq!(ended_after(&all)[0].connection.key, client, "{all:?}");
            let answers_only = ended_after(&deltas);
            assert_eq!(answers_only[0].connection.key, client, "{deltas:?}");
        }
    }
}

#[test]
fn echo_request_and_reply_are_one_connection() {
    let icmp = |source: &str, destination: &str| FlowDelta {
        key: key(source, destination, protocol::ICMP),
        ..packet(source, destination, 1, 0)
    };
    let ended = ended_after(&[
        icmp("10.0.0.2:0", "10.0.0.1:0"),
        icmp("10.0.0.1:8", "10.0.0.2:0"),
    ]);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].connection.key.source_port(), 8);
    assert_eq!(sides(&ended[0]), (1, 1));
}

#[test]
fn interfaces_and_vlans_are_kept_apart() {
    let mut table = table();
    let mut ended = Vec::new();
    let tagged = FlowDelta {
        key: FlowKey::from_endpoints(
            CLIENT.parse().unwrap(),
            SERVER.parse().unwrap(),
            protocol::TCP,
            Vlan { outer: 5, inner: 0 },
        ),
        ..packet(CLIENT, SERVER, 1, SYN)
    };
    table.apply(0, &packet(CLIENT, SERVER, 1, SYN), &mut ended);
    table.apply(1, &packet(CLIENT, SERVER, 1, SYN), &mut ended);
    table.apply(0, &tagged, &mut ended);
    assert_eq!(table.len(), 3);
}

#[test]
fn a_delta_without_packets_opens_nothing() {
    let empty = FlowDelta {
        packets: 0,
        bytes: 0,
        ended: Some(netsec_common::flow::EndReason::Idle),
        ..packet(CLIENT, SERVER, 1, SYN)
    };
    assert_eq!(table().apply(0, &empty, &mut Vec::new()), None);
    assert_eq!(ended_after(&[empty]), []);
}

#[test]
fn idle_and_closed_connections_end_in_traffic_time() {
    let mut table = table();
    let mut ended = Vec::new();
    table.apply(0, &packet(CLIENT, SERVER, 10, ACK), &mut ended);
    let closed = packet("10.0.0.3:1", SERVER, 10, RST);
    table.apply(0, &closed, &mut ended);
    table.expire(second(11), &mut ended);
    assert_eq!(ended, []);
    table.expire(second(12), &mut ended);
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].cause, EndCause::Closed);
    assert_eq!(ended[0].connection.state(), State::Closed);
    table.expire(second(69), &mut ended);
    assert_eq!(ended.len(), 1);
    table.expire(second(70), &mut ended);
    assert_eq!(ended.len(), 2);
    assert_eq!(ended[1].cause, EndCause::IdleTimeout);
    assert!(table.is_empty());
}

#[test]
fn a_fin_from_one_side_is_not_yet_the_end() {
    let mut table = table();
    let mut ended = Vec::new();
    table.apply(0, &packet(CLIENT, SERVER, 1, FIN_ACK), &mut ended);
    table.apply(0, &packet(SERVER, CLIENT, 1, ACK), &mut ended);
    table.expire(second(30), &mut ended);
    assert_eq!(ended, []);
    table.apply(0, &packet(SERVER, CLIENT, 30, FIN_ACK), &mut ended);
    table.expire(second(32), &mut ended);
    assert_eq!(ended[0].cause, EndCause::Closed);
}

#[test]
fn an_active_timeout_gives_parts_that_add_up() {
    let mut table = table();
    let mut ended = Vec::new();
    let more = |at| FlowDelta {
        opened: false,
        last: second(at),
        ..packet(CLIENT, SERVER, 0, SYN)
    };
    table.apply(0, &packet(CLIENT, SERVER, 0, SYN), &mut ended);
    for at in (50..=600).step_by(50) {
        table.apply(0, &more(at), &mut ended);
        table.expire(second(at), &mut ended);
    }
    table.drain(&mut ended);
    let causes: Vec<EndCause> = ended.iter().map(|ended| ended.cause).collect();
    assert_eq!(causes[..2], [EndCause::ActiveTimeout; 2]);
    let packets: u64 = ended.iter().map(|ended| sides(ended).0).sum();
    assert_eq!(packets, 13);
    for pair in ended.windows(2) {
        assert_eq!(pair[0].connection.end, pair[1].connection.start);
    }
}

#[test]
fn reused_ports_begin_a_new_connection() {
    let ended = ended_after(&[
        packet(CLIENT, SERVER, 1, SYN),
        packet(SERVER, CLIENT, 1, SYN_ACK),
        FlowDelta {
            opened: false,
            tcp_flags: SYN | RST,
            last: second(2),
            ..packet(CLIENT, SERVER, 1, SYN)
        },
        packet(CLIENT, SERVER, 3, SYN),
        packet(SERVER, CLIENT, 3, SYN_ACK),
    ]);
    let causes: Vec<_> = ended
        .iter()
        .map(|ended| (ended.cause, sides(ended)))
        .collect();
    assert_eq!(
        causes,
        [(EndCause::TcpReuse, (2, 1)), (EndCause::Shutdown, (1, 1))]
    );
}

#[test]
fn a_full_table_writes_out_the_quietest_and_loses_nothing() {
    let mut table = ConnectionTable::new(
        Timeouts {
            connections_max: 64,
            ..timeouts()
        },
        [7; 10],
    );
    let mut ended = Vec::new();
    for n in 0..200_u16 {
        let source = format!("10.0.0.1:{}", 1000 + n);
        table.apply(0, &packet(&source, SERVER, i64::from(n), SYN), &mut ended);
        assert!(table.len() <= 64);
    }
    let out = ended.len();
    assert!(ended.iter().all(|ended| ended.cause == EndCause::TableFull));
    assert!(ended.is_sorted_by_key(|ended| ended.connection.start));
    table.drain(&mut ended);
    assert_eq!(ended.len(), 200);
    assert!(ended[out].connection.start > ended[out - 1].connection.start);
}

/// Flow tables are read one after the other, so an answer may be known before its question.
#[test]
fn an_answer_that_is_read_first_does_not_hide_the_probe() {
    let mut table = table();
    table.watch();
    let mut ended = Vec::new();
    let mut outcomes = Vec::new();
    table.apply(0, &packet(SERVER, CLIENT, 1, RST), &mut ended);
    table.activities(second(2), |activity| outcomes.push(activity.outcome));
    table.apply(0, &packet(CLIENT, SERVER, 1, 0), &mut ended);
    table.activities(second(3), |activity| outcomes.push(activity.outcome));
    assert_eq!(outcomes, [None, Some(Outcome::Refused)]);
}

#[test]
fn what_is_read_late_is_told_with_its_own_time() {
    let mut table = table();
    table.watch();
    table.activities(second(9), |_| {});
    table.apply(0, &packet(CLIENT, SERVER, 4, SYN), &mut Vec::new());
    let mut times = Vec::new();
    table.activities(second(10), |activity| {
        times.push((activity.since, activity.connection.end));
    });
    assert_eq!(times, [(second(4), second(4))]);
}

/// Received by one hook, answered through another, both in one tick: their clocks differ by less.
#[test]
fn clocks_of_two_hooks_do_not_turn_a_conversation_round() {
    let question = packet(CLIENT, SERVER, 1, 0);
    let answer = |ns, hook| {
        let time = second(1).plus_ns(ns);
        FlowDelta {
            hook: HookId(hook),
            first: time,
            last: time,
            ..packet(SERVER, CLIENT, 1, 0)
        }
    };
    let asks = |answer: FlowDelta| ended_after(&[question, answer])[0].connection.key;
    let client = key(CLIENT, SERVER, protocol::TCP);
    assert_eq!(asks(answer(-250_000, 1)), client);
    assert_eq!(asks(answer(250_000, 1)), client);
    assert_ne!(
        asks(answer(-250_000, 0)),
        client,
        "one clock tells what was first"
    );
    assert_ne!(asks(answer(-4_000_000, 1)), client, "a tick before");
}
