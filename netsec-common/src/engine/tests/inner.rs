//! What is in tunnels: counters, flows, samples, and that the outer flow stays as it is.

use alloc::string::String;

use super::*;
use crate::block::Prefix;
use crate::fixtures::{TunnelCase, deep_tunnel, tunnel_cases};
use crate::flow::{Place, SlotSnapshot};
use crate::packet::{Tunnel, TunnelKind};

fn tunnel_case(name: &str) -> TunnelCase {
    let mut cases = tunnel_cases().into_iter();
    cases.find(|case| case.name == name).unwrap()
}

/// What is wrong, a line each, when these counters move.
fn wrong(rig: &Rig, case: &TunnelCase, expected: &[(Counter, u64)]) -> Vec<String> {
    let before = rig.counters();
    assert_eq!(rig.run(&case.outer, Ticks(5)), Verdict::Pass);
    let after = rig.counters();
    assert_eq!((after.imbalance(), after.inner_imbalance()), (0, 0));
    differences(expected, &moved(&before, &after))
}

fn slots(rig: &Rig) -> Vec<SlotSnapshot> {
    let ways = rig.table.sets.iter().flat_map(|set| &set.ways);
    ways.filter_map(|slot| slot.snapshot(1).unwrap()).collect()
}

#[test]
fn each_tunnel_moves_exactly_its_counters() {
    let wrong: Vec<_> = tunnel_cases()
        .into_iter()
        .filter_map(|case| {
            let wrong = wrong(&Rig::looking_inside(4), &case, &case.expect());
            (!wrong.is_empty()).then_some((case.name, wrong))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn without_looking_inside_tunnels_are_packets_like_others() {
    for case in tunnel_cases() {
        let wrong = wrong(&Rig::new(4), &case, &case.outer.expect);
        assert_eq!(wrong, [""; 0], "{}", case.name);
    }
}

#[test]
fn each_packet_inside_has_its_flow_beside_that_of_the_frame() {
    for case in tunnel_cases() {
        let rig = Rig::looking_inside(4);
        rig.run(&case.outer, Ticks(5));
        let outer = case.outer.key.map(|key| {
            let bytes = u64::from(case.outer.wire_bytes);
            (key, case.outer.tcp_flags, bytes)
        });
        let mut expected: Vec<_> = outer.into_iter().chain(case.flows).collect();
        let mut seen: Vec<_> = slots(&rig)
            .iter()
            .map(|slot| {
                assert_eq!(slot.counts.packets, 1);
                (slot.key, slot.counts.tcp_flags, slot.counts.bytes)
            })
            .collect();
        expected.sort();
        seen.sort();
        assert_eq!(seen, expected, "{}", case.name);
    }
}

/// The frame without its tunnel, and in tunnels of several identifiers: as many flows.
#[test]
fn the_same_endpoints_outside_and_in_other_tunnels_are_other_flows() {
    let rig = Rig::looking_inside(4);
    let names = [
        "VXLAN",
        "VXLAN as Linux",
        "GRE",
        "GRE with key",
        "IPv4 in IPv4",
        "two tunnels",
    ];
    rig.run(&case("tcp, accurate ecn"), Ticks(1));
    for _ in 0..2 {
        for name in names {
            rig.run(&tunnel_case(name).outer, Ticks(1));
        }
    }
    let key = case("tcp, accurate ecn").key.unwrap();
    let same_endpoints = |slot: &SlotSnapshot| slot.key.words()[..4] == key.words()[..4];
    let flows: Vec<_> = slots(&rig)
        .into_iter()
        .filter(|slot| same_endpoints(slot) && slot.key.protocol() == key.protocol())
        .map(|slot| (slot.key.tunnel(), slot.counts.packets))
        .collect();
    assert_eq!(flows.len(), names.len() + 1, "{flows:?}");
    let outside = flows.iter().filter(|(tunnel, _)| tunnel.is_none());
    assert_eq!(outside.map(|(_, packets)| *packets).sum::<u32>(), 1);
    assert_eq!(flows.iter().map(|(_, packets)| packets).sum::<u32>(), 13);
}

#[test]
fn a_tunnel_is_read_back_from_the_key() {
    let key = case("udp").key.unwrap();
    for kind in [TunnelKind::IpInIp, TunnelKind::KeyedGre, TunnelKind::Erspan] {
        for level in [1, 2] {
            for id in [0, 1, 0xf_ffff, 0x10_0000, u32::MAX] {
                let tunnel = Tunnel { kind, level, id };
                let inner = key.in_tunnel(tunnel);
                assert_eq!(inner.tunnel(), Some(tunnel));
                assert_eq!(inner.reversed().tunnel(), Some(tunnel));
                assert_eq!(inner.vlan(), key.vlan());
                assert!(inner.is_inner() && !key.is_inner());
            }
        }
    }
}

/// A flow in a long-lived tunnel is sampled as any other new one.
#[test]
fn the_first_packets_of_a_flow_inside_are_sampled() {
    let rig = Rig::looking_inside(4);
    rig.sample(Sampling::FirstOfFlow(1), 64);
    let (one, other) = (tunnel_case("GRE"), tunnel_case("GRE with IPv6"));
    let mut taken = Vec::new();
    for case in [&one, &one, &other, &other, &one] {
        let before = rig.samples.sent.borrow().len();
        rig.run(&case.outer, Ticks(1));
        taken.push(rig.samples.sent.borrow().len() - before);
    }
    assert_eq!(taken, [1, 0, 1, 0, 0]);
}

#[test]
fn of_a_frame_that_is_dropped_nothing_inside_is_accounted() {
    let mut rig = Rig::looking_inside(4);
    let tunnel = tunnel_case("GRE");
    let source = Prefix::host(tunnel.outer.key.unwrap().source());
    rig.blocks = Some(rulings::blocking(source));
    assert_eq!(rig.run(&tunnel.outer, Ticks(1)), Verdict::Drop);
    let counters = rig.counters();
    assert_eq!(counters.get(Counter::Tunnelled), 0);
    assert_eq!(counters.get(Counter::DroppedByBlock), 1);
}

/// 33 KiB of extension headers: no frame but a crafted one.
#[test]
fn what_lies_too_deep_is_said_so() {
    let rig = Rig::looking_inside(4);
    rig.run(&deep_tunnel(), Ticks(1));
    let counters = rig.counters();
    assert_eq!(counters.get(Counter::Tunnelled), 2);
    assert_eq!(counters.get(Counter::InnerFlowPackets), 1);
    assert_eq!(counters.get(Counter::TunnelDepth), 1);
    assert_eq!((counters.imbalance(), counters.inner_imbalance()), (0, 0));
}

/// One set, each record queue full and not, no configuration.
pub(super) fn all() -> Snapshot {
    let mut total = Snapshot::default();
    for full in [false, true] {
        let rig = Rig::looking_inside(0);
        rig.table.records.full.set(full);
        for case in tunnel_cases() {
            rig.run(&case.outer, Ticks(1));
        }
        total.merge(&rig.counters());
    }
    // A table that has the frame's set, but not that of what is inside.
    for case in tunnel_cases() {
        let mut rig = Rig::looking_inside(8);
        let set = Place::of(&case.outer.key.unwrap(), &rig.config).set;
        rig.table.sets.truncate(usize::try_from(set).unwrap() + 1);
        rig.run(&case.outer, Ticks(1));
        let counters = rig.counters();
        assert_eq!((counters.imbalance(), counters.inner_imbalance()), (0, 0));
        total.merge(&counters);
    }
    total
}
