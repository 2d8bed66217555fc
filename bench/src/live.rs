//! `bench live`: frames through a veth pair as a driver would deliver them.
//!
//! One CPU makes the frames, redirects them into the left end and takes them out of the right end;
//! whatever reads the counters has the other CPU.

mod agent;
mod receiver;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, ensure};
use aya::maps::DevMap;
use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions};
use clap::Args;
use netsec_tests::kernel::stay_on_cpu;
use netsec_tests::netns::Pair;
use nix::net::if_::if_nametoindex;

use crate::driver::{self, Driver};
use crate::flows::Flows;
use crate::print;
use crate::statistics::Spread;
use crate::stopwatch::Stopwatch;
use receiver::Receiver;

/// Frames that the kernel makes in one go: a NAPI poll's worth.
const BATCH: u32 = 64;

/// The CPU of the frames.
const CPU: usize = 1;

/// Arguments of `live`.
#[derive(Debug, Args)]
pub(crate) struct LiveArgs {
    /// Flows, as in `bench kernel`
    #[arg(long, default_value = "1k")]
    flows: String,
    /// Rounds in which each receiver takes its turn
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Frames of each turn, thousands
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Frames a second of the run that measures the agent's CPU time, thousands
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Seconds of that run
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// The generator and the pair it sends through.
pub(crate) struct Wire {
    pub(crate) pair: Pair,
    driver: Driver,
    /// Whom the frames are from.
    senders: Vec<Ipv4Addr>,
    sent: u64,
}

/// Measures and reports.
pub(crate) fn run(args: &LiveArgs) -> Result<()> {
    let flows = Flows::parse(&args.flows)?;
    stay_on_cpu(CPU).context("two CPUs are needed")?;
    let mut wire = Wire::new(flows)?;
    let frames = args.frames << 10;
    let mut rates = vec![Vec::new(); receiver::ALL.len()];
    let mut read = Vec::new();
    for _ in 0..args.rounds {
        for (kind, rates) in receiver::ALL.into_iter().zip(&mut rates) {
            let receiver = Receiver::start(kind, &mut wire)?;
            let before = wire.received()?;
            let clock = Stopwatch::start();
            wire.send(frames)?;
            rates.push(f64::from(frames) / clock.seconds() / 1e6);
            let received = wire.received()? - before;
            ensure!(
                received == u64::from(frames),
                "{received} of {frames} frames came out"
            );
            read.extend(receiver.finish(&mut wire, frames.into())?);
        }
    }
    print(&report(flows, args, &rates))?;
    for line in read.iter().rev().take(3).rev() {
        print(line)?;
    }
    agent::run(args.rate, args.seconds, &mut wire)
}

fn report(flows: Flows, args: &LiveArgs, rates: &[Vec<f64>]) -> String {
    let mut text = format!(
        "\n### {flows}, {} rounds of {} frames of 60 bytes\n\n\
         | receiver | Mpps | share of the bare program that does the same |\n|---|---|---|\n",
        args.rounds,
        args.frames << 10
    );
    let of = |kind| {
        let place = receiver::ALL.iter().position(|known| *known == kind);
        place
            .and_then(|place| rates.get(place))
            .into_iter()
            .flatten()
    };
    for (kind, own) in receiver::ALL.iter().zip(rates) {
        let rate = Spread::of(own.iter().copied());
        let share = Spread::of(
            own.iter()
                .zip(of(kind.bare()))
                .map(|(own, bare)| own / bare),
        );
        text.push_str(&format!("| {kind} | {rate} | {share} |\n"));
    }
    text
}

/// The same flows from 10.0.0.0/8, of which nothing is kept from being blocked. Numbers up to 2^24 still
/// differ.
fn blockable(flows: &[u64]) -> Vec<u64> {
    let from_ten = |flow: &u64| flow & !0xffff_ffff | (flow & 0x00ff_ffff) << 8 | 10;
    flows.iter().map(from_ten).collect()
}

/// Their source addresses, each once.
fn senders(flows: &[u64]) -> Vec<Ipv4Addr> {
    let source = |flow: &u64| {
        let [a, b, c, d, ..] = flow.to_le_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    let senders: BTreeSet<Ipv4Addr> = flows.iter().map(source).collect();
    senders.into_iter().collect()
}

impl Wire {
    fn new(flows: Flows) -> Result<Self> {
        let pair = Pair::new()?;
        pair.up_quietly()?;
        pair.left.enter()?;
        let mut driver = Driver::load(0)?;
        let flows = blockable(&flows.table());
        ensure!(!flows.is_empty(), "live takes a number of flows");
        driver.set_table(&flows)?;
        let left = if_nametoindex(Pair::LEFT)?;
        let mut ports: DevMap<_> = driver.map_mut("PORTS")?.try_into()?;
        ports.set(0, left, None, 0)?;
        Ok(Self {
            pair,
            driver,
            senders: senders(&flows),
            sent: 0,
        })
    }

    /// Sends frames, as fast as they are taken.
    fn send(&mut self, frames: u32) -> Result<()> {
        self.driver.point(0, self.sent)?;
        let frame = driver::frame()?;
        self.driver.program("generator")?.test_run(TestRunOptions {
            data_in: Some(&frame),
            repeat: frames,
            attrs: TestRunAttrs::new().xdp_live_frames(BATCH),
            ..TestRunOptions::new()
        })?;
        self.sent += u64::from(frames);
        Ok(())
    }

    /// Frames that came out at the right end.
    fn received(&self) -> Result<u64> {
        Ok(self.pair.right.counts(Pair::RIGHT)?.received_packets)
    }
}
