//! `netsec score`.

mod form;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use netsec_user::anomaly::{Model, score};
use netsec_user::forest::{Quality, precision_among};
use netsec_user::table::Input;

use self::form::{Row, Rows, Summary};
use crate::exit::UsageError;
use crate::model::as_capture;
use crate::train::{LearnArgs, threads};

/// Rows of a table for people, unless told otherwise.
const TOP: usize = 20;

/// Features named as reasons of one row.
const REASONS: usize = 3;

/// Arguments of `score`.
#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// The table; `-` for standard input, which is kept in memory
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Share of rows to mark as anomalies: those that score higher than all but this share of the
    /// rows learned from
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share)]
    contamination: f64,
    /// Score with this model instead of learning from the table
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["features", "seed", "trees", "sample_size"])]
    model: Option<PathBuf>,
    /// Only so many rows, the strangest first [default: 20 for a table, else all in their order]
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Form of the output: table for people; csv with the columns of the input and score, quantile,
    /// anomaly, reason behind them; jsonl
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: ScoreForm,
    /// How to learn
    #[command(flatten)]
    learn: LearnArgs,
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScoreForm {
    /// Lines for people
    Table,
    /// The input's columns and four more
    Csv,
    /// One JSON object a row, and a summary as the last line
    Jsonl,
}

/// The table; of a capture the connections can be scored, but not the bytes.
fn open_table(path: &Path) -> Result<Input> {
    if as_capture(path)?.is_none() {
        return Ok(Input::open(path)?);
    }
    let file = path.display();
    let text = format!(
        "{file} is a capture. Its connections as a table: netsec replay {file} --packets off -o jsonl \
         | netsec score -. Against a model of ordinary traffic: netsec train ORDINARY.pcap -o MODEL, \
         then netsec replay {file} --model MODEL"
    );
    Err(UsageError(text).into())
}

pub(crate) fn score_table(args: &ScoreArgs) -> Result<()> {
    let input = open_table(&args.file)?;
    let model = match &args.model {
        Some(model) => Model::load(model)?,
        None => args.learn.learn(std::slice::from_ref(&input))?,
    };
    let threshold = model.calibration.score_at(1.0 - args.contamination);
    let top = args
        .top
        .or_else(|| (args.output == ScoreForm::Table).then_some(TOP));
    let mut rows = Rows::new(args.output, top);
    let mut labelled = Vec::new();
    let (mut anomalies, mut label_missing) = (0, false);
    let scanned = score(&input, &model, threads(), |row| {
        let anomaly = row.score > threshold;
        anomalies += u64::from(anomaly);
        if let Some(label) = &args.learn.label {
            match row.cell(label) {
                Some(cell) => labelled.push((row.score, is_anomaly(cell))),
                None => label_missing = true,
            }
        }
        if !rows.wants(row.score) {
            return Ok(());
        }
        // Explaining costs as much as scoring: only what is shown is explained.
        let reasons = if anomaly || top.is_some() || args.output == ScoreForm::Jsonl {
            model.reasons(row.values, |column| row.cell(column), REASONS)
        } else {
            Vec::new()
        };
        rows.add(Row::new(row, anomaly, reasons))
    })?;
    if let (true, Some(label)) = (label_missing, &args.learn.label) {
        let text = format!("{}: there is no column `{label}`", input.name());
        return Err(UsageError(text).into());
    }
    let quality = Quality::of(&labelled);
    if args.learn.label.is_some() && quality.is_none() {
        log::warn!("all rows have the same label: nothing to measure");
    }
    rows.finish(&Summary {
        rows: scanned.rows,
        malformed: scanned.malformed,
        anomalies,
        contamination: args.contamination,
        threshold,
        seed: model.parameters.seed,
        trees: model.forest.trees(),
        sample_size: model.forest.sample_size(),
        features: model
            .features
            .iter()
            .map(|feature| feature.name.clone())
            .collect(),
        labelled_anomalies: quality.map(|quality| quality.anomalies),
        roc_auc: quality.map(|quality| quality.roc_auc),
        average_precision: quality.map(|quality| quality.average_precision),
        precision_at_contamination: quality
            .and_then(|_| precision_among(&labelled, share_of(labelled.len(), args.contamination))),
    })?;
    Ok(())
}

/// Rows that make up a share.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count, which is at least zero"
)]
fn share_of(rows: usize, share: f64) -> usize {
    (rows as f64 * share).round() as usize
}

/// Whether a label says that a row is an anomaly: all do but those for nothing special.
fn is_anomaly(label: &str) -> bool {
    const NORMAL: [&str; 10] = [
        "",
        "0",
        "0.0",
        "-",
        "false",
        "f",
        "no",
        "normal",
        "benign",
        "background",
    ];
    let label = label.trim().trim_end_matches('.');
    !NORMAL
        .iter()
        .any(|normal| label.eq_ignore_ascii_case(normal))
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_error| "not a number".to_owned())?;
    if share > 0.0 && share <= 0.5 {
        Ok(share)
    } else {
        Err("has to be more than 0 and at most 0.5, such as 0.05".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for normal in ["0", "normal", "Benign", "normal.", "False", " 0.0 "] {
            assert!(!is_anomaly(normal), "{normal}");
        }
        for anomaly in ["1", "neptune", "true", "attack", "2"] {
            assert!(is_anomaly(anomaly), "{anomaly}");
        }
    }

    #[test]
    fn contaminations() {
        assert_eq!(share("0.05"), Ok(0.05));
        for wrong in ["0", "0.6", "-1", "nan", "some"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
