//! `bench kernel`: the XDP program against others, packet by packet.
//!
//! All programs are loaded at once and take turns, round by round, over the same packets. What a
//! program that does nothing costs through the same driver is subtracted, and ratios are taken
//! within a round: absolute times drift with whatever else the machine does.

pub(crate) mod contestant;
mod report;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use netsec_tests::kernel::stay_on_cpu;

use crate::driver::Driver;
use crate::flows::Flows;
use crate::print;
use contestant::Contestant;
use report::Rounds;

/// Flows of every run that is not asked for by name.
const ALL: [&str; 8] = [
    "1", "1k", "64k", "64k-zipf", "1m", "1m-zipf", "1k-zipf", "new",
];

/// Packets of a round when every packet is a new flow: their records fit into the ring.
const NEW_PACKETS: u32 = 1 << 18;

/// The CPU that runs the packets; the other one is for all else.
const CPU: usize = 1;

/// Arguments of `kernel`.
#[derive(Debug, Args)]
pub(crate) struct KernelArgs {
    /// Flows: 1, 1k, 64k or 1m, uniform or with -zipf; or new, for every packet a new flow [default:
    /// all of them]
    flows: Vec<String>,
    /// Rounds in which each program takes its turn
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets of each turn, thousands
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    packets: u32,
    /// Random addresses on the peers' block lists
    #[arg(long, default_value_t = 0)]
    blocked: u32,
    /// Another build of netsec's object, to be measured as well; may be given several times
    #[arg(long, value_name = "FILE")]
    object: Vec<PathBuf>,
    /// Leave out the object that is built in
    #[arg(long, requires = "object")]
    replace: bool,
    /// Only netsec, no peers but the empty program
    #[arg(long)]
    alone: bool,
}

/// Measures and reports, flows by flows.
pub(crate) fn run(args: &KernelArgs) -> Result<()> {
    let names = if args.flows.is_empty() {
        ALL.map(str::to_owned).to_vec()
    } else {
        args.flows.clone()
    };
    let all: Vec<Flows> = names
        .iter()
        .map(|name| Flows::parse(name))
        .collect::<Result<_>>()?;
    stay_on_cpu(CPU).context("two CPUs are needed")?;
    for flows in all {
        let mut driver = Driver::load(args.blocked)?;
        driver.set_flows(flows)?;
        let mut contestants = contestants(args, &mut driver)?;
        let rounds = measure(args, flows, &mut driver, &mut contestants)?;
        print(&report::table(flows, args, &rounds))?;
        for contestant in &mut contestants {
            if let Some(line) = contestant.conservation()? {
                print(&line)?;
            }
        }
    }
    Ok(())
}

fn contestants(args: &KernelArgs, driver: &mut Driver) -> Result<Vec<Contestant>> {
    let mut all = vec![Contestant::peer(driver, report::EMPTY)?];
    all.extend(contestant::netsec(driver, &args.object, args.replace)?);
    if !args.alone {
        for name in [report::GOOD, report::OBVIOUS] {
            all.push(Contestant::peer(driver, name)?);
        }
        match contestant::xdp_filter(driver) {
            Ok(filter) => all.push(filter),
            Err(error) => print(&format!("xdp-filter is left out: {error:#}"))?,
        }
    }
    Ok(all)
}

fn measure(
    args: &KernelArgs,
    flows: Flows,
    driver: &mut Driver,
    contestants: &mut [Contestant],
) -> Result<Rounds> {
    let packets = match flows {
        Flows::New => NEW_PACKETS,
        Flows::Uniform(_) | Flows::Zipf(_) => args.packets << 10,
        Flows::InTurn(..) => bail!("not a benchmark of its own"),
    };
    let names = contestants.iter().map(|one| one.name.clone()).collect();
    let mut rounds = Rounds::new(names);
    // A full table is the normal case: as many new flows as it has slots, and a few more.
    let warm_up = match flows {
        Flows::New => 6,
        Flows::Uniform(_) | Flows::Zipf(_) | Flows::InTurn(..) => 1,
    };
    for round in 0..args.rounds + warm_up {
        let first = u64::from(round) * u64::from(packets);
        let mut times = Vec::with_capacity(contestants.len());
        for contestant in &mut *contestants {
            times.push(contestant.run(driver, first, packets)?);
        }
        if round >= warm_up {
            rounds.push(times);
        }
    }
    Ok(rounds)
}
