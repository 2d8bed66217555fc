//! What the agent costs at a steady rate.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::unistd::{SysconfVar, sysconf};

use super::Wire;
use super::receiver;
use crate::print;
use crate::stopwatch::Stopwatch;

/// How often frames are sent. The kernel makes ready for each run for as long as hundreds of frames
/// take.
const STEP: Duration = Duration::from_millis(100);

/// Steps of a second.
const STEPS: u32 = 10;

/// Part of the rate asked for that has to be reached.
const RATE_TOLERANCE: f64 = 0.95;

/// Share of a core.
const TARGET: f64 = 0.05;

/// Sends at a steady rate to `netsec run`, and reports its CPU time.
pub(super) fn run(thousands: u32, seconds: u32, wire: &mut Wire) -> Result<()> {
    let mut agent = None;
    wire.pair.right.run(|| {
        agent = Some(receiver::agent(&[])?);
        Ok(())
    })?;
    let agent = agent.context("not started")?;
    let before = cpu_seconds(agent.id())?;
    let clock = Stopwatch::start();
    let frames = thousands * 1000 / STEPS;
    let mut sent = 0_u64;
    for step in 1..=seconds * STEPS {
        wire.send(frames)?;
        sent += u64::from(frames);
        let due = STEP.as_secs_f64() * f64::from(step);
        let early = due - clock.seconds();
        if early > 0.0 {
            thread::sleep(Duration::from_secs_f64(early));
        }
    }
    let elapsed = clock.seconds();
    let used = cpu_seconds(agent.id())? - before;
    let share = used / elapsed;
    let rate = f64::from(frames) * f64::from(seconds * STEPS) / elapsed / 1e6;
    let asked = f64::from(thousands) / 1e3;
    let verdict = if rate < asked * RATE_TOLERANCE {
        "not judged, the rate asked for was not reached"
    } else if share <= TARGET {
        "met"
    } else {
        "missed"
    };
    print(&format!(
        "\nagent at {rate:.2} Mpps for {elapsed:.1} s: {:.1} % of a core; target: at most {:.0} %: {verdict}",
        share * 100.0,
        TARGET * 100.0
    ))?;
    print(&receiver::ledger(agent, sent)?)
}

/// User and system time of a process (proc(5), `stat`).
fn cpu_seconds(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
    let ticks: u32 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().unwrap_or_default())
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("no clock tick")?;
    Ok(f64::from(ticks) / f64::from(u32::try_from(per_second)?))
}
