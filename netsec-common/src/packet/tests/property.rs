//! Any bytes at all: no panic, and every frame is counted exactly once.

use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{Frame, Start, all_cases};
use crate::fixtures::{Case, Rig, cases};
use crate::ledger::{Class, Counter};
use crate::sample::Sampling;
use crate::ticks::Ticks;

/// Runs one frame and checks that exactly one counter explains it.
fn counted_once(bytes: &[u8], wire_bytes: u32, start: Start) {
    let rig = Rig::new(0);
    rig.sample(Sampling::All, 64);
    let frame = Frame {
        bytes: &bytes,
        wire_bytes,
        start,
        counted_before: false,
    };
    rig.process(&frame, Ticks(0));
    let counters = rig.row.snapshot(1).expect("the frame is over");
    let in_flow = counters.get(Counter::FlowPackets);
    assert_eq!(counters.get(Counter::Frames), 1);
    assert_eq!(counters.get(Counter::Bytes), u64::from(wire_bytes));
    assert_eq!((counters.explained(), counters.imbalance()), (1, 0));
    assert_eq!(
        counters.get(Counter::FlowBytes),
        in_flow * u64::from(wire_bytes)
    );
    assert_eq!(counters.sum(Class::Unaccounted), 0);
    assert_eq!(counters.get(Counter::Samples), 1);
    attributes_are_once(&|counter| counters.get(counter), in_flow);
}

/// No frame has a property twice, and a frame in a flow has one IP version and one transport.
fn attributes_are_once(count: &dyn Fn(Counter) -> u64, in_flow: u64) {
    for counter in Counter::ALL {
        if counter.class() == Class::Attribute {
            assert!(count(counter) <= 1, "{} twice", counter.name());
        }
    }
    let versions = count(Counter::Ipv4) + count(Counter::Ipv6);
    let transports = [
        Counter::Tcp,
        Counter::Udp,
        Counter::Sctp,
        Counter::Icmp,
        Counter::Icmpv6,
        Counter::OtherTransport,
        Counter::LaterFragments,
    ]
    .into_iter()
    .map(count)
    .sum::<u64>();
    assert!(versions >= in_flow && versions <= 1);
    assert_eq!(transports, in_flow);
}

/// A frame of the table with up to four bytes changed, then cut or grown.
pub(super) fn mutated() -> impl Strategy<Value = Vec<u8>> {
    mutated_case().prop_map(|case| case.frame)
}

fn mutated_case() -> impl Strategy<Value = Case> {
    let table: Vec<Case> = cases();
    (
        prop::sample::select(table),
        prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        prop_oneof![
            4 => Just(None),
            1 => any::<Index>().prop_map(Some),
        ],
        prop::collection::vec(any::<u8>(), 0..8),
    )
        .prop_map(|(mut case, changes, cut, tail)| {
            for (at, byte) in changes {
                // Half of the changes go where the headers' lengths, types and offsets are.
                let reach = case
                    .frame
                    .len()
                    .min(if byte % 2 == 0 { 62 } else { usize::MAX });
                case.frame[at.index(reach)] = byte;
            }
            if let Some(cut) = cut {
                case.frame.truncate(cut.index(case.frame.len() + 1));
            }
            case.frame.extend(tail);
            case
        })
}

fn starts() -> impl Strategy<Value = Start> {
    let ethertypes = prop_oneof![
        Just(0x0800),
        Just(0x86dd),
        Just(0x8100),
        Just(0x8847),
        Just(0x8864),
        any::<u16>(),
    ];
    prop_oneof![
        Just(Start::Ethernet),
        (ethertypes, 0u8..32).prop_map(|(ethertype, offset)| Start::Network { ethertype, offset }),
        any::<(u16, u8)>().prop_map(|(ethertype, offset)| Start::Network { ethertype, offset }),
    ]
}

/// Bytes on the wire that the capture does not have.
fn missing() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 0u32..2000, Just(u32::MAX), any::<u32>()]
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_counted_once(
        bytes in prop::collection::vec(any::<u8>(), 0..160),
        start in starts(),
        missing in missing(),
    ) {
        counted_once(&bytes, length(&bytes).saturating_add(missing), start);
    }

    #[test]
    fn mutated_frames_are_counted_once(case in mutated_case(), missing in missing()) {
        let bytes = case.frame.as_slice();
        counted_once(bytes, length(bytes).saturating_add(missing), case.start);
    }

    /// A capture file may even claim less than it holds.
    #[test]
    fn a_wrong_wire_length_is_counted_once(case in mutated_case(), wire_bytes in 0u32..200) {
        counted_once(&case.frame, wire_bytes, case.start);
    }
}

/// Every prefix of every frame of the table, as a short frame and as a capture cut short.
#[test]
fn every_prefix_is_counted_once() {
    for case in all_cases() {
        for end in 0..case.frame.len().min(120) {
            let bytes = &case.frame[..end];
            counted_once(bytes, length(bytes), case.start);
            counted_once(bytes, case.wire_bytes.max(length(bytes)), case.start);
        }
    }
}

/// A cut capture is read as the whole frame or refused, never read as something else.
#[test]
fn a_cut_capture_gives_the_whole_frames_key_or_none() {
    for case in cases() {
        for end in 0..case.frame.len() {
            let bytes = &case.frame[..end];
            let frame = Frame {
                bytes: &bytes,
                wire_bytes: case.wire_bytes,
                start: case.start,
                counted_before: false,
            };
            if let Ok(packet) = super::parse(&frame, &crate::ledger::Row::new()) {
                assert_eq!(Some(packet.key), case.key, "{} cut to {end}", case.name);
                assert_eq!(
                    packet.payload_bytes, case.payload_bytes,
                    "{} cut to {end}",
                    case.name
                );
            }
        }
    }
}
