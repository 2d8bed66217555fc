//! The parser alone and in the engine, held to the fixtures.

mod differential;
mod key;
mod property;

use alloc::vec::Vec;

use super::*;
use crate::fixtures::{Case, Rig, cases, differences, host_cases, moved};
use crate::ledger::{Row, Snapshot};
use crate::ticks::Ticks;

fn all_cases() -> impl Iterator<Item = Case> {
    cases().into_iter().chain(host_cases())
}

#[test]
fn each_frame_moves_exactly_its_counters() {
    let failures: Vec<_> = all_cases()
        .filter_map(|case| {
            let rig = Rig::new(4);
            rig.run(&case, Ticks(1));
            let moved = moved(&Snapshot::default(), &rig.counters());
            let differences = differences(&case.expect, &moved);
            (!differences.is_empty()).then_some((case.name, differences))
        })
        .collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn each_frame_has_its_key_flags_and_payload() {
    for case in all_cases() {
        let bytes = case.frame.as_slice();
        let frame = Frame {
            bytes: &bytes,
            wire_bytes: case.wire_bytes,
            start: case.start,
            counted_before: false,
        };
        let packet = parse(&frame, &Row::new()).ok();
        let expected = case.key.map(|key| Packet {
            key,
            tcp_flags: case.tcp_flags,
            payload_bytes: case.payload_bytes,
        });
        assert_eq!(packet, expected, "{}", case.name);
    }
}

#[test]
fn a_flow_slot_holds_what_the_frame_adds() {
    for case in all_cases() {
        let rig = Rig::new(0);
        rig.run(&case, Ticks(5));
        let slots: Vec<_> = rig.table.sets[0]
            .ways
            .iter()
            .filter_map(|slot| slot.snapshot(1).unwrap())
            .collect();
        let Some(key) = case.key else {
            assert!(slots.is_empty(), "{}", case.name);
            continue;
        };
        let [slot] = slots.as_slice() else {
            panic!("{}: {} slots in use", case.name, slots.len());
        };
        assert_eq!(slot.key, key, "{}", case.name);
        assert_eq!(slot.counts.packets, 1, "{}", case.name);
        assert_eq!(
            slot.counts.bytes,
            u64::from(case.wire_bytes),
            "{}",
            case.name
        );
        assert_eq!(slot.counts.tcp_flags, case.tcp_flags, "{}", case.name);
        assert_eq!((slot.counts.first, slot.counts.last), (Ticks(5), Ticks(5)));
    }
}
