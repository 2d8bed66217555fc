//! scikit-learn's isolation forest, in a Python that takes its turns.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};

/// Answers each line of input with one of figures.
const SCRIPT: &str = "
import sys, time, warnings
import numpy, sklearn
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
warnings.filterwarnings('ignore')
data = numpy.load(sys.argv[1])
X = data['X'].astype('float64')
def grow(jobs):
    return IsolationForest(n_estimators=100, max_samples=256, random_state=0, n_jobs=jobs).fit(X)
print(sklearn.__version__, flush=True)
for line in sys.stdin:
    word = line.strip()
    start = time.perf_counter()
    if word == 'single':
        for row in range(20):
            forest.score_samples(X[row:row + 1])
        print((time.perf_counter() - start) / 20, flush=True)
    elif word == 'quality':
        scores = -forest.score_samples(X)
        print(roc_auc_score(data['y'], scores), average_precision_score(data['y'], scores), flush=True)
    else:
        forest = grow(int(word))
        forest.score_samples(X)
        print(time.perf_counter() - start, flush=True)
";

/// A Python that has grown a forest, and grows it again when asked.
pub(super) struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(super) version: String,
}

impl Peer {
    /// Starts it on a set; `None` when there is no such Python, or it has no scikit-learn.
    pub(super) fn start(python: &Path, set: &Path) -> Result<Option<Self>> {
        let process = Command::new(python)
            .args(["-c", SCRIPT])
            .arg(set)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut process) = process else {
            return Ok(None);
        };
        let mut peer = Self {
            input: process.stdin.take().context("stdin")?,
            output: BufReader::new(process.stdout.take().context("stdout")?),
            process,
            version: String::new(),
        };
        peer.output.read_line(&mut peer.version)?;
        let is_there = !peer.version.is_empty();
        peer.version.truncate(peer.version.trim_end().len());
        Ok(is_there.then_some(peer))
    }

    /// Seconds of fit and score with so many jobs.
    pub(super) fn fit_and_score(&mut self, jobs: u32) -> Result<f64> {
        self.figure(&jobs.to_string())
    }

    /// Seconds of one row's score.
    pub(super) fn single_row(&mut self) -> Result<f64> {
        self.figure("single")
    }

    /// ROC-AUC and average precision.
    pub(super) fn quality(&mut self) -> Result<(f64, f64)> {
        let figures = self.ask("quality")?;
        let at = |index: usize| figures.get(index).copied().context("too few figures");
        Ok((at(0)?, at(1)?))
    }

    fn figure(&mut self, word: &str) -> Result<f64> {
        self.ask(word)?.first().copied().context("no figure")
    }

    fn ask(&mut self, word: &str) -> Result<Vec<f64>> {
        writeln!(self.input, "{word}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let figures = line.split_whitespace().map(str::parse);
        let figures = figures.collect::<Result<Vec<f64>, _>>();
        figures.with_context(|| format!("scikit-learn says {line:?}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
