use core::net::SocketAddr;

use super::*;
use crate::packet::{Vlan, protocol};

fn key(port: u16) -> FlowKey {
    let source: SocketAddr = ([10, 0, 0, 1], port).into();
    let destination: SocketAddr = ([10, 0, 0, 2], 80).into();
    FlowKey::from_endpoints(source, destination, protocol::TCP, Vlan::default())
}

fn low_half(n: u32) -> u16 {
    u16::try_from(n & 0xffff).unwrap()
}

fn counts(packets: u32) -> Counts {
    Counts {
        packets,
        bytes: u64::from(packets) * 3,
        generation: low_half(packets),
        first: Ticks(packets),
        last: Ticks(packets),
        ..Counts::default()
    }
}

#[test]
fn what_is_written_is_read() {
    let slot = FlowSlot::default();
    assert_eq!(slot.snapshot(1), Ok(None));
    let counts = Counts {
        bytes: (1 << 40) - 1,
        packets: (1 << 24) - 1,
        generation: 0xabcd,
        tcp_flags: 0xff,
        first_tcp_flags: 0xa5,
        first: Ticks(7),
        last: Ticks(u32::MAX),
    };
    slot.open(Some(&key(1)), &counts);
    let key = key(1);
    assert_eq!(slot.snapshot(1), Ok(Some(SlotSnapshot { key, counts })));
    slot.clear();
    assert_eq!(slot.snapshot(1), Ok(None));
}

#[test]
fn a_packet_adds_to_volume_flags_and_time_alone() {
    let slot = FlowSlot::default();
    slot.open(Some(&key(1)), &counts(5));
    let state = slot.state();
    slot.update(slot.volume().plus(100), state.with(0x12, Ticks(9)));
    let expected = Counts {
        bytes: 115,
        packets: 6,
        tcp_flags: 0x12,
        last: Ticks(9),
        ..counts(5)
    };
    assert_eq!(slot.snapshot(1).unwrap().unwrap().counts, expected);
}

#[test]
fn a_slot_is_full_before_a_field_overflows() {
    let volume = |packets: u64, bytes: u64| Volume(packets << BYTES_BITS | bytes);
    assert!(!volume((1 << 23) - 1, BYTES_LIMIT - 1).is_full());
    assert!(volume(1 << 23, 0).is_full());
    assert!(volume(0, BYTES_LIMIT).is_full());
    let last = volume((1 << 23) - 1, BYTES_LIMIT - 1).plus(u32::MAX);
    assert_eq!(last.packets(), 1 << 23);
    assert_eq!(last.bytes(), BYTES_LIMIT - 1 + u64::from(u32::MAX));
}

#[test]
fn a_slot_that_changes_hands_is_not_read() {
    let slot = FlowSlot::default();
    slot.open(Some(&key(1)), &counts(5));
    slot.store(5, 0);
    assert_eq!(slot.snapshot(4), Ok(None), "taken, and not counted yet");
}

/// Two threads: the owner gives the slot to one flow after another and counts packets; what the
/// reader gets is always one flow's key with that flow's counts.
#[test]
fn concurrent_reads_are_never_torn() {
    extern crate std;
    let slot = FlowSlot::default();
    let rounds = if cfg!(miri) { 200 } else { 200_000 };
    let write = |n: u32| {
        slot.open(
            Some(&key(low_half(n % 50_000))),
            &Counts {
                packets: 1,
                ..counts(n)
            },
        );
        for _ in 0..n % 4 {
            slot.update(slot.volume().plus(1), slot.state().with(0, Ticks(n)));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| (1..rounds).for_each(write));
        for _ in 0..rounds {
            if let Ok(Some(SlotSnapshot { key: k, counts })) = slot.snapshot(100) {
                let n = counts.first.0;
                assert_eq!(k, key(low_half(n % 50_000)));
                assert_eq!(
                    counts.bytes,
                    u64::from(n) * 3 + u64::from(counts.packets) - 1
                );
                assert!(counts.packets <= 1 + n % 4);
                assert_eq!((counts.last.0, counts.generation), (n, low_half(n)));
            }
        }
    });
}
