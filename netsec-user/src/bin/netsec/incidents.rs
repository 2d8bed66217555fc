//! `netsec incidents`.

use std::io::{self, BufWriter, IsTerminal as _};
use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;
use netsec_user::correlate::{CorrelateSettings, Correlator, IncidentSettings, Told};
use netsec_user::log::Wanted;
use netsec_user::output::{JsonLines, Output, Sensor, Style, Text};
use netsec_user::time::WallTime;

use crate::args::{Cli, Form};
use crate::exit::Found;
use crate::input::{InputArgs, SiteArgs};
use crate::output::colour;

/// Arguments of `incidents`.
#[derive(Debug, Args)]
pub(crate) struct IncidentsArgs {
    /// Logs of Suricata and Zeek
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
}

pub(crate) fn incidents(cli: &Cli, args: &IncidentsArgs) -> Result<()> {
    let mut correlator = Correlator::new(CorrelateSettings {
        site: args.site.site(),
        incident: IncidentSettings {
            risk_min: args.risk,
            ..IncidentSettings::default()
        },
        ..CorrelateSettings::default()
    });
    let mut now = WallTime::default();
    let read = args.input.read(Wanted::Everything, |record| {
        now = now.max(record.time());
        correlator.record(record);
        // Only what is left at the end is shown.
        drop(correlator.take_told());
        Ok(ControlFlow::Continue(()))
    });
    correlator.finish(now);
    let worst = write(cli, args, correlator.take_told(), now)?;
    read?;
    match args.fail_on {
        Some(limit) if worst.is_some_and(|worst| worst >= limit) => {
            Err(Found(format!("there are incidents of risk {limit} or more")).into())
        }
        _ => Ok(()),
    }
}

/// Writes the incidents, and gives the worst risk.
fn write(
    cli: &Cli,
    args: &IncidentsArgs,
    told: Vec<Told>,
    now: WallTime,
) -> io::Result<Option<u8>> {
    let out = io::stdout().lock();
    let is_terminal = out.is_terminal();
    let out = BufWriter::with_capacity(1 << 16, out);
    let mut output: Box<dyn Output> = match args.output {
        Form::Jsonl => Box::new(JsonLines::new(out, Sensor::default())),
        Form::Text => {
            let style = Style {
                colour: colour(cli, is_terminal),
                aligned: is_terminal,
            };
            Box::new(Text::new(out, Sensor::default(), style))
        }
    };
    let mut worst = None;
    for told in &told {
        if let Told::Final(incident) = told {
            worst = worst.max(Some(incident.risk().total()));
            output.told(told, now)?;
        }
    }
    output.flush()?;
    Ok(worst)
}
