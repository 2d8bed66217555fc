//! `netsec train`, and what it shares with `netsec score`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Result;
use clap::Args;
use netsec_user::anomaly::{LearnError, Learned, Model, learn};
use netsec_user::detect::settings::Anomaly;
use netsec_user::forest::{Parameters, SAMPLE_MAX, TREES_MAX};
use netsec_user::source::capture::Capture;
use netsec_user::table::{Input, Scanned, Unit};

use crate::exit::UsageError;
use crate::model::{as_capture, learn_captures};

/// How a model is learned.
#[derive(Debug, Args)]
pub(crate) struct LearnArgs {
    /// Columns to learn from, with commas between [default: all that tell rows apart]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) features: Vec<String>,
    /// Column that says which rows are anomalies: it is not learned from
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// Seed of all that is random: the same seed gives the same scores
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Trees of the forest
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(TREES_MAX))
    )]
    pub(crate) trees: u32,
    /// Rows that a tree is grown from; more of them find single strange rows in a long table, which
    /// few samples of 256 hold
    #[arg(
        long,
        value_name = "N",
        default_value_t = 256,
        value_parser = clap::value_parser!(u32).range(2..=i64::from(SAMPLE_MAX))
    )]
    pub(crate) sample_size: u32,
}

/// Arguments of `train`.
#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Table to learn from, or several with the same columns, `-` for standard input; or captures
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Where to write the model
    #[arg(short, long, value_name = "MODEL")]
    output: PathBuf,
    /// How
    #[command(flatten)]
    learn: LearnArgs,
}

pub(crate) fn train(args: &TrainArgs) -> Result<()> {
    let captures: Result<Vec<_>> = args.files.iter().map(|file| as_capture(file)).collect();
    let captures: Vec<Capture> = captures?.into_iter().flatten().collect();
    if captures.len() == args.files.len() {
        return args.learn.learn_captures(captures, &args.output);
    }
    if let Some(capture) = captures.first() {
        let text = format!(
            "{} is a capture, and others are not: a model is of one kind",
            capture.file()
        );
        return Err(UsageError(text).into());
    }
    let inputs: Result<Vec<_>, _> = args.files.iter().map(|file| Input::open(file)).collect();
    let model = args.learn.learn(&inputs?)?;
    model.save(&args.output)?;
    let (rows, file) = (model.rows, args.output.display());
    log::info!("{file}: a model of {rows} rows");
    Ok(())
}

impl LearnArgs {
    const fn parameters(&self) -> Parameters {
        Parameters {
            trees: self.trees,
            sample_size: self.sample_size,
            seed: self.seed,
        }
    }

    fn learn_captures(&self, captures: Vec<Capture>, output: &Path) -> Result<()> {
        if !self.features.is_empty() || self.label.is_some() {
            let text = "--features and --label are columns of tables; captures have none";
            return Err(UsageError(text.to_owned()).into());
        }
        learn_captures(captures, &Anomaly::default(), &self.parameters(), output)
    }

    /// Learns from tables, and says from what.
    pub(crate) fn learn(&self, inputs: &[Input]) -> Result<Model> {
        let parameters = self.parameters();
        let wanted = (!self.features.is_empty()).then_some(self.features.as_slice());
        let label = self.label.as_deref();
        let learned = learn(inputs, wanted, label, &parameters, threads());
        let Learned {
            model,
            scanned,
            left_out,
        } = learned.map_err(|error| match error {
            LearnError::Column { .. } => UsageError(error.to_string()).into(),
            error @ (LearnError::Table(_)
            | LearnError::OtherColumns { .. }
            | LearnError::NoFeature { .. }
            | LearnError::Grow(_)) => anyhow::Error::from(error),
        })?;
        for (input, scanned) in inputs.iter().zip(&scanned) {
            report(input, scanned);
        }
        let met: u64 = scanned.iter().map(|scanned| scanned.rows).sum();
        if met > model.rows {
            log::info!(
                "learned from a random sample of {} of {met} rows",
                model.rows
            );
        }
        log::info!("features: {}", described(&model));
        for column in left_out {
            log::info!("left out: {}: {}", column.column, column.reason);
        }
        Ok(model)
    }
}

/// As many threads as the process may use.
pub(crate) fn threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Says what a file was taken for, and what of it was not read.
fn report(input: &Input, scanned: &Scanned) {
    let name = input.name();
    log::info!("{name}: {}, {} rows", scanned.form, scanned.rows);
    if scanned.ignored > 0 {
        log::info!("{name}: {} records of other kinds", scanned.ignored);
    }
    if let Some(first) = &scanned.first_malformed {
        let count = scanned.malformed;
        log::warn!("{name}: {count} rows could not be read and are left out; the first: {first}");
    }
}

fn described(model: &Model) -> String {
    let features = model.features.iter().map(|feature| {
        let what = match feature.unit {
            Unit::Number => "as it is",
            Unit::Bytes => "bytes",
            Unit::Seconds => "seconds",
            Unit::TimeOfDay => "time of day",
            Unit::Rarity => "how rare the value is",
            Unit::Share => "share",
            Unit::Flag => "0 or 1",
        };
        format!("{} ({what})", feature.name)
    });
    features.collect::<Vec<_>>().join(", ")
}
