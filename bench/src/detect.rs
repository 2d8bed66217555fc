//! `bench detect`: connections through all detectors, through features and a model, and the memory of
//! a million hosts.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;

use anyhow::{Context as _, Result};
use clap::Args;
use ndarray::Array2;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::packet::{FlowKey, Vlan, protocol};
use netsec_user::anomaly::{Traffic, TrafficSample};
use netsec_user::connection::tcp::{ACK, FIN, PSH, SYN};
use netsec_user::connection::{Activity, Connection, EndCause, Outcome, Side};
use netsec_user::detect::{DetectSettings, Detectors};
use netsec_user::features::COUNT;
use netsec_user::forest::{Forest, Parameters};
use netsec_user::hook::HookId;
use netsec_user::time::WallTime;

use crate::print;
use crate::statistics::Spread;
use crate::stopwatch::Stopwatch;

/// Hosts, each of which opens one connection a round.
const HOSTS: u32 = 1_000_000;
/// Connections a second of traffic time.
const PER_SECOND: u32 = 20_000;
/// Rows scored at a time.
const ROWS: usize = 100_000;

/// Connection scores a second and core that a live run has to reach.
const TARGET: f64 = 1e6;

/// Arguments of `detect`.
#[derive(Debug, Args)]
pub(crate) struct DetectArgs {
    /// Rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

/// Measures and reports.
pub(crate) fn run(args: &DetectArgs) -> Result<()> {
    let (mut detected, mut featured, mut scored) = (Vec::new(), Vec::new(), Vec::new());
    let (mut memory, mut memory_of_features) = (Vec::new(), Vec::new());
    for round in 0..args.rounds {
        let before = resident_mib()?;
        let mut detectors = Detectors::new(DetectSettings::default(), FIXED_HASH_KEYS);
        let mut findings = Vec::new();
        detected.push(rate(HOSTS, |n, now| {
            detectors.activity(&activity(n, now));
            if n % PER_SECOND == 0 {
                detectors.close(now, &mut findings);
            }
        }));
        memory.push(resident_mib()? - before);
        drop(detectors);
        let settings = DetectSettings::default().anomaly;
        let before = resident_mib()?;
        let mut traffic = Traffic::new(
            &settings,
            FIXED_HASH_KEYS,
            None,
            (round == 0).then(TrafficSample::default),
        )?;
        featured.push(rate(HOSTS, |n, now| {
            traffic.activity(&activity(n, now));
            if n % PER_SECOND == 0 {
                traffic.close(now, |_| {});
            }
        }));
        if round > 0 {
            memory_of_features.push(resident_mib()? - before);
        }
        scored.push(scores_a_second()?);
    }
    print(&report(
        args.rounds,
        [detected, featured, scored],
        [memory, memory_of_features],
    ))
}

/// Calls with `number` connections, and gives how many a second.
fn rate(number: u32, mut each: impl FnMut(u32, WallTime)) -> f64 {
    let watch = Stopwatch::start();
    for n in 0..number {
        let second = i64::from(n / PER_SECOND);
        each(
            n,
            WallTime::from_ns((1_700_000_000 + second) * 1_000_000_000),
        );
    }
    f64::from(number) / watch.seconds()
}

/// Rows of as many features as connections have, through a forest of 100 trees on one core.
fn scores_a_second() -> Result<f64> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        f64::from(u32::try_from(state >> 32).unwrap_or_default())
    };
    let rows = Array2::from_shape_fn((ROWS, COUNT), |_| next());
    let one = NonZeroUsize::MIN;
    let forest = Forest::grow_by_magnitude(rows.view(), &Parameters::default(), one)?;
    let watch = Stopwatch::start();
    let scores = forest.scores(rows.view(), one);
    let rate = ROWS as f64 / watch.seconds();
    scores.last().context("no scores")?;
    Ok(rate)
}

/// A short conversation of one of a million hosts with one of a hundred servers.
fn activity(n: u32, now: WallTime) -> Activity {
    let [_, a, b, c] = n.to_be_bytes();
    let client = SocketAddr::from(([11, a, b, c], 40_000));
    let server = SocketAddr::from(([192, 0, 2, c % 100], 443));
    let side = |bytes| Side {
        packets: 8,
        bytes,
        tcp_flags: SYN | ACK | PSH | FIN,
    };
    let (sent, answered) = (side(900 + u64::from(b)), side(4000 + u64::from(c)));
    Activity {
        connection: Connection {
            hook: HookId(0),
            key: FlowKey::from_endpoints(client, server, protocol::TCP, Vlan::default()),
            start: now,
            end: now,
            originator: sent,
            responder: answered,
        },
        sent,
        answered,
        since: now,
        first_tcp_flags: (SYN, SYN | ACK),
        opened: true,
        outcome: Some(Outcome::Conversation),
        ended: Some(EndCause::Closed),
    }
}

fn resident_mib() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .context("VmRSS")?
        .trim()
        .trim_end_matches(" kB")
        .parse()?;
    Ok(kib / 1024.0)
}

fn report(rounds: u32, rates: [Vec<f64>; 3], memory: [Vec<f64>; 2]) -> String {
    let [detected, featured, scored] =
        rates.map(|rates| Spread::of(rates.into_iter().map(|r| r / 1e6)));
    // Later rounds get back what earlier ones freed.
    let [of_detectors, of_features] = memory.map(|mib| mib.into_iter().fold(0.0, f64::max));
    let verdict = if scored.median * 1e6 >= TARGET {
        "met"
    } else {
        "missed"
    };
    format!(
        "\n### {HOSTS} connections of as many hosts, one core, {rounds} rounds\n\n\
         | step | million connections a second | memory, MiB |\n|---|---|---|\n\
         | all detectors | {detected:.2} | {of_detectors:.0} |\n\
         | features | {featured:.2} | {of_features:.0} |\n\
         | scores of {COUNT} features by 100 trees | {scored:.2} | |\n\n\
         target: at least 1 million scores a second and core: {verdict}"
    )
}
