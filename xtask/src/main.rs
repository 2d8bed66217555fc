//! netsec's build, test and run commands: `cargo xtask <verb>`.

mod build_ebpf;
mod process;
mod setup;
mod workspace;

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
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("error: {error:?}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(verb: Verb) -> Result<()> {
    match verb {
        Verb::Setup => setup::run(),
        Verb::BuildEbpf => build_ebpf::run(),
    }
}
