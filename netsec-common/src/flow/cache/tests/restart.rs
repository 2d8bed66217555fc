//! When a packet begins a new flow in the slot of an old one.

use super::*;

impl Bench {
    /// Checks that flow 0 left its slot by `record` and began anew with one packet of 7 bytes.
    fn check_restarted(&mut self, record: &FlowRecord, old_flags: u8, (now, tcp_flags): (u32, u8)) {
        self.moved(&[
            (Counter::FlowPackets, 1),
            (Counter::FlowBytes, 7),
            (Counter::FlowsRestarted, 1),
            (Counter::ExportedPackets, 1),
            (Counter::ExportedBytes, 100),
        ]);
        let counts = (record.packets, record.bytes, record.generation);
        assert_eq!(counts, (1, 100, 1));
        assert_eq!((record.tcp_flags, record.last), (old_flags, Ticks(1000)));
        let slot = self.slot(0).unwrap();
        assert_eq!(slot.key, key(0));
        let expected = Counts {
            bytes: 7,
            packets: 1,
            generation: 2,
            tcp_flags,
            first_tcp_flags: tcp_flags,
            first: Ticks(now),
            last: Ticks(now),
        };
        assert_eq!(slot.counts, expected);
    }
}

/// Runs one packet over a flow's last state and says whether the flow began anew, and why.
fn restart(idle_ticks: u32, old_flags: u8, now: u32, flags: u8) -> Option<EndReason> {
    let mut bench = Bench {
        idle_ticks,
        ..Bench::new()
    };
    bench.packet(0, 1000, 100, old_flags);
    bench.seen = bench.row.read();
    let packets = bench.packet(0, now, 7, flags);
    let record = bench.records().pop();
    let Some(record) = record else {
        assert_eq!(packets, 2);
        bench.moved(&packet_of(7));
        return None;
    };
    assert_eq!(packets, 1);
    bench.check_restarted(&record, old_flags, (now, flags));
    EndReason::from_abi(record.reason)
}

#[test]
fn a_packet_after_the_idle_timeout_begins_a_new_flow() {
    assert_eq!(restart(60, 0, 1060, 0), None);
    assert_eq!(restart(60, 0, 1061, 0), Some(EndReason::Idle));
    assert_eq!(restart(0, 0, 1_000_000, 0), None, "0 is never");
    assert_eq!(
        restart(60, 0, 900, 0),
        None,
        "a packet from the past ends nothing"
    );
    assert_eq!(restart(u32::MAX, 0, i32::MAX as u32, 0), None);
}

#[test]
fn a_syn_after_the_end_begins_a_new_connection() {
    const SYN_ACK: u8 = tcp::SYN | tcp::ACK;
    for end in [tcp::FIN, tcp::RST, tcp::FIN | tcp::ACK, tcp::SYN | tcp::FIN] {
        assert_eq!(restart(0, end, 1001, tcp::SYN), Some(EndReason::Reused));
        assert_eq!(restart(0, end, 1001, SYN_ACK), Some(EndReason::Reused));
        assert_eq!(restart(0, end, 1001, tcp::ACK), None);
        assert_eq!(restart(0, end, 1001, tcp::FIN | tcp::SYN), None);
        assert_eq!(restart(0, end, 1001, tcp::RST | tcp::SYN), None);
    }
    assert_eq!(restart(0, tcp::SYN, 1001, tcp::SYN), None, "a repeated SYN");
    assert_eq!(restart(0, tcp::ACK, 1001, tcp::SYN), None);
}

/// Puts a flow with these counts into the first way, then counts one packet of `bytes`.
fn at_limit(packets: u32, bytes: u64, seen_bytes: u32) -> (Bench, u32) {
    let bench = Bench::new();
    let counts = Counts {
        packets,
        bytes,
        ..Counts::default()
    };
    bench.table.sets[0].ways[0].open(Some(&key(0)), &counts);
    let now = bench.packet(0, 1, seen_bytes, 0);
    (bench, now)
}

#[test]
fn a_flow_restarts_before_a_counter_overflows() {
    let (bench, packets) = at_limit(PACKETS_LIMIT - 1, 5, 100);
    assert_eq!((packets, bench.records().len()), (PACKETS_LIMIT, 0));
    let (bench, packets) = at_limit(PACKETS_LIMIT, 5, 100);
    assert_eq!((packets, bench.records()[0].packets), (1, PACKETS_LIMIT));
    assert_eq!(bench.records()[0].reason, EndReason::CounterLimit as u8);

    let (bench, packets) = at_limit(9, BYTES_LIMIT - 1, u32::MAX);
    assert_eq!((packets, bench.records().len()), (10, 0));
    let bytes = BYTES_LIMIT - 1 + u64::from(u32::MAX);
    assert_eq!(bench.slot(0).unwrap().counts.bytes, bytes);
    let (bench, packets) = at_limit(9, BYTES_LIMIT, u32::MAX);
    assert_eq!((packets, bench.records()[0].bytes), (1, BYTES_LIMIT));
    assert_eq!(bench.records()[0].reason, EndReason::CounterLimit as u8);
    assert_eq!(bench.slot(0).unwrap().counts.bytes, u64::from(u32::MAX));
}
