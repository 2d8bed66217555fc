//! netsec's benchmarks. Run by `cargo xtask bench`, which builds what they measure.

mod alert;
mod batch;
mod block;
mod detect;
mod driver;
mod flows;
mod kernel;
mod live;
mod logs;
mod machine;
mod read;
mod replay;
mod statistics;
mod stopwatch;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// netsec against its peers: every figure is of one run of one process on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask bench",
    bin_name = "cargo xtask bench",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Nanoseconds a packet of the XDP program and of others, over the same flows.
    Kernel(kernel::KernelArgs),
    /// Nanoseconds a packet that passes the block table, and one that is dropped.
    Block(block::BlockArgs),
    /// A million flows into user space: netsec's way, and the batch call that deletes them.
    Read(read::ReadArgs),
    /// Packets a second from a capture to flow records: netsec and other programs.
    Replay(replay::ReplayArgs),
    /// From an alert's line in a log to the first packet that is dropped for it.
    Alert(alert::AlertArgs),
    /// Live frames into a veth: a bare program, netsec attached, netsec at work.
    Live(live::LiveArgs),
    /// Lines a second out of logs of Suricata and Zeek: netsec and the scripts that people use.
    Logs(logs::LogsArgs),
    /// What finding costs: connections a second, memory at a million hosts, the forest beside scikit-learn.
    Detect(detect::DetectArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    print(&machine::description())?;
    match verb {
        Verb::Kernel(args) => kernel::run(&args),
        Verb::Block(args) => block::run(&args),
        Verb::Read(args) => read::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Alert(args) => alert::run(&args),
        Verb::Live(args) => live::run(&args),
        Verb::Logs(args) => logs::run(&args),
        Verb::Detect(args) => detect::run(&args),
    }
}

/// Writes a line to standard output.
fn print(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
