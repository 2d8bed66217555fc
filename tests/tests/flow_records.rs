//! The flow cache and its rings in the kernel: what leaves a slot is delivered, or counted.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests panic, and say how much they checked"
)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use aya::util::nr_cpus;
use netsec_common::fixtures::{differences, moved};
use netsec_common::flow::{EndReason, FlowRecord};
use netsec_common::ledger::{Counter, Snapshot};
use netsec_common::sample::Sampling;
use netsec_common::ticks::Ticks;
use netsec_tests::kernel::{self, Collected};
use netsec_tests::wire::{self, Udp};
use netsec_user::source::kernel::{KernelEngine, KernelSettings};

/// The smallest ring: one page.
const TINY_RING: u32 = 4096;

/// Sixteen slots for each CPU.
fn small() -> KernelSettings {
    let mut settings = kernel::settings();
    settings.engine.slots = 16 * u32::try_from(nr_cpus().unwrap()).unwrap();
    settings
}

fn flow(number: u16) -> Vec<u8> {
    let udp = Udp {
        source: number,
        destination: 53,
        vlan: None,
        payload_bytes: usize::from(number % 700),
    };
    udp.frame().unwrap()
}

#[test]
fn evicted_flows_are_delivered_to_the_last_byte() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    kernel::stay_on_cpu(0).unwrap();
    let mut engine = kernel::load(object, &small()).unwrap();
    let mut collected = Collected::default();
    let mut sent: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    for step in 0_u32..4_000 {
        // 500 flows for 16 slots, some of them quickly again; a reading now and then.
        let number = u16::try_from(step * 7919 % 500 / (1 + step % 3)).unwrap();
        let (frame, repeat) = (flow(number), 1 + step % 5);
        send(&engine, &frame, repeat);
        let total = sent.entry(number).or_default();
        total.0 += u64::from(repeat);
        total.1 += u64::from(repeat) * frame.len() as u64;
        match step % 97 {
            0 => engine.read(&mut collected).unwrap(),
            50 => engine.drain(&mut collected),
            _ => {}
        }
    }
    engine.read(&mut collected).unwrap();

    let mut delivered: BTreeMap<u16, (u64, u64)> = BTreeMap::new();
    for delta in &collected.deltas {
        let total = delivered.entry(delta.key.source_port()).or_default();
        total.0 += delta.packets;
        total.1 += delta.bytes;
    }
    assert_eq!(delivered, sent);
    let ledger = engine.ledger_exact();
    let packets = ledger.get(Counter::FlowPackets);
    let bytes = ledger.get(Counter::FlowBytes);
    assert_eq!(collected.volume(), (packets, bytes));
    let evicted = ledger.get(Counter::FlowsEvicted);
    assert!(evicted > 1_000, "only {evicted} evictions");
    assert_eq!(ledger.get(Counter::FlowsOpened) - evicted, 16, "full slots");
    assert_eq!(ledger.get(Counter::RecordsLost), 0);
    assert_eq!(ledger.imbalance(), 0);
    eprintln!("{packets} packets in {evicted} evicted flows, all delivered");
}

#[test]
fn records_that_a_full_ring_refuses_are_counted() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    kernel::stay_on_cpu(0).unwrap();
    let mut settings = small();
    settings.records_ring_bytes = TINY_RING;
    let mut engine = kernel::load(object, &settings).unwrap();
    for number in 0..1_000 {
        let repeat = 1 + u32::from(number % 3);
        send(&engine, &flow(number), repeat);
    }
    let ledger = engine.ledger_exact();
    let mut collected = Collected::default();
    engine.read(&mut collected).unwrap();
    let (records, slots): (Vec<_>, Vec<_>) = collected
        .deltas
        .into_iter()
        .partition(|delta| delta.ended.is_some());
    assert_eq!(slots.len(), 16, "no flow was missed in its slot");
    // Each record in the ring has a header of 8 bytes.
    let fitting = u64::from(TINY_RING) / (size_of::<FlowRecord>() as u64 + 8);
    assert_eq!(records.len() as u64, fitting);
    assert_eq!(ledger.get(Counter::RecordsLost), 1_000 - 16 - fitting);
    let volume = |deltas: Vec<_>| {
        let samples = Vec::new();
        Collected { samples, deltas }.volume()
    };
    let exported = volume(records);
    assert_eq!(exported.0, ledger.get(Counter::ExportedPackets));
    assert_eq!(exported.1, ledger.get(Counter::ExportedBytes));
    let in_slots = volume(slots);
    assert_eq!(
        in_slots.0 + exported.0 + ledger.get(Counter::RecordsLostPackets),
        ledger.get(Counter::FlowPackets),
    );
    assert_eq!(
        in_slots.1 + exported.1 + ledger.get(Counter::RecordsLostBytes),
        ledger.get(Counter::FlowBytes),
    );
    // The reader has made room: nothing more is lost.
    for number in 1_000..1_020 {
        engine.test_run(&flow(number), 1).unwrap();
    }
    let later = engine.ledger_exact().since(&ledger);
    assert_eq!(later.get(Counter::FlowsEvicted), 20);
    assert_eq!(later.get(Counter::RecordsLost), 0);
}

#[test]
fn samples_that_a_full_ring_refuses_are_counted() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    kernel::stay_on_cpu(0).unwrap();
    let mut settings = small();
    settings.packets_ring_bytes = TINY_RING;
    settings.engine.sampling = Sampling::All;
    let mut engine = kernel::load(object, &settings).unwrap();
    let frame = flow(600);
    engine.test_run(&frame, 500).unwrap();
    let ledger = engine.ledger_exact();
    let mut collected = Collected::default();
    engine.drain(&mut collected);
    let (taken, lost) = (
        ledger.get(Counter::Samples),
        ledger.get(Counter::SamplesLost),
    );
    assert_eq!(taken + lost, 500);
    assert_eq!(collected.samples.len() as u64, taken);
    // 192 bytes behind a header of 16 and the ring's own of 8.
    assert_eq!(taken, 4095 / (192 + 16 + 8));
    let lost_bytes = lost * frame.len() as u64;
    assert_eq!(ledger.get(Counter::SamplesLostBytes), lost_bytes);
    assert_eq!(
        ledger.get(Counter::FlowPackets),
        500,
        "counted all the same"
    );
    engine.test_run(&frame, 1).unwrap();
    let later = engine.ledger_exact().since(&ledger);
    assert_eq!(later.get(Counter::Samples), 1, "there is room again");
}

#[test]
fn an_idle_flow_begins_anew() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    kernel::stay_on_cpu(0).unwrap();
    let mut settings = small();
    settings.engine.idle_timeout = Duration::from_secs(60);
    let mut engine = kernel::load(object, &settings).unwrap();
    let timeout = u32::try_from(60_000_000_000 / engine.tick().as_nanos()).unwrap();
    let frame = flow(1);
    let bytes = frame.len() as u64;
    // The clock wraps between the first two packets.
    let start = u32::MAX - 10;
    let at = |engine: &mut KernelEngine, ticks: u32, expected: &[(Counter, u64)]| {
        engine.inject_time(Ticks(ticks));
        let seen = [
            (Counter::Frames, 1),
            (Counter::Bytes, bytes),
            (Counter::Ipv4, 1),
            (Counter::Udp, 1),
            (Counter::FlowPackets, 1),
            (Counter::FlowBytes, bytes),
        ];
        step(engine, &frame, &[&seen, expected].concat());
    };
    at(&mut engine, start, &[(Counter::FlowsOpened, 1)]);
    let second = start.wrapping_add(timeout);
    at(&mut engine, second, &[]);
    let exported = [
        (Counter::FlowsRestarted, 1),
        (Counter::ExportedPackets, 2),
        (Counter::ExportedBytes, 2 * bytes),
    ];
    let third = second.wrapping_add(timeout + 1);
    at(&mut engine, third, &exported);
    let mut collected = Collected::default();
    engine.read(&mut collected).unwrap();
    let flows: Vec<_> = collected
        .deltas
        .iter()
        .map(|delta| (delta.packets, delta.ended))
        .collect();
    assert_eq!(flows, [(2, Some(EndReason::Idle)), (1, None)]);
    let [ended, _] = collected.deltas.as_slice() else {
        panic!("two flows");
    };
    assert_eq!(ended.last.since(ended.first), Duration::from_secs(60));
}

#[test]
fn a_tcp_connection_between_the_same_ports_begins_anew() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    kernel::stay_on_cpu(0).unwrap();
    let mut engine = kernel::load(object, &small()).unwrap();
    let source = (Ipv4Addr::new(10, 9, 0, 1), 40_000);
    let send = |flags: &str| {
        let segment = wire::tcp(source, 443, flags).unwrap();
        let before = engine.ledger_exact();
        engine.test_run(&segment, 1).unwrap();
        restarts(&engine.ledger_exact().since(&before))
    };
    // Neither a repeated SYN nor one with FIN or RST opens a connection.
    for flags in ["S", "S", "A", "FA", "SF", "SR"] {
        assert_eq!(send(flags), (0, 0), "{flags}");
    }
    assert_eq!(send("S"), (1, 6));
    assert_eq!(send("R"), (0, 0));
    assert_eq!(send("SA"), (1, 2), "the other side's first segment");
    let mut collected = Collected::default();
    engine.read(&mut collected).unwrap();
    let flows: Vec<_> = collected
        .deltas
        .iter()
        .map(|delta| (delta.packets, delta.first_tcp_flags, delta.ended))
        .collect();
    let reused = Some(EndReason::Reused);
    assert_eq!(
        flows,
        [(6, 0x02, reused), (2, 0x02, reused), (1, 0x12, None)]
    );
}

/// Flows restarted, and packets in the records of those.
fn restarts(moved: &Snapshot) -> (u64, u64) {
    (
        moved.get(Counter::FlowsRestarted),
        moved.get(Counter::ExportedPackets),
    )
}

#[test]
fn a_flow_on_two_cpus_is_counted_on_both() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let mut engine = kernel::load(object, &small()).unwrap();
    let cpus = nr_cpus().unwrap();
    for cpu in 0..cpus {
        kernel::stay_on_cpu(cpu).unwrap();
        engine.test_run(&flow(9), 10).unwrap();
    }
    let ledger = engine.ledger_exact();
    assert_eq!(ledger.get(Counter::FlowsOpened), cpus as u64);
    let mut collected = Collected::default();
    engine.read(&mut collected).unwrap();
    assert_eq!(collected.deltas.len(), cpus);
    assert_eq!(collected.volume().0, 10 * cpus as u64);
}

/// One by one: the kernel prepares each run of several frames for a thousand times as long.
fn send(engine: &KernelEngine, frame: &[u8], count: u32) {
    for _ in 0..count {
        engine.test_run(frame, 1).unwrap();
    }
}

/// Runs a frame and checks the counters it moves.
fn step(engine: &KernelEngine, frame: &[u8], expected: &[(Counter, u64)]) {
    let before = engine.ledger_exact();
    engine.test_run(frame, 1).unwrap();
    let wrong = differences(expected, &moved(&before, &engine.ledger_exact()));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
