//! What the verbs that read logs have in common.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use netsec_user::correlate::{Site, ToldTwice};
use netsec_user::filter::Filter;
use netsec_user::log::{
    At, Decoder, LogClock, LogError, LogReader, Place, Record, TimeBound, Wanted,
};
use netsec_user::output::RowForm;
use netsec_user::time::WallTime;

use crate::exit::UsageError;

/// Where records come from, and which are of interest.
#[derive(Debug, Args)]
pub(crate) struct InputArgs {
    /// Log to read, plain or gzip; `-` for standard input; may be given several times
    #[arg(short = 'r', long = "read", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Only what happened then or later: 2026-11-23T01:30:00Z, 2026-11-23, or 10m for so long ago
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<TimeBound>,
    /// Only what happened before
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeBound>,
    /// The clock of a fast.log
    #[command(flatten)]
    pub(crate) clock: ClockArgs,
    /// Which records, in tcpdump's words and `orig`, `resp`: 'resp port 4444', 'src net 10.0.0.0/8'
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
}

/// The clock of a log that says no zone.
#[derive(Debug, Args)]
pub(crate) struct ClockArgs {
    /// How far the clock of a fast.log, which says no zone, is ahead of UTC: +02:00, -5.5, a zone such
    /// as Europe/Berlin, or local for this machine's [default: 0; for `run` local]
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    pub(crate) utc_offset: Option<LogClock>,
}

/// Which addresses are the operator's own.
#[derive(Debug, Args)]
pub(crate) struct SiteArgs {
    /// A network of your own; may be given several times [default: the private networks, or detect.home
    /// for the commands that read netsec.toml]
    #[arg(long, value_name = "NET")]
    pub(crate) local: Vec<ipnet::IpNet>,
    /// A network that is never called an attacker; may be given several times
    #[arg(long, value_name = "NET")]
    pub(crate) allow: Vec<ipnet::IpNet>,
}

/// Form of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowsArg {
    /// Columns for people
    Table,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// Zeek's form with its header
    Tsv,
}

impl From<RowsArg> for RowForm {
    fn from(form: RowsArg) -> Self {
        match form {
            RowsArg::Table => Self::Table,
            RowsArg::Jsonl => Self::JsonLines,
            RowsArg::Csv => Self::Csv,
            RowsArg::Tsv => Self::Tsv,
        }
    }
}

impl SiteArgs {
    /// The site: the private networks unless others are named.
    pub(crate) fn site(&self) -> Site {
        self.over(&Site::default().local)
    }

    /// The site: these networks unless others are named.
    pub(crate) fn over(&self, home: &[ipnet::IpNet]) -> Site {
        let mut site = Site {
            local: home.to_vec(),
            allow: Vec::new(),
        };
        if !self.local.is_empty() {
            site.local.clone_from(&self.local);
        }
        site.allow.clone_from(&self.allow);
        site
    }
}

impl InputArgs {
    /// Hands every record that is asked for to `each`, file by file, until it says to stop.
    ///
    /// # Errors
    ///
    /// [`UsageError`] for a filter; else the first file that could not be read to its end,
    /// once all were tried.
    pub(crate) fn read(
        &self,
        wanted: Wanted,
        each: impl FnMut(Place<'_>, &Record<'_>) -> io::Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.read_files(&self.files, wanted, each)
    }

    /// As [`read`](Self::read), of some of the files only.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub(crate) fn read_files(
        &self,
        files: &[impl AsRef<Path>],
        wanted: Wanted,
        mut each: impl FnMut(Place<'_>, &Record<'_>) -> io::Result<ControlFlow<()>>,
    ) -> Result<()> {
        let usage = |error: String| UsageError(error);
        let filter =
            Filter::parse(&self.filter.join(" ")).map_err(|error| usage(error.to_string()))?;
        let now = WallTime::now();
        let since = self.since.map(|bound| bound.resolve(now));
        let until = self.until.map(|bound| bound.resolve(now));
        let clock = self.clock.utc_offset.clone().unwrap_or_default();
        let decoder = Decoder::new(wanted).with_clock(clock);
        let mut failed: Option<anyhow::Error> = None;
        let mut stop = false;
        for file in files {
            let file = file.as_ref();
            let name = file.display().to_string();
            let done = LogReader::open(file, decoder.clone()).and_then(|mut reader| {
                let read = reader.for_each(|line, record| {
                    let time = record.time();
                    let in_time = since.is_none_or(|since| since <= time)
                        && until.is_none_or(|until| time < until);
                    if !in_time || !filter.matches_record(record) {
                        return Ok(ControlFlow::Continue(()));
                    }
                    let at = At::Line(line);
                    let flow = each(Place { file: &name, at }, record)?;
                    stop = flow.is_break();
                    Ok(flow)
                });
                report(&reader);
                read.map(|()| is_readable(&reader))
            });
            match done {
                Err(error @ LogError::Output(_)) => return Err(error.into()),
                Err(error) => failed = failed.or_else(|| Some(error.into())),
                Ok(true) => {}
                Ok(false) => {
                    let text = "nothing in it is a log of Suricata, Zeek or netsec";
                    let error = anyhow::anyhow!("{}: {text}", file.display());
                    failed = failed.or(Some(error));
                }
            }
            if stop {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Whether anything was readable, or there was nothing to read.
fn is_readable(reader: &LogReader) -> bool {
    let tally = reader.tally();
    tally.malformed == 0 || tally.used + tally.unwanted + tally.unknown > 0
}

/// Says how many alerts stood in two logs.
pub(crate) fn say_repeats(twice: &ToldTwice) {
    if twice.repeats() > 0 {
        let repeats = twice.repeats();
        log::info!("{repeats} alerts are in eve.json and in fast.log: they count once");
    }
}

/// Says what became of the lines.
pub(crate) fn report(reader: &LogReader) {
    let (file, tally) = (reader.file(), reader.tally());
    for bad in &tally.samples {
        log::warn!("{}: {}", bad.place(file), bad.reason);
    }
    if tally.malformed > tally.samples.len() as u64 {
        log::warn!("{file}: {} lines like these are malformed", tally.malformed);
    }
    if tally.nul_bytes > 0 {
        log::warn!(
            "{file}: {} zero bytes before lines: the file was truncated under its writer",
            tally.nul_bytes
        );
    }
    let unknown: Vec<String> = tally
        .unknown_types()
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if unknown.is_empty() {
        log::info!("{file}: {tally}");
    } else {
        log::info!("{file}: {tally} (not read: {})", unknown.join(", "));
    }
}
