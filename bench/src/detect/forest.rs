//! The isolation forest beside scikit-learn's: growing and scoring a whole set, and single rows.

use std::hint::black_box;
use std::num::NonZeroUsize;

use anyhow::{Context as _, Result};
use ndarray::ArrayView2;
use netsec_tests::anomaly::npz;
use netsec_tests::data;
use netsec_user::forest::{Forest, Parameters, Quality};

use super::DetectArgs;
use super::peer::Peer;
use crate::print;
use crate::statistics::Spread;
use crate::stopwatch::Stopwatch;

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

/// Rows scored one by one.
const SINGLES: u16 = 1000;

/// Times faster than scikit-learn: on one core, on two, single rows.
const TARGETS: [f64; 3] = [5.0, 8.0, 500.0];

/// Seconds of one round.
#[derive(Default)]
struct Rounds {
    fit: Vec<f64>,
    one: Vec<f64>,
    two: Vec<f64>,
    single: Vec<f64>,
    peer_one: Vec<f64>,
    peer_two: Vec<f64>,
    peer_single: Vec<f64>,
}

/// Measures and reports.
pub(super) fn run(args: &DetectArgs) -> Result<()> {
    let data = data::path()?.context("the test data is needed")?;
    let file = data.join("anomaly").join(&args.set);
    let set = npz(&file)?;
    let rows = set.rows.view();
    let mut peer = Peer::start(&args.python, &file)?;
    // The first turn warms up.
    let mut forest = turn(rows, &mut Rounds::default())?;
    if let Some(peer) = &mut peer {
        peer.fit_and_score(1)?;
    }
    let mut rounds = Rounds::default();
    for _ in 0..args.rounds {
        forest = turn(rows, &mut rounds)?;
        if let Some(peer) = &mut peer {
            rounds.peer_one.push(peer.fit_and_score(1)?);
            rounds.peer_two.push(peer.fit_and_score(2)?);
            rounds.peer_single.push(peer.single_row()?);
        }
    }
    let scores = forest.scores(rows, TWO);
    let scored: Vec<_> = scores.into_iter().zip(set.labels).collect();
    let own = Quality::of(&scored).context("a set has both labels")?;
    print(&format!(
        "\n### forest\n\n{}: {} rows, {} features; 100 trees of 256 rows, {} rounds",
        args.set,
        rows.nrows(),
        rows.ncols(),
        args.rounds
    ))?;
    print(&format!(
        "netsec, one seed: ROC-AUC {:.4}, average precision {:.3}",
        own.roc_auc, own.average_precision
    ))?;
    match &mut peer {
        Some(peer) => {
            let (roc_auc, precision) = peer.quality()?;
            print(&format!(
                "scikit-learn {}, one seed: ROC-AUC {roc_auc:.4}, average precision {precision:.3}",
                peer.version
            ))?;
        }
        None => {
            print("scikit-learn is left out: it is not here (name a Python that has it: --python)")?
        }
    }
    print(&report(&rounds))
}

/// netsec's turn.
fn turn(rows: ArrayView2<'_, f64>, rounds: &mut Rounds) -> Result<Forest> {
    let parameters = Parameters::default();
    let clock = Stopwatch::start();
    let forest = Forest::grow(rows, &parameters, ONE)?;
    rounds.fit.push(clock.seconds());
    black_box(forest.scores(rows, ONE));
    rounds.one.push(clock.seconds());
    let clock = Stopwatch::start();
    let forest = Forest::grow(rows, &parameters, TWO)?;
    black_box(forest.scores(rows, TWO));
    rounds.two.push(clock.seconds());
    let clock = Stopwatch::start();
    for row in rows.outer_iter().take(SINGLES.into()) {
        black_box(forest.score(row));
    }
    rounds.single.push(clock.seconds() / f64::from(SINGLES));
    Ok(forest)
}

fn report(rounds: &Rounds) -> String {
    let mut text = "\n| what | netsec, ms | scikit-learn, ms | netsec is faster | target |\n|---|---|---|---|---|\n"
        .to_owned();
    let mut row = |name: &str, own: &[f64], peer: &[f64], target: Option<f64>| {
        let ms = |seconds: &[f64]| Spread::of(seconds.iter().map(|seconds| seconds * 1e3));
        let ratio = Spread::of(own.iter().zip(peer).map(|(own, peer)| peer / own));
        let verdict = target.map_or_else(String::new, |target| {
            let verdict = if ratio.median >= target {
                "met"
            } else {
                "missed"
            };
            format!("{target}: {verdict}")
        });
        text.push_str(&format!(
            "| {name} | {:.4} | {:.4} | {ratio:.1} | {verdict} |\n",
            ms(own),
            ms(peer)
        ));
    };
    let [one, two, single] = TARGETS.map(Some);
    row(
        "fit and score, one core",
        &rounds.one,
        &rounds.peer_one,
        one,
    );
    row(
        "fit and score, two cores; scikit-learn one",
        &rounds.two,
        &rounds.peer_one,
        two,
    );
    row(
        "fit and score, two cores each",
        &rounds.two,
        &rounds.peer_two,
        None,
    );
    row("one row", &rounds.single, &rounds.peer_single, single);
    row("fit alone, one core", &rounds.fit, &[], None);
    text.truncate(text.trim_end().len());
    text
}
