//! What `run` and `replay` have in common about logs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use netsec_user::correlate::{CorrelateSettings, Correlator, IncidentSettings, JoinSettings, Site};
use netsec_user::log::follow::{Feeds, Start};
use netsec_user::log::{Decoder, LogClock, LogReader, Wanted};
use netsec_user::output::Output;
use netsec_user::pipeline::Pipeline;
use netsec_user::time::WallTime;

use crate::input::{ClockArgs, SiteArgs, report};

/// Logs to join with connections.
#[derive(Debug, Args)]
pub(crate) struct CorrelateArgs {
    /// Log of Suricata or Zeek to join with the connections seen; for `run` also a directory, or
    /// unix:PATH for a socket that Suricata writes to; may be given several times
    #[arg(long = "log", value_name = "PATH")]
    pub(crate) logs: Vec<String>,
    /// How far the clocks of the sensors may be apart, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) skew: u32,
    /// Risk from which on an offender is reported, 0 to 100
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) risk: u8,
    /// The clock of a fast.log
    #[command(flatten)]
    pub(crate) clock: ClockArgs,
    /// Which addresses are your own
    #[command(flatten)]
    pub(crate) site: SiteArgs,
}

impl CorrelateArgs {
    /// What joins, with these own networks and this seed of the Community IDs.
    pub(crate) fn correlator(&self, site: Site, community_seed: u16) -> Correlator {
        Correlator::new(CorrelateSettings {
            site,
            join: JoinSettings {
                community_seed,
                skew_seconds: self.skew,
                ..JoinSettings::default()
            },
            incident: IncidentSettings {
                risk_min: self.risk,
                ..IncidentSettings::default()
            },
            silent: self.logs.is_empty(),
        })
    }

    /// Opens the logs as files, for a replay.
    ///
    /// # Errors
    ///
    /// When one cannot be opened.
    pub(crate) fn readers(&self) -> Result<Vec<LogReader>> {
        let clock = self.clock.utc_offset.clone().unwrap_or_default();
        let decoder = Decoder::new(Wanted::Everything).with_clock(clock);
        let open = |log: &String| LogReader::open(Path::new(log), decoder.clone());
        Ok(self.logs.iter().map(open).collect::<Result<_, _>>()?)
    }

    /// Opens the logs to be followed from their ends on, or from where the last run ended.
    ///
    /// # Errors
    ///
    /// When a socket cannot be made.
    pub(crate) fn feeds(&self, state: Option<PathBuf>) -> Result<Feeds> {
        let state = state.map(|directory| directory.join("log-positions.json"));
        let clock = self
            .clock
            .utc_offset
            .clone()
            .unwrap_or_else(LogClock::local);
        let decoder = Decoder::new(Wanted::Everything).with_clock(clock);
        let (feeds, damage) =
            Feeds::open(&self.logs, Start::End, state, &decoder, WallTime::now())?;
        if let Some(damage) = damage {
            log::warn!("{damage}");
        }
        Ok(feeds)
    }
}

/// Says what became of the logs' lines.
///
/// # Errors
///
/// The first log that was not read whole.
pub(crate) fn conclude<O: Output>(pipeline: &Pipeline<O>) -> Result<()> {
    let (logs, errors) = pipeline.logs();
    logs.iter().for_each(report);
    for error in errors {
        let source = std::error::Error::source(error);
        let source = source.map_or_else(String::new, ToString::to_string);
        log::warn!("{error}: {source}");
    }
    if errors.is_empty() {
        Ok(())
    } else {
        anyhow::bail!("{} logs were not read to their end", errors.len())
    }
}

/// Where state is kept: as asked, else where systemd says, else the usual place.
pub(crate) fn state_directory(asked: Option<&Path>) -> PathBuf {
    let given = || std::env::var_os("STATE_DIRECTORY").map(PathBuf::from);
    asked
        .map(Path::to_owned)
        .or_else(given)
        .unwrap_or_else(|| PathBuf::from("/var/lib/netsec"))
}
