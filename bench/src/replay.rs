//! `bench replay`: captures to flow records, netsec and other programs on one core.
//!
//! Captures are written by this program, so that everybody can have the same. All programs take
//! turns; a slow one gets the first packets only. Times are from start to exit.

mod capture;
mod program;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use netsec_tests::binary;
use netsec_tests::kernel::stay_on_cpu;
use netsec_tests::netns::Namespace;

use crate::driver::path;
use crate::print;
use crate::statistics::Spread;
use capture::Shape;

/// Where captures are kept: set by `cargo xtask bench`.
const FOLDER: &str = "NETSEC_BENCH_CAPTURES";

/// Packets a second that netsec has to reach.
const TARGET: f64 = 10e6;

/// The one core.
const CPU: usize = 1;

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Which captures: few (64 flows) or many (262144 flows) [default: both]
    #[arg(value_parser = ["few", "many"])]
    captures: Vec<String>,
    /// Rounds in which each program takes its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Packets of a capture, thousands
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    packets: u32,
    /// Only netsec
    #[arg(long)]
    alone: bool,
    /// Where scapy's python is, when it is not on the path
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

/// Measures and reports, capture by capture.
pub(crate) fn run(args: &ReplayArgs) -> Result<()> {
    let folder = path(FOLDER)?;
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let outputs = tempfile::tempdir()?;
    // softflowd sends its records by UDP.
    let namespace = Namespace::new()?;
    namespace.enter()?;
    let names = if args.captures.is_empty() {
        vec!["few".to_owned(), "many".to_owned()]
    } else {
        args.captures.clone()
    };
    for name in names {
        let shape = if name == "few" {
            Shape::Few
        } else {
            Shape::Many
        };
        stay_on_cpu(CPU).context("two CPUs are needed")?;
        run_capture(args, shape, &folder, outputs.path())?;
    }
    Ok(())
}

fn run_capture(args: &ReplayArgs, shape: Shape, folder: &Path, outputs: &Path) -> Result<()> {
    let packets = args.packets << 10;
    let (present, missing) = program::all(args.alone, &args.python, outputs)?;
    let mut turns = Vec::new();
    for program in present {
        let packets = (packets / program.fraction).max(1);
        let capture = capture::write(folder, shape, packets)?;
        // The first run brings the capture into the page cache, and shows whether it works at all.
        program.seconds(&capture)?;
        turns.push((program, capture, packets));
    }
    check(&capture::write(folder, shape, packets)?, packets)?;
    let mut rates = vec![Vec::new(); turns.len()];
    for _ in 0..args.rounds {
        for ((program, capture, packets), rates) in turns.iter().zip(&mut rates) {
            rates.push(f64::from(*packets) / program.seconds(capture)?);
        }
    }
    let rows = turns.iter();
    let rows = rows.map(|(program, _, packets)| (program.name, *packets));
    print(&report(shape, args.rounds, rows.collect(), &rates))?;
    for (name, remedy) in missing {
        print(&format!("{name} is left out: it is not here ({remedy})"))?;
    }
    Ok(())
}

/// Whether netsec's records hold every packet of the capture.
fn check(capture: &Path, packets: u32) -> Result<()> {
    let arguments = ["replay", "--packets=off", "--no-flows", "--interval=0"];
    let output = binary::run(
        arguments
            .iter()
            .map(AsRef::as_ref)
            .chain([capture.as_os_str()]),
        &[],
    )?;
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = format!("{packets} frames = {packets} in flows");
    ensure!(said.contains(&expected), "not {expected:?} but: {said}");
    Ok(())
}

fn report(shape: Shape, rounds: u32, rows: Vec<(&str, u32)>, rates: &[Vec<f64>]) -> String {
    let mut text = format!(
        "\n### {shape}\n\n{rounds} rounds, page cache warm, one core\n\n\
         | program | packets | million packets/s | netsec is faster |\n|---|---|---|---|\n"
    );
    let netsec = rates.first().cloned().unwrap_or_default();
    for ((name, packets), own) in rows.iter().zip(rates) {
        let ratio = Spread::of(netsec.iter().zip(own).map(|(netsec, own)| netsec / own));
        let rate = Spread::of(own.iter().map(|rate| rate / 1e6));
        text.push_str(&format!("| {name} | {packets} | {rate:.3} | {ratio} |\n"));
    }
    let own = Spread::of(netsec);
    let verdict = if own.median >= TARGET {
        "met"
    } else {
        "missed"
    };
    text.push_str(&format!(
        "\ntarget: at least {} million packets/s: {verdict}",
        TARGET / 1e6
    ));
    text
}
