//! netsec's build, test and run commands: `cargo xtask <verb>`.

mod bench;
mod build_ebpf;
mod fuzz;
mod kernels;
mod lint;
mod process;
mod run;
mod setup;
mod test;
mod tidy;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// netsec's build, test and run commands.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Gets what it takes to build for BPF: a compiler with the target, and bpf-linker.
    Setup,
    /// Builds the kernel object into target/netsec.bpf.o, the same bytes in every checkout.
    BuildEbpf,
    /// Builds everything and runs `netsec ARGS`, as root where live traffic is read.
    Run {
        /// What `netsec` takes; without a verb of its own it is `netsec run`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Builds everything and runs every test; those that need the kernel run as root.
    Test {
        /// Runs the tests of the kernel side on Debian's 5.10, 6.1 and 6.12 instead, in an emulator.
        #[arg(long)]
        kernels: bool,
        /// What `cargo test` takes.
        #[arg(conflicts_with = "kernels")]
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Fuzzes each target for a while, from the corpus that the runs before left behind.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
        seconds: u32,
        /// Which targets; all of them, if none is named.
        #[arg(value_parser = fuzz::TARGETS)]
        targets: Vec<String>,
    },
    /// Builds everything and measures it against its peers, as root; without arguments it says what.
    Bench {
        /// What `netsec-bench` takes: kernel, read, replay or live, and their options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Checks format, clippy, documentation and the BPF build, with warnings denied.
    Lint,
    /// Checks the invariants of ARCHITECTURE.md that a program can check.
    Tidy,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("error: {}", process::reasons(&error)));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(verb: Verb) -> Result<()> {
    match verb {
        Verb::Setup => setup::run(),
        Verb::BuildEbpf => build_ebpf::run(),
        Verb::Run { args } => run::run(args),
        Verb::Test { kernels: true, .. } => kernels::run(),
        Verb::Test { args, .. } => test::run(&args),
        Verb::Fuzz { seconds, targets } => fuzz::run(seconds, &targets),
        Verb::Bench { args } => bench::run(&args),
        Verb::Lint => lint::run(),
        Verb::Tidy => tidy::run(),
    }
}
