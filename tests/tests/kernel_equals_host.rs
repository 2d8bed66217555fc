//! The engine in the kernel and the engine on the host give the same answer to every frame: action,
//! counters, records of flows that left, header samples, flow deltas; and the same slots at the end.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests panic, and say how much they checked"
)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use netsec_common::fixtures::{cases, tunnel_cases};
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::ledger::{Class, Counter, Snapshot};
use netsec_common::packet::Start;
use netsec_common::sample::Sampling;
use netsec_tests::mutation::{Mutator, Random};
use netsec_tests::{data, kernel};
use netsec_user::hook::HookId;
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::Capture;
use netsec_user::source::compare::Comparison;
use netsec_user::source::host::{HostEngine, HostFrame};
use netsec_user::source::kernel::KernelReplay;
use netsec_user::time::WallTime;

/// Says how many mutated frames to compare.
const MUTATIONS: &str = "NETSEC_MUTATIONS";

/// Without it: as many as issues promise.
const MUTATIONS_DEFAULT: u64 = 1_000_000;

/// Frames of the captures: compared, and those that are too short or too long for a test run.
const CAPTURED: [u64; 3] = [87_365, 43, 33];

fn settings() -> EngineSettings {
    EngineSettings {
        slots: 1024,
        sampling: Sampling::All,
        snap_bytes: 384,
        idle_timeout: Duration::from_secs(60),
        hash_keys: FIXED_HASH_KEYS,
        inner: false,
    }
}

/// A frame that was captured as a whole.
fn whole(time: WallTime, bytes: &[u8]) -> HostFrame<'_> {
    HostFrame {
        time,
        start: Start::Ethernet,
        wire_bytes: bytes.len().try_into().unwrap(),
        bytes,
    }
}

#[test]
fn every_captured_frame_gives_the_same() {
    captured_frames(&settings());
}

#[test]
fn every_captured_frame_gives_the_same_with_what_is_in_its_tunnels() {
    let ledger = captured_frames(&EngineSettings {
        inner: true,
        ..settings()
    });
    let Some(ledger) = ledger else { return };
    eprintln!(
        "{} tunnels, {} packets inside in flows",
        ledger.get(Counter::Tunnelled),
        ledger.get(Counter::InnerFlowPackets)
    );
    assert_eq!((ledger.imbalance(), ledger.inner_imbalance()), (0, 0));
    assert!(ledger.get(Counter::InnerFlowPackets) > 200);
}

/// Compares the frames of all captures.
fn captured_frames(settings: &EngineSettings) -> Option<Snapshot> {
    let object = kernel::object().unwrap()?;
    let data = data::path().unwrap()?;
    let mut files = Vec::new();
    for folder in ["corpus", "pcap", "community-id"] {
        collect(&data.join(folder), &mut files);
    }
    let mut comparison = Comparison::load(object, HookId(0), settings).unwrap();
    let mut number = 0_u64;
    for file in &files {
        each_frame(file, |time, bytes| {
            // What a snap length has cut counts as a frame of that length.
            number += 1;
            compare(&mut comparison, &whole(time, bytes), || {
                format!("{}, Ethernet frame {number} of all", file.display())
            })
            .unwrap();
        });
        comparison.read().unwrap();
    }
    comparison.finish().unwrap();
    let not_sent = comparison.not_sent();
    eprintln!(
        "{} frames of {} captures: no difference; not sent: {not_sent}",
        comparison.frames(),
        files.len()
    );
    assert_eq!(
        [comparison.frames(), not_sent.short, not_sent.long],
        CAPTURED
    );
    Some(comparison.ledger())
}

#[test]
fn a_million_mutated_frames_give_the_same() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let wanted = env::var(MUTATIONS).map_or(MUTATIONS_DEFAULT, |text| text.parse().unwrap());
    let mut seeds: Vec<_> = cases().into_iter().map(|case| case.frame).collect();
    seeds.extend(tunnel_cases().into_iter().map(|case| case.outer.frame));
    if let Some(data) = data::path().unwrap() {
        let mut files = Vec::new();
        collect(&data.join("corpus"), &mut files);
        for file in files {
            each_frame(&file, |_, bytes| seeds.push(bytes.to_vec()));
        }
    }
    let started = WallTime::now();
    let phases = phases();
    let mut total = Snapshot::default();
    let mut frames = 0;
    for (seed, settings) in (0..).zip(&phases) {
        let mut mutator = Mutator::new(seed, seeds.clone());
        let mut comparison = Comparison::load(object, HookId(0), settings).unwrap();
        let mut time = WallTime::from_ns(1_700_000_000_000_000_000);
        for number in 0..wanted.div_ceil(phases.len() as u64) {
            let bytes = mutator.frame();
            time = time.plus_ns(step_ns(mutator.random()));
            compare(&mut comparison, &whole(time, &bytes), || {
                format!("seed {seed}, frame {number}, {settings:?}")
            })
            .unwrap();
            if number % 1_024 == 0 {
                comparison.read().unwrap();
            }
        }
        comparison.finish().unwrap();
        assert_eq!(comparison.not_sent().total(), 0);
        total.merge(&comparison.ledger());
        frames += comparison.frames();
    }
    let seconds = WallTime::now().since(started).as_secs_f64();
    eprintln!("{frames} mutated frames in {seconds:.1} s: no difference");
    assert!(frames >= wanted);
    assert_eq!((total.imbalance(), total.inner_imbalance()), (0, 0));
    if wanted >= 100_000 {
        assert_eq!(unmoved(&total), [""; 0], "counters that no frame moved");
    }
}

/// Tables small enough to push flows out, and every kind of sampling; the last three look into tunnels.
fn phases() -> [EngineSettings; 8] {
    let phase = |slots, sampling, snap_bytes, idle_seconds, key: u32| {
        let mut settings = EngineSettings {
            slots,
            sampling,
            snap_bytes,
            idle_timeout: Duration::from_secs(idle_seconds),
            hash_keys: FIXED_HASH_KEYS,
            inner: key >= 5,
        };
        settings.hash_keys[0] ^= key;
        settings
    };
    [
        phase(4, Sampling::All, 384, 1, 0),
        phase(256, Sampling::FirstOfFlow(3), 192, 60, 1),
        phase(4096, Sampling::OneIn(7), 64, 0, 2),
        phase(64, Sampling::Off, 192, 5, 3),
        phase(1024, Sampling::All, 65, 600, 4),
        phase(8, Sampling::All, 384, 1, 5),
        phase(256, Sampling::FirstAndQuestions(3), 192, 60, 6),
        phase(4096, Sampling::FirstOfFlow(1), 64, 5, 7),
    ]
}

/// Mostly milliseconds; now and then as long as makes a flow idle, or its slot be swept; and now
/// and then backwards, as in captures merged from several interfaces.
fn step_ns(random: &mut Random) -> i64 {
    const MILLISECOND: i64 = 1_000_000;
    let milliseconds = i64::try_from(random.number() % 1_000).unwrap();
    match random.number() % 4_096 {
        0 => milliseconds * 5_000 * MILLISECOND,
        1 => -milliseconds * MILLISECOND,
        2..40 => milliseconds * 100 * MILLISECOND,
        _ => milliseconds * MILLISECOND / 64,
    }
}

/// Counters that speak of a frame or a flow, and stayed at zero.
fn unmoved(total: &Snapshot) -> Vec<&'static str> {
    let is_wanted = |counter: Counter| match counter.class() {
        Class::Total | Class::Attribute | Class::Flow | Class::NotIp => true,
        Class::Cache | Class::Sample => true,
        // The kernel takes no frame that is shorter than an Ethernet header.
        Class::Malformed => counter != Counter::EthernetTruncated,
        Class::Tunnel | Class::InnerFlow | Class::InnerNotIp => true,
        Class::InnerMalformed | Class::InnerUnread => true,
        Class::Elsewhere | Class::Unaccounted | Class::Lost => false,
        Class::InnerUnaccounted => false,
        // There is no block table.
        Class::Dropped | Class::Verdict => false,
    };
    let unmoved = total
        .iter()
        .filter(|(counter, value)| *value == 0 && is_wanted(*counter));
    unmoved.map(|(counter, _)| counter.name()).collect()
}

/// Engines of different settings differ, and the difference is named.
#[test]
fn a_difference_is_found_and_named() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let udp = cases().into_iter().find(|case| case.name == "udp").unwrap();
    let change = |change: fn(&mut EngineSettings)| {
        let mut other = settings();
        change(&mut other);
        let kernel = KernelReplay::load(object, HookId(0), &settings()).unwrap();
        let mut comparison = Comparison::of(HostEngine::new(HookId(0), &other), kernel);
        for second in [0, 30] {
            let time = WallTime::from_ns(1_000_000_000 * second);
            comparison.frame(&whole(time, &udp.frame))?;
        }
        comparison.finish()
    };
    let frame = u32::try_from(udp.frame.len()).unwrap();
    assert!(frame > 40, "to be cut below");
    for (other, named) in [
        (
            change(|s| s.snap_bytes = 40),
            "sample captured: host 40, kernel",
        ),
        (
            change(|s| s.sampling = Sampling::Off),
            "counter samples: host +0, kernel +1",
        ),
        (
            change(|s| s.idle_timeout = Duration::from_secs(1)),
            "counter flows_restarted: host +1, kernel +0",
        ),
        (
            change(|s| s.idle_timeout = Duration::from_secs(1)),
            "records: host 1, kernel 0",
        ),
        (change(|s| s.hash_keys = [1; 10]), "slot "),
        (change(|s| s.slots = 512), "sets: host 128, kernel 256"),
    ] {
        let text = other.unwrap_err().to_string();
        assert!(text.contains(named), "no {named:?} in:\n{text}");
        let has_dump = text.contains(&format!("first {frame} of {frame} bytes:\n0000  "));
        let at_end = named.starts_with('s') && !named.starts_with("sample");
        assert_ne!(has_dump, at_end, "{text}");
    }
    let same = change(|_| ());
    assert!(same.is_ok(), "the same settings give no difference");
}

fn compare(
    comparison: &mut Comparison,
    frame: &HostFrame<'_>,
    which: impl FnOnce() -> String,
) -> anyhow::Result<bool> {
    comparison.frame(frame).with_context(which)
}

/// All files below a folder, in the order of their names.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Calls back for every Ethernet frame of a capture. Files of other kinds have none.
fn each_frame(file: &Path, mut take: impl FnMut(WallTime, &[u8])) {
    let Ok(mut capture) = Capture::open(file) else {
        return;
    };
    while let Some(frame) = capture.next_frame().unwrap() {
        if frame.start == Start::Ethernet {
            take(frame.time, frame.bytes);
        }
    }
}
