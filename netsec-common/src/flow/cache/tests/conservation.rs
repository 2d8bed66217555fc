//! Whatever comes, no packet and no byte is lost without being counted as lost.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// One packet, or a change of what surrounds the cache.
#[derive(Clone, Copy, Debug)]
enum Step {
    Packet {
        flow: u16,
        set: u32,
        later: i16,
        bytes: u32,
        tcp_flags: u8,
    },
    RingFull(bool),
    /// Brings a slot close to the limits of its counters.
    NearLimit {
        set: u32,
        way: usize,
    },
}

fn steps() -> impl Strategy<Value = Step> {
    let bytes = prop_oneof![9 => 14u32..1600, 1 => Just(u32::MAX)];
    let flags = prop::sample::select(alloc::vec![0, tcp::SYN, tcp::ACK, tcp::FIN, tcp::RST, 0xff]);
    let packet = (0u16..7, 0u32..2, -20i16..60, bytes, flags).prop_map(
        |(flow, set, later, bytes, tcp_flags)| Step::Packet {
            flow,
            set,
            later,
            bytes,
            tcp_flags,
        },
    );
    prop_oneof![
        20 => packet,
        1 => any::<bool>().prop_map(Step::RingFull),
        1 => (0u32..2, 0usize..WAYS).prop_map(|(set, way)| Step::NearLimit { set, way }),
    ]
}

/// Packets and bytes by set and flow.
type Sums = BTreeMap<(u32, FlowKey), (u64, u64)>;

fn add(sums: &mut Sums, set: u32, key: FlowKey, packets: u64, bytes: u64) {
    let sum = sums.entry((set, key)).or_default();
    sum.0 += packets;
    sum.1 += bytes;
}

fn total(sums: &Sums) -> (u64, u64) {
    sums.values().fold((0, 0), |(packets, bytes), sum| {
        (packets + sum.0, bytes + sum.1)
    })
}

/// What the cache is checked against: every packet it was given.
struct Model {
    table: Table,
    row: Row,
    given: Sums,
    /// Put into slots by hand, so not in the counters.
    planted: (u64, u64),
}

impl Model {
    fn plant(&mut self, set: u32, way: usize) {
        let slot = &self.table.sets[set as usize].ways[way];
        let Some(SlotSnapshot { key, counts }) = slot.snapshot(1).unwrap() else {
            return;
        };
        let near = Counts {
            packets: PACKETS_LIMIT - 2,
            bytes: BYTES_LIMIT - 3000,
            ..counts
        };
        if counts.packets > near.packets || counts.bytes > near.bytes {
            return;
        }
        slot.open(None, &near);
        let packets = u64::from(near.packets - counts.packets);
        let bytes = near.bytes - counts.bytes;
        add(&mut self.given, set, key, packets, bytes);
        self.planted.0 += packets;
        self.planted.1 += bytes;
    }

    fn sum_records(records: &[FlowRecord], sums: &mut Sums) -> (u64, u64) {
        let mut own = Sums::new();
        for record in records {
            let set = (record.slot - Table::FIRST_SLOT) / 4;
            let (packets, bytes) = (u64::from(record.packets), record.bytes);
            add(sums, set, record.key, packets, bytes);
            add(&mut own, set, record.key, packets, bytes);
        }
        total(&own)
    }

    /// Every packet is in a slot, in a record sent or in a record lost; the counters say which.
    fn check(&self) {
        let mut found = Sums::new();
        let sent = Self::sum_records(&self.table.records.sent.borrow(), &mut found);
        let lost = Self::sum_records(&self.table.records.lost.borrow(), &mut found);
        for (set, slots) in (0..).zip(&self.table.sets) {
            for slot in &slots.ways {
                if let Some(SlotSnapshot { key, counts }) = slot.snapshot(1).unwrap() {
                    add(&mut found, set, key, counts.packets.into(), counts.bytes);
                }
            }
        }
        assert_eq!(found, self.given);
        let counters = self.row.read();
        let pair = |packets, bytes| (counters.get(packets), counters.get(bytes));
        let accounted = pair(Counter::FlowPackets, Counter::FlowBytes);
        let (packets, bytes) = total(&self.given);
        assert_eq!(
            accounted,
            (packets - self.planted.0, bytes - self.planted.1)
        );
        assert_eq!(pair(Counter::ExportedPackets, Counter::ExportedBytes), sent);
        assert_eq!(
            pair(Counter::RecordsLostPackets, Counter::RecordsLostBytes),
            lost
        );
        let records =
            self.table.records.sent.borrow().len() as u64 + counters.get(Counter::RecordsLost);
        let ended = counters.get(Counter::FlowsEvicted) + counters.get(Counter::FlowsRestarted);
        assert_eq!(records, ended);
    }

    /// A slot and a generation name one flow, and a slot's generations follow one another.
    fn check_generations(&self) {
        let mut seen = BTreeSet::new();
        let mut last = BTreeMap::new();
        let sent = self.table.records.sent.borrow();
        let lost = self.table.records.lost.borrow();
        for record in sent.iter().chain(lost.iter()) {
            assert!(seen.insert((record.slot, record.generation)));
            let newest = last.entry(record.slot).or_insert(0);
            *newest = record.generation.max(*newest);
        }
        let slots = self.table.sets.iter().flat_map(|set| &set.ways);
        for (number, slot) in (Table::FIRST_SLOT..).zip(slots) {
            if let Some(SlotSnapshot { counts, .. }) = slot.snapshot(1).unwrap() {
                let ended = last.get(&number).copied().unwrap_or_default();
                assert_eq!(counts.generation, ended + 1, "slot {number}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_uncounted(
        steps in prop::collection::vec(steps(), 1..150),
        start in any::<u32>(),
        idle_ticks in prop_oneof![Just(0u32), Just(50)],
    ) {
        let mut model = Model {
            table: Table::new(2),
            row: Row::new(),
            given: Sums::new(),
            planted: (0, 0),
        };
        let mut now = Ticks(start);
        for step in steps {
            match step {
                Step::RingFull(full) => model.table.records.full.set(full),
                Step::NearLimit { set, way } => model.plant(set, way),
                Step::Packet { flow, set, later, bytes, tcp_flags } => {
                    now = Ticks(now.0.wrapping_add_signed(later.into()));
                    let seen = Observation { now, bytes, tcp_flags };
                    let way = u32::from(flow) % 4;
                    let packets = account(
                        &model.table,
                        Place { set, way },
                        &key(flow),
                        seen,
                        idle_ticks,
                        &model.row,
                    );
                    prop_assert!(packets.unwrap() >= 1);
                    add(&mut model.given, set, key(flow), 1, bytes.into());
                }
            }
            model.check();
        }
        model.check_generations();
    }
}
