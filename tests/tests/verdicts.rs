//! The verdict tables through the kernel: frame in, action and exactly the named counters out.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests panic, and say how much they checked"
)]

use aya::maps::Array;
use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};
use netsec_common::fixtures::{Case, cases, differences, moved};
use netsec_common::ledger::{Counter, Row, Snapshot};
use netsec_common::sample::{SAMPLE_BYTES_MAX, Sampling};
use netsec_tests::kernel::{self, Collected, XDP_PASS};
use netsec_tests::wire::Udp;
use netsec_user::source::kernel::{KernelEngine, KernelSettings};
use netsec_user::time::WallTime;

/// Fewer would be a table that has lost cases.
const CASES_MIN: usize = 204;

/// Two sets a CPU: every case begins with an empty table, and emptying a small one is cheap.
fn small() -> KernelSettings {
    let mut settings = kernel::settings();
    settings.engine.slots = 32;
    settings
}

#[test]
fn every_case_passes_and_moves_exactly_its_counters() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let mut engine = kernel::load(object, &small()).unwrap();
    let cases = cases();
    let wrong: Vec<String> = cases
        .iter()
        .flat_map(|case| run(&mut engine, case))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= CASES_MIN, "only {} cases", cases.len());
    eprintln!("{} cases through BPF_PROG_TEST_RUN", cases.len());
}

/// What is wrong with one case, a line each.
fn run(engine: &mut KernelEngine, case: &Case) -> Vec<String> {
    engine.clear_flows().unwrap();
    let before = engine.ledger_exact();
    let outcome = engine.test_run(&case.frame, 1).unwrap();
    let moved = moved(&before, &engine.ledger_exact());
    let mut wrong = differences(&case.expect, &moved);
    if outcome.action != XDP_PASS {
        wrong.push(format!("action {}", outcome.action));
    }
    let mut collected = Collected::default();
    engine.read(&mut collected).unwrap();
    let flows: Vec<_> = collected
        .deltas
        .iter()
        .map(|flow| (flow.key, flow.tcp_flags, flow.packets, flow.bytes))
        .collect();
    let expected: Vec<_> = case
        .key
        .iter()
        .map(|key| (*key, case.tcp_flags, 1, u64::from(case.wire_bytes)))
        .collect();
    if flows != expected {
        wrong.push(format!("flows {flows:?}, not {expected:?}"));
    }
    let named = |what| format!("{}: {what}", case.name);
    wrong.into_iter().map(named).collect()
}

#[test]
fn every_case_is_sampled_as_it_is() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let mut settings = small();
    settings.engine.sampling = Sampling::All;
    settings.engine.snap_bytes = SAMPLE_BYTES_MAX;
    let mut engine = kernel::load(object, &settings).unwrap();
    for case in cases() {
        let mut collected = Collected::default();
        let before = engine.ledger_exact();
        let start = WallTime::now();
        engine.test_run(&case.frame, 1).unwrap();
        engine.drain(&mut collected);
        let moved = engine.ledger_exact().since(&before);
        assert_eq!(moved.get(Counter::Samples), 1, "{}", case.name);
        let [sample] = collected.samples.as_slice() else {
            panic!("{}: {} samples", case.name, collected.samples.len());
        };
        let snap = case.frame.len().min(SAMPLE_BYTES_MAX as usize);
        assert_eq!(sample.bytes, &case.frame[..snap], "{}", case.name);
        assert_eq!(sample.wire_bytes, case.wire_bytes, "{}", case.name);
        let late_ns = sample.time.ns_since(start);
        assert!(late_ns.abs() < 1_000_000_000, "{late_ns} ns off");
    }
}

#[test]
fn each_sampling_takes_what_it_says() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    // The counter of 1-in-n sampling is each CPU's own.
    kernel::stay_on_cpu(0).unwrap();
    let mut settings = small();
    settings.engine.snap_bytes = 64;
    let mut engine = kernel::load(object, &settings).unwrap();
    let flow = Udp {
        source: 1,
        destination: 2,
        vlan: None,
        payload_bytes: 100,
    };
    let flow = flow.frame().unwrap();
    let mut arp = flow.clone();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    // Twelve frames of one flow and twelve of none.
    for (sampling, of_flow, of_none) in [
        (Sampling::Off, 0, 0),
        (Sampling::FirstOfFlow(3), 3, 0),
        (Sampling::FirstOfFlow(20), 12, 0),
        (Sampling::FirstOfFlow(0), 0, 0),
        (Sampling::OneIn(4), 3, 3),
        (Sampling::OneIn(0), 0, 0),
        (Sampling::All, 12, 12),
    ] {
        engine.clear_flows().unwrap();
        engine.set_sampling(sampling);
        for (frame, expected) in [(&flow, of_flow), (&arp, of_none)] {
            let before = engine.ledger_exact();
            engine.test_run(frame, 12).unwrap();
            let mut collected = Collected::default();
            engine.drain(&mut collected);
            assert_eq!(collected.samples.len(), expected, "{sampling:?}");
            let moved = engine.ledger_exact().since(&before);
            assert_eq!(moved.get(Counter::Samples), expected as u64);
            assert_eq!(moved.get(Counter::SamplesLost), 0);
            for sample in collected.samples {
                assert_eq!(sample.bytes, &frame[..64]);
                assert_eq!(sample.wire_bytes as usize, frame.len());
            }
        }
    }
}

#[test]
fn an_object_without_configuration_passes_and_counts_as_unaccounted() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let cpus = u32::try_from(nr_cpus().unwrap()).unwrap();
    let mut ebpf = load_unconfigured(object, cpus);
    for case in cases() {
        let before = ledger(&ebpf);
        assert_eq!(test_run(&mut ebpf, &case.frame), XDP_PASS, "{}", case.name);
        let expected = [
            (Counter::Frames, 1),
            (Counter::Bytes, u64::from(case.wire_bytes)),
            (Counter::NoFlowSet, 1),
        ];
        let moved = moved(&before, &ledger(&ebpf));
        let wrong = differences(&expected, &moved);
        assert!(wrong.is_empty(), "{}: {wrong:?}", case.name);
    }
    assert_eq!(ledger(&ebpf).imbalance(), 0);
}

#[test]
fn a_cpu_without_a_ledger_row_passes() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    if nr_cpus().unwrap() < 2 {
        eprintln!("one CPU only: there is none without a row");
        return;
    }
    kernel::stay_on_cpu(1).unwrap();
    let mut ebpf = load_unconfigured(object, 1);
    for case in cases() {
        assert_eq!(test_run(&mut ebpf, &case.frame), XDP_PASS, "{}", case.name);
    }
    assert_eq!(ledger(&ebpf), Snapshot::default());
}

/// The object as compiled, but for the rows of its ledger: a loader that fails half-way.
fn load_unconfigured(object: &[u8], rows: u32) -> Ebpf {
    let mut ebpf = EbpfLoader::new()
        .map_max_entries("LEDGER", rows)
        .load(object)
        .unwrap();
    let program: &mut Xdp = ebpf.program_mut("netsec").unwrap().try_into().unwrap();
    program.load().unwrap();
    ebpf
}

fn test_run(ebpf: &mut Ebpf, frame: &[u8]) -> u32 {
    let program: &mut Xdp = ebpf.program_mut("netsec").unwrap().try_into().unwrap();
    let options = TestRunOptions {
        data_in: Some(frame),
        repeat: 1,
        ..TestRunOptions::new()
    };
    program.test_run(options).unwrap().return_value
}

/// The sum of all rows, read by system call and counted on a row of this process.
fn ledger(ebpf: &Ebpf) -> Snapshot {
    const ROW_BYTES: usize = size_of::<Row>();
    let map = ebpf.map("LEDGER").unwrap();
    let rows: Array<_, [u8; ROW_BYTES]> = map.try_into().unwrap();
    let sum = Row::new();
    for row in rows.iter() {
        let row = row.unwrap();
        // The row's sequence and sampling countdown come before the counters.
        let counters = row.as_chunks::<8>().0.iter().skip(2);
        for (counter, value) in Counter::ALL.into_iter().zip(counters) {
            sum.add(counter, u64::from_ne_bytes(*value));
        }
    }
    sum.read()
}
