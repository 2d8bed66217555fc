//! `netsec incidents`.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::correlate::{
    CorrelateSettings, Correlator, IncidentSettings, JoinSettings, Site, Told,
};
use netsec_user::hook::Hook;
use netsec_user::log::Wanted;
use netsec_user::output::Output;
use netsec_user::pipeline::{Pipeline, PipelineSettings};
use netsec_user::replay;
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::{Capture, End};
use netsec_user::time::WallTime;

use crate::args::{Cli, Form};
use crate::config::ConfigArgs;
use crate::exit::Found;
use crate::input::{InputArgs, SiteArgs};
use crate::output;

/// Arguments of `incidents`.
#[derive(Debug, Args)]
pub(crate) struct IncidentsArgs {
    /// Logs of Suricata and Zeek, and captures, which are told by their content
    #[command(flatten)]
    input: InputArgs,
    /// Which addresses are your own
    #[command(flatten)]
    site: SiteArgs,
    /// Form of the output: text for people, jsonl (`event_type` incident) for programs
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
    /// Risk from which on an offender is shown, 0 to 100
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    risk: u8,
    /// Exit with 10 when there is an incident of this risk or more
    #[arg(long, value_name = "N")]
    fail_on: Option<u8>,
    /// How far the clocks of the sensors may be apart, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    skew: u32,
    /// Seed of the Community IDs
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    community_id_seed: u16,
    /// Settings of the detectors that look at captures
    #[command(flatten)]
    config: ConfigArgs,
}

pub(crate) fn incidents(cli: &Cli, args: &IncidentsArgs) -> Result<()> {
    let (captures, logs) = split(&args.input.files);
    let out = OnlyIncidents(output::plain(cli, args.output, args.community_id_seed));
    let detect = args.config.load()?.detect;
    let site = args.site.over(&detect.home);
    let mut pipeline = Pipeline::new(PipelineSettings::of_findings(Some(detect)), out);
    pipeline.correlate(correlator(args, site), Vec::new());
    let played = play(&captures, &mut pipeline);
    let mut now = played
        .as_ref()
        .map_or_else(|_| WallTime::default(), |now| *now);
    let read = args
        .input
        .read_files(&logs, Wanted::Everything, |place, record| {
            now = now.max(record.time());
            pipeline.record(place, record, now)?;
            Ok(ControlFlow::Continue(()))
        });
    pipeline.finish(now, &[])?;
    let correlator = pipeline.correlator();
    let worst = correlator.and_then(|correlator| {
        if !captures.is_empty() && correlator.counts().rows > 0 {
            let counts = correlator.counts();
            log::info!("{} of {} rows joined", counts.joined, counts.rows);
        }
        let worst = correlator.incidents().reported();
        worst.first().map(|incident| incident.risk().total())
    });
    played?;
    read?;
    match args.fail_on {
        Some(limit) if worst.is_some_and(|worst| worst >= limit) => {
            Err(Found(format!("there are incidents of risk {limit} or more")).into())
        }
        _ => Ok(()),
    }
}

fn correlator(args: &IncidentsArgs, site: Site) -> Correlator {
    Correlator::new(CorrelateSettings {
        site,
        join: JoinSettings {
            community_seed: args.community_id_seed,
            skew_seconds: args.skew,
            ..JoinSettings::default()
        },
        incident: IncidentSettings {
            risk_min: args.risk,
            ..IncidentSettings::default()
        },
        silent: false,
    })
}

/// Plays captures, in the order of their beginnings, and gives the time at which the last ends.
///
/// # Errors
///
/// When one cannot be read; one that is cut short is used as far as it goes, and is an error then.
fn play(files: &[&Path], pipeline: &mut Pipeline<OnlyIncidents>) -> Result<WallTime> {
    let engine = EngineSettings {
        slots: 1 << 16,
        sampling: Sampling::FirstAndQuestions(4),
        snap_bytes: 192,
        idle_timeout: Duration::from_secs(60),
        hash_keys: FIXED_HASH_KEYS,
        inner: false,
    };
    let mut order = Vec::new();
    for file in files {
        let mut capture = Capture::open(file)?;
        capture.advance()?;
        order.push((capture.frame().map(|frame| frame.time), file));
    }
    order.sort();
    let (mut now, mut cut) = (WallTime::default(), None);
    for (_, file) in order {
        let mut capture = Capture::open(file)?;
        now = now.max(replay::play(&mut capture, &engine, pipeline)?);
        match capture.end() {
            None | Some(End::Complete) => log::info!("{}: played", capture.file()),
            Some(end) => cut = Some(anyhow::anyhow!("{}: {end}", capture.file())),
        }
    }
    cut.map_or(Ok(now), Err)
}

/// The captures among the files, and the rest, which are logs. Standard input cannot be looked at twice: it
/// is a log.
fn split(files: &[PathBuf]) -> (Vec<&Path>, Vec<&Path>) {
    let is_capture = |file: &&Path| *file != Path::new("-") && Capture::open(file).is_ok();
    files.iter().map(PathBuf::as_path).partition(is_capture)
}

/// Of all that there is to say, the incidents at the end.
struct OnlyIncidents(Box<dyn Output>);

impl Output for OnlyIncidents {
    fn add_hook(&mut self, hook: &Hook) {
        self.0.add_hook(hook);
    }

    fn told(&mut self, told: &Told, now: WallTime) -> io::Result<()> {
        match told {
            Told::Final(_) => self.0.told(told, now),
            Told::Joined(_)
            | Told::Unjoined(_)
            | Told::Incident(_)
            | Told::Disagreement(_)
            | Told::Counts(_) => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
