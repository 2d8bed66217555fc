use std::cell::RefCell;
use std::collections::BTreeMap;

use netsec_common::flow::{FlowTable, Observation, Place, account};
use netsec_common::ledger::{Counter, Row};
use netsec_common::packet::{Vlan, protocol};
use netsec_common::sample::Delivery;
use proptest::prelude::*;

use super::*;

/// A table of two sets whose record ring can be full.
#[derive(Default)]
struct Table {
    sets: [FlowSet; 2],
    records: RefCell<Vec<FlowRecord>>,
    full: std::cell::Cell<bool>,
}

impl FlowTable for Table {
    fn set(&self, index: u32) -> Option<&FlowSet> {
        self.sets.get(index as usize)
    }

    fn first_slot(&self) -> u32 {
        0
    }

    fn export(&self, record: &FlowRecord) -> Delivery {
        if self.full.get() {
            return Delivery::Lost;
        }
        self.records.borrow_mut().push(*record);
        Delivery::Sent
    }
}

struct Bench {
    table: Table,
    row: Row,
    reader: DeltaReader,
    changes: Vec<Change>,
    now: u32,
}

impl Bench {
    fn new() -> Self {
        Self {
            table: Table::default(),
            row: Row::new(),
            reader: DeltaReader::new(2),
            changes: Vec::new(),
            now: 0,
        }
    }

    fn packet(&mut self, flow: u16, bytes: u32, tcp_flags: u8) {
        self.now += 1;
        account_one(&self.table, &self.row, flow, self.now, bytes, tcp_flags);
    }

    fn read(&mut self) {
        self.read_while(&[]);
    }

    /// Reads while packets of these flows come: after the scan, before the records are taken.
    fn read_while(&mut self, flows: &[u16]) {
        let Self {
            table,
            row,
            reader,
            changes,
            now,
        } = self;
        reader.read(
            table.sets.iter().enumerate(),
            |take| {
                for flow in flows {
                    *now += 1;
                    account_one(table, row, *flow, *now, 1, 0);
                }
                for record in table.records.take() {
                    take(&record);
                }
            },
            &mut |change| changes.push(*change),
        );
    }

    /// Packets and bytes delivered for each flow.
    fn delivered(&self) -> BTreeMap<u16, (u64, u64)> {
        let mut totals = BTreeMap::new();
        for change in &self.changes {
            let total: &mut (u64, u64) = totals.entry(change.key.source_port()).or_default();
            total.0 += change.packets;
            total.1 += change.bytes;
        }
        totals
    }
}

fn account_one(table: &Table, row: &Row, flow: u16, now: u32, bytes: u32, tcp_flags: u8) {
    let seen = Observation {
        now: Ticks(now),
        bytes,
        tcp_flags,
    };
    let place = Place {
        set: u32::from(flow % 2),
        way: 0,
    };
    account(table, place, &key(flow), seen, 0, row).unwrap();
}

fn key(flow: u16) -> FlowKey {
    FlowKey::from_endpoints(
        ([10, 0, 0, 1], flow).into(),
        ([10, 0, 0, 2], 80).into(),
        protocol::TCP,
        Vlan::default(),
    )
}

#[test]
fn what_did_not_change_is_not_delivered_again() {
    let mut bench = Bench::new();
    bench.packet(1, 60, 2);
    bench.read();
    assert!(bench.changes[0].opened);
    bench.read();
    assert_eq!(bench.changes.len(), 1);
    bench.packet(1, 40, 16);
    bench.read();
    let change = bench.changes[1];
    assert_eq!((change.packets, change.bytes), (1, 40));
    assert_eq!((change.tcp_flags, change.first_tcp_flags), (18, 2));
    assert!(!change.opened);
}

#[test]
fn a_record_holds_only_what_was_not_read_before() {
    let mut bench = Bench::new();
    for flow in [0, 2, 4, 6] {
        bench.packet(flow, 100, 0);
    }
    bench.read();
    bench.packet(0, 30, 0);
    for flow in [2, 4, 6] {
        bench.packet(flow, 1, 0);
    }
    // Set 0 is full: flow 0 is the oldest and leaves, with 30 bytes unread.
    bench.packet(8, 7, 0);
    bench.read();
    assert_eq!(bench.delivered()[&0], (2, 130));
    assert_eq!(bench.delivered()[&8], (1, 7));
    let last = bench.changes.iter().rfind(|change| change.key == key(0));
    assert_eq!(last.unwrap().ended, Some(EndReason::Evicted));
}

#[test]
fn flows_of_a_scan_that_follow_each_other_in_a_slot_are_all_delivered() {
    let mut bench = Bench::new();
    for flow in [0, 2, 4, 6] {
        bench.packet(flow, 60, 2);
    }
    bench.read();
    // The same counts in the same slots, but other flows.
    for flow in [8, 10, 12, 14] {
        bench.packet(flow, 60, 2);
    }
    bench.table.records.borrow_mut().clear();
    bench.read();
    assert_eq!(bench.delivered().len(), 8);
}

#[test]
fn a_flow_that_leaves_between_scan_and_records_is_delivered_once() {
    for flows_in_between in [4, 8, 12, 40] {
        let mut bench = Bench::new();
        for flow in [0, 2, 4, 6] {
            bench.packet(flow, 1, 0);
        }
        bench.read();
        // The scan finds flow 8 in the place of flow 0, whose record is still in the ring.
        bench.packet(8, 1, 0);
        let flows: Vec<u16> = (10..).step_by(2).take(flows_in_between).collect();
        bench.read_while(&flows);
        bench.read();
        let sent = [0, 2, 4, 6, 8].into_iter().chain(flows);
        let sent: BTreeMap<u16, (u64, u64)> = sent.map(|flow| (flow, (1, 1))).collect();
        assert_eq!(bench.delivered(), sent, "{flows_in_between} in between");
    }
}

#[test]
fn a_record_read_before_its_slot_changes_is_delivered_once() {
    let mut bench = Bench::new();
    bench.packet(0, 60, 0);
    bench.packet(0, 60, 0);
    let FlowSet { ways: [slot, ..] } = &bench.table.sets[0];
    let SlotSnapshot { key, counts } = slot.snapshot(1).unwrap().unwrap();
    let record = FlowRecord {
        key,
        bytes: counts.bytes,
        first: counts.first,
        last: counts.last,
        packets: counts.packets,
        slot: 0,
        generation: counts.generation,
        tcp_flags: 0,
        reason: EndReason::Evicted as u8,
        first_tcp_flags: 0,
        reserved: 0,
        reserved_high: 0,
    };
    let changes = &mut bench.changes;
    bench
        .reader
        .record(&record, &mut |change| changes.push(*change));
    bench.read();
    assert_eq!(bench.delivered()[&0], (2, 120));
}

proptest! {
    /// Whatever happens between readings, every packet and byte is delivered once, or was lost
    /// with its record and counted.
    #[test]
    fn deltas_add_up(steps in proptest::collection::vec((0_u16..12, 1_u32..2000, 0_u8..40), 1..400)) {
        let mut bench = Bench::new();
        let mut sent: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
        for (flow, bytes, action) in steps {
            match action {
                0..4 => bench.read(),
                4..8 => {
                    let flows = [flow, flow / 2, flow ^ 1].map(|flow| flow + u16::from(action));
                    bench.read_while(&flows);
                    for flow in flows {
                        let total = sent.entry(flow).or_default();
                        *total = (total.0 + 1, total.1 + 1);
                    }
                }
                _ => {}
            }
            bench.packet(flow, bytes, action & 7);
            let total = sent.entry(flow).or_default();
            total.0 += 1;
            total.1 += u64::from(bytes);
        }
        bench.read();
        prop_assert_eq!(bench.delivered(), sent);
    }

    #[test]
    fn what_a_full_ring_lost_is_bounded_by_what_was_counted(
        steps in proptest::collection::vec((0_u16..12, 1_u32..2000, 0_u8..10), 1..400),
    ) {
        let mut bench = Bench::new();
        for (flow, bytes, action) in steps {
            match action {
                0 => bench.read(),
                1 => bench.table.full.set(true),
                2 => bench.table.full.set(false),
                _ => {}
            }
            bench.packet(flow, bytes, 0);
        }
        bench.read();
        let ledger = bench.row.read();
        let delivered: u64 = bench.delivered().values().map(|(packets, _)| packets).sum();
        let counted = ledger.get(Counter::FlowPackets);
        let lost = ledger.get(Counter::RecordsLostPackets);
        prop_assert!(delivered <= counted, "{delivered} of {counted} delivered");
        prop_assert!(delivered + lost >= counted, "{delivered} + {lost} < {counted}");
    }
}
