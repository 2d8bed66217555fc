//! The ledger at full speed: live frames by the million, readers that read and readers that sleep.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests panic, and say how much they checked"
)]

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use netsec_common::ledger::{Counter, Snapshot};
use netsec_common::sample::Sampling;
use netsec_tests::kernel::{self, Counted};
use netsec_tests::netns::Namespace;
use netsec_tests::wire::Udp;
use netsec_user::source::kernel::{FrameInjector, KernelEngine, KernelSettings};

/// The loopback interface of a new network namespace: what passes is for nobody there, and ends in
/// the stack.
const LOOPBACK: u32 = 1;

/// Bytes after the UDP header: the shortest frames, middling ones, full ones.
const SIZES: [usize; 4] = [18, 100, 700, 1472];

/// Where a frame of [`Udp`] has its source port.
const SOURCE_PORT: Range<usize> = 34..36;

/// Flows of more frames are sent live.
const LIVE_MIN: u32 = 1_000;

/// What is sent.
struct Load {
    /// Flows of each size.
    flows: u16,
    /// Frames of each flow.
    frames: u32,
}

impl Load {
    fn total_frames(&self) -> u64 {
        u64::from(self.flows) * u64::from(self.frames) * SIZES.len() as u64
    }

    fn total_bytes(&self) -> u64 {
        let headers = 14 + 20 + 8;
        let of_each: usize = SIZES.iter().map(|payload| headers + payload).sum();
        u64::from(self.flows) * u64::from(self.frames) * of_each as u64
    }

    /// Sends everything from a CPU: long flows as live frames, short ones one by one, because the
    /// kernel prepares each run of several frames for a thousand times as long as a frame takes.
    fn send(&self, cpu: usize, injector: &FrameInjector, namespace: &Namespace) -> Result<()> {
        kernel::stay_on_cpu(cpu)?;
        namespace.enter()?;
        for (destination, payload_bytes) in (1000..).zip(SIZES) {
            let udp = Udp {
                source: 0,
                destination,
                vlan: None,
                payload_bytes,
            };
            let mut frame = udp.frame()?;
            for flow in 0..self.flows {
                if let Some(port) = frame.get_mut(SOURCE_PORT) {
                    port.copy_from_slice(&flow.to_be_bytes());
                }
                if self.frames > LIVE_MIN {
                    injector.live_frames(&frame, self.frames, LOOPBACK)?;
                } else {
                    for _ in 0..self.frames {
                        injector.test_run(&frame, 1)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a reader saw while frames ran.
#[derive(Debug, Default)]
struct Watched {
    snapshots: u64,
    /// Those unlike the one before.
    fresh: u64,
    /// Those that fell back on an earlier reading: no moment between two frames was found.
    stale: u64,
    counted: Counted,
}

/// Takes ledgers until told to stop; each has to balance. With `read`, takes flows as well.
fn watch(engine: &mut KernelEngine, done: &AtomicBool, read: bool) -> Result<Watched> {
    let mut watched = Watched::default();
    let mut last = Snapshot::default();
    while !done.load(Ordering::Acquire) {
        let counted_before = engine.ledger_exact().get(Counter::Frames);
        let ledger = engine.ledger();
        watched.snapshots += 1;
        watched.fresh += u64::from(ledger != last);
        watched.stale += u64::from(ledger.get(Counter::Frames) < counted_before);
        let imbalance = ledger.imbalance();
        ensure!(imbalance == 0, "{imbalance} frames unexplained: {ledger:?}");
        for (counter, value) in ledger.iter() {
            ensure!(value >= last.get(counter), "{} went back", counter.name());
        }
        last = ledger;
        if read {
            engine.drain(&mut watched.counted);
            engine.read(&mut watched.counted)?;
        }
    }
    Ok(watched)
}

/// Sends from the first CPU while `work` goes on in this thread.
fn under_load<T>(
    load: &Load,
    engine: &mut KernelEngine,
    work: impl FnOnce(&mut KernelEngine, &AtomicBool) -> Result<T>,
) -> Result<T> {
    let namespace = Namespace::new()?;
    let injector = engine.injector()?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let sent = load.send(0, &injector, &namespace);
            done.store(true, Ordering::Release);
            sent
        });
        let worked = work(engine, &done);
        sender.join().unwrap()?;
        worked
    })
}

/// The ledger after the run: every frame and byte sent, explained and in flows.
fn assert_all_counted(engine: &KernelEngine, load: &Load) -> Snapshot {
    let ledger = engine.ledger_exact();
    assert_eq!(ledger.imbalance(), 0);
    for (counter, expected) in [
        (Counter::Frames, load.total_frames()),
        (Counter::Udp, load.total_frames()),
        (Counter::FlowPackets, load.total_frames()),
        (Counter::Bytes, load.total_bytes()),
        (Counter::FlowBytes, load.total_bytes()),
    ] {
        assert_eq!(ledger.get(counter), expected, "{}", counter.name());
    }
    ledger
}

#[test]
fn a_reader_that_reads_gets_every_packet() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let load = Load {
        flows: 5,
        frames: 100_000,
    };
    let mut engine = kernel::load(object, &kernel::settings()).unwrap();
    let mut watched = under_load(&load, &mut engine, |engine, done| watch(engine, done, true));
    let watched = watched.as_mut().unwrap();
    let ledger = assert_all_counted(&engine, &load);
    engine.read(&mut watched.counted).unwrap();
    assert_eq!(ledger.get(Counter::RecordsLost), 0);
    assert_eq!(watched.counted.packets, load.total_frames());
    assert_eq!(watched.counted.bytes, load.total_bytes());
    assert!(watched.fresh > 10, "{watched:?}");
    report("reading", &load, watched, &engine);
}

#[test]
fn every_snapshot_of_a_busy_ledger_balances() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let load = Load {
        flows: 5,
        frames: 100_000,
    };
    let mut engine = kernel::load(object, &kernel::settings()).unwrap();
    let watched = under_load(&load, &mut engine, |engine, done| {
        watch(engine, done, false)
    });
    let watched = watched.unwrap();
    assert_all_counted(&engine, &load);
    assert!(
        watched.fresh > 100,
        "hardly anything was tested: {watched:?}"
    );
    assert!(watched.stale * 2 < watched.snapshots, "{watched:?}");
    report("snapshots", &load, &watched, &engine);
}

#[test]
fn more_flows_than_slots_and_a_reader_that_reads() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let load = Load {
        flows: 10_000,
        frames: 3,
    };
    let mut settings = kernel::settings();
    settings.engine.slots = 1024;
    settings.records_ring_bytes = 16 << 20;
    let mut engine = kernel::load(object, &settings).unwrap();
    let mut watched = under_load(&load, &mut engine, |engine, done| watch(engine, done, true));
    let watched = watched.as_mut().unwrap();
    let ledger = assert_all_counted(&engine, &load);
    engine.read(&mut watched.counted).unwrap();
    let evicted = ledger.get(Counter::FlowsEvicted);
    assert!(evicted > 10_000, "only {evicted} evictions");
    assert_eq!(ledger.get(Counter::RecordsLost), 0);
    assert_eq!(watched.counted.packets, load.total_frames());
    assert_eq!(watched.counted.bytes, load.total_bytes());
    report("evictions", &load, watched, &engine);
}

#[test]
fn a_reader_that_sleeps_finds_the_sum_of_long_flows() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let load = Load {
        flows: 5,
        frames: 100_000,
    };
    let (ledger, counted) = asleep(object, &kernel::settings(), &load);
    assert_eq!(ledger.get(Counter::RecordsLost), 0);
    assert_eq!(counted.packets, load.total_frames());
    assert_eq!(counted.bytes, load.total_bytes());
}

#[test]
fn a_reader_that_sleeps_loses_what_is_counted_as_lost() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let load = Load {
        flows: 10_000,
        frames: 3,
    };
    let mut settings = kernel::settings();
    settings.engine.slots = 1024;
    settings.engine.sampling = Sampling::All;
    settings.records_ring_bytes = 64 << 10;
    let (ledger, counted) = asleep(object, &settings, &load);
    let lost = ledger.get(Counter::RecordsLostPackets);
    assert!(lost > 0, "the ring was meant to overflow");
    assert_eq!(counted.packets + lost, load.total_frames());
    assert_eq!(
        counted.bytes + ledger.get(Counter::RecordsLostBytes),
        load.total_bytes()
    );
    let samples_lost = ledger.get(Counter::SamplesLost);
    assert!(samples_lost > 0, "the ring was meant to overflow");
    assert_eq!(counted.samples + samples_lost, load.total_frames());
    eprintln!(
        "asleep: {} frames, {} read, {lost} lost and counted",
        load.total_frames(),
        counted.packets,
    );
}

/// Sends everything while nobody reads; then reads what is there.
fn asleep(object: &[u8], settings: &KernelSettings, load: &Load) -> (Snapshot, Counted) {
    let mut engine = kernel::load(object, settings).unwrap();
    let slept = under_load(load, &mut engine, |_, done| {
        while !done.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    });
    slept.unwrap();
    let ledger = assert_all_counted(&engine, load);
    let mut counted = Counted::default();
    engine.drain(&mut counted);
    engine.read(&mut counted).unwrap();
    (ledger, counted)
}

fn report(what: &str, load: &Load, watched: &Watched, engine: &KernelEngine) {
    eprintln!(
        "{what}: {} frames; {} snapshots, {} unlike the one before, {} fell back; {} torn reads",
        load.total_frames(),
        watched.snapshots,
        watched.fresh,
        watched.stale,
        engine.torn_reads(),
    );
}
