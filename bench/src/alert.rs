//! `bench alert`: from an alert's line in a log to the first packet that is dropped for it.
//!
//! Each suspect has completed a TCP handshake right before, which the sensor has not read yet as a rule,
//! and sends datagrams back to back from the moment the line is written. What is timed is from before
//! the write to before the first datagram that does not arrive was sent.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use netsec_tests::kernel::stay_on_cpu;
use netsec_tests::sensor::Sensor;
use netsec_tests::suspect::{Suspect, Victim};
use nix::sys::signal::Signal;

use crate::print;
use crate::statistics::percentile;
use crate::stopwatch::Stopwatch;

/// Time in which a datagram crosses a pair of the same machine; one that takes longer is lost.
const CROSSING: Duration = Duration::from_millis(2);

/// Time after which an alert has led to nothing.
const PATIENCE_S: f64 = 5.0;

/// Milliseconds, for 99 of 100 alerts.
const TARGET_MS: f64 = 10.0;

/// Arguments of `alert`.
#[derive(Debug, Args)]
pub(crate) struct AlertArgs {
    /// Alerts
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    alerts: u16,
    /// Slots of the sensor's flow tables, as `netsec run --flow-slots`
    #[arg(long, default_value_t = 1 << 20)]
    flow_slots: u32,
    /// Entries of the sensor's block table, as `netsec run --block-entries`
    #[arg(long, default_value_t = 1 << 16)]
    block_entries: u32,
}

/// Measures and reports.
pub(crate) fn run(args: &AlertArgs) -> Result<()> {
    // The sensor has the other CPU, as on a machine that is not busy.
    stay_on_cpu(1).context("two CPUs are needed")?;
    let mut sensor = Sensor::new()?;
    start(&mut sensor, args)?;
    let victim = Victim::new(&sensor.pair)?;
    let mut times_ms = Vec::new();
    for number in 0..args.alerts {
        let [high, low] = number.to_be_bytes();
        let address = Ipv4Addr::new(198, 18, high, low);
        sensor.add_source(address)?;
        let suspect = Suspect::connect(&sensor.pair, address, &victim)?;
        // Alerts come at any moment of the sensor's round, which takes 200 ms.
        thread::sleep(Duration::from_micros(u64::from(number) * 7_919 % 200_000));
        times_ms.push(time(&sensor, &suspect, &victim)? * 1e3);
    }
    let said = sensor.end(Signal::SIGINT)?.stdout;
    let blocked = said.matches("\"action\":\"block\"").count();
    ensure!(
        blocked == usize::from(args.alerts),
        "{} alerts, {blocked} blocks: {said}",
        args.alerts
    );
    print(&report(args, &times_ms))
}

fn start(sensor: &mut Sensor, args: &AlertArgs) -> Result<()> {
    let (log, slots) = (sensor.path("eve.json"), args.flow_slots.to_string());
    let entries = args.block_entries.to_string();
    sensor.log("{}")?;
    sensor.start(&[
        "--enforce",
        "--flow-slots",
        &slots,
        "--block-entries",
        &entries,
        "--log",
        &log,
        "-o",
        "jsonl",
        "--set",
        "enforce.alert_severity=2",
        "--set",
        "decide.automatic_per_minute=100000",
        "--set",
        "detect.home=[\"10.9.0.0/24\"]",
    ])
}

/// Seconds until the first datagram is dropped.
fn time(sensor: &Sensor, suspect: &Suspect, victim: &Victim) -> Result<f64> {
    ensure!(suspect.reaches(victim)?, "cut off before the alert");
    let line = suspect.alert(9_000_001, 1);
    let clock = Stopwatch::start();
    sensor.log(&line)?;
    loop {
        let sent = clock.seconds();
        if !suspect.reaches_within(victim, CROSSING)? {
            return Ok(sent);
        }
        ensure!(sent < PATIENCE_S, "the alert led to nothing");
    }
}

fn report(args: &AlertArgs, times_ms: &[f64]) -> String {
    let [median, p90, p99, most] = [50, 90, 99, 100].map(|n| percentile(times_ms, n));
    let verdict = if p99 <= TARGET_MS { "met" } else { "missed" };
    format!(
        "\n### From an alert's line to the first dropped packet, ms; {} alerts, {} flow slots\n\n\
         | median | p90 | p99 | most |\n|---|---|---|---|\n\
         | {median:.2} | {p90:.2} | {p99:.2} | {most:.2} |\n\n\
         target: p99 at most {TARGET_MS:.0} ms: {verdict}",
        args.alerts, args.flow_slots
    )
}
