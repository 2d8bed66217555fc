//! How long the isolation forest takes, beside scikit-learn when a Python that has it is named:
//! `cargo run --release -p netsec-tests --example forest -- SET.npz [PYTHON]`.
//!
//! Both run in turns on the same rows, several times; only the ratios mean something on a busy
//! machine. One JSON object comes out.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ndarray::ArrayView2;
use netsec_tests::anomaly::npz;
use netsec_user::forest::{Forest, Parameters};
use serde_json::json;

const ROUNDS: usize = 5;

/// Rows scored one by one.
const SINGLES: usize = 200;

/// Answers each line of input with the seconds of: fit and score, one row.
const PEER: &str = "
import sys, time, numpy, warnings
warnings.filterwarnings('ignore')
from sklearn.ensemble import IsolationForest
X = numpy.load(sys.argv[1])['X'].astype('float64')
for _ in sys.stdin:
    start = time.perf_counter()
    forest = IsolationForest(n_estimators=100, max_samples=256, random_state=0, n_jobs=1).fit(X)
    forest.score_samples(X)
    both = time.perf_counter() - start
    start = time.perf_counter()
    for row in range(5):
        forest.score_samples(X[row:row + 1])
    print(both, (time.perf_counter() - start) / 5, flush=True)
";

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let file = args.next().context("which set? SET.npz [PYTHON]")?;
    let rows = npz(Path::new(&file))?.rows;
    let mut peer = args
        .next()
        .map(|python| start(&python, &file))
        .transpose()?;
    let mut figures: [Vec<f64>; 6] = Default::default();
    for _ in 0..ROUNDS {
        let [fit, one, two, single] = ours(rows.view())?;
        let theirs = peer.as_mut().map(answer).transpose()?;
        let [their_both, their_single] = theirs.unwrap_or([f64::NAN; 2]);
        let round = [fit, one, two, single, their_both, their_single];
        for (figures, figure) in figures.iter_mut().zip(round) {
            figures.push(figure);
        }
    }
    let [fit, one, two, single, their_both, their_single] = figures.map(median);
    let per_row = 1e9 / rows.nrows() as f64;
    let line = json!({
        "set": file.rsplit('/').next(), "rows": rows.nrows(), "features": rows.ncols(),
        "fit_ms": fit * 1e3, "fit_and_score_ms": one * 1e3,
        "score_ns_per_row": (one - fit) * per_row,
        "two_threads_ms": two * 1e3, "single_row_ns": single * 1e9,
        "scikit_learn_ms": their_both * 1e3, "scikit_learn_single_row_ns": their_single * 1e9,
        "ratio_one_thread": their_both / one, "ratio_two_threads": their_both / two,
        "ratio_single_row": their_single / single,
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// Seconds of: fit; fit and score on one thread; the same on two; one row.
#[expect(
    clippy::disallowed_methods,
    reason = "how long things take is what is measured"
)]
fn ours(rows: ArrayView2<'_, f64>) -> anyhow::Result<[f64; 4]> {
    let (one, two) = (NonZeroUsize::MIN, NonZeroUsize::MIN.saturating_add(1));
    let parameters = Parameters::default();
    let start = Instant::now();
    let forest = Forest::grow(rows, &parameters, one)?;
    let fit = start.elapsed();
    black_box(forest.scores(rows, one));
    let both = start.elapsed();
    let start = Instant::now();
    let forest = Forest::grow(rows, &parameters, two)?;
    black_box(forest.scores(rows, two));
    let in_two = start.elapsed();
    let start = Instant::now();
    for row in rows.outer_iter().take(SINGLES) {
        black_box(forest.score(row));
    }
    let single = start.elapsed() / u32::try_from(SINGLES)?;
    Ok([fit, both, in_two, single].map(|time: Duration| time.as_secs_f64()))
}

fn start(python: &str, file: &str) -> anyhow::Result<Child> {
    Command::new(python)
        .args(["-c", PEER, file])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| python.to_owned())
}

fn answer(peer: &mut Child) -> anyhow::Result<[f64; 2]> {
    let mut input = peer.stdin.as_ref().context("no stdin")?;
    writeln!(input, "go")?;
    let output = peer.stdout.as_mut().context("no stdout")?;
    let mut line = String::new();
    BufReader::with_capacity(1, output).read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::parse);
    let both = words.next().context("scikit-learn says nothing")??;
    Ok([both, words.next().context("no second figure")??])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
