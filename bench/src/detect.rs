//! `bench detect`: what finding costs, on one core unless said otherwise.
//!
//! Connections through all detectors and through features and model; memory when a million hosts were
//! seen; the isolation forest beside scikit-learn's.

mod connections;
mod forest;
mod hosts;
mod peer;
mod traffic;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use netsec_tests::kernel::stay_on_cpu;

/// The one core.
const CPU: usize = 1;

/// What can be measured.
const PARTS: [&str; 3] = ["connections", "hosts", "forest"];

/// Arguments of `detect`.
#[derive(Debug, Args)]
pub(crate) struct DetectArgs {
    /// Which: connections (a second), hosts (memory), forest (beside scikit-learn) [default: all]
    #[arg(value_parser = PARTS)]
    parts: Vec<String>,
    /// Rounds in which each takes its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Connections, thousands
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Hosts, thousands
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=8000))]
    hosts: u32,
    /// Set of the test data that forests are grown on
    #[arg(long, default_value = "16_http.npz")]
    set: String,
    /// Where scikit-learn's python is, when it is not on the path
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Only this stage, in this process: what `hosts` measures from outside
    #[arg(long, hide = true)]
    stage: Option<hosts::Stage>,
}

/// Measures and reports.
pub(crate) fn run(args: &DetectArgs) -> Result<()> {
    if let Some(stage) = args.stage {
        return hosts::feed(stage, args.hosts * 1000);
    }
    let is_asked = |part| args.parts.is_empty() || args.parts.iter().any(|name| name == part);
    let [connections, hosts, forest] = PARTS.map(is_asked);
    if forest {
        // First, as it needs both cores.
        forest::run(args)?;
    }
    stay_on_cpu(CPU).context("two CPUs are needed")?;
    if connections {
        connections::run(args)?;
    }
    if hosts {
        hosts::run(args)?;
    }
    Ok(())
}
