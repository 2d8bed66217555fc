//! The cache on host memory: what each packet does to slots, records and counters.

mod conservation;
mod restart;

use core::net::SocketAddr;

use alloc::vec::Vec;

use super::*;
use crate::fixtures::{Table, differences, moved};
use crate::flow::SlotSnapshot;
use crate::flow::slot::{BYTES_LIMIT, PACKETS_LIMIT};
use crate::ledger::Snapshot;
use crate::packet::{Vlan, protocol};

/// A table of one set, the row beside it, and the idle timeout in force.
struct Bench {
    table: Table,
    row: Row,
    idle_ticks: u32,
    seen: Snapshot,
}

impl Bench {
    fn new() -> Self {
        Self {
            table: Table::new(1),
            row: Row::new(),
            idle_ticks: 0,
            seen: Snapshot::default(),
        }
    }

    fn packet(&self, flow: u16, now: u32, bytes: u32, tcp_flags: u8) -> u32 {
        let seen = Observation {
            now: Ticks(now),
            bytes,
            tcp_flags,
        };
        account(
            &self.table,
            FIRST,
            &key(flow),
            seen,
            self.idle_ticks,
            &self.row,
        )
        .unwrap()
    }

    /// Checks that exactly these counters moved since the last call.
    #[track_caller]
    fn moved(&mut self, expected: &[(Counter, u64)]) {
        let counters = self.row.read();
        let moved = moved(&self.seen, &counters);
        let differences = differences(expected, &moved);
        assert!(differences.is_empty(), "{differences:#?}");
        self.seen = counters;
    }

    fn slot(&self, way: usize) -> Option<SlotSnapshot> {
        self.table.sets[0].ways[way].snapshot(1).unwrap()
    }

    fn records(&self) -> Vec<FlowRecord> {
        self.table.records.sent.borrow().clone()
    }

    /// Opens flows 0 to 3, one packet of 100 bytes at each tick from 1 on, and forgets the counts.
    fn filled() -> Self {
        let mut bench = Self::new();
        for flow in 0..4 {
            assert_eq!(bench.packet(flow, u32::from(flow) + 1, 100, 0), 1);
        }
        bench.moved(&[
            (Counter::FlowPackets, 4),
            (Counter::FlowBytes, 400),
            (Counter::FlowsOpened, 4),
        ]);
        bench
    }
}

/// The first way of the first set.
const FIRST: Place = in_set(0);

const fn in_set(set: u32) -> Place {
    Place { set, way: 0 }
}

fn key(flow: u16) -> FlowKey {
    let source: SocketAddr = ([192, 0, 2, 1], flow).into();
    let destination: SocketAddr = ([192, 0, 2, 2], 443).into();
    FlowKey::from_endpoints(source, destination, protocol::TCP, Vlan::default())
}

fn packet_of(bytes: u64) -> [(Counter, u64); 2] {
    [(Counter::FlowPackets, 1), (Counter::FlowBytes, bytes)]
}

#[test]
fn a_new_flow_takes_a_free_slot() {
    let mut bench = Bench::new();
    assert_eq!(bench.packet(7, 50, 60, tcp::SYN), 1);
    bench.moved(&[&packet_of(60)[..], &[(Counter::FlowsOpened, 1)]].concat());
    let expected = Counts {
        bytes: 60,
        packets: 1,
        generation: 1,
        tcp_flags: tcp::SYN,
        first_tcp_flags: tcp::SYN,
        first: Ticks(50),
        last: Ticks(50),
    };
    assert_eq!(
        bench.slot(0),
        Some(SlotSnapshot {
            key: key(7),
            counts: expected
        })
    );
    assert_eq!(bench.slot(1), None);
}

/// From the way that the hash names on and round, whichever is free.
#[test]
fn a_new_flow_takes_the_free_slot_next_to_its_own_way() {
    let bench = Bench::new();
    let seen = Observation {
        now: Ticks(1),
        bytes: 60,
        tcp_flags: 0,
    };
    for (flow, way, taken) in [(0, 2, 2), (1, 2, 3), (2, 3, 0), (3, 3, 1)] {
        let place = Place { set: 0, way };
        for packets in 1..3 {
            let result = account(&bench.table, place, &key(flow), seen, 0, &bench.row);
            assert_eq!(result, Ok(packets));
        }
        assert_eq!(bench.slot(taken).unwrap().key, key(flow));
    }
}

#[test]
fn a_hit_adds_to_its_slot_alone() {
    let mut bench = Bench::filled();
    let others = [bench.slot(0), bench.slot(1), bench.slot(3)];
    assert_eq!(bench.packet(2, 9, 40, tcp::ACK), 2);
    assert_eq!(bench.packet(2, 8, 2, tcp::RST), 3);
    bench.moved(&[(Counter::FlowPackets, 2), (Counter::FlowBytes, 42)]);
    let expected = Counts {
        bytes: 142,
        packets: 3,
        generation: 1,
        tcp_flags: tcp::ACK | tcp::RST,
        first_tcp_flags: 0,
        first: Ticks(3),
        // A packet from the past does not turn the clock back.
        last: Ticks(9),
    };
    assert_eq!(bench.slot(2).unwrap().counts, expected);
    assert_eq!([bench.slot(0), bench.slot(1), bench.slot(3)], others);
}

#[test]
fn the_way_whose_last_packet_is_oldest_is_evicted() {
    let mut bench = Bench::filled();
    bench.packet(0, 6, 11, tcp::ACK);
    bench.packet(1, 5, 1, 0);
    bench.moved(&[(Counter::FlowPackets, 2), (Counter::FlowBytes, 12)]);
    // Flows 0 and 1 have newer packets, so flow 2 is the oldest although it came third.
    assert_eq!(bench.packet(9, 10, 70, 0), 1);
    bench.moved(&[
        (Counter::FlowPackets, 1),
        (Counter::FlowBytes, 70),
        (Counter::FlowsOpened, 1),
        (Counter::FlowsEvicted, 1),
        (Counter::ExportedPackets, 1),
        (Counter::ExportedBytes, 100),
    ]);
    let expected = FlowRecord {
        key: key(2),
        bytes: 100,
        first: Ticks(3),
        last: Ticks(3),
        packets: 1,
        slot: Table::FIRST_SLOT + 2,
        generation: 1,
        tcp_flags: 0,
        reason: EndReason::Evicted as u8,
        first_tcp_flags: 0,
        reserved: 0,
        reserved_high: 0,
    };
    assert_eq!(bench.records(), [expected]);
    let successor = bench.slot(2).unwrap();
    assert_eq!((successor.key, successor.counts.generation), (key(9), 2));
}

#[test]
fn age_is_right_across_the_wrap_of_the_clock() {
    let bench = Bench::new();
    for (flow, now) in [(0, 5), (1, u32::MAX - 9), (2, u32::MAX), (3, 2)] {
        bench.packet(flow, now, 1, 0);
    }
    bench.packet(4, 6, 1, 0);
    assert_eq!(bench.records()[0].key, key(1));
}

#[test]
fn the_record_leaves_before_the_slot_changes() {
    /// A table that looks at its set in the moment of the export.
    struct Watching(Table);
    impl FlowTable for Watching {
        fn set(&self, index: u32) -> Option<&FlowSet> {
            self.0.set(index)
        }
        fn first_slot(&self) -> u32 {
            self.0.first_slot()
        }
        fn export(&self, record: &FlowRecord) -> Delivery {
            let way = (record.slot - self.first_slot()) as usize;
            let slot = self.0.sets[0].ways[way].snapshot(1).unwrap().unwrap();
            assert_eq!(
                (slot.key, slot.counts.packets),
                (record.key, record.packets)
            );
            assert_eq!(slot.counts.generation, record.generation);
            self.0.export(record)
        }
    }
    let table = Watching(Table::new(1));
    let row = Row::new();
    for (flow, now, tcp_flags) in [(0, 0, tcp::FIN), (0, 1, tcp::SYN), (0, 900, 0)]
        .into_iter()
        .chain((1..6).map(|flow| (flow, 901, 0)))
    {
        let seen = Observation {
            now: Ticks(now),
            bytes: 1,
            tcp_flags,
        };
        account(&table, FIRST, &key(flow), seen, 100, &row).unwrap();
    }
    let reasons: Vec<_> = table
        .0
        .records
        .sent
        .borrow()
        .iter()
        .map(|r| r.reason)
        .collect();
    let expected = [
        EndReason::Reused,
        EndReason::Idle,
        EndReason::Evicted,
        EndReason::Evicted,
    ];
    assert_eq!(reasons, expected.map(|reason| reason as u8));
}

#[test]
fn a_lost_record_is_counted_by_packets_and_bytes() {
    let mut bench = Bench::filled();
    bench.packet(0, 1, 11, 0);
    bench.moved(&packet_of(11));
    bench.table.records.full.set(true);
    bench.packet(9, 10, 70, 0);
    bench.moved(&[
        (Counter::FlowPackets, 1),
        (Counter::FlowBytes, 70),
        (Counter::FlowsOpened, 1),
        (Counter::FlowsEvicted, 1),
        (Counter::RecordsLost, 1),
        (Counter::RecordsLostPackets, 2),
        (Counter::RecordsLostBytes, 111),
    ]);
    assert_eq!(bench.slot(0).unwrap().key, key(9));
}

#[test]
fn a_cleared_slot_is_free_and_remembers_its_generation() {
    let mut bench = Bench::filled();
    bench.table.sets[0].ways[1].clear();
    assert_eq!(
        bench.packet(1, 9, 10, 0),
        1,
        "the key of a free slot is no hit"
    );
    bench.moved(&[&packet_of(10)[..], &[(Counter::FlowsOpened, 1)]].concat());
    let slot = bench.slot(1).unwrap();
    assert_eq!((slot.counts.generation, slot.counts.bytes), (2, 10));
    assert!(bench.records().is_empty());
}

#[test]
fn a_set_that_does_not_exist_is_said_and_nothing_else_counted() {
    let mut bench = Bench::new();
    let seen = Observation {
        now: Ticks(0),
        bytes: 1,
        tcp_flags: 0,
    };
    let result = account(&bench.table, in_set(1), &key(0), seen, 0, &bench.row);
    assert_eq!(result, Err(Counter::NoFlowSet));
    bench.moved(&[]);
}

#[test]
fn slot_numbers_never_overflow() {
    struct Last(FlowSet);
    impl FlowTable for Last {
        fn set(&self, _index: u32) -> Option<&FlowSet> {
            Some(&self.0)
        }
        fn first_slot(&self) -> u32 {
            u32::MAX
        }
        fn export(&self, _record: &FlowRecord) -> Delivery {
            Delivery::Sent
        }
    }
    let table = Last(FlowSet::default());
    let seen = Observation {
        now: Ticks(0),
        bytes: 1,
        tcp_flags: 0,
    };
    for flow in 0..5 {
        assert_eq!(
            account(&table, in_set(u32::MAX), &key(flow), seen, 0, &Row::new()),
            Ok(1)
        );
    }
}
