//! What both verbs do with their output.

use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

use anyhow::Result;
use netsec_common::sample::Sampling;
use netsec_user::connection::Timeouts;
use netsec_user::detect::{DetectSettings, DetectTotals};
use netsec_user::filter::Filter;
use netsec_user::output::{
    Colour, ColourFlag, JsonLines, Output, Sensor, Style, Text, colour_choice,
};
use netsec_user::pipeline::{Pipeline, PipelineSettings};

use crate::args::{Cli, ColorWhen, Form, ShowArgs};
use crate::exit::{Found, UsageError};

/// Opens stdout in the form asked for.
pub(crate) fn open(cli: &Cli, show: &ShowArgs) -> Box<dyn Output> {
    plain(cli, show.output, show.community_id_seed)
}

/// As [`open`], with nothing but a form.
pub(crate) fn plain(cli: &Cli, form: Form, community_seed: u16) -> Box<dyn Output> {
    let out = io::stdout().lock();
    let is_terminal = out.is_terminal();
    let writer: BufWriter<StdoutLock<'static>> = BufWriter::with_capacity(1 << 16, out);
    let sensor = Sensor {
        hooks: Vec::new(),
        community_seed,
    };
    match form {
        Form::Jsonl => Box::new(JsonLines::new(writer, sensor)),
        Form::Text => {
            let style = Style {
                colour: colour(cli, is_terminal),
                aligned: is_terminal,
            };
            Box::new(Text::new(writer, sensor, style))
        }
    }
}

/// Whether stdout is coloured.
pub(crate) fn colour(cli: &Cli, is_terminal: bool) -> Colour {
    let flag = match cli.color {
        ColorWhen::Auto => ColourFlag::Auto,
        ColorWhen::Always => ColourFlag::Always,
        ColorWhen::Never => ColourFlag::Never,
    };
    let no_color = std::env::var_os("NO_COLOR");
    colour_choice(is_terminal, no_color.as_deref(), flag)
}

/// The pipeline's settings; `hash_keys` as for the engine.
///
/// # Errors
///
/// [`UsageError`] for a filter that cannot be read.
pub(crate) fn settings(
    show: &ShowArgs,
    detect: DetectSettings,
    hash_keys: [u32; 10],
) -> Result<PipelineSettings> {
    let filter =
        Filter::parse(&show.filter.join(" ")).map_err(|error| UsageError(error.to_string()))?;
    Ok(PipelineSettings {
        filter,
        timeouts: Timeouts {
            idle: show.idle_timeout,
            active: show.active_timeout,
            connections_max: show.max_connections.max(1),
            ..Timeouts::default()
        },
        hash_keys,
        interval: Some(show.interval).filter(|interval| !interval.is_zero()),
        top: show.top,
        packet_limit: show.count,
        packets: show.packets != Sampling::Off,
        connections: !show.no_flows,
        inner: show.inner,
        detect_inner: true,
        detect: (!show.no_findings).then_some(detect),
    })
}

/// What is sampled: with findings wanted, DNS questions beyond what is asked for.
pub(crate) const fn sampling(show: &ShowArgs) -> Sampling {
    match show.packets {
        Sampling::FirstOfFlow(n) if !show.no_findings => Sampling::FirstAndQuestions(n),
        Sampling::Off
        | Sampling::FirstOfFlow(_)
        | Sampling::FirstAndQuestions(_)
        | Sampling::OneIn(_)
        | Sampling::All => show.packets,
    }
}

/// Says what the detectors had no room for, and does what is left to do with a model.
///
/// # Errors
///
/// When a model cannot be learned or written; [`Found`] when a finding is as severe as `--fail-on` says.
pub(crate) fn conclude<O: Output>(show: &ShowArgs, pipeline: &Pipeline<O>) -> Result<()> {
    show.model.conclude(pipeline.traffic_model())?;
    let totals = pipeline.detect_totals().unwrap_or_default();
    say_evicted(&totals);
    match (pipeline.worst_finding(), show.fail_on) {
        (Some(worst), Some(limit)) if worst >= limit => {
            Err(Found(format!("a finding is of {worst} severity")).into())
        }
        _ => Ok(()),
    }
}

/// Says what the detectors had no room for.
pub(crate) fn say_evicted(totals: &DetectTotals) {
    for (detector, count) in &totals.evicted {
        log::warn!("detect.{detector}: {count} entries were put out of memory to make room");
    }
}

/// Writes a line to stdout.
///
/// # Errors
///
/// The writer's.
pub(crate) fn line(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(())
}

/// Prints the verbs, one a line, for `cargo xtask run`.
///
/// # Errors
///
/// The writer's.
pub(crate) fn print_verbs(command: &clap::Command) -> Result<()> {
    let mut out = io::stdout().lock();
    for verb in command.get_subcommands() {
        if !verb.is_hide_set() {
            writeln!(out, "{}", verb.get_name())?;
        }
    }
    writeln!(out, "help")?;
    Ok(())
}
