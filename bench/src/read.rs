//! `bench read`: a million flows into user space, by difference and by deletion.

use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use aya::maps::Map;
use clap::Args;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::ledger::Counter;
use netsec_common::sample::Sampling;
use netsec_tests::kernel::{Counted, stay_on_cpu};
use netsec_user::hook::HookId;
use netsec_user::object;
use netsec_user::settings::EngineSettings;
use netsec_user::source::kernel::{KernelEngine, KernelError, KernelSettings};

use crate::batch;
use crate::driver::Driver;
use crate::flows::Flows;
use crate::print;
use crate::statistics::Spread;
use crate::stopwatch::Stopwatch;

/// Live flows; each CPU has half of them.
const FLOWS: u32 = 1 << 20;
const CPUS: u32 = 2;

/// Slots for each flow, so that nearly all find one in their set.
const SLOTS_PER_FLOW: u32 = 2;

/// How often faster than deletion.
const TARGET: f64 = 50.0;

/// Arguments of `read`.
#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// Rounds in which each way takes its turn
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Nanoseconds a flow, in each round.
#[derive(Default)]
struct Times {
    batch: Vec<f64>,
    changed: Vec<f64>,
    idle: Vec<f64>,
}

/// Measures and reports.
pub(crate) fn run(args: &ReadArgs) -> Result<()> {
    let mut driver = Driver::load(0)?;
    driver.set_flows(Flows::InTurn(FLOWS, 0))?;
    let object = object::embedded().ok_or(KernelError::NoObject)?;
    let mut engine = KernelEngine::load(object, HookId(0), &settings())?;
    let netsec = driver.install(&engine.program_info()?.fd()?)?;
    let hash = driver.install_peer("hash")?;
    let mut times = Times::default();
    for _ in 0..args.rounds {
        let mut counted = Counted::default();
        for cpu in 0..CPUS {
            stay_on_cpu(cpu as usize)?;
            let half = FLOWS / CPUS;
            driver.run(netsec, u64::from(cpu * half), half)?;
        }
        times
            .changed
            .push(timed(|| Ok(engine.read(&mut counted)?))?);
        ensure!(
            counted.packets == u64::from(FLOWS),
            "{} packets of {FLOWS} were read",
            counted.packets
        );
        times.idle.push(timed(|| Ok(engine.read(&mut counted)?))?);

        driver.run(hash, 0, FLOWS)?;
        let mut drained = batch::Drained::default();
        times.batch.push(timed(|| {
            drained = drain(&mut driver)?;
            Ok(())
        })?);
        ensure!(
            [drained.flows, drained.packets] == [u64::from(FLOWS); 2],
            "{drained:?} were read of {FLOWS} packets and flows"
        );
    }
    let evicted = engine.ledger_exact().get(Counter::FlowsEvicted);
    print(&report(&times, evicted))
}

fn report(times: &Times, evicted: u64) -> String {
    let ratio = |other: &[f64]| {
        let pairs = times.batch.iter().zip(other);
        Spread::of(pairs.map(|(batch, other)| batch / other))
    };
    let of = |times: &[f64]| Spread::of(times.iter().copied());
    let changed = ratio(&times.changed);
    let verdict = if changed.median >= TARGET {
        "met"
    } else {
        "missed"
    };
    let rounds = times.batch.len();
    format!(
        "\n### {FLOWS} live flows, {} slots\n\n{rounds} rounds; {evicted} flows in all had to leave their \
         slot\n\n| way | ns a flow | times faster |\n|---|---|---|\n\
         | LOOKUP_AND_DELETE_BATCH on a hash of {FLOWS} flows | {:.1} | 1 |\n\
         | netsec, every flow has a packet more | {:.2} | {changed:.1} |\n\
         | netsec, nothing has changed | {:.2} | {:.1} |\n\n\
         target: at least {TARGET} times faster when every flow has changed: {verdict}",
        FLOWS * SLOTS_PER_FLOW,
        of(&times.batch),
        of(&times.changed),
        of(&times.idle),
        ratio(&times.idle),
    )
}

fn settings() -> KernelSettings {
    KernelSettings {
        engine: EngineSettings {
            slots: FLOWS * SLOTS_PER_FLOW,
            sampling: Sampling::Off,
            snap_bytes: 64,
            idle_timeout: Duration::ZERO,
            hash_keys: FIXED_HASH_KEYS,
            inner: false,
        },
        records_ring_bytes: 64 << 20,
        packets_ring_bytes: 0,
        kernel_log: false,
    }
}

fn drain(driver: &mut Driver) -> Result<batch::Drained> {
    let Map::HashMap(data) = driver.map_mut("HASH_FLOWS")? else {
        bail!("HASH_FLOWS is not a hash");
    };
    Ok(batch::drain(data.fd().as_fd())?)
}

/// Nanoseconds a flow.
fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let clock = Stopwatch::start();
    work()?;
    Ok(clock.seconds() * 1e9 / f64::from(FLOWS))
}
