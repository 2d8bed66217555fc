//! Sampling, the unconfigured engine, and that every counter has a frame that moves it.

use alloc::vec::Vec;

use super::*;
use crate::block::BlockMemoryAt;
use crate::fixtures::{Case, Rig, cases, differences, host_cases, moved, tunnel_cases};
use crate::ledger::Snapshot;
use crate::packet::{Start, parse};
use crate::sample::Fate;

mod inner;
mod known;
mod rulings;

fn case(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

/// How often each frame was sampled, by its name, when the frames come in this order.
fn samples(sampling: Sampling, frames: &[&str]) -> Vec<bool> {
    let rig = Rig::new(0);
    rig.sample(sampling, 64);
    frames
        .iter()
        .map(|name| {
            let before = rig.samples.sent.borrow().len();
            rig.run(&case(name), Ticks(1));
            let taken = rig.samples.sent.borrow().len() - before;
            assert!(taken <= 1);
            taken == 1
        })
        .collect()
}

const TWO_FLOWS_AND_ARP: [&str; 9] = [
    "udp",
    "arp",
    "udp",
    "echo request",
    "udp",
    "echo request",
    "udp",
    "echo request",
    "no ipv4 header",
];

#[test]
fn sampling_off_takes_nothing() {
    assert_eq!(samples(Sampling::Off, &TWO_FLOWS_AND_ARP), [false; 9]);
    assert_eq!(
        samples(Sampling::FirstOfFlow(0), &TWO_FLOWS_AND_ARP),
        [false; 9]
    );
    assert_eq!(samples(Sampling::OneIn(0), &TWO_FLOWS_AND_ARP), [false; 9]);
}

#[test]
fn sampling_all_takes_what_is_in_no_flow_too() {
    assert_eq!(samples(Sampling::All, &TWO_FLOWS_AND_ARP), [true; 9]);
}

#[test]
fn sampling_the_first_of_each_flow_counts_per_flow() {
    assert_eq!(
        samples(Sampling::FirstOfFlow(2), &TWO_FLOWS_AND_ARP),
        [true, false, true, true, false, true, false, false, false]
    );
}

#[test]
fn sampling_the_first_of_a_flow_begins_anew_with_a_restarted_flow() {
    let rig = Rig::new(0);
    rig.control.set_idle_ticks(10);
    rig.sample(Sampling::FirstOfFlow(1), 64);
    for now in [1, 2, 3, 20, 21] {
        rig.run(&case("udp"), Ticks(now));
    }
    assert_eq!(rig.samples.sent.borrow().len(), 2);
}

#[test]
fn sampling_one_in_n_is_exact() {
    let frames = ["udp", "arp", "echo request", "no ipv4 header"].repeat(3);
    let taken = samples(Sampling::OneIn(3), &frames);
    let expected: Vec<_> = (0..12).map(|frame| frame % 3 == 0).collect();
    assert_eq!(taken, expected);
}

#[test]
fn a_sample_holds_the_first_bytes_and_the_length_on_the_wire() {
    let frame = case("tcp, 40 bytes of options");
    let length = frame.frame.len();
    assert_eq!(length, 98);
    for (snap_bytes, captured) in [(0, 0), (20, 20), (98, 98), (99, 98), (u32::MAX, 98)] {
        let rig = Rig::new(0);
        rig.sample(Sampling::All, snap_bytes);
        rig.run(&frame, Ticks(1));
        let expected = (frame.frame[..captured].to_vec(), 98);
        assert_eq!(*rig.samples.sent.borrow(), [expected]);
    }
}

#[test]
fn a_sample_of_a_cut_capture_holds_what_is_at_hand() {
    let cut = host_cases()
        .into_iter()
        .find(|case| case.name == "cut after tcp")
        .unwrap();
    let rig = Rig::new(0);
    rig.sample(Sampling::All, 200);
    rig.run(&cut, Ticks(1));
    assert_eq!(*rig.samples.sent.borrow(), [(cut.frame, 1054)]);
}

/// The kernel's sink writes into its record how much was asked for.
#[test]
fn no_sample_is_asked_for_more_than_the_frame_has() {
    #[derive(Default)]
    struct Asked(core::cell::RefCell<Vec<(u32, u32)>>);
    impl SampleSink<&[u8]> for Asked {
        fn sample(&self, frame: &Frame<'_, &[u8]>, captured: u32, _fate: Fate) -> Delivery {
            self.0.borrow_mut().push((captured, frame.wire_bytes));
            Delivery::Sent
        }
    }
    let rig = Rig::new(0);
    let asked = Asked::default();
    let bytes = [0; 98];
    for snap_bytes in [0, 97, 98, 99, u32::MAX] {
        rig.sample(Sampling::All, snap_bytes);
        let engine = Engine {
            config: &rig.config,
            control: &rig.control,
            row: &rig.row,
            table: &rig.table,
            blocks: &None::<BlockMemoryAt<'_>>,
            samples: &asked,
        };
        let frame = Frame {
            bytes: &bytes.as_slice(),
            wire_bytes: 98,
            start: Start::Ethernet,
            counted_before: false,
        };
        engine.process(&frame, Ticks(1));
    }
    let expected = [0, 97, 98, 98, 98].map(|captured| (captured, 98));
    assert_eq!(*asked.0.borrow(), expected);
}

#[test]
fn samples_are_counted_sent_or_lost() {
    let rig = Rig::new(0);
    rig.sample(Sampling::All, 64);
    rig.run(&case("arp"), Ticks(1));
    let before = rig.counters();
    let sent = moved(&Snapshot::default(), &before);
    let arp = [
        (Counter::Frames, 1),
        (Counter::Bytes, 60),
        (Counter::Arp, 1),
    ];
    assert_eq!(
        differences(&[&arp[..], &[(Counter::Samples, 1)]].concat(), &sent),
        [""; 0]
    );

    rig.samples.full.set(true);
    rig.run(&case("arp"), Ticks(1));
    let lost = moved(&before, &rig.counters());
    let expected = [(Counter::SamplesLost, 1), (Counter::SamplesLostBytes, 60)];
    assert_eq!(differences(&[&arp[..], &expected].concat(), &lost), [""; 0]);
}

#[test]
fn an_engine_without_configuration_passes_and_counts() {
    let mut rig = Rig::new(0);
    rig.config = Config::default();
    for case in [case("udp"), case("arp")] {
        let before = rig.counters();
        assert_eq!(rig.run(&case, Ticks(1)), Verdict::Pass);
        let expected = [
            (Counter::Frames, 1),
            (Counter::Bytes, case.wire_bytes.into()),
            (Counter::NoFlowSet, 1),
        ];
        assert_eq!(
            differences(&expected, &moved(&before, &rig.counters())),
            [""; 0]
        );
        assert_eq!(rig.counters().imbalance(), 0);
    }
}

#[test]
fn a_configuration_of_another_abi_is_none() {
    let mut rig = Rig::new(0);
    rig.config.abi_version = crate::ABI_VERSION + 1;
    rig.run(&case("udp"), Ticks(1));
    assert_eq!(rig.counters().get(Counter::NoFlowSet), 1);
}

#[test]
fn a_table_smaller_than_its_mask_passes_and_counts() {
    let mut rig = Rig::new(0);
    rig.table.sets.clear();
    rig.config.set_mask = u32::MAX;
    assert_eq!(rig.run(&case("udp"), Ticks(1)), Verdict::Pass);
    let counters = rig.counters();
    assert_eq!(
        (counters.get(Counter::NoFlowSet), counters.imbalance()),
        (1, 0)
    );
}

#[test]
fn every_verdict_is_pass_and_the_identity_holds_after_each_frame() {
    let rig = Rig::new(0);
    rig.sample(Sampling::All, 64);
    for (n, case) in (0..).zip(cases().into_iter().chain(host_cases())) {
        assert_eq!(rig.run(&case, Ticks(n)), Verdict::Pass);
        let counters = rig.row.snapshot(1).expect("no frame is in progress");
        assert_eq!(counters.imbalance(), 0, "{}", case.name);
        assert_eq!(counters.get(Counter::Frames), u64::from(n) + 1);
    }
}

/// One set, every frame of the tables, a frame after the idle timeout, each ring full and not, no
/// configuration, and every ruling of the block table: together they move every counter there is.
#[test]
fn every_counter_is_moved_by_some_test() {
    let mut total = Snapshot::default();
    for full in [false, true] {
        let mut rig = Rig::new(0);
        rig.control.set_idle_ticks(10);
        rig.sample(Sampling::All, 64);
        rig.table.records.full.set(full);
        rig.samples.full.set(full);
        for case in cases().into_iter().chain(host_cases()) {
            rig.run(&case, Ticks(1));
        }
        rig.run(&case("udp"), Ticks(2));
        let bytes = case("udp").frame;
        let forwarded = Frame {
            bytes: &bytes.as_slice(),
            wire_bytes: 60,
            start: Start::Ethernet,
            counted_before: true,
        };
        rig.process(&forwarded, Ticks(3));
        rig.run(&case("udp"), Ticks(20));
        rig.config = Config::default();
        rig.run(&case("udp"), Ticks(21));
        total.merge(&rig.counters());
    }
    total.merge(&rulings::all());
    total.merge(&inner::all());
    let idle: Vec<_> = total
        .iter()
        .filter(|(_, n)| *n == 0)
        .map(|(c, _)| c.name())
        .collect();
    assert_eq!(idle, [""; 0], "counters that no test moves");
}

#[test]
fn a_frame_that_was_counted_before_moves_nothing_else() {
    let rig = Rig::new(0);
    rig.sample(Sampling::All, 64);
    let bytes = case("udp").frame;
    let forwarded = Frame {
        bytes: &bytes.as_slice(),
        wire_bytes: 98,
        start: Start::Ethernet,
        counted_before: true,
    };
    assert_eq!(rig.process(&forwarded, Ticks(1)), Verdict::Pass);
    let counters = rig.counters();
    let expected = [(Counter::Forwarded, 1), (Counter::ForwardedBytes, 98)];
    assert_eq!(moved(&Snapshot::default(), &counters), expected);
    assert!(rig.samples.sent.borrow().is_empty());
    assert_eq!(counters.imbalance(), 0);
}

/// The same frame with its outer tag in it and beside it has the same key.
#[test]
fn a_tag_beside_the_frame_is_read_as_one_in_it() {
    let inside = [
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0x00, 0x20, 0x07, 0x81, 0x00, 0x00, 0x09, 0x08,
        0x06,
    ];
    let mut beside = inside.to_vec();
    beside.drain(12..16);
    let row = Row::new();
    let parse_frame = |bytes: &[u8], start| {
        parse(
            &Frame {
                bytes: &bytes,
                wire_bytes: 64,
                start,
                counted_before: false,
            },
            &row,
        )
    };
    assert_eq!(
        parse_frame(&inside, Start::Ethernet),
        parse_frame(&beside, Start::Tagged { tag: 0x2007 })
    );
    assert_eq!(row.read().get(Counter::Vlan), 2);
}

/// Frames alone must move all counters that speak of a frame, so that the kernel's table does too.
#[test]
fn every_counter_of_a_frame_is_in_the_table() {
    use crate::ledger::Class;
    let host_only = [Counter::EthernetTruncated];
    let frames = cases().into_iter().flat_map(|case| case.expect);
    let tunnels = tunnel_cases().into_iter().flat_map(|case| case.expect());
    let moved: Vec<_> = frames.chain(tunnels).map(|(counter, _)| counter).collect();
    let missing: Vec<_> = Counter::ALL
        .into_iter()
        .filter(|counter| match counter.class() {
            Class::Total | Class::Attribute | Class::Flow | Class::NotIp | Class::Malformed => true,
            Class::Elsewhere | Class::Unaccounted | Class::Cache | Class::Lost | Class::Sample => {
                false
            }
            Class::Tunnel | Class::InnerFlow | Class::InnerNotIp => true,
            Class::InnerMalformed | Class::InnerUnread => true,
            Class::InnerUnaccounted => false,
            // The block table has verdict tables of its own.
            Class::Dropped | Class::Verdict => false,
        })
        .filter(|counter| !host_only.contains(counter))
        .filter(|counter| !moved.contains(counter))
        .map(Counter::name)
        .collect();
    assert_eq!(
        missing, [""; 0],
        "counters that no frame of the table moves"
    );
}
