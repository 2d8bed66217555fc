//! `netsec detect`.

use std::io;
use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::correlate::{InOrder, activity_of};
use netsec_user::detect::DetectSettings;
use netsec_user::finding::{Finding, Severity};
use netsec_user::hook::Hook;
use netsec_user::log::Wanted;
use netsec_user::output::Output;
use netsec_user::pipeline::{Pipeline, PipelineSettings};
use netsec_user::replay;
use netsec_user::source::capture::{Capture, End};

use crate::args::{Cli, Form};
use crate::config::ConfigArgs;
use crate::exit::{Found, UsageError};
use crate::input::InputArgs;
use crate::model::{self, ModelArgs, as_capture};
use crate::output;

/// Arguments of `detect`.
#[derive(Debug, Args)]
pub(crate) struct DetectArgs {
    /// Zeek's conn.log, EVE flow records, netsec's own, or captures
    #[command(flatten)]
    input: InputArgs,
    /// Form of the output: text for people, jsonl (EVE-shaped JSON Lines) for programs
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
    /// End with exit code 10 on a finding of at least this severity: low, medium, high or critical
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<Severity>,
    /// What is strange
    #[command(flatten)]
    model: ModelArgs,
    /// Settings
    #[command(flatten)]
    config: ConfigArgs,
}

pub(crate) fn detect(cli: &Cli, args: &DetectArgs) -> Result<()> {
    let settings = args.config.load()?.detect;
    let mut captures = Vec::new();
    for file in &args.input.files {
        captures.extend(as_capture(file)?);
    }
    let worst = if captures.is_empty() {
        of_logs(cli, args, &settings)?
    } else if captures.len() == args.input.files.len() {
        of_captures(cli, args, &settings, captures)?
    } else {
        let text = "some of the files are captures and some are logs: look at them apart";
        return Err(UsageError(text.to_owned()).into());
    };
    match (worst, args.fail_on) {
        (Some(worst), Some(limit)) if worst >= limit => {
            Err(Found(format!("a finding is of {worst} severity")).into())
        }
        _ => Ok(()),
    }
}

/// All files are one stretch of time, however it was cut.
fn of_logs(cli: &Cli, args: &DetectArgs, settings: &DetectSettings) -> Result<Option<Severity>> {
    let mut pipeline = open(cli, args, settings)?;
    let mut rows = InOrder::default();
    let read = args.input.read(Wanted::Everything, |_, record| {
        if let Some(activity) = activity_of(record) {
            rows.push(activity, |activity| pipeline.activity(activity));
        }
        Ok(ControlFlow::Continue(()))
    });
    rows.finish(|activity| pipeline.activity(activity));
    pipeline.finish(rows.latest(), &[])?;
    if rows.late() > 0 {
        let late = rows.late();
        log::warn!("{late} rows are more than an hour out of order: name files by time");
    }
    conclude(args, &pipeline, rows.taken())?;
    read.map(|()| pipeline.worst_finding())
}

/// Each capture is a world of its own.
fn of_captures(
    cli: &Cli,
    args: &DetectArgs,
    settings: &DetectSettings,
    captures: Vec<Capture>,
) -> Result<Option<Severity>> {
    if !args.input.filter.is_empty() || args.input.since.is_some() || args.input.until.is_some() {
        let text = "filters, --since and --until choose rows of logs; these files are captures";
        return Err(UsageError(text.to_owned()).into());
    }
    if captures.len() > 1 && args.model.learns() {
        let text = "--train-to learns from one capture; from several: netsec train";
        return Err(UsageError(text.to_owned()).into());
    }
    let mut worst = None;
    let mut cut = Ok(());
    for mut capture in captures {
        let mut pipeline = open(cli, args, settings)?;
        let engine = model::engine(Sampling::FirstAndQuestions(1));
        replay::replay(&mut capture, &engine, &mut pipeline, |_| true)?;
        if let Some(end) = capture.end().filter(|end| **end != End::Complete) {
            cut = Err(anyhow::anyhow!("{}: {end}", capture.file()));
        }
        worst = worst.max(pipeline.worst_finding());
        conclude(args, &pipeline, pipeline.connections_ended())?;
    }
    cut.map(|()| worst)
}

fn open(
    cli: &Cli,
    args: &DetectArgs,
    settings: &DetectSettings,
) -> Result<Pipeline<FindingsOnly<Box<dyn Output>>>> {
    let traffic = args.model.traffic(&settings.anomaly, FIXED_HASH_KEYS)?;
    let output = FindingsOnly(output::plain(cli, args.output, 0));
    let mut pipeline = Pipeline::new(
        PipelineSettings::of_findings(Some(settings.clone())),
        output,
    );
    pipeline.watch(traffic);
    Ok(pipeline)
}

fn conclude<O: Output>(args: &DetectArgs, pipeline: &Pipeline<O>, connections: u64) -> Result<()> {
    args.model.conclude(pipeline.traffic_model())?;
    let totals = pipeline.detect_totals().unwrap_or_default();
    output::say_evicted(&totals);
    let found: Vec<String> = totals
        .campaigns
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let found = if found.is_empty() {
        "nothing found".to_owned()
    } else {
        found.join(", ")
    };
    log::info!("{connections} connections: {found}");
    Ok(())
}

/// Passes findings on, and nothing else.
#[derive(Debug)]
struct FindingsOnly<O>(O);

impl<O: Output> Output for FindingsOnly<O> {
    fn add_hook(&mut self, hook: &Hook) {
        self.0.add_hook(hook);
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.0.finding(finding)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
