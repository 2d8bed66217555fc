//! `bench logs`: lines a second out of logs of Suricata and Zeek, netsec and the scripts that people use,
//! on one core.
//!
//! The lines are those of the test data, over and over. All take turns, round by round; a slow one gets
//! the first eighth of the lines. netsec's reader runs in this process, the others from start to exit.

mod script;

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use flate2::read::MultiGzDecoder;
use netsec_tests::data;
use netsec_tests::kernel::stay_on_cpu;
use netsec_user::log::{Decoder, LogReader, Wanted};

use self::script::Script;
use crate::print;
use crate::statistics::Spread;
use crate::stopwatch::Stopwatch;

/// The one core.
const CPU: usize = 1;

/// What a slow script gets of the lines.
const FRACTION: u64 = 8;

/// What is read, and how fast it has to be.
struct Job {
    name: &'static str,
    /// In the test data, with `*` for several.
    log: &'static str,
    wanted: Wanted,
    /// Million lines a second that netsec has to reach.
    target: f64,
    scripts: &'static [Script],
}

const JOBS: [Job; 3] = [
    Job {
        name: "eve",
        log: "suricata/hackeire2011_c2.s8.eve.json.gz",
        wanted: Wanted::Everything,
        target: 1.5,
        scripts: &script::EVE,
    },
    Job {
        name: "alerts",
        log: "suricata/ctu_test6_eve.json.gz",
        wanted: Wanted::Alerts,
        target: 4.0,
        scripts: &script::ALERTS,
    },
    Job {
        name: "zeek",
        log: "zeek/rita_2024-04-19/conn.*",
        wanted: Wanted::Everything,
        target: 6.0,
        scripts: &script::ZEEK,
    },
];

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Which: eve (flow records), alerts (of a log of all kinds), zeek (conn.log) [default: all]
    #[arg(value_parser = ["eve", "alerts", "zeek"])]
    jobs: Vec<String>,
    /// Rounds in which each takes its turn
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Lines, thousands, at least
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    lines: u64,
    /// Only netsec
    #[arg(long)]
    alone: bool,
    /// Where pandas' python is, when it is not on the path
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

/// Lines in a file.
struct Input {
    path: PathBuf,
    lines: u64,
    bytes: u64,
}

/// Measures and reports.
pub(crate) fn run(args: &LogsArgs) -> Result<()> {
    let data = data::path()?.context("the test data is needed")?;
    let folder = tempfile::tempdir()?;
    stay_on_cpu(CPU).context("two CPUs are needed")?;
    let is_asked =
        |job: &&Job| args.jobs.is_empty() || args.jobs.iter().any(|name| name == job.name);
    for job in JOBS.iter().filter(is_asked) {
        measure(args, job, &data, folder.path())?;
    }
    Ok(())
}

fn measure(args: &LogsArgs, job: &Job, data: &Path, folder: &Path) -> Result<()> {
    let text = read(&data.join(job.log))?;
    let whole = write(&folder.join("whole.log"), &text, args.lines * 1000)?;
    let part = write(
        &folder.join("part.log"),
        &text,
        args.lines * 1000 / FRACTION,
    )?;
    let (scripts, missing) = script::present(job.scripts, args.alone, &args.python);
    let input = |script: &Script| if script.is_slow { &part } else { &whole };
    // The first run brings the files into the page cache, and shows whether a script works at all.
    let used = netsec(job, &whole)?.1;
    for script in &scripts {
        script.seconds(&args.python, &input(script).path)?;
    }
    let mut rates = vec![Vec::new(); scripts.len() + 1];
    for _ in 0..args.rounds {
        let mut turns = rates.iter_mut();
        if let Some(own) = turns.next() {
            own.push(rate(whole.lines, netsec(job, &whole)?.0));
        }
        for (script, rates) in scripts.iter().zip(turns) {
            let input = input(script);
            rates.push(rate(
                input.lines,
                script.seconds(&args.python, &input.path)?,
            ));
        }
    }
    let names = scripts.iter().map(|script| script.name);
    let names: Vec<&str> = ["netsec"].into_iter().chain(names).collect();
    print(&report(job, &whole, used, &names, &rates))?;
    for name in missing {
        print(&format!("{name} is left out: it is not here"))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 lines")]
fn rate(lines: u64, seconds: f64) -> f64 {
    lines as f64 / seconds / 1e6
}

/// Seconds that the reader takes for a file, and the records in it. Every line has to be accounted for.
fn netsec(job: &Job, input: &Input) -> Result<(f64, u64)> {
    let clock = Stopwatch::start();
    let mut records = 0;
    let mut reader = LogReader::open(&input.path, Decoder::new(job.wanted))?;
    reader.for_each(|_line, _record| {
        records += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    let seconds = clock.seconds();
    let tally = reader.tally();
    let complete = tally.read == tally.used + tally.ignored() + tally.malformed
        && tally.read == input.lines
        && tally.used == records
        && tally.malformed == 0;
    ensure!(complete, "{tally} of {} lines", input.lines);
    Ok((seconds, records))
}

/// The text of a log, or of all whose name begins so.
fn read(path: &Path) -> Result<Vec<u8>> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.context("no name")?;
    let paths = match name.strip_suffix('*') {
        None => vec![path.to_owned()],
        Some(begin) => {
            let folder = path.parent().context("no folder")?;
            let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
            let is_it =
                |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.starts_with(begin));
            let entries = entries.iter().filter(|entry| is_it(&entry.file_name()));
            let mut paths: Vec<PathBuf> = entries.map(fs::DirEntry::path).collect();
            paths.sort();
            paths
        }
    };
    let mut text = Vec::new();
    for path in paths {
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        MultiGzDecoder::new(file).read_to_end(&mut text)?;
    }
    Ok(text)
}

/// Writes the text over and over, until there are so many lines.
fn write(path: &Path, text: &[u8], lines_min: u64) -> Result<Input> {
    let each = u64::try_from(text.iter().filter(|byte| **byte == b'\n').count())?;
    ensure!(each > 0, "the log is empty");
    let times = lines_min.div_ceil(each);
    let mut file = BufWriter::new(File::create(path)?);
    for _ in 0..times {
        file.write_all(text)?;
    }
    file.flush()?;
    Ok(Input {
        path: path.to_owned(),
        lines: each * times,
        bytes: u64::try_from(text.len())? * times,
    })
}

fn report(job: &Job, input: &Input, used: u64, names: &[&str], rates: &[Vec<f64>]) -> String {
    let (lines, bytes) = (input.lines, input.bytes);
    let mut text = format!(
        "\n### {}\n\n{lines} lines of {} bytes on average, {used} records; {} rounds, page cache warm, one \
         core\n\n| reader | million lines/s | MB/s | netsec is faster |\n|---|---|---|---|\n",
        job.name,
        bytes / lines.max(1),
        rates.first().map_or(0, Vec::len),
    );
    let netsec = rates.first().cloned().unwrap_or_default();
    let line_bytes = rate(bytes, 1.0) / rate(lines, 1.0);
    for (name, own) in names.iter().zip(rates) {
        let ratio = Spread::of(netsec.iter().zip(own).map(|(netsec, own)| netsec / own));
        let rate = Spread::of(own.iter().copied());
        let megabytes = rate.median * line_bytes;
        text.push_str(&format!(
            "| {name} | {rate:.3} | {megabytes:.0} | {ratio:.1} |\n"
        ));
    }
    let verdict = if Spread::of(netsec).median >= job.target {
        "met"
    } else {
        "missed"
    };
    text.push_str(&format!(
        "\ntarget: at least {} million lines/s: {verdict}",
        job.target
    ));
    text
}
