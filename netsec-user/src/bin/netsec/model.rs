//! Models of traffic: `run` and `replay` with `--model` and `--train-to`, `train` from captures.

use std::io::{self, Sink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::anomaly::{Drift, Model, Traffic, TrafficSample};
use netsec_user::detect::settings::Anomaly;
use netsec_user::forest::Parameters;
use netsec_user::output::{Sensor, Style, Text};
use netsec_user::pipeline::{Pipeline, PipelineSettings};
use netsec_user::replay;
use netsec_user::settings::EngineSettings;
use netsec_user::source::capture::{Capture, CaptureError, End};

use crate::exit::UsageError;
use crate::train::threads;

/// Features named as drifted.
const DRIFTED: usize = 5;

/// Models of traffic.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Score connections with a model of traffic, and report those unlike what it was learned from
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    /// At the end, learn a model from this traffic and write it here
    ///
    /// It is for --model, and takes this traffic as usual: use an ordinary day. In the first 5 minutes
    /// features of what came before are missing.
    #[arg(long, value_name = "MODEL")]
    train_to: Option<PathBuf>,
}

impl ModelArgs {
    /// Whether a model is to be learned.
    pub(crate) const fn learns(&self) -> bool {
        self.train_to.is_some()
    }

    /// What scores and keeps connections, when that is asked for.
    ///
    /// # Errors
    ///
    /// When the model cannot be used, or the new one could not be written.
    pub(crate) fn traffic(
        &self,
        settings: &Anomaly,
        hash_keys: [u32; 10],
    ) -> Result<Option<Traffic>> {
        if self.model.is_none() && self.train_to.is_none() {
            return Ok(None);
        }
        if let Some(path) = &self.train_to {
            check_place(path)?;
        }
        let model = self.model.as_deref().map(Model::load).transpose()?;
        if let Some(model) = &model {
            warn_of_few_rows(model, settings.quantile);
        }
        let sample = self.train_to.as_ref().map(|_| TrafficSample::default());
        let traffic = Traffic::new(settings, hash_keys, model, sample).map_err(|error| {
            let file = self
                .model
                .as_deref()
                .unwrap_or_else(|| Path::new(""))
                .display();
            UsageError(format!("{file}: {error}"))
        })?;
        Ok(Some(traffic))
    }

    /// Says how traffic has drifted from the model, and writes the new one.
    ///
    /// # Errors
    ///
    /// When there is too little to learn from, or the file cannot be written.
    pub(crate) fn conclude(&self, traffic: Option<&Traffic>) -> Result<()> {
        let Some(traffic) = traffic else {
            return Ok(());
        };
        if traffic.evicted() > 0 {
            let count = traffic.evicted();
            log::warn!("detect.anomaly: {count} entries were put out of memory to make room");
        }
        if let Some(drift) = traffic.drift() {
            say_drift(drift);
        }
        match (&self.train_to, traffic.sample()) {
            (Some(path), Some(sample)) => learn(sample, &Parameters::default(), path),
            _ => Ok(()),
        }
    }
}

/// A long run must not end with a model that has nowhere to go.
fn check_place(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let parent = parent.unwrap_or_else(|| Path::new("."));
    if path.is_dir() || !parent.is_dir() {
        let text = format!("{}: there is no directory for it", path.display());
        bail!(UsageError(text));
    }
    Ok(())
}

fn say_drift(drift: &Drift) {
    let scored = drift.scored();
    let Some(above) = drift.above() else {
        log::info!("model: {scored} connections scored; drift is judged from 100 on");
        return;
    };
    let features = drift.features().into_iter().take(DRIFTED);
    let features: Vec<String> = features
        .map(|(name, share)| format!("{name} in {:.0} %", 100.0 * share))
        .collect();
    let outside = match features.as_slice() {
        [] => "no feature has left its usual range".to_owned(),
        features => format!("outside their usual range: {}", features.join(", ")),
    };
    let text = format!(
        "model: {scored} connections scored, {:.1} % of them above the 95 % quantile of training \
         (5 % without drift); {outside}",
        100.0 * above
    );
    if drift.is_notable() {
        log::warn!("{text}; learn again when this is ordinary: --train-to");
    } else {
        log::info!("{text}");
    }
}

/// Learns from connections and writes the model.
fn learn(sample: &TrafficSample, parameters: &Parameters, path: &Path) -> Result<()> {
    let (model, alike) = sample.learn(parameters, threads())?;
    model.save(path)?;
    let (file, met) = (path.display(), sample.met());
    log::info!("{file}: a model of {} of {met} connections", model.rows);
    if !alike.is_empty() {
        let names = alike.join(", ");
        log::info!("left out, as all connections have the same value or none: {names}");
    }
    Ok(())
}

/// Learns from the connections of captures.
///
/// # Errors
///
/// When a capture cannot be read, or there is too little to learn from.
pub(crate) fn learn_captures(
    captures: Vec<Capture>,
    settings: &Anomaly,
    parameters: &Parameters,
    path: &Path,
) -> Result<()> {
    check_place(path)?;
    let mut sample = TrafficSample::default();
    for mut capture in captures {
        // Captures are days of their own: what one host did in one is no history in the next.
        let traffic = Traffic::new(settings, FIXED_HASH_KEYS, None, Some(sample))?;
        let mut pipeline = silent();
        pipeline.watch(traffic);
        replay::replay(&mut capture, &engine(Sampling::Off), &mut pipeline, |_| {
            true
        })?;
        if let Some(end) = capture.end().filter(|end| **end != End::Complete) {
            log::warn!("{}: {end}", capture.file());
        }
        let traffic = pipeline.into_traffic_model();
        sample = traffic.and_then(Traffic::into_sample).unwrap_or_default();
    }
    learn(&sample, parameters, path)
}

/// A quantile that the connections learned from cannot tell.
fn warn_of_few_rows(model: &Model, quantile: f64) {
    let needed = (1.0 - quantile).recip();
    let rows = model.rows as f64;
    if rows < needed {
        log::warn!(
            "the model was learned from {rows} connections, and detect.anomaly.quantile is {quantile}: a single \
             connection is reported only when it is stranger than all of them; learn from {needed:.0} or more"
        );
    }
}

/// The file as a capture; `None` when it is something else.
///
/// # Errors
///
/// When it is a capture that cannot be read.
pub(crate) fn as_capture(path: &Path) -> Result<Option<Capture>> {
    if path == Path::new("-") {
        return Ok(None);
    }
    match Capture::open(path) {
        Ok(capture) => Ok(Some(capture)),
        Err(CaptureError::NotACapture { .. } | CaptureError::Empty { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A pipeline that writes nothing.
fn silent() -> Pipeline<Text<Sink>> {
    let output = Text::new(io::sink(), Sensor::default(), Style::PLAIN);
    Pipeline::new(PipelineSettings::of_findings(None), output)
}

/// As `replay` has it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// An engine's settings for the same.
pub(crate) const fn engine(sampling: Sampling) -> EngineSettings {
    EngineSettings {
        slots: 1 << 16,
        sampling,
        snap_bytes: 192,
        idle_timeout: IDLE_TIMEOUT,
        hash_keys: FIXED_HASH_KEYS,
        inner: false,
    }
}
