//! The isolation forest beside scikit-learn's, on sets with known anomalies.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use ndarray::Axis;
use netsec_tests::anomaly::{Labelled, npz, nsl_kdd};
use netsec_tests::data;
use netsec_user::forest::{Forest, Parameters, Quality, precision_among};

/// What scikit-learn 1.9.1's IsolationForest reaches (100 trees, sample size 256): the mean ROC-AUC
/// of ten seeds.
const PEER: [(&str, f64); 7] = [
    ("10_cover.npz", 0.8825),
    ("16_http.npz", 0.9993),
    ("23_mammography.npz", 0.8615),
    ("32_shuttle.npz", 0.9970),
    ("4_breastw.npz", 0.9873),
    ("6_cardio.npz", 0.9329),
    ("NSL-KDD_KDDTest+.txt.gz", 0.861),
];

/// How far below the peer's mean ours may be.
const TOLERANCE: f64 = 0.01;

const SEEDS: u64 = 10;

/// About as many rows of a set a build without optimisation scores, so that it takes seconds: all
/// anomalies, and every so manyth of the others. Forests are grown on all rows. It changes ROC-AUC by
/// chance only, and makes average precision higher.
const UNOPTIMISED_ROWS: usize = 8_000;

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the table is what the test is read for"
)]
fn ten_seeds_are_as_good_as_scikit_learn() {
    let Some(directory) = data::path().unwrap() else {
        return;
    };
    println!(
        "{:<24}{:>9}{:>9}{:>8}{:>8}{:>8}",
        "set", "peer AUC", "AUC", "sd", "AP", "P@c"
    );
    let mut worse = Vec::new();
    for (name, peer) in PEER {
        let set = load(&directory.join("anomaly").join(name)).unwrap();
        let [auc, deviation, average_precision, precision] = mean_quality(&set).unwrap();
        println!(
            "{name:<24}{peer:>9.4}{auc:>9.4}{deviation:>8.4}{average_precision:>8.3}{precision:>8.3}"
        );
        if auc < peer - TOLERANCE {
            worse.push(name);
        }
    }
    assert!(worse.is_empty(), "worse than scikit-learn: {worse:?}");
}

fn load(file: &Path) -> anyhow::Result<Labelled> {
    if file.extension().is_some_and(|extension| extension == "npz") {
        npz(file)
    } else {
        nsl_kdd(file)
    }
}

/// The rows that are scored: all of them in an optimised build.
fn judged(labels: &[bool]) -> Vec<usize> {
    let anomalies = labels.iter().filter(|label| **label).count();
    let room = UNOPTIMISED_ROWS.saturating_sub(anomalies);
    let room = room.max(UNOPTIMISED_ROWS / 2);
    let step = (labels.len() - anomalies).div_ceil(room).max(1);
    let step = if cfg!(debug_assertions) { step } else { 1 };
    let rows = labels.iter().enumerate();
    rows.filter(|(row, label)| **label || row.is_multiple_of(step))
        .map(|(row, _)| row)
        .collect()
}

/// Mean and deviation of ROC-AUC, mean average precision and mean precision among as many rows as
/// there are anomalies.
fn mean_quality(set: &Labelled) -> anyhow::Result<[f64; 4]> {
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut figures = Vec::new();
    let judged = judged(&set.labels);
    let judged_rows = set.rows.select(Axis(0), &judged);
    for seed in 0..SEEDS {
        let parameters = Parameters {
            seed,
            ..Parameters::default()
        };
        let forest = Forest::grow(set.rows.view(), &parameters, threads)?;
        let scores = forest.scores(judged_rows.view(), threads);
        let labels = judged
            .iter()
            .filter_map(|row| set.labels.get(*row).copied());
        let scored: Vec<_> = scores.into_iter().zip(labels).collect();
        let quality = Quality::of(&scored).context("a set has both labels")?;
        let precision =
            precision_among(&scored, quality.anomalies).context("a set has anomalies")?;
        figures.push([quality.roc_auc, quality.average_precision, precision]);
    }
    let mean = |at: usize| figures.iter().filter_map(|row| row.get(at)).sum::<f64>() / SEEDS as f64;
    let auc = mean(0);
    let variance = figures
        .iter()
        .map(|row| (row[0] - auc).powi(2))
        .sum::<f64>()
        / SEEDS as f64;
    Ok([auc, variance.sqrt(), mean(1), mean(2)])
}
